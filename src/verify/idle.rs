//! `idle.survives`: a client that says nothing is still there after the listener's timeouts.
//!
//! What keeps it there is the node, which pings its clients more often than the load balancer loses patience.

use std::net::IpAddr;
use std::time::Duration;

use tokio::time::Instant;

use super::check::{Finding, Verdict};
use super::clients::{Person, words};
use super::scenario::Scenario;
use crate::socketio::ClientError;

/// How much longer than the timeout it stays.
const LONGER: Duration = Duration::from_secs(2);

/// Stays and says nothing, then takes a name to show that it can still talk.
pub(super) async fn check(scenario: &Scenario, address: IpAddr, nonce: &str) -> Verdict {
    let limit = scenario.listener_timeout;
    let wanted = limit + LONGER;
    let fail = |why: String| {
        Finding::new(format!(
            "expected a silent client to stay for {} s, longer than the listener's timeouts, but {why}",
            wanted.as_secs()
        ))
        .with("listener_timeout", format!("{} s", limit.as_secs()))
        .hint("`albatross plan FILE` shows timeouts that were changed by hand; the node's ping_interval is to be shorter")
    };
    let arrived = Person::arrive(scenario, &scenario.sources[0], address, format!("i-{nonce}")).await;
    let mut person = arrived.map_err(fail)?;
    let started = Instant::now();
    while let Some(left) = wanted.checked_sub(started.elapsed()) {
        match person.next_event(left).await {
            Ok(_) | Err(ClientError::TimedOut { .. }) => {}
            Err(error) => {
                let (after, node) = (started.elapsed().as_secs_f64(), person.on());
                return Err(fail(format!(
                    "it was cut off from {node} after {after:.1} s ({}); likely layer: the listener's timeouts, or the \
                     node's pings",
                    words(&error)
                )));
            }
        }
    }
    person.introduce(scenario.deadline).await.map_err(fail)?;
    let node = person.on().to_owned();
    person.leave().await;
    Ok(Finding::new(format!("a silent client stayed on {node} for {} s", wanted.as_secs()))
        .with("listener_timeout", format!("{} s", limit.as_secs()))
        .with("node", node))
}
