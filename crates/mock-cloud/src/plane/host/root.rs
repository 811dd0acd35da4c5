//! The root directory of a host: every path a client names is looked up inside it, whatever it contains.
//!
//! 1. A path is walked one component at a time from the root's own descriptor, never by the kernel.
//! 2. `..` goes back to the descriptor we came from; above the root it stays at the root.
//! 3. A symbolic link is read and walked the same way; an absolute one starts at the root again.
//! 4. The last step is one call relative to a directory's descriptor that does not follow links.
//!
//! So no path leaves the root, not even when links change while it is walked.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, RenameFlags, Stat};
use rustix::io::Errno;

/// As many links as Linux itself follows.
const MOST_LINKS: usize = 40;
/// Where relative paths start: the home of the only user who logs in.
const HOME: &str = "/root";

/// What happens when the last component is a symbolic link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Last {
    /// It is followed.
    Follow,
    /// The link itself is meant.
    Keep,
}

/// The root directory of one host.
#[derive(Debug)]
pub(crate) struct Root {
    base: PathBuf,
    descriptor: Arc<OwnedFd>,
    is_full: Arc<AtomicBool>,
}

/// A looked up path: a directory inside the root and a name in it (which may not exist yet).
#[derive(Debug, Clone)]
pub(crate) struct Place {
    directory: Arc<OwnedFd>,
    name: OsString,
    /// Absolute inside the root, without links and dots.
    path: PathBuf,
    is_full: Arc<AtomicBool>,
}

impl Root {
    /// Opens the root at a directory of the outer machine.
    pub(crate) fn open(base: PathBuf) -> io::Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let descriptor = Arc::new(rustix::fs::open(&base, flags, Mode::empty())?);
        Ok(Self { base, descriptor, is_full: Arc::default() })
    }

    /// Whether from now on nothing more fits on its disk.
    pub(crate) fn fill(&self, is_full: bool) {
        self.is_full.store(is_full, Ordering::Relaxed);
    }

    /// Whether nothing more fits on its disk.
    pub(crate) fn is_full(&self) -> bool {
        self.is_full.load(Ordering::Relaxed)
    }

    /// Looks a path up.
    pub(crate) fn place(&self, path: &str, last: Last) -> io::Result<Place> {
        Walk::new(self, path, last).run()
    }

    /// The path on the outer machine of a looked up one; for handing to programs we start.
    pub(crate) fn outer(&self, place: &Place) -> PathBuf {
        self.base.join(place.path.strip_prefix("/").unwrap_or(&place.path))
    }

    /// The path on the outer machine that a path of the host stands for, whether or not it exists.
    pub(crate) fn outer_path(&self, path: &str) -> PathBuf {
        let found = self.place(path, Last::Follow).map(|place| self.outer(&place));
        // Whatever is in the way may be a link that the kernel would follow out of the root: what cannot be looked
        // up is given a name that does not exist.
        found.unwrap_or_else(|_| self.base.join("run/mock-host/missing").join(path.replace('/', "-")))
    }

    /// Whether a file of whatever kind is there.
    pub(crate) fn exists(&self, path: &str) -> bool {
        self.place(path, Last::Follow).and_then(|place| place.stat()).is_ok()
    }

    /// The whole of a file.
    pub(crate) fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        let place = self.place(path, Last::Follow)?;
        if place.is_directory() {
            return Err(Errno::ISDIR.into());
        }
        let mut bytes = Vec::new();
        place.open(OFlags::RDONLY, 0)?.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// The whole of a text file.
    pub(crate) fn read_text(&self, path: &str) -> io::Result<String> {
        Ok(String::from_utf8_lossy(&self.read(path)?).into_owned())
    }

    /// Writes a file with a mode, making its folders.
    pub(crate) fn write(&self, path: &str, bytes: &[u8], mode: u32) -> io::Result<()> {
        if let Some((folder, _)) = path.rsplit_once('/') {
            self.make_folders(folder, 0o755)?;
        }
        self.place(path, Last::Follow)?.fill(bytes, mode)
    }

    /// Makes a folder and those above it; the mode is that of the last one.
    pub(crate) fn make_folders(&self, path: &str, mode: u32) -> io::Result<()> {
        let mut so_far = String::new();
        let names: Vec<&str> = path.split('/').filter(|name| !name.is_empty()).collect();
        for (index, name) in names.iter().enumerate() {
            if index > 0 || path.starts_with('/') {
                so_far.push('/');
            }
            so_far.push_str(name);
            let place = self.place(&so_far, Last::Follow)?;
            let is_last = index + 1 == names.len();
            match place.make_folder(if is_last { mode } else { 0o755 }) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && place.is_directory() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// The names in a folder, sorted.
    pub(crate) fn list(place: &Place) -> io::Result<Vec<String>> {
        let folder = place.open(OFlags::RDONLY | OFlags::DIRECTORY, 0)?;
        let mut names = Vec::new();
        for entry in rustix::fs::Dir::read_from(&folder)? {
            let name = String::from_utf8_lossy(entry?.file_name().to_bytes()).into_owned();
            if name != "." && name != ".." {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    }

    /// Removes a file, or a folder with all it holds.
    pub(crate) fn remove_all(place: &Place) -> io::Result<()> {
        if place.path == Path::new("/") {
            return Err(Errno::BUSY.into());
        }
        remove_entry(place.directory.as_fd(), &place.name)
    }
}

fn remove_entry(directory: BorrowedFd<'_>, name: &OsStr) -> io::Result<()> {
    let stat = rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW)?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::Directory {
        return Ok(rustix::fs::unlinkat(directory, name, AtFlags::empty())?);
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let folder = rustix::fs::openat(directory, name, flags, Mode::empty())?;
    for entry in rustix::fs::Dir::read_from(&folder)? {
        let entry = entry?;
        let name = OsStr::from_bytes(entry.file_name().to_bytes());
        if name != "." && name != ".." {
            remove_entry(folder.as_fd(), name)?;
        }
    }
    Ok(rustix::fs::unlinkat(directory, name, AtFlags::REMOVEDIR)?)
}

/// One look-up under way.
struct Walk<'a> {
    root: &'a Root,
    last: Last,
    /// Directories we are in, from the root down.
    inside: Vec<(Arc<OwnedFd>, OsString)>,
    ahead: VecDeque<OsString>,
    links: usize,
    /// The path ended in a slash, so its last component must be a directory and links are followed.
    wants_directory: bool,
}

impl<'a> Walk<'a> {
    fn new(root: &'a Root, path: &str, last: Last) -> Self {
        let mut walk = Self {
            root,
            last,
            inside: Vec::new(),
            ahead: VecDeque::new(),
            links: 0,
            wants_directory: path.ends_with('/'),
        };
        walk.put_ahead(OsStr::new(path));
        if !path.starts_with('/') {
            walk.put_ahead(OsStr::new(HOME));
        }
        walk
    }

    fn put_ahead(&mut self, path: &OsStr) {
        for component in path.as_bytes().split(|byte| *byte == b'/').rev() {
            if !component.is_empty() && component != b"." {
                self.ahead.push_front(OsStr::from_bytes(component).to_owned());
            }
        }
    }

    fn here(&self) -> Arc<OwnedFd> {
        self.inside.last().map_or_else(|| Arc::clone(&self.root.descriptor), |(here, _)| Arc::clone(here))
    }

    fn arrived(&self, name: OsString) -> Place {
        let mut path = PathBuf::from("/");
        path.extend(self.inside.iter().map(|(_, name)| name));
        if name != "." {
            path.push(&name);
        }
        Place { directory: self.here(), name, path, is_full: Arc::clone(&self.root.is_full) }
    }

    fn run(mut self) -> io::Result<Place> {
        while let Some(name) = self.ahead.pop_front() {
            if name == ".." {
                self.inside.pop();
                continue;
            }
            let is_last = self.ahead.is_empty();
            if is_last && self.last == Last::Keep && !self.wants_directory {
                return Ok(self.arrived(name));
            }
            let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            match rustix::fs::openat(self.here(), &name, flags, Mode::empty()) {
                Ok(descriptor) => {
                    if let Some(place) = self.step(name, descriptor, is_last)? {
                        return Ok(place);
                    }
                }
                Err(Errno::NOENT) if is_last => return Ok(self.arrived(name)),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(self.arrived(OsString::from(".")))
    }

    /// Goes into what was found; a place when it is the end of the way.
    fn step(&mut self, name: OsString, found: OwnedFd, is_last: bool) -> io::Result<Option<Place>> {
        match FileType::from_raw_mode(rustix::fs::fstat(&found)?.st_mode) {
            FileType::Symlink => {
                self.links += 1;
                if self.links > MOST_LINKS {
                    return Err(Errno::LOOP.into());
                }
                let target = rustix::fs::readlinkat(&found, "", Vec::new())?;
                if target.as_bytes().starts_with(b"/") {
                    self.inside.clear();
                }
                self.put_ahead(&OsString::from_vec(target.into_bytes()));
                Ok(None)
            }
            FileType::Directory if !is_last => {
                self.inside.push((Arc::new(found), name));
                Ok(None)
            }
            FileType::Directory => Ok(Some(self.arrived(name))),
            FileType::RegularFile
            | FileType::Fifo
            | FileType::Socket
            | FileType::CharacterDevice
            | FileType::BlockDevice
            | FileType::Unknown
                if is_last && !self.wants_directory =>
            {
                Ok(Some(self.arrived(name)))
            }
            FileType::RegularFile
            | FileType::Fifo
            | FileType::Socket
            | FileType::CharacterDevice
            | FileType::BlockDevice
            | FileType::Unknown => Err(Errno::NOTDIR.into()),
        }
    }
}

impl Place {
    /// Absolute inside the root, without links and dots.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether something more fits here: what is in memory does on a full disk, too.
    fn has_room(&self) -> io::Result<()> {
        if self.is_full.load(Ordering::Relaxed) && !self.path.starts_with("/run") {
            return Err(Errno::NOSPC.into());
        }
        Ok(())
    }

    /// Attributes, of a link itself when the place is one.
    pub(crate) fn stat(&self) -> io::Result<Stat> {
        Ok(rustix::fs::statat(&self.directory, &self.name, AtFlags::SYMLINK_NOFOLLOW)?)
    }

    pub(crate) fn is_directory(&self) -> bool {
        self.stat().is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Directory)
    }

    /// Opens the file; never through a link, and never waiting for a peer.
    pub(crate) fn open(&self, flags: OFlags, mode: u32) -> io::Result<File> {
        if flags.intersects(OFlags::WRONLY | OFlags::RDWR | OFlags::CREATE) {
            self.has_room()?;
        }
        let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let descriptor = rustix::fs::openat(&self.directory, &self.name, flags, Mode::from_raw_mode(mode))?;
        Ok(File::from(descriptor))
    }

    /// Writes the whole file; its folder has to be there.
    pub(crate) fn fill(&self, bytes: &[u8], mode: u32) -> io::Result<()> {
        self.open(OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC, mode)?.write_all(bytes)?;
        self.set_mode(mode)
    }

    pub(crate) fn make_folder(&self, mode: u32) -> io::Result<()> {
        if self.stat().is_err() {
            self.has_room()?;
        }
        rustix::fs::mkdirat(&self.directory, &self.name, Mode::from_raw_mode(mode))?;
        self.set_mode(mode)
    }

    /// Sets the permission bits, whatever the umask is.
    pub(crate) fn set_mode(&self, mode: u32) -> io::Result<()> {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let descriptor = rustix::fs::openat(&self.directory, &self.name, flags, Mode::empty())?;
        set_mode_of(descriptor.as_fd(), mode)
    }

    pub(crate) fn remove_file(&self) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(&self.directory, &self.name, AtFlags::empty())?)
    }

    pub(crate) fn remove_folder(&self) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(&self.directory, &self.name, AtFlags::REMOVEDIR)?)
    }

    /// Moves it, replacing what is there.
    pub(crate) fn rename(&self, to: &Place) -> io::Result<()> {
        Ok(rustix::fs::renameat(&self.directory, &self.name, &to.directory, &to.name)?)
    }

    /// Moves it to a name that is free.
    pub(crate) fn rename_new(&self, to: &Place) -> io::Result<()> {
        let flags = RenameFlags::NOREPLACE;
        Ok(rustix::fs::renameat_with(&self.directory, &self.name, &to.directory, &to.name, flags)?)
    }

    /// Makes a link here; its text is kept as it is and judged when it is followed.
    pub(crate) fn link_to(&self, target: &str) -> io::Result<()> {
        self.has_room()?;
        Ok(rustix::fs::symlinkat(target, &self.directory, &self.name)?)
    }

    /// The text of the link here.
    pub(crate) fn link_target(&self) -> io::Result<String> {
        let target = rustix::fs::readlinkat(&self.directory, &self.name, Vec::new())?;
        Ok(String::from_utf8_lossy(target.to_bytes()).into_owned())
    }
}

/// Sets the permission bits of an open file, also of one opened only as a path.
fn set_mode_of(descriptor: BorrowedFd<'_>, mode: u32) -> io::Result<()> {
    if FileType::from_raw_mode(rustix::fs::fstat(descriptor)?.st_mode) == FileType::Symlink {
        return Err(Errno::LOOP.into());
    }
    // The kernel's own link names the inode itself, so nothing is looked up by name here.
    let path = format!("/proc/self/fd/{}", descriptor.as_raw_fd());
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode & 0o7777))
}

#[cfg(test)]
mod tests;
