//! `RunInstances`: one call, up to a hundred instances.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::api::disk_form::NewDisk;
use crate::api::run_billing::Billing;
use crate::api::run_network::Network;
use crate::api::{
    Call, Handler, catalogue, disk_form, disks, images, instance_names, price_table, quotas, run_access,
    run_billing, run_network, tags,
};
use crate::wire::{ApiError, Parameters};
use crate::world::event::Event;
use crate::world::instance::{Instance, InstanceStatus};
use crate::world::network::{InterfaceOwner, NetworkInterface};
use crate::world::pace::Step;

pub(super) const ACTIONS: &[(&str, Handler)] = &[("RunInstances", run_instances)];

/// The most instances of one call.
const MOST: usize = 100;

/// What all instances of one call share.
struct Blueprint {
    kind: &'static catalogue::InstanceType,
    image: &'static images::Image,
    disks: Vec<NewDisk>,
    network: Network,
    key_pair: Option<String>,
    user_data: Option<Vec<u8>>,
    billing: Billing,
    tags: BTreeMap<String, String>,
}

fn run_instances(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let blueprint = check(call)?;
    call.begin_effect()?;
    let amount = blueprint.network.addresses.len();
    let ids: Vec<String> = (0..amount).map(|index| make(call, &blueprint, index)).collect();
    let hour = price_table::instance(&call.region, blueprint.kind);
    let price = hour * f64::from(u32::try_from(amount).unwrap_or(u32::MAX));
    Ok(json!({"InstanceIdSets": {"InstanceIdSet": ids}, "TradePrice": price_table::rounded(price)}))
}

fn check(call: &Call<'_>) -> Result<Blueprint, ApiError> {
    let parameters = call.parameters;
    refuse_unknown_places(parameters)?;
    let (amount, minimum) = read_amount(parameters)?;
    let image = read_image(parameters)?;
    let kind = read_type(parameters, image)?;
    let disks = disk_form::read_disks(parameters, kind, image)?;
    let billing = run_billing::read(call, kind)?;
    let network = run_network::read(call, amount, minimum)?;
    if catalogue::is_sold_out(call.world, &network.vswitch.zone, kind.id) {
        let message = format!("{} is sold out in {}.", kind.id, network.vswitch.zone);
        return Err(ApiError::forbidden("OperationDenied.NoStock", message));
    }
    let key_pair = run_access::read_key_pair(call)?;
    run_access::check_password(parameters)?;
    instance_names::check(parameters, amount)?;
    let description = parameters.text("Description").unwrap_or_default();
    crate::api::instances::check_description(description, "InvalidDescription.Malformed")?;
    let processors =
        u32::try_from(network.addresses.len()).unwrap_or(u32::MAX).saturating_mul(kind.processors);
    quotas::check_processors(call, quotas::Market::of(&billing.spot_strategy), processors)?;
    let user_data = run_access::read_user_data(parameters)?;
    let tags = tags::read(parameters)?;
    Ok(Blueprint { kind, image, disks, network, key_pair, user_data, billing, tags })
}

/// `Amount` and `MinAmount`.
fn read_amount(parameters: &Parameters) -> Result<(usize, usize), ApiError> {
    let read = |name: &str, code: &str, default: usize| {
        let given = parameters.text(name).map(|text| text.parse::<usize>().unwrap_or_default());
        let number = given.unwrap_or(default);
        if (1..=MOST).contains(&number) {
            return Ok(number);
        }
        Err(ApiError::bad_request(code, format!("The {name} must be 1 to {MOST}.")))
    };
    let amount = read("Amount", "InvalidMaxAmount.Malformed", 1)?;
    let minimum = read("MinAmount", "InvalidMinAmount.Malformed", amount)?;
    if minimum > amount {
        let message = "The MinAmount is larger than the Amount.";
        return Err(ApiError::bad_request("InvalidMinAmount.Malformed", message));
    }
    Ok((amount, minimum))
}

/// There is one account with nothing but what its calls made: what no call can make does not exist.
fn refuse_unknown_places(parameters: &Parameters) -> Result<(), ApiError> {
    const ABSENT: &[(&str, u16, &str)] = &[
        ("LaunchTemplateId", 404, "InvalidLaunchTemplate.NotFound"),
        ("LaunchTemplateName", 404, "InvalidLaunchTemplate.NotFound"),
        ("DeploymentSetId", 404, "DeploymentSet.NotFound"),
        ("DedicatedHostId", 400, "InvalidDedicatedHostId.NotFound"),
        ("HpcClusterId", 400, "InvalidHpcClusterId.NotFound"),
    ];
    match ABSENT.iter().find_map(|(name, status, code)| Some((parameters.text(name)?, *status, *code))) {
        None => Ok(()),
        Some((id, status, code)) => Err(ApiError::new(status, code, format!("{id} does not exist."))),
    }
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

fn read_type(
    parameters: &Parameters,
    image: &images::Image,
) -> Result<&'static catalogue::InstanceType, ApiError> {
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
    match parameters.text("IoOptimized") {
        None | Some("optimized") => Ok(kind),
        Some("none") => Err(ApiError::bad_request(
            "IoOptimized.NotSupported",
            format!("The instance type {id} is I/O optimized."),
        )),
        Some(other) => Err(ApiError::bad_request(
            "InvalidIoOptimize.ValueNotSupported",
            format!("IoOptimized is optimized or none, not {other}."),
        )),
    }
}

/// Makes the instance with this index of the call.
fn make(call: &mut Call<'_>, blueprint: &Blueprint, index: usize) -> String {
    let (id, interface) = (call.regional_id("i"), call.regional_id("eni"));
    let network = &blueprint.network;
    let address = network.addresses[index];
    call.world.network_interfaces.insert(
        interface.clone(),
        NetworkInterface {
            id: interface.clone(),
            owner: InterfaceOwner::Instance(id.clone()),
            vswitch: network.vswitch.id.clone(),
            address,
            security_groups: network.security_groups.clone(),
            meta: call.world.meta(&call.region, blueprint.tags.clone()),
        },
    );
    let place = disks::Place {
        instance: &id,
        zone: &network.vswitch.zone,
        image: blueprint.image.id,
        tags: &blueprint.tags,
    };
    for (position, disk) in blueprint.disks.iter().enumerate() {
        disks::make(call, disk, position, &place);
    }
    let public_address = (network.bandwidth_out > 0).then(|| call.world.free_public_address());
    let parameters = call.parameters;
    let billing = &blueprint.billing;
    let identity = call.identity.clone();
    let instance = Instance {
        name: instance_names::instance_name(parameters, index, &id),
        host_name: instance_names::host_name(parameters, index, &id),
        description: parameters.owned("Description"),
        status: InstanceStatus::Pending,
        releasing: false,
        awaits_host: None,
        rebooting: false,
        instance_type: blueprint.kind.id.to_owned(),
        image: blueprint.image.id.to_owned(),
        charge_type: billing.charge_type.clone(),
        spot_strategy: billing.spot_strategy.clone(),
        spot_price_limit: billing.spot_price_limit,
        stopped_mode: String::new(),
        auto_release: billing.auto_release,
        vpc: network.vswitch.vpc.clone(),
        vswitch: network.vswitch.id.clone(),
        zone: network.vswitch.zone.clone(),
        private_address: address,
        public_address,
        bandwidth_in: network.bandwidth_in,
        bandwidth_out: network.bandwidth_out,
        internet_charge_type: network.internet_charge_type.clone(),
        network_interface: interface,
        security_groups: network.security_groups.clone(),
        key_pair: blueprint.key_pair.clone(),
        user_data: blueprint.user_data.clone(),
        deletion_protection: parameters.flag("DeletionProtection"),
        http_endpoint: parameters.text_or("HttpEndpoint", "enabled"),
        http_tokens: parameters.text_or("HttpTokens", "optional"),
        started: call.world.now,
        serial_number: call.ids().make_uuid("serial", &identity).to_lowercase(),
        meta: call.world.meta(&call.region, blueprint.tags.clone()),
        id: id.clone(),
    };
    call.world.instances.insert(id.clone(), instance);
    call.world.schedule(Step::InstanceAllocated, Event::InstanceAllocated(id.clone()));
    if let Some(moment) = billing.auto_release {
        call.world.schedule_at(moment, Event::InstanceExpired(id.clone()));
    }
    id
}
