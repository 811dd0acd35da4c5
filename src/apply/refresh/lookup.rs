//! How single kinds are asked for: by the ids that the journal has, else by tag, and in as few calls as tell all.

use std::future::Future;

use super::observations::{
    of_certificate, of_key_pair, of_listener, of_listener_rule, of_load_balancer, of_redis_instance,
    of_security_group, of_server_group, of_vpc, of_vswitch,
};
use super::reader::user_tags;
use crate::apply::error::ApplyError;
use crate::base::ids::{CloudId, StackName};
use crate::cloud::error::CloudError;
use crate::cloud::transport::Client;
use crate::cloud::vpc::Selection;
use crate::cloud::{alb, alb_rules, cas, ecs, redis, tag_value, vpc};
use crate::plan::desired::Desired;
use crate::resource::observed::Observation;
use crate::resource::ownership::{STACK_TAG, console_name};
use crate::resource::phase::Phase;
use crate::resource::spec::VSwitchSpec;
use crate::resource::{Kind, ResourceAddress};
use crate::state::Memory;

/// A security group, with its rules when they came along.
pub(super) struct FoundGroup {
    /// Where the journal has it; none when only its tags can tell.
    pub(super) address: Option<ResourceAddress>,
    pub(super) item: ecs::SecurityGroup,
    pub(super) rules: Option<Vec<ecs::Permission>>,
}

/// The same with the error of this layer.
pub(super) async fn wrapped<T>(work: impl Future<Output = Result<T, CloudError>>) -> Result<T, ApplyError> {
    Ok(work.await?)
}

/// The ids that the journal has of a kind; none when it has none, or waits for an answer: then a list has to be asked.
fn known(memory: &Memory, kind: Kind) -> Vec<(ResourceAddress, CloudId)> {
    let of_kind = || memory.resources.iter().filter(|(address, _)| address.kind == kind);
    if of_kind().any(|(_, remembered)| matches!(remembered.phase, Phase::Intended(_))) {
        return Vec::new();
    }
    of_kind().filter_map(|(address, one)| Some((address.clone(), one.phase.id()?.clone()))).collect()
}

/// One call tells a group and its rules, but not its tags; only an unknown one is looked for by tag.
pub(super) async fn security_groups(
    client: &Client,
    (desired, memory): (&Desired, &Memory),
    stack: &str,
) -> Result<Vec<FoundGroup>, ApplyError> {
    let mut groups = Vec::new();
    for (address, id) in known(memory, Kind::SecurityGroup) {
        if let Some((mut item, rules)) = ecs::rules_of(client, &id).await? {
            if !user_tags(&address, desired, memory).is_empty() {
                let listed = ecs::security_groups(client, Selection::Id(&id)).await?;
                item.tags = listed.into_iter().next().map(|listed| listed.tags).unwrap_or_default();
            }
            groups.push(FoundGroup { address: Some(address), item, rules: Some(rules) });
        }
    }
    if groups.is_empty() {
        let listed = ecs::security_groups(client, Selection::Tag(STACK_TAG, stack)).await?;
        groups.extend(listed.into_iter().map(|item| FoundGroup { address: None, item, rules: None }));
    }
    Ok(groups)
}

/// Whether a load balancer stays: one that is being deleted takes nothing any more, for however long it is shown.
fn stays(balancer: &alb::LoadBalancer) -> bool {
    balancer.load_balancer_status != "Deleting"
}

/// Only a load balancer's own call tells its zones; only unknown ones are looked for by tag.
pub(super) async fn load_balancers(
    client: &Client,
    memory: &Memory,
    stack: &str,
) -> Result<Vec<(Option<ResourceAddress>, alb::LoadBalancer)>, ApplyError> {
    let mut balancers = Vec::new();
    for (address, id) in known(memory, Kind::LoadBalancer) {
        let found = alb::load_balancer(client, &id).await?;
        balancers.extend(found.map(|found| (Some(address), found)));
    }
    if balancers.is_empty() {
        for listed in alb::load_balancers(client, STACK_TAG, stack).await? {
            if let Some(mut found) = alb::load_balancer(client, &listed.load_balancer_id).await? {
                found.tags = listed.tags;
                balancers.push((None, found));
            }
        }
    }
    balancers.retain(|(_, found)| stays(found));
    Ok(balancers)
}

/// Those of the stack, where the topology or the journal has any: who has none needs no permission to ask.
pub(super) async fn redis_instances(
    client: &Client,
    (desired, memory): (&Desired, &Memory),
    stack: &str,
) -> Result<Vec<redis::Instance>, ApplyError> {
    let is_one = |address: &ResourceAddress| address.kind == Kind::RedisInstance;
    let may_have = desired.resources.keys().any(is_one) || memory.resources.keys().any(is_one);
    if !may_have {
        return Ok(Vec::new());
    }
    let mut found = redis::instances(client, STACK_TAG, stack).await?;
    // It is shown for a while after it was deleted.
    found.retain(|one| one.instance_status != "Released");
    Ok(found)
}

/// The rules of a group, unless they came with it.
pub(super) async fn rules(
    client: &Client,
    group: &CloudId,
    known: Option<Vec<ecs::Permission>>,
) -> Result<Vec<ecs::Permission>, ApplyError> {
    match known {
        Some(rules) => Ok(rules),
        None => Ok(ecs::rules_of(client, group).await?.map(|(_, rules)| rules).unwrap_or_default()),
    }
}

pub(super) async fn servers(client: &Client, group: &CloudId) -> Result<Vec<alb::BackendServer>, ApplyError> {
    Ok(alb::servers(client, group).await?)
}

/// The list tells all of a listener but its certificates.
pub(super) async fn listeners(client: &Client, balancer: &CloudId) -> Result<Vec<alb::Listener>, ApplyError> {
    let mut listeners = alb::listeners(client, balancer).await?;
    for listed in listeners.iter_mut().filter(|one| one.listener_protocol != "HTTP") {
        if let Some(found) = alb::listener(client, &listed.listener_id).await? {
            listed.certificates = found.certificates;
        }
    }
    Ok(listeners)
}

/// Certificates that may be the stack's and are not known by id: no list tells tags, so those with a name of ours are
/// asked for one by one.
pub(super) async fn certificates(
    client: &Client,
    memory: &Memory,
    stack: &StackName,
) -> Result<Vec<cas::Certificate>, ApplyError> {
    if !known(memory, Kind::Certificate).is_empty() {
        return Ok(Vec::new());
    }
    let begins = console_name(stack, &ResourceAddress::only(Kind::Certificate));
    let mut certificates = Vec::new();
    for listed in cas::uploaded(client).await? {
        if listed.certificate_name.starts_with(&begins) {
            certificates.extend(cas::certificate_if_there(client, &listed.certificate_id).await?);
        }
    }
    certificates.retain(|found| tag_value(&found.tags, STACK_TAG) == Some(stack.as_str()));
    Ok(certificates)
}

pub(super) async fn listener_rules(
    client: &Client,
    balancer: &CloudId,
) -> Result<Vec<alb_rules::Rule>, ApplyError> {
    Ok(alb_rules::rules(client, balancer).await?)
}

/// Reads one resource of the control plane by its id; none when it is not there, or its kind has no id of its own.
pub(super) async fn by_id(
    client: &Client,
    kind: Kind,
    id: &CloudId,
) -> Result<Option<Observation>, ApplyError> {
    let one = || Selection::Id(id);
    Ok(match kind {
        Kind::Vpc => vpc::vpcs(client, one()).await?.first().map(of_vpc),
        Kind::VSwitch => vpc::vswitches(client, one()).await?.first().map(of_vswitch),
        Kind::SecurityGroup => ecs::security_groups(client, one()).await?.first().map(of_security_group),
        Kind::KeyPair => ecs::key_pairs(client, one()).await?.first().map(of_key_pair),
        Kind::LoadBalancer => {
            alb::load_balancer(client, id).await?.filter(stays).as_ref().map(of_load_balancer)
        }
        Kind::ServerGroup => {
            let found = alb::server_groups_with_ids(client, std::slice::from_ref(id)).await?;
            found.first().map(of_server_group)
        }
        Kind::Certificate => cas::certificate_if_there(client, id).await?.as_ref().map(of_certificate),
        Kind::Listener => alb::listener(client, id).await?.as_ref().map(of_listener),
        Kind::ListenerRule => {
            let found = alb_rules::rules_with_ids(client, std::slice::from_ref(id)).await?;
            found.first().map(of_listener_rule)
        }
        Kind::RedisInstance => {
            let found = redis::instances_with_ids(client, std::slice::from_ref(id)).await?;
            match found.first().filter(|one| one.instance_status != "Released") {
                Some(found) => Some(of_redis_instance(found, &redis::allow_list(client, id).await?)),
                None => None,
            }
        }
        Kind::Instance
        | Kind::HostKey
        | Kind::SecurityRule
        | Kind::Redis
        | Kind::RedisAccount
        | Kind::Release
        | Kind::Server
        | Kind::Record => None,
    })
}

/// A vSwitch that is named by id must be what the topology says of it.
pub(super) fn check_vswitch(
    address: &ResourceAddress,
    spec: &VSwitchSpec,
    found: &Observation,
) -> Result<(), ApplyError> {
    let field = |name| found.fields.get(name).cloned().unwrap_or_default();
    let theirs = format!("{} in {}", field("cidr"), field("zone"));
    let ours = format!("{} in {}", spec.cidr, spec.zone);
    if theirs == ours {
        return Ok(());
    }
    Err(ApplyError::Mismatch { address: address.clone(), theirs, ours })
}
