//! `albatross init`: writes a topology from a template, or the file of a continuous integration for one.

mod integration;
mod questions;
mod template;

use std::io::{ErrorKind, IsTerminal};
use std::path::{Path, PathBuf};

use self::integration::Service;
use self::template::{Answers, Template};
use crate::base::durable::{self, FileError};
use crate::cli::GlobalOptions;
use crate::cli::exit::ExitStatus;
use crate::cli::failure::Failure;
use crate::cli::topology_file::FILE_NAME;
use crate::topology;

/// Arguments of `init`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The topology to write; with --ci the one to prove, by its path in the repository
    #[arg(default_value = FILE_NAME)]
    file: PathBuf,
    /// What the topology is made from; on a terminal it is asked for, and so is all else that is not given
    #[arg(long, value_enum, conflicts_with = "ci")]
    template: Option<Template>,
    #[command(flatten)]
    answers: Answers,
    /// Write the file of this continuous integration instead
    #[arg(long, value_enum)]
    ci: Option<Service>,
    /// Replace a file that is there
    #[arg(long)]
    force: bool,
}

pub(super) fn run(options: &GlobalOptions, arguments: &Arguments) -> Result<ExitStatus, Failure> {
    let Arguments { file, template, answers, ci, force } = arguments;
    if let Some(service) = ci {
        return integration::run(options, file, *service, *force);
    }
    // Before anybody is asked for anything.
    refuse_to_replace(file, *force)?;
    answers.check().map_err(|why| {
        Failure::saying(ExitStatus::Usage, format!("no topology comes of this: {why}"), "give --zones anew")
    })?;
    let is_terminal = std::io::stdin().is_terminal();
    let (template, answers) = match template {
        Some(template) if !is_terminal => (*template, answers.clone()),
        None if !is_terminal => return Err(nobody_to_ask()),
        given => questions::ask(*given, answers)?,
    };
    let text = template.text(&answers);
    let topology = topology::load(text.as_bytes()).map_err(|found| {
        let said: Vec<String> = found.iter().map(|one| format!("{}: {}", one.message, one.cause)).collect();
        Failure::saying(
            ExitStatus::Usage,
            format!("no topology comes of this: {}", said.join("; ")),
            found.first().and_then(|one| one.help.clone()).unwrap_or_else(|| "give other values".to_owned()),
        )
    })?;
    write(file, &text).map_err(|error| Failure::new(ExitStatus::Failed, error, None))?;
    anstream::println!("Wrote {}: {}", file.display(), super::validate::summary(&topology));
    for line in template::still_to_change(&answers) {
        anstream::println!("  {line}");
    }
    print_next(file);
    Ok(ExitStatus::Done)
}

fn print_next(file: &Path) {
    let name = if file == Path::new(FILE_NAME) { String::new() } else { format!(" {}", file.display()) };
    anstream::println!("Next:");
    anstream::println!("  albatross smoke --quick{name}    on this machine alone, without an account");
    anstream::println!("  albatross doctor{name}           asks your account whether it can become real");
}

fn nobody_to_ask() -> Failure {
    Failure::saying(
        ExitStatus::Usage,
        "nobody can be asked: standard input is not a terminal",
        "say what it is made from: `albatross init --template chatroom`",
    )
}

/// What is there stays, unless somebody says otherwise.
fn refuse_to_replace(path: &Path, force: bool) -> Result<(), Failure> {
    match path.symlink_metadata() {
        Ok(_) if force => Ok(()),
        Ok(_) => Err(Failure::saying(
            ExitStatus::Failed,
            format!("`{}` is there already, and was left as it is", path.display()),
            "add --force to replace it",
        )),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(Failure::new(ExitStatus::Failed, FileError::new("look at", path)(error), None)),
    }
}

/// Writes a file that others may read, as all of a repository.
pub(super) fn write(path: &Path, text: &str) -> Result<(), FileError> {
    use std::os::unix::fs::PermissionsExt;
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(FileError::new("create", folder))?;
    }
    durable::replace(path, text.as_bytes())?;
    let mode = std::fs::Permissions::from_mode(0o644);
    std::fs::set_permissions(path, mode).map_err(FileError::new("write", path))
}
