//! Files that survive a crash: written whole or not at all, readable by their owner only.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::base::crash_point::{Moment, Point};

/// A file operation that failed, with the file.
#[derive(Debug, thiserror::Error)]
#[error("cannot {what} `{}`", path.display())]
pub struct FileError {
    /// What was tried: `read`, `write`, ...
    pub what: &'static str,
    /// On which file.
    pub path: PathBuf,
    /// What the system said.
    #[source]
    pub source: io::Error,
}

impl FileError {
    /// For `map_err`.
    pub fn new(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self { what, path, source }
    }
}

/// The mode of a file that others than its owner may read, change or run; none where they may not.
pub fn mode_open_to_others(file: &Metadata) -> Option<u32> {
    let mode = file.permissions().mode() & 0o777;
    (mode & 0o077 != 0).then_some(mode)
}

/// Begins the names of files that are being written; what a crash leaves of them is swept away.
const UNFINISHED: &str = ".albatross-";

/// Makes a folder and its parents, for the owner only; each is known to the folder above it when this returns.
///
/// # Errors
/// When the system refuses.
pub fn create_private_folder(path: &Path) -> Result<(), FileError> {
    let missing: Vec<&Path> = path.ancestors().take_while(|folder| !folder.exists()).collect();
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(FileError::new("create", path))?;
    let parents = missing.into_iter().filter(|folder| !folder.as_os_str().is_empty()).map(parent);
    parents.into_iter().try_for_each(|folder| sync_folder(folder).map_err(FileError::new("write", folder)))
}

/// Reads a file; none when it is not there.
///
/// # Errors
/// When the system refuses.
pub fn read(path: &Path) -> Result<Option<Vec<u8>>, FileError> {
    match std::fs::read(path) {
        Ok(content) => Ok(Some(content)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(FileError::new("read", path)(error)),
    }
}

/// Removes a file; one that is not there counts as removed.
///
/// # Errors
/// When the system refuses.
pub fn remove(path: &Path) -> Result<(), FileError> {
    let point = Point::remove(path);
    point.reach(Moment::Before);
    let removed = std::fs::remove_file(path);
    point.reach(Moment::Renamed);
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(FileError::new("remove", path)(error)),
        _ => sync_folder(parent(path)).map_err(FileError::new("remove", path)),
    }
}

/// Removes what a command left in a folder that ended while it replaced a file there.
///
/// # Errors
/// When the system refuses.
pub fn sweep(folder: &Path) -> Result<(), FileError> {
    for entry in std::fs::read_dir(folder).map_err(FileError::new("read", folder))? {
        let entry = entry.map_err(FileError::new("read", folder))?;
        if entry.file_name().to_string_lossy().starts_with(UNFINISHED) {
            remove(&entry.path())?;
        }
    }
    Ok(())
}

/// Replaces a file as one step: a reader sees the old text or the new one, also after a power cut.
///
/// # Errors
/// When the system refuses; the old file is then still there.
pub fn replace(path: &Path, content: &[u8]) -> Result<(), FileError> {
    let folder = parent(path);
    let wrap = |source| FileError { what: "write", path: path.to_owned(), source };
    let mut file = tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(folder).map_err(wrap)?;
    let point = Point::replace(path);
    write_synced(file.as_file_mut(), content, &point, File::sync_all).map_err(wrap)?;
    file.persist(path).map_err(|refused| wrap(refused.error))?;
    point.reach(Moment::Renamed);
    sync_folder(folder).map_err(wrap)
}

/// Opens a file for appending, for the owner only; its folder knows about it before this returns.
///
/// # Errors
/// When the system refuses.
pub fn open_append(path: &Path) -> Result<File, FileError> {
    let wrap = |source| FileError { what: "open", path: path.to_owned(), source };
    let file = OpenOptions::new().create(true).append(true).mode(0o600).open(path).map_err(wrap)?;
    sync_folder(parent(path)).map_err(wrap)?;
    Ok(file)
}

/// Appends and waits until the disk has it.
///
/// # Errors
/// When the system refuses.
pub fn append(file: &mut File, path: &Path, content: &[u8]) -> Result<(), FileError> {
    let wrap = |source| FileError { what: "append to", path: path.to_owned(), source };
    // Of a file that only grows the system needs to know no more than its content and its length.
    write_synced(file, content, &Point::append(path, content), File::sync_data).map_err(wrap)
}

/// Every durable write of ours goes through here, and can be crashed at each of its moments.
fn write_synced(
    file: &mut File,
    content: &[u8],
    point: &Point,
    sync: fn(&File) -> io::Result<()>,
) -> io::Result<()> {
    point.begin(file, content);
    file.write_all(content)?;
    point.reach(Moment::Written);
    sync(file)?;
    point.reach(Moment::Synced);
    Ok(())
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn replaced_files_are_whole_and_private() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        replace(&path, b"one").unwrap();
        replace(&path, b"two").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"two");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn an_error_names_the_file() {
        let error = replace(Path::new("/nonexistent/folder/file"), b"").unwrap_err();
        assert_eq!(error.to_string(), "cannot write `/nonexistent/folder/file`");
    }
}
