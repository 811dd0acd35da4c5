//! The fold over a journal: what is known of each resource, and the token its next call carries.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::base::ids::{ClientToken, CloudId, RegionId, StackName};
use crate::resource::observed::{Fields, Outputs};
use crate::resource::phase::{Happening, Phase};
use crate::resource::{Kind, ResourceAddress};
use crate::state::journal::{Event, Purpose};
use crate::state::vault::Kept;

/// Version of the journal's format: raised when what an older program knows means something else. It refuses a newer
/// version, an event or a field that it does not know.
pub const FORMAT: u32 = 1;

/// Whose state it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Version of the format.
    pub version: u32,
    /// Random, made with the state: no two states ever send the same token.
    pub lineage: String,
    /// Account in the cloud.
    pub account: String,
    /// Where the cloud is.
    pub endpoint: String,
    /// Region.
    pub region: RegionId,
    /// Stack.
    pub stack: StackName,
}

impl Identity {
    /// Of a new state.
    pub fn new(account: &str, endpoint: &str, region: RegionId, stack: StackName) -> Self {
        let lineage = uuid::Uuid::new_v4().simple().to_string();
        Self {
            version: FORMAT,
            lineage,
            account: account.to_owned(),
            endpoint: endpoint.to_owned(),
            region,
            stack,
        }
    }

    /// Whether a state of this identity may be used by a command with another; the lineage may differ.
    pub(super) fn check(&self, ours: &Self) -> Result<(), (String, String)> {
        if self.account == ours.account && self.endpoint == ours.endpoint {
            Ok(())
        } else {
            Err((self.to_string(), ours.to_string()))
        }
    }
}

impl std::fmt::Display for Identity {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "account {} at {}", self.account, self.endpoint)
    }
}

/// A call that was about to be sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InFlight {
    /// The exact call.
    pub call: Value,
    /// When; a token may have expired some time after.
    pub since: Timestamp,
    /// What for, when it leaves the resource in its phase.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<Purpose>,
}

/// What is known of one resource.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remembered {
    /// Where it is in its life.
    pub phase: Phase,
    /// How often it was made and removed before.
    pub generation: u32,
    /// How often the cloud refused to make it: a refusal is stored with its token.
    pub attempt: u32,
    /// How often it was made or changed: no two calls for it ever carry one token.
    pub revision: u32,
    /// The call whose outcome is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_flight: Option<InFlight>,
    /// What others need to know of it.
    pub outputs: Outputs,
    /// Its fields as they were last written or read.
    #[serde(default, skip_serializing_if = "Fields::is_empty")]
    pub fields: Fields,
    /// Whether it was there before and was taken over: it is then never deleted or replaced.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub adopted: bool,
    /// When something was last written down of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
}

/// All that is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Memory {
    /// Whose it is.
    pub identity: Identity,
    /// Number of the last event.
    pub sequence: u64,
    /// By address.
    pub resources: BTreeMap<ResourceAddress, Remembered>,
}

impl Memory {
    /// Of nothing.
    pub fn new(identity: Identity) -> Self {
        Self { identity, sequence: 0, resources: BTreeMap::new() }
    }

    /// Where a resource is in its life.
    pub fn phase(&self, address: &ResourceAddress) -> Phase {
        self.resources.get(address).map(|remembered| remembered.phase.clone()).unwrap_or_default()
    }

    /// The id of a resource, when it has one.
    pub fn id(&self, address: &ResourceAddress) -> Option<CloudId> {
        self.phase(address).id().cloned()
    }

    /// The ids of everything of a kind that has one, deposed ones included.
    pub fn ids(&self, kind: Kind) -> Vec<(ResourceAddress, CloudId)> {
        let of_kind = self.resources.iter().filter(|(address, _)| address.kind == kind);
        of_kind.filter_map(|(address, one)| Some((address.clone(), one.phase.id()?.clone()))).collect()
    }

    /// The token the next call for a resource carries: 32 hex digits that no other call ever has.
    pub fn next_token(&self, address: &ResourceAddress) -> ClientToken {
        let remembered = self.resources.get(address).cloned().unwrap_or_default();
        let text = format!(
            "{}\n{address}\n{}\n{}\n{}",
            self.identity.lineage, remembered.generation, remembered.attempt, remembered.revision
        );
        ClientToken::new(hex::encode(&Sha256::digest(text)[..16]))
    }

    /// The token of the next call for several resources, the first of which leads. Another company makes another token:
    /// one that was sent is never sent with other parameters.
    pub fn next_token_of_all(&self, addresses: &[ResourceAddress]) -> ClientToken {
        match addresses {
            [] => ClientToken::new(""),
            [address] => self.next_token(address),
            several => {
                let tokens = several.iter().map(|address| self.next_token(address).to_string());
                ClientToken::new(hex::encode(&Sha256::digest(tokens.collect::<String>())[..16]))
            }
        }
    }

    /// Calls whose outcome is not known: a command ended between sending and hearing.
    pub fn in_flight(&self) -> impl Iterator<Item = (&ResourceAddress, &Remembered)> {
        self.resources.iter().filter(|(_, remembered)| matches!(remembered.phase, Phase::Intended(_)))
    }

    /// Whether a call to remove a resource was sent, and nobody knows what became of it.
    pub fn is_leaving(&self, address: &ResourceAddress) -> bool {
        let flight = self.resources.get(address).and_then(|remembered| remembered.in_flight.as_ref());
        flight.is_some_and(|flight| flight.purpose == Some(Purpose::Remove))
    }

    /// Whether a call for a resource was sent, or was about to be, and nobody knows what became of it.
    pub fn is_under_way(&self, address: &ResourceAddress) -> bool {
        self.resources.get(address).is_some_and(|remembered| {
            remembered.in_flight.is_some() || matches!(remembered.phase, Phase::Intended(_))
        })
    }

    /// What is kept of the secrets of the call under way.
    pub(super) fn kept(&self, address: &ResourceAddress) -> Vec<Kept> {
        let flight = self.resources.get(address).and_then(|remembered| remembered.in_flight.as_ref());
        flight.into_iter().flat_map(|flight| Kept::of_call(&flight.call).into_values()).collect()
    }

    /// Whether an event can follow what came before.
    pub(super) fn accepts(&self, event: &Event) -> bool {
        match event {
            Event::Deposed { address, id } => self.id(address).as_ref() == Some(id),
            // What a call under way makes would be lost, were it not remembered.
            Event::Forgotten { address } => self.id(address).is_some() && !self.is_under_way(address),
            Event::Opened(_)
            | Event::Announced { .. }
            | Event::Answered { .. }
            | Event::Learned { .. }
            | Event::Adopted { .. }
            | Event::Restored { .. } => true,
            Event::Happened { address, happening, .. } => self.phase(address).on(happening).is_ok(),
        }
    }

    /// Takes in an event that can follow what came before.
    pub(super) fn apply(&mut self, sequence: u64, at: Timestamp, event: Event) {
        self.sequence = sequence;
        match event {
            Event::Opened(identity) => self.identity = identity,
            Event::Learned { address, outputs, fields } => {
                let remembered = self.resources.entry(address).or_default();
                remembered.at = Some(at);
                remembered.outputs.extend(outputs);
                remembered.fields.extend(fields);
            }
            Event::Adopted { address, id } => {
                let remembered = self.resources.entry(address).or_default();
                remembered.at = Some(at);
                remembered.adopted = true;
                remembered.revision += 1;
                remembered.phase = Phase::Ready(id);
                remembered.in_flight = None;
            }
            Event::Deposed { address, id } => self.depose(&address, &id),
            Event::Announced { address, purpose, call } => {
                let remembered = self.resources.entry(address).or_default();
                remembered.at = Some(at);
                remembered.revision += 1;
                remembered.in_flight = call.map(|call| InFlight { call, since: at, purpose: Some(purpose) });
            }
            Event::Answered { address } => {
                self.resources.entry(address).or_default().in_flight = None;
            }
            Event::Restored { address, remembered } => {
                self.resources.insert(address, *remembered);
            }
            // As if it were gone: its address is free, and its tokens go on counting.
            Event::Forgotten { address } => self.happen(at, address, &Happening::Remove, None),
            Event::Happened { address, happening, call } => self.happen(at, address, &happening, call),
        }
    }

    fn happen(
        &mut self,
        at: Timestamp,
        address: ResourceAddress,
        happening: &Happening,
        call: Option<Value>,
    ) {
        if address.is_deposed() && *happening == Happening::Remove {
            // Nothing is ever made at a deposed address: no counter is needed for the next one.
            self.resources.remove(&address);
            return;
        }
        let remembered = self.resources.entry(address).or_default();
        if let Ok(phase) = remembered.phase.clone().on(happening) {
            remembered.phase = phase;
            remembered.at = Some(at);
            remembered.count(happening);
            remembered.in_flight = call.map(|call| InFlight { call, since: at, purpose: None });
        }
    }

    fn depose(&mut self, address: &ResourceAddress, id: &CloudId) {
        for moved in address.with_what_it_takes() {
            if self.id(&moved).as_ref() != Some(id) {
                continue;
            }
            if let Some(old) = self.resources.remove(&moved) {
                let generation = old.generation + 1;
                let next = Remembered { generation, ..Remembered::default() };
                self.resources.insert(moved.deposed(id), old);
                self.resources.insert(moved, next);
            }
        }
    }
}

impl Remembered {
    fn count(&mut self, happening: &Happening) {
        match happening {
            Happening::Refuse => self.attempt += 1,
            Happening::Remove => {
                self.generation += 1;
                self.outputs.clear();
                self.fields.clear();
                self.adopted = false;
            }
            Happening::Accept(_) => self.revision += 1,
            Happening::Intend(_) if self.phase.id().is_some() => self.revision += 1,
            Happening::Intend(_) | Happening::Ready | Happening::Taint => {}
        }
    }
}
