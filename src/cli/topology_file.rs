//! Which topology a command is about: the file that was given, else `albatross.yaml` here or in the nearest folder
//! above, as cargo finds its manifest.

use std::path::{Path, PathBuf};

use crate::cli::GlobalOptions;
use crate::cli::exit::ExitStatus;
use crate::cli::failure::Failure;
use crate::cli::say;

/// The name of a topology that need not be given.
pub(super) const FILE_NAME: &str = "albatross.yaml";
/// The folder of the state, where nobody names another one.
pub(super) const STATE_FOLDER: &str = ".albatross";

/// The argument FILE.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct TopologyArgument {
    /// The topology; default: `albatross.yaml` here, or in the nearest folder above
    file: Option<PathBuf>,
}

/// A topology's file, and the options of a command that is about it.
#[derive(Debug)]
pub(super) struct Located {
    /// The file.
    pub file: PathBuf,
    /// What was given, with the state beside a topology that was found in a folder above.
    pub options: GlobalOptions,
}

impl TopologyArgument {
    #[cfg(test)]
    pub(super) fn given(file: &str) -> Self {
        Self { file: Some(file.into()) }
    }

    /// A command about this topology as somebody would type it here.
    pub(super) fn typed(&self, command: &str) -> String {
        self.file.as_ref().map_or(command.to_owned(), |file| format!("{command} {}", file.display()))
    }

    /// The file that was given, else the nearest one of that name.
    ///
    /// A topology of a folder above has its state beside it: whoever goes further down works on the same stack.
    ///
    /// # Errors
    /// When none was given and there is none.
    pub(super) fn locate(&self, options: &GlobalOptions) -> Result<Located, Failure> {
        let mut options = options.clone();
        if let Some(file) = &self.file {
            return Ok(Located { file: file.clone(), options });
        }
        let here = std::env::current_dir().map_err(|error| {
            let error = anyhow::Error::new(error).context("this folder cannot be told");
            Failure::new(ExitStatus::Usage, error, Some("give FILE, the path of a topology".to_owned()))
        })?;
        let way_up = nearest(&here).ok_or_else(|| not_found(&here))?;
        let file = way_up.join(FILE_NAME);
        if way_up != Path::new("") {
            say::notice(&format!("the topology is {}", file.display()));
            options.state_dir.get_or_insert_with(|| way_up.join(STATE_FOLDER));
        }
        Ok(Located { file, options })
    }
}

/// The way from a folder up to the nearest one that has a topology of that name; empty when it is this one.
fn nearest(here: &Path) -> Option<PathBuf> {
    let number = here.ancestors().position(|folder| folder.join(FILE_NAME).is_file())?;
    Some((0..number).map(|_| "..").collect())
}

fn not_found(here: &Path) -> Failure {
    Failure::saying(
        ExitStatus::Usage,
        format!(
            "no topology was given, and neither `{}` nor a folder above has `{FILE_NAME}`",
            here.display()
        ),
        format!(
            "give FILE, as in `albatross plan chatroom.yaml`, or call the topology of this folder `{FILE_NAME}`"
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_to_type_names_the_file_only_where_it_was_given() {
        let typed = |argument: TopologyArgument| argument.typed("albatross plan");
        assert_eq!(typed(TopologyArgument::given("chat.yaml")), "albatross plan chat.yaml");
        assert_eq!(typed(TopologyArgument { file: None }), "albatross plan");
    }

    #[test]
    fn the_nearest_topology_counts_and_a_folder_of_its_name_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("one/two/three");
        std::fs::create_dir_all(deep.join(FILE_NAME)).unwrap();
        let way_from = |folder: &Path| nearest(folder).map(|way| way.display().to_string());
        for (at, expected) in [("", "../../.."), ("one", "../.."), ("one/two", "..")] {
            crate::base::durable::replace(&folder.path().join(at).join(FILE_NAME), b"").unwrap();
            assert_eq!(way_from(&deep).as_deref(), Some(expected), "{at}");
        }
        assert_eq!(way_from(&folder.path().join("one/two")).as_deref(), Some(""));
    }
}
