//! Commands as somebody can type them: hints say `albatross plan FILE`, and here FILE becomes the topology of this
//! command, with the options by which it was found and what it was given.

use std::path::Path;
use std::sync::OnceLock;

use crate::cli::GlobalOptions;
use crate::ssh::quote;

/// How this program is called, and what stands for the topology.
#[derive(Debug)]
struct Typed {
    program: String,
    file: String,
}

/// What the first topology of this process was called by.
static TYPED: OnceLock<Typed> = OnceLock::new();

/// Keeps how the topology of this command was named.
pub(super) fn remember(options: &GlobalOptions, file: &Path) {
    TYPED.get_or_init(|| Typed::of(options, file));
}

/// The topology with what it was given, as a shell reads it.
pub(super) fn topology(file: &Path) -> String {
    TYPED.get().map_or_else(|| quote(&file.to_string_lossy()), |typed| typed.file.clone())
}

/// A hint with its commands spelled out; as it is before a topology is known.
pub(super) fn spelled_out(hint: &str) -> String {
    TYPED.get().map_or_else(|| hint.to_owned(), |typed| typed.spell_out(hint))
}

impl Typed {
    fn of(options: &GlobalOptions, file: &Path) -> Self {
        let mut program = "albatross".to_owned();
        if options.local {
            program += " --local";
        }
        if let Some(endpoint) = &options.endpoint {
            program += " --endpoint ";
            program += &quote(endpoint);
        }
        if let Some(folder) = &options.state_dir {
            program += " --state-dir ";
            program += &quote(&folder.to_string_lossy());
        }
        let given = options.inputs.words();
        let words = std::iter::once(file.to_string_lossy().into_owned()).chain(given);
        Self { program, file: words.map(|word| quote(&word)).collect::<Vec<_>>().join(" ") }
    }

    /// Every other part of a hint is between backticks: a command.
    fn spell_out(&self, hint: &str) -> String {
        let parts = hint.split('`').enumerate();
        let spelled = parts.map(|(index, part)| match part.strip_prefix("albatross ") {
            Some(rest) if index % 2 == 1 && rest.split(' ').any(|word| word == "FILE") => self.command(rest),
            _ => part.to_owned(),
        });
        spelled.collect::<Vec<_>>().join("`")
    }

    fn command(&self, rest: &str) -> String {
        let words = rest.split(' ').map(|word| if word == "FILE" { self.file.as_str() } else { word });
        format!("{} {}", self.program, words.collect::<Vec<_>>().join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed() -> Typed {
        Typed { program: "albatross --local".to_owned(), file: "'my room.yaml' --var size=3".to_owned() }
    }

    #[test]
    fn commands_about_the_topology_are_spelled_out() {
        assert_eq!(
            typed().spell_out("`albatross ssh FILE ecs01 -- df -h` shows it; then `albatross apply FILE`"),
            "`albatross --local ssh 'my room.yaml' --var size=3 ecs01 -- df -h` shows it; then \
             `albatross --local apply 'my room.yaml' --var size=3`"
        );
    }

    #[test]
    fn everything_else_stays() {
        for hint in
            ["give FILE another name", "`albatross explain CODE`", "albatross plan FILE", "`--out FILE`"]
        {
            assert_eq!(typed().spell_out(hint), hint);
        }
    }
}
