//! NAT gateways: made, listed, deleted.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use serde_json::{Value, json};

use crate::api::page::{self, Size};
use crate::api::vpc::{self, accepts, check_name};
use crate::api::{Call, Handler, tags};
use crate::wire::{ApiError, Parameters};
use crate::world::World;
use crate::world::elastic_ip::{Eip, EipStatus, EipUser};
use crate::world::event::Event;
use crate::world::meta::timestamp;
use crate::world::nat_gateway::{NatGateway, NatGatewayStatus};
use crate::world::network::{InterfaceOwner, NetworkInterface, NetworkStatus, VSwitch};
use crate::world::pace::Step;

pub(super) const ACTIONS: &[(&str, Handler)] = &[
    ("CreateNatGateway", create_nat_gateway),
    ("DescribeNatGateways", describe_nat_gateways),
    ("DeleteNatGateway", delete_nat_gateway),
];

/// Gateways of one VPC.
const LIMIT: usize = 5;

fn create_nat_gateway(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let parameters = call.parameters;
    let network = vpc::find(call.world, parameters.required("VpcId")?)?;
    if network.status != NetworkStatus::Available {
        let message = format!("The VPC {} is not Available.", network.id);
        return Err(ApiError::bad_request("VpcStatusError", message));
    }
    let (network, region) = (network.id.clone(), network.meta.region.clone());
    call.region = region;
    check_kind(parameters)?;
    check_texts(parameters)?;
    let vswitch = read_vswitch(call, &network)?;
    let private_address = read_address(call, &vswitch)?;
    if call.world.nat_gateways.values().filter(|own| own.vpc == network).count() >= LIMIT {
        let message = format!("The VPC {network} has {LIMIT} NAT gateways already.");
        return Err(ApiError::bad_request("OperationFailed.EnhancedQuotaExceed", message));
    }
    let tags = tags::read(parameters)?;
    call.begin_effect()?;
    let (id, interface) = (call.regional_id("ngw"), call.regional_id("eni"));
    let (snat_table, forward_table) = (call.regional_id("stb"), call.regional_id("ftb"));
    let own = NetworkInterface {
        id: interface.clone(),
        owner: InterfaceOwner::NatGateway(id.clone()),
        vswitch: vswitch.id.clone(),
        address: private_address,
        security_groups: Vec::new(),
        meta: call.world.meta(&call.region, BTreeMap::new()),
    };
    call.world.network_interfaces.insert(interface.clone(), own);
    let gateway = NatGateway {
        id: id.clone(),
        name: parameters.text_or("Name", &id),
        description: parameters.owned("Description"),
        status: NatGatewayStatus::Creating,
        vpc: network,
        vswitch: vswitch.id,
        network_type: parameters.text_or("NetworkType", "internet"),
        eip_bind_mode: parameters.text_or("EipBindMode", "MULTI_BINDED"),
        icmp_reply: parameters.boolean("IcmpReplyEnabled").unwrap_or(true),
        snat_table: snat_table.clone(),
        forward_table: forward_table.clone(),
        network_interface: interface,
        private_address,
        meta: call.world.meta(&call.region, tags),
    };
    call.world.nat_gateways.insert(id.clone(), gateway);
    call.world.schedule(Step::NatGateway, Event::NatGatewaySettled(id.clone()));
    Ok(json!({
        "NatGatewayId": id,
        "SnatTableIds": {"SnatTableId": [snat_table]},
        "ForwardTableIds": {"ForwardTableId": [forward_table]},
        "FullNatTableIds": {"FullNatTableId": []},
    }))
}

/// Of what was once on sale, enhanced gateways paid by use are left.
fn check_kind(parameters: &Parameters) -> Result<(), ApiError> {
    let other = |name: &str, only: &str| parameters.text(name).is_some_and(|given| given != only);
    if other("NatType", "Enhanced") {
        return Err(ApiError::bad_request("ParameterIllegal", "The NatType must be Enhanced."));
    }
    if other("InstanceChargeType", "PostPaid") {
        let message = "NAT gateways are not sold by subscription any more.";
        return Err(ApiError::bad_request("OperationDenied.PrePaidInstance", message));
    }
    match parameters.text("InternetChargeType") {
        None | Some("PayByLcu") => {}
        Some("PayBySpec") => {
            let message = "NAT gateways are not sold by specification any more.";
            return Err(ApiError::bad_request("Forbidden.NatPayBySpec", message));
        }
        Some(other) => {
            let message = format!("The InternetChargeType {other} is not PayByLcu.");
            return Err(ApiError::bad_request("UnsupportedFeature.InternetChargeType", message));
        }
    }
    for (name, known) in [("NetworkType", ["internet", "intranet"]), ("EipBindMode", ["MULTI_BINDED", "NAT"])]
    {
        if let Some(given) = parameters.text(name).filter(|given| !known.contains(given)) {
            let message = format!("The {name} {given} is not one of {}.", known.join(", "));
            return Err(ApiError::bad_request("ParameterIllegal", message));
        }
    }
    Ok(())
}

fn check_texts(parameters: &Parameters) -> Result<(), ApiError> {
    let name = parameters.text("Name").unwrap_or_default();
    check_name(name, "InvalidNatGatewayName.MalFormed")?;
    if !name.is_empty() && !name.starts_with(char::is_alphabetic) {
        let message = format!("The name {name} does not start with a letter.");
        return Err(ApiError::bad_request("InvalidNatGatewayName.MalFormed", message));
    }
    let text = parameters.text("Description").unwrap_or_default();
    let url = text.starts_with("http://") || text.starts_with("https://");
    if !text.is_empty() && (url || !(2..=256).contains(&text.chars().count())) {
        let message = "The Description must have 2 to 256 characters and not be a URL.";
        return Err(ApiError::bad_request("InvalidNatGatewayDescription.MalFormed", message));
    }
    Ok(())
}

fn read_vswitch(call: &Call<'_>, network: &str) -> Result<VSwitch, ApiError> {
    let refused = |code: &str, message: String| Err(ApiError::bad_request(code, message));
    let Some(id) = call.parameters.text("VSwitchId") else {
        return refused("MissingParameter", "An enhanced NAT gateway needs a VSwitchId.".to_owned());
    };
    let Some(vswitch) = call.world.vswitches.get(id) else {
        return refused("InvalidVSWITCHID.NotFound", format!("The vSwitch {id} does not exist."));
    };
    if vswitch.vpc != network {
        return refused("OperationFailed.VswNotBelongToVpc", format!("{id} is not a vSwitch of {network}."));
    }
    if vswitch.status != NetworkStatus::Available {
        return refused("VswitchStatusError", format!("The vSwitch {id} is not Available."));
    }
    Ok(vswitch.clone())
}

fn read_address(call: &Call<'_>, vswitch: &VSwitch) -> Result<Ipv4Addr, ApiError> {
    let Some(text) = call.parameters.text("NatIp") else {
        let message = format!("The vSwitch {} has no addresses left.", vswitch.id);
        let exhausted = || ApiError::bad_request("OperationFailed.VSwitchNoAvailableIp", message);
        return call.world.free_addresses(vswitch, 1).first().copied().ok_or_else(exhausted);
    };
    let wanted = text.parse().ok().filter(|address| call.world.address_is_free(vswitch, *address));
    wanted.ok_or_else(|| {
        ApiError::bad_request("AllocateIpFailed", format!("{text} is not a free address of {}.", vswitch.id))
    })
}

fn delete_nat_gateway(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let id = call.parameters.required("NatGatewayId")?.to_owned();
    let gateway = find(call.world, &id)?;
    if gateway.status != NatGatewayStatus::Available {
        let message = format!("The NAT gateway {id} is {:?}.", gateway.status);
        return Err(ApiError::bad_request("IncorrectStatus.NatGateway", message));
    }
    let user = EipUser::NatGateway(id.clone());
    let in_use = |code: &str, what: &str| {
        let message = format!("The NAT gateway {id} still has {what}.");
        Err(ApiError::bad_request(format!("DependencyViolation.{code}"), message))
    };
    if !call.parameters.flag("Force") {
        if call.world.snat_entries_of(&id).next().is_some() {
            return in_use("SnatEntry", "SNAT entries");
        }
        if call.world.eips_of(&user).next().is_some() {
            return in_use("EIPS", "elastic IP addresses");
        }
    }
    call.begin_effect()?;
    let entries: Vec<String> = call.world.snat_entries_of(&id).map(|entry| entry.id.clone()).collect();
    for entry in entries {
        call.world.delete_snat_entry(&entry);
    }
    let eips: Vec<String> = call.world.eips_of(&user).map(|eip| eip.id.clone()).collect();
    for eip in eips {
        call.world.move_eip(&eip, EipStatus::Unassociating);
    }
    if let Some(gateway) = call.world.nat_gateways.get_mut(&id) {
        gateway.status = NatGatewayStatus::Deleting;
    }
    call.world.schedule(Step::NatGateway, Event::NatGatewaySettled(id));
    Ok(json!({}))
}

/// The gateway with this id.
fn find<'a>(world: &'a World, id: &str) -> Result<&'a NatGateway, ApiError> {
    let message = format!("The specified NAT gateway {id} does not exist.");
    world.nat_gateways.get(id).ok_or_else(|| ApiError::not_found("InvalidNatGatewayId.NotFound", message))
}

fn describe_nat_gateways(call: &mut Call<'_>) -> Result<Value, ApiError> {
    call.begin_effect()?;
    let parameters = call.parameters;
    let world = &*call.world;
    let mut gateways: Vec<&NatGateway> = world
        .nat_gateways
        .values()
        .filter(|own| world.shows(&own.meta, &call.region))
        .filter(|own| accepts(parameters, "NatGatewayId", &own.id) && accepts(parameters, "Name", &own.name))
        .filter(|own| accepts(parameters, "VpcId", &own.vpc))
        .filter(|own| accepts(parameters, "Status", &format!("{:?}", own.status)))
        .filter(|own| accepts(parameters, "NetworkType", &own.network_type))
        .filter(|_| accepts(parameters, "NatType", "Enhanced"))
        .filter(|_| accepts(parameters, "InstanceChargeType", "PostPaid"))
        .filter(|own| accepts(parameters, "ZoneId", zone_of(world, own)))
        .filter(|own| tags::matches(&own.meta, parameters))
        .collect();
    gateways.sort_by_key(|own| (own.meta.created, &own.id));
    let all = gateways.into_iter().map(|own| describe(world, own)).collect();
    let size = Size { default: 10, minimum: 1, maximum: 50 };
    Ok(page::by_number(all, parameters, size).reply("NatGateways", "NatGateway"))
}

fn zone_of<'a>(world: &'a World, own: &NatGateway) -> &'a str {
    world.vswitches.get(&own.vswitch).map_or("", |vswitch| vswitch.zone.as_str())
}

fn describe(world: &World, own: &NatGateway) -> Value {
    let user = EipUser::NatGateway(own.id.clone());
    let addresses = world.eips_of(&user).map(|eip| describe_address(world, eip));
    json!({
        "NatGatewayId": own.id,
        "Name": own.name,
        "Description": own.description,
        "Status": own.status,
        "BusinessStatus": "Normal",
        "RegionId": own.meta.region,
        "VpcId": own.vpc,
        "NatType": "Enhanced",
        "NetworkType": own.network_type,
        "EipBindMode": own.eip_bind_mode,
        "IcmpReplyEnabled": own.icmp_reply,
        "InstanceChargeType": "PostPaid",
        "InternetChargeType": "PayByLcu",
        "Spec": "",
        "AutoPay": false,
        "CreationTime": timestamp(own.meta.created),
        "ExpiredTime": "",
        "DeletionProtection": false,
        "EcsMetricEnabled": false,
        "PrivateLinkEnabled": false,
        "SecurityProtectionEnabled": false,
        "ResourceGroupId": "",
        "SnatTableIds": {"SnatTableId": [own.snat_table]},
        "ForwardTableIds": {"ForwardTableId": [own.forward_table]},
        "FullNatTableIds": {"FullNatTableId": []},
        "IpLists": {"IpList": addresses.collect::<Vec<_>>()},
        "NatGatewayPrivateInfo": {
            "EniInstanceId": own.network_interface,
            "IzNo": zone_of(world, own),
            "MaxBandwidth": 5120,
            "MaxSessionEstablishRate": 100_000,
            "MaxSessionQuota": 2_000_000,
            "PrivateIpAddress": own.private_address.to_string(),
            "VswitchId": own.vswitch,
        },
        "Tags": {"Tag": tags::ecs_tags(&own.meta)["Tag"]},
    })
}

fn describe_address(world: &World, own: &Eip) -> Value {
    json!({
        "AllocationId": own.id,
        "IpAddress": own.address.to_string(),
        "PrivateIpAddress": own.private_address.map(|address| address.to_string()).unwrap_or_default(),
        "SnatEntryEnabled": true,
        "UsingStatus": if world.snat_uses(own.address) { "UsedBySnatTable" } else { "Idle" },
    })
}
