//! The history in the bucket, from where this machine knows it: read, checked, gone on with.

use crate::state::StateError;
use crate::state::journal;
use crate::state::memory::Memory;
use crate::state::shared::Store;
use crate::state::shared::mark::Mark;
use crate::state::shared::segment::{self, JOURNAL, SNAPSHOT, Segment, name};
use crate::state::shared::store::Made;

/// What came after a mark.
#[derive(Debug)]
pub(super) struct History {
    store: Store,
    /// The place it has come to.
    end: Mark,
    /// The lines since the mark, or all of them.
    lines: String,
    /// Whether these are all: the mark was that of the beginning, or of a history that is no more.
    is_whole: bool,
    /// The segment that the newest snapshot takes in last.
    snapshot: u64,
}

impl History {
    /// Reads what came after a mark.
    ///
    /// # Errors
    /// When the bucket says no, or what it has is not what was written there.
    pub(super) async fn read(store: &Store, mark: &Mark) -> Result<Self, StateError> {
        let mut history = Self {
            store: store.clone(),
            end: mark.clone(),
            lines: String::new(),
            is_whole: mark.position == 0,
            snapshot: history_snapshot(store).await?,
        };
        if history.is_whole && history.snapshot > 0 {
            history.begin_at_snapshot().await?;
        }
        if !history.is_whole {
            history.check_beginning().await?;
        }
        history.read_on().await?;
        Ok(history)
    }

    /// The segment that is known here is still there, or none is: then nothing was ever written, whatever is known.
    async fn check_beginning(&mut self) -> Result<(), StateError> {
        let key = format!("{JOURNAL}{}", name(self.end.position));
        match self.store.read(&key).await.map_err(self.refused())? {
            Some(content) if segment::digest(&content) == self.end.digest => Ok(()),
            Some(_) => Err(self.damaged(&key, "it is not the one that this machine knows")),
            None if self.store.list(JOURNAL, "").await.map_err(self.refused())?.is_empty() => {
                self.end = Mark { place: self.end.place.clone(), ..Mark::default() };
                self.is_whole = true;
                Ok(())
            }
            None => Err(self.damaged(&key, "it is not there any more")),
        }
    }

    /// Whether nobody has ever written to it.
    pub(super) fn is_new(&self) -> bool {
        self.end.sequence == 0
    }

    /// Whether its lines are all there are.
    pub(super) fn is_whole(&self) -> bool {
        self.is_whole
    }

    /// Its lines since the mark, or all.
    pub(super) fn lines(&self) -> &str {
        &self.lines
    }

    /// The bucket it is in.
    pub(super) fn store(&self) -> &Store {
        &self.store
    }

    /// Where it is.
    pub(super) fn place(&self) -> &str {
        self.store.place()
    }

    /// The place it has come to, once a journal has come to this line.
    pub(super) fn mark(&self, sequence: u64) -> Mark {
        Mark { sequence, ..self.end.clone() }
    }

    pub(super) fn segments_since_snapshot(&self) -> u64 {
        self.end.position - self.snapshot
    }

    /// Says that an epoch begins. Whoever wrote before finds the place taken from then on.
    ///
    /// # Errors
    /// When somebody with a later epoch was faster.
    pub(super) async fn open_epoch(&mut self, epoch: u64) -> Result<(), StateError> {
        loop {
            if self.end.epoch >= epoch {
                return Err(self.lost());
            }
            match self.push(epoch, self.end.sequence, "").await? {
                Made::New => return Ok(()),
                Made::WasThere => self.read_on().await?,
            }
        }
    }

    /// Adds lines.
    ///
    /// # Errors
    /// When somebody else has taken over.
    pub(super) async fn append(&mut self, epoch: u64, text: &str) -> Result<(), StateError> {
        let (entries, _) = journal::parse(self.place().as_ref(), text.as_bytes())?;
        let lines: Vec<(u64, &str)> =
            entries.iter().map(|entry| entry.sequence).zip(text.split_inclusive('\n')).collect();
        let mut left = lines.as_slice();
        while let Some((sequence, _)) = left.last() {
            let text: String = left.iter().map(|(_, line)| *line).collect();
            if self.push(epoch, *sequence, &text).await? == Made::New {
                return Ok(());
            }
            // It is of another, or our own: of a call that was dropped before its answer came.
            self.read_on().await?;
            if self.end.epoch != epoch {
                return Err(self.lost());
            }
            let known = left.iter().take_while(|(sequence, _)| *sequence <= self.end.sequence).count();
            left = &left[known..];
        }
        Ok(())
    }

    fn lost(&self) -> StateError {
        let now = format!("another command has gone on with it since (epoch {})", self.end.epoch);
        StateError::SharedLockLost { place: self.place().to_owned(), now }
    }

    /// Makes the next segment. Behind one of a later epoch none of an earlier one is ever made.
    async fn push(&mut self, epoch: u64, sequence: u64, text: &str) -> Result<Made, StateError> {
        if self.end.epoch > epoch {
            return Err(self.lost());
        }
        let next = Segment::new(self.end.position + 1, epoch, &self.end.digest, sequence, text);
        let content = next.to_bytes();
        let key = format!("{JOURNAL}{}", name(next.head.position));
        let made = self.store.create(&key, &content).await.map_err(self.refused())?;
        if made == Made::New {
            self.end = Mark {
                place: self.end.place.clone(),
                position: next.head.position,
                digest: segment::digest(&content),
                epoch,
                sequence,
            };
        }
        Ok(made)
    }

    /// Writes down what all of it adds up to; another one's snapshot of the same place does as well.
    pub(super) async fn snapshot(&mut self, memory: &Memory) -> Result<(), StateError> {
        let Mark { position, digest, epoch, sequence, .. } = &self.end;
        let whole = Segment::new(*position, *epoch, digest, *sequence, &journal::compacted(memory));
        let key = format!("{SNAPSHOT}{}", name(*position));
        self.store.create(&key, &whole.to_bytes()).await.map_err(self.refused())?;
        self.snapshot = *position;
        Ok(())
    }

    async fn begin_at_snapshot(&mut self) -> Result<(), StateError> {
        let key = format!("{SNAPSHOT}{}", name(self.snapshot));
        let content = self.store.read(&key).await.map_err(self.refused())?;
        let content = content.ok_or_else(|| self.damaged(&key, "it is not there"))?;
        let Segment { head, text } = Segment::read(self.place(), &key, &content)?;
        self.end = Mark {
            place: self.end.place.clone(),
            position: head.position,
            digest: head.follows,
            epoch: head.epoch,
            sequence: head.sequence,
        };
        self.lines = text;
        Ok(())
    }

    async fn read_on(&mut self) -> Result<(), StateError> {
        let after = if self.end.position == 0 { String::new() } else { name(self.end.position) };
        let names = self.store.list(JOURNAL, &after).await.map_err(self.refused())?;
        for name in names {
            let key = format!("{JOURNAL}{name}");
            let content = self.store.read(&key).await.map_err(self.refused())?;
            let content = content.ok_or_else(|| self.damaged(&key, "it is not there any more"))?;
            self.take_in(&key, &content)?;
        }
        Ok(())
    }

    fn take_in(&mut self, key: &str, content: &[u8]) -> Result<(), StateError> {
        let Segment { head, text } = Segment::read(self.place(), key, content)?;
        if head.position != self.end.position + 1 {
            return Err(self.damaged(key, "a segment before it is missing"));
        }
        if head.follows != self.end.digest {
            return Err(self.damaged(key, "the segment before it is not the one that it was written after"));
        }
        if head.epoch < self.end.epoch {
            return Err(self.damaged(key, "its epoch was over"));
        }
        self.lines.push_str(&text);
        self.end = Mark {
            place: self.end.place.clone(),
            position: head.position,
            digest: segment::digest(content),
            epoch: head.epoch,
            sequence: head.sequence,
        };
        Ok(())
    }

    fn damaged(&self, key: &str, why: &str) -> StateError {
        StateError::SegmentDamaged {
            place: self.place().to_owned(),
            key: key.to_owned(),
            why: why.to_owned(),
        }
    }

    fn refused(&self) -> impl FnOnce(super::StoreError) -> StateError + use<> {
        StateError::of_store(self.store.place())
    }
}

/// The last segment that the newest snapshot takes in; zero when there is none.
async fn history_snapshot(store: &Store) -> Result<u64, StateError> {
    let names = store.list(SNAPSHOT, "").await.map_err(StateError::of_store(store.place()))?;
    Ok(segment::highest(&names).unwrap_or(0))
}
