//! What machines there are beside the process of the cloud: one file a region, below `/run`, which a reboot empties.
//!
//! 1. A region begins one that names it by process and start time, and keeps it true as machines boot and end.
//! 2. [`clean`] takes those whose region is dead: what still runs of its machines is killed, the folder of the machines
//!    and their control groups are removed, the file last, so that a clean that was interrupted is done again.
//!
//! Processes are known by number and start time together, since numbers are used again.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use serde::{Deserialize, Serialize};

use crate::plane::guest::{limits, units};

/// Where records are.
const FOLDER: &str = "/run/mock-cloud";

/// A process, told apart from a later one with the same number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Process {
    pid: u32,
    /// Clock ticks after the boot of the outer machine.
    started: u64,
}

impl Process {
    fn look(pid: u32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let (_, fields) = stat.rsplit_once(')')?;
        let mut fields = fields.split_whitespace();
        let is_zombie = fields.next()? == "Z";
        let started = fields.nth(18)?.parse().ok()?;
        (!is_zombie).then_some(Self { pid, started })
    }

    fn is_alive(self) -> bool {
        Self::look(self.pid) == Some(self)
    }
}

/// A machine as far as others have to know it.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Guest {
    /// What ends with the machine; `None` when it ended before it was seen.
    process: Option<Process>,
    groups: Vec<PathBuf>,
}

/// What one region wrote down.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Content {
    owner: Process,
    /// Holds a folder a machine; nothing else is ever in it.
    folder: PathBuf,
    image: PathBuf,
    machines: BTreeMap<String, Guest>,
}

/// The record of a region, kept true by it.
#[derive(Debug)]
pub(crate) struct Record {
    file: PathBuf,
    content: Content,
}

impl Record {
    /// Begins the record of a region of this process.
    pub(super) fn begin(folder: &Path, image: &Path) -> io::Result<Self> {
        let owner = Process::look(std::process::id()).ok_or(io::ErrorKind::NotFound)?;
        let content =
            Content { owner, folder: folder.to_owned(), image: image.to_owned(), machines: BTreeMap::new() };
        let name = format!("{}-{:08x}.json", owner.pid, rand::random::<u32>());
        let record = Self { file: Path::new(FOLDER).join(name), content };
        record.write()?;
        Ok(record)
    }

    pub(super) fn add(&mut self, machine: &str, pid: u32, groups: &[PathBuf]) {
        let guest = Guest { process: Process::look(pid), groups: groups.to_vec() };
        self.content.machines.insert(machine.to_owned(), guest);
        self.keep();
    }

    pub(super) fn remove(&mut self, machine: &str) {
        self.content.machines.remove(machine);
        self.keep();
    }

    /// The region is over, and nothing is left of it.
    pub(super) fn end(&mut self) {
        let _ = fs::remove_file(&self.file);
    }

    fn keep(&self) {
        if let Err(error) = self.write() {
            tracing::warn!(file = %self.file.display(), %error, "what machines there are cannot be written down");
        }
    }

    /// Replaces the file as a whole, so that nobody reads half of one.
    fn write(&self) -> io::Result<()> {
        let folder = self.file.parent().unwrap_or(Path::new("/"));
        fs::create_dir_all(folder)?;
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(&serde_json::to_vec(&self.content)?)?;
        file.persist(&self.file).map_err(|error| error.error)?;
        Ok(())
    }
}

/// The records in a folder that can be read, with their files.
fn all(folder: &Path) -> Vec<(PathBuf, Content)> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let files =
        entries.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|end| end == "json"));
    let mut records: Vec<(PathBuf, Content)> = files
        .filter_map(|file| {
            let content = serde_json::from_slice(&fs::read(&file).ok()?).ok()?;
            Some((file, content))
        })
        .collect();
    records.sort_by(|one, other| one.0.cmp(&other.0));
    records
}

/// The process of a living region that uses this image.
pub(crate) fn user_of(image: &Path) -> Option<u32> {
    let records = all(Path::new(FOLDER));
    let users = records.into_iter().filter(|(_, content)| content.image == image && content.owner.is_alive());
    users.map(|(_, content)| content.owner.pid).next()
}

/// What was removed of one dead region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cleaned {
    /// The process it was.
    pub(crate) owner: u32,
    /// Machines that still ran.
    pub(crate) ended: usize,
    /// Where the machines had been.
    pub(crate) folder: PathBuf,
}

impl std::fmt::Display for Cleaned {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { owner, ended, folder } = self;
        write!(formatter, "the cloud of process {owner} is dead: removed {}", folder.display())?;
        match ended {
            0 => Ok(()),
            1 => formatter.write_str(", ended 1 machine"),
            _ => write!(formatter, ", ended {ended} machines"),
        }
    }
}

/// Removes what dead regions left, and nothing else.
///
/// # Errors
/// Something of a dead region cannot be removed.
pub(crate) fn clean() -> io::Result<Vec<Cleaned>> {
    clean_in(Path::new(FOLDER))
}

fn clean_in(folder: &Path) -> io::Result<Vec<Cleaned>> {
    let mut cleaned = Vec::new();
    let (living, dead): (Vec<_>, Vec<_>) = all(folder).into_iter().partition(|(_, own)| own.owner.is_alive());
    for (file, content) in dead {
        let mut ended = 0;
        for guest in content.machines.values() {
            ended += usize::from(end(guest));
            limits::remove_all(&guest.groups)?;
        }
        // A region that was started anew with the same data folder has its machines in the same place.
        let is_taken_over = living.iter().any(|(_, other)| other.folder == content.folder);
        match if is_taken_over { Ok(()) } else { fs::remove_dir_all(&content.folder) } {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        fs::remove_file(file)?;
        cleaned.push(Cleaned { owner: content.owner.pid, ended, folder: content.folder });
    }
    Ok(cleaned)
}

/// Kills what still runs of a machine; whether anything did.
fn end(guest: &Guest) -> bool {
    let mut has_run = false;
    if let Some(process) = guest.process.filter(|process| process.is_alive())
        && let Some(pid) = i32::try_from(process.pid).ok().and_then(Pid::from_raw)
    {
        has_run = kill_process_group(pid, Signal::KILL).is_ok();
    }
    // Its own groups hold nothing but the machine.
    for pid in guest.groups.iter().flat_map(|group| units::processes(group)) {
        if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
            has_run |= kill_process(pid, Signal::KILL).is_ok();
        }
    }
    has_run
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(folder: &Path, owner: Process, machines: &Path) -> PathBuf {
        let content = Content {
            owner,
            folder: machines.to_owned(),
            image: PathBuf::from("/none"),
            machines: BTreeMap::from([("i-1".to_owned(), Guest { process: None, groups: Vec::new() })]),
        };
        let record = Record { file: folder.join(format!("{}-1.json", owner.started)), content };
        record.write().unwrap();
        record.file
    }

    #[test]
    fn only_what_a_dead_region_left_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let records = folder.path().join("records");
        let (dead, alive) = (folder.path().join("dead"), folder.path().join("alive"));
        for machines in [&dead, &alive] {
            fs::create_dir_all(machines.join("i-1/upper")).unwrap();
        }
        let own = Process::look(std::process::id()).unwrap();
        // The same number at another time is another process.
        let before = Process { started: own.started - 1, ..own };
        let (gone, kept) = (record(&records, before, &dead), record(&records, own, &alive));
        let cleaned = clean_in(&records).unwrap();
        assert_eq!(cleaned, [Cleaned { owner: own.pid, ended: 0, folder: dead.clone() }]);
        assert!(!dead.exists() && !gone.exists());
        assert!(alive.join("i-1/upper").exists() && kept.exists());
        assert_eq!(clean_in(&records).unwrap(), [], "a second time there is nothing to do");
    }

    #[test]
    fn a_file_that_is_no_record_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        fs::copy(std::env::current_exe().unwrap(), folder.path().join("other.json")).unwrap();
        assert_eq!(clean_in(folder.path()).unwrap(), []);
        assert!(folder.path().join("other.json").exists());
    }
}
