//! What instances, disks and bandwidth cost, and what spot instances did cost.

use serde_json::{Value, json};

use crate::api::price_table::{self as table, Unit, rounded};
use crate::api::{Call, Handler, catalogue, disk_form, images};
use crate::wire::{ApiError, Parameters};
use crate::world::Moment;
use crate::world::meta::timestamp;
use crate::world::regions::{self, Region};

pub(super) const ACTIONS: &[(&str, Handler)] =
    &[("DescribePrice", describe_price), ("DescribeSpotPriceHistory", describe_spot_price_history)];

/// Rows of one page of the history.
const PAGE: usize = 1000;
const HOUR: Moment = 3_600_000;
const DAY: Moment = 24 * HOUR;

/// One part of a price.
struct Part {
    resource: &'static str,
    original: f64,
    trade: f64,
}

impl Part {
    fn plain(resource: &'static str, price: f64) -> Self {
        Self { resource, original: price, trade: price }
    }
}

fn describe_price(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let parameters = call.parameters;
    let kind = parameters.text("ResourceType").unwrap_or("instance");
    let (unit, period) = read_period(parameters)?;
    check_zone(call)?;
    let parts = match kind {
        "instance" => instance_parts(call, unit)?,
        "disk" => disk_parts(call, unit)?,
        "bandwidth" => bandwidth_parts(call)?,
        other => {
            let message = format!("mock-cloud has no prices of {other}.");
            return Err(ApiError::bad_request("InvalidResourceType.ValueNotSupported", message));
        }
    };
    let amount: u32 = parameters.unsigned("Amount").unwrap_or(1);
    if !(1..=1000).contains(&amount) {
        return Err(ApiError::forbidden("InvalidAmount.Malformed", "The Amount must be 1 to 1000."));
    }
    let times = f64::from(amount) * f64::from(period);
    let scaled = |price: f64| rounded(price * times);
    let (original, trade) = (
        scaled(parts.iter().map(|part| part.original).sum()),
        scaled(parts.iter().map(|part| part.trade).sum()),
    );
    let details = parts.iter().map(|part| {
        json!({
            "Resource": part.resource,
            "OriginalPrice": scaled(part.original),
            "DiscountPrice": scaled(part.original - part.trade),
            "TradePrice": scaled(part.trade),
            "SubRules": {"Rule": []},
        })
    });
    Ok(json!({"PriceInfo": {
        "Price": {
            "Currency": table::currency(&call.region),
            "OriginalPrice": original,
            "DiscountPrice": rounded(original - trade),
            "TradePrice": trade,
            "DetailInfos": {"DetailInfo": details.collect::<Vec<_>>()},
        },
        "Rules": {"Rule": []},
    }}))
}

fn read_period(parameters: &Parameters) -> Result<(Unit, u32), ApiError> {
    let word = parameters.text("PriceUnit").unwrap_or("Hour");
    let Some(unit) = Unit::of(word) else {
        let message = format!("The PriceUnit {word} is not Hour, Week, Month or Year.");
        return Err(ApiError::bad_request("InvalidPriceUnit.ValueNotSupported", message));
    };
    let period = parameters.unsigned("Period").unwrap_or(1);
    if (1..=unit.most()).contains(&period) {
        return Ok((unit, period));
    }
    let message = format!("The Period of a {word} is 1 to {}.", unit.most());
    Err(ApiError::bad_request("InvalidPeriod", message))
}

fn check_zone(call: &Call<'_>) -> Result<(), ApiError> {
    match call.parameters.text("ZoneId") {
        Some(zone) if !regions::has_zone(&call.region, zone) => {
            Err(ApiError::bad_request("Invalid.ZoneId", format!("The zone {zone} does not exist.")))
        }
        Some(_) | None => Ok(()),
    }
}

/// An instance with its disks and its bandwidth.
fn instance_parts(call: &Call<'_>, unit: Unit) -> Result<Vec<Part>, ApiError> {
    let parameters = call.parameters;
    let Some(id) = parameters.text("InstanceType") else {
        return Err(ApiError::not_found("InvalidInstanceType.Missing", "An InstanceType is needed."));
    };
    let kind = find_type(id)?;
    let image = match parameters.text("ImageId") {
        None => images::IMAGES.first(),
        Some(id) => Some(images::find(id).ok_or_else(|| {
            ApiError::not_found("InvalidImageId.NotFound", format!("The image {id} does not exist."))
        })?),
    };
    let full = table::instance(&call.region, kind) * unit.hours();
    let spot = !matches!(parameters.text("SpotStrategy"), None | Some("NoSpot")) && unit == Unit::Hour;
    let trade = if spot { spot_price(call, kind, call.world.now) } else { full };
    let mut parts = vec![Part { resource: "instanceType", original: full, trade }];
    let Some(image) = image else { return Ok(parts) };
    let with_system_disk = parameters.has("SystemDisk");
    for (index, disk) in disk_form::read_disks(parameters, kind, image)?.iter().enumerate() {
        if index == 0 && !with_system_disk {
            continue;
        }
        let size = u32::try_from(disk.size).unwrap_or(u32::MAX);
        let hour = table::disk(&call.region, &disk.category, &disk.performance_level, size);
        let resource = if index == 0 { "systemDisk" } else { "dataDisk" };
        parts.push(Part::plain(resource, hour * unit.hours()));
    }
    let width = parameters.unsigned("InternetMaxBandwidthOut").unwrap_or(0);
    if width > 0 {
        let by_width = parameters.text("InternetChargeType") == Some("PayByBandwidth");
        let hour = if by_width { table::bandwidth(&call.region, width) } else { 0.0 };
        parts.push(Part::plain("bandwidth", hour * unit.hours()));
    }
    Ok(parts)
}

/// One data disk by itself; by the hour only.
fn disk_parts(call: &Call<'_>, unit: Unit) -> Result<Vec<Part>, ApiError> {
    let disks = call.parameters.list("DataDisk");
    let category = disks.first().and_then(|disk| disk.text("Category"));
    let (Some(disk), Some(category)) = (disks.first(), category) else {
        let message = "DataDisk.1.Category and DataDisk.1.Size are needed.";
        return Err(ApiError::not_found("InvalidDiskCategory.Missing", message));
    };
    if unit != Unit::Hour {
        let message = "Disks by themselves are priced by the Hour only.";
        return Err(ApiError::bad_request("InvalidPriceUnit.ValueNotSupported", message));
    }
    if !catalogue::DISK_CATEGORIES.contains(&category) {
        let message = format!("The disk category {category} is not supported.");
        return Err(ApiError::bad_request("InvalidDataDiskCategory.ValueNotSupported", message));
    }
    let size = disk.unsigned("Size").filter(|size| (1..=65_536).contains(size)).ok_or_else(|| {
        ApiError::bad_request("InvalidDataDiskSize.ValueNotSupported", "The size must be 1 to 65536 GiB.")
    })?;
    let level = disk.text("PerformanceLevel").unwrap_or("PL1");
    Ok(vec![Part::plain("disk", table::disk(&call.region, category, level, size))])
}

/// Traffic by itself: the price of one GB.
fn bandwidth_parts(call: &Call<'_>) -> Result<Vec<Part>, ApiError> {
    if call.parameters.text("InternetChargeType").is_some_and(|kind| kind != "PayByTraffic") {
        let message = "Bandwidth by itself is priced PayByTraffic only.";
        return Err(ApiError::bad_request("InvalidInternetChargeType.ValueNotSupported", message));
    }
    Ok(vec![Part::plain("bandwidth", table::traffic(&call.region))])
}

fn find_type(id: &str) -> Result<&'static catalogue::InstanceType, ApiError> {
    let message = format!("The instance type {id} does not exist or is not on sale here.");
    catalogue::find(id).ok_or_else(|| ApiError::bad_request("InvalidInstanceType.ValueNotSupported", message))
}

/// The spot price at a moment, in the zone of the call, else in the first one.
fn spot_price(call: &Call<'_>, kind: &catalogue::InstanceType, at: Moment) -> f64 {
    let zones = zones_of_call(call);
    let zone = zones.first().map_or("", String::as_str);
    table::spot(call.world.settings.seed, (&call.region, zone), kind, at.div_euclid(HOUR))
}

fn zones_of_call(call: &Call<'_>) -> Vec<String> {
    match call.parameters.text("ZoneId") {
        Some(zone) => vec![zone.to_owned()],
        None => regions::find(&call.region).map(Region::zones).unwrap_or_default(),
    }
}

fn describe_spot_price_history(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let parameters = call.parameters;
    let refused = |code: &str, message: &str| Err(ApiError::bad_request(code, message));
    let kind = find_type(parameters.required("InstanceType")?)?;
    if parameters.required("NetworkType")? != "vpc" {
        return refused("InvalidParams.NetworkType", "There are only vpc networks.");
    }
    if parameters.text("OSType").is_some_and(|system| !["linux", "windows"].contains(&system)) {
        return refused("InvalidParams.OSType", "The OSType is linux or windows.");
    }
    if parameters.text("ZoneId").is_some_and(|zone| !regions::has_zone(&call.region, zone)) {
        return refused("InvalidZoneId.NotFound", "The specified zone does not exist.");
    }
    let end = read_time(parameters, "EndTime")?.unwrap_or(call.world.now);
    let start = read_time(parameters, "StartTime")?.unwrap_or(end - 3 * HOUR);
    if start > end || end - start > 30 * DAY {
        return refused("InvalidParams.StartTime", "StartTime must be at most 30 days before EndTime.");
    }
    let Ok(offset) = usize::try_from(parameters.integer("Offset").unwrap_or(0)) else {
        return refused("InvalidParams.Offset", "The Offset must not be negative.");
    };
    let zones = zones_of_call(call);
    let hours: Vec<i64> = (start.div_euclid(HOUR)..=end.div_euclid(HOUR)).collect();
    let points = hours.iter().flat_map(|hour| zones.iter().map(move |zone| (*hour, zone)));
    let total = hours.len() * zones.len();
    let rows: Vec<Value> = points
        .skip(offset)
        .take(PAGE)
        .map(|(hour, zone)| {
            let seed = call.world.settings.seed;
            json!({
                "InstanceType": kind.id,
                "ZoneId": zone,
                "NetworkType": "vpc",
                "IoOptimized": "optimized",
                "Timestamp": timestamp(hour * HOUR),
                "SpotPrice": table::spot(seed, (&call.region, zone), kind, hour),
                "OriginPrice": table::instance(&call.region, kind),
            })
        })
        .collect();
    let next = (offset + rows.len()).min(total);
    Ok(json!({
        "Currency": table::currency(&call.region),
        "NextOffset": next,
        "SpotPrices": {"SpotPriceType": rows},
    }))
}

fn read_time(parameters: &Parameters, name: &str) -> Result<Option<Moment>, ApiError> {
    let Some(text) = parameters.text(name) else {
        return Ok(None);
    };
    let malformed = |_| {
        let message = format!("The {name} {text} is not a time like 2026-11-23T10:00:00Z.");
        ApiError::bad_request(format!("InvalidParams.{name}"), message)
    };
    text.parse::<jiff::Timestamp>().map(|time| Some(time.as_millisecond())).map_err(malformed)
}
