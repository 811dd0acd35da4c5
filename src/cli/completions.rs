//! `albatross completions SHELL`: what a shell needs to complete our commands and options.

use clap_complete::aot;

use crate::cli::examples;
use crate::cli::exit::ExitStatus;

/// Arguments of `completions`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

/// A shell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Shell {
    /// Bash
    Bash,
    /// Zsh
    Zsh,
    /// Fish
    Fish,
}

impl From<Shell> for aot::Shell {
    fn from(shell: Shell) -> Self {
        match shell {
            Shell::Bash => Self::Bash,
            Shell::Zsh => Self::Zsh,
            Shell::Fish => Self::Fish,
        }
    }
}

pub(super) fn run(arguments: &Arguments) -> ExitStatus {
    let mut script = Vec::new();
    aot::generate(aot::Shell::from(arguments.shell), &mut examples::command(), "albatross", &mut script);
    anstream::print!("{}", String::from_utf8_lossy(&script));
    ExitStatus::Done
}
