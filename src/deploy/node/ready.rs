//! What a node answers when it is asked whether it is ready, and for how long it is asked.

use std::net::Ipv4Addr;
use std::time::Duration;

use tokio::time::Instant;

use super::UNIT;
use crate::deploy::command;
use crate::deploy::error::DeployError;
use crate::deploy::host::Host;
use crate::deploy::unit;

/// How long a node that runs may take until it is ready again, after something beside it was changed.
const PATIENCE: Duration = Duration::from_secs(30);

/// Looks until the node of a host is ready; the inner error is why it will not be.
///
/// # Errors
/// When the host cannot be asked.
pub async fn wait_until_ready(
    host: &impl Host,
    place: (Ipv4Addr, u16),
    path: &str,
) -> Result<Result<(), String>, DeployError> {
    stay_ready(host, (place, path), Duration::ZERO, PATIENCE).await
}

/// Looks until the node of a host has been ready for a time; the inner error is why it will not be.
pub(super) async fn stay_ready(
    host: &impl Host,
    ((address, port), path): ((Ipv4Addr, u16), &str),
    healthy_time: Duration,
    deadline: Duration,
) -> Result<Result<(), String>, DeployError> {
    let started = Instant::now();
    let mut ready_since: Option<(Instant, u32)> = None;
    for look in 0.. {
        let answer = probe(host, (address, port), path).await?;
        if answer.is_ready() && healthy_time.is_zero() {
            return Ok(Ok(()));
        }
        let state = unit::state(host, UNIT).await?;
        if !answer.is_ready() && state.is_hopeless() {
            return Ok(Err(state.words()));
        }
        // One that ended between two looks and was started again has not been ready all the time.
        let before = ready_since.filter(|(_, restarts)| answer.is_ready() && *restarts == state.restarts());
        let since = before.map_or_else(Instant::now, |(since, _)| since);
        ready_since = answer.is_ready().then_some((since, state.restarts()));
        if ready_since.is_some_and(|(since, _)| since.elapsed() >= healthy_time) {
            return Ok(Ok(()));
        }
        if started.elapsed() > deadline {
            return Ok(Err(too_late((&answer, path), healthy_time, deadline)));
        }
        unit::pause(look).await;
    }
    unreachable!("the loop has no end of its own")
}

fn too_late((answer, path): (&Answer, &str), healthy_time: Duration, deadline: Duration) -> String {
    let seconds = deadline.as_secs();
    if answer.is_ready() {
        let healthy = healthy_time.as_secs();
        return format!("it has not been ready for {healthy} s in a row after {seconds} s");
    }
    format!("{path} says {} after {seconds} s", answer.words())
}

/// Asks once; the inner error is what it says instead.
///
/// # Errors
/// When the host cannot be asked.
pub(in crate::deploy) async fn ask(
    host: &impl Host,
    (address, port): (Ipv4Addr, u16),
    path: &str,
) -> Result<Result<(), String>, DeployError> {
    let answer = probe(host, (address, port), path).await?;
    Ok(if answer.is_ready() { Ok(()) } else { Err(answer.words()) })
}

async fn probe(
    host: &impl Host,
    (address, port): (Ipv4Addr, u16),
    path: &str,
) -> Result<Answer, DeployError> {
    let answer = host.run(command::probe(address, port, path)).await?;
    Ok(Answer::read(&String::from_utf8_lossy(&answer.stdout), &answer.tail(1)))
}

/// What a probe of the node came back with.
struct Answer {
    status: String,
    text: String,
}

impl Answer {
    /// The body, then on a line of its own the status; `000` without an answer.
    fn read(printed: &str, complaint: &str) -> Self {
        let (body, status) = printed.rsplit_once('\n').unwrap_or(("", printed));
        let body = body.lines().next().unwrap_or_default();
        let text = if status == "000" || status.is_empty() { complaint } else { body };
        Self { status: status.to_owned(), text: text.chars().take(200).collect() }
    }

    fn is_ready(&self) -> bool {
        self.status.len() == 3 && self.status.starts_with('2')
    }

    fn words(&self) -> String {
        match (self.status.as_str(), self.text.as_str()) {
            ("" | "000", "") => "nothing".to_owned(),
            ("" | "000", text) => format!("nothing ({text})"),
            (status, "") => status.to_owned(),
            (status, text) => format!("{status} ({text})"),
        }
    }
}
