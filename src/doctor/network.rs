//! The VPC, vSwitches and security group that the topology names by id: whether they are there and go together.

use crate::base::ids::{CloudId, VSwitchName};
use crate::cloud::ecs;
use crate::cloud::error::CloudError;
use crate::cloud::vpc::{self, Selection};
use crate::doctor::report::{CheckId, Finding};
use crate::doctor::visit::{Visit, unanswered};
use crate::topology::model::{Topology, VSwitch, Vpc};

/// Whether a topology names anything of its network by id.
pub(super) fn is_named(topology: &Topology) -> bool {
    matches!(topology.vpc, Vpc::Existing(_))
        || topology.security_group.is_some()
        || topology.vswitches.values().any(|vswitch| vswitch.existing.is_some())
}

/// Whether everything that is named by id is there and as the topology says.
pub(super) async fn network(visit: &Visit<'_>) -> Vec<Finding> {
    let topology = visit.topology();
    let mut findings = Vec::new();
    if let Vpc::Existing(id) = &topology.vpc {
        findings.push(vpc(visit, id).await);
    }
    for (name, wanted) in &topology.vswitches {
        if let Some(id) = &wanted.existing {
            findings.push(vswitch(visit, name, wanted, id).await);
        }
    }
    if let Some(id) = &topology.security_group {
        findings.push(security_group(visit, id).await);
    }
    findings
}

async fn vpc(visit: &Visit<'_>, id: &CloudId) -> Finding {
    match first(vpc::vpcs(visit.client, Selection::Id(id)).await) {
        Ok(Some(found)) => {
            Finding::ok(CheckId::Network, format!("{id} is there and has {}", found.cidr_block))
        }
        Ok(None) => absent(visit, "VPC", id, "network.vpc.id"),
        Err(error) => unanswered(CheckId::Network, &error),
    }
}

async fn vswitch(visit: &Visit<'_>, name: &VSwitchName, wanted: &VSwitch, id: &CloudId) -> Finding {
    let found = match first(vpc::vswitches(visit.client, Selection::Id(id)).await) {
        Ok(Some(found)) => found,
        Ok(None) => return absent(visit, "vSwitch", id, &format!("network.vswitches.{name}.id")),
        Err(error) => return unanswered(CheckId::Network, &error),
    };
    let theirs = format!("{} in {}", found.cidr_block, found.zone_id);
    let ours = format!("{} in {}", wanted.cidr, wanted.zone);
    if theirs != ours {
        return Finding::fail(
            CheckId::Network,
            format!("{id} is {theirs}, the topology says {ours}"),
            format!(
                "write `{{ zone: {}, cidr: {}, id: {id} }}` for `network.vswitches.{name}`",
                found.zone_id, found.cidr_block
            ),
        );
    }
    elsewhere(visit, id, found.vpc_id.as_str())
        .unwrap_or_else(|| Finding::ok(CheckId::Network, format!("{id} is there, {theirs}")))
}

async fn security_group(visit: &Visit<'_>, id: &CloudId) -> Finding {
    match first(ecs::security_groups(visit.client, Selection::Id(id)).await) {
        Ok(Some(found)) => elsewhere(visit, id, &found.vpc_id)
            .unwrap_or_else(|| Finding::ok(CheckId::Network, format!("{id} is there, in {}", found.vpc_id))),
        Ok(None) => absent(visit, "security group", id, "network.security_group.id"),
        Err(error) => unanswered(CheckId::Network, &error),
    }
}

/// What a list by id holds: a refusal because there is no such id means nothing, too.
fn first<T>(listed: Result<Vec<T>, CloudError>) -> Result<Option<T>, CloudError> {
    match listed {
        Ok(found) => Ok(found.into_iter().next()),
        Err(error) if error.code().is_some_and(|code| code.ends_with(".NotFound")) => Ok(None),
        Err(error) => Err(error),
    }
}

fn absent(visit: &Visit<'_>, what: &str, id: &CloudId, field: &str) -> Finding {
    Finding::fail(
        CheckId::Network,
        format!("there is no {what} {id} in {}", visit.topology().region),
        format!(
            "write the id that the VPC or ECS console shows as `{field}`, or leave it out so that one is made"
        ),
    )
}

/// A finding when something is not in the VPC that the topology names.
fn elsewhere(visit: &Visit<'_>, id: &CloudId, vpc: &str) -> Option<Finding> {
    let Vpc::Existing(named) = &visit.topology().vpc else { return None };
    (named.as_str() != vpc).then(|| {
        Finding::fail(
            CheckId::Network,
            format!("{id} is in {vpc}, not in {named}"),
            format!("write `id: {vpc}` under `network.vpc`, or the id of one that is in {named}"),
        )
    })
}
