//! What a lock file says: who holds the lock, and until when that is to be believed.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::base::clock;
use crate::state::lock::process::{self, Process};

/// How long a lock is believed whose heartbeat does not move.
pub const LEASE: Duration = Duration::from_secs(30);
/// The longest lease that is believed, whatever a file says.
const LONGEST_LEASE: Duration = Duration::from_hours(1);

/// A holder of the lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Random: no two holdings have the same.
    pub id: String,
    /// The user.
    pub holder: String,
    /// Name of the machine.
    pub host: String,
    /// The process.
    pub process: Process,
    /// The command as it was typed.
    pub command: String,
    /// When it took the lock.
    pub since: Timestamp,
    /// Seconds after which it is not believed any more when its heartbeat does not move.
    pub lease: u64,
    /// Goes up by one with each renewal.
    pub heartbeat: u64,
    /// When it was renewed, by the holder's clock.
    pub renewed: Timestamp,
}

impl Record {
    /// Of this process.
    pub(in crate::state) fn new(command: &str, lease: Duration) -> Self {
        let now = clock::now();
        Self {
            id: uuid::Uuid::new_v4().simple().to_string(),
            holder: process::user(),
            host: process::host(),
            process: Process::this(),
            command: command.to_owned(),
            since: now,
            lease: lease.as_secs().max(1),
            heartbeat: 0,
            renewed: now,
        }
    }

    pub(in crate::state) fn renewed(&self) -> Self {
        Self { heartbeat: self.heartbeat + 1, renewed: clock::now(), ..self.clone() }
    }

    pub(in crate::state) fn to_text(&self) -> String {
        let json = serde_json::to_string_pretty(self).expect("records have text keys only");
        format!("{json}\n")
    }

    fn lease(&self) -> Duration {
        Duration::from_secs(self.lease).min(LONGEST_LEASE)
    }
}

/// Whoever holds a lock, as far as its file tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// None when the file cannot be understood.
    record: Option<Record>,
}

impl Holder {
    /// What a lock file says.
    pub(in crate::state) fn read(content: &[u8]) -> Self {
        Self { record: serde_json::from_slice(content).ok() }
    }

    pub(super) fn is(&self, id: &str) -> bool {
        self.record.as_ref().is_some_and(|record| record.id == id)
    }

    /// What tells one holding from another.
    pub(super) fn id(&self) -> &str {
        self.record.as_ref().map_or("", |record| &record.id)
    }

    /// How long it is believed without moving.
    pub(super) fn lease(&self) -> Duration {
        self.record.as_ref().map_or(LEASE, Record::lease)
    }

    /// Whether its process is known to have ended.
    pub(super) fn is_gone(&self, seen_from: &Process) -> bool {
        self.record.as_ref().is_some_and(|record| record.process.is_gone(seen_from))
    }

    /// Whether it may be dead, going by the two machines' clocks: reason enough to watch, not to act.
    pub(super) fn is_doubtful(&self) -> bool {
        let Some(record) = &self.record else { return true };
        let age = clock::now().duration_since(record.renewed).unsigned_abs();
        age > record.lease()
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(Record { holder, host, process, command, since, .. }) = &self.record else {
            return formatter.write_str("somebody whose entry cannot be read");
        };
        let process = process.id;
        write!(formatter, "{holder} on {host}, process {process}, since {since:.0}")?;
        // A clock elsewhere may be ahead of ours.
        if let Ok(time) = Duration::try_from(clock::now().duration_since(*since)) {
            write!(formatter, ", for {}", words(time))?;
        }
        write!(formatter, ": {command}")
    }
}

/// `12 s`, `3 min 5 s`, `2 h 10 min`.
fn words(time: Duration) -> String {
    let (hours, minutes, seconds) = (time.as_secs() / 3600, time.as_secs() / 60 % 60, time.as_secs() % 60);
    match (hours, minutes) {
        (0, 0) => format!("{seconds} s"),
        (0, _) => format!("{minutes} min {seconds} s"),
        _ => format!("{hours} h {minutes} min"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_who_where_since_when_how_long_and_what() {
        let since = clock::now() - Duration::from_secs(192);
        let record =
            Record { since, host: "build-7".to_owned(), ..Record::new("albatross apply a.yaml", LEASE) };
        let shown = Holder::read(record.to_text().as_bytes()).to_string();
        let (user, process) = (&record.holder, record.process.id);
        assert_eq!(
            shown,
            format!(
                "{user} on build-7, process {process}, since {since:.0}, for 3 min 12 s: albatross apply a.yaml"
            )
        );
        let ahead = Record { since: clock::now() + Duration::from_mins(9), ..record };
        assert!(!Holder::read(ahead.to_text().as_bytes()).to_string().contains(", for "));
    }

    #[test]
    fn what_cannot_be_read_is_watched_for_a_lease() {
        for garbage in ["", "{}", "process 12 (apply)", "\0\0"] {
            let holder = Holder::read(garbage.as_bytes());
            assert!(holder.is_doubtful() && !holder.is_gone(&Process::this()), "{garbage}");
            assert_eq!(holder.lease(), LEASE);
        }
    }

    #[test]
    fn a_clock_that_is_far_off_either_way_makes_doubtful() {
        let fresh = Record::new("apply", LEASE);
        let at = |renewed| Holder { record: Some(Record { renewed, ..fresh.clone() }) };
        assert!(!at(clock::now() - Duration::from_secs(20)).is_doubtful());
        assert!(at(clock::now() - Duration::from_secs(40)).is_doubtful());
        assert!(at(clock::now() + Duration::from_secs(40)).is_doubtful());
        let endless = Record { lease: u64::MAX, ..fresh.clone() };
        assert_eq!(Holder { record: Some(endless) }.lease(), LONGEST_LEASE);
    }
}
