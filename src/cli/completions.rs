//! `albatross completions SHELL`: what a shell needs to complete our commands and options.

use clap::CommandFactory;
use clap_complete::aot;

use crate::cli::Cli;
use crate::cli::exit::ExitStatus;

/// Arguments of `completions`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  source <(albatross completions bash)
  albatross completions zsh > ~/.zfunc/_albatross
  albatross completions fish > ~/.config/fish/completions/albatross.fish")]
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
    aot::generate(aot::Shell::from(arguments.shell), &mut Cli::command(), "albatross", &mut script);
    anstream::print!("{}", String::from_utf8_lossy(&script));
    ExitStatus::Done
}
