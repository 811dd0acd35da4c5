//! First thing in every mutating command: finds out what became of what an earlier one began.
//!
//! 1. A call whose outcome is not known is sent again as it was, token included: the cloud answers with what the
//!    first one made. A call that carries no token is left to [`super::refresh`], which looks by name.
//!    An old one is not sent again either: its token may have expired, and it would make a second resource.
//! 2. A resource that has an id but was never seen ready is waited for; one that broke is marked, to be made anew.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::Value;

use crate::apply::error::ApplyError;
use crate::apply::provider::{Provider, created_id};
use crate::base::clock;
use crate::base::ids::CloudId;
use crate::cloud::call::Call;
use crate::cloud::error::CloudError;
use crate::resource::observed::{Fields, Observed, Owner};
use crate::resource::phase::Phase;
use crate::resource::settings::is_shown_only;
use crate::resource::{Kind, ResourceAddress};
use crate::state::StateError;
use crate::state::memory::InFlight;

/// How long a token is trusted to give the first answer again. The cloud does not say; after that, look first.
const TOKEN_LIFETIME: Duration = Duration::from_mins(30);

/// What was found out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Calls sent again.
    pub resent: usize,
    /// Resources waited for.
    pub settled: usize,
}

/// Finds out what became of what an earlier command began.
///
/// # Guarantees
/// Nothing is made that the journal does not know: a call is sent again with its own token, or not at all.
///
/// # Errors
/// When the cloud cannot be asked.
pub async fn recover(provider: &Provider) -> Result<Recovered, ApplyError> {
    let resent = resend(provider).await?;
    let settled = settle(provider).await?;
    Ok(Recovered { resent, settled })
}

async fn resend(provider: &Provider) -> Result<usize, ApplyError> {
    let mut resent = 0;
    let memory = provider.ledger.memory();
    for (address, remembered) in memory.in_flight() {
        let Some(flight) = remembered.in_flight.as_ref() else { continue };
        let call = match provider.ledger.call_of(flight) {
            Err(StateError::SecretElsewhere { .. }) if !is_young(flight) => None,
            call => call?,
        };
        let Some(call) = call.filter(|call| is_still_good(address, call, flight)) else { continue };
        resent += 1;
        match provider.client.call::<Value>(&call).await {
            Ok(reply) => {
                let id = created_id(address, &reply);
                let missing =
                    || ApplyError::Missing { address: address.clone(), what: "id in the cloud's answer" };
                provider.ledger.accept(address, &id.ok_or_else(missing)?)?;
            }
            // Refused for good, as the first one was. What passes must be asked again later, and a gateway that does
            // not let us in knows nothing of the first one.
            Err(error) if error.is_final_refusal() && !error.is_of_the_gateway() => {
                provider.ledger.refuse(address)?;
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(resent)
}

/// Whether sending a call again cannot make a second resource: it creates, carries a token, and the token is young.
fn is_still_good(address: &ResourceAddress, call: &Call, flight: &InFlight) -> bool {
    let creates = call.action.starts_with("Create")
        || matches!(call.action.as_str(), "RunInstances" | "UploadUserCertificate");
    let has_token = ["ClientToken", "Token"].iter().any(|name| call.query.contains_key(*name));
    let good = is_settled(address.kind) && creates && has_token;
    good && is_young(flight)
}

/// Whether the token of a call is trusted to give the first answer again.
fn is_young(flight: &InFlight) -> bool {
    let age = Duration::try_from(clock::now().duration_since(flight.since)).unwrap_or(Duration::MAX);
    age < TOKEN_LIFETIME
}

/// Takes into the journal what was found of the stack and is not known there: made before the state was lost, or by a
/// call that was too old to be sent again.
///
/// # Errors
/// When the disk refuses.
pub fn adopt(provider: &Provider, observed: &Observed) -> Result<(), ApplyError> {
    let ours = observed.resources.iter().filter(|(_, found)| found.owner == Owner::Stack);
    for (address, found) in ours {
        if address.is_deposed() {
            // Deposed with what it is inside of, or made twice by a call that nobody remembers.
            provider.ledger.depose(&address.successor(), &found.id)?;
        }
        if provider.ledger.id(address).is_none() {
            provider.ledger.accept(address, &found.id)?;
            provider.ledger.ready(address, &found.outputs, &found.fields)?;
        }
    }
    forget_what_is_gone(provider, observed)
}

/// Deposed resources that are not there any more. On machines that could not be read they go with the machine.
fn forget_what_is_gone(provider: &Provider, observed: &Observed) -> Result<(), ApplyError> {
    let is_there = |address: &ResourceAddress| observed.resources.contains_key(address);
    for address in provider.ledger.memory().resources.keys().filter(|address| address.is_deposed()) {
        let machine = address.on_same_machine(Kind::Instance);
        let stands = is_there(address) || (address.kind.is_on_host() && is_there(&machine));
        if !stands {
            provider.ledger.remove(address)?;
        }
    }
    finish_accepted(provider, observed)
}

/// What has an id, is not waited for and was seen, is ready: the command that made it ended before it could say so.
fn finish_accepted(provider: &Provider, observed: &Observed) -> Result<(), ApplyError> {
    for (address, remembered) in &provider.ledger.memory().resources {
        let found = observed.resources.get(address);
        if let (Phase::Accepted(id), Some(found)) = (&remembered.phase, found)
            && !is_settled(address.kind)
            && *id == found.id
        {
            provider.ledger.ready(address, &found.outputs, &found.fields)?;
        }
    }
    Ok(())
}

/// Forgets the whole stack, once the cloud has shown that nothing of it is left: a command that ended between a
/// deletion and its line left more in the journal.
///
/// # Errors
/// When the disk refuses.
pub fn forget_all(provider: &Provider) -> Result<(), ApplyError> {
    let memory = provider.ledger.memory();
    let known = memory.resources.iter().filter(|(_, remembered)| remembered.phase.id().is_some());
    for (address, _) in known {
        provider.ledger.remove(address)?;
    }
    Ok(())
}

/// What becomes of a difference that no call mends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unmendable {
    /// It is shown again by the next plan.
    GoesOnShowing,
    /// It is taken as it is.
    Accepted,
}

/// Writes down what these resources are and others know of them, where the journal has something else or nothing.
///
/// # Errors
/// When the disk refuses.
pub fn learn<'a>(
    provider: &Provider,
    observed: &Observed,
    addresses: impl Iterator<Item = &'a ResourceAddress>,
    unmendable: Unmendable,
) -> Result<(), ApplyError> {
    let memory = provider.ledger.memory();
    for (address, found) in addresses.filter_map(|address| Some((address, observed.resources.get(address)?)))
    {
        let remembered = memory.resources.get(address).cloned().unwrap_or_default();
        let mut fields = found.fields.clone();
        if unmendable == Unmendable::GoesOnShowing {
            let as_left = |field: &String| remembered.fields.contains_key(field);
            fields.retain(|field, _| !(is_shown_only(address.kind, field) && as_left(field)));
        }
        let is_new = fields.iter().any(|(field, value)| remembered.fields.get(field) != Some(value));
        if is_new || remembered.outputs != found.outputs {
            provider.ledger.learn(address, &found.outputs, &fields)?;
        }
    }
    Ok(())
}

/// Takes what there is into the journal as if it had been left so: what is different, what is gone, what is new.
///
/// # Errors
/// When the disk refuses.
pub fn take_in(provider: &Provider, observed: &Observed) -> Result<(), ApplyError> {
    let gone = observed.applied.keys();
    let gone = gone.filter(|address| {
        !observed.resources.contains_key(*address) && !observed.unknown.contains_key(*address)
    });
    for address in gone {
        provider.ledger.remove(address)?;
    }
    adopt(provider, observed)?;
    learn(provider, observed, observed.resources.keys(), Unmendable::Accepted)
}

/// Kinds whose creating call answers with an id and takes a token: whatever ended the command that sent it, the next
/// one finds out what became of it, and waits until it is ready.
pub(super) fn is_settled(kind: Kind) -> bool {
    match kind {
        Kind::Vpc
        | Kind::VSwitch
        | Kind::SecurityGroup
        | Kind::Instance
        | Kind::RedisInstance
        | Kind::LoadBalancer
        | Kind::ServerGroup
        | Kind::Certificate
        | Kind::Listener
        | Kind::ListenerRule => true,
        Kind::KeyPair
        | Kind::HostKey
        | Kind::SecurityRule
        | Kind::Redis
        | Kind::RedisAccount
        | Kind::Release
        | Kind::Server
        | Kind::Record => false,
    }
}

async fn settle(provider: &Provider) -> Result<usize, ApplyError> {
    let memory = provider.ledger.memory();
    let accepted = memory.resources.iter().filter_map(|(address, remembered)| match &remembered.phase {
        // What is deposed goes, however far it is.
        Phase::Accepted(id) if is_settled(address.kind) && !address.is_deposed() => Some((address, id)),
        Phase::Accepted(_) | Phase::Absent | Phase::Intended(_) | Phase::Ready(_) | Phase::Tainted(_) => None,
    });
    let waits: Vec<_> = accepted.map(|(address, id)| settle_one(provider, address, id)).collect();
    let settled = waits.len();
    join_all(waits).await.into_iter().collect::<Result<Vec<()>, ApplyError>>()?;
    Ok(settled)
}

async fn settle_one(provider: &Provider, address: &ResourceAddress, id: &CloudId) -> Result<(), ApplyError> {
    match provider.ready(address, id).await {
        Ok(outputs) => Ok(provider.ledger.ready(address, &outputs, &Fields::new())?),
        Err(ApplyError::Cloud(CloudError::Broken { .. })) => Ok(provider.ledger.taint(address)?),
        Err(ApplyError::Cloud(CloudError::Vanished { .. })) => Ok(provider.ledger.remove(address)?),
        // Still being made: refresh sees how far it is, and the plan says what that means.
        Err(ApplyError::Cloud(CloudError::TimedOut { .. }) | ApplyError::Stopped { .. }) => Ok(()),
        Err(error) => Err(error),
    }
}
