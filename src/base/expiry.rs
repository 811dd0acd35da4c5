//! When a machine goes by itself: how long it lives, and the moment at which that is over.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// Stands for the time of a machine that stays.
pub const NEVER: &str = "never";

/// How long, in the largest unit that it is a whole number of.
pub fn words(time: Duration) -> String {
    let seconds = time.as_secs();
    let units = [(86_400, "d"), (3600, "h"), (60, "m")];
    let unit = units.into_iter().find(|(length, _)| seconds > 0 && seconds.is_multiple_of(*length));
    unit.map_or_else(|| format!("{seconds}s"), |(length, unit)| format!("{}{unit}", seconds / length))
}

/// The moment at which a time that begins now is over, rounded up to the minute: the cloud rounds down.
pub fn end(now: Timestamp, time: Duration) -> Timestamp {
    let seconds = now.as_second().saturating_add(i64::try_from(time.as_secs()).unwrap_or(i64::MAX));
    let minutes = seconds.saturating_add(59).div_euclid(60);
    Timestamp::from_second(minutes.saturating_mul(60)).unwrap_or(Timestamp::MAX)
}

/// As the cloud tells it, `2026-12-01T08:00Z`.
pub fn told(end: Timestamp) -> String {
    end.strftime("%Y-%m-%dT%H:%MZ").to_string()
}

/// As the cloud is told, `2026-12-01T08:00:00Z`.
pub fn asked(end: Timestamp) -> String {
    end.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// What is written in a tag: how long it was to live, and until when that is.
pub fn note(time: Duration, end: Timestamp) -> String {
    format!("{} until {}", words(time), told(end))
}

/// How long a machine is to live by what the cloud tells and its tag has: [`NEVER`], the time in the tag while the cloud
/// tells the same moment, else the moment that somebody else has set.
pub fn observed(told: &str, note: Option<&str>) -> String {
    if told.is_empty() {
        return NEVER.to_owned();
    }
    let noted = note.and_then(|note| note.split_once(" until ")).filter(|(_, until)| *until == told);
    noted.map_or_else(|| format!("at {told}"), |(time, _)| time.to_owned())
}

/// How long until a moment the cloud tells: `3h 5m`; none when it is past, or no moment.
pub fn left(told: &str, now: Timestamp) -> Option<String> {
    let end: Timestamp = told.parse().ok()?;
    let left = end.duration_since(now);
    if left <= SignedDuration::ZERO {
        return None;
    }
    // Begun minutes count.
    let minutes = (left.as_secs() + 59) / 60;
    let (days, hours, minutes) = (minutes / 1440, minutes / 60 % 24, minutes % 60);
    Some(match (days, hours) {
        (0, 0) => format!("{minutes}m"),
        (0, hours) => format!("{hours}h {minutes}m"),
        (days, hours) => format!("{days}d {hours}h"),
    })
}

/// Whether a moment the cloud tells is past.
pub fn is_past(told: &str, now: Timestamp) -> bool {
    told.parse::<Timestamp>().is_ok_and(|end| end <= now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_and_read_back() {
        let now: Timestamp = "2026-12-01T04:00:01Z".parse().unwrap();
        let end = end(now, Duration::from_hours(4));
        assert_eq!(asked(end), "2026-12-01T08:01:00Z", "never sooner than was asked for");
        assert_eq!(told(end), "2026-12-01T08:01Z");
        let note = note(Duration::from_hours(4), end);
        assert_eq!(note, "4h until 2026-12-01T08:01Z");
        assert_eq!(observed("2026-12-01T08:01Z", Some(&note)), "4h");
        assert_eq!(observed("2026-12-01T09:00Z", Some(&note)), "at 2026-12-01T09:00Z");
        assert_eq!(observed("2026-12-01T09:00Z", None), "at 2026-12-01T09:00Z");
        assert_eq!(observed("", Some(&note)), NEVER);
        let after =
            |seconds| left("2026-12-01T08:01Z", now.checked_add(SignedDuration::from_secs(seconds)).unwrap());
        assert_eq!(after(0).as_deref(), Some("4h 1m"));
        assert_eq!(after(4 * 3600).as_deref(), Some("1m"));
        assert_eq!(after(5 * 3600), None);
        assert_eq!(left(NEVER, now), None);
        assert!(
            is_past("2026-12-01T04:00Z", now) && !is_past("2026-12-01T04:01Z", now) && !is_past(NEVER, now)
        );
        let of = |seconds| words(Duration::from_secs(seconds));
        assert_eq!([of(1800), of(5400), of(7200), of(172_800), of(90)], ["30m", "90m", "2h", "2d", "90s"]);
    }
}
