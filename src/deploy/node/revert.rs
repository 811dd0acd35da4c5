//! What happens when whoever changes a node dies in the middle: the host puts the release before back by itself.
//!
//! Before anything in force is changed, what is in force is laid aside in a folder, and a timer is started. It is
//! stopped when the other release has been seen ready, or the one before again. When nobody stops it, its service moves
//! everything back: a list of commands, each of which can be left out if it was done, and no shell. First of all it ends
//! the step that began the change, so that no command of it comes late.
//!
//! The link `ready` in the folder is written last and taken away last: where it is, the folder says what the release
//! before was, and what is not in the folder any more is in its place again.

use std::time::Duration;

use minijinja::context;

use super::install::Previous;
use super::kept::name_of;
use super::{ENVIRONMENT, Files, UNIT_FILE};
use crate::deploy::command;
use crate::deploy::error::DeployError;
use crate::deploy::host::Host;
use crate::deploy::inspect;
use crate::deploy::template::{REVERT_SERVICE, REVERT_TIMER, render};

const FOLDER: &str = "/opt/albatross/before";
const ASIDE_ENVIRONMENT: &str = "/opt/albatross/before/chat-node.env";
const ASIDE_UNIT: &str = "/opt/albatross/before/chat-node.service";
/// Becomes `current`.
const ASIDE_CURRENT: &str = "/opt/albatross/before/current";
/// Becomes `ready`.
const ASIDE_READY: &str = "/opt/albatross/before/ready";
const TIMER: &str = "albatross-revert.timer";
const SERVICE: &str = "albatross-revert.service";
const TIMER_FILE: &str = "/etc/systemd/system/albatross-revert.timer";
const SERVICE_FILE: &str = "/etc/systemd/system/albatross-revert.service";
/// What stopping, starting, and telling how it went may take beside the time a release is given.
const MARGIN: Duration = Duration::from_mins(1);

/// The release before, when a change of it was begun and nobody has said how it went.
pub(super) async fn laid_aside(host: &impl Host) -> Result<Option<Previous>, DeployError> {
    let target = host.run(command::link_targets(&[ASIDE_READY])).await?.text();
    let release = name_of(target.trim());
    if release.is_empty() {
        return Ok(None);
    }
    let environment = either(host, ASIDE_ENVIRONMENT, ENVIRONMENT).await?;
    let unit = either(host, ASIDE_UNIT, UNIT_FILE).await?;
    let files = environment.zip(unit).map(|(environment, unit)| Files { environment, unit });
    Ok(files.map(|files| Previous { release, files }))
}

async fn either(host: &impl Host, first: &str, second: &str) -> Result<Option<String>, DeployError> {
    match inspect::text(host, first).await? {
        Some(text) => Ok(Some(text)),
        None => inspect::text(host, second).await,
    }
}

/// Stops the timer of an earlier change, and what it has begun.
pub(super) async fn disarm(host: &impl Host) -> Result<(), DeployError> {
    // That there is none is what is wanted.
    host.run(command::systemctl("stop", TIMER)).await?;
    host.run(command::systemctl("stop", SERVICE)).await?;
    Ok(())
}

/// Lays the release before aside and starts the timer; a change may take `limit` from now on.
pub(super) async fn arm(host: &impl Host, previous: &Previous, limit: Duration) -> Result<(), DeployError> {
    let target = format!("releases/{}", previous.release);
    host.check(command::folder(FOLDER, "0700")).await?;
    host.upload(ASIDE_ENVIRONMENT, previous.files.environment.as_bytes().into(), 0o600).await?;
    host.upload(ASIDE_UNIT, previous.files.unit.as_bytes().into(), 0o644).await?;
    host.check(command::link(&target, ASIDE_CURRENT)).await?;
    host.check(command::link(&target, ASIDE_READY)).await?;
    let seconds = (limit + MARGIN).as_secs();
    let timer = render(REVERT_TIMER, context! { seconds })?;
    let service = render(REVERT_SERVICE, context! {})?;
    for (path, text) in [(TIMER_FILE, timer), (SERVICE_FILE, service)] {
        host.upload(path, text.into_bytes().into(), 0o644).await?;
    }
    host.check(command::daemon_reload()).await?;
    restart(host).await
}

/// Lets the timer begin again.
pub(super) async fn restart(host: &impl Host) -> Result<(), DeployError> {
    host.check(command::systemctl("restart", TIMER)).await?;
    Ok(())
}

/// What is in force is good: nothing goes back any more.
pub(super) async fn confirm(host: &impl Host) -> Result<(), DeployError> {
    disarm(host).await?;
    host.check(command::remove_all(FOLDER)).await?;
    Ok(())
}

/// The same, where anything was laid aside, be it in part.
pub(super) async fn confirm_if_laid_aside(host: &impl Host) -> Result<(), DeployError> {
    let there = host.run(command::names(FOLDER)).await?;
    if there.status == 0 { confirm(host).await } else { Ok(()) }
}

/// Takes all of it off the host.
pub(super) async fn remove(host: &impl Host) -> Result<(), DeployError> {
    confirm(host).await?;
    for path in [TIMER_FILE, SERVICE_FILE] {
        host.check(command::remove_all(path)).await?;
    }
    Ok(())
}
