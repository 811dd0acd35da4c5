//! The lock file and how it changes hands: whole or not at all, and never over the head of somebody else.
//!
//! Each change is made while the kernel's lock on `lock.gate` is held, so that on one machine exactly one wins. Where
//! the folder's file system has no such lock between machines, two steps that are atomic everywhere take its place: a
//! hard link fails when the file is there already, and what is moved away is compared with what was judged.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::base::crash_point::{Moment, Point};
use crate::base::durable::{self, FileError};
use crate::base::retry::{Backoff, Deadline};
use crate::state::StateError;
use crate::state::lock::record::Record;

/// Begins the names of files that a change needs for a moment.
const PASSING: &str = ".lock-";
/// How long others may take for a change, which is a matter of microseconds.
const GATE: Duration = Duration::from_secs(5);

/// The lock file of a stack.
#[derive(Debug, Clone)]
pub(super) struct LockFile {
    path: PathBuf,
}

/// Held while the lock file changes hands.
#[derive(Debug)]
pub(super) struct Gate {
    _file: File,
}

impl LockFile {
    pub(super) fn new(folder: &Path) -> Self {
        Self { path: folder.join("lock") }
    }

    /// What stands in it; none when nobody has it.
    pub(super) fn read(&self) -> Result<Option<Vec<u8>>, FileError> {
        durable::read(&self.path)
    }

    /// Waits until nobody else is changing it.
    ///
    /// # Errors
    /// When that takes unreasonably long: somebody was stopped in the middle.
    pub(super) async fn gate(&self) -> Result<Gate, StateError> {
        let path = self.path.with_file_name("lock.gate");
        let mut open = OpenOptions::new();
        let file = open.create(true).truncate(false).write(true).mode(0o600).open(&path);
        let file = file.map_err(FileError::new("open", &path))?;
        let deadline = Deadline::after(GATE);
        let mut backoff = Backoff::new(Duration::from_millis(2), Duration::from_millis(100));
        loop {
            match file.try_lock() {
                Ok(()) => {
                    self.sweep();
                    return Ok(Gate { _file: file });
                }
                // There is no such lock here: the atomic steps have to do.
                Err(TryLockError::Error(_)) => return Ok(Gate { _file: file }),
                Err(TryLockError::WouldBlock) if backoff.wait(&deadline).await => {}
                Err(TryLockError::WouldBlock) => {
                    return Err(StateError::LockBusy { path: self.path.clone() });
                }
            }
        }
    }

    /// Makes it when nobody has it; says whether it was made.
    pub(super) fn create(&self, _: &Gate, record: &Record) -> Result<bool, FileError> {
        let wrap = |source| FileError { what: "write", path: self.path.clone(), source };
        let draft = self.draft(record).map_err(wrap)?;
        let made = match fs::hard_link(&draft, &self.path) {
            Ok(()) => {
                Point::replace(&self.path).reach(Moment::Renamed);
                Ok(true)
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
            // A file system without links.
            Err(_) => self.write_new(&self.path, record),
        };
        fs::remove_file(&draft).map_err(wrap)?;
        made.map_err(wrap)
    }

    /// Replaces what this process wrote.
    pub(super) fn renew(&self, _: &Gate, record: &Record) -> Result<(), FileError> {
        let wrap = |source| FileError { what: "write", path: self.path.clone(), source };
        let draft = self.draft(record).map_err(wrap)?;
        fs::rename(draft, &self.path).map_err(wrap)
    }

    /// Removes it when it still says this; says whether it did.
    pub(super) fn remove(&self, judged: &[u8]) -> Result<bool, FileError> {
        let wrap = |source| FileError { what: "remove", path: self.path.clone(), source };
        let aside = self.passing("away");
        let point = Point::remove(&self.path);
        point.reach(Moment::Before);
        match fs::rename(&self.path, &aside) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
            moved => moved.map_err(wrap)?,
        }
        point.reach(Moment::Renamed);
        let is_judged = fs::read(&aside).map_err(wrap)? == judged;
        if !is_judged {
            // Somebody was faster: theirs goes back, unless there is another one by now.
            let _ = fs::hard_link(&aside, &self.path);
        }
        fs::remove_file(&aside).map_err(wrap)?;
        Ok(is_judged)
    }

    fn draft(&self, record: &Record) -> io::Result<PathBuf> {
        let path = self.passing("new");
        self.write_new(&path, record)?;
        Ok(path)
    }

    /// Writes a file that is not there yet; says whether it was made.
    fn write_new(&self, path: &Path, record: &Record) -> io::Result<bool> {
        let mut file = match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(false),
            Err(error) => return Err(error),
        };
        let text = record.to_text();
        let point = Point::replace(&self.path);
        point.begin(&mut file, text.as_bytes());
        file.write_all(text.as_bytes())?;
        point.reach(Moment::Written);
        Ok(true)
    }

    fn passing(&self, what: &str) -> PathBuf {
        let name = format!("{PASSING}{what}-{}", uuid::Uuid::new_v4().simple());
        self.path.with_file_name(name)
    }

    /// Removes what commands left that were killed in the middle of a change; it disturbs nobody when it stays.
    fn sweep(&self) {
        let entries = self.path.parent().map(fs::read_dir).into_iter().flatten().flatten().flatten();
        for entry in entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(PASSING)) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_somebody_wrote_since_it_was_judged_is_not_removed() {
        let folder = tempfile::tempdir().unwrap();
        let file = LockFile::new(folder.path());
        let gate = file.gate().await.unwrap();
        let record = Record::new("albatross apply", Duration::from_secs(30));
        assert!(file.create(&gate, &record).unwrap());
        let judged = file.read().unwrap().unwrap();
        let renewed = record.renewed();
        file.renew(&gate, &renewed).unwrap();
        assert!(!file.remove(&judged).unwrap());
        let there = file.read().unwrap().unwrap();
        assert_eq!(there, renewed.to_text().into_bytes());
        assert!(file.remove(&there).unwrap());
        assert_eq!(file.read().unwrap(), None);
    }
}
