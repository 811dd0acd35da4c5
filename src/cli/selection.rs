//! `--target` and `--exclude`: which part of a plan is meant.

use crate::cli::exit::ExitStatus;
use crate::cli::failure::Failure;
use crate::plan::select::pattern::Pattern;
use crate::plan::select::{NoSuchResource, Selection};

/// Arguments of the verbs that plan.
#[derive(Debug, Clone, Default, clap::Args)]
pub(super) struct SelectionArguments {
    /// Only this resource and all it needs; when it goes, all that stands on it goes too. `instance.ecs01`,
    /// `instance.*`; can be repeated
    #[arg(long, value_name = "ADDRESS")]
    target: Vec<Pattern>,
    /// All but this resource and what needs it; when everything goes, it stays with all it needs. Can be repeated
    #[arg(long, value_name = "ADDRESS")]
    exclude: Vec<Pattern>,
}

impl SelectionArguments {
    /// What is asked for.
    pub(super) fn selection(&self) -> Selection {
        Selection { target: self.target.clone(), exclude: self.exclude.clone() }
    }
}

/// The options that select the same, as they are typed.
pub(super) fn words(selection: &Selection) -> String {
    let option = |name: &str, patterns: &[Pattern]| -> String {
        let quoted = |pattern: &Pattern| match pattern.to_string() {
            // An asterisk means something to a shell.
            text if text.contains('*') => format!(" {name} '{text}'"),
            text => format!(" {name} {text}"),
        };
        patterns.iter().map(quoted).collect()
    };
    option("--target", &selection.target) + &option("--exclude", &selection.exclude)
}

impl From<NoSuchResource> for Failure {
    fn from(error: NoSuchResource) -> Self {
        let hint = match &error.nearest {
            Some(nearest) => format!("did you mean `{nearest}`?"),
            None => "`albatross plan --json FILE` lists the address of every resource".to_owned(),
        };
        Self::new(ExitStatus::Usage, error, Some(hint))
    }
}
