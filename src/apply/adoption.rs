//! Binds resources that are there to addresses of a topology. Nothing in the cloud is changed.
//!
//! 1. An id that is given binds; it must be there, of the kind, and of no other stack.
//! 2. What carries the tags of the stack is its own already.
//! 3. Else a name decides: the one we would have given, or the topology's own, when exactly one resource has it.
//! 4. What is named by another resource, such as a rule of a group or the listener on a port, follows from that.

use std::collections::BTreeMap;

use crate::apply::error::ApplyError;
use crate::apply::provider::Provider;
use crate::base::ids::CloudId;
use crate::cloud::transport::Client;
use crate::cloud::vpc::Selection;
use crate::cloud::{Tag, alb, dns, ecs, tag_value, vpc};
use crate::plan::desired::{Desired, Resource};
use crate::resource::observed::{Observed, Owner};
use crate::resource::ownership::STACK_TAG;
use crate::resource::spec::{ListenerSpec, RecordSpec, Spec};
use crate::resource::{Kind, ResourceAddress};

/// How a resource was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// Its id was given.
    ById,
    /// It has the tags of the stack, so it is the stack's own.
    ByTag,
    /// It is the only one with the name.
    ByName,
}

/// A resource that is bound to an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    /// Where it belongs.
    pub address: ResourceAddress,
    /// Its id.
    pub id: CloudId,
    /// How it was found.
    pub found: Found,
}

/// Something that could be meant and was not bound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Its id.
    pub id: CloudId,
    /// Its name.
    pub name: String,
    /// The stack it belongs to.
    pub stack: Option<String>,
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Adoption {
    /// What is bound.
    pub bindings: Vec<Binding>,
    /// Addresses for which more than one could be meant, or one that another stack has.
    pub unclear: BTreeMap<ResourceAddress, Vec<Candidate>>,
}

/// Why an id cannot be bound.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The cloud cannot be asked.
    #[error(transparent)]
    Apply(#[from] ApplyError),
    /// The topology has no such resource.
    #[error("the topology has no {0}")]
    NotInTopology(ResourceAddress),
    /// Its kind has no ids that could be given.
    #[error("{0} is not bound by an id: it follows from what it is in")]
    NoIds(ResourceAddress),
    /// The topology names it by id already.
    #[error("the topology itself names {address} by its id {id}")]
    NamedInTopology {
        /// The resource.
        address: ResourceAddress,
        /// The id there.
        id: CloudId,
    },
    /// There is no such thing.
    #[error("there is no {kind} {id} in the region, or it is in another network than the stack's")]
    Absent {
        /// The kind's word.
        kind: &'static str,
        /// The id given.
        id: CloudId,
    },
    /// Another stack has it.
    #[error("{id} belongs to stack {stack}, as its tags say")]
    OfAnotherStack {
        /// The id given.
        id: CloudId,
        /// Whose it is.
        stack: String,
    },
    /// Something else is bound there.
    #[error("{address} is {bound} already, not {id}")]
    Bound {
        /// The resource.
        address: ResourceAddress,
        /// What is bound.
        bound: CloudId,
        /// The id given.
        id: CloudId,
    },
    /// Two addresses for one thing.
    #[error("{id} is bound to {first} and to {second}")]
    Twice {
        /// The id.
        id: CloudId,
        /// One address.
        first: ResourceAddress,
        /// The other.
        second: ResourceAddress,
    },
}

/// Finds what could be bound; `given` are the ids that were named, `observed` is what is known to be the stack's.
///
/// # Errors
/// When an id that was given cannot be bound, or the cloud cannot be asked.
pub async fn find(
    provider: &Provider,
    desired: &Desired,
    observed: &Observed,
    given: &[(ResourceAddress, CloudId)],
) -> Result<Adoption, Refusal> {
    for (address, id) in given {
        check_given(desired, observed, address, id)?;
    }
    let mut adoption = Adoption::default();
    let mut listed: BTreeMap<Kind, Vec<Candidate>> = BTreeMap::new();
    for (address, found) in &observed.resources {
        if found.owner == Owner::Stack && provider.ledger.id(address).is_none() {
            adoption.bind(address, &found.id, Found::ByTag);
        }
    }
    for resource in desired.resources.values() {
        let address = &resource.address;
        let of_given = given.iter().find(|(one, _)| one == address).map(|(_, id)| id);
        let is_there = observed.resources.contains_key(address) || resource.spec.existing().is_some();
        if !has_a_list(address.kind) || (is_there && of_given.is_none()) {
            continue;
        }
        let candidates = match listed.get(&address.kind) {
            Some(candidates) => candidates.clone(),
            None => candidates(provider, resource, observed, &adoption).await?,
        };
        listed.insert(address.kind, candidates.clone());
        match of_given {
            Some(id) => adoption.bind_given(provider, address, id, candidates)?,
            None => adoption.bind_named(resource, provider, candidates),
        }
    }
    adoption.check_once()?;
    Ok(adoption)
}

/// Kinds that can be bound by id or name; the others follow from these.
pub fn has_a_list(kind: Kind) -> bool {
    match kind {
        Kind::Vpc
        | Kind::VSwitch
        | Kind::SecurityGroup
        | Kind::KeyPair
        | Kind::Instance
        | Kind::LoadBalancer
        | Kind::ServerGroup
        | Kind::Listener
        | Kind::Record => true,
        Kind::HostKey
        | Kind::SecurityRule
        | Kind::Redis
        | Kind::RedisInstance
        | Kind::RedisAccount
        | Kind::Release
        | Kind::Server
        | Kind::Certificate
        | Kind::ListenerRule => false,
    }
}

fn check_given(
    desired: &Desired,
    observed: &Observed,
    address: &ResourceAddress,
    id: &CloudId,
) -> Result<(), Refusal> {
    let Some(resource) = desired.resources.get(address) else {
        return Err(Refusal::NotInTopology(address.clone()));
    };
    if !has_a_list(address.kind) {
        return Err(Refusal::NoIds(address.clone()));
    }
    if let Some(named) = resource.spec.existing() {
        return Err(Refusal::NamedInTopology { address: address.clone(), id: named.clone() });
    }
    match observed.resources.get(address).filter(|found| found.id != *id) {
        Some(found) => {
            Err(Refusal::Bound { address: address.clone(), bound: found.id.clone(), id: id.clone() })
        }
        None => Ok(()),
    }
}

impl Adoption {
    fn bind(&mut self, address: &ResourceAddress, id: &CloudId, found: Found) {
        self.bindings.push(Binding { address: address.clone(), id: id.clone(), found });
    }

    fn id(&self, address: &ResourceAddress) -> Option<&CloudId> {
        self.bindings.iter().find(|one| one.address == *address).map(|one| &one.id)
    }

    fn bind_given(
        &mut self,
        provider: &Provider,
        address: &ResourceAddress,
        id: &CloudId,
        candidates: Vec<Candidate>,
    ) -> Result<(), Refusal> {
        let absent = || Refusal::Absent { kind: address.kind.word(), id: id.clone() };
        let found = candidates.into_iter().find(|one| one.id == *id).ok_or_else(absent)?;
        if let Some(stack) = found.stack.filter(|stack| *stack != provider.stack.as_str()) {
            return Err(Refusal::OfAnotherStack { id: id.clone(), stack });
        }
        self.bind(address, id, Found::ById);
        Ok(())
    }

    /// Exactly one with the name that is nobody's binds; several, or one of another stack, are told.
    fn bind_named(&mut self, resource: &Resource, provider: &Provider, candidates: Vec<Candidate>) {
        let names = names(resource, provider);
        let matching: Vec<Candidate> =
            candidates.into_iter().filter(|one| names.contains(&one.name.as_str())).collect();
        match matching.as_slice() {
            [] => {}
            [one] if one.stack.is_none() => {
                let id = one.id.clone();
                self.bind(&resource.address, &id, Found::ByName);
            }
            _ => {
                self.unclear.insert(resource.address.clone(), matching);
            }
        }
    }

    fn check_once(&self) -> Result<(), Refusal> {
        for (index, one) in self.bindings.iter().enumerate() {
            let twice = |other: &&Binding| other.id == one.id && other.address.kind == one.address.kind;
            let other = self.bindings[index + 1..].iter().find(twice);
            if let Some(other) = other.filter(|other| other.address.kind.has_an_id_of_its_own()) {
                let (first, second) = (one.address.clone(), other.address.clone());
                return Err(Refusal::Twice { id: one.id.clone(), first, second });
            }
        }
        Ok(())
    }
}

/// The name we would have given, and the topology's own: that of the stack for what it has one of.
fn names<'n>(resource: &'n Resource, provider: &'n Provider) -> Vec<&'n str> {
    let own = resource.address.name.as_str();
    let own = if own == "main" { provider.stack.as_str() } else { own };
    // What is listed by its place has it for a name.
    let placed = matches!(resource.spec, Spec::Listener(_) | Spec::Record(_)).then_some(PLACED);
    resource.name.as_deref().into_iter().chain([own]).chain(placed).collect()
}

/// Stands for the name of what is found by where it is.
const PLACED: &str = "";

/// What of the resource's kind is in the region, in its network where that is known.
async fn candidates(
    provider: &Provider,
    resource: &Resource,
    observed: &Observed,
    adoption: &Adoption,
) -> Result<Vec<Candidate>, ApplyError> {
    let client = &provider.client;
    let bound = |kind: Kind| {
        let address = ResourceAddress::only(kind);
        let found = observed.resources.get(&address).map(|found| found.id.clone());
        found.or_else(|| adoption.id(&address).cloned())
    };
    let network = bound(Kind::Vpc);
    let in_network = |vpc: &str| network.as_ref().is_none_or(|network| network.as_str() == vpc);
    let one = |id: &CloudId, name: &str, tags: &[Tag]| Candidate {
        id: id.clone(),
        name: name.to_owned(),
        stack: tag_value(tags, STACK_TAG).map(ToOwned::to_owned),
    };
    Ok(match &resource.spec {
        Spec::Vpc(_) => {
            let found = vpc::vpcs(client, Selection::All).await?;
            found.iter().map(|found| one(&found.vpc_id, &found.vpc_name, &found.tags.tag)).collect()
        }
        Spec::VSwitch(_) => {
            let found = vpc::vswitches(client, Selection::All).await?;
            let found = found.iter().filter(|found| in_network(found.vpc_id.as_str()));
            found.map(|found| one(&found.v_switch_id, &found.v_switch_name, &found.tags.tag)).collect()
        }
        Spec::SecurityGroup(_) => {
            let found = ecs::security_groups(client, Selection::All).await?;
            let found = found.iter().filter(|found| in_network(&found.vpc_id));
            found
                .map(|found| one(&found.security_group_id, &found.security_group_name, &found.tags.tag))
                .collect()
        }
        Spec::KeyPair(_) => {
            let found = ecs::key_pairs(client, Selection::All).await?;
            let found = found.iter();
            found
                .map(|found| one(&CloudId::new(&found.key_pair_name), &found.key_pair_name, &found.tags.tag))
                .collect()
        }
        Spec::Instance(_) => {
            let found = ecs::instances(client, Selection::All).await?;
            found.iter().map(|found| one(&found.instance_id, &found.instance_name, &found.tags.tag)).collect()
        }
        Spec::LoadBalancer(_) => {
            let found = alb::all_load_balancers(client).await?;
            let found = found.iter().filter(|found| in_network(&found.vpc_id));
            found.map(|found| one(&found.load_balancer_id, &found.load_balancer_name, &found.tags)).collect()
        }
        Spec::ServerGroup(_) => {
            let found = alb::all_server_groups(client).await?;
            let found = found.iter().filter(|found| in_network(&found.vpc_id));
            found.map(|found| one(&found.server_group_id, &found.server_group_name, &found.tags)).collect()
        }
        Spec::Listener(spec) => {
            let Some(balancer) = bound(Kind::LoadBalancer) else { return Ok(Vec::new()) };
            let found = alb::listeners(client, &balancer).await?;
            found.iter().map(|found| one(&found.listener_id, place(found, spec), &found.tags)).collect()
        }
        Spec::Record(spec) => records(client, spec).await?,
        Spec::SecurityRule(_)
        | Spec::HostKey(_)
        | Spec::Redis(_)
        | Spec::RedisInstance(_)
        | Spec::RedisAccount(_)
        | Spec::Release(_)
        | Spec::Server(_)
        | Spec::Certificate(_)
        | Spec::ListenerRule(_) => Vec::new(),
    })
}

/// A listener is known by where it listens; elsewhere by its description.
fn place<'f>(found: &'f alb::Listener, spec: &ListenerSpec) -> &'f str {
    let is_there = found.listener_port == spec.port && found.listener_protocol == spec.protocol;
    if is_there { PLACED } else { &found.listener_description }
}

async fn records(client: &Client, spec: &RecordSpec) -> Result<Vec<Candidate>, ApplyError> {
    let found = dns::records(client, &spec.domain, &spec.host).await?;
    let aliases = found.into_iter().filter(|found| found.kind == "CNAME");
    let stack = |remark: String| remark.strip_prefix("albatross.").map(str::to_owned);
    let candidate = |found: dns::Record| Candidate {
        id: found.record_id,
        name: PLACED.to_owned(),
        stack: found.remark.and_then(stack),
    };
    Ok(aliases.map(candidate).collect())
}

/// Writes down what was bound.
///
/// # Errors
/// When the disk refuses.
pub fn bind(provider: &Provider, adoption: &Adoption) -> Result<(), ApplyError> {
    for binding in adoption.bindings.iter().filter(|binding| binding.found != Found::ByTag) {
        provider.ledger.adopt(&binding.address, &binding.id)?;
    }
    Ok(())
}

/// Writes down what follows from what was bound: the servers that were in an adopted group. `observed` was read since.
///
/// # Errors
/// When the disk refuses.
pub fn bind_what_follows(provider: &Provider, observed: &Observed) -> Result<Vec<Binding>, ApplyError> {
    let group = observed.resources.get(&ResourceAddress::only(Kind::ServerGroup));
    if group.is_none_or(|group| group.owner != Owner::Adopted) {
        return Ok(Vec::new());
    }
    let memory = provider.ledger.memory();
    let servers = observed.resources.iter().filter(|(address, _)| address.kind == Kind::Server);
    let mut bindings = Vec::new();
    for (address, found) in servers.filter(|(address, _)| memory.id(address).is_none()) {
        provider.ledger.adopt(address, &found.id)?;
        bindings.push(Binding { address: address.clone(), id: found.id.clone(), found: Found::ByName });
    }
    Ok(bindings)
}
