//! Reads what there is of a stack: from the cloud by tag and remark, from the hosts over SSH.
//!
//! 1. The lists of all kinds are asked for at once; each resource says by its tags which one it is.
//! 2. What the journal knows and no list shows is asked for by id, for a short while: lists lag behind writes, and
//!    somebody may have taken a tag away.
//! 3. Hosts that run and whose key is pinned are read over verified SSH, all at once. One that cannot be reached makes
//!    its resources unknown, never an error.
//!
//! Nothing is changed, in the cloud or on the hosts.

mod images;
mod machines;
mod placing;
mod reader;

use std::time::Duration;

use crate::apply::error::ApplyError;
use crate::apply::provider::Provider;
use crate::base::retry::{Backoff, Deadline};
use crate::plan::desired::Desired;
use crate::resource::observed::{Observation, Observed, Owner};
use crate::resource::phase::Phase;
use crate::state::Memory;

/// How long a list may lag behind what the journal knows for sure.
const LAG: Duration = Duration::from_secs(10);

/// Whether hosts are read too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// The cloud alone: destroy needs no host.
    Cloud,
    /// The cloud and the hosts.
    CloudAndHosts,
}

/// Reads what there is.
///
/// # Errors
/// When the cloud cannot be asked.
pub async fn refresh(provider: &Provider, desired: &Desired, depth: Depth) -> Result<Observed, ApplyError> {
    let memory = provider.ledger.memory();
    let deadline = Deadline::after(LAG);
    let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(1));
    let mut observed = loop {
        let observed = reader::read(provider, desired, &memory).await?;
        if !is_missing_something(&memory, &observed) || !backoff.wait(&deadline).await {
            break observed;
        }
    };
    mark_tainted(&memory, &mut observed);
    if depth == Depth::CloudAndHosts {
        let machines = machines::read(provider, desired, &mut observed);
        let ((), newest_images) = tokio::join!(machines, images::newest(provider, desired));
        observed.newest_images = newest_images;
    }
    Ok(observed)
}

/// Whether the journal is sure of something that no list shows.
fn is_missing_something(memory: &Memory, observed: &Observed) -> bool {
    memory.resources.iter().any(|(address, remembered)| match &remembered.phase {
        // Where it is does not matter: what is inside of something deposed is known to be deposed when it is seen.
        Phase::Ready(id) if !address.kind.is_on_host() => {
            let is_it = |found: &Observation| found.id == *id;
            !observed.resources.iter().any(|(one, found)| one.kind == address.kind && is_it(found))
        }
        Phase::Ready(_) | Phase::Absent | Phase::Intended(_) | Phase::Accepted(_) | Phase::Tainted(_) => {
            false
        }
    })
}

fn mark_tainted(memory: &Memory, observed: &mut Observed) {
    for (address, remembered) in &memory.resources {
        let Phase::Tainted(id) = &remembered.phase else { continue };
        let found = observed.resources.get(address);
        if found.is_some_and(|found| found.id == *id && found.owner == Owner::Stack) {
            observed.tainted.insert(address.clone());
        }
    }
}
