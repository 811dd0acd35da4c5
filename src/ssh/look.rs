//! Several commands in one round trip: what a look at a host is made of.
//!
//! The argument vectors are quoted as any other and stand behind each other on one line. Behind each the host says how
//! it ended, after a mark that was drawn for this look alone: no file has it by chance, so what a command printed ends
//! exactly there, whatever it printed.

use std::sync::Arc;

use super::command::{Command, Output};

/// Bytes of randomness in a mark.
type Mark = u128;

/// Commands of which each runs whatever the one before ended with.
pub(super) struct Look {
    mark: String,
    commands: Vec<Command>,
}

impl Look {
    /// The commands as they shall run, rights included. They change nothing, and read nothing but what those rights ask
    /// for.
    pub(super) fn new(commands: Vec<Command>) -> Self {
        Self { mark: format!("{:032x}", rand::random::<Mark>()), commands }
    }

    /// The line a shell on the host reads.
    pub(super) fn line(&self) -> String {
        let parts: Vec<String> =
            self.commands.iter().map(|command| format!("{command}; echo {} $?", self.mark)).collect();
        parts.join("; ")
    }

    /// What they read from their standard input, one behind the other: passwords for sudo, which takes a line each.
    pub(super) fn input(&self) -> Option<Arc<[u8]>> {
        let inputs: Vec<u8> =
            self.commands.iter().filter_map(Command::input).flat_map(|input| input.to_vec()).collect();
        (!inputs.is_empty()).then(|| inputs.into())
    }

    /// What each of them printed and ended with; nothing when the host did not answer to all of them.
    pub(super) fn answers(&self, printed: &[u8]) -> Option<Vec<Output>> {
        let mark = self.mark.as_bytes();
        let mut rest = printed;
        let mut answers = Vec::with_capacity(self.commands.len());
        for _ in &self.commands {
            let at = rest.windows(mark.len()).position(|found| found == mark)?;
            let (stdout, behind) = (&rest[..at], &rest[at + mark.len()..]);
            let end = behind.iter().position(|byte| *byte == b'\n')?;
            let status = std::str::from_utf8(&behind[..end]).ok()?.trim().parse().ok()?;
            answers.push(Output { status, stdout: stdout.to_vec(), stderr: Vec::new() });
            rest = &behind[end + 1..];
        }
        rest.is_empty().then_some(answers)
    }
}

#[cfg(test)]
mod tests {
    use super::super::sudo::Sudo;
    use super::*;
    use crate::base::secret::Secret;

    fn answered_by_a_shell(commands: &[Command]) -> Option<Vec<Output>> {
        let look = Look::new(commands.to_vec());
        let output = std::process::Command::new("sh").arg("-c").arg(look.line()).output().unwrap();
        look.answers(&output.stdout)
    }

    #[test]
    fn a_shell_answers_to_each_command_byte_for_byte() {
        let print = |text: &str| Command::new("printf").args(["%b", text]);
        let texts = ["", "no end", "an end\\n", "two\\n\\n", "\\0nul\\n", "a mark of another look 7f\\n"];
        let mut commands: Vec<Command> = texts.iter().map(|text| print(text)).collect();
        commands.push(Command::new("false"));
        commands.push(Command::new("cat").arg("/no/such; file"));
        let answers = answered_by_a_shell(&commands).unwrap();
        for (answer, text) in answers.iter().zip(texts) {
            let expected = text.replace("\\n", "\n").replace("\\0", "\0");
            assert_eq!((answer.status, answer.stdout.as_slice()), (0, expected.as_bytes()));
        }
        assert!(answers[6].status == 1 && answers[7].status != 0);
        assert_eq!(answers.len(), commands.len());
    }

    #[test]
    fn an_answer_that_lacks_one_or_has_more_is_none() {
        let look = Look::new(vec![Command::new("true"), Command::new("false")]);
        let mark = &look.mark;
        let whole = format!("x{mark} 0\n{mark} 1\n");
        assert_eq!(look.answers(whole.as_bytes()).map(|answers| answers.len()), Some(2));
        for text in ["", &whole[..whole.len() - 2], &format!("{mark} 0\n"), &format!("{whole}more")] {
            assert_eq!(look.answers(text.as_bytes()), None, "{text}");
        }
        assert_eq!(
            look.answers(format!("{mark} $?\n{mark} $?\n").as_bytes()),
            None,
            "a shell that has no `$?`"
        );
    }

    #[test]
    fn each_sudo_gets_a_line_of_its_own_and_none_is_on_the_line() {
        let sudo = Sudo::Password(Secret::new("tulip".to_owned()));
        let commands = ["id", "true"].map(|program| sudo.elevate(Command::new(program)));
        let look = Look::new(commands.to_vec());
        assert_eq!(look.input().unwrap().as_ref(), b"tulip\ntulip\n");
        assert!(!look.line().contains("tulip"));
        assert!(Look::new(vec![Command::new("id")]).input().is_none());
    }
}
