//! Quotas of the account in ECS: told by one action, kept by the others.

use serde_json::{Value, json};

use crate::api::{Call, Handler, catalogue};
use crate::wire::ApiError;
use crate::world::World;

pub(super) const ACTIONS: &[(&str, Handler)] = &[("DescribeAccountAttributes", describe_account_attributes)];

/// Security groups in a region.
pub(super) const SECURITY_GROUPS: usize = 100;
/// Processors of instances that are paid by use, in a region; spot instances are counted by themselves.
pub(super) const PROCESSORS: u32 = 1000;
/// Key pairs in a region.
pub(super) const KEY_PAIRS: usize = 500;
/// Security groups of an instance.
pub(super) const GROUPS_OF_INSTANCE: usize = 5;

/// How instances are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Market {
    /// Paid by use.
    Regular,
    /// Spot instances.
    Spot,
}

impl Market {
    /// The market of a strategy.
    pub(super) fn of(strategy: &str) -> Self {
        if strategy == "NoSpot" { Self::Regular } else { Self::Spot }
    }
}

/// Processors in use.
fn processors(world: &World, region: &str, market: Market) -> u32 {
    let own = world.instances.values().filter(|own| own.meta.region == region && !own.releasing);
    let counted = own.filter(|own| Market::of(&own.spot_strategy) == market);
    counted.filter_map(|own| catalogue::find(&own.instance_type)).map(|kind| kind.processors).sum()
}

/// Refuses instances beyond the quota of processors.
///
/// # Errors
/// `QuotaExceed.ElasticQuota`.
pub(super) fn check_processors(call: &Call<'_>, market: Market, added: u32) -> Result<(), ApiError> {
    let used = processors(call.world, &call.region, market);
    if used.saturating_add(added) <= PROCESSORS {
        return Ok(());
    }
    let message = format!(
        "{used} of {PROCESSORS} processors are in use in {}; {added} more are too many.",
        call.region
    );
    Err(ApiError::forbidden("QuotaExceed.ElasticQuota", message))
}

fn describe_account_attributes(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let wanted = call.parameters.texts("AttributeName");
    let zone = call.parameters.text("ZoneId").unwrap_or_default();
    let number = |number: u32| vec![json!({"Value": number.to_string()})];
    let used = |market: Market| number(processors(call.world, &call.region, market));
    let types = || {
        let rows = catalogue::TYPES.iter();
        rows.map(|kind| json!({"Value": kind.id, "InstanceType": kind.id, "ZoneId": zone})).collect()
    };
    let known: [(&str, Vec<Value>); 8] = [
        ("instance-network-type", vec![json!({"Value": "vpc"})]),
        ("max-security-groups", vec![json!({"Value": SECURITY_GROUPS.to_string()})]),
        ("max-postpaid-instance-vcpu-count", number(PROCESSORS)),
        ("max-spot-instance-vcpu-count", number(PROCESSORS)),
        ("used-postpaid-instance-vcpu-count", used(Market::Regular)),
        ("used-spot-instance-vcpu-count", used(Market::Spot)),
        ("supported-postpaid-instance-types", types()),
        ("real-name-authentication", vec![json!({"Value": "yes"})]),
    ];
    if let Some(unknown) = wanted.iter().find(|name| known.iter().all(|(own, _)| own != *name)) {
        let message = format!("mock-cloud keeps no quota {unknown}.");
        return Err(ApiError::forbidden("Invalid.Parameter", message));
    }
    let rows =
        known.into_iter().filter(|(name, _)| wanted.is_empty() || wanted.iter().any(|own| own == name));
    let items =
        rows.map(|(name, values)| json!({"AttributeName": name, "AttributeValues": {"ValueItem": values}}));
    Ok(json!({"AccountAttributeItems": {"AccountAttributeItem": items.collect::<Vec<_>>()}}))
}
