//! Where the cloud and the state of a smoke run live: a folder of its own that goes with it, or this one.

use std::path::Path;
use std::process::Child;

use crate::cli::GlobalOptions;
use crate::cli::exit::ExitStatus;
use crate::cli::failure::Failure;
use crate::cli::local::{CloudOptions, LocalCloud};

/// A cloud, and the options with which commands use it.
pub(super) struct Home {
    pub(super) options: GlobalOptions,
    pub(super) cloud: LocalCloud,
    /// Ends the cloud when dropped: its standard input closes.
    _child: Option<Running>,
    folder: Option<tempfile::TempDir>,
}

/// A child process that is waited for once its standard input has been closed.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        // The cloud ends by itself now; waiting lets it remove its files. Nothing can be done about an error here.
        let _ = self.0.wait();
    }
}

impl Home {
    /// Starts the cloud: one that ends with this command, or with `keep` the one of the state folder.
    ///
    /// # Errors
    /// When it cannot be started.
    pub(super) async fn new(
        options: &GlobalOptions,
        cloud_options: &CloudOptions,
        region: &str,
        keep: bool,
    ) -> Result<Self, Failure> {
        let mut options = GlobalOptions { local: true, endpoint: None, ..options.clone() };
        if keep {
            let cloud = LocalCloud::start(options.state_dir(), cloud_options, Some(region)).await?;
            return Ok(Self { options, cloud, _child: None, folder: None });
        }
        let folder = tempfile::Builder::new().prefix("albatross-smoke-").tempdir();
        let folder = folder.map_err(|error| Failure::new(ExitStatus::Failed, error, None))?;
        options.state_dir = Some(folder.path().join("state"));
        let (child, cloud) = LocalCloud::start_for_this_command(folder.path(), cloud_options, Some(region))?;
        Ok(Self { options, cloud, _child: Some(Running(child)), folder: Some(folder) })
    }

    /// The folder that goes with the run, when there is one.
    pub(super) fn folder(&self) -> Option<&Path> {
        self.folder.as_ref().map(tempfile::TempDir::path)
    }
}
