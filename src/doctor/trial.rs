//! Dry runs: whether the cloud would make the instances and the load balancer.
//!
//! A dry run is checked as the real call is, so it must name a network that exists. Before the stack's own is there
//! the answer for another vSwitch of the same zone is nearly as good: stock, quota, balance, permission and the
//! service-linked role do not depend on it; only a vSwitch or group that the topology names by id has no substitute. Without `VSwitchId` the cloud would judge the account's default VPC, which
//! is not what apply makes; so where a zone has no vSwitch at all nothing is asked, and that is said.

use std::collections::BTreeMap;

use crate::base::disk::{DataDisk, DiskOptions};
use crate::base::ids::{ClientToken, CloudId, InstanceName, ZoneId};
use crate::base::spot::Spot;
use crate::cloud::alb::{self, NewLoadBalancer};
use crate::cloud::call::Call;
use crate::cloud::ecs::{self, NewInstance};
use crate::cloud::error::CloudError;
use crate::cloud::explain;
use crate::cloud::vpc::{Selection, VSwitch};
use crate::cloud::{codes, permission, tag_value};
use crate::doctor::report::{CheckId, Finding};
use crate::doctor::visit::{Visit, listed, refused, unanswered};
use crate::resource::ownership::STACK_TAG;
use crate::resource::spec::Exposure;
use crate::topology::model::{self, Instance, Reach, Topology, Vpc};

/// Addresses an ALB wants to find free in a vSwitch.
const BALANCER_ADDRESSES: u64 = 8;

/// Whether the cloud would make the instances that are not there yet.
pub(super) async fn instances(visit: &mut Visit<'_>) -> Vec<Finding> {
    let check = CheckId::Instances;
    if visit.chosen.is_empty() {
        let all_there = visit.there.len() == visit.topology().instances.len();
        return vec![if all_there {
            Finding::ok(check, "all instances are there already")
        } else {
            Finding::not_asked(check, "no instance type is known to be in stock")
        }];
    }
    let vswitches = match visit.vswitches().await {
        Ok(vswitches) => vswitches,
        Err(error) => return vec![unanswered(check, &error)],
    };
    let mut findings = Vec::new();
    for (sample, names) in like_instances(visit) {
        findings.push(match try_instance(visit, &sample, &names, &vswitches).await {
            Ok(finding) => finding,
            Err(error) => unanswered(check, &error),
        });
    }
    findings
}

/// What decides about a `RunInstances`, beside the name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Sample {
    zone: ZoneId,
    vswitch: Option<CloudId>,
    /// The first in stock, then those behind it.
    types: Vec<String>,
    image: String,
    disk: u32,
    disk_options: DiskOptions,
    data_disks: Vec<DataDisk>,
    is_public: bool,
    spot: Spot,
}

/// Instances that are not there, by what decides about them.
fn like_instances(visit: &Visit<'_>) -> BTreeMap<Sample, Vec<InstanceName>> {
    let topology = visit.topology();
    let mut like: BTreeMap<Sample, Vec<InstanceName>> = BTreeMap::new();
    for (name, chosen) in &visit.chosen {
        let Some((instance, vswitch)) = place(topology, name) else { continue };
        let sample = Sample {
            zone: vswitch.zone.clone(),
            vswitch: vswitch.existing.clone(),
            types: instance.types.iter().skip_while(|one| *one != chosen).cloned().collect(),
            image: instance.image.clone(),
            disk: instance.disk,
            disk_options: instance.disk_options.clone(),
            data_disks: instance.data_disks.clone(),
            is_public: instance.reach == Reach::Public,
            spot: instance.spot.clone(),
        };
        like.entry(sample).or_default().push(name.clone());
    }
    like
}

fn place<'a>(topology: &'a Topology, name: &InstanceName) -> Option<(&'a Instance, &'a model::VSwitch)> {
    let instance = topology.instances.get(name)?;
    Some((instance, topology.vswitches.get(&instance.vswitch)?))
}

async fn try_instance(
    visit: &Visit<'_>,
    sample: &Sample,
    names: &[InstanceName],
    vswitches: &[VSwitch],
) -> Result<Finding, CloudError> {
    let check = CheckId::Instances;
    let who = listed(names.iter().map(InstanceName::as_str));
    let only = sample.vswitch.as_ref();
    let Some(vswitch) = best(visit.topology(), vswitches, &sample.zone, only, 1) else {
        let reason = match only {
            Some(id) => {
                format!("{who}: {id} is not available or has no address left, and a dry run needs one")
            }
            None => format!("{who}: no vSwitch exists in {} yet, and a dry run needs one", sample.zone),
        };
        return Ok(Finding::not_asked(check, reason));
    };
    let Some(group) = security_group(visit, &vswitch.vpc_id).await? else {
        let reason = format!("{who}: {} has no security group yet, and a dry run needs one", vswitch.vpc_id);
        return Ok(Finding::not_asked(check, reason));
    };
    let topology = visit.topology();
    let key_pairs = ecs::key_pairs(visit.client, Selection::Tag(STACK_TAG, topology.stack.as_str())).await?;
    let key_pair = key_pairs.first().map(|pair| pair.key_pair_name.as_str());
    let tags = [(STACK_TAG, topology.stack.as_str())];
    let new = |instance_type| NewInstance {
        name: names.first().map_or("doctor", InstanceName::as_str),
        instance_type,
        image_family: &sample.image,
        disk: sample.disk,
        disk_options: &sample.disk_options,
        data_disks: &sample.data_disks,
        vswitch: &vswitch.v_switch_id,
        security_group: &group,
        key_pair: key_pair.unwrap_or_default(),
        bandwidth: Exposure::of(sample.is_public).bandwidth(),
        spot: &sample.spot,
        release_time: None,
        user_data: None,
        tags: &tags,
    };
    let mut too_dear = Vec::new();
    for instance_type in &sample.types {
        let call = ecs::run_instance(&topology.region, &new(instance_type), &no_token()).as_dry_run();
        let call = if key_pair.is_none() { call.without("KeyPairName") } else { call };
        let mut said = format!("{who}: a dry run of {instance_type} in {} passed", vswitch.v_switch_id);
        if !too_dear.is_empty() {
            said = format!(
                "{said}; the market asks more for {} than the limit",
                listed(too_dear.iter().copied())
            );
        }
        let is_last = sample.types.last() == Some(instance_type);
        match visit.client.call::<serde_json::Value>(&call).await {
            // As apply does it, the next one is tried.
            Err(error) if codes::SPOT_TOO_DEAR.have(error.code()) && !is_last => {
                too_dear.push(instance_type.as_str());
            }
            answer => return Ok(outcome(check, &call, answer, said)),
        }
    }
    Ok(Finding::not_asked(check, format!("{who}: no type is known to be in stock")))
}

/// The best vSwitch of a zone: the one the topology names and no other, else the stack's own, else one of the VPC the
/// topology names, else the one with most room.
fn best<'v>(
    topology: &Topology,
    all: &'v [VSwitch],
    zone: &ZoneId,
    named: Option<&CloudId>,
    room: u64,
) -> Option<&'v VSwitch> {
    let usable = |one: &&VSwitch| {
        named.is_none_or(|id| *id == one.v_switch_id)
            && one.zone_id == zone.as_str()
            && one.status == "Available"
            && one.available_ip_address_count >= room
    };
    let rank = |one: &&VSwitch| {
        let own = tag_value(&one.tags.tag, STACK_TAG) == Some(topology.stack.as_str());
        let same_vpc = matches!(&topology.vpc, Vpc::Existing(id) if *id == one.vpc_id);
        (own, same_vpc, one.available_ip_address_count)
    };
    all.iter().filter(usable).max_by_key(rank)
}

/// A security group of a VPC: the one the topology names and no other, else the stack's own, else any that is free.
async fn security_group(visit: &Visit<'_>, vpc: &CloudId) -> Result<Option<CloudId>, CloudError> {
    let topology = visit.topology();
    let groups = ecs::security_groups_of(visit.client, vpc).await?;
    if let Some(named) = &topology.security_group {
        let is_there = groups.iter().any(|group| group.security_group_id == *named);
        return Ok(is_there.then(|| named.clone()));
    }
    let is_own =
        |group: &ecs::SecurityGroup| tag_value(&group.tags.tag, STACK_TAG) == Some(topology.stack.as_str());
    let free = groups.into_iter().filter(|group| !group.service_managed);
    Ok(free.max_by_key(is_own).map(|group| group.security_group_id))
}

/// Whether the cloud would make the load balancer, for which the account needs a role.
pub(super) async fn balancer(visit: &mut Visit<'_>) -> Finding {
    let check = CheckId::Balancer;
    let topology = visit.topology();
    if let Some(id) = &topology.load_balancer.existing {
        return match alb::load_balancer(visit.client, id).await {
            Ok(Some(found)) => {
                Finding::ok(check, format!("{id} is there and {}", found.load_balancer_status))
            }
            Ok(None) => Finding::fail(
                check,
                format!("there is no load balancer {id} in {}", topology.region),
                "write the id that the ALB console shows under `load_balancer.id`, or leave it out so that one is made",
            ),
            Err(error) => unanswered(check, &error),
        };
    }
    match alb::load_balancers(visit.client, STACK_TAG, topology.stack.as_str()).await {
        Ok(found) if !found.is_empty() => return Finding::ok(check, "the load balancer is there already"),
        Ok(_) => {}
        Err(error) => return unanswered(check, &error),
    }
    let vswitches = match visit.vswitches().await {
        Ok(vswitches) => vswitches,
        Err(error) => return unanswered(check, &error),
    };
    let Some((vpc, zones)) = balancer_places(topology, &vswitches) else {
        let next = explain::exact("OperationDenyed.ServiceLinkedRoleNotExist").map(|role| role.next);
        let reason = "no VPC has vSwitches with room in these zones yet, and a dry run needs them";
        return Finding::not_asked(check, reason)
            .with_next(format!("if the account has never had an ALB: {}", next.unwrap_or_default()));
    };
    let new = NewLoadBalancer {
        name: "albatross-doctor",
        vpc: &vpc,
        address_type: topology.load_balancer.address.word(),
        edition: topology.load_balancer.edition.word(),
        zones: &zones,
        tags: &[(STACK_TAG, topology.stack.as_str())],
    };
    let call = alb::create_load_balancer(&topology.region, &new, &no_token()).as_dry_run();
    let said = format!("a dry run in {vpc} passed, and the account has ALB's service-linked role");
    outcome(check, &call, visit.client.call(&call).await, said)
}

/// A VPC with a vSwitch in each zone of the load balancer, the stack's own before others.
fn balancer_places(topology: &Topology, all: &[VSwitch]) -> Option<(CloudId, Vec<(String, CloudId)>)> {
    let wanted = topology.load_balancer.vswitches.iter().map(|name| &topology.vswitches[name]);
    let wanted: Vec<&model::VSwitch> = wanted.collect();
    let first = wanted.first()?;
    let mut anchors: Vec<&VSwitch> = all.iter().filter(|one| one.zone_id == first.zone.as_str()).collect();
    anchors.sort_by_key(|one| tag_value(&one.tags.tag, STACK_TAG) != Some(topology.stack.as_str()));
    anchors.into_iter().find_map(|anchor| {
        let inside: Vec<VSwitch> = all.iter().filter(|one| one.vpc_id == anchor.vpc_id).cloned().collect();
        let place = |wanted: &&model::VSwitch| {
            let vswitch =
                best(topology, &inside, &wanted.zone, wanted.existing.as_ref(), BALANCER_ADDRESSES)?;
            Some((wanted.zone.to_string(), vswitch.v_switch_id.clone()))
        };
        let places = wanted.iter().map(place).collect::<Option<Vec<_>>>()?;
        Some((anchor.vpc_id.clone(), places))
    })
}

/// Judges the answer to a dry run.
fn outcome(
    check: CheckId,
    call: &Call,
    answer: Result<serde_json::Value, CloudError>,
    passed: String,
) -> Finding {
    let Err(error) = answer else {
        return Finding::fail(
            check,
            format!("the cloud took a dry run of {} for the call itself", call.action),
            "look in the console for what it has made, and remove it there",
        );
    };
    if codes::DRY_RUN_PASSED.have(error.code()) {
        return Finding::ok(check, passed);
    }
    let finding = refused(check, &error);
    if error.code().is_some_and(explain::is_missing_permission) {
        let needed = permission::of(call.product, &call.action);
        return Finding { sentence: format!("{}; apply needs `{needed}`", finding.sentence), ..finding };
    }
    finding
}

/// A dry run has no token; the calls are made with one and lose it.
fn no_token() -> ClientToken {
    ClientToken::new("")
}
