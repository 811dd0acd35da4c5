//! What a machine may use: memory and processes, by control groups where there are any that can be written.
//!
//! Both versions are understood. Where limits cannot be set, as in a container without rights to them, machines run
//! without, and that is said once when the first of them boots.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

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

/// The groups that a machine is born in.
#[derive(Debug, Default)]
pub(crate) struct Groups {
    pub(crate) folders: Vec<PathBuf>,
    /// Why its limits are not all in force.
    pub(crate) missing: Option<io::Error>,
}

impl Groups {
    /// Makes the groups of a machine with their limits, as far as that can be done here.
    pub(crate) fn make(machine: &str, memory: u64) -> Self {
        Self::make_below(Path::new(MOUNTED), machine, memory)
    }

    fn make_below(mounted: &Path, machine: &str, memory: u64) -> Self {
        let mut groups = Self::default();
        let (memory, processes) = (memory.to_string(), MOST_PROCESSES.to_string());
        if mounted.join("cgroup.controllers").exists() {
            groups.attempt(set(&mounted.join("cgroup.subtree_control"), CONTROLLERS));
            let group = groups.add(mounted, machine);
            groups.attempt(set(&mounted.join(OWN).join("cgroup.subtree_control"), CONTROLLERS));
            groups.attempt(set(&group.join("memory.max"), &memory));
            groups.attempt(set(&group.join("pids.max"), &processes));
            return groups;
        }
        let limits = [("memory", "memory.limit_in_bytes", memory), ("pids", "pids.max", processes)];
        for (controller, file, limit) in limits {
            let group = groups.add(&mounted.join(controller), machine);
            groups.attempt(set(&group.join(file), &limit));
        }
        for tree in SYSTEMD_TREES.iter().map(|name| mounted.join(name)).filter(|tree| tree.is_dir()) {
            groups.add(&tree, machine);
        }
        groups
    }

    /// Makes a group in a tree, and says where it is whether or not that worked.
    fn add(&mut self, tree: &Path, machine: &str) -> PathBuf {
        let group = tree.join(OWN).join(machine);
        let made = if tree.is_dir() {
            fs::create_dir_all(&group)
        } else {
            Err(io::Error::other(format!("there are no control groups at {}", tree.display())))
        };
        if made.is_ok() {
            self.folders.push(group.clone());
        }
        self.attempt(made);
        group
    }

    /// Keeps the first reason why something is missing.
    fn attempt(&mut self, result: io::Result<()>) {
        self.missing = self.missing.take().or(result.err());
    }
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

/// How often a group is tried to be removed, and how long in between: what was killed takes a moment to be gone.
const REMOVALS: usize = 200;
const BETWEEN_REMOVALS: Duration = Duration::from_millis(10);

/// Removes groups with those below them, once nothing runs there.
///
/// # Errors
/// Something goes on running in one of them.
pub(crate) fn remove_all(groups: &[PathBuf]) -> io::Result<()> {
    for group in groups {
        for _ in 0..REMOVALS {
            remove(group);
            if !group.exists() {
                break;
            }
            std::thread::sleep(BETWEEN_REMOVALS);
        }
        if group.exists() {
            return Err(io::Error::other(format!("{} is still in use", group.display())));
        }
    }
    Ok(())
}

fn remove(group: &Path) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_of_either_version_get_their_limits_and_what_is_missing_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let tree = folder.path();
        let groups = Groups::make_below(tree, "m", 1 << 20);
        assert!(groups.folders.is_empty() && groups.missing.is_some());

        // The kernel makes the files of a group; here they have to be there before.
        for (group, file) in [("memory", "memory.limit_in_bytes"), ("pids", "pids.max")] {
            fs::create_dir_all(tree.join(group).join("mock-cloud/m")).unwrap();
            File::create(tree.join(group).join("mock-cloud/m").join(file)).unwrap();
        }
        fs::create_dir(tree.join("systemd")).unwrap();
        let groups = Groups::make_below(tree, "m", 1 << 20);
        assert!(groups.missing.is_none(), "{groups:?}");
        let expected = ["memory", "pids", "systemd"].map(|name| tree.join(name).join("mock-cloud/m"));
        assert_eq!(groups.folders, expected);
        assert_eq!(fs::read_to_string(expected[0].join("memory.limit_in_bytes")).unwrap(), "1048576");

        File::create(tree.join("cgroup.controllers")).unwrap();
        let groups = Groups::make_below(tree, "m", 1 << 20);
        assert_eq!(groups.folders, [tree.join("mock-cloud/m")], "machines are kept apart all the same");
        assert!(groups.missing.is_some());
    }
}
