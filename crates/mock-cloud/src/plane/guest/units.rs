//! The units that run on a machine, as the control groups of its processes tell it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::plane::spec::Process;

/// Units with a process in any of these groups, each with the first of its processes.
pub(crate) fn running(groups: &[PathBuf]) -> Vec<Process> {
    let mut units: BTreeMap<String, u32> = BTreeMap::new();
    // Each group has all processes of the machine.
    for pid in groups.first().map(|group| processes(group)).unwrap_or_default() {
        let text = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
        if let Some(unit) = unit(&text) {
            let first = units.entry(unit.to_owned()).or_insert(pid);
            *first = pid.min(*first);
        }
    }
    let active = |(unit, pid)| Process { unit, pid: Some(pid), state: "active".to_owned() };
    units.into_iter().map(active).collect()
}

/// The processes of a group and of those below it.
pub(crate) fn processes(group: &Path) -> Vec<u32> {
    let own = fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
    let mut all: Vec<u32> = own.lines().filter_map(|line| line.parse().ok()).collect();
    for entry in fs::read_dir(group).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            all.extend(processes(&entry.path()));
        }
    }
    all
}

/// The service that a process is of, from its list of control groups; `systemd` has them by name in either version.
fn unit(groups: &str) -> Option<&str> {
    let mut named = groups.lines().filter(|line| line.starts_with("0::") || line.contains(":name=systemd:"));
    named.find_map(|line| line.rsplit('/').find(|part| has_ending(part, "service")))
}

fn has_ending(name: &str, ending: &str) -> bool {
    Path::new(name).extension().is_some_and(|found| found == ending)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unit_of_a_process_is_found_in_both_versions() {
        let first = "8:pids:/mock-cloud/m\n1:name=systemd:/mock/payload/system.slice/redis.service\n0::/\n";
        let second = "0::/mock-cloud/m/payload/system.slice/redis.service/sub\n";
        assert_eq!(unit(first), Some("redis.service"));
        assert_eq!(unit(second), Some("redis.service"));
        assert_eq!(unit("0::/mock-cloud/m/payload/init.scope\n"), None);
    }
}
