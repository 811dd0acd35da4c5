//! Who runs this program, in a few letters, for the message of whoever has to wait.

use std::fs;
use std::os::unix::fs::MetadataExt as _;

/// Who runs this process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum User {
    /// By name.
    Named(String),
    /// By number: the system has no name for it.
    Numbered(u32),
    /// The system does not say.
    Unknown,
}

impl User {
    /// Of this process.
    pub fn this() -> Self {
        let Ok(own) = fs::metadata("/proc/self") else {
            return Self::Unknown;
        };
        let id = own.uid().to_string();
        let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
        let mut users = users.lines().map(|line| line.split(':').collect::<Vec<_>>());
        let found = users.find(|fields| fields.get(2) == Some(&id.as_str()));
        found.map_or(Self::Numbered(own.uid()), |fields| Self::Named(fields[0].to_owned()))
    }
}

/// The name of this machine; none when the system does not say.
pub fn machine() -> Option<String> {
    fs::read_to_string("/proc/sys/kernel/hostname").ok().map(|name| name.trim().to_owned())
}

/// `anna@laptop`: the user and the machine, of letters that need no quoting. Never empty.
pub fn operator() -> String {
    let user = match User::this() {
        User::Named(name) => name,
        User::Numbered(id) => id.to_string(),
        User::Unknown => String::new(),
    };
    let name = format!("{user}@{}", machine().unwrap_or_default());
    name.chars().filter(|letter| letter.is_ascii_alphanumeric() || "@._-".contains(*letter)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operator_has_a_user_and_a_machine() {
        let name = operator();
        let (user, machine) = name.split_once('@').unwrap();
        assert!(!user.is_empty() && !machine.is_empty(), "{name}");
    }
}
