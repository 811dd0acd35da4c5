//! Which process holds a lock, and whether it still runs; only where process numbers mean the same is that known.

use std::fs;

use serde::{Deserialize, Serialize};

use crate::base::operator::{User, machine};

/// One process, told from every later one with the same number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// Its number.
    pub id: u32,
    /// When it was started, in ticks since the system was; none where the system does not say.
    pub started: Option<u64>,
    /// The running system, which has another name after each boot.
    pub boot: Option<String>,
    /// The namespace of process numbers: a container has one of its own.
    pub namespace: Option<String>,
}

impl Process {
    /// This one.
    pub fn this() -> Self {
        let namespace = fs::read_link("/proc/self/ns/pid").ok();
        Self {
            id: std::process::id(),
            started: started(std::process::id()),
            boot: line("/proc/sys/kernel/random/boot_id"),
            namespace: namespace.map(|name| name.to_string_lossy().into_owned()),
        }
    }

    /// Whether it is known to run no more, as another process sees it.
    pub(super) fn is_gone(&self, seen_from: &Self) -> bool {
        let is_known = self.started.is_some() && self.boot.is_some() && self.namespace.is_some();
        let is_here = self.boot == seen_from.boot && self.namespace == seen_from.namespace;
        is_known && is_here && started(self.id) != self.started
    }
}

/// Name of this machine.
pub(super) fn host() -> String {
    machine().unwrap_or_else(|| "a machine without a name".to_owned())
}

/// Who runs this process: a name, else the number of the user.
pub(super) fn user() -> String {
    match User::this() {
        User::Named(name) => name,
        User::Numbered(id) => format!("user {id}"),
        User::Unknown => "somebody".to_owned(),
    }
}

fn line(path: &str) -> Option<String> {
    fs::read_to_string(path).ok().map(|text| text.trim().to_owned())
}

/// When a process was started; none when it does not run. One that has ended and was not yet waited for does not.
fn started(process: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name before the last parenthesis may have anything in it.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let has_ended = matches!(*fields.first()?, "Z" | "X");
    if has_ended { None } else { fields.get(19)?.parse().ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_gone_when_it_has_ended_and_not_before() {
        let this = Process::this();
        assert!(!this.is_gone(&this));
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let other = Process { id: child.id(), started: started(child.id()), ..this.clone() };
        assert!(!other.is_gone(&this));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(other.is_gone(&this));
    }

    #[test]
    fn a_number_that_was_given_again_is_another_process() {
        let this = Process::this();
        let earlier = Process { started: this.started.map(|ticks| ticks - 1), ..this.clone() };
        assert!(earlier.is_gone(&this));
    }

    #[test]
    fn elsewhere_nothing_is_known() {
        let this = Process::this();
        let ended = Process { id: u32::MAX, ..this.clone() };
        assert!(ended.is_gone(&this));
        for elsewhere in [
            Process { boot: Some("another".to_owned()), ..ended.clone() },
            Process { namespace: Some("pid:[1]".to_owned()), ..ended.clone() },
            Process { started: None, ..ended },
        ] {
            assert!(!elsewhere.is_gone(&this), "{elsewhere:?}");
        }
    }

    #[test]
    fn user_and_host_have_names() {
        assert!(!user().is_empty() && !host().is_empty() && !host().contains('\n'));
    }
}
