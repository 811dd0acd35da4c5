//! VPCs.

use ipnet::Ipv4Net;
use serde_json::{Value, json};

use crate::api::page::{self, Size};
use crate::api::{Call, Handler, tags};
use crate::wire::{ApiError, Parameters};
use crate::world::World;
use crate::world::event::Event;
use crate::world::meta::timestamp;
use crate::world::network::{NetworkStatus, Vpc};
use crate::world::pace::Step;

pub(super) const ACTIONS: &[(&str, Handler)] = &[
    ("CreateVpc", create_vpc),
    ("DescribeVpcs", describe_vpcs),
    ("DescribeVpcAttribute", describe_vpc_attribute),
    ("ModifyVpcAttribute", modify_vpc_attribute),
    ("DeleteVpc", delete_vpc),
];

/// Address ranges no network may have.
const RESERVED: &[&str] = &["100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4"];

/// VPCs of one region.
const LIMIT: usize = 10;

fn create_vpc(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let cidr = parse_network(call.parameters.text("CidrBlock").unwrap_or("172.16.0.0/12"))
        .filter(|cidr| (8..=28).contains(&cidr.prefix_len()) && !is_reserved(*cidr));
    let Some(cidr) = cidr else {
        return Err(ApiError::invalid("CidrBlock", "it is not an address range a VPC can have"));
    };
    let name = call.parameters.owned("VpcName");
    check_name(&name, "InvalidVpcName.Malformed")?;
    check_description(call.parameters, "InvalidVpcDiscription.Malformed")?;
    if call.world.vpcs.values().filter(|own| own.meta.region == call.region).count() >= LIMIT {
        let message = format!("The region has {LIMIT} VPCs already.");
        return Err(ApiError::bad_request("QuotaExceeded.Vpc", message));
    }
    let tags = tags::read(call.parameters)?;
    call.begin_effect()?;
    let (id, router, route_table) =
        (call.regional_id("vpc"), call.regional_id("vrt"), call.regional_id("vtb"));
    let vpc = Vpc {
        id: id.clone(),
        name,
        description: call.parameters.owned("Description"),
        cidr,
        status: NetworkStatus::Pending,
        router: router.clone(),
        route_table: route_table.clone(),
        meta: call.world.meta(&call.region, tags),
    };
    call.world.vpcs.insert(id.clone(), vpc);
    call.world.schedule(Step::Network, Event::VpcAvailable(id.clone()));
    Ok(json!({"VpcId": id, "VRouterId": router, "RouteTableId": route_table, "ResourceGroupId": ""}))
}

fn describe_vpcs(call: &mut Call<'_>) -> Result<Value, ApiError> {
    call.begin_effect()?;
    let parameters = call.parameters;
    let ids = parameters.comma_texts("VpcId");
    let mut vpcs: Vec<&Vpc> = call
        .world
        .vpcs
        .values()
        .filter(|vpc| call.world.shows(&vpc.meta, &call.region))
        .filter(|vpc| ids.as_ref().is_none_or(|ids| ids.contains(&vpc.id)))
        .filter(|vpc| parameters.text("VpcName").is_none_or(|name| vpc.name == name))
        .filter(|_| !parameters.flag("IsDefault"))
        .filter(|vpc| tags::matches(&vpc.meta, parameters))
        .collect();
    vpcs.sort_by_key(|vpc| (vpc.meta.created, &vpc.id));
    let all = vpcs.into_iter().map(|vpc| describe(call.world, vpc)).collect();
    Ok(page::by_number(all, parameters, Size { default: 10, minimum: 1, maximum: 50 }).reply("Vpcs", "Vpc"))
}

fn describe_vpc_attribute(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let vpc = find(call.world, call.parameters.required("VpcId")?)?;
    let mut reply = describe(call.world, vpc);
    if let Some(fields) = reply.as_object_mut() {
        for only_in_lists in ["RouterTableIds", "NatGatewayIds", "CenStatus"] {
            fields.remove(only_in_lists);
        }
    }
    let switches = call.world.vswitches_of(&vpc.id).count();
    let count = json!({"ResourceType": "VSwitch", "ResourceCount": switches});
    reply["CloudResources"] = json!({"CloudResourceSetType": [count]});
    reply["ClassicLinkEnabled"] = json!(false);
    reply["AssociatedCens"] = json!({"AssociatedCen": []});
    reply["Ipv4GatewayId"] = json!("");
    reply["SupportIpv4Gateway"] = json!(false);
    Ok(reply)
}

fn modify_vpc_attribute(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let id = call.parameters.required("VpcId")?;
    find(call.world, id)?;
    if let Some(name) = call.parameters.text("VpcName") {
        check_name(name, "InvalidVpcName.Malformed")?;
    }
    check_description(call.parameters, "InvalidVpcDiscription.Malformed")?;
    let parameters = call.parameters;
    if let Some(vpc) = call.world.vpcs.get_mut(id) {
        update(&mut vpc.name, parameters.text("VpcName"));
        update(&mut vpc.description, parameters.text("Description"));
    }
    Ok(json!({}))
}

fn delete_vpc(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let id = call.parameters.required("VpcId")?.to_owned();
    let vpc = find(call.world, &id)?;
    if vpc.status != NetworkStatus::Available {
        return Err(ApiError::bad_request("IncorrectVpcStatus", format!("The VPC {id} is not Available.")));
    }
    let in_use = |kind: &str| {
        let message = format!("The VPC {id} still holds a {kind}.");
        Err(ApiError::bad_request(format!("DependencyViolation.{kind}"), message))
    };
    if call.world.vswitches_of(&id).next().is_some() {
        return in_use("VSwitch");
    }
    if call.world.security_groups.values().any(|group| group.vpc == id) {
        return in_use("SecurityGroup");
    }
    call.begin_effect()?;
    if let Some(vpc) = call.world.vpcs.get_mut(&id) {
        vpc.status = NetworkStatus::Pending;
    }
    call.world.schedule(Step::Network, Event::VpcGone(id));
    Ok(json!({}))
}

/// The VPC with this id.
pub(super) fn find<'a>(world: &'a World, id: &str) -> Result<&'a Vpc, ApiError> {
    let missing =
        || ApiError::not_found("InvalidVpcId.NotFound", format!("The specified VPC {id} does not exist."));
    world.vpcs.get(id).ok_or_else(missing)
}

/// A network with all host bits zero.
pub(super) fn parse_network(text: &str) -> Option<Ipv4Net> {
    text.parse::<Ipv4Net>().ok().filter(|network| network.addr() == network.network())
}

/// Descriptions have up to 256 characters and are not a URL.
pub(super) fn check_description(parameters: &Parameters, code: &str) -> Result<(), ApiError> {
    let text = parameters.text("Description").unwrap_or_default();
    let url = text.starts_with("http://") || text.starts_with("https://");
    if text.chars().count() <= 256 && !url {
        return Ok(());
    }
    Err(ApiError::bad_request(code, "The Description must have up to 256 characters and not be a URL."))
}

/// Names have up to 128 characters and are not a URL.
pub(super) fn check_name(name: &str, code: &str) -> Result<(), ApiError> {
    let url = name.starts_with("http://") || name.starts_with("https://");
    if name.chars().count() <= 128 && !url {
        return Ok(());
    }
    Err(ApiError::bad_request(code, format!("The name {name} is not valid.")))
}

/// Replaces a text when the call gives a new one.
pub(super) fn update(own: &mut String, given: Option<&str>) {
    if let Some(given) = given {
        given.clone_into(own);
    }
}

fn is_reserved(cidr: Ipv4Net) -> bool {
    let reserved = RESERVED.iter().filter_map(|text| parse_network(text));
    reserved.into_iter().any(|range| range.contains(&cidr) || cidr.contains(&range))
}

fn describe(world: &World, vpc: &Vpc) -> Value {
    let switches: Vec<&str> = world.vswitches_of(&vpc.id).map(|vswitch| vswitch.id.as_str()).collect();
    let gateways = world.nat_gateways.values().filter(|own| own.vpc == vpc.id).map(|own| own.id.as_str());
    let gateways: Vec<&str> = gateways.collect();
    json!({
        "VpcId": vpc.id,
        "VpcName": vpc.name,
        "Description": vpc.description,
        "CidrBlock": vpc.cidr.to_string(),
        "Status": vpc.status,
        "RegionId": vpc.meta.region,
        "CreationTime": timestamp(vpc.meta.created),
        "IsDefault": false,
        "EnabledIpv6": false,
        "Ipv6CidrBlock": "",
        "OwnerId": owner(world),
        "ResourceGroupId": "",
        "VRouterId": vpc.router,
        "RouterTableIds": {"RouterTableIds": [vpc.route_table]},
        "NatGatewayIds": {"NatGatewayIds": gateways},
        "SecondaryCidrBlocks": {"SecondaryCidrBlock": []},
        "UserCidrs": {"UserCidr": []},
        "VSwitchIds": {"VSwitchId": switches},
        "CenStatus": "Detached",
        "DhcpOptionsSetId": "",
        "DhcpOptionsSetStatus": "Available",
        "DnsHostnameStatus": "DISABLED",
        "Ipv6CidrBlocks": {"Ipv6CidrBlock": []},
        "Tags": tags::vpc_tags(&vpc.meta),
    })
}

/// The account's id as a number, as VPC answers have it.
pub(super) fn owner(world: &World) -> i64 {
    world.account.id.parse().unwrap_or_default()
}

/// Whether a text filter is absent or equal.
pub(super) fn accepts(parameters: &Parameters, name: &str, own: &str) -> bool {
    parameters.text(name).is_none_or(|wanted| wanted == own)
}
