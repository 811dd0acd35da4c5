//! Tags: reading them from a call, filtering by them, and the tag actions of four products.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::api::page::{self, Size};
use crate::api::{Call, Handler};
use crate::wire::{ApiError, Parameters};
use crate::world::World;
use crate::world::meta::Meta;

pub(super) const ECS_ACTIONS: &[(&str, Handler)] =
    &[("TagResources", tag), ("UntagResources", untag), ("ListTagResources", list_wrapped)];
pub(super) const VPC_ACTIONS: &[(&str, Handler)] =
    &[("TagResources", tag), ("UnTagResources", untag), ("ListTagResources", list_wrapped)];
pub(super) const REDIS_ACTIONS: &[(&str, Handler)] =
    &[("TagResources", tag), ("UntagResources", untag), ("ListTagResources", list_wrapped)];
pub(super) const ALB_ACTIONS: &[(&str, Handler)] =
    &[("TagResources", tag), ("UnTagResources", untag), ("ListTagResources", list_bare)];

/// The most a resource carries.
const LIMIT: usize = 20;

/// The most characters of a key, and of a value.
const LONGEST: usize = 128;

/// The most resources of one call.
const RESOURCES: usize = 50;

/// The tags of a call.
///
/// # Errors
/// Too many of them, a key twice, a reserved or a missing key, a value that cannot be one.
pub fn read(parameters: &Parameters) -> Result<BTreeMap<String, String>, ApiError> {
    read_list(parameters, "Tag")
}

/// The tags of a call that has another name for them.
///
/// # Errors
/// As [`read`].
pub fn read_list(parameters: &Parameters, list: &str) -> Result<BTreeMap<String, String>, ApiError> {
    let mut tags = BTreeMap::new();
    let given = parameters.list(list);
    if given.len() > LIMIT {
        return Err(ApiError::bad_request("NumberExceed.Tags", "The Tags parameter number is exceed."));
    }
    for tag in given {
        let key = tag
            .text("Key")
            .ok_or_else(|| ApiError::bad_request("MissingParameter.TagKey", "A tag has no key."))?;
        if is_malformed(key) {
            return Err(ApiError::bad_request(
                "InvalidTagKey.Malformed",
                "The specified Tag.n.Key is not valid.",
            ));
        }
        if is_malformed(tag.text("Value").unwrap_or_default()) {
            return Err(ApiError::bad_request(
                "InvalidTagValue.Malformed",
                "The specified Tag.n.Value is not valid.",
            ));
        }
        if tags.insert(key.to_owned(), tag.owned("Value")).is_some() {
            return Err(ApiError::bad_request("Duplicate.TagKey", "The Tag.N.Key contains duplicate keys."));
        }
    }
    Ok(tags)
}

/// Whether a key or a value is too long, one of the cloud's own, or has an address of a page in it.
fn is_malformed(text: &str) -> bool {
    ["aliyun", "acs:"].iter().any(|prefix| text.starts_with(prefix))
        || ["http://", "https://"].iter().any(|part| text.contains(part))
        || text.chars().count() > LONGEST
}

/// Whether a resource has all the tags a list is filtered by; a filter without a value asks for the key alone.
pub fn matches(meta: &Meta, parameters: &Parameters) -> bool {
    parameters.list("Tag").iter().all(|filter| {
        let key = filter.owned("Key");
        let own = meta.tags.get(&key);
        own.is_some_and(|own| filter.text("Value").is_none_or(|value| value == own))
    })
}

/// ECS spells tags `TagKey` and `TagValue`.
pub fn ecs_tags(meta: &Meta) -> Value {
    let tags = meta.tags.iter().map(|(key, value)| json!({"TagKey": key, "TagValue": value}));
    json!({"Tag": tags.collect::<Vec<_>>()})
}

/// VPC spells them `Key` and `Value`.
pub fn vpc_tags(meta: &Meta) -> Value {
    json!({"Tag": alb_tags(meta)})
}

/// ALB has a bare list of `Key` and `Value`.
pub fn alb_tags(meta: &Meta) -> Value {
    meta.tags.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect()
}

fn tag(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let tags = read(call.parameters)?;
    let ids = resource_ids(call)?;
    check_redis_numbers(call, tags.len())?;
    for id in &ids {
        let own = find(call, id)?;
        let new = tags.keys().filter(|key| !own.tags.contains_key(*key)).count();
        if own.tags.len() + new > LIMIT {
            return Err(ApiError::bad_request("QuotaExceeded.TagNum", "A resource has at most 20 tags."));
        }
    }
    for id in &ids {
        find(call, id)?.tags.extend(tags.clone());
    }
    Ok(json!({}))
}

fn untag(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let keys = call.parameters.texts("TagKey");
    let all = keys.is_empty() && call.parameters.flag("All");
    let ids = resource_ids(call)?;
    check_redis_numbers(call, keys.len())?;
    for id in &ids {
        find(call, id)?;
    }
    for id in &ids {
        find(call, id)?.tags.retain(|key, _| !all && !keys.contains(key));
    }
    Ok(json!({}))
}

fn list_wrapped(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let page = page::by_token(rows(call)?, call.parameters, Size { default: 50, minimum: 1, maximum: 50 })?;
    Ok(json!({"TagResources": {"TagResource": page.items}, "NextToken": page.next_token}))
}

fn list_bare(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let page = page::by_token(rows(call)?, call.parameters, Size { default: 20, minimum: 1, maximum: 100 })?;
    Ok(json!({"TagResources": page.items, "NextToken": page.next_token, "MaxResults": page.size}))
}

fn rows(call: &mut Call<'_>) -> Result<Vec<Value>, ApiError> {
    let kind = Kind::of(call)?;
    let wanted = call.parameters.texts("ResourceId");
    if kind == Kind::Redis && wanted.is_empty() && call.parameters.list("Tag").is_empty() {
        let message = "ResourceId or Tag is mandatory for this action.";
        return Err(ApiError::bad_request("MissParameter.TagOrResourceId", message));
    }
    check_redis_numbers(call, call.parameters.list("Tag").len())?;
    let parameters = call.parameters;
    let region = call.region.clone();
    let mut rows = Vec::new();
    for (id, meta) in kind.all(call.world) {
        let chosen = wanted.is_empty() || wanted.iter().any(|own| own == id);
        if !chosen || meta.region != region || !matches(meta, parameters) {
            continue;
        }
        rows.extend(meta.tags.iter().map(|(key, value)| {
            json!({"ResourceType": kind.word(), "ResourceId": id, "TagKey": key, "TagValue": value})
        }));
    }
    Ok(rows)
}

/// Redis has codes of its own for too many tags or resources.
fn check_redis_numbers(call: &Call<'_>, tags: usize) -> Result<(), ApiError> {
    let resources = call.parameters.texts("ResourceId").len();
    let redis = Kind::of(call)? == Kind::Redis;
    if redis && tags > LIMIT {
        return Err(ApiError::bad_request("NumberExceed.Tags", "A call takes at most 20 tags."));
    }
    if redis && resources > RESOURCES {
        return Err(ApiError::bad_request("NumberExceed.ResourceIds", "A call takes at most 50 resources."));
    }
    Ok(())
}

fn resource_ids(call: &Call<'_>) -> Result<Vec<String>, ApiError> {
    Kind::of(call)?;
    Ok(call.parameters.texts("ResourceId"))
}

fn find<'a>(call: &'a mut Call<'_>, id: &str) -> Result<&'a mut Meta, ApiError> {
    let kind = Kind::of(call)?;
    let missing = kind.missing(id);
    kind.find(call, id).ok_or(missing)
}

/// What can carry tags here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Instance,
    SecurityGroup,
    KeyPair,
    Vpc,
    VSwitch,
    Eip,
    NatGateway,
    Disk,
    NetworkInterface,
    LoadBalancer,
    ServerGroup,
    Redis,
}

impl Kind {
    const ALL: [Kind; 12] = [
        Self::Instance,
        Self::SecurityGroup,
        Self::KeyPair,
        Self::Vpc,
        Self::VSwitch,
        Self::Eip,
        Self::NatGateway,
        Self::Disk,
        Self::NetworkInterface,
        Self::LoadBalancer,
        Self::ServerGroup,
        Self::Redis,
    ];

    /// The word of `ResourceType`: lower case in ECS and ALB, upper case in VPC and Redis.
    fn word(self) -> &'static str {
        match self {
            Self::Instance => "instance",
            Self::SecurityGroup => "securitygroup",
            Self::KeyPair => "keypair",
            Self::Vpc => "VPC",
            Self::VSwitch => "VSWITCH",
            Self::Eip => "EIP",
            Self::NatGateway => "NATGATEWAY",
            Self::Disk => "disk",
            Self::NetworkInterface => "eni",
            Self::LoadBalancer => "loadbalancer",
            Self::ServerGroup => "servergroup",
            Self::Redis => "INSTANCE",
        }
    }

    fn product(self) -> &'static str {
        match self {
            Self::Instance | Self::SecurityGroup | Self::KeyPair | Self::Disk | Self::NetworkInterface => {
                "Ecs"
            }
            Self::Vpc | Self::VSwitch | Self::Eip | Self::NatGateway => "Vpc",
            Self::LoadBalancer | Self::ServerGroup => "Alb",
            Self::Redis => "R-kvstore",
        }
    }

    fn of(call: &Call<'_>) -> Result<Self, ApiError> {
        let word = call.parameters.required("ResourceType")?;
        let product = call.operation.product.as_str();
        let mut kinds = Self::ALL.into_iter().filter(|kind| kind.product() == product);
        kinds.find(|kind| kind.word().eq_ignore_ascii_case(word)).ok_or_else(|| {
            let message = format!("The ResourceType {word} is not emulated by mock-cloud.");
            ApiError::not_found("InvalidResourceType.NotFound", message)
        })
    }

    fn missing(self, id: &str) -> ApiError {
        let message = format!("The specified resource {id} does not exist.");
        match self {
            Self::Instance | Self::SecurityGroup | Self::KeyPair | Self::Disk | Self::NetworkInterface => {
                ApiError::not_found("InvalidResourceId.NotFound", message)
            }
            Self::Vpc | Self::VSwitch | Self::Eip | Self::NatGateway => {
                ApiError::bad_request("InvalidInstanceIds.NotFound", message)
            }
            Self::LoadBalancer => ApiError::not_found("ResourceNotFound.LoadBalancer", message),
            Self::ServerGroup => ApiError::not_found("ResourceNotFound.ServerGroup", message),
            Self::Redis => ApiError::not_found("InvalidDbInstanceId.NotFound", message),
        }
    }

    fn find<'a>(self, call: &'a mut Call<'_>, id: &str) -> Option<&'a mut Meta> {
        let world = &mut *call.world;
        match self {
            Self::Instance => world.instances.get_mut(id).map(|own| &mut own.meta),
            Self::SecurityGroup => world.security_groups.get_mut(id).map(|own| &mut own.meta),
            Self::KeyPair => {
                let key = (call.region.clone(), id.to_owned());
                world.key_pairs.get_mut(&key).map(|own| &mut own.meta)
            }
            Self::Vpc => world.vpcs.get_mut(id).map(|own| &mut own.meta),
            Self::VSwitch => world.vswitches.get_mut(id).map(|own| &mut own.meta),
            Self::Eip => world.eips.get_mut(id).map(|own| &mut own.meta),
            Self::NatGateway => world.nat_gateways.get_mut(id).map(|own| &mut own.meta),
            Self::Disk => world.disks.get_mut(id).map(|own| &mut own.meta),
            Self::NetworkInterface => world.network_interfaces.get_mut(id).map(|own| &mut own.meta),
            Self::LoadBalancer => world.load_balancers.get_mut(id).map(|own| &mut own.meta),
            Self::ServerGroup => world.server_groups.get_mut(id).map(|own| &mut own.meta),
            Self::Redis => world.redis_instances.get_mut(id).map(|own| &mut own.meta),
        }
    }

    fn all(self, world: &World) -> Vec<(&str, &Meta)> {
        match self {
            Self::Instance => world.instances.iter().map(|(id, own)| (id.as_str(), &own.meta)).collect(),
            Self::SecurityGroup => {
                world.security_groups.iter().map(|(id, own)| (id.as_str(), &own.meta)).collect()
            }
            Self::KeyPair => world.key_pairs.values().map(|own| (own.name.as_str(), &own.meta)).collect(),
            Self::Vpc => world.vpcs.iter().map(|(id, own)| (id.as_str(), &own.meta)).collect(),
            Self::VSwitch => world.vswitches.iter().map(|(id, own)| (id.as_str(), &own.meta)).collect(),
            Self::Eip => world.eips.iter().map(|(id, own)| (id.as_str(), &own.meta)).collect(),
            Self::NatGateway => world.nat_gateways.iter().map(|(id, own)| (id.as_str(), &own.meta)).collect(),
            Self::Disk => world.disks.iter().map(|(id, own)| (id.as_str(), &own.meta)).collect(),
            Self::NetworkInterface => {
                world.network_interfaces.iter().map(|(id, own)| (id.as_str(), &own.meta)).collect()
            }
            Self::LoadBalancer => {
                world.load_balancers.iter().map(|(id, own)| (id.as_str(), &own.meta)).collect()
            }
            Self::ServerGroup => {
                world.server_groups.iter().map(|(id, own)| (id.as_str(), &own.meta)).collect()
            }
            Self::Redis => world.redis_instances.iter().map(|(id, own)| (id.as_str(), &own.meta)).collect(),
        }
    }
}
