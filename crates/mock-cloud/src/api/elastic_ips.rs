//! Elastic IP addresses: taken, bound, taken off, given back, listed.

use std::net::Ipv4Addr;

use serde_json::{Value, json};

use crate::api::page::{self, Size};
use crate::api::vpc::{self, accepts, check_name};
use crate::api::{Call, Handler, tags};
use crate::wire::{ApiError, Parameters};
use crate::world::World;
use crate::world::elastic_ip::{Eip, EipStatus, EipUser};
use crate::world::instance::InstanceStatus;
use crate::world::meta::timestamp;
use crate::world::nat_gateway::NatGatewayStatus;
use crate::world::network::PUBLIC;

pub(super) const ACTIONS: &[(&str, Handler)] = &[
    ("AllocateEipAddress", allocate),
    ("AssociateEipAddress", associate),
    ("UnassociateEipAddress", unassociate),
    ("ReleaseEipAddress", release),
    ("DescribeEipAddresses", describe_eip_addresses),
];

/// Addresses of one account in a region.
const LIMIT: usize = 20;
/// Addresses of one NAT gateway.
const LIMIT_OF_GATEWAY: usize = 20;
/// Regions with the better lines.
const PRO_REGIONS: &[&str] = &[
    "cn-hongkong",
    "ap-southeast-1",
    "ap-northeast-1",
    "ap-southeast-3",
    "ap-southeast-5",
    "ap-southeast-7",
];

fn allocate(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let parameters = call.parameters;
    let charge_type = parameters.text_or("InstanceChargeType", "PostPaid");
    let internet_charge_type = parameters.text_or("InternetChargeType", "PayByBandwidth");
    let bandwidth = read_bandwidth(parameters, &charge_type, &internet_charge_type)?;
    let isp = read_isp(call)?;
    let (name, description) = (parameters.owned("Name"), parameters.owned("Description"));
    check_name(&name, "InvalidParameter")?;
    vpc::check_description(parameters, "InvalidParameter")?;
    let tags = tags::read(parameters)?;
    let own = call.world.eips.values().filter(|eip| !eip.service_managed && eip.meta.region == call.region);
    if own.count() >= LIMIT {
        return Err(ApiError::bad_request("QuotaExceeded.Eip", "The account has 20 addresses already."));
    }
    let address = read_address(call)?;
    call.begin_effect()?;
    let id = call.regional_id("eip");
    let eip = Eip {
        id: id.clone(),
        address,
        name,
        description,
        status: EipStatus::Available,
        user: None,
        private_address: None,
        bandwidth,
        internet_charge_type,
        charge_type,
        isp,
        service_managed: false,
        meta: call.world.meta(&call.region, tags),
    };
    call.world.eips.insert(id.clone(), eip);
    Ok(json!({"AllocationId": id, "EipAddress": address.to_string(), "ResourceGroupId": ""}))
}

/// Mbit/s; what is allowed depends on how it is paid.
fn read_bandwidth(parameters: &Parameters, charge: &str, internet: &str) -> Result<u32, ApiError> {
    let limit = match (charge, internet) {
        ("PrePaid", "PayByTraffic") => {
            return Err(ApiError::invalid("InternetChargeType", "a subscription is PayByBandwidth"));
        }
        ("PrePaid", _) => {
            let period: Option<u32> = parameters.unsigned("Period");
            let longest = if parameters.text("PricingCycle") == Some("Year") { 5 } else { 9 };
            if !period.is_some_and(|period| (1..=longest).contains(&period)) {
                return Err(ApiError::invalid("Period", format!("a subscription has 1 to {longest}")));
            }
            1000
        }
        (_, "PayByTraffic") => 200,
        _ => 500,
    };
    let given = parameters.text("Bandwidth").unwrap_or("5");
    let bandwidth = given.parse().ok().filter(|bandwidth| (1..=limit).contains(bandwidth));
    bandwidth.ok_or_else(|| {
        let message = format!("The Bandwidth {given} is not 1 to {limit} Mbit/s.");
        ApiError::bad_request("IllegalParam.Bandwidth", message)
    })
}

fn read_isp(call: &Call<'_>) -> Result<String, ApiError> {
    let isp = call.parameters.text_or("ISP", "BGP");
    match isp.as_str() {
        "BGP" => Ok(isp),
        "BGP_PRO" if PRO_REGIONS.contains(&call.region.as_str()) => Ok(isp),
        "BGP_PRO" => Err(ApiError::bad_request(
            "UnsupportedFeature.Isp",
            format!("The region {} has no BGP_PRO lines.", call.region),
        )),
        _ => Err(ApiError::bad_request("IllegalParam.Isp", format!("{isp} is neither BGP nor BGP_PRO."))),
    }
}

/// The address that is asked for by name, else the next free one.
fn read_address(call: &Call<'_>) -> Result<Ipv4Addr, ApiError> {
    let parameters = call.parameters;
    if parameters.has("IpAddress") && parameters.has("InstanceId") {
        return Err(ApiError::invalid("IpAddress", "it and InstanceId exclude each other"));
    }
    let absent = |what: &str| {
        let message = format!("The address {what} cannot be taken.");
        Err(ApiError::bad_request("ResourceNotFound.Ip", message))
    };
    if let Some(id) = parameters.text("InstanceId") {
        return absent(id);
    }
    let Some(text) = parameters.text("IpAddress") else {
        return Ok(call.world.free_public_address());
    };
    let Some(address) = text.parse::<Ipv4Addr>().ok().filter(|address| PUBLIC.contains(address)) else {
        return absent(text);
    };
    if call.world.public_addresses().contains(&address) {
        return Err(ApiError::bad_request("Ip.Allocated", format!("The address {address} is taken.")));
    }
    Ok(address)
}

fn associate(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let parameters = call.parameters;
    let id = parameters.required("AllocationId")?.to_owned();
    let eip = find(call.world, &id)?;
    require_status(eip, EipStatus::Available)?;
    let target = parameters.required("InstanceId")?;
    let (user, private) = match parameters.text("InstanceType").unwrap_or("EcsInstance") {
        "EcsInstance" => bind_instance(call.world, target, &eip.meta.region)?,
        "Nat" => bind_gateway(call.world, target, &eip.meta.region)?,
        "NetworkInterface" => bind_interface(call.world, target, &eip.meta.region)?,
        other => {
            let message = format!("No {other} can be bound here: EcsInstance, Nat and NetworkInterface can.");
            return Err(ApiError::bad_request("InvalidInstanceType.ValueNotSupported", message));
        }
    };
    call.begin_effect()?;
    if let Some(eip) = call.world.eips.get_mut(&id) {
        eip.user = Some(user);
        eip.private_address = private;
    }
    call.world.move_eip(&id, EipStatus::Associating);
    Ok(json!({}))
}

type Target = (EipUser, Option<Ipv4Addr>);

fn refuse(code: &str, message: String) -> Result<Target, ApiError> {
    Err(ApiError::bad_request(code, message))
}

fn bind_instance(world: &World, id: &str, region: &str) -> Result<Target, ApiError> {
    let instance = world.instances.get(id).filter(|own| !own.releasing && own.meta.region == region);
    let Some(instance) = instance else {
        return refuse("InvalidInstance.NotExist", format!("The instance {id} does not exist."));
    };
    match instance.status {
        InstanceStatus::Running | InstanceStatus::Stopped => {}
        InstanceStatus::Pending | InstanceStatus::Starting | InstanceStatus::Stopping => {
            let message = format!("The instance {id} is {:?}.", instance.status);
            return refuse("InvalidStatus.EcsStatusNotSupport", message);
        }
    }
    if let Some(address) = instance.public_address {
        let message = format!("The instance {id} has the public address {address}.");
        return refuse("EIP_CAN_NOT_ASSOCIATE_WITH_PUBLIC_IP", message);
    }
    let user = EipUser::Instance(id.to_owned());
    refuse_second(world, &user)?;
    Ok((user, Some(instance.private_address)))
}

fn bind_gateway(world: &World, id: &str, region: &str) -> Result<Target, ApiError> {
    let gateway = world.nat_gateways.get(id).filter(|own| own.meta.region == region);
    let Some(gateway) = gateway else {
        return refuse("InvalidInstance.NotExist", format!("The NAT gateway {id} does not exist."));
    };
    if gateway.status != NatGatewayStatus::Available {
        let message = format!("The NAT gateway {id} is {:?}.", gateway.status);
        return refuse("IncorrectStatus.NatGateway", message);
    }
    if gateway.network_type == "intranet" {
        let message = format!("The NAT gateway {id} has no way to the Internet.");
        return refuse("OperationDenied", message);
    }
    let user = EipUser::NatGateway(id.to_owned());
    if world.eips_of(&user).count() >= LIMIT_OF_GATEWAY {
        let message = format!("The NAT gateway {id} has {LIMIT_OF_GATEWAY} addresses already.");
        return refuse("QuotaExceeded.NumberOfEip", message);
    }
    Ok((user, None))
}

/// Only interfaces that are not the primary one of an instance take an address of their own.
fn bind_interface(world: &World, id: &str, region: &str) -> Result<Target, ApiError> {
    let interface = world.network_interfaces.get(id).filter(|own| own.meta.region == region);
    let Some(_) = interface else {
        return refuse("InvalidInstance.NotExist", format!("The network interface {id} does not exist."));
    };
    let message = format!("The network interface {id} is a primary one or belongs to a cloud service.");
    refuse("BindInstance.NotSupported", message)
}

fn refuse_second(world: &World, user: &EipUser) -> Result<(), ApiError> {
    let Some(other) = world.eips_of(user).next() else {
        return Ok(());
    };
    let message = format!("{} has the address {} already.", user.id(), other.address);
    Err(ApiError::bad_request("InvalidAssociation.Duplicated", message))
}

fn unassociate(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let parameters = call.parameters;
    let id = parameters.required("AllocationId")?.to_owned();
    let eip = find(call.world, &id)?;
    refuse_managed(eip)?;
    require_status(eip, EipStatus::InUse)?;
    let user = eip.user.as_ref().map_or("", EipUser::id);
    if parameters.text("InstanceId").is_some_and(|given| given != user) {
        let message = format!("The address {} is bound to {user}.", eip.address);
        return Err(ApiError::not_found("InvalidBindInstance.NotFound", message));
    }
    let address = eip.address;
    if !parameters.flag("Force") && call.world.snat_uses(address) {
        let message = format!("SNAT entries go out by {address}.");
        return Err(ApiError::bad_request("InvalidIpStatus.HasBeenUsedBySnatTable", message));
    }
    call.begin_effect()?;
    let entries = call.world.snat_entries.values().filter(|entry| entry.addresses.contains(&address));
    for entry in entries.map(|entry| entry.id.clone()).collect::<Vec<_>>() {
        call.world.delete_snat_entry(&entry);
    }
    call.world.move_eip(&id, EipStatus::Unassociating);
    Ok(json!({}))
}

fn release(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let id = call.parameters.required("AllocationId")?.to_owned();
    let eip = find(call.world, &id)?;
    refuse_managed(eip)?;
    if eip.charge_type == "PrePaid" {
        let message = format!("The address {} is paid in advance.", eip.address);
        return Err(ApiError::bad_request("Forbidden.ChargeTypeIsPrepaid", message));
    }
    require_status(eip, EipStatus::Available)?;
    call.begin_effect()?;
    call.world.move_eip(&id, EipStatus::Releasing);
    Ok(json!({}))
}

/// The address with this id.
fn find<'a>(world: &'a World, id: &str) -> Result<&'a Eip, ApiError> {
    let message = format!("The specified elastic IP address {id} does not exist.");
    world.eips.get(id).ok_or_else(|| ApiError::not_found("InvalidAllocationId.NotFound", message))
}

fn require_status(eip: &Eip, wanted: EipStatus) -> Result<(), ApiError> {
    if eip.status == wanted {
        return Ok(());
    }
    let message = format!("The elastic IP address {} is {:?}, not {wanted:?}.", eip.id, eip.status);
    Err(ApiError::bad_request("IncorrectEipStatus", message))
}

fn refuse_managed(eip: &Eip) -> Result<(), ApiError> {
    if !eip.service_managed {
        return Ok(());
    }
    let message = format!("The elastic IP address {} is managed by a cloud service.", eip.id);
    Err(ApiError::bad_request("Forbidden", message))
}

fn describe_eip_addresses(call: &mut Call<'_>) -> Result<Value, ApiError> {
    call.begin_effect()?;
    let parameters = call.parameters;
    let world = &*call.world;
    let addresses = parameters.comma_texts("EipAddress");
    let ids = parameters.comma_texts("AllocationId");
    let user = |own: &Eip| own.user.clone();
    let mut eips: Vec<&Eip> = world
        .eips
        .values()
        .filter(|own| world.shows(&own.meta, &call.region))
        .filter(|own| addresses.as_ref().is_none_or(|wanted| wanted.contains(&own.address.to_string())))
        .filter(|own| ids.as_ref().is_none_or(|wanted| wanted.contains(&own.id)))
        .filter(|own| accepts(parameters, "AssociatedInstanceId", user(own).as_ref().map_or("", EipUser::id)))
        .filter(|own| {
            accepts(parameters, "AssociatedInstanceType", user(own).as_ref().map_or("", EipUser::word))
        })
        .filter(|own| accepts(parameters, "Status", &format!("{:?}", own.status)))
        .filter(|own| accepts(parameters, "EipName", &own.name) && accepts(parameters, "ISP", &own.isp))
        .filter(|own| accepts(parameters, "ChargeType", &own.charge_type))
        .filter(|own| {
            parameters.boolean("ServiceManaged").is_none_or(|managed| managed == own.service_managed)
        })
        .filter(|own| tags::matches(&own.meta, parameters))
        .collect();
    eips.sort_by_key(|own| (own.meta.created, &own.id));
    let all = eips.into_iter().map(|own| describe(world, own)).collect();
    let size = Size { default: 10, minimum: 1, maximum: 100 };
    Ok(page::by_number(all, parameters, size).reply("EipAddresses", "EipAddress"))
}

fn describe(world: &World, own: &Eip) -> Value {
    let user = own.user.as_ref();
    let vpc = match user {
        Some(EipUser::Instance(id)) => world.instances.get(id).map(|instance| &instance.vpc),
        Some(EipUser::NatGateway(id)) => world.nat_gateways.get(id).map(|gateway| &gateway.vpc),
        Some(EipUser::LoadBalancer(id)) => world.load_balancers.get(id).map(|balancer| &balancer.vpc),
        Some(EipUser::NetworkInterface(_)) | None => None,
    };
    json!({
        "AllocationId": own.id,
        "IpAddress": own.address.to_string(),
        "PrivateIpAddress": own.private_address.map(|address| address.to_string()).unwrap_or_default(),
        "Name": own.name,
        "Description": own.description,
        "Status": own.status,
        "BusinessStatus": "Normal",
        "InstanceId": user.map_or("", EipUser::id),
        "InstanceType": user.map_or("", EipUser::word),
        "InstanceRegionId": user.map_or("", |_| own.meta.region.as_str()),
        "VpcId": vpc.cloned().unwrap_or_default(),
        "Mode": "NAT",
        "Netmode": "public",
        "RegionId": own.meta.region,
        "AllocationTime": timestamp(own.meta.created),
        "ExpiredTime": "",
        "Bandwidth": own.bandwidth.to_string(),
        "EipBandwidth": own.bandwidth.to_string(),
        "BandwidthPackageId": "",
        "BandwidthPackageType": "",
        "BandwidthPackageBandwidth": "",
        "ChargeType": own.charge_type,
        "InternetChargeType": own.internet_charge_type,
        "ISP": own.isp,
        "BizType": "",
        "DeletionProtection": false,
        "HDMonitorStatus": "OFF",
        "HasReservationData": "false",
        "SecondLimited": false,
        "SecurityProtectionTypes": {"SecurityProtectionType": []},
        "OperationLocks": {"LockReason": []},
        "PublicIpAddressPoolId": "",
        "SegmentInstanceId": "",
        "ServiceManaged": i32::from(own.service_managed),
        "ResourceGroupId": "",
        "Zone": "",
        "Tags": tags::vpc_tags(&own.meta),
    })
}
