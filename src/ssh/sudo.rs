//! How a command of a user becomes one of root.
//!
//! A password goes in on standard input, before what the command itself reads, and nowhere else. `-k` makes sudo ask
//! for it each time: one that it remembers would leave the line to the command. For the same reason every such command
//! is run by `env`, so that a policy which asks for some programs and not for others judges all of them alike, and is
//! tried once before anything secret is sent.

use crate::base::secret::Secret;

use super::command::Command;

/// How commands are run as root.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Sudo {
    /// As they are: who logs in is root.
    #[default]
    No,
    /// By sudo, which asks for nothing.
    Free,
    /// By sudo, which asks for this password.
    Password(Secret<String>),
}

impl Sudo {
    /// Whether commands go through sudo.
    pub fn is_used(&self) -> bool {
        *self != Self::No
    }

    /// The same command run as root.
    pub(super) fn elevate(&self, command: Command) -> Command {
        match self {
            Self::No => command,
            Self::Free => command.wrapped_by(words(&["sudo", "-n", "--"])),
            Self::Password(password) => {
                let own = command.input();
                let input =
                    [password.expose().as_bytes(), b"\n", own.as_deref().unwrap_or_default()].concat();
                command.wrapped_by(words(&["sudo", "-k", "-S", "-p", "", "--", "env"])).stdin(input)
            }
        }
    }

    /// Shows whether sudo asks for nothing.
    pub(super) fn probe_free() -> Command {
        Command::new("true").wrapped_by(words(&["sudo", "-k", "-n", "--", "env"]))
    }

    /// Does nothing as root.
    pub(super) fn probe(&self) -> Command {
        self.elevate(Command::new("true"))
    }
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_is_in_the_input_and_in_no_argument() {
        let sudo = Sudo::Password(Secret::new("tulip".to_owned()));
        let command = sudo.elevate(Command::new("tee").arg("/etc/motd").stdin(b"text".to_vec()));
        assert_eq!(command.to_string(), "sudo -k -S -p '' -- env tee /etc/motd");
        assert_eq!(command.input().unwrap().as_ref(), b"tulip\ntext");
        assert!(!format!("{sudo:?} {command:?}").contains("tulip"));
        assert_eq!(sudo.elevate(Command::new("true")).input().unwrap().as_ref(), b"tulip\n");
    }

    #[test]
    fn without_a_password_the_input_is_that_of_the_command() {
        let command = Sudo::Free.elevate(Command::new("cat").stdin(b"text".to_vec()));
        assert_eq!(
            (command.to_string().as_str(), command.input().unwrap().as_ref()),
            ("sudo -n -- cat", &b"text"[..])
        );
        assert_eq!(Sudo::No.elevate(Command::new("cat")).to_string(), "cat");
        assert!(!Sudo::No.is_used() && Sudo::Free.is_used());
    }
}
