//! vSwitches.

use serde_json::{Value, json};

use crate::api::page::{self, Size};
use crate::api::vpc::{accepts, check_name, owner, parse_network};
use crate::api::{Call, Handler, tags, vpc};
use crate::wire::ApiError;
use crate::world::World;
use crate::world::event::Event;
use crate::world::meta::timestamp;
use crate::world::network::{NetworkStatus, VSwitch};
use crate::world::pace::Step;
use crate::world::regions;

pub(super) const ACTIONS: &[(&str, Handler)] = &[
    ("CreateVSwitch", create_vswitch),
    ("DescribeVSwitches", describe_vswitches),
    ("DescribeVSwitchAttributes", describe_vswitch_attributes),
    ("DeleteVSwitch", delete_vswitch),
];

/// Per VPC.
const LIMIT: usize = 150;

fn create_vswitch(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let vswitch = check_new(call)?;
    call.begin_effect()?;
    let id = vswitch.id.clone();
    call.world.vswitches.insert(id.clone(), vswitch);
    call.world.schedule(Step::Network, Event::VSwitchAvailable(id.clone()));
    Ok(json!({"VSwitchId": id}))
}

fn check_new(call: &mut Call<'_>) -> Result<VSwitch, ApiError> {
    let parameters = call.parameters;
    let owner = vpc::find(call.world, parameters.required("VpcId")?)?;
    let zone = parameters.required("ZoneId")?.to_owned();
    if !regions::has_zone(&owner.meta.region, &zone) {
        let message = format!("The zone {zone} does not exist in {}.", owner.meta.region);
        return Err(ApiError::not_found("InvalidZoneId.NotFound", message));
    }
    if owner.status != NetworkStatus::Available {
        return Err(ApiError::bad_request("IncorrectVpcStatus", "The VPC is not Available."));
    }
    if call.world.vswitches_of(&owner.id).any(|own| own.status == NetworkStatus::Pending) {
        return Err(ApiError::bad_request("TaskConflict", "Another vSwitch of this VPC is being changed."));
    }
    let malformed =
        || ApiError::bad_request("InvalidCidrBlock.Malformed", "The CIDR block is not one of this VPC.");
    let cidr = parse_network(parameters.required("CidrBlock")?).ok_or_else(malformed)?;
    if !(16..=29).contains(&cidr.prefix_len()) {
        return Err(ApiError::bad_request("InvalidCirdrBlock.MaskLength", "The mask has 16 to 29 bits."));
    }
    if !owner.cidr.contains(&cidr) {
        return Err(malformed());
    }
    let sibling =
        call.world.vswitches_of(&owner.id).find(|own| own.cidr.contains(&cidr) || cidr.contains(&own.cidr));
    if let Some(other) = sibling {
        let message = format!("The CIDR block {cidr} overlaps {} of {}.", other.cidr, other.id);
        return Err(ApiError::bad_request("InvalidCidrBlock.Overlapped", message));
    }
    if call.world.vswitches_of(&owner.id).count() >= LIMIT {
        return Err(ApiError::bad_request("QuotaExceeded.VSwitch", "A VPC has at most 150 vSwitches."));
    }
    let name = parameters.owned("VSwitchName");
    check_name(&name, "InvalidVSwitchName.Malformed")?;
    vpc::check_description(parameters, "InvalidVSwitchDiscription.Malformed")?;
    let (vpc, region) = (owner.id.clone(), owner.meta.region.clone());
    let tags = tags::read(parameters)?;
    Ok(VSwitch {
        id: call.regional_id("vsw"),
        name,
        description: parameters.owned("Description"),
        vpc,
        zone,
        cidr,
        status: NetworkStatus::Pending,
        deleting: false,
        meta: call.world.meta(&region, tags),
    })
}

fn describe_vswitches(call: &mut Call<'_>) -> Result<Value, ApiError> {
    call.begin_effect()?;
    let parameters = call.parameters;
    let mut switches: Vec<&VSwitch> = call
        .world
        .vswitches
        .values()
        .filter(|own| call.world.shows(&own.meta, &call.region))
        .filter(|own| accepts(parameters, "VpcId", &own.vpc))
        .filter(|own| parameters.comma_texts("VSwitchId").is_none_or(|ids| ids.contains(&own.id)))
        .filter(|own| accepts(parameters, "VSwitchName", &own.name))
        .filter(|own| accepts(parameters, "ZoneId", &own.zone))
        .filter(|_| !parameters.flag("IsDefault"))
        .filter(|own| tags::matches(&own.meta, parameters))
        .collect();
    switches.sort_by_key(|own| (own.meta.created, &own.id));
    let all = switches.into_iter().map(|own| describe(call.world, own)).collect();
    let size = Size { default: 10, minimum: 1, maximum: 50 };
    Ok(page::by_number(all, parameters, size).reply("VSwitches", "VSwitch"))
}

fn describe_vswitch_attributes(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let id = call.parameters.required("VSwitchId")?;
    let missing =
        || ApiError::bad_request("InvalidVSwitchId.NotFound", format!("The vSwitch {id} does not exist."));
    let vswitch = call.world.vswitches.get(id).ok_or_else(missing)?;
    Ok(describe(call.world, vswitch))
}

fn delete_vswitch(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let id = call.parameters.required("VSwitchId")?.to_owned();
    let vswitch = find(call.world, &id)?;
    if vswitch.status != NetworkStatus::Available {
        return Err(ApiError::bad_request(
            "IncorrectVSwitchStatus",
            format!("The vSwitch {id} is not Available."),
        ));
    }
    if call.world.vswitches_of(&vswitch.vpc).any(|own| own.status == NetworkStatus::Pending) {
        return Err(ApiError::bad_request("TaskConflict", "Another vSwitch of this VPC is being changed."));
    }
    if call.world.vswitch_is_occupied(&id) {
        let message = format!("The vSwitch {id} still holds network interfaces or Redis instances.");
        return Err(ApiError::bad_request("DependencyViolation", message));
    }
    call.begin_effect()?;
    if let Some(vswitch) = call.world.vswitches.get_mut(&id) {
        vswitch.status = NetworkStatus::Pending;
        vswitch.deleting = true;
    }
    call.world.schedule(Step::Network, Event::VSwitchGone(id));
    Ok(json!({}))
}

/// The vSwitch with this id.
pub(super) fn find<'a>(world: &'a World, id: &str) -> Result<&'a VSwitch, ApiError> {
    let message = format!("The specified vSwitch {id} does not exist.");
    world.vswitches.get(id).ok_or_else(|| ApiError::not_found("InvalidVSwitchId.NotFound", message))
}

fn describe(world: &World, vswitch: &VSwitch) -> Value {
    let table = world.vpcs.get(&vswitch.vpc).map(|vpc| vpc.route_table.clone()).unwrap_or_default();
    json!({
        "VSwitchId": vswitch.id,
        "VSwitchName": vswitch.name,
        "Description": vswitch.description,
        "VpcId": vswitch.vpc,
        "ZoneId": vswitch.zone,
        "CidrBlock": vswitch.cidr.to_string(),
        "Ipv6CidrBlock": "",
        "EnabledIpv6": false,
        "Status": vswitch.status,
        "AvailableIpAddressCount": world.available_addresses(vswitch),
        "CreationTime": timestamp(vswitch.meta.created),
        "IsDefault": false,
        "NetworkAclId": "",
        "OwnerId": owner(world),
        "ResourceGroupId": "",
        "ShareType": "",
        "RouteTable": {"RouteTableId": table, "RouteTableType": "System"},
        "Tags": tags::vpc_tags(&vswitch.meta),
    })
}
