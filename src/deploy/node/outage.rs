//! A node that is stopped for a while, to see what its clients do then.
//!
//! Before it is stopped, a timer is started on its host that starts it again: whatever becomes of who stopped it, and
//! of the way to the host, it is not away for longer. Who starts it again in time takes the timer away.

use std::time::Duration;

use minijinja::context;

use super::UNIT;
use crate::deploy::Note;
use crate::deploy::command;
use crate::deploy::error::DeployError;
use crate::deploy::host::Host;
use crate::deploy::step::Step;
use crate::deploy::template::{OUTAGE_SERVICE, OUTAGE_TIMER, render};

const TIMER: &str = "albatross-outage.timer";
const TIMER_FILE: &str = "/etc/systemd/system/albatross-outage.timer";
const SERVICE_FILE: &str = "/etc/systemd/system/albatross-outage.service";

/// Stops the node; its host starts it again after `limit` unless [`start_again`] does.
///
/// # Errors
/// When the host is another operator's just now, or cannot be asked. Then the node runs, or its host starts it.
pub async fn stop_for(host: &impl Host, limit: Duration, note: &Note) -> Result<(), DeployError> {
    let step = Step::begin(host, note).await?;
    let done = async {
        arm(&step, limit).await?;
        step.check(command::systemctl("stop", UNIT)).await?;
        Ok(())
    };
    let done = done.await;
    step.end(done).await
}

async fn arm(host: &impl Host, limit: Duration) -> Result<(), DeployError> {
    let timer = render(OUTAGE_TIMER, context! { seconds => limit.as_secs() })?;
    let service = render(OUTAGE_SERVICE, context! {})?;
    for (path, text) in [(TIMER_FILE, timer), (SERVICE_FILE, service)] {
        host.upload(path, text.into_bytes().into(), 0o644).await?;
    }
    host.check(command::daemon_reload()).await?;
    host.check(command::systemctl("restart", TIMER)).await?;
    Ok(())
}

/// Starts the node again, whoever is at work on the host, and takes the timer away.
///
/// # Errors
/// When the host cannot be asked, or the node does not start. While it does not, the timer stays.
pub async fn start_again(host: &impl Host) -> Result<(), DeployError> {
    host.check(command::systemctl("start", UNIT)).await?;
    // That it is over already is as well.
    host.run(command::systemctl("stop", TIMER)).await?;
    for path in [TIMER_FILE, SERVICE_FILE] {
        host.check(command::remove_all(path)).await?;
    }
    host.check(command::daemon_reload()).await?;
    Ok(())
}
