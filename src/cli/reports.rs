//! The reports of `verify` and `smoke`: which ones are written, and where.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use crate::base::durable::{self, FileError};
use crate::cli::environment;
use crate::cli::exit::ExitStatus;
use crate::cli::failure::Failure;
use crate::verify::Report;

/// Arguments of the verbs that report.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct ReportArguments {
    /// Write the report as JUnit XML, one test case a check
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Write the report as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write the report as a page of its own, with a picture of the chatroom and the latencies
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Tell GitHub Actions: an annotation for each failure, and a summary of the step
    #[arg(long)]
    github: bool,
}

impl ReportArguments {
    /// Whether a report is written that has a picture of the chatroom.
    pub(super) fn has_picture(&self) -> bool {
        self.html.is_some()
    }

    /// Writes the reports that were asked for.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub(super) fn write(&self, report: &Report) -> Result<(), Failure> {
        if let Some(path) = &self.junit {
            let text = report.to_junit().map_err(|error| Failure::new(ExitStatus::Bug, error, None))?;
            write(path, &text)?;
        }
        if let Some(path) = &self.json {
            write(path, &report.to_json())?;
        }
        if let Some(path) = &self.html {
            write(path, &report.to_html())?;
        }
        if self.github { tell_github(report) } else { Ok(()) }
    }
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    durable::replace(path, text.as_bytes()).map_err(cannot_write)
}

fn cannot_write(error: FileError) -> Failure {
    Failure::new(ExitStatus::Failed, error, Some("choose another file".to_owned()))
}

/// Annotations go to the output, from which the runner reads them; the summary is added to the step's own.
fn tell_github(report: &Report) -> Result<(), Failure> {
    anstream::print!("{}", report.to_annotations());
    match environment::step_summary() {
        Some(path) => append(&path, &report.to_markdown()),
        None => Ok(()),
    }
}

/// Adds to the summary of a step, which others may have begun.
pub(super) fn append(path: &Path, text: &str) -> Result<(), Failure> {
    let file = OpenOptions::new().create(true).append(true).open(path);
    let written = file.and_then(|mut file| file.write_all(format!("{text}\n").as_bytes()));
    written.map_err(FileError::new("write", path)).map_err(cannot_write)
}
