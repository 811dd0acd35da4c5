//! Where a Redis or Tair instance is: vSwitch, zones, address, port and name.

use std::net::Ipv4Addr;

use crate::api::Call;
use crate::api::redis_rules::{self, illegal};
use crate::wire::{ApiError, Parameters};
use crate::world::network::{NetworkStatus, VSwitch};
use crate::world::regions;

pub(super) fn read_vswitch(call: &Call<'_>) -> Result<VSwitch, ApiError> {
    let parameters = call.parameters;
    let missing = |name: &str| {
        ApiError::bad_request("MissingParameter", format!("{name} is mandatory: instances live in a VPC."))
    };
    let vpc = parameters.text("VpcId").ok_or_else(|| missing("VpcId"))?;
    let id = parameters.text("VSwitchId").ok_or_else(|| missing("VSwitchId"))?;
    let world = &*call.world;
    if world.vpcs.get(vpc).is_none_or(|own| own.meta.region != call.region) {
        let message = format!("The specified VPC {vpc} does not exist.");
        return Err(ApiError::bad_request("InvalidVPCId.NotFound", message));
    }
    let Some(vswitch) = world.vswitches.get(id) else {
        let message = format!("The specified vSwitch {id} does not exist.");
        return Err(ApiError::bad_request("InvalidvSwitchId", message));
    };
    if vswitch.vpc != vpc {
        let message = format!("The vSwitch {id} is not in the VPC {vpc}.");
        return Err(ApiError::bad_request("VSwithNotBelongToNotVpcFault", message));
    }
    if vswitch.status != NetworkStatus::Available {
        let message = format!("The vSwitch {id} is not Available.");
        return Err(ApiError::bad_request("VpcServiceError", message));
    }
    Ok(vswitch.clone())
}

/// The zone of the call, where there is one, is that of the vSwitch; the secondary zone is another one.
pub(super) fn read_zones(call: &Call<'_>, vswitch: &VSwitch) -> Result<String, ApiError> {
    let parameters = call.parameters;
    let zone = parameters.text("ZoneId").unwrap_or(&vswitch.zone);
    if !regions::has_zone(&call.region, zone) {
        let message = format!("The zone {zone} does not exist in {}.", call.region);
        let code = if call.operation.action == "CreateInstance" {
            "ZoneIdNotFound"
        } else {
            "InvalidIzNo.NotSupported"
        };
        return Err(ApiError::bad_request(code, message));
    }
    if zone != vswitch.zone {
        let message = format!("The vSwitch {} is in {}, not in {zone}.", vswitch.id, vswitch.zone);
        return Err(ApiError::not_found("InvalidVpcIdOrVswitchId.NotSupported", message));
    }
    let secondary = parameters.owned("SecondaryZoneId");
    if !secondary.is_empty() && (secondary == zone || !regions::has_zone(&call.region, &secondary)) {
        let message = format!("The secondary zone {secondary} must be another zone of {}.", call.region);
        return Err(ApiError::bad_request("InvalidIzNo.NotSupported", message));
    }
    Ok(secondary)
}

pub(super) fn read_address(call: &Call<'_>, vswitch: &VSwitch) -> Result<Ipv4Addr, ApiError> {
    let Some(text) = call.parameters.text("PrivateIpAddress") else {
        return call.world.free_addresses(vswitch, 1).pop().ok_or_else(|| {
            let message = format!("The vSwitch {} has no address left.", vswitch.id);
            ApiError::bad_request("ResourceNotAvailable", message)
        });
    };
    let address: Option<Ipv4Addr> = text.parse().ok().filter(|address| vswitch.cidr.contains(address));
    let Some(address) = address else {
        let message = format!("The address {text} is not one of the vSwitch {}.", vswitch.id);
        return Err(ApiError::bad_request("InvalidIPNotInSubnet", message));
    };
    if !call.world.address_is_free(vswitch, address) {
        let message = format!("The address {address} is taken or reserved.");
        return Err(ApiError::bad_request("InvalidPrivateIpAddress.AlreadyUsed", message));
    }
    Ok(address)
}

pub(super) fn read_port(parameters: &Parameters) -> Result<u16, ApiError> {
    match parameters.text("Port") {
        None => Ok(6379),
        Some(text) => {
            text.parse().ok().filter(|port| *port > 0).ok_or_else(|| illegal("Port", "it takes 1 to 65535"))
        }
    }
}

pub(super) fn read_prefix(call: &Call<'_>) -> Result<Option<String>, ApiError> {
    let Some(prefix) = call.parameters.text("ConnectionStringPrefix") else { return Ok(None) };
    redis_rules::check_prefix(prefix)?;
    if call.world.redis_instances.values().any(|own| own.prefix == prefix) {
        return Err(illegal("ConnectionStringPrefix", "another instance has it"));
    }
    Ok(Some(prefix.to_owned()))
}
