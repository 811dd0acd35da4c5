//! Packages, installed only when something is missing, before anything else of the host is changed.

use std::time::Duration;

use super::Note;
use super::command;
use super::error::DeployError;
use super::facts::{Facts, PackageManager};
use super::host::Host;
use super::unit;
use crate::ssh::Output;

/// A freshly booted host may be installing updates of its own.
const LOCK_PATIENCE: Duration = Duration::from_mins(3);
/// What the tools print when they cannot reach where packages come from. `apt-get update` ends with status 0 then.
const UNREACHABLE: [&str; 8] = [
    "Failed to fetch",
    "Could not resolve",
    "Unable to connect",
    "Could not connect",
    "Cannot download repomd",
    "Failed to download metadata",
    "Cannot prepare internal mirrorlist",
    "Curl error",
];

/// Installs packages.
pub(super) async fn install(
    host: &impl Host,
    facts: &Facts,
    packages: &[&str],
    note: &Note,
) -> Result<(), DeployError> {
    let wanted = packages.join(" ");
    note(&format!("{}: installing {wanted} ({})", host.name(), facts.distribution));
    let (update, install) = match facts.package_manager {
        PackageManager::Apt => (
            Some(patiently(host, command::apt_update).await?),
            patiently(host, || command::apt_install(packages)).await?,
        ),
        // dnf reads its repositories first by itself.
        PackageManager::Dnf => (None, patiently(host, || command::dnf_install(packages)).await?),
    };
    judge(host, &wanted, update.as_ref(), &install)
}

/// Runs a package tool, again while another one holds its lock.
async fn patiently(host: &impl Host, build: impl Fn() -> crate::ssh::Command) -> Result<Output, DeployError> {
    let started = tokio::time::Instant::now();
    for look in 0.. {
        let output = host.run(build()).await?;
        let is_busy = output.status != 0 && text(&output).contains("Could not get lock");
        if !is_busy || started.elapsed() > LOCK_PATIENCE {
            return Ok(output);
        }
        unit::pause(look).await;
    }
    unreachable!("the loop has no end of its own")
}

/// What the tools came to. Where it could be installed, a repository that is away is one too many.
fn judge(
    host: &impl Host,
    package: &str,
    update: Option<&Output>,
    install: &Output,
) -> Result<(), DeployError> {
    if install.status == 0 {
        return Ok(());
    }
    let (host, package) = (host.name().to_owned(), package.to_owned());
    let is_unreachable = |output: &&Output| UNREACHABLE.iter().any(|phrase| text(output).contains(phrase));
    Err(match update.into_iter().chain([install]).find(is_unreachable) {
        Some(told) => DeployError::RepositoryUnreachable { host, package, tail: told.tail(6) },
        None => DeployError::PackageFailed { host, package, tail: install.tail(6) },
    })
}

fn text(output: &Output) -> String {
    format!("{}\n{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}
