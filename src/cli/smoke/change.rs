//! What smoke changes in a stack that stands: one node more, and another release on all of them.

use std::fs;
use std::path::{Path, PathBuf};

use crate::base::durable;
use crate::base::ids::InstanceName;
use crate::cli::exit::ExitStatus;
use crate::cli::failure::Failure;
use crate::cli::node_program;
use crate::deploy::Architecture;
use crate::topology::model::{HostKeys, Topology};

/// Adds an instance like the last node's, with a node on it; its name. None where host keys are listed by hand, so that
/// a machine nobody knows could not be logged into.
pub(super) fn add_node(topology: &mut Topology) -> Option<InstanceName> {
    if topology.ssh.host_keys != HostKeys::ControlPlane {
        return None;
    }
    let last = topology.node.on.last()?.clone();
    let instance = topology.instances.get(&last)?.clone();
    let name = name_after(&last, |name| topology.instances.contains_key(name));
    topology.instances.insert(name.clone(), instance);
    topology.node.on.push(name.clone());
    Some(name)
}

/// The next free name in the row: `ecs04` where `ecs02` is the last node's and `ecs03` is taken.
fn name_after(last: &InstanceName, is_taken: impl Fn(&InstanceName) -> bool) -> InstanceName {
    let stem = last.as_str().trim_end_matches(|letter: char| letter.is_ascii_digit());
    let digits = &last.as_str()[stem.len()..];
    let (width, number) = (digits.len(), digits.parse::<u64>().unwrap_or(1));
    let mut names = (number + 1..).map(|number| InstanceName::new(format!("{stem}{number:0width$}")));
    names.find(|name| !is_taken(name)).unwrap_or_else(|| last.clone())
}

/// Another release of every build there is.
pub(super) fn another_release(program: &Path, folder: &Path) -> Result<PathBuf, Failure> {
    let path = folder.join("chat-node");
    change(program, &path)?;
    for architecture in Architecture::ALL {
        let build = node_program::beside(program, architecture);
        if build.exists() {
            change(&build, &node_program::beside(&path, architecture))?;
        }
    }
    Ok(path)
}

/// The same program with a byte behind its end, so that it is another one by its digest and runs as the first does.
fn change(program: &Path, into: &Path) -> Result<(), Failure> {
    let hint = || Some("give a readable one with --chat-node".to_owned());
    let mut bytes = fs::read(program)
        .map_err(durable::FileError::new("read", program))
        .map_err(|error| Failure::new(ExitStatus::Failed, error, hint()))?;
    bytes.push(b'\n');
    durable::replace(into, &bytes).map_err(|error| Failure::new(ExitStatus::Failed, error, None))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tutorial() -> Topology {
        crate::topology::load(include_bytes!("../../../examples/chatroom.yaml")).unwrap()
    }

    #[test]
    fn the_new_node_is_like_the_last_and_takes_the_next_free_name() {
        let mut topology = tutorial();
        assert_eq!(add_node(&mut topology), Some(InstanceName::new("ecs04")));
        assert_eq!(topology.node.on.last(), Some(&InstanceName::new("ecs04")));
        let of = |name: &str| topology.instances[&InstanceName::new(name)].clone();
        assert_eq!(of("ecs04"), of("ecs02"));
        let never = |_: &InstanceName| false;
        assert_eq!(name_after(&InstanceName::new("node"), never), InstanceName::new("node2"));
        assert_eq!(name_after(&InstanceName::new("node09"), never), InstanceName::new("node10"));
    }

    #[test]
    fn where_host_keys_are_listed_no_machine_is_added() {
        let mut topology = tutorial();
        topology.ssh.host_keys = HostKeys::KnownHosts;
        assert_eq!(add_node(&mut topology), None);
        assert_eq!(topology.instances, tutorial().instances);
    }
}
