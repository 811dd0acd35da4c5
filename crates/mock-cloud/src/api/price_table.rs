//! What things cost: a made-up table in the proportions of the real one, the same for the same question.

use crate::api::catalogue::InstanceType;
use crate::world::ids::digest;
use crate::world::regions;

/// Hours of a month that is paid in advance, after its discount.
const HOURS_OF_MONTH: f64 = 24.0 * 30.0 * 0.55;

/// A time that is paid at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    /// An hour.
    Hour,
    /// Seven days.
    Week,
    /// A month.
    Month,
    /// A year.
    Year,
}

impl Unit {
    /// The unit of the API's word.
    pub(super) fn of(word: &str) -> Option<Self> {
        match word {
            "Hour" => Some(Self::Hour),
            "Week" => Some(Self::Week),
            "Month" => Some(Self::Month),
            "Year" => Some(Self::Year),
            _ => None,
        }
    }

    /// How many of it can be asked for.
    pub(super) fn most(self) -> u32 {
        match self {
            Self::Hour => 1,
            Self::Week => 4,
            Self::Month => 9,
            Self::Year => 5,
        }
    }

    /// How many paid hours it stands for; longer is cheaper.
    pub(super) fn hours(self) -> f64 {
        match self {
            Self::Hour => 1.0,
            Self::Week => 24.0 * 7.0 * 0.7,
            Self::Month => HOURS_OF_MONTH,
            Self::Year => HOURS_OF_MONTH * 12.0 * 0.85,
        }
    }
}

/// `CNY` on the mainland, `USD` abroad.
pub(super) fn currency(region: &str) -> &'static str {
    if regions::find(region).is_some_and(|region| region.mainland) { "CNY" } else { "USD" }
}

/// What one yuan is in the currency of the region, the region's own level of prices with it.
fn level(region: &str) -> f64 {
    if currency(region) == "CNY" { 1.0 } else { 0.14 * 1.35 }
}

/// An instance, an hour.
pub(super) fn instance(region: &str, kind: &InstanceType) -> f64 {
    let share = match kind.family {
        "ecs.t5" | "ecs.t6" => 0.55,
        "ecs.e" => 0.6,
        family if family.starts_with("ecs.u") => 0.8,
        family if family.ends_with('6') => 0.95,
        family if family.ends_with('y') => 0.85,
        _ => 1.0,
    };
    let hour = (f64::from(kind.processors) * 0.12 + f64::from(kind.memory) * 0.045) * share;
    rounded(hour * level(region))
}

/// A disk, an hour.
pub(super) fn disk(region: &str, category: &str, performance_level: &str, size: u32) -> f64 {
    let gigabyte = match (category, performance_level) {
        ("cloud_essd", "PL0") => 0.00105,
        ("cloud_essd", "PL2") => 0.0042,
        ("cloud_essd", "PL3") => 0.0084,
        ("cloud_essd", _) => 0.0021,
        ("cloud_auto", _) => 0.0018,
        ("cloud_ssd", _) => 0.0014,
        ("cloud_essd_entry", _) => 0.0007,
        ("cloud_efficiency", _) => 0.000_49,
        _ => 0.0004,
    };
    rounded(f64::from(size) * gigabyte * level(region))
}

/// Bandwidth that is paid by its width, an hour; traffic is paid by its volume and costs nothing by itself.
pub(super) fn bandwidth(region: &str, megabits: u32) -> f64 {
    let first = f64::from(megabits.min(5)) * 0.063;
    let rest = f64::from(megabits.saturating_sub(5)) * 0.248;
    rounded((first + rest) * level(region))
}

/// One GB of traffic.
pub(super) fn traffic(region: &str) -> f64 {
    rounded(0.8 * level(region))
}

/// A spot instance, an hour: a tenth to four tenths of the full price, another share every hour in every zone.
pub(super) fn spot(seed: u64, (region, zone): (&str, &str), kind: &InstanceType, hour: i64) -> f64 {
    let full = instance(region, kind);
    let base = digest(seed, "spot price", &format!("{zone} {}", kind.id))[0];
    let swing = digest(seed, "spot price", &format!("{zone} {} {hour}", kind.id))[0];
    let share = 0.1 + f64::from(base) / 255.0 * 0.25 + f64::from(swing) / 255.0 * 0.05;
    rounded(full * share)
}

/// Six decimals.
pub(super) fn rounded(price: f64) -> f64 {
    (price * 1_000_000.0).round() / 1_000_000.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::catalogue;

    #[test]
    fn more_costs_more_and_spot_less_than_half() {
        let small = catalogue::find("ecs.g7.large").unwrap();
        let large = catalogue::find("ecs.g7.xlarge").unwrap();
        let full = instance("cn-hangzhou", small);
        assert!(instance("cn-hangzhou", large) > full);
        for hour in 0..100 {
            let spot = spot(7, ("cn-hangzhou", "cn-hangzhou-j"), small, hour);
            assert!(spot >= full * 0.1 && spot <= full * 0.41, "{spot} of {full}");
        }
        assert!(disk("cn-hangzhou", "cloud_essd", "PL3", 40) > disk("cn-hangzhou", "cloud_essd", "PL1", 40));
    }
}
