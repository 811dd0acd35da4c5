//! The reports of `verify` and `smoke`: which ones are written, and where.

use std::path::{Path, PathBuf};

use crate::base::durable;
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
}

impl ReportArguments {
    /// Writes the reports that were asked for.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub(super) fn write(&self, report: &Report) -> Result<(), Failure> {
        if let Some(path) = &self.junit {
            let text = report.to_junit().map_err(|error| Failure::new(ExitStatus::Bug, error, None))?;
            write(path, &text)?;
        }
        self.json.as_ref().map_or(Ok(()), |path| write(path, &report.to_json()))
    }
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    durable::replace(path, text.as_bytes())
        .map_err(|error| Failure::new(ExitStatus::Failed, error, Some("choose another file".to_owned())))
}
