//! What a machine may use: memory and processes, by control groups where there are any that can be written.
//!
//! Both versions are understood. Where there is none, as in a container without rights to them, machines run without
//! limits, and that is said once when the first of them boots.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Where control groups are mounted.
const MOUNTED: &str = "/sys/fs/cgroup";
/// The folder above all of ours.
const OWN: &str = "mock-cloud";
/// Processes and threads of a machine.
const MOST_PROCESSES: u32 = 4096;
/// What groups of the second version have to be told to hand down.
const CONTROLLERS: &str = "+memory +pids";
/// Trees of the first version in which `systemd` keeps its units: without a group of its own there, each machine would
/// take the units of the others for its own.
const SYSTEMD_TREES: &[&str] = &["systemd", "unified"];

/// The groups of a machine, made with their limits.
///
/// # Errors
/// There are none that can be written, with the reason.
pub(crate) fn make(machine: &str, memory: u64) -> io::Result<Vec<PathBuf>> {
    make_below(Path::new(MOUNTED), machine, memory)
}

fn make_below(mounted: &Path, machine: &str, memory: u64) -> io::Result<Vec<PathBuf>> {
    let processes = MOST_PROCESSES.to_string();
    let memory = memory.to_string();
    if mounted.join("cgroup.controllers").exists() {
        let own = mounted.join(OWN);
        fs::create_dir_all(&own)?;
        set(&mounted.join("cgroup.subtree_control"), CONTROLLERS)?;
        set(&own.join("cgroup.subtree_control"), CONTROLLERS)?;
        let group = own.join(machine);
        fs::create_dir_all(&group)?;
        set(&group.join("memory.max"), &memory)?;
        set(&group.join("pids.max"), &processes)?;
        return Ok(vec![group]);
    }
    let limits = [("memory", "memory.limit_in_bytes", memory), ("pids", "pids.max", processes)];
    let mut groups = Vec::new();
    for (controller, file, limit) in limits {
        let hierarchy = mounted.join(controller);
        if !hierarchy.is_dir() {
            return Err(io::Error::other(format!("there is no control group for {controller}")));
        }
        let group = hierarchy.join(OWN).join(machine);
        fs::create_dir_all(&group)?;
        set(&group.join(file), &limit)?;
        groups.push(group);
    }
    for tree in SYSTEMD_TREES.iter().map(|name| mounted.join(name)).filter(|tree| tree.is_dir()) {
        let group = tree.join(OWN).join(machine);
        fs::create_dir_all(&group)?;
        groups.push(group);
    }
    Ok(groups)
}

fn set(file: &Path, value: &str) -> io::Result<()> {
    let written =
        File::options().write(true).open(file).and_then(|mut file| file.write_all(value.as_bytes()));
    written
        .map_err(|error| io::Error::new(error.kind(), format!("{} cannot be set: {error}", file.display())))
}

/// Moves this process into a group; what it starts is born there.
pub(crate) fn enter(group: &Path) -> io::Result<()> {
    set(&group.join("cgroup.procs"), "0")
}

/// Removes a group and those below it, once nothing runs there.
pub(crate) fn remove(group: &Path) {
    for entry in fs::read_dir(group).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove(&entry.path());
        }
    }
    let _ = fs::remove_dir(group);
    // The folder above goes with the last of ours.
    if let Some(above) = group.parent().filter(|above| above.ends_with(OWN)) {
        let _ = fs::remove_dir(above);
    }
}
