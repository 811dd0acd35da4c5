//! The way into a machine: a process that mounts its root, furnishes it, and becomes `systemd-nspawn`.
//!
//! The cloud writes a [`Plan`] into the machine's folder and starts `unshare ... -- mock-cloud boot FOLDER` under the
//! supervisor. So this process is the first of a tree of its own: the kernel ends all of the machine with it, however
//! it ends. Its mounts are seen by nobody else and end with it too.

use std::ffi::{CStr, CString};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use rustix::io::FdFlags;
use rustix::mount::{MountFlags, mount};
use serde::{Deserialize, Serialize};

use crate::plane::guest::disk;
use crate::plane::guest::furnish::{Furniture, furnish};
use crate::plane::guest::limits;
use crate::plane::host::root::Root;

/// Exit status when the machine cannot even be started.
const NOT_STARTED: u8 = 203;
/// Where `systemd-nspawn` takes notes.
const NOTES: &str = "/run/systemd/nspawn";
/// Where its disk is mounted; without a disk, the folder of its files.
const MOUNTED_DISK: &str = "files";
const PLAN: &str = "machine.json";
/// Says that the root has all that a new machine gets.
const FURNISHED: &str = "furnished";
/// Open files of a process, as `systemd` itself allows.
const OPEN_FILES: &str = "--rlimit=NOFILE=1024:524288";

/// How a machine is started.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Plan {
    /// Root of the image, which is never written to.
    pub(crate) image: PathBuf,
    /// What `machinectl` would call it; unique on the outer machine.
    pub(crate) name: String,
    /// Its network.
    pub(crate) network: PathBuf,
    /// Control groups to be born in.
    pub(crate) groups: Vec<PathBuf>,
    /// What it gets at its first boot.
    pub(crate) furniture: Furniture,
}

impl Plan {
    /// Writes it, and makes the folders of the root.
    pub(crate) fn write(&self, folder: &Path) -> io::Result<()> {
        for name in [MOUNTED_DISK, "root"] {
            fs::create_dir_all(folder.join(name))?;
        }
        let text = serde_json::to_vec(self)?;
        // User data may hold a secret.
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        options.open(folder.join(PLAN))?.write_all(&text)
    }

    fn read(folder: &Path) -> io::Result<Self> {
        Ok(serde_json::from_slice(&fs::read(folder.join(PLAN))?)?)
    }

    fn arguments(&self, root: &Path, network: &OwnedFd) -> Vec<String> {
        let mut arguments: Vec<String> = [
            "--quiet",
            "--boot",
            "--keep-unit",
            "--register=no",
            "--settings=no",
            "--link-journal=no",
            "--resolv-conf=off",
            "--timezone=off",
            "--console=read-only",
            "--notify-ready=yes",
            // A machine lives for minutes; that its files survive a power cut is worth no second of them.
            "--suppress-sync=yes",
            OPEN_FILES,
        ]
        .map(str::to_owned)
        .to_vec();
        arguments.extend([
            format!("--directory={}", root.display()),
            format!("--machine={}", self.name),
            format!("--uuid={}", self.furniture.machine_id),
            format!("--network-namespace-path=/proc/self/fd/{}", network.as_raw_fd()),
        ]);
        arguments
    }
}

/// Runs `boot FOLDER`; returns only when the machine could not be started.
pub(crate) fn main(folder: &Path) -> ExitCode {
    let Err(error) = become_machine(folder);
    drop(writeln!(
        io::stderr(),
        "mock-cloud: the machine of {} cannot be started: {error}",
        folder.display()
    ));
    ExitCode::from(NOT_STARTED)
}

fn become_machine(folder: &Path) -> io::Result<std::convert::Infallible> {
    let plan = Plan::read(folder)?;
    for group in &plan.groups {
        limits::enter(group)?;
    }
    let network = open_network(&plan.network)?;
    // From here on processes have other numbers, which is what `/proc` has to show.
    mount(
        "proc",
        "/proc",
        "proc",
        MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC,
        None::<&CStr>,
    )?;
    hide_notes()?;
    mount_root(folder, &plan.image)?;
    let root = folder.join("root");
    if !folder.join(FURNISHED).exists() {
        furnish(&Root::open(root.clone())?, &plan.furniture)?;
        File::create(folder.join(FURNISHED))?;
    }
    Err(Command::new("systemd-nspawn").args(plan.arguments(&root, &network)).exec())
}

/// Opens the network of the machine, so that what this process becomes has it open too.
fn open_network(path: &Path) -> io::Result<OwnedFd> {
    let network = OwnedFd::from(File::open(path)?);
    rustix::io::fcntl_setfd(&network, FdFlags::empty())?;
    Ok(network)
}

/// Lets what `systemd-nspawn` notes of each machine, and never removes, end with the machine.
fn hide_notes() -> io::Result<()> {
    fs::create_dir_all(NOTES)?;
    Ok(mount("tmpfs", NOTES, "tmpfs", MountFlags::NOSUID | MountFlags::NODEV, None::<&CStr>)?)
}

/// The image below, the machine's own files above, on a disk of their own where there can be one.
fn mount_root(folder: &Path, image: &Path) -> io::Result<()> {
    // Relative, so that no folder's name is taken for an option of the mount.
    std::env::set_current_dir(folder)?;
    let image = image.to_str().filter(|path| !path.contains([',', ':', '\\']));
    let image =
        image.ok_or_else(|| io::Error::other("the path of the image has a comma, colon or backslash"))?;
    disk::mount(folder, MOUNTED_DISK, !folder.join(FURNISHED).exists())?;
    for name in ["upper", "work"] {
        fs::create_dir_all(Path::new(MOUNTED_DISK).join(name))?;
    }
    let options =
        CString::new(format!("lowerdir={image},upperdir={MOUNTED_DISK}/upper,workdir={MOUNTED_DISK}/work"))?;
    mount("overlay", "root", "overlay", MountFlags::empty(), Some(options.as_c_str())).map_err(|error| {
        let reason = io::Error::from(error);
        io::Error::new(
            reason.kind(),
            format!(
                "its root cannot be laid over the image (is the data folder itself an overlay?): {reason}"
            ),
        )
    })
}
