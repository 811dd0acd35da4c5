//! What others have put into resources of the stack: seen, told, and left alone.

use crate::apply::error::ApplyError;
use crate::apply::provider::Provider;
use crate::base::ids::CloudId;
use crate::cloud::transport::Client;
use crate::cloud::{Tag, alb, ecs, tag_value, vpc};
use crate::resource::observed::{Foreign, Observation, Observed, Owner, Tie};
use crate::resource::ownership::{STACK_TAG, stack_of_remark};
use crate::resource::{Kind, ResourceAddress};

/// A server that is no machine of the stack, or not where the stack has put it.
pub(super) fn server(found: &alb::BackendServer, observation: Observation) -> Foreign {
    let what = format!("{} {}", found.server_type.to_ascii_lowercase(), found.server_id);
    let place = if found.server_ip.is_empty() { String::new() } else { format!(" ({})", found.server_ip) };
    Foreign {
        address: ResourceAddress::new(Kind::Server, &observation.id),
        container: ResourceAddress::only(Kind::ServerGroup),
        words: format!("{what}{place} on port {}, weight {}", found.port, found.weight),
        stack: None,
        found: observation.of_others(),
        tie: Tie::Part,
    }
}

/// A rule without a description of ours.
pub(super) fn rule(found: &ecs::Permission, observation: Observation) -> Foreign {
    let field = |name: &str| observation.fields.get(name).cloned().unwrap_or_default();
    let said = if found.description.is_empty() { String::new() } else { format!(" ({})", found.description) };
    let verb = if field("policy") == "drop" { "keeps out" } else { "lets in" };
    let words = format!(
        "{verb} {} {} from {}, priority {}{said}",
        field("protocol"),
        found.port_range,
        field("from"),
        field("priority")
    );
    let name = if found.security_group_rule_id.is_empty() {
        observation.id.to_string()
    } else {
        found.security_group_rule_id.clone()
    };
    Foreign {
        address: ResourceAddress::new(Kind::SecurityRule, name),
        container: ResourceAddress::only(Kind::SecurityGroup),
        words,
        stack: stack_of_remark(&found.description),
        found: observation.of_others(),
        tie: Tie::Part,
    }
}

/// A listener without our tag.
pub(super) fn listener(found: &alb::Listener, observation: Observation) -> Foreign {
    Foreign {
        address: ResourceAddress::new(Kind::Listener, &found.listener_id),
        container: ResourceAddress::only(Kind::LoadBalancer),
        words: format!("{} on port {}", found.listener_protocol, found.listener_port),
        stack: tag_value(&found.tags, STACK_TAG).map(ToOwned::to_owned),
        found: observation.of_others(),
        tie: Tie::InTheWay,
    }
}

/// Of an exclusive topology: what is in resources of the stack and of no other stack is to go.
pub(super) fn claim(observed: &mut Observed) {
    let (claimed, left): (Vec<Foreign>, Vec<Foreign>) =
        std::mem::take(&mut observed.foreign).into_iter().partition(|foreign| foreign.stack.is_none());
    observed.foreign = left;
    let claimed = claimed.into_iter().map(|foreign| (foreign.address, foreign.found.of(Owner::Claimed)));
    observed.resources.extend(claimed);
}

/// What others have in the network of a stack, and what would therefore stand in the way of its removal.
///
/// # Errors
/// When the cloud cannot be asked.
pub(super) async fn obstacles(provider: &Provider, observed: &Observed) -> Result<Vec<Foreign>, ApplyError> {
    let Some(network) =
        observed.resources.get(&network_address()).filter(|found| found.owner == Owner::Stack)
    else {
        return Ok(Vec::new());
    };
    let client = &provider.client;
    let (vswitches, groups, instances, balancers) = tokio::try_join!(
        vpc::vswitches_of(client, &network.id),
        ecs::security_groups_of(client, &network.id),
        ecs::instances_of(client, &network.id),
        alb::load_balancers_of(client, &network.id),
    )?;
    let seen = Seen { observed };
    let mut found = Vec::new();
    for balancer in &balancers {
        found.extend(in_zones(client, &seen, balancer).await?);
    }
    let vswitches = vswitches.iter().map(|found| {
        let words = format!("{} {}", found.v_switch_name, found.cidr_block);
        let id = &found.v_switch_id;
        seen.foreign(Thing { kind: Kind::VSwitch, id, words, tags: &found.tags.tag }, network_address())
    });
    let groups = groups.iter().filter(|found| !found.service_managed).map(|found| {
        let words = found.security_group_name.clone();
        let id = &found.security_group_id;
        seen.foreign(Thing { kind: Kind::SecurityGroup, id, words, tags: &found.tags.tag }, network_address())
    });
    let instances = instances.iter().flat_map(|found| {
        let groups = found.security_group_ids.security_group_id.iter().map(CloudId::as_str);
        let places = std::iter::once(found.vpc_attributes.v_switch_id.as_str()).chain(groups);
        seen.holders(places).into_iter().map(|place| {
            let (id, words) = (&found.instance_id, found.instance_name.clone());
            seen.foreign(Thing { kind: Kind::Instance, id, words, tags: &found.tags.tag }, place)
        })
    });
    found.extend(vswitches.chain(groups).chain(instances).flatten());
    Ok(found)
}

/// Only its own call tells in which vSwitches a load balancer is.
async fn in_zones(
    client: &Client,
    seen: &Seen<'_>,
    listed: &alb::LoadBalancer,
) -> Result<Vec<Foreign>, ApplyError> {
    let (id, words) = (&listed.load_balancer_id, &listed.load_balancer_name);
    let of = |place| {
        let (kind, words, tags) = (Kind::LoadBalancer, words.clone(), listed.tags.as_slice());
        seen.foreign(Thing { kind, id, words, tags }, place)
    };
    if of(network_address()).is_none() {
        return Ok(Vec::new());
    }
    let found = alb::load_balancer(client, id).await?;
    let zones = found.iter().flat_map(|found| &found.zone_mappings);
    let places = seen.holders(zones.map(|zone| zone.v_switch_id.as_str()));
    Ok(places.into_iter().filter_map(of).collect())
}

/// Something in the network of the stack.
struct Thing<'t> {
    kind: Kind,
    id: &'t CloudId,
    words: String,
    tags: &'t [Tag],
}

fn network_address() -> ResourceAddress {
    ResourceAddress::only(Kind::Vpc)
}

/// What was found of the stack, to tell others from it.
struct Seen<'o> {
    observed: &'o Observed,
}

impl Seen<'_> {
    /// The resources of the stack that have one of these ids; else the network.
    fn holders<'i>(&self, ids: impl Iterator<Item = &'i str>) -> Vec<ResourceAddress> {
        let ids: Vec<&str> = ids.collect();
        let is_one = |found: &Observation| found.owner == Owner::Stack && ids.contains(&found.id.as_str());
        let resources = self.observed.resources.iter().filter(|(_, found)| is_one(found));
        let holders: Vec<ResourceAddress> = resources.map(|(address, _)| address.clone()).collect();
        if holders.is_empty() { vec![network_address()] } else { holders }
    }

    /// A thing as one of others in a resource of the stack, unless it is the stack's.
    fn foreign(&self, thing: Thing<'_>, container: ResourceAddress) -> Option<Foreign> {
        let Thing { kind, id, words, tags } = thing;
        let of_stack =
            self.observed.resources.values().any(|own| own.id == *id && own.owner.may_be_removed());
        (!of_stack).then(|| Foreign {
            address: ResourceAddress::new(kind, id),
            container,
            words,
            stack: tag_value(tags, STACK_TAG).map(ToOwned::to_owned),
            found: Observation::new(id.clone()).of_others(),
            tie: Tie::InTheWay,
        })
    }
}
