//! SFTP version 3 over a host's root, with the semantics of OpenSSH's server.
//!
//! `rename` does not replace, `posix-rename@openssh.com` does; the arguments of `symlink` come in OpenSSH's order.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use russh_sftp::protocol::{
    Attrs, Data, File as Listed, FileAttributes, Handle, Name, OpenFlags, Packet, Status, StatusCode, Version,
};
use russh_sftp::server::{Handler, StatusReply};
use rustix::fs::{FileType, OFlags, Stat};
use rustix::io::Errno;
use tokio_util::sync::CancellationToken;

use crate::gates::{self, Passage, Verdict};
use crate::plane::host::machine::Machine;
use crate::plane::host::outcome::sentence;
use crate::plane::host::root::{Last, Place, Root};

/// Open files and folders a client may have.
const MOST_HANDLES: usize = 1024;
/// Bytes of one read.
const MOST_READ: u32 = 256 * 1024;
/// Names in one answer.
const NAMES_AT_ONCE: usize = 100;

enum Open {
    File {
        file: File,
        appends: bool,
        /// Of a file that is written.
        passage: Option<Passage>,
    },
    Folder {
        place: Place,
        names: Vec<String>,
    },
}

/// The files of a host, for one client.
pub(crate) struct Files {
    machine: Arc<Machine>,
    /// Home of who is not root, and may write nowhere else.
    home: Option<String>,
    open: BTreeMap<String, Open>,
    next: u64,
    /// Cancelled when the client is gone; cancelling it cuts the connection.
    cut: CancellationToken,
    /// Cancelled when the host is switched off.
    off: CancellationToken,
}

impl Files {
    pub(crate) fn new(
        machine: Arc<Machine>,
        home: Option<String>,
        cut: CancellationToken,
        off: CancellationToken,
    ) -> Self {
        Self { machine, home, open: BTreeMap::new(), next: 0, cut, off }
    }

    /// Whether a place may be changed.
    fn may_write(&self, place: &Place) -> Result<(), StatusReply> {
        match &self.home {
            Some(home) if !place.path().starts_with(home) && !place.path().starts_with("/tmp") => {
                Err(StatusCode::PermissionDenied.with_message("Permission denied"))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// A place that is to be changed.
    fn writable(&self, path: &str, last: Last) -> Result<Place, StatusReply> {
        let place = self.place(path, last)?;
        self.may_write(&place)?;
        Ok(place)
    }

    /// Takes an upload to where it may begin.
    async fn begin(&self, what: &str) -> Result<Passage, StatusReply> {
        let name = format!("{} {what}", self.machine.host_name());
        let mut passage = self.machine.gates.arrive(gates::Kind::Upload, &name);
        match self.off.run_until_cancelled(passage.begin(&self.cut)).await {
            Some(Verdict::Go) => Ok(passage),
            Some(Verdict::Drop) | None => Err(self.lose()),
        }
    }

    /// Lets an upload that is done be answered.
    async fn end(&self, passage: &mut Passage) -> Result<(), StatusReply> {
        match self.off.run_until_cancelled(passage.end(&self.cut)).await {
            Some(Verdict::Go) => Ok(()),
            Some(Verdict::Drop) | None => Err(self.lose()),
        }
    }

    /// Cuts the connection, so that no answer arrives.
    fn lose(&self) -> StatusReply {
        self.cut.cancel();
        StatusCode::ConnectionLost.into()
    }

    async fn rename_as(
        &self,
        (from, to): (&str, &str),
        rename: fn(&Place, &Place) -> io::Result<()>,
    ) -> Result<(), StatusReply> {
        let mut passage = self.begin(&format!("rename {from} {to}")).await?;
        let renamed = rename(&self.writable(from, Last::Keep)?, &self.writable(to, Last::Keep)?);
        self.end(&mut passage).await?;
        renamed.map_err(|error| refusal(&error))
    }

    fn place(&self, path: &str, last: Last) -> Result<Place, StatusReply> {
        let path = match &self.home {
            Some(home) if !path.starts_with('/') => format!("{home}/{path}"),
            Some(_) | None => path.to_owned(),
        };
        self.machine.root.place(&path, last).map_err(|error| refusal(&error))
    }

    fn keep(&mut self, id: u32, open: Open) -> Result<Handle, StatusReply> {
        if self.open.len() >= MOST_HANDLES {
            return Err(StatusCode::Failure.with_message("Too many open files"));
        }
        self.next += 1;
        let handle = self.next.to_string();
        self.open.insert(handle.clone(), open);
        Ok(Handle { id, handle })
    }

    fn file(&self, handle: &str) -> Result<(&File, bool), StatusReply> {
        match self.open.get(handle) {
            Some(Open::File { file, appends, .. }) => Ok((file, *appends)),
            Some(Open::Folder { .. }) | None => Err(StatusCode::Failure.with_message("Bad handle")),
        }
    }
}

/// The answer for an error of the operating system.
#[expect(clippy::wildcard_enum_match_arm, reason = "the protocol has a code for few of the many kinds")]
fn refusal(error: &io::Error) -> StatusReply {
    let code = match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => StatusCode::NoSuchFile,
        io::ErrorKind::PermissionDenied => StatusCode::PermissionDenied,
        io::ErrorKind::UnexpectedEof => StatusCode::Eof,
        _ => StatusCode::Failure,
    };
    code.with_message(sentence(error))
}

fn done(id: u32, result: io::Result<()>) -> Result<Status, StatusReply> {
    result.map_err(|error| refusal(&error))?;
    Ok(Status {
        id,
        status_code: StatusCode::Ok,
        error_message: "Success".to_owned(),
        language_tag: String::new(),
    })
}

fn seconds(value: i64) -> u32 {
    u32::try_from(value).unwrap_or(0)
}

/// Attributes of a path; everything belongs to root, the only user who logs in.
fn attributes(stat: &Stat) -> FileAttributes {
    FileAttributes {
        size: u64::try_from(stat.st_size).ok(),
        uid: Some(0),
        gid: Some(0),
        permissions: Some(stat.st_mode),
        atime: Some(seconds(stat.st_atime)),
        mtime: Some(seconds(stat.st_mtime)),
        ..FileAttributes::default()
    }
}

fn open_flags(flags: OpenFlags) -> OFlags {
    let mut opened = match (flags.contains(OpenFlags::READ), flags.contains(OpenFlags::WRITE)) {
        (true, true) => OFlags::RDWR,
        (false, true) => OFlags::WRONLY,
        (_, false) => OFlags::RDONLY,
    };
    for (flag, meaning) in [
        (OpenFlags::CREATE, OFlags::CREATE),
        (OpenFlags::TRUNCATE, OFlags::TRUNC),
        (OpenFlags::EXCLUDE, OFlags::EXCL),
        (OpenFlags::APPEND, OFlags::APPEND),
    ] {
        if flags.contains(flag) {
            opened |= meaning;
        }
    }
    opened
}

/// Sets what is given; owners have no effect.
fn set_attributes(place: &Place, attributes: &FileAttributes) -> io::Result<()> {
    if let Some(size) = attributes.size {
        place.open(OFlags::WRONLY, 0)?.set_len(size)?;
    }
    if let Some(mode) = attributes.permissions {
        place.set_mode(mode & 0o7777)?;
    }
    if let (Some(accessed), Some(modified)) = (attributes.atime, attributes.mtime) {
        set_times(&place.open(OFlags::RDONLY, 0)?, accessed, modified)?;
    }
    Ok(())
}

fn set_times(file: &File, accessed: u32, modified: u32) -> io::Result<()> {
    let at = |seconds: u32| UNIX_EPOCH + Duration::from_secs(u64::from(seconds));
    file.set_times(std::fs::FileTimes::new().set_accessed(at(accessed)).set_modified(at(modified)))
}

/// Strings of an extension: each a length and its bytes.
fn strings(mut data: &[u8]) -> Option<Vec<String>> {
    let mut found = Vec::new();
    while !data.is_empty() {
        let (length, rest) = data.split_first_chunk::<4>()?;
        let (string, rest) = rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
        found.push(String::from_utf8(string.to_vec()).ok()?);
        data = rest;
    }
    Some(found)
}

impl Handler for Files {
    type Error = StatusReply;

    fn unimplemented(&self) -> Self::Error {
        StatusCode::OpUnsupported.into()
    }

    async fn init(
        &mut self,
        _version: u32,
        _extensions: HashMap<String, String>,
    ) -> Result<Version, Self::Error> {
        let mut version = Version::new();
        for extension in ["posix-rename@openssh.com", "fsync@openssh.com"] {
            version.extensions.insert(extension.to_owned(), "1".to_owned());
        }
        Ok(version)
    }

    async fn open(
        &mut self,
        id: u32,
        filename: String,
        pflags: OpenFlags,
        attrs: FileAttributes,
    ) -> Result<Handle, Self::Error> {
        let passage =
            if pflags.contains(OpenFlags::WRITE) { Some(self.begin(&filename).await?) } else { None };
        // An exclusive creation does not follow a link, as the kernel has it.
        let last = if pflags.contains(OpenFlags::EXCLUDE) { Last::Keep } else { Last::Follow };
        let place = self.place(&filename, last)?;
        if place.is_directory() {
            return Err(StatusCode::Failure.with_message("Is a directory"));
        }
        if pflags.contains(OpenFlags::WRITE) {
            self.may_write(&place)?;
        } else if self.home.is_some() && place.stat().is_ok_and(|stat| stat.st_mode & 0o004 == 0) {
            return Err(StatusCode::PermissionDenied.with_message("Permission denied"));
        }
        let is_new = place.stat().is_err();
        let mode = attrs.permissions.unwrap_or(0o666) & 0o7777;
        let file = place.open(open_flags(pflags), mode & !0o022).map_err(|error| refusal(&error))?;
        if is_new && let Some(mode) = attrs.permissions {
            place.set_mode(mode & 0o7777 & !0o022).map_err(|error| refusal(&error))?;
        }
        self.keep(id, Open::File { file, appends: pflags.contains(OpenFlags::APPEND), passage })
    }

    async fn close(&mut self, id: u32, handle: String) -> Result<Status, Self::Error> {
        match self.open.remove(&handle) {
            Some(Open::File { file, passage, .. }) => {
                drop(file);
                if let Some(mut passage) = passage {
                    self.end(&mut passage).await?;
                }
                done(id, Ok(()))
            }
            Some(Open::Folder { .. }) => done(id, Ok(())),
            None => Err(StatusCode::Failure.with_message("Bad handle")),
        }
    }

    async fn read(&mut self, id: u32, handle: String, offset: u64, len: u32) -> Result<Data, Self::Error> {
        let (file, _) = self.file(&handle)?;
        let mut data = vec![0; usize::try_from(len.min(MOST_READ)).unwrap_or(0)];
        let length = file.read_at(&mut data, offset).map_err(|error| refusal(&error))?;
        if length == 0 {
            return Err(StatusCode::Eof.into());
        }
        data.truncate(length);
        Ok(Data { id, data })
    }

    async fn write(
        &mut self,
        id: u32,
        handle: String,
        offset: u64,
        data: Vec<u8>,
    ) -> Result<Status, Self::Error> {
        let (mut file, appends) = self.file(&handle)?;
        if self.machine.root.is_full() {
            return done(id, Err(Errno::NOSPC.into()));
        }
        let written =
            if appends { io::Write::write_all(&mut file, &data) } else { file.write_all_at(&data, offset) };
        if let (Ok(()), Some(Open::File { passage: Some(passage), .. })) = (&written, self.open.get(&handle))
        {
            passage.wrote(data.len());
        }
        done(id, written)
    }

    async fn lstat(&mut self, id: u32, path: String) -> Result<Attrs, Self::Error> {
        let stat = self.place(&path, Last::Keep)?.stat().map_err(|error| refusal(&error))?;
        Ok(Attrs { id, attrs: attributes(&stat) })
    }

    async fn stat(&mut self, id: u32, path: String) -> Result<Attrs, Self::Error> {
        let stat = self.place(&path, Last::Follow)?.stat().map_err(|error| refusal(&error))?;
        Ok(Attrs { id, attrs: attributes(&stat) })
    }

    async fn fstat(&mut self, id: u32, handle: String) -> Result<Attrs, Self::Error> {
        let (file, _) = self.file(&handle)?;
        let metadata = file.metadata().map_err(|error| refusal(&error))?;
        let attrs = FileAttributes {
            size: Some(metadata.len()),
            uid: Some(0),
            gid: Some(0),
            permissions: Some(metadata.mode()),
            atime: Some(seconds(metadata.atime())),
            mtime: Some(seconds(metadata.mtime())),
            ..FileAttributes::default()
        };
        Ok(Attrs { id, attrs })
    }

    async fn setstat(&mut self, id: u32, path: String, attrs: FileAttributes) -> Result<Status, Self::Error> {
        let place = self.writable(&path, Last::Follow)?;
        done(id, set_attributes(&place, &attrs))
    }

    async fn fsetstat(
        &mut self,
        id: u32,
        handle: String,
        attrs: FileAttributes,
    ) -> Result<Status, Self::Error> {
        use std::os::unix::fs::PermissionsExt;
        let (file, _) = self.file(&handle)?;
        let set = || {
            if let Some(size) = attrs.size {
                file.set_len(size)?;
            }
            if let Some(mode) = attrs.permissions {
                file.set_permissions(std::fs::Permissions::from_mode(mode & 0o7777))?;
            }
            match (attrs.atime, attrs.mtime) {
                (Some(accessed), Some(modified)) => set_times(file, accessed, modified),
                (_, None) | (None, _) => Ok(()),
            }
        };
        done(id, set())
    }

    async fn opendir(&mut self, id: u32, path: String) -> Result<Handle, Self::Error> {
        let place = self.place(&path, Last::Follow)?;
        place.stat().map_err(|error| refusal(&error))?;
        let mut names = Root::list(&place).map_err(|error| refusal(&error))?;
        names.extend([".".to_owned(), "..".to_owned()]);
        names.reverse();
        self.keep(id, Open::Folder { place, names })
    }

    async fn readdir(&mut self, id: u32, handle: String) -> Result<Name, Self::Error> {
        let Some(Open::Folder { place, names }) = self.open.get_mut(&handle) else {
            return Err(StatusCode::Failure.with_message("Bad handle"));
        };
        if names.is_empty() {
            return Err(StatusCode::Eof.into());
        }
        let rest = names.split_off(names.len().saturating_sub(NAMES_AT_ONCE));
        let folder = place.path().to_string_lossy().into_owned();
        let mut files = Vec::new();
        for name in rest.into_iter().rev() {
            let stat = self
                .machine
                .root
                .place(&format!("{folder}/{name}"), Last::Keep)
                .and_then(|place| place.stat());
            if let Ok(stat) = stat {
                files.push(Listed::new(name, attributes(&stat)));
            }
        }
        Ok(Name { id, files })
    }

    async fn remove(&mut self, id: u32, filename: String) -> Result<Status, Self::Error> {
        let place = self.writable(&filename, Last::Keep)?;
        if place.is_directory() {
            return Err(StatusCode::Failure.with_message("Is a directory"));
        }
        done(id, place.remove_file())
    }

    async fn mkdir(&mut self, id: u32, path: String, attrs: FileAttributes) -> Result<Status, Self::Error> {
        let place = self.writable(path.trim_end_matches('/'), Last::Keep)?;
        done(id, place.make_folder(attrs.permissions.unwrap_or(0o755) & 0o7777 & !0o022))
    }

    async fn rmdir(&mut self, id: u32, path: String) -> Result<Status, Self::Error> {
        let place = self.writable(path.trim_end_matches('/'), Last::Keep)?;
        done(id, place.remove_folder())
    }

    async fn realpath(&mut self, id: u32, path: String) -> Result<Name, Self::Error> {
        let place = self.place(&path, Last::Follow)?;
        Ok(Name { id, files: vec![Listed::dummy(place.path().to_string_lossy())] })
    }

    async fn rename(&mut self, id: u32, oldpath: String, newpath: String) -> Result<Status, Self::Error> {
        self.rename_as((&oldpath, &newpath), Place::rename_new).await?;
        done(id, Ok(()))
    }

    async fn readlink(&mut self, id: u32, path: String) -> Result<Name, Self::Error> {
        let place = self.place(&path, Last::Keep)?;
        let is_link =
            place.stat().is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Symlink);
        if !is_link && place.stat().is_ok() {
            return Err(StatusCode::Failure.with_message("Invalid argument"));
        }
        let target = place.link_target().map_err(|error| refusal(&error))?;
        Ok(Name { id, files: vec![Listed::dummy(target)] })
    }

    /// OpenSSH's clients and server have the two paths the other way round than the draft; so do we.
    async fn symlink(
        &mut self,
        id: u32,
        linkpath: String,
        targetpath: String,
    ) -> Result<Status, Self::Error> {
        let (target, link) = (linkpath, targetpath);
        let place = self.writable(&link, Last::Keep)?;
        done(id, place.link_to(&target))
    }

    async fn extended(&mut self, id: u32, request: String, data: Vec<u8>) -> Result<Packet, Self::Error> {
        let arguments = strings(&data).unwrap_or_default();
        match (request.as_str(), arguments.as_slice()) {
            ("posix-rename@openssh.com", [from, to]) => {
                self.rename_as((from, to), Place::rename).await?;
                done(id, Ok(())).map(Packet::Status)
            }
            ("fsync@openssh.com", [handle]) => {
                let (file, _) = self.file(handle)?;
                done(id, file.sync_all()).map(Packet::Status)
            }
            _ => Err(StatusCode::OpUnsupported.into()),
        }
    }
}
