//! `RunInstances`: one call, up to a hundred instances.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::api::{Call, Handler, catalogue, images, instances, security_groups, tags, vswitch};
use crate::wire::{ApiError, Parameters};
use crate::world::event::Event;
use crate::world::instance::{Instance, InstanceStatus};
use crate::world::network::{InterfaceOwner, NetworkInterface, NetworkStatus, VSwitch};
use crate::world::pace::Step;

pub(super) const ACTIONS: &[(&str, Handler)] = &[("RunInstances", run_instances)];

/// User data before encoding.
const USER_DATA_LIMIT: usize = 32 * 1024;

/// What all instances of one call share.
struct Blueprint {
    instance_type: &'static str,
    image: &'static str,
    vswitch: VSwitch,
    security_groups: Vec<String>,
    key_pair: Option<String>,
    user_data: Option<Vec<u8>>,
    bandwidth_out: i64,
    tags: BTreeMap<String, String>,
    addresses: Vec<Ipv4Addr>,
}

fn run_instances(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let blueprint = check(call)?;
    call.begin_effect()?;
    let ids: Vec<String> =
        (0..blueprint.addresses.len()).map(|index| make(call, &blueprint, index)).collect();
    Ok(json!({"InstanceIdSets": {"InstanceIdSet": ids}, "OrderId": "", "TradePrice": 0.0}))
}

fn check(call: &Call<'_>) -> Result<Blueprint, ApiError> {
    let parameters = call.parameters;
    let image = read_image(parameters)?;
    let instance_type = read_type(parameters, image)?;
    let vswitch = read_vswitch(call)?;
    if catalogue::is_sold_out(call.world, &vswitch.zone, instance_type) {
        let message = format!("{instance_type} is sold out in {}.", vswitch.zone);
        return Err(ApiError::forbidden("OperationDenied.NoStock", message));
    }
    let security_groups = read_security_groups(call, &vswitch)?;
    let key_pair = parameters.text("KeyPairName").map(str::to_owned);
    if let Some(name) = &key_pair
        && !call.world.key_pairs.contains_key(&(call.region.clone(), name.clone()))
    {
        let message = format!("The specified key pair {name} does not exist.");
        return Err(ApiError::not_found("InvalidKeyPairName.NotFound", message));
    }
    instances::check_instance_name(parameters.text("InstanceName"))?;
    instances::check_host_name(parameters.text("HostName"))?;
    let addresses = read_addresses(call, &vswitch)?;
    Ok(Blueprint {
        instance_type,
        image: image.id,
        security_groups,
        key_pair,
        user_data: read_user_data(parameters)?,
        bandwidth_out: parameters.integer("InternetMaxBandwidthOut").unwrap_or(0),
        tags: tags::read(parameters)?,
        vswitch,
        addresses,
    })
}

fn read_image(parameters: &Parameters) -> Result<&'static images::Image, ApiError> {
    match (parameters.text("ImageId"), parameters.text("ImageFamily")) {
        (Some(_), Some(_)) => {
            let message = "ImageId and ImageFamily exclude each other.";
            Err(ApiError::bad_request("UnexpectedImageFamily.ImageIdSupplied", message))
        }
        (Some(id), None) => images::find(id).ok_or_else(|| {
            ApiError::not_found(
                "InvalidImageId.NotFound",
                format!("The specified image {id} does not exist."),
            )
        }),
        (None, Some(family)) => images::find_family(family).ok_or_else(|| {
            let message = format!("The image family {family} has no image that can be used.");
            ApiError::forbidden("InvalidImageFamily.MissingAvailableImage", message)
        }),
        (None, None) => Err(ApiError::missing("ImageId")),
    }
}

fn read_type(parameters: &Parameters, image: &images::Image) -> Result<&'static str, ApiError> {
    let id = parameters.required("InstanceType")?;
    let Some(kind) = catalogue::find(id) else {
        let message = format!("The specified InstanceType {id} does not exist or is not on sale here.");
        return Err(ApiError::bad_request("InvalidInstanceType.ValueNotSupported", message));
    };
    if (kind.architecture == "ARM") != (image.architecture == "arm64") {
        let message =
            format!("The image {} is for {}, the instance type {id} is not.", image.id, image.architecture);
        return Err(ApiError::forbidden("ImageNotSupportInstanceType", message));
    }
    let disk = parameters.object("SystemDisk");
    let category = disk.text("Category").unwrap_or("cloud_essd");
    if !catalogue::DISK_CATEGORIES.contains(&category) {
        let message = format!("The system disk category {category} is not supported.");
        return Err(ApiError::bad_request("InvalidSystemDiskCategory.ValueNotSupported", message));
    }
    if !catalogue::takes_disk(kind, category) {
        let message = format!("The instance type {id} does not take {category}.");
        return Err(ApiError::forbidden("InvalidInstanceType.NotSupportDiskCategory", message));
    }
    let size = disk.text("Size").map(|size| size.parse::<i64>().unwrap_or_default());
    if size.is_some_and(|size| size < image.size) {
        let message = format!("The system disk is smaller than the image, {} GiB.", image.size);
        return Err(ApiError::not_found("InvalidSystemDiskSize.LessThanImageSize", message));
    }
    Ok(kind.id)
}

fn read_vswitch(call: &Call<'_>) -> Result<VSwitch, ApiError> {
    let vswitch = vswitch::find(call.world, call.parameters.required("VSwitchId")?)?;
    if vswitch.meta.region != call.region {
        return Err(ApiError::not_found("InvalidVSwitchId.NotFound", "The vSwitch is in another region."));
    }
    if vswitch.status != NetworkStatus::Available {
        let message = format!("The vSwitch {} is not Available.", vswitch.id);
        return Err(ApiError::bad_request("IncorrectVSwitchStatus", message));
    }
    if call.parameters.text("ZoneId").is_some_and(|zone| zone != vswitch.zone) {
        let message = format!("The vSwitch {} is in {}.", vswitch.id, vswitch.zone);
        return Err(ApiError::bad_request("InvalidParameter.Mismatch", message));
    }
    Ok(vswitch.clone())
}

fn read_security_groups(call: &Call<'_>, vswitch: &VSwitch) -> Result<Vec<String>, ApiError> {
    let mut ids = call.parameters.texts("SecurityGroupIds");
    match (call.parameters.text("SecurityGroupId"), ids.is_empty()) {
        (Some(_), false) => {
            let message = "SecurityGroupId and SecurityGroupIds exclude each other.";
            return Err(ApiError::bad_request("InvalidParameter.Conflict", message));
        }
        (Some(id), true) => ids.push(id.to_owned()),
        (None, false) => {}
        (None, true) => return Err(ApiError::missing("SecurityGroupId")),
    }
    for id in &ids {
        let group = security_groups::find(call.world, id)?;
        security_groups::refuse_managed(group)?;
        if group.vpc != vswitch.vpc {
            let message = format!("The security group {id} and the vSwitch {} are in two VPCs.", vswitch.id);
            return Err(ApiError::bad_request("InvalidSecurityGroup.VpcMismatch", message));
        }
    }
    Ok(ids)
}

fn read_user_data(parameters: &Parameters) -> Result<Option<Vec<u8>>, ApiError> {
    let Some(text) = parameters.text("UserData") else {
        return Ok(None);
    };
    let malformed =
        |_| ApiError::bad_request("InvalidUserData.Base64FormatInvalid", "The UserData is not Base64.");
    let decoded = STANDARD.decode(text).map_err(malformed)?;
    if decoded.len() > USER_DATA_LIMIT {
        return Err(ApiError::bad_request(
            "InvalidUserData.SizeExceeded",
            "The UserData is larger than 32 KB.",
        ));
    }
    Ok(Some(decoded))
}

/// One address an instance. All or nothing, unless `MinAmount` allows fewer.
fn read_addresses(call: &Call<'_>, vswitch: &VSwitch) -> Result<Vec<Ipv4Addr>, ApiError> {
    let parameters = call.parameters;
    let amount: usize = parameters.unsigned("Amount").unwrap_or(1);
    let minimum: usize = parameters.unsigned("MinAmount").unwrap_or(amount);
    if minimum > amount {
        return Err(ApiError::invalid("MinAmount", "it is larger than Amount"));
    }
    if let Some(text) = parameters.text("PrivateIpAddress") {
        let malformed =
            |_| ApiError::bad_request("InvalidPrivateIpAddress.Malformed", "It is not an address.");
        let address: Ipv4Addr = text.parse().map_err(malformed)?;
        if amount > 1 || !vswitch.cidr.contains(&address) {
            let message = format!("The address {address} cannot be used here.");
            return Err(ApiError::bad_request("InvalidPrivateIpAddress", message));
        }
        if !call.world.address_is_free(vswitch, address) {
            let message = format!("The address {address} is taken or reserved.");
            return Err(ApiError::bad_request("InvalidPrivateIpAddress.Duplicated", message));
        }
        return Ok(vec![address]);
    }
    let addresses = call.world.free_addresses(vswitch, amount);
    if addresses.len() < minimum {
        let message = format!("The vSwitch {} has {} addresses left.", vswitch.id, addresses.len());
        return Err(ApiError::bad_request("InvalidVSwitchId.IpNotEnough", message));
    }
    Ok(addresses)
}

/// Makes the instance with this index of the call.
fn make(call: &mut Call<'_>, blueprint: &Blueprint, index: usize) -> String {
    let (id, interface) = (call.regional_id("i"), call.regional_id("eni"));
    let address = blueprint.addresses[index];
    let group = &blueprint.security_groups;
    call.world.network_interfaces.insert(
        interface.clone(),
        NetworkInterface {
            id: interface.clone(),
            owner: InterfaceOwner::Instance(id.clone()),
            vswitch: blueprint.vswitch.id.clone(),
            address,
            security_groups: group.clone(),
            meta: call.world.meta(&call.region, BTreeMap::new()),
        },
    );
    let public_address = (blueprint.bandwidth_out > 0).then(|| call.world.free_public_address());
    let parameters = call.parameters;
    let identity = call.identity.clone();
    let instance = Instance {
        name: name_of(parameters, index, &id),
        host_name: host_name_of(parameters, index, &id),
        description: parameters.owned("Description"),
        status: InstanceStatus::Pending,
        releasing: false,
        awaits_host: false,
        rebooting: false,
        instance_type: blueprint.instance_type.to_owned(),
        image: blueprint.image.to_owned(),
        charge_type: parameters.text_or("InstanceChargeType", "PostPaid"),
        spot_strategy: parameters.text_or("SpotStrategy", "NoSpot"),
        vpc: blueprint.vswitch.vpc.clone(),
        vswitch: blueprint.vswitch.id.clone(),
        zone: blueprint.vswitch.zone.clone(),
        private_address: address,
        public_address,
        bandwidth_out: blueprint.bandwidth_out,
        internet_charge_type: parameters.text_or("InternetChargeType", "PayByTraffic"),
        network_interface: interface,
        security_groups: group.clone(),
        key_pair: blueprint.key_pair.clone(),
        user_data: blueprint.user_data.clone(),
        deletion_protection: parameters.flag("DeletionProtection"),
        http_tokens: parameters.text_or("HttpTokens", "optional"),
        serial_number: call.ids().make_uuid("serial", &identity).to_lowercase(),
        meta: call.world.meta(&call.region, blueprint.tags.clone()),
        id: id.clone(),
    };
    call.world.instances.insert(id.clone(), instance);
    call.world.schedule(Step::InstanceAllocated, Event::InstanceAllocated(id.clone()));
    id
}

fn name_of(parameters: &Parameters, index: usize, id: &str) -> String {
    let several = parameters.integer("Amount").unwrap_or(1) > 1;
    match parameters.text("InstanceName") {
        None => id.to_owned(),
        Some(pattern) => numbered(pattern, index, parameters.flag("UniqueSuffix") && several),
    }
}

fn host_name_of(parameters: &Parameters, index: usize, id: &str) -> String {
    let several = parameters.integer("Amount").unwrap_or(1) > 1;
    let listed = parameters.texts("HostNames");
    if let Some(name) = listed.get(index) {
        return name.clone();
    }
    match parameters.text("HostName") {
        None => format!("iZ{}Z", id.trim_start_matches("i-")),
        Some(pattern) => {
            numbered(pattern, index, parameters.flag("UniqueSuffix") && several).replace("${instance_id}", id)
        }
    }
}

/// `ecs[1,2]x` gives `ecs01x`, `ecs02x`, ...; a unique suffix counts from 001 unless the name ends in the number.
pub(super) fn numbered(pattern: &str, index: usize, unique_suffix: bool) -> String {
    let counted = format!("{:03}", index + 1);
    match sequence(pattern) {
        None if unique_suffix => format!("{pattern}{counted}"),
        None => pattern.to_owned(),
        Some((prefix, begin, bits, suffix)) => {
            let number = begin + index;
            let name = format!("{prefix}{number:0bits$}{suffix}");
            if unique_suffix && !suffix.is_empty() { format!("{name}{counted}") } else { name }
        }
    }
}

/// Takes `prefix[begin,bits]suffix` apart; both numbers may be left out.
fn sequence(pattern: &str) -> Option<(&str, usize, usize, &str)> {
    let (prefix, rest) = pattern.split_once('[')?;
    let (inside, suffix) = rest.split_once(']')?;
    let (begin, bits) = inside.split_once(',')?;
    let number = |text: &str, default: usize| {
        if text.is_empty() { Some(default) } else { text.parse().ok() }
    };
    let (first, width) = (number(begin, 0)?, number(bits, 6)?);
    let good = !prefix.is_empty() && first <= 999_999 && (1..=6).contains(&width);
    let width = if begin.len() > width { 6 } else { width };
    good.then_some((prefix, first, width, suffix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequential_names_follow_the_documented_form() {
        assert_eq!(numbered("ecs[1,2]", 0, false), "ecs01");
        assert_eq!(numbered("ecs[1,2]", 1, true), "ecs02", "no suffix behind the number, so none is added");
        assert_eq!(numbered("ecs[99,2]-a", 1, false), "ecs100-a");
        assert_eq!(numbered("ecs[1,2]-a", 1, true), "ecs02-a002");
        assert_eq!(numbered("ecs[,]", 3, false), "ecs000003");
        assert_eq!(numbered("ecs[123,2]", 0, false), "ecs000123", "more digits than bits: six bits");
        assert_eq!(numbered("plain", 4, false), "plain");
        assert_eq!(numbered("plain", 4, true), "plain005");
    }
}
