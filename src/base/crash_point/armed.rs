//! Points at which the process ends itself when this was asked for. Only the harness of `tests/crash` builds this.
//!
//! A point is named by the kind of write, the file, the event when a line of a journal is written, and the moment:
//! `append journal happened vpc.main intend, half`. Ids and random names are written `*`, so that the same point has
//! the same name in every run. Several writes may have one name: `#2` is the second of them, counted from 1.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};

use rustix::process::{Signal, getpid, kill_process};
use serde_json::Value;

use crate::base::crash_point::Moment;

/// What this process was asked for.
#[derive(Debug)]
struct Wish {
    /// Where it shall end: `NAME#OCCURRENCE`.
    end_at: Option<String>,
    /// Where each point that is passed is written down, a line each.
    list_to: Option<PathBuf>,
    passed: Mutex<HashMap<String, u64>>,
}

static WISH: OnceLock<Wish> = OnceLock::new();

/// Arms a point and asks for a list of those that are passed; what is asked for first holds.
pub fn arm(end_at: Option<String>, list_to: Option<PathBuf>) {
    WISH.get_or_init(|| Wish { end_at, list_to, passed: Mutex::default() });
}

/// One durable write.
#[derive(Debug)]
pub struct Point {
    name: String,
}

impl Point {
    /// Adding to the end of a file.
    pub fn append(path: &Path, content: &[u8]) -> Self {
        Self { name: format!("append {}{}", file_name(path), event(content).unwrap_or_default()) }
    }

    /// Replacing a file.
    pub fn replace(path: &Path) -> Self {
        Self { name: format!("replace {}", file_name(path)) }
    }

    /// Removing a file.
    pub fn remove(path: &Path) -> Self {
        Self { name: format!("remove {}", file_name(path)) }
    }

    /// The content is about to be written to the file.
    pub fn begin(&self, file: &mut File, content: &[u8]) {
        self.reach(Moment::Before);
        if self.is_due(Moment::Half) {
            // Who is about to be killed has nobody to tell of an error.
            let _ = file.write_all(&content[..content.len() / 2]);
            end();
        }
    }

    /// Ends the process when this was asked for.
    pub fn reach(&self, moment: Moment) {
        if self.is_due(moment) {
            end();
        }
    }

    fn is_due(&self, moment: Moment) -> bool {
        WISH.get().is_some_and(|wish| wish.is_due(format!("{}, {}", self.name, moment.word())))
    }
}

impl Wish {
    fn is_due(&self, name: String) -> bool {
        let mut passed = self.passed.lock().unwrap_or_else(PoisonError::into_inner);
        let count = passed.entry(name.clone()).or_default();
        *count += 1;
        let point = format!("{name}#{count}");
        if let Some(list) = &self.list_to {
            let file = OpenOptions::new().create(true).append(true).open(list);
            let noted = file.and_then(|mut file| file.write_all(format!("{point}\n").as_bytes()));
            noted.expect("the list of crash points can be written");
        }
        self.end_at.as_ref() == Some(&point)
    }
}

/// Ends the process as a power cut does: nothing is flushed, closed or unlocked by us.
fn end() {
    kill_process(getpid(), Signal::KILL).expect("a process may kill itself");
    loop {
        std::thread::park();
    }
}

/// The file's name; secrets have random ones.
fn file_name(path: &Path) -> String {
    let is_secret = path.parent().and_then(Path::file_name).is_some_and(|folder| folder == "secrets");
    match path.file_name() {
        Some(_) if is_secret => "secrets/*".to_owned(),
        Some(name) => name.to_string_lossy().into_owned(),
        None => "*".to_owned(),
    }
}

/// The event of a journal's line: its kind, whose it is and what happens.
fn event(line: &[u8]) -> Option<String> {
    let json = &line[line.iter().position(|byte| *byte == b'{')?..];
    let entry: Value = serde_json::from_slice(json).ok()?;
    let (kind, event) = entry["event"].as_object()?.iter().next()?;
    let address = event["address"].as_str().map(without_id);
    let happening = word(&event["happening"]);
    Some(
        [Some(kind.clone()), address, happening]
            .into_iter()
            .flatten()
            .fold(String::new(), |text, word| format!("{text} {word}")),
    )
}

/// An address names a resource that has to go by its id too.
fn without_id(address: &str) -> String {
    match address.split_once('~') {
        Some((address, _)) => format!("{address}~*"),
        None => address.to_owned(),
    }
}

/// The variant of an enum as JSON has it: a text, or an object with one entry.
fn word(value: &Value) -> Option<String> {
    let key = || value.as_object().and_then(|object| object.keys().next().cloned());
    value.as_str().map(str::to_owned).or_else(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_is_named_by_its_event_and_no_id() {
        let line = br#"0123456789abcdef {"sequence":2,"at":"x","event":{"happened":{"address":"instance.ecs01~i-1","happening":{"intend":"0f"},"call":null}}}"#;
        let name = Point::append(Path::new("a/journal"), line).name;
        assert_eq!(name, "append journal happened instance.ecs01~* intend");
        let line =
            br#"0 {"sequence":2,"at":"x","event":{"happened":{"address":"vpc.main","happening":"ready"}}}"#;
        assert_eq!(Point::append(Path::new("journal"), line).name, "append journal happened vpc.main ready");
        assert_eq!(Point::append(Path::new("journal"), b"garbage").name, "append journal");
        assert_eq!(Point::replace(Path::new("state/secrets/0f3a")).name, "replace secrets/*");
    }

    #[test]
    fn each_name_is_counted_from_one() {
        let folder = tempfile::tempdir().unwrap();
        let list = folder.path().join("list");
        let wish = Wish {
            end_at: Some("a, half#2".to_owned()),
            list_to: Some(list.clone()),
            passed: Mutex::default(),
        };
        let due: Vec<bool> =
            ["a, half", "b, half", "a, half"].into_iter().map(|name| wish.is_due(name.to_owned())).collect();
        assert_eq!(due, [false, false, true]);
        assert_eq!(std::fs::read_to_string(list).unwrap(), "a, half#1\nb, half#1\na, half#2\n");
    }
}
