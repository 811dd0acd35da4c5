//! Entries of NAT gateways: by which addresses a vSwitch or a network goes out.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use serde_json::{Value, json};

use crate::api::page::{self, Size};
use crate::api::vpc::{accepts, check_name, parse_network};
use crate::api::{Call, Handler};
use crate::wire::ApiError;
use crate::world::World;
use crate::world::elastic_ip::{EipStatus, EipUser};
use crate::world::event::Event;
use crate::world::nat_gateway::{NatGateway, NatGatewayStatus, SnatEntry, SnatEntryStatus};
use crate::world::pace::Step;

pub(super) const ACTIONS: &[(&str, Handler)] = &[
    ("CreateSnatEntry", create_snat_entry),
    ("DescribeSnatTableEntries", describe_snat_table_entries),
    ("DeleteSnatEntry", delete_snat_entry),
];

/// Entries of one gateway.
const LIMIT: usize = 40;

/// Whom an entry serves.
struct Source {
    vswitch: Option<String>,
    cidr: String,
}

fn create_snat_entry(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let parameters = call.parameters;
    let gateway = find_table(call.world, parameters.required("SnatTableId")?)?.clone();
    if gateway.status != NatGatewayStatus::Available {
        let message = format!("The NAT gateway {} is {:?}.", gateway.id, gateway.status);
        return Err(ApiError::bad_request("IncorrectStatus.NATGW", message));
    }
    call.region.clone_from(&gateway.meta.region);
    let name = parameters.owned("SnatEntryName");
    check_name(&name, "InvalidParameter.Name.Malformed")?;
    let source = read_source(call, &gateway)?;
    let addresses = read_addresses(call, &gateway)?;
    if call.world.snat_entries_of(&gateway.id).count() >= LIMIT {
        let message = format!("The NAT gateway {} has {LIMIT} SNAT entries already.", gateway.id);
        return Err(ApiError::bad_request("QuotaExceeded.SnatEntry", message));
    }
    call.begin_effect()?;
    let id = call.regional_id("snat");
    let entry = SnatEntry {
        id: id.clone(),
        name,
        gateway: gateway.id,
        status: SnatEntryStatus::Pending,
        addresses,
        source_vswitch: source.vswitch,
        source_cidr: source.cidr,
        eip_affinity: parameters.integer("EipAffinity") == Some(1),
        meta: call.world.meta(&call.region, std::collections::BTreeMap::new()),
    };
    call.world.snat_entries.insert(id.clone(), entry);
    call.world.schedule(Step::SnatEntry, Event::SnatEntrySettled(id.clone()));
    Ok(json!({"SnatEntryId": id}))
}

/// One of `SourceVSwitchId` and `SourceCIDR`.
fn read_source(call: &Call<'_>, gateway: &NatGateway) -> Result<Source, ApiError> {
    let refused = |code: &str, message: String| Err(ApiError::bad_request(code, message));
    let taken = |cidr: &str| call.world.snat_entries_of(&gateway.id).any(|own| own.source_cidr == cidr);
    match (call.parameters.text("SourceVSwitchId"), call.parameters.text("SourceCIDR")) {
        (Some(_), Some(_)) => refused(
            "CreateSnatEntry.ParamExclusive.sourceVSwitchIdAndsourceCIDR",
            "SourceVSwitchId and SourceCIDR exclude each other.".to_owned(),
        ),
        (None, None) => {
            refused("INVALID_PARAMETER", "One of SourceVSwitchId and SourceCIDR is needed.".to_owned())
        }
        (Some(id), None) => {
            let message = format!("The vSwitch {id} does not exist.");
            let missing = || ApiError::not_found("InvalidVSwitchId.NotFound", message);
            let vswitch = call.world.vswitches.get(id).filter(|own| !own.deleting).ok_or_else(missing)?;
            let cidr = vswitch.cidr.to_string();
            if vswitch.vpc != gateway.vpc {
                let message = format!("{id} is not a vSwitch of {}.", gateway.vpc);
                return refused("OperationFailed.VSwitchNotInVpc", message);
            }
            if taken(&cidr) {
                let message = format!("The vSwitch {id} has an SNAT entry already.");
                return refused("Forbidden.SourceVSwitchId.Duplicated", message);
            }
            Ok(Source { vswitch: Some(id.to_owned()), cidr })
        }
        (None, Some(text)) => {
            let Some(cidr) = parse_network(text) else {
                return refused("InvalidSourceCIDR.Malformed", format!("{text} is not a network."));
            };
            if cidr == Ipv4Net::default() {
                let message = format!("The network {text} is everything.");
                return refused("NOT_ALLOW_USE_SOURCECIDR_CONTAINSZERO", message);
            }
            if taken(text) {
                return refused(
                    "OperationUnsupported.CidrConflict",
                    format!("{text} has an SNAT entry already."),
                );
            }
            Ok(Source { vswitch: None, cidr: cidr.to_string() })
        }
    }
}

/// The addresses an entry goes out by: elastic ones of the gateway, or its own when it is an inner one.
fn read_addresses(call: &Call<'_>, gateway: &NatGateway) -> Result<Vec<Ipv4Addr>, ApiError> {
    let refused = |code: &str, message: String| Err(ApiError::bad_request(code, message));
    let Some(texts) = call.parameters.comma_texts("SnatIp") else {
        return refused("InvalidParameter.SnatIp", "A SnatIp is needed.".to_owned());
    };
    let mut addresses: Vec<Ipv4Addr> = Vec::new();
    for text in texts {
        let Ok(address) = text.parse() else {
            return refused("InvalidSnatIp.Malformed", format!("{text} is not an address."));
        };
        if addresses.contains(&address) {
            return refused("InvalidParameter.SnatIp", format!("{text} is given twice."));
        }
        check_address(call.world, gateway, address)?;
        addresses.push(address);
    }
    Ok(addresses)
}

fn check_address(world: &World, gateway: &NatGateway, address: Ipv4Addr) -> Result<(), ApiError> {
    if gateway.network_type == "intranet" {
        if address == gateway.private_address {
            return Ok(());
        }
        let message = format!("{address} is not an address of {}.", gateway.id);
        return Err(ApiError::not_found("ResourceNotFound.NatIp", message));
    }
    let Some(eip) = world.eips.values().find(|eip| eip.address == address) else {
        let message = format!("The elastic IP address {address} does not exist.");
        return Err(ApiError::not_found("InvalidSnatIp.NotFound", message));
    };
    if eip.user != Some(EipUser::NatGateway(gateway.id.clone())) {
        let message = format!("The elastic IP address {address} is not bound to {}.", gateway.id);
        return Err(ApiError::bad_request("EIP_NOT_IN_GATEWAY", message));
    }
    if eip.status != EipStatus::InUse {
        let message = format!("The elastic IP address {address} is {:?}.", eip.status);
        return Err(ApiError::bad_request("OperationUnsupported.EipInBinding", message));
    }
    Ok(())
}

fn delete_snat_entry(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let table = find_table(call.world, call.parameters.required("SnatTableId")?)?.id.clone();
    let id = call.parameters.required("SnatEntryId")?.to_owned();
    let Some(entry) = call.world.snat_entries.get(&id).filter(|entry| entry.gateway == table) else {
        let message = format!("The specified SNAT entry {id} does not exist.");
        return Err(ApiError::not_found("InvalidSnatEntryId.NotFound", message));
    };
    if entry.status != SnatEntryStatus::Available {
        let message = format!("The SNAT entry {id} is {:?}.", entry.status);
        return Err(ApiError::bad_request("IncorretSnatEntryStatus", message));
    }
    call.begin_effect()?;
    call.world.delete_snat_entry(&id);
    Ok(json!({}))
}

/// The gateway whose table this is.
fn find_table<'a>(world: &'a World, id: &str) -> Result<&'a NatGateway, ApiError> {
    let message = format!("The specified SNAT table {id} does not exist.");
    let gateway = world.nat_gateways.values().find(|gateway| gateway.snat_table == id);
    gateway.ok_or_else(|| ApiError::not_found("InvalidSnatTableId.NotFound", message))
}

fn describe_snat_table_entries(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let parameters = call.parameters;
    let world = &*call.world;
    let (gateway, table) = (parameters.text("NatGatewayId"), parameters.text("SnatTableId"));
    if gateway.is_none() && table.is_none() && !parameters.has("SnatEntryId") {
        let message = "One of SnatTableId, NatGatewayId and SnatEntryId is needed.";
        return Err(ApiError::bad_request("DESCRIBE_SNAT_PARAM_INVALID", message));
    }
    let wanted = table.map(|id| find_table(world, id)).transpose()?.map(|gateway| gateway.id.as_str());
    let mut entries: Vec<&SnatEntry> = world
        .snat_entries
        .values()
        .filter(|own| world.shows(&own.meta, &call.region))
        .filter(|own| wanted.is_none_or(|id| id == own.gateway))
        .filter(|own| accepts(parameters, "NatGatewayId", &own.gateway))
        .filter(|own| accepts(parameters, "SnatEntryId", &own.id))
        .filter(|own| accepts(parameters, "SnatEntryName", &own.name))
        .filter(|own| accepts(parameters, "SnatIp", &joined(own)))
        .filter(|own| accepts(parameters, "SourceCIDR", &own.source_cidr))
        .filter(|own| {
            accepts(parameters, "SourceVSwitchId", own.source_vswitch.as_deref().unwrap_or_default())
        })
        .collect();
    entries.sort_by_key(|own| (own.meta.created, &own.id));
    let all = entries.into_iter().map(|own| describe(world, own)).collect();
    let size = Size { default: 10, minimum: 1, maximum: 50 };
    Ok(page::by_number(all, parameters, size).reply("SnatTableEntries", "SnatTableEntry"))
}

fn joined(own: &SnatEntry) -> String {
    own.addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

fn describe(world: &World, own: &SnatEntry) -> Value {
    let table = world.nat_gateways.get(&own.gateway).map(|gateway| gateway.snat_table.clone());
    json!({
        "SnatEntryId": own.id,
        "SnatEntryName": own.name,
        "SnatTableId": table.unwrap_or_default(),
        "NatGatewayId": own.gateway,
        "SnatIp": joined(own),
        "SourceCIDR": own.source_cidr,
        "SourceVSwitchId": own.source_vswitch.clone().unwrap_or_default(),
        "Status": own.status,
        "EipAffinity": if own.eip_affinity { "1" } else { "0" },
        "NetworkInterfaceId": "",
    })
}
