//! The disk of a machine: a file with a file system of its own, so that it can really be full.
//!
//! Where there are no loop devices, a machine's files are in a plain folder, which cannot be filled: it would be the
//! disk of the outer machine.

use std::fs::File;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::plane::guest::errand;

/// The file, in the folder of the machine; it is there when it is in use.
const FILE: &str = "disk";
/// Bytes it pretends to have; it takes as many as are written.
const SIZE: u64 = 20 << 30;
/// Takes all the room there is: nearly all of it at once, which writes nothing, then the rest byte by byte.
const FILL: &str = "set -e; room=$(df --output=avail -B1 / | tail -n 1)\n\
                    if [ \"$room\" -gt 67108864 ]; then fallocate -l $((room - 67108864)) /.full; fi\n\
                    for size in 64k 512; do dd if=/dev/zero of=/.full bs=$size oflag=append conv=notrunc || :; done\n\
                    sync /.full; test -s /.full";
const EMPTY: &str = "rm -f /.full";

/// Mounts the disk of a machine at `place`, making it when the machine is new. A machine that never had one has none.
///
/// # Errors
/// It has one that cannot be mounted.
pub(crate) fn mount(folder: &Path, place: &str, is_new: bool) -> io::Result<()> {
    let file = folder.join(FILE);
    let mount = || run("mount", &["-o", "loop", FILE, place], folder);
    if !is_new {
        return if file.exists() { mount() } else { Ok(()) };
    }
    if make(&file).and_then(|()| mount()).is_err() {
        drop(std::fs::remove_file(&file));
    }
    Ok(())
}

fn make(file: &Path) -> io::Result<()> {
    File::create(file)?.set_len(SIZE)?;
    let path = file.display().to_string();
    // No journal: a machine lives for minutes. No room kept for root: full is full for everybody.
    let arguments =
        ["-q", "-F", "-m", "0", "-O", "^has_journal", "-E", "lazy_itable_init=1,nodiscard", path.as_str()];
    run("mkfs.ext4", &arguments, Path::new("/"))
}

fn run(program: &str, arguments: &[&str], folder: &Path) -> io::Result<()> {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    if command.status()?.success() { Ok(()) } else { Err(io::Error::other(format!("{program} failed"))) }
}

/// Fills the disk of a machine that runs, to the last byte.
pub(crate) async fn fill(leader: u32, folder: &Path) -> io::Result<()> {
    if !folder.join(FILE).exists() {
        return Err(io::Error::other("the machine has no disk of its own"));
    }
    errand::perform(leader, &["sh", "-c", FILL]).await
}

/// Gives the room back.
pub(crate) async fn empty(leader: u32) -> io::Result<()> {
    errand::perform(leader, &["sh", "-c", EMPTY]).await
}

/// Why machines of this computer have no disks of their own; nothing when they have.
pub(crate) fn cannot_be_full() -> Option<String> {
    let has_maker =
        super::command::SEARCH_PATH.split(':').any(|folder| Path::new(folder).join("mkfs.ext4").is_file());
    if !has_maker {
        return Some(
            "mkfs.ext4 is not installed: `apt-get install --no-install-recommends e2fsprogs`".to_owned(),
        );
    }
    let has_loops = Path::new("/dev/loop-control").exists();
    (!has_loops).then(|| "this machine has no loop devices (/dev/loop-control)".to_owned())
}
