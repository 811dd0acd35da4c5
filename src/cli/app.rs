//! The server of anybody's own that a topology names: its program and its secrets, read from where they are.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::base::diagnostic::Diagnostic;
use crate::base::durable;
use crate::base::secret::Secret;
use crate::cli::environment;
use crate::cli::exit::ExitStatus;
use crate::cli::failure::Failure;
use crate::deploy::{Artifact, Program};
use crate::topology::model::{Topology, Variable};
use crate::topology::references::Resolved;

/// A path that stands in a topology.
pub(super) fn beside(file: &Path, written: &Path) -> PathBuf {
    file.parent().unwrap_or(Path::new("")).join(environment::expand_home(written))
}

/// Reads the program of the app, when the topology has one.
///
/// # Errors
/// What is wrong with it, at its place in the topology.
pub(super) fn program(
    file: &Path,
    text: &Resolved,
    topology: &Topology,
) -> Result<Option<Program>, Box<Diagnostic>> {
    let Some(app) = &topology.app else { return Ok(None) };
    Artifact::load(&beside(file, &app.binary)).map(|build| Some(build.into())).map_err(|error| {
        let cause = std::error::Error::source(&error).map_or_else(
            || "the load balancer's instances run 64-bit programs for Linux, on x86_64 or aarch64".to_owned(),
            ToString::to_string,
        );
        Box::new(Diagnostic {
            code: "app-binary",
            message: error.to_string(),
            place: text.place_of("app.binary"),
            cause,
            help: Some(
                "write the path of a program built for Linux; it is relative to the topology's file"
                    .to_owned(),
            ),
        })
    })
}

/// Reads the app's secrets, when the topology has an app.
///
/// # Errors
/// When one is not where the topology says.
pub(super) fn secrets(
    file: &Path,
    topology: &Topology,
) -> Result<Option<BTreeMap<String, Secret<String>>>, Failure> {
    let Some(app) = &topology.app else { return Ok(None) };
    let mut secrets = BTreeMap::new();
    for (name, variable) in &app.env {
        let value = match variable {
            Variable::Text(_) => continue,
            Variable::FromVariable(variable) => from_variable(name, variable)?,
            Variable::FromFile(path) => from_file(name, &beside(file, path))?,
        };
        if value.expose().chars().any(char::is_control) {
            return Err(refused(
                name,
                "it has a line break or another control character",
                "an environment file has one line for each variable: let the app read a file".to_owned(),
            ));
        }
        secrets.insert(name.clone(), value);
    }
    Ok(Some(secrets))
}

fn refused(name: &str, why: &str, help: String) -> Failure {
    Failure::saying(ExitStatus::Failed, format!("the secret `app.env.{name}` cannot be used: {why}"), help)
}

fn from_variable(name: &str, variable: &str) -> Result<Secret<String>, Failure> {
    environment::secret_of_topology(variable).ok_or_else(|| {
        refused(
            name,
            &format!("the variable {variable} is not set"),
            format!("set {variable}, or write another place under `app.env.{name}`"),
        )
    })
}

/// The first line of a file that nobody else can read.
fn from_file(name: &str, path: &Path) -> Result<Secret<String>, Failure> {
    let shown = path.display();
    let unreadable = |error: std::io::Error| {
        refused(
            name,
            &format!("`{shown}` cannot be read: {error}"),
            format!("write another place under `app.env.{name}`"),
        )
    };
    if let Some(mode) = durable::mode_open_to_others(&fs::metadata(path).map_err(unreadable)?) {
        let why = format!("`{shown}` can be read by others: its mode is {mode:o}");
        return Err(refused(name, &why, format!("run `chmod 600 {shown}`")));
    }
    let text = fs::read_to_string(path).map_err(unreadable)?;
    Ok(Secret::new(text.lines().next().unwrap_or_default().to_owned()))
}
