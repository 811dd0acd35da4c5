//! Network interfaces and elastic addresses: only read, since instances and load balancers make them.

use serde_json::{Value, json};

use crate::api::page::{self, Size};
use crate::api::vpc::accepts;
use crate::api::{Call, Handler, tags};
use crate::wire::{ApiError, Parameters};
use crate::world::World;
use crate::world::meta::timestamp;
use crate::world::network::{Eip, InterfaceOwner, NetworkInterface};

pub(super) const ECS_ACTIONS: &[(&str, Handler)] =
    &[("DescribeNetworkInterfaces", describe_network_interfaces)];
pub(super) const VPC_ACTIONS: &[(&str, Handler)] = &[("DescribeEipAddresses", describe_eip_addresses)];

fn describe_network_interfaces(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let parameters = call.parameters;
    let world = &*call.world;
    let all = world
        .network_interfaces
        .values()
        .filter(|own| world.shows(&own.meta, &call.region) && chosen(world, own, parameters))
        .map(|own| describe_interface(world, own))
        .collect();
    let size = Size { default: 10, minimum: 10, maximum: 500 };
    page::either(all, parameters, size, ("NetworkInterfaceSets", "NetworkInterfaceSet"))
}

fn chosen(world: &World, own: &NetworkInterface, parameters: &Parameters) -> bool {
    let ids = parameters.texts("NetworkInterfaceId");
    let addresses = parameters.texts("PrivateIpAddress");
    let group = parameters.text("SecurityGroupId");
    let (instance, vpc) = (instance_of(own), vpc_of(world, own));
    (ids.is_empty() || ids.contains(&own.id))
        && (addresses.is_empty() || addresses.contains(&own.address.to_string()))
        && group.is_none_or(|group| own.security_groups.iter().any(|member| member == group))
        && accepts(parameters, "InstanceId", instance)
        && accepts(parameters, "VSwitchId", &own.vswitch)
        && accepts(parameters, "VpcId", &vpc)
        && accepts(parameters, "Type", kind_of(own))
        && parameters.boolean("ServiceManaged").is_none_or(|managed| managed == instance.is_empty())
        && tags::matches(&own.meta, parameters)
}

fn instance_of(own: &NetworkInterface) -> &str {
    match &own.owner {
        InterfaceOwner::Instance(id) => id,
        InterfaceOwner::LoadBalancer(_) => "",
    }
}

fn kind_of(own: &NetworkInterface) -> &'static str {
    match own.owner {
        InterfaceOwner::Instance(_) => "Primary",
        InterfaceOwner::LoadBalancer(_) => "Secondary",
    }
}

fn vpc_of(world: &World, own: &NetworkInterface) -> String {
    world.vswitches.get(&own.vswitch).map(|vswitch| vswitch.vpc.clone()).unwrap_or_default()
}

fn describe_interface(world: &World, own: &NetworkInterface) -> Value {
    let zone = world.vswitches.get(&own.vswitch).map(|vswitch| vswitch.zone.clone());
    let managed = matches!(own.owner, InterfaceOwner::LoadBalancer(_));
    let description = match &own.owner {
        InterfaceOwner::Instance(_) => String::new(),
        InterfaceOwner::LoadBalancer(id) => format!("created by ALB {id}"),
    };
    json!({
        "NetworkInterfaceId": own.id,
        "NetworkInterfaceName": "",
        "Description": description,
        "Status": "InUse",
        "Type": kind_of(own),
        "InstanceId": instance_of(own),
        "VpcId": vpc_of(world, own),
        "VSwitchId": own.vswitch,
        "ZoneId": zone.unwrap_or_default(),
        "PrivateIpAddress": own.address.to_string(),
        "PrivateIpSets": {"PrivateIpSet": [{"PrivateIpAddress": own.address.to_string(), "Primary": true}]},
        "Ipv6Sets": {"Ipv6Set": []},
        "MacAddress": mac_address(own.address),
        "SecurityGroupIds": {"SecurityGroupId": own.security_groups},
        "CreationTime": timestamp(own.meta.created),
        "OwnerId": world.account.id,
        "ServiceManaged": managed,
        "DeleteOnRelease": true,
        "ResourceGroupId": "",
        "Tags": tags::ecs_tags(&own.meta),
    })
}

/// An address card of the range that belongs to virtual machines.
pub(super) fn mac_address(address: std::net::Ipv4Addr) -> String {
    let [a, b, c, d] = address.octets();
    format!("00:16:{a:02x}:{b:02x}:{c:02x}:{d:02x}")
}

#[expect(clippy::unnecessary_wraps, reason = "all handlers have one type")]
fn describe_eip_addresses(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let parameters = call.parameters;
    let world = &*call.world;
    let addresses = parameters.comma_texts("EipAddress");
    let ids = parameters.comma_texts("AllocationId");
    let all = world
        .eips
        .values()
        .filter(|own| world.shows(&own.meta, &call.region))
        .filter(|own| addresses.as_ref().is_none_or(|wanted| wanted.contains(&own.address.to_string())))
        .filter(|own| ids.as_ref().is_none_or(|wanted| wanted.contains(&own.id)))
        .filter(|own| accepts(parameters, "AssociatedInstanceId", &own.load_balancer))
        .filter(|_| accepts(parameters, "Status", "InUse"))
        .filter(|own| tags::matches(&own.meta, parameters))
        .map(describe_eip)
        .collect();
    let size = Size { default: 10, minimum: 1, maximum: 100 };
    Ok(page::by_number(all, parameters, size).reply("EipAddresses", "EipAddress"))
}

fn describe_eip(own: &Eip) -> Value {
    json!({
        "AllocationId": own.id,
        "IpAddress": own.address.to_string(),
        "Name": own.name,
        "Status": "InUse",
        "InstanceId": own.load_balancer,
        "InstanceType": "SlbInstance",
        "RegionId": own.meta.region,
        "AllocationTime": timestamp(own.meta.created),
        "Bandwidth": "5120",
        "EipBandwidth": "5120",
        "ChargeType": "PostPaid",
        "InternetChargeType": "PayByTraffic",
        "ISP": "BGP",
        "ServiceManaged": 1,
        "Description": "",
        "ResourceGroupId": "",
        "Tags": tags::vpc_tags(&own.meta),
    })
}
