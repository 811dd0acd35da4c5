//! ALB instances: changes.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use serde_json::{Value, json};

use crate::api::{Call, Handler, tags, vpc};
use crate::wire::{ApiError, Parameters};
use crate::world::World;
use crate::world::elastic_ip::{Eip, EipStatus, EipUser};
use crate::world::event::Event;
use crate::world::load_balancer::{Job, ListenerStatus, LoadBalancer, LoadBalancerStatus, ZoneMapping};
use crate::world::network::{InterfaceOwner, NetworkInterface, VSwitch};
use crate::world::pace::Step;
use crate::world::regions;
use crate::world::security_group::SecurityGroup;

pub(super) const ACTIONS: &[(&str, Handler)] = &[
    ("CreateLoadBalancer", create_load_balancer),
    ("UpdateLoadBalancerAttribute", update_load_balancer_attribute),
    ("DeleteLoadBalancer", delete_load_balancer),
    ("EnableDeletionProtection", enable_deletion_protection),
    ("DisableDeletionProtection", disable_deletion_protection),
];

/// One zone of a new ALB, checked.
struct Place {
    vswitch: VSwitch,
    address: Ipv4Addr,
    /// An elastic address the caller brings along.
    eip: Option<String>,
}

fn create_load_balancer(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let parameters = call.parameters;
    let network = parameters.required("VpcId")?;
    let Some(region) = call.world.vpcs.get(network).map(|vpc| vpc.meta.region.clone()) else {
        return Err(ApiError::not_found(
            "ResourceNotFound.Vpc",
            format!("The VPC {network} does not exist."),
        ));
    };
    call.region = region;
    let name = parameters.owned("LoadBalancerName");
    vpc::check_name(&name, "InvalidParameter")?;
    if parameters.text("LoadBalancerBillingConfig.PayType").is_some_and(|kind| kind != "PostPay") {
        return Err(ApiError::invalid("LoadBalancerBillingConfig.PayType", "only PostPay is possible"));
    }
    let places = check_places(call, network)?;
    let tags = tags::read(parameters)?;
    call.begin_effect()?;
    let id = call.plain_id("alb");
    let zones = places.into_iter().map(|place| settle(call, &id, place)).collect();
    make_managed_group(call, &id, network);
    let suffix = match regions::find(&call.region) {
        Some(region) if region.mainland => "alb.aliyuncsslb.com",
        _ => "alb.aliyuncsslbintl.com",
    };
    let protected = parameters.flag("DeletionProtectionEnabled");
    let balancer = LoadBalancer {
        id: id.clone(),
        name,
        edition: parameters.owned("LoadBalancerEdition"),
        address_type: parameters.owned("AddressType"),
        address_mode: parameters.text_or("AddressAllocatedMode", "Fixed"),
        ip_version: parameters.text_or("AddressIpVersion", "IPv4"),
        dns_name: format!("{id}.{}.{suffix}", call.region),
        vpc: network.to_owned(),
        status: LoadBalancerStatus::Provisioning,
        zones,
        deletion_protection: protected.then_some(call.world.now),
        modification_protection: parameters.text_or("ModificationProtectionConfig.Status", "NonProtection"),
        modification_reason: parameters.owned("ModificationProtectionConfig.Reason"),
        security_groups: Vec::new(),
        access_log: None,
        meta: call.world.meta(&call.region, tags),
    };
    call.world.load_balancers.insert(id.clone(), balancer);
    call.world.schedule(Step::LoadBalancerMade, Event::LoadBalancerSettled(id.clone()));
    Ok(json!({"LoadBalancerId": id}))
}

fn check_places(call: &Call<'_>, network: &str) -> Result<Vec<Place>, ApiError> {
    let mappings = call.parameters.list("ZoneMappings");
    let zones_here = regions::find(&call.region).map_or(0, |region| region.zones().len());
    if mappings.len() < 2 && zones_here >= 2 {
        return Err(ApiError::invalid("ZoneMappings", "an ALB needs two zones at least"));
    }
    let mut places: Vec<Place> = Vec::new();
    for mapping in &mappings {
        let place = check_place(call.world, network, mapping)?;
        if place.eip.is_some() && places.iter().any(|earlier| earlier.eip == place.eip) {
            return Err(ApiError::invalid("ZoneMappings", "an elastic IP address is given twice"));
        }
        if places.iter().any(|earlier| earlier.vswitch.zone == place.vswitch.zone) {
            let message = format!("The zone {} is given twice.", place.vswitch.zone);
            return Err(ApiError::bad_request("DuplicatedParam.ZoneId", message));
        }
        places.push(place);
    }
    Ok(places)
}

fn check_place(world: &World, network: &str, mapping: &Parameters) -> Result<Place, ApiError> {
    let (zone, id) = (mapping.required("ZoneId")?, mapping.required("VSwitchId")?);
    let missing =
        || ApiError::not_found("ResourceNotFound.VSwitch", format!("The vSwitch {id} does not exist."));
    let vswitch =
        world.vswitches.get(id).filter(|own| own.vpc == network && !own.deleting).ok_or_else(missing)?;
    if vswitch.zone != zone {
        let message = format!("The vSwitch {id} is in {}, not in {zone}.", vswitch.zone);
        return Err(ApiError::bad_request("Mismatch.ZoneIdAndVSwitchId", message));
    }
    let exhausted =
        || ApiError::bad_request("ResourceNotEnough.VSwitchIp", format!("{id} has no addresses left."));
    let address = match mapping.text("IntranetAddress").and_then(|text| text.parse().ok()) {
        Some(wanted) if world.address_is_free(vswitch, wanted) => wanted,
        Some(_) => return Err(exhausted()),
        None => *world.free_addresses(vswitch, 1).first().ok_or_else(exhausted)?,
    };
    let eip = mapping.text("AllocationId").map(str::to_owned);
    if let Some(eip) = &eip {
        check_eip(world, eip)?;
    }
    Ok(Place { vswitch: vswitch.clone(), address, eip })
}

/// An address of the caller has to be free.
fn check_eip(world: &World, id: &str) -> Result<(), ApiError> {
    match world.eips.get(id).map(|eip| eip.status) {
        Some(EipStatus::Available) => Ok(()),
        Some(status) => {
            let message = format!("The elastic IP address {id} is {status:?}.");
            Err(ApiError::bad_request("IncorrectStatus.Eip", message))
        }
        None => {
            let message = format!("The elastic IP address {id} does not exist.");
            Err(ApiError::not_found("ResourceNotFound.Eip", message))
        }
    }
}

/// What an ALB makes by itself in one zone: a network interface and, towards the Internet, an EIP.
fn settle(call: &mut Call<'_>, id: &str, place: Place) -> ZoneMapping {
    let interface = call.regional_id("eni");
    let meta = call.world.meta(&call.region, BTreeMap::new());
    let own = NetworkInterface {
        id: interface.clone(),
        owner: InterfaceOwner::LoadBalancer(id.to_owned()),
        vswitch: place.vswitch.id.clone(),
        address: place.address,
        security_groups: Vec::new(),
        meta: meta.clone(),
    };
    call.world.network_interfaces.insert(interface, own);
    let internet = call.parameters.text("AddressType") == Some("Internet");
    let public = internet.then(|| match &place.eip {
        Some(eip) => take_eip(call, id, eip, place.address),
        None => make_eip(call, id, place.address),
    });
    let VSwitch { id: vswitch, zone, .. } = place.vswitch;
    ZoneMapping { zone, vswitch, private_address: place.address, public }
}

/// Binds an address that the caller brought along.
fn take_eip(call: &mut Call<'_>, id: &str, eip: &str, private: Ipv4Addr) -> (Ipv4Addr, String) {
    let address = call.world.eips.get_mut(eip).map(|eip| {
        eip.status = EipStatus::InUse;
        eip.user = Some(EipUser::LoadBalancer(id.to_owned()));
        eip.private_address = Some(private);
        eip.address
    });
    (address.unwrap_or(Ipv4Addr::UNSPECIFIED), eip.to_owned())
}

/// Makes an address that goes with its ALB.
fn make_eip(call: &mut Call<'_>, id: &str, private: Ipv4Addr) -> (Ipv4Addr, String) {
    let (eip, address) = (call.regional_id("eip"), call.world.free_public_address());
    let own = Eip {
        id: eip.clone(),
        address,
        name: format!("ALB-{id}"),
        description: String::new(),
        status: EipStatus::InUse,
        user: Some(EipUser::LoadBalancer(id.to_owned())),
        private_address: Some(private),
        bandwidth: 5120,
        internet_charge_type: "PayByTraffic".to_owned(),
        charge_type: "PostPaid".to_owned(),
        isp: "BGP".to_owned(),
        service_managed: true,
        meta: call.world.meta(&call.region, BTreeMap::new()),
    };
    call.world.eips.insert(eip.clone(), own);
    (address, eip)
}

fn make_managed_group(call: &mut Call<'_>, id: &str, network: &str) {
    let group = SecurityGroup {
        id: call.regional_id("sg"),
        name: format!("ALB_managed_{id}"),
        description: "managed by ALB".to_owned(),
        kind: "normal".to_owned(),
        vpc: network.to_owned(),
        rules: Vec::new(),
        managed_by: Some(id.to_owned()),
        meta: call.world.meta(&call.region, BTreeMap::new()),
    };
    call.world.security_groups.insert(group.id.clone(), group);
}

fn update_load_balancer_attribute(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let parameters = call.parameters;
    let id = parameters.required("LoadBalancerId")?.to_owned();
    require_active(find(call.world, &id)?)?;
    let name = parameters.text("LoadBalancerName");
    vpc::check_name(name.unwrap_or_default(), "InvalidParameter")?;
    call.begin_effect()?;
    if let Some(balancer) = call.world.load_balancers.get_mut(&id) {
        vpc::update(&mut balancer.name, name);
        vpc::update(
            &mut balancer.modification_protection,
            parameters.text("ModificationProtectionConfig.Status"),
        );
        vpc::update(
            &mut balancer.modification_reason,
            parameters.text("ModificationProtectionConfig.Reason"),
        );
    }
    call.world.configure_load_balancer(&id);
    Ok(json!({"JobId": begin_job(call, ("loadbalancer", &id), Step::LoadBalancerConfigured)}))
}

fn delete_load_balancer(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let id = call.parameters.required("LoadBalancerId")?.to_owned();
    let balancer = find(call.world, &id)?;
    require_active(balancer)?;
    if balancer.deletion_protection.is_some() {
        let message = format!("The ALB instance {id} has deletion protection.");
        return Err(ApiError::bad_request("OperationDenied.DeletionProtectionEnabled", message));
    }
    call.begin_effect()?;
    if let Some(balancer) = call.world.load_balancers.get_mut(&id) {
        balancer.status = LoadBalancerStatus::Deleting;
    }
    for listener in call.world.listeners.values_mut().filter(|own| own.load_balancer == id) {
        listener.status = ListenerStatus::Deleting;
    }
    call.world.schedule(Step::LoadBalancerGone, Event::LoadBalancerGone(id.clone()));
    Ok(json!({"JobId": begin_job(call, ("loadbalancer", &id), Step::LoadBalancerGone)}))
}

fn enable_deletion_protection(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let now = call.world.now;
    protect(call, Some(now))
}

fn disable_deletion_protection(call: &mut Call<'_>) -> Result<Value, ApiError> {
    protect(call, None)
}

fn protect(call: &mut Call<'_>, since: Option<i64>) -> Result<Value, ApiError> {
    let id = call.parameters.required("ResourceId")?.to_owned();
    find(call.world, &id)?;
    call.begin_effect()?;
    if let Some(balancer) = call.world.load_balancers.get_mut(&id) {
        balancer.deletion_protection = since;
    }
    Ok(json!({}))
}

/// The ALB instance with this id.
pub(super) fn find<'a>(world: &'a World, id: &str) -> Result<&'a LoadBalancer, ApiError> {
    let message = format!("The specified ALB instance {id} does not exist.");
    world.load_balancers.get(id).ok_or_else(|| ApiError::not_found("ResourceNotFound.LoadBalancer", message))
}

/// Refuses while a change is under way.
pub(super) fn require_active(balancer: &LoadBalancer) -> Result<(), ApiError> {
    if balancer.status == LoadBalancerStatus::Active {
        return Ok(());
    }
    let message = format!("The ALB instance {} is {:?}.", balancer.id, balancer.status);
    Err(ApiError::bad_request("IncorrectStatus.LoadBalancer", message))
}

/// Begins the job of a call.
pub(super) fn begin_job(call: &mut Call<'_>, (kind, resource): (&'static str, &str), step: Step) -> String {
    let identity = call.identity.clone();
    let id = call.ids().make_uuid("job", &identity).to_lowercase();
    let job = Job {
        id,
        action: call.operation.action.clone(),
        resource_type: kind,
        resource: resource.to_owned(),
        created: call.world.now,
        finished: None,
    };
    call.world.begin_job(job, step)
}
