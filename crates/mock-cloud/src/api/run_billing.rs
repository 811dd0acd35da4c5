//! How new instances are paid: by use, in advance, or as spot instances; and when they go by themselves.

use crate::api::catalogue::InstanceType;
use crate::api::{Call, price_table};
use crate::wire::{ApiError, Parameters};
use crate::world::Moment;

const HOUR: Moment = 3_600_000;
/// The soonest and the latest a release can be set for.
const RELEASE: std::ops::RangeInclusive<Moment> = HOUR / 2..=3 * 366 * 24 * HOUR;

/// How an instance is paid.
#[derive(Debug)]
pub(super) struct Billing {
    pub(super) charge_type: String,
    pub(super) spot_strategy: String,
    pub(super) spot_price_limit: f64,
    pub(super) auto_release: Option<Moment>,
}

/// Reads and checks how the instances of a call are paid.
///
/// # Errors
/// What the documentation has for charge types, periods, spot options and release times.
pub(super) fn read(call: &Call<'_>, kind: &InstanceType) -> Result<Billing, ApiError> {
    let parameters = call.parameters;
    let charge_type = parameters.text_or("InstanceChargeType", "PostPaid");
    match charge_type.as_str() {
        "PostPaid" => {}
        "PrePaid" => check_period(parameters)?,
        other => {
            let message = format!("The InstanceChargeType {other} is neither PostPaid nor PrePaid.");
            return Err(ApiError::bad_request("Invalid.InstanceChargeType", message));
        }
    }
    let spot_strategy = read_spot(call, kind, &charge_type)?;
    let auto_release = read_auto_release(call)?;
    if auto_release.is_some() && charge_type == "PrePaid" {
        let message = "What is paid in advance is not released by itself.";
        return Err(ApiError::bad_request("InvalidAutoReleaseTime.Malformed", message));
    }
    let limited = spot_strategy == "SpotWithPriceLimit";
    let limit = parameters.text("SpotPriceLimit").filter(|_| limited).and_then(|text| text.parse().ok());
    let spot_price_limit = limit.unwrap_or_default();
    Ok(Billing { charge_type, spot_strategy, spot_price_limit, auto_release })
}

fn check_period(parameters: &Parameters) -> Result<(), ApiError> {
    let period = parameters.integer("Period").unwrap_or_default();
    let good = match parameters.text("PeriodUnit").unwrap_or("Month") {
        "Week" => (1..=4).contains(&period),
        "Month" => (1..=9).contains(&period) || [12, 24, 36, 48, 60].contains(&period),
        other => {
            let message = format!("The PeriodUnit {other} is neither Week nor Month.");
            return Err(ApiError::bad_request("InvalidPeriodType.ValueNotSupported", message));
        }
    };
    if good {
        return Ok(());
    }
    Err(ApiError::bad_request("InvalidPeriod", "The Period is not one that can be paid in advance."))
}

fn read_spot(call: &Call<'_>, kind: &InstanceType, charge_type: &str) -> Result<String, ApiError> {
    let parameters = call.parameters;
    let refused = |code: &str, message: &str| Err(ApiError::bad_request(code, message));
    let strategy = parameters.text_or("SpotStrategy", "NoSpot");
    match strategy.as_str() {
        "NoSpot" => return Ok(strategy),
        "SpotAsPriceGo" => {}
        "SpotWithPriceLimit" => check_limit(call, kind)?,
        _ => return refused("InvalidSpotStrategy", "The SpotStrategy is not known."),
    }
    if charge_type == "PrePaid" {
        return refused("InvalidSpotPrepaid", "A spot instance is not paid in advance.");
    }
    if parameters.integer("SpotDuration").is_some_and(|hours| ![0, 1].contains(&hours)) {
        return refused("InvalidSpotDuration", "The SpotDuration is 0 or 1 hour.");
    }
    let behaviour = parameters.text("SpotInterruptionBehavior").unwrap_or("Terminate");
    if !["Terminate", "Stop"].contains(&behaviour) {
        return refused("InvalidSpotInterruptionBehavior", "It is Terminate or Stop.");
    }
    Ok(strategy)
}

/// A limit has three decimals at most, and is not below what the market asks.
fn check_limit(call: &Call<'_>, kind: &InstanceType) -> Result<(), ApiError> {
    let text = call.parameters.text("SpotPriceLimit").unwrap_or_default();
    let decimals = text.split_once('.').map_or(0, |(_, decimals)| decimals.len());
    let limit = text.parse::<f64>().ok().filter(|limit| *limit > 0.0 && decimals <= 3);
    let Some(limit) = limit else {
        let message = "A SpotPriceLimit with three decimals at most is needed.";
        return Err(ApiError::bad_request("InvalidSpotPriceLimit", message));
    };
    let vswitch = call.parameters.text("VSwitchId").and_then(|id| call.world.vswitches.get(id));
    let zone = vswitch.map_or("", |vswitch| vswitch.zone.as_str());
    let (seed, hour) = (call.world.settings.seed, call.world.now.div_euclid(HOUR));
    let market = price_table::spot(seed, (&call.region, zone), kind, hour);
    if limit >= market {
        return Ok(());
    }
    let message = format!("The market asks {market} an hour, more than {limit}.");
    Err(ApiError::bad_request("InvalidSpotPriceLimit.LowerThanPublicPrice", message))
}

/// When instances of a call go by themselves. Seconds are rounded down.
///
/// # Errors
/// `InvalidAutoReleaseTime.Malformed`.
pub(super) fn read_auto_release(call: &Call<'_>) -> Result<Option<Moment>, ApiError> {
    let Some(text) = call.parameters.text("AutoReleaseTime") else {
        return Ok(None);
    };
    let moment = text.parse::<jiff::Timestamp>().ok().map(|time| time.as_millisecond() / 60_000 * 60_000);
    let ahead = moment.filter(|moment| RELEASE.contains(&(moment - call.world.now / 60_000 * 60_000)));
    if ahead.is_some() {
        return Ok(ahead);
    }
    let message = format!("The AutoReleaseTime {text} is not half an hour to three years ahead.");
    Err(ApiError::bad_request("InvalidAutoReleaseTime.Malformed", message))
}
