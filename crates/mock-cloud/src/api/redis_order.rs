//! What is bought with a Redis or Tair instance: class, nodes, version, storage, and for how long.

use jiff::tz::Offset;
use jiff::{Timestamp, ToSpan as _};

use crate::api::Call;
use crate::api::redis_catalogue::{self, RedisClass};
use crate::api::redis_rules::illegal;
use crate::wire::{ApiError, Parameters};
use crate::world::Moment;
use crate::world::redis::{Nodes, Series};

pub(super) fn read_class(parameters: &Parameters) -> Result<&'static RedisClass, ApiError> {
    if let Some(id) = parameters.text("InstanceClass") {
        return redis_catalogue::find(id)
            .filter(|class| class.series.instance_type() == "Redis" || class.series == Series::ClassicTair)
            .ok_or_else(|| {
                let message = format!("The instance class {id} does not exist or is not on sale here.");
                ApiError::bad_request("InvalidInstancelevel", message)
            });
    }
    let Some(capacity) = parameters.integer("Capacity") else {
        let message = "InstanceClass or Capacity is mandatory for this action.";
        return Err(ApiError::bad_request("MissingParameter", message));
    };
    redis_catalogue::of_capacity(capacity).ok_or_else(|| {
        let message = format!("There is no instance of {capacity} MB.");
        ApiError::bad_request("InvalidCapacity.NotFound", message)
    })
}

/// Both kinds of words are understood; the answer has those of the product line.
pub(super) fn read_nodes(parameters: &Parameters, class: &RedisClass, kind: &str) -> Result<Nodes, ApiError> {
    let single = ["STAND_ALONE", "single"].iter().any(|word| chooses(parameters, kind, word));
    let kind = match (class.series.is_cloud_native(), single) {
        (true, false) => "MASTER_SLAVE",
        (true, true) => "STAND_ALONE",
        (false, false) => "double",
        (false, true) => "single",
    };
    let number = |name: &str| parameters.integer(name).unwrap_or(0);
    let nodes = Nodes {
        kind: kind.to_owned(),
        shards: parameters.integer("ShardCount").unwrap_or(1),
        replicas: parameters.integer("ReplicaCount").unwrap_or(i64::from(!single)),
        secondary_replicas: number("SlaveReplicaCount"),
        read_only: number("ReadOnlyCount"),
        secondary_read_only: number("SlaveReadOnlyCount"),
    };
    if !class.series.is_cloud_native() && (nodes.shards > 1 || nodes.architecture() != "standard") {
        let message = "Shards and read-only nodes need a cloud-native instance class.";
        return Err(ApiError::bad_request("InvalidShardInfo.Format", message));
    }
    let most = if nodes.shards > 1 { 4 } else { 9 };
    if nodes.read_only + nodes.secondary_read_only > most {
        return Err(illegal("ReadOnlyCount", format!("at most {most} read-only nodes are possible")));
    }
    if nodes.replicas + nodes.secondary_replicas > 4 {
        return Err(illegal("ReplicaCount", "at most 4 replicas are possible"));
    }
    Ok(nodes)
}

pub(super) fn read_storage(parameters: &Parameters) -> Result<(i64, String), ApiError> {
    let missing = |name: &str| {
        ApiError::bad_request("MissingParameter", format!("{name} is mandatory for this instance type."))
    };
    let category = parameters.text("StorageType").ok_or_else(|| missing("StorageType"))?;
    let size = parameters.integer("Storage").ok_or_else(|| missing("Storage"))?;
    if size <= 0 {
        return Err(illegal("Storage", "it must be larger than 0"));
    }
    Ok((size, category.to_owned()))
}

pub(super) fn read_charge_type(parameters: &Parameters, default: &str) -> String {
    let known = ["PrePaid", "PostPaid"].into_iter().find(|word| chooses(parameters, "ChargeType", word));
    known.unwrap_or(default).to_owned()
}

/// Whether a parameter has this value; the letters' case does not matter.
pub(super) fn chooses(parameters: &Parameters, name: &str, value: &str) -> bool {
    parameters.text(name).is_some_and(|own| own.eq_ignore_ascii_case(value))
}

/// Until when a subscription is paid: 1 to 9 months, or 1, 2, 3 or 5 years.
pub(super) fn read_period(call: &Call<'_>, charge_type: &str) -> Result<Option<Moment>, ApiError> {
    let parameters = call.parameters;
    if parameters.flag("AutoRenew") && !parameters.has("AutoRenewPeriod") {
        let message = "AutoRenewPeriod is mandatory when AutoRenew is true.";
        return Err(ApiError::bad_request("MissingParameter", message));
    }
    if charge_type != "PrePaid" {
        return Ok(None);
    }
    let Some(months) = parameters.integer("Period") else {
        let message = "Period is mandatory for a subscription.";
        return Err(ApiError::bad_request("MissingParameter", message));
    };
    if !matches!(months, 1..=9 | 12 | 24 | 36 | 60) {
        return Err(illegal("Period", "it takes 1 to 9, 12, 24, 36 or 60 months"));
    }
    Ok(Some(after_months(call.world.now, months)))
}

/// The same moment of the month, months later.
fn after_months(now: Moment, months: i64) -> Moment {
    let begin = Timestamp::from_millisecond(now).unwrap_or(Timestamp::UNIX_EPOCH);
    let end = Offset::UTC.to_datetime(begin).checked_add(months.months());
    end.and_then(|end| Offset::UTC.to_timestamp(end)).map_or(now, Timestamp::as_millisecond)
}

pub(super) fn read_version(parameters: &Parameters, class: &RedisClass) -> Result<String, ApiError> {
    let versions = redis_catalogue::versions(class.series);
    let version = parameters.text("EngineVersion").unwrap_or(versions[0]);
    if versions.contains(&version) {
        return Ok(version.to_owned());
    }
    let message = format!("The version {version} is not one of {} for {}.", versions.join(", "), class.id);
    Err(ApiError::bad_request("InvalidEngineVersion.Malformed", message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subscription_ends_on_the_same_day_of_the_month() {
        let begin: Timestamp = "2026-11-30T08:00:00Z".parse().unwrap();
        let end = after_months(begin.as_millisecond(), 3);
        assert_eq!(crate::world::meta::timestamp(end), "2027-02-28T08:00:00Z", "February is short");
    }
}
