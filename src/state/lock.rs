//! One mutating command a stack at a time.
//!
//! The lock is the system's advisory lock on a file, so it ends with its holder, however that ends. The file says
//! who holds it, for the message of whoever comes second.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::base::clock;
use crate::base::durable::{self, FileError};
use crate::state::StateError;

/// A held lock; dropping it lets the next one in.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock of a stack.
    ///
    /// # Errors
    /// [`StateError::Locked`] with the holder when somebody has it.
    pub fn take(folder: &Path, what: &str) -> Result<Self, StateError> {
        durable::create_private_folder(folder)?;
        let path = folder.join("lock");
        let mut file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .mode(0o600)
            .open(&path)
            .map_err(FileError::new("open", &path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                // Who holds it is a courtesy: an unreadable file must not hide that it is held.
                let _ = file.read_to_string(&mut holder);
                let holder = if holder.trim().is_empty() { "another command".to_owned() } else { holder };
                return Err(StateError::Locked { holder });
            }
            Err(TryLockError::Error(error)) => return Err(FileError::new("lock", &path)(error).into()),
        }
        let holder = format!("process {} ({what}, since {})", std::process::id(), clock::now_seconds());
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| file.write_all(holder.as_bytes()))
            .map_err(FileError::new("write", &path))?;
        Ok(Self { _file: file })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_told_who_is_first() {
        let folder = tempfile::tempdir().unwrap();
        let first = Lock::take(folder.path(), "apply").unwrap();
        let error = Lock::take(folder.path(), "destroy").unwrap_err().to_string();
        assert!(error.contains(&format!("process {} (apply", std::process::id())), "{error}");
        drop(first);
        assert!(Lock::take(folder.path(), "destroy").is_ok());
    }
}
