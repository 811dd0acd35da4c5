//! Disks: `disk: 40`, `disk: { size: 40GiB, category: cloud_essd }`, and those of `data_disks`.

use std::fmt;

use schemars::JsonSchema;
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, MapAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer};

/// A size in GiB: a number of them, or with its unit, `40GiB` or `1TiB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Gibibytes(u32);

impl Gibibytes {
    /// That many.
    pub const fn new(number: u32) -> Self {
        Self(number)
    }

    /// The number.
    pub const fn count(self) -> u32 {
        self.0
    }

    fn parse(text: &str) -> Option<Self> {
        let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
        let unit = match text[digits.len()..].trim() {
            "" | "GiB" => 1,
            "TiB" => 1024,
            _ => return None,
        };
        digits.trim().parse::<u32>().ok()?.checked_mul(unit).map(Self)
    }
}

impl<'de> Deserialize<'de> for Gibibytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Size)
    }
}

const EXPECTED: &str = "a size such as 40, 40GiB or 1TiB";

struct Size;

impl Visitor<'_> for Size {
    type Value = Gibibytes;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(EXPECTED)
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Gibibytes, E> {
        let size = u32::try_from(number).map(Gibibytes);
        size.map_err(|_| E::invalid_value(Unexpected::Unsigned(number), &EXPECTED))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Gibibytes, E> {
        let size = u32::try_from(number).map(Gibibytes);
        size.map_err(|_| E::invalid_value(Unexpected::Signed(number), &EXPECTED))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Gibibytes, E> {
        Gibibytes::parse(text).ok_or_else(|| E::invalid_value(Unexpected::Str(text), &EXPECTED))
    }
}

/// A system disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DiskForm {
    /// Of this size.
    Size(Gibibytes),
    /// With more said of it.
    Fields(DiskFields),
}

impl DiskForm {
    /// Its size, where one is said.
    pub fn size(&self) -> Option<Gibibytes> {
        match self {
            Self::Size(size) => Some(*size),
            Self::Fields(fields) => fields.size,
        }
    }

    /// All that is said of it beside a size.
    pub fn fields(&self) -> DiskFields {
        match self {
            Self::Size(_) => DiskFields::default(),
            Self::Fields(fields) => fields.clone(),
        }
    }
}

/// A system disk, with more said of it than its size.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
pub struct DiskFields {
    /// GiB, 20 to 2048, or `40GiB`; default 40.
    pub size: Option<Gibibytes>,
    /// Its category; default: what goes with the type of its machine, as a rule `cloud_essd`.
    pub category: Option<DiskCategory>,
    /// Performance level of a `cloud_essd`; default: the cloud's own, PL1.
    pub performance_level: Option<PerformanceLevel>,
    /// Whether what is on it is encrypted, with the key that the cloud keeps for the account; default `false`.
    #[serde(default)]
    pub encrypted: bool,
}

/// A disk beside the system's, empty at first.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
pub struct DataDiskFields {
    /// Its name, by which it is known: 2 to 40 lower-case letters, digits and hyphens. Required.
    pub name: String,
    /// GiB, 1 to 65536, or `200GiB`; how many there must be depends on category and level. Required.
    pub size: Gibibytes,
    /// Its category; default: what goes with the type of its machine, as a rule `cloud_essd`.
    pub category: Option<DiskCategory>,
    /// Performance level of a `cloud_essd`; default: the cloud's own, PL1.
    pub performance_level: Option<PerformanceLevel>,
    /// Whether what is on it is encrypted, with the key that the cloud keeps for the account; default `false`.
    #[serde(default)]
    pub encrypted: bool,
    /// Whether it goes with its machine; else it stays, and is paid, until somebody deletes it. Default `true`.
    pub delete_with_instance: Option<bool>,
}

/// Categories of disks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum DiskCategory {
    /// ESSD, with levels of performance.
    #[serde(rename = "cloud_essd")]
    Essd,
    /// ESSD whose performance follows its size.
    #[serde(rename = "cloud_auto")]
    Auto,
    /// The cheapest ESSD, for small machines.
    #[serde(rename = "cloud_essd_entry")]
    EssdEntry,
    /// SSD, for older types.
    #[serde(rename = "cloud_ssd")]
    Ssd,
    /// Ultra disk, for older types.
    #[serde(rename = "cloud_efficiency")]
    Efficiency,
}

impl DiskCategory {
    /// As the cloud writes it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Essd => "cloud_essd",
            Self::Auto => "cloud_auto",
            Self::EssdEntry => "cloud_essd_entry",
            Self::Ssd => "cloud_ssd",
            Self::Efficiency => "cloud_efficiency",
        }
    }

    /// The least and the most GiB of a data disk.
    pub fn sizes(self, level: Option<PerformanceLevel>) -> (u32, u32) {
        match (self, level) {
            (Self::Essd, Some(PerformanceLevel::Pl0)) | (Self::Auto, _) => (1, 65_536),
            (Self::Essd, Some(PerformanceLevel::Pl2)) => (461, 65_536),
            (Self::Essd, Some(PerformanceLevel::Pl3)) => (1261, 65_536),
            (Self::Essd, Some(PerformanceLevel::Pl1) | None) => (20, 65_536),
            (Self::EssdEntry, _) => (10, 32_768),
            (Self::Ssd | Self::Efficiency, _) => (20, 32_768),
        }
    }
}

/// Levels of performance of an ESSD; the higher ones take larger disks only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum PerformanceLevel {
    /// Up to 10 000 reads and writes a second.
    #[serde(rename = "PL0")]
    Pl0,
    /// Up to 50 000.
    #[serde(rename = "PL1")]
    Pl1,
    /// Up to 100 000, from 461 GiB.
    #[serde(rename = "PL2")]
    Pl2,
    /// Up to 1 000 000, from 1261 GiB.
    #[serde(rename = "PL3")]
    Pl3,
}

impl PerformanceLevel {
    /// As the cloud writes it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Pl0 => "PL0",
            Self::Pl1 => "PL1",
            Self::Pl2 => "PL2",
            Self::Pl3 => "PL3",
        }
    }
}

impl<'de> Deserialize<'de> for DiskForm {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Form;
        impl<'de> Visitor<'de> for Form {
            type Value = DiskForm;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a size such as 40 or 40GiB, or `{ size: 40GiB, category: cloud_essd }`")
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<DiskForm, E> {
                Size.visit_u64(number).map(DiskForm::Size)
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<DiskForm, E> {
                Size.visit_i64(number).map(DiskForm::Size)
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<DiskForm, E> {
                Size.visit_str(text).map(DiskForm::Size)
            }

            fn visit_map<A: MapAccess<'de>>(self, access: A) -> Result<DiskForm, A::Error> {
                DiskFields::deserialize(MapAccessDeserializer::new(access)).map(DiskForm::Fields)
            }
        }
        deserializer.deserialize_any(Form)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_with_and_without_their_unit() {
        let read = |text: &str| Gibibytes::parse(text).map(Gibibytes::count);
        assert_eq!(["40", "40GiB", "40 GiB", "2TiB"].map(read), [40, 40, 40, 2048].map(Some));
        assert_eq!(["", "GiB", "40GB", "-1", "4.5GiB", "9999999TiB"].map(read), [None; 6]);
    }
}
