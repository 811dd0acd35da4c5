//! Who runs this program, in a few letters, for the message of whoever has to wait.

use std::fs;
use std::os::unix::fs::MetadataExt as _;

/// `anna@laptop`: the user and the machine, of letters that need no quoting. Never empty.
pub fn operator() -> String {
    let machine = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = format!("{}@{}", user(), machine.trim());
    name.chars().filter(|letter| letter.is_ascii_alphanumeric() || "@._-".contains(*letter)).collect()
}

/// The user's name, else their number.
fn user() -> String {
    let Ok(own) = fs::metadata("/proc/self") else {
        return String::new();
    };
    let id = own.uid().to_string();
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let mut users = users.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let found = users.find(|fields| fields.get(2) == Some(&id.as_str()));
    found.map_or(id, |fields| fields[0].to_owned())
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
