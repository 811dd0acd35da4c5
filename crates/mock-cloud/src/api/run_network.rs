//! The network of new instances: vSwitch, security groups, addresses, bandwidth.

use std::net::Ipv4Addr;

use crate::api::{Call, quotas, security_groups, vswitch};
use crate::wire::{ApiError, Parameters};
use crate::world::World;
use crate::world::network::{NetworkStatus, VSwitch};
use crate::world::regions;

/// Where new instances go.
#[derive(Debug)]
pub(super) struct Network {
    pub(super) vswitch: VSwitch,
    pub(super) security_groups: Vec<String>,
    /// One an instance.
    pub(super) addresses: Vec<Ipv4Addr>,
    /// Mbit/s.
    pub(super) bandwidth_in: i64,
    /// Mbit/s.
    pub(super) bandwidth_out: i64,
    pub(super) internet_charge_type: String,
}

/// Reads and checks the network of a call.
///
/// # Errors
/// What the documentation has for vSwitches, groups, addresses and bandwidth.
pub(super) fn read(call: &Call<'_>, amount: usize, minimum: usize) -> Result<Network, ApiError> {
    let parameters = call.parameters;
    let primary = read_primary(parameters)?;
    let vswitch = read_vswitch(call, primary.as_ref())?;
    let security_groups = read_security_groups(call, primary.as_ref(), &vswitch)?;
    let wanted = match &primary {
        Some(primary) => primary.text("PrimaryIpAddress"),
        None => parameters.text("PrivateIpAddress"),
    };
    let addresses = read_addresses(call.world, &vswitch, wanted, (amount, minimum))?;
    let bandwidth_out = read_bandwidth(parameters, "InternetMaxBandwidthOut", (0, 100), 0)?;
    let most_in = bandwidth_out.max(10);
    let bandwidth_in = read_bandwidth(parameters, "InternetMaxBandwidthIn", (1, most_in), most_in)?;
    let internet_charge_type = parameters.text_or("InternetChargeType", "PayByTraffic");
    if !["PayByTraffic", "PayByBandwidth"].contains(&internet_charge_type.as_str()) {
        let message = format!("The InternetChargeType {internet_charge_type} is not known.");
        return Err(ApiError::bad_request("InvalidInternetChargeType.ValueNotSupported", message));
    }
    Ok(Network { vswitch, security_groups, addresses, bandwidth_in, bandwidth_out, internet_charge_type })
}

/// What a primary interface says in place of the call.
const EXCLUDED: &[&str] = &["VSwitchId", "SecurityGroupId", "SecurityGroupIds", "PrivateIpAddress"];

/// The interface that a call describes in place of vSwitch and groups.
fn read_primary(parameters: &Parameters) -> Result<Option<Parameters>, ApiError> {
    let listed = parameters.list("NetworkInterface");
    let is_primary = |own: &&Parameters| own.text("InstanceType") == Some("Primary");
    if listed.iter().any(|own| !is_primary(&own)) {
        let message = "mock-cloud makes no secondary network interfaces.";
        return Err(ApiError::bad_request("InvalidParam.SecondaryNetworkInterface", message));
    }
    if listed.len() > 1 {
        let message = "An instance has one primary network interface.";
        return Err(ApiError::bad_request("InvalidParam.NetworkInterface", message));
    }
    if let Some(name) = EXCLUDED.iter().find(|name| !listed.is_empty() && parameters.has(name)) {
        let message = format!("{name} and a primary network interface exclude each other.");
        return Err(ApiError::bad_request("InvalidParam.NetworkInterface", message));
    }
    Ok(listed.into_iter().next())
}

fn read_vswitch(call: &Call<'_>, primary: Option<&Parameters>) -> Result<VSwitch, ApiError> {
    let id = primary.unwrap_or(call.parameters).required("VSwitchId")?;
    let vswitch = vswitch::find(call.world, id)?;
    if vswitch.meta.region != call.region {
        return Err(ApiError::not_found("InvalidVSwitchId.NotFound", "The vSwitch is in another region."));
    }
    if vswitch.status != NetworkStatus::Available {
        let message = format!("The vSwitch {} is not Available.", vswitch.id);
        return Err(ApiError::bad_request("IncorrectVSwitchStatus", message));
    }
    match call.parameters.text("ZoneId") {
        Some(zone) if !regions::has_zone(&call.region, zone) => Err(ApiError::not_found(
            "InvalidZoneId.NotFound",
            format!("The zone {zone} does not exist in {}.", call.region),
        )),
        Some(zone) if zone != vswitch.zone => {
            let message = format!("The vSwitch {} is in {}.", vswitch.id, vswitch.zone);
            Err(ApiError::bad_request("InvalidParameter.Mismatch", message))
        }
        Some(_) | None => Ok(vswitch.clone()),
    }
}

fn read_security_groups(
    call: &Call<'_>,
    primary: Option<&Parameters>,
    vswitch: &VSwitch,
) -> Result<Vec<String>, ApiError> {
    let given = primary.unwrap_or(call.parameters);
    let mut ids = given.texts("SecurityGroupIds");
    match (given.text("SecurityGroupId"), ids.is_empty()) {
        (Some(_), false) => {
            let message = "SecurityGroupId and SecurityGroupIds exclude each other.";
            return Err(ApiError::bad_request("InvalidSecurityGroupId.SingleIdAndMultiIdConflict", message));
        }
        (Some(id), true) => ids.push(id.to_owned()),
        (None, false) => {}
        (None, true) => return Err(ApiError::missing("SecurityGroupId")),
    }
    check_groups(call.world, &ids, &vswitch.vpc)?;
    Ok(ids)
}

/// Groups that an instance of this VPC can be in together.
///
/// # Errors
/// Unknown, managed, repeated, too many, or of another VPC.
pub(super) fn check_groups(world: &World, ids: &[String], vpc: &str) -> Result<(), ApiError> {
    for (index, id) in ids.iter().enumerate() {
        let group = security_groups::find(world, id)?;
        security_groups::refuse_managed(group)?;
        if ids[..index].contains(id) {
            let message = format!("The security group {id} is given twice.");
            return Err(ApiError::bad_request("InvalidParameter.SecurityGroupIdRepeated", message));
        }
        if group.vpc != vpc {
            let message = format!("The security group {id} is not in the VPC {vpc}.");
            return Err(ApiError::bad_request("InvalidSecurityGroup.VpcMismatch", message));
        }
    }
    if ids.len() > quotas::GROUPS_OF_INSTANCE {
        let message = format!("An instance is in {} security groups at most.", quotas::GROUPS_OF_INSTANCE);
        return Err(ApiError::bad_request("JoinedGroupLimitExceed", message));
    }
    Ok(())
}

/// One address an instance. All or nothing, unless `MinAmount` allows fewer.
fn read_addresses(
    world: &World,
    vswitch: &VSwitch,
    wanted: Option<&str>,
    (amount, minimum): (usize, usize),
) -> Result<Vec<Ipv4Addr>, ApiError> {
    let Some(text) = wanted else {
        let addresses = world.free_addresses(vswitch, amount);
        if addresses.len() >= minimum {
            return Ok(addresses);
        }
        let message = format!("The vSwitch {} has {} addresses left.", vswitch.id, addresses.len());
        return Err(ApiError::bad_request("InvalidVSwitchId.IpNotEnough", message));
    };
    let malformed = |_| ApiError::bad_request("InvalidPrivateIpAddress.Malformed", "It is not an address.");
    let first: Ipv4Addr = text.parse().map_err(malformed)?;
    let of_vswitch = |offset| {
        let address = u32::from(first).checked_add(offset).map(Ipv4Addr::from);
        address.filter(|address| vswitch.cidr.contains(address))
    };
    let following: Option<Vec<Ipv4Addr>> = (0..).take(amount).map(of_vswitch).collect();
    let addresses = following.ok_or_else(|| {
        let message = format!("The vSwitch {} has no {amount} addresses from {first} on.", vswitch.id);
        ApiError::bad_request("InvalidPrivateIpAddress", message)
    })?;
    if let Some(taken) = addresses.iter().find(|address| !world.address_is_free(vswitch, **address)) {
        let message = format!("The address {taken} is taken or reserved.");
        return Err(ApiError::bad_request("InvalidPrivateIpAddress.Duplicated", message));
    }
    Ok(addresses)
}

/// Mbit/s.
fn read_bandwidth(
    parameters: &Parameters,
    name: &str,
    (least, most): (i64, i64),
    default: i64,
) -> Result<i64, ApiError> {
    let width = parameters.integer(name).unwrap_or(default);
    if (least..=most).contains(&width) {
        return Ok(width);
    }
    let message = format!("The {name} must be {least} to {most} Mbit/s.");
    Err(ApiError::bad_request(format!("Invalid{name}.Malformed"), message))
}
