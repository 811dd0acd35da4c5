//! The journal's file and the bucket's history, brought together.
//!
//! As a rule one of the two goes on where the other ends. When both went on, a command of this machine lost the lock or
//! the bucket before all its lines were there. What it had not announced there it has not sent, so the bucket knows of
//! every call; what this machine may know beside it is how some of them ended. That is taken over for resources which
//! nobody has touched since, line by line. The file is kept as it was.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::base::durable;
use crate::resource::ResourceAddress;
use crate::resource::phase::Happening;
use crate::state::journal::line::{self, Entry};
use crate::state::journal::{self, Event};
use crate::state::shared::history::History;
use crate::state::shared::mark::Mark;
use crate::state::shared::segment::digest;
use crate::state::shared::{Merged, Opened};
use crate::state::{Identity, StateError};

/// What the journal is from now on, and what that means for both sides.
#[derive(Debug)]
pub(super) struct Merge {
    path: PathBuf,
    /// The journal as it was here, without a last line that is torn.
    before: String,
    text: String,
    /// Behind how many bytes of the text the lines begin that only this machine has.
    shared: usize,
    sequence: u64,
    opened: Opened,
}

/// A line and what it says.
struct Line<'t> {
    text: &'t str,
    entry: Entry,
}

impl Merge {
    /// Of the journal in a folder, which is known to the bucket up to a mark, and what the bucket has since.
    ///
    /// # Errors
    /// When either is damaged, or they never were one.
    pub(super) fn of(
        folder: &Path,
        mark: &Mark,
        history: &History,
        identity: &Identity,
    ) -> Result<Self, StateError> {
        let path = folder.join("journal");
        let content = durable::read(&path)?.unwrap_or_default();
        let ours = lines(&path, &content)?;
        let theirs = lines(&path, history.lines().as_bytes())?;
        // In a rewritten journal all lines have the number of the last one that it takes in.
        let known = if history.is_whole() {
            0
        } else {
            ours.iter().take_while(|line| line.entry.sequence <= mark.sequence).count()
        };
        // The mark may lag behind: what both have after it is known as well.
        let common =
            ours[known..].iter().zip(&theirs).take_while(|(one, other)| one.text == other.text).count();
        let (old, new) = ours.split_at(known + common);
        let theirs = &theirs[common..];
        let before = joined(&ours);
        let shared = joined(old) + &joined(theirs);
        if new.is_empty() || theirs.is_empty() {
            let opened = Opened { pulled: theirs.len(), pushed: new.len(), merged: None };
            return Self::finish(path, before, (shared, joined(new)), opened);
        }
        if old.is_empty() {
            check_lineage(&path, history.place(), (&ours, theirs))?;
        }
        let replayed =
            if old.is_empty() { String::new() } else { replay((&path, identity), (old, theirs), new)? };
        let aside = folder.join(format!("journal.aside-{}", &digest(before.as_bytes())[..12]));
        let taken = replayed.lines().count();
        let merged = Some(Merged { taken, left: new.len() - taken, aside });
        let opened = Opened { pulled: theirs.len(), pushed: taken, merged };
        Self::finish(path, before, (shared, replayed), opened)
    }

    fn finish(
        path: PathBuf,
        before: String,
        (shared, own): (String, String),
        opened: Opened,
    ) -> Result<Self, StateError> {
        let (text, shared) = (shared.clone() + &own, shared.len());
        let sequence = lines(&path, text.as_bytes())?.last().map_or(0, |line| line.entry.sequence);
        Ok(Self { path, before, text, shared, sequence, opened })
    }

    /// The journal from now on.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The lines that the bucket does not have.
    pub(super) fn unknown_to_others(&self) -> &str {
        &self.text[self.shared..]
    }

    /// Number of its last line.
    pub(super) fn sequence(&self) -> u64 {
        self.sequence
    }

    /// What happened.
    pub(super) fn opened(&self) -> Opened {
        self.opened.clone()
    }

    /// Writes it down here, once what is not in the bucket is.
    pub(super) fn write(&self, folder: &Path) -> Result<(), StateError> {
        if self.text == self.before {
            return Ok(());
        }
        if let Some(merged) = &self.opened.merged {
            durable::replace(&merged.aside, self.before.as_bytes())?;
        }
        durable::create_private_folder(folder)?;
        Ok(durable::replace(&self.path, self.text.as_bytes())?)
    }
}

/// The lines of a journal, without a last one that is torn.
fn lines<'t>(path: &Path, content: &'t [u8]) -> Result<Vec<Line<'t>>, StateError> {
    let (entries, _) = journal::parse(path, content)?;
    let texts = content.split_inclusive(|byte| *byte == b'\n');
    let text = |bytes: &'t [u8]| std::str::from_utf8(bytes).unwrap_or_default();
    Ok(entries.into_iter().zip(texts).map(|(entry, bytes)| Line { text: text(bytes), entry }).collect())
}

fn joined(lines: &[Line<'_>]) -> String {
    lines.iter().map(|line| line.text).collect()
}

/// Two states of one stack that have nothing to do with each other are not brought together.
fn check_lineage(
    path: &Path,
    place: &str,
    (ours, theirs): (&[Line<'_>], &[Line<'_>]),
) -> Result<(), StateError> {
    let lineage = |lines: &[Line<'_>]| match lines.first().map(|line| &line.entry.event) {
        Some(Event::Opened(identity)) => Some(identity.lineage.clone()),
        _ => None,
    };
    if lineage(ours) == lineage(theirs) {
        return Ok(());
    }
    Err(StateError::OtherHistory { path: path.to_owned(), place: place.to_owned() })
}

/// The lines of this machine that still say something, numbered anew behind those of the bucket.
fn replay(
    (path, identity): (&Path, &Identity),
    (old, theirs): (&[Line<'_>], &[Line<'_>]),
    ours: &[Line<'_>],
) -> Result<String, StateError> {
    let fold = |lines: &mut dyn Iterator<Item = &Line<'_>>| {
        journal::fold(path, lines.map(|line| line.entry.clone()).collect(), identity)
    };
    let base = fold(&mut old.iter())?;
    let mut now = fold(&mut old.iter().chain(theirs))?;
    let mut by_resource: BTreeMap<&ResourceAddress, Vec<&Entry>> = BTreeMap::new();
    for Line { entry, .. } in ours {
        if let Some(address) = entry.event.address() {
            by_resource.entry(address).or_default().push(entry);
        }
    }
    let mut text = String::new();
    for (address, mut entries) in by_resource {
        // What was announced last was never sent: the bucket does not have the line.
        while entries.last().is_some_and(|entry| announces(&entry.event)) {
            entries.pop();
        }
        let is_untouched = base.resources.get(address) == now.resources.get(address);
        if !is_untouched || !entries.iter().all(|entry| is_of_one_resource(&entry.event)) {
            continue;
        }
        for entry in
            entries.into_iter().filter(|entry| now.accepts(&entry.event)).cloned().collect::<Vec<_>>()
        {
            let Entry { at, event, .. } = entry;
            let sequence = now.sequence + 1;
            text.push_str(&line::encode(&Entry { sequence, at, event: event.clone() }));
            now.apply(sequence, at, event);
        }
    }
    Ok(text)
}

/// Whether an event says that something is about to be done.
fn announces(event: &Event) -> bool {
    match event {
        Event::Announced { .. } | Event::Happened { happening: Happening::Intend(_), .. } => true,
        Event::Happened { .. }
        | Event::Opened(_)
        | Event::Deposed { .. }
        | Event::Answered { .. }
        | Event::Learned { .. }
        | Event::Adopted { .. }
        | Event::Forgotten { .. }
        | Event::Restored { .. } => false,
    }
}

/// Whether an event says something of its resource alone.
fn is_of_one_resource(event: &Event) -> bool {
    match event {
        Event::Happened { .. } | Event::Announced { .. } | Event::Answered { .. } | Event::Learned { .. } => {
            true
        }
        Event::Opened(_)
        | Event::Deposed { .. }
        | Event::Adopted { .. }
        | Event::Forgotten { .. }
        | Event::Restored { .. } => false,
    }
}
