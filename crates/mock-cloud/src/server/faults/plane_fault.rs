//! What can go wrong on the data plane, as a file, the endpoint or a seed says it.

use std::ops::RangeInclusive;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::plane::spec::Conditions;

/// What goes wrong with a host, between two, or with a name.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum PlaneFault {
    /// It goes off, and boots when the fault ends.
    Reboot {},
    /// Nothing on it moves.
    Freeze {},
    /// Nothing more fits on its disk.
    DiskFull {},
    /// Each SSH connection is cut.
    SshCut {
        /// After so many bytes.
        #[serde(default = "default_bytes")]
        after: u64,
    },
    /// Each SSH connection is slow.
    SshSlow {
        /// Bytes a second, each way.
        #[serde(default = "default_rate")]
        rate: u64,
    },
    /// Its Redis is stopped.
    RedisStop {},
    /// Its chat node is killed.
    NodeKill {},
    /// It and another one do not reach each other.
    NetworkCut {
        /// The other one.
        to: String,
    },
    /// Packets from and to it are lost.
    NetworkLoss {
        /// How many of a hundred.
        #[serde(default = "default_percent")]
        percent: u8,
    },
    /// What comes to it comes late.
    NetworkDelay {
        /// How late.
        #[serde(default = "default_delay")]
        milliseconds: u64,
    },
    /// A name is answered as it was.
    DnsStale {},
    /// Load balancers find it ill.
    Unhealthy {},
}

/// The names of all faults of the data plane, in the order in which they are told.
pub const NAMES: [&str; 12] = [
    "reboot",
    "freeze",
    "disk_full",
    "ssh_cut",
    "ssh_slow",
    "redis_stop",
    "node_kill",
    "network_cut",
    "network_loss",
    "network_delay",
    "dns_stale",
    "unhealthy",
];

fn default_bytes() -> u64 {
    64 * 1024
}

fn default_rate() -> u64 {
    4 * 1024
}

fn default_percent() -> u8 {
    10
}

fn default_delay() -> u64 {
    100
}

/// How long a host stays off that reboots, unless it is told.
const OFF: Duration = Duration::from_secs(2);
/// How long a node does not come back that is killed, unless it is told.
const KILLED: Duration = Duration::from_secs(1);
/// Bytes after which SSH can be cut.
const BYTES: RangeInclusive<u64> = 0..=1 << 30;
/// Bytes a second that SSH can have.
const RATES: RangeInclusive<u64> = 16..=1 << 30;
/// Share of packets that can be lost.
const PERCENT: RangeInclusive<u8> = 1..=100;
/// How late packets can be.
const DELAYS: RangeInclusive<u64> = 1..=10_000;

impl PlaneFault {
    /// Its name.
    pub(in crate::server) fn word(&self) -> &'static str {
        let place = match self {
            Self::Reboot {} => 0,
            Self::Freeze {} => 1,
            Self::DiskFull {} => 2,
            Self::SshCut { .. } => 3,
            Self::SshSlow { .. } => 4,
            Self::RedisStop {} => 5,
            Self::NodeKill {} => 6,
            Self::NetworkCut { .. } => 7,
            Self::NetworkLoss { .. } => 8,
            Self::NetworkDelay { .. } => 9,
            Self::DnsStale {} => 10,
            Self::Unhealthy {} => 11,
        };
        NAMES[place]
    }

    /// Whether it is of a name instead of a host.
    pub(super) fn is_of_name(&self) -> bool {
        *self == Self::DnsStale {}
    }

    /// How long it lasts unless it is told; until it is lifted when there is no such time.
    pub(super) fn usual(&self) -> Option<Duration> {
        match self {
            Self::Reboot {} => Some(OFF),
            Self::NodeKill {} => Some(KILLED),
            Self::Freeze {}
            | Self::DiskFull {}
            | Self::SshCut { .. }
            | Self::SshSlow { .. }
            | Self::RedisStop {}
            | Self::NetworkCut { .. }
            | Self::NetworkLoss { .. }
            | Self::NetworkDelay { .. }
            | Self::DnsStale {}
            | Self::Unhealthy {} => None,
        }
    }

    /// Its numbers, for people.
    pub(super) fn settings(&self) -> Value {
        match self {
            Self::SshCut { after } => json!({"after": after}),
            Self::SshSlow { rate } => json!({"rate": rate}),
            Self::NetworkCut { to } => json!({"to": to}),
            Self::NetworkLoss { percent } => json!({"percent": percent}),
            Self::NetworkDelay { milliseconds } => json!({"milliseconds": milliseconds}),
            Self::Reboot {}
            | Self::Freeze {}
            | Self::DiskFull {}
            | Self::RedisStop {}
            | Self::NodeKill {}
            | Self::DnsStale {}
            | Self::Unhealthy {} => json!({}),
        }
    }

    /// What is wrong with its numbers.
    pub(super) fn check(&self) -> Result<(), String> {
        match self {
            Self::SshCut { after } => within("`after` of an ssh_cut", *after, &BYTES, "bytes"),
            Self::SshSlow { rate } => within("`rate` of an ssh_slow", *rate, &RATES, "bytes a second"),
            Self::NetworkLoss { percent } => {
                within("`percent` of a network_loss", *percent, &PERCENT, "of a hundred packets")
            }
            Self::NetworkDelay { milliseconds } => {
                within("`milliseconds` of a network_delay", *milliseconds, &DELAYS, "milliseconds")
            }
            Self::NetworkCut { to } if to.is_empty() => {
                Err("`to` of a network_cut names the other host".to_owned())
            }
            Self::NetworkCut { .. }
            | Self::Reboot {}
            | Self::Freeze {}
            | Self::DiskFull {}
            | Self::RedisStop {}
            | Self::NodeKill {}
            | Self::DnsStale {}
            | Self::Unhealthy {} => Ok(()),
        }
    }

    /// What its host has to put up with: the worse counts where there was something already.
    pub(super) fn worsen(&self, conditions: &mut Conditions) {
        let least = |known: Option<u64>, new: u64| Some(known.map_or(new, |known| known.min(new)));
        match self {
            Self::Reboot {} => conditions.is_off = true,
            Self::Freeze {} => conditions.is_frozen = true,
            Self::DiskFull {} => conditions.is_full = true,
            Self::SshCut { after } => conditions.ssh_cut = least(conditions.ssh_cut, *after),
            Self::SshSlow { rate } => conditions.ssh_rate = least(conditions.ssh_rate, *rate),
            Self::RedisStop {} => conditions.stops_redis = true,
            Self::NodeKill {} => conditions.kills_node = true,
            Self::NetworkLoss { percent } => conditions.loss = conditions.loss.max(Some(*percent)),
            Self::NetworkDelay { milliseconds } => {
                let delay = Duration::from_millis(*milliseconds);
                conditions.delay = conditions.delay.max(Some(delay));
            }
            Self::Unhealthy {} => conditions.fails_checks = true,
            // Neither is a matter of one host.
            Self::NetworkCut { .. } | Self::DnsStale {} => {}
        }
    }
}

fn within<T: PartialOrd + std::fmt::Display>(
    what: &str,
    number: T,
    range: &RangeInclusive<T>,
    unit: &str,
) -> Result<(), String> {
    if range.contains(&number) {
        return Ok(());
    }
    Err(format!("{what} is {} to {} {unit}, not {number}", range.start(), range.end()))
}

/// Reads a span of time as people write it: `250ms`, `10s`, `2m`, `1h`.
///
/// # Errors
/// A sentence with what would be right.
pub(super) fn span(text: &str, most: Duration) -> Result<Duration, String> {
    let digits = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    let unit = match &text[digits..] {
        "ms" => Some(1),
        "s" => Some(1_000),
        "m" => Some(60_000),
        "h" => Some(3_600_000),
        _ => None,
    };
    let number: Option<u64> = text[..digits].parse().ok();
    let span = number.zip(unit).and_then(|(number, unit)| number.checked_mul(unit));
    let span = span.map(Duration::from_millis).filter(|span| *span <= most);
    span.ok_or_else(|| format!("`{text}` is no span of time: write 250ms, 10s, 2m or 1h, a day at most"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_read_as_itself() {
        for name in NAMES {
            let text = if name == "network_cut" { "{to: ecs03}" } else { "{}" };
            let fault: PlaneFault = serde_yaml::from_str(&format!("{name}: {text}")).unwrap();
            assert_eq!(fault.word(), name);
            fault.check().unwrap();
        }
    }

    #[test]
    fn numbers_out_of_range_are_refused_with_the_range() {
        let refusal = PlaneFault::NetworkLoss { percent: 101 }.check().unwrap_err();
        assert_eq!(refusal, "`percent` of a network_loss is 1 to 100 of a hundred packets, not 101");
        for wrong in [
            PlaneFault::SshCut { after: (1 << 30) + 1 },
            PlaneFault::SshSlow { rate: 15 },
            PlaneFault::NetworkDelay { milliseconds: 0 },
            PlaneFault::NetworkCut { to: String::new() },
        ] {
            assert!(wrong.check().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn of_two_the_worse_counts() {
        let mut conditions = Conditions::default();
        for fault in [
            PlaneFault::SshSlow { rate: 4_096 },
            PlaneFault::SshSlow { rate: 8_192 },
            PlaneFault::NetworkLoss { percent: 5 },
            PlaneFault::NetworkLoss { percent: 3 },
        ] {
            fault.worsen(&mut conditions);
        }
        assert_eq!((conditions.ssh_rate, conditions.loss), (Some(4_096), Some(5)));
    }

    #[test]
    fn spans_are_read_as_people_write_them() {
        let day = Duration::from_hours(24);
        for (text, milliseconds) in [("250ms", 250), ("10s", 10_000), ("2m", 120_000), ("24h", 86_400_000)] {
            assert_eq!(span(text, day), Ok(Duration::from_millis(milliseconds)));
        }
        for text in ["", "10", "s", "1d", "-1s", "25h", "1.5s", "99999999999999999999h"] {
            assert!(span(text, day).is_err(), "{text}");
        }
    }
}
