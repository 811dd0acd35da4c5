//! Public addresses that belong to an instance itself.

use std::net::Ipv4Addr;

use serde_json::{Value, json};

use crate::api::instances::{find, wrong_status};
use crate::api::{Call, Handler};
use crate::wire::ApiError;
use crate::world::instance::InstanceStatus;
use crate::world::network::PUBLIC;

pub(super) const ACTIONS: &[(&str, Handler)] = &[("AllocatePublicIpAddress", allocate_public_ip_address)];

/// An instance that has an address keeps it: asking again tells which one.
fn allocate_public_ip_address(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let id = call.parameters.required("InstanceId")?.to_owned();
    let instance = find(call.world, &id)?;
    match instance.status {
        InstanceStatus::Running | InstanceStatus::Stopped => {}
        InstanceStatus::Pending | InstanceStatus::Starting | InstanceStatus::Stopping => {
            return Err(wrong_status(instance));
        }
    }
    if let Some(address) = instance.public_address {
        return Ok(json!({"IpAddress": address.to_string()}));
    }
    if let Some(eip) = call.world.eip_of_instance(&id) {
        let message = format!("The instance {id} has the elastic IP address {}.", eip.address);
        return Err(ApiError::forbidden("AllocatedAlready", message));
    }
    if instance.bandwidth_out == 0 {
        let message = format!("The instance {id} has no outbound bandwidth.");
        return Err(ApiError::bad_request("AllocateIpInvalidInstanceBandwidth", message));
    }
    let address = read_address(call)?;
    call.begin_effect()?;
    if let Some(instance) = call.world.instances.get_mut(&id) {
        instance.public_address = Some(address);
    }
    Ok(json!({"IpAddress": address.to_string()}))
}

fn read_address(call: &Call<'_>) -> Result<Ipv4Addr, ApiError> {
    let Some(text) = call.parameters.text("IpAddress") else {
        return Ok(call.world.free_public_address());
    };
    let malformed =
        |_| ApiError::bad_request("InvalidIpAddress.Malformed", format!("{text} is not an address."));
    let address: Ipv4Addr = text.parse().map_err(malformed)?;
    let forbidden = |code: &str, why: &str| Err(ApiError::forbidden(code, format!("{address} {why}.")));
    if !PUBLIC.contains(&address) {
        return forbidden("InvalidIpAddress.NotPublic", "is not a public address of this cloud");
    }
    if call.world.public_addresses().contains(&address) {
        return forbidden("IpInUse", "is in use");
    }
    Ok(address)
}
