//! Network interfaces: only read, since instances, load balancers and NAT gateways make them.

use serde_json::{Value, json};

use crate::api::page::{self, Size};
use crate::api::vpc::accepts;
use crate::api::{Call, Handler, tags};
use crate::wire::{ApiError, Parameters};
use crate::world::World;
use crate::world::meta::timestamp;
use crate::world::network::{InterfaceOwner, NetworkInterface};

pub(super) const ACTIONS: &[(&str, Handler)] = &[("DescribeNetworkInterfaces", describe_network_interfaces)];

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
        InterfaceOwner::LoadBalancer(_) | InterfaceOwner::NatGateway(_) => "",
    }
}

fn kind_of(own: &NetworkInterface) -> &'static str {
    match own.owner {
        InterfaceOwner::Instance(_) => "Primary",
        InterfaceOwner::LoadBalancer(_) | InterfaceOwner::NatGateway(_) => "Secondary",
    }
}

fn vpc_of(world: &World, own: &NetworkInterface) -> String {
    world.vswitches.get(&own.vswitch).map(|vswitch| vswitch.vpc.clone()).unwrap_or_default()
}

fn describe_interface(world: &World, own: &NetworkInterface) -> Value {
    let zone = world.vswitches.get(&own.vswitch).map(|vswitch| vswitch.zone.clone());
    let managed = !matches!(own.owner, InterfaceOwner::Instance(_));
    let description = match &own.owner {
        InterfaceOwner::Instance(_) => String::new(),
        InterfaceOwner::LoadBalancer(id) => format!("created by ALB {id}"),
        InterfaceOwner::NatGateway(id) => format!("created by NAT gateway {id}"),
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
        "Attachment": describe_attachment(own),
        "AssociatedPublicIp": describe_public(world, own),
        "NetworkInterfaceTrafficMode": "Standard",
        "Ipv4PrefixSets": {"Ipv4PrefixSet": []},
        "Ipv6PrefixSets": {"Ipv6PrefixSet": []},
        "QueueNumber": 1,
        "SourceDestCheck": false,
        "DeleteOnRelease": true,
        "ResourceGroupId": "",
        "Tags": tags::ecs_tags(&own.meta),
    })
}

fn describe_attachment(own: &NetworkInterface) -> Value {
    match instance_of(own) {
        "" => json!({}),
        id => json!({"InstanceId": id, "DeviceIndex": 0, "NetworkCardIndex": 0}),
    }
}

/// The public address of the instance, its own or an elastic one.
fn describe_public(world: &World, own: &NetworkInterface) -> Value {
    let id = instance_of(own);
    if let Some(eip) = world.eip_of_instance(id) {
        return json!({"PublicIpAddress": eip.address.to_string(), "AllocationId": eip.id});
    }
    let address = world.instances.get(id).and_then(|instance| instance.public_address);
    address.map_or_else(|| json!({}), |address| json!({"PublicIpAddress": address.to_string()}))
}

/// An address card of the range that belongs to virtual machines.
pub(super) fn mac_address(address: std::net::Ipv4Addr) -> String {
    let [a, b, c, d] = address.octets();
    format!("00:16:{a:02x}:{b:02x}:{c:02x}:{d:02x}")
}
