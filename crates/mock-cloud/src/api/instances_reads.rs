//! Reading instances.

use serde_json::{Value, json};

use crate::api::interfaces::mac_address;
use crate::api::key_pairs::is_like;
use crate::api::page::{self, Size};
use crate::api::rows::merged;
use crate::api::vpc::accepts;
use crate::api::{Call, Handler, catalogue, images, instances, tags};
use crate::wire::{ApiError, Parameters};
use crate::world::World;
use crate::world::instance::{Instance, InstanceStatus};
use crate::world::meta::timestamp_to_the_minute;

pub(super) const ACTIONS: &[(&str, Handler)] = &[
    ("DescribeInstances", describe_instances),
    ("DescribeInstanceStatus", describe_instance_status),
    ("DescribeInstanceAttribute", describe_instance_attribute),
];

fn describe_instances(call: &mut Call<'_>) -> Result<Value, ApiError> {
    call.begin_effect()?;
    let parameters = call.parameters;
    let filter = Filter {
        ids: parameters.json_texts("InstanceIds")?,
        private: parameters.json_texts("PrivateIpAddresses")?,
        public: parameters.json_texts("PublicIpAddresses")?,
        parameters,
    };
    let chosen = sorted(call).into_iter().filter(|instance| filter.takes(instance));
    let all = chosen.map(|instance| describe(call.world, instance)).collect();
    page::either(all, parameters, Size { default: 10, minimum: 10, maximum: 100 }, ("Instances", "Instance"))
}

/// Instances that lists show, the oldest first.
fn sorted<'a>(call: &'a Call<'_>) -> Vec<&'a Instance> {
    let shown = call.world.instances.values().filter(|own| call.world.shows(&own.meta, &call.region));
    let mut instances: Vec<&Instance> = shown.collect();
    instances.sort_by_key(|own| (own.meta.created, &own.name, &own.id));
    instances
}

struct Filter<'a> {
    ids: Option<Vec<String>>,
    private: Option<Vec<String>>,
    public: Option<Vec<String>>,
    parameters: &'a Parameters,
}

impl Filter<'_> {
    fn takes(&self, own: &Instance) -> bool {
        let parameters = self.parameters;
        let among = |wanted: &Option<Vec<String>>, text: String| {
            wanted.as_ref().is_none_or(|all| all.contains(&text))
        };
        let public = own.public_address.map(|address| address.to_string()).unwrap_or_default();
        let group = parameters.text("SecurityGroupId");
        among(&self.ids, own.id.clone())
            && among(&self.private, own.private_address.to_string())
            && among(&self.public, public)
            && parameters.text("InstanceName").is_none_or(|pattern| is_like(pattern, &own.name))
            && accepts(parameters, "Status", &format!("{:?}", own.status))
            && accepts(parameters, "VpcId", &own.vpc)
            && accepts(parameters, "VSwitchId", &own.vswitch)
            && accepts(parameters, "ZoneId", &own.zone)
            && accepts(parameters, "ImageId", &own.image)
            && accepts(parameters, "InstanceType", &own.instance_type)
            && accepts(parameters, "InstanceChargeType", &own.charge_type)
            && accepts(parameters, "KeyPairName", own.key_pair.as_deref().unwrap_or_default())
            && group.is_none_or(|group| own.security_groups.iter().any(|member| member == group))
            && tags::matches(&own.meta, parameters)
    }
}

fn describe(world: &World, own: &Instance) -> Value {
    merged(merged(describe_machine(own), describe_absent(own)), describe_network(world, own))
}

fn describe_machine(own: &Instance) -> Value {
    let kind = catalogue::find(&own.instance_type);
    let system = images::find(&own.image).map_or("", |image| image.system);
    json!({
        "InstanceId": own.id,
        "InstanceName": own.name,
        "HostName": own.host_name,
        "Description": own.description,
        "Status": own.status,
        "RegionId": own.meta.region,
        "ZoneId": own.zone,
        "InstanceType": own.instance_type,
        "InstanceTypeFamily": kind.map_or("", |kind| kind.family),
        "Cpu": kind.map_or(0, |kind| kind.processors),
        "Memory": kind.map_or(0, |kind| kind.memory * 1024),
        "ImageId": own.image,
        "OSName": system,
        "OSNameEn": system,
        "OSType": "linux",
        "CreationTime": timestamp_to_the_minute(own.meta.created),
        "StartTime": timestamp_to_the_minute(own.started),
        "ExpiredTime": "2099-12-31T15:59Z",
        "AutoReleaseTime": own.auto_release.map(timestamp_to_the_minute).unwrap_or_default(),
        "InstanceChargeType": own.charge_type,
        "SpotStrategy": own.spot_strategy,
        "DeletionProtection": own.deletion_protection,
        "KeyPairName": own.key_pair.clone().unwrap_or_default(),
        "SerialNumber": own.serial_number,
        "StoppedMode": stopped_mode(own),
        "IoOptimized": true,
        "DeviceAvailable": true,
        "Recyclable": false,
        "GPUAmount": 0,
        "GPUSpec": "",
        "ResourceGroupId": "",
        "MetadataOptions": {"HttpEndpoint": own.http_endpoint, "HttpTokens": own.http_tokens},
        "OperationLocks": {"LockReason": []},
        "Tags": tags::ecs_tags(&own.meta),
    })
}

/// What is not stopped has no mode.
fn stopped_mode(own: &Instance) -> &str {
    match own.status {
        InstanceStatus::Stopped if !own.stopped_mode.is_empty() => &own.stopped_mode,
        InstanceStatus::Stopped => "KeepCharging",
        InstanceStatus::Pending
        | InstanceStatus::Starting
        | InstanceStatus::Running
        | InstanceStatus::Stopping => "Not-applicable",
    }
}

/// What an instance of this cloud never has, told as the real one tells it.
fn describe_absent(own: &Instance) -> Value {
    let processors = catalogue::find(&own.instance_type).map_or(0, |kind| kind.processors);
    json!({
        "ClusterId": "",
        "DeploymentSetId": "",
        "HpcClusterId": "",
        "VlanId": "",
        "CreditSpecification": "",
        "SpotDuration": i32::from(own.spot_strategy != "NoSpot"),
        "SpotPriceLimit": own.spot_price_limit,
        "HibernationOptions": {"Configured": false},
        "ImageOptions": {"LoginAsNonRoot": false},
        "CpuOptions": {"CoreCount": processors.div_ceil(2), "Numa": "ON", "ThreadsPerCore": 2},
        "DedicatedHostAttribute": {"DedicatedHostId": "", "DedicatedHostName": ""},
        "DedicatedInstanceAttribute": {"Affinity": "", "Tenancy": ""},
        "EcsCapacityReservationAttr": {"CapacityReservationId": "", "CapacityReservationPreference": ""},
    })
}

fn describe_network(world: &World, own: &Instance) -> Value {
    let private = own.private_address.to_string();
    let public: Vec<String> = own.public_address.iter().map(ToString::to_string).collect();
    let region_interface = json!({
        "NetworkInterfaceId": own.network_interface,
        "PrimaryIpAddress": private,
        "MacAddress": mac_address(own.private_address),
        "Type": "Primary",
        "PrivateIpSets": {"PrivateIpSet": [{"PrivateIpAddress": private, "Primary": true}]},
    });
    let interfaces =
        world.network_interfaces.contains_key(&own.network_interface).then_some(region_interface);
    json!({
        "InstanceNetworkType": "vpc",
        "VpcAttributes": {
            "VpcId": own.vpc,
            "VSwitchId": own.vswitch,
            "PrivateIpAddress": {"IpAddress": [private]},
            "NatIpAddress": "",
        },
        "PublicIpAddress": {"IpAddress": public},
        "InnerIpAddress": {"IpAddress": []},
        "EipAddress": describe_eip(world, own),
        "InternetChargeType": own.internet_charge_type,
        "InternetMaxBandwidthIn": own.bandwidth_in,
        "InternetMaxBandwidthOut": own.bandwidth_out,
        "SecurityGroupIds": {"SecurityGroupId": own.security_groups},
        "NetworkInterfaces": {"NetworkInterface": interfaces.into_iter().collect::<Vec<_>>()},
    })
}

fn describe_eip(world: &World, own: &Instance) -> Value {
    let Some(eip) = world.eip_of_instance(&own.id) else {
        return json!({"AllocationId": "", "IpAddress": "", "InternetChargeType": ""});
    };
    json!({
        "AllocationId": eip.id,
        "IpAddress": eip.address.to_string(),
        "Bandwidth": eip.bandwidth,
        "InternetChargeType": eip.internet_charge_type,
        "IsSupportUnassociate": true,
    })
}

#[expect(clippy::unnecessary_wraps, reason = "all handlers have one type")]
fn describe_instance_status(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let ids = call.parameters.texts("InstanceId");
    let all = sorted(call)
        .into_iter()
        .filter(|own| ids.is_empty() || ids.contains(&own.id))
        .filter(|own| accepts(call.parameters, "ZoneId", &own.zone))
        .map(|own| json!({"InstanceId": own.id, "Status": own.status}))
        .collect();
    let size = Size { default: 10, minimum: 1, maximum: 50 };
    Ok(page::by_number(all, call.parameters, size).reply("InstanceStatuses", "InstanceStatus"))
}

fn describe_instance_attribute(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let own = instances::find(call.world, call.parameters.required("InstanceId")?)?;
    let mut fields = describe(call.world, own);
    fields["IoOptimized"] = json!("optimized");
    fields["EnableNetworkEncryption"] = json!(false);
    if let Some(fields) = fields.as_object_mut() {
        const KEPT: &[&str] = &[
            "InstanceId",
            "InstanceName",
            "HostName",
            "Description",
            "Status",
            "RegionId",
            "ZoneId",
            "InstanceType",
            "Memory",
            "Cpu",
            "IoOptimized",
            "EnableNetworkEncryption",
            "ClusterId",
            "VlanId",
            "CreditSpecification",
            "DedicatedHostAttribute",
            "ImageId",
            "CreationTime",
            "ExpiredTime",
            "InstanceChargeType",
            "SerialNumber",
            "StoppedMode",
            "InstanceNetworkType",
            "VpcAttributes",
            "PublicIpAddress",
            "InnerIpAddress",
            "EipAddress",
            "InternetChargeType",
            "InternetMaxBandwidthIn",
            "InternetMaxBandwidthOut",
            "SecurityGroupIds",
            "OperationLocks",
        ];
        fields.retain(|name, _| KEPT.contains(&name.as_str()));
    }
    Ok(fields)
}
