//! What every resource of a call has.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::world::Moment;

/// Region, age and tags.
#[derive(Debug, Clone, Serialize)]
pub struct Meta {
    /// Region it lives in.
    pub region: String,
    /// When it was made.
    pub created: Moment,
    /// Lists show it from here on: they lag behind writes.
    pub visible_from: Moment,
    /// Tags by key.
    pub tags: BTreeMap<String, String>,
}

/// `2026-11-23T10:00:00Z`.
pub fn timestamp(moment: Moment) -> String {
    jiff::Timestamp::from_second(moment.div_euclid(1000)).unwrap_or(jiff::Timestamp::UNIX_EPOCH).to_string()
}

/// OSS writes milliseconds, and has none: `2026-11-23T10:00:00.000Z`.
pub fn timestamp_with_milliseconds(moment: Moment) -> String {
    timestamp(moment).replace('Z', ".000Z")
}

/// ECS leaves the seconds out: `2026-11-23T10:00Z`.
pub fn timestamp_to_the_minute(moment: Moment) -> String {
    let full = timestamp(moment);
    format!("{}Z", full.get(..16).unwrap_or(&full))
}
