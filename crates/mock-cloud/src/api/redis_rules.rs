//! Rules for what people choose on a Redis instance: names, passwords, times, allow lists.

use std::collections::BTreeSet;

use ipnet::Ipv4Net;

use crate::wire::ApiError;

/// Characters of a password beside letters and digits.
const SPECIAL: &str = "!@#$%^&*()_+-=";

/// Characters no name may have.
const NOT_IN_NAMES: &str = "@/:=\"<>{[]}";

/// Account names that Redis or the service keeps for itself.
const RESERVED_ACCOUNTS: &[&str] =
    &["admin", "administrator", "aurora", "default", "eagleye", "master", "replicator", "root", "test"];

/// Addresses in one allow list.
const ENTRIES: usize = 1000;

/// 2 to 80 characters, a letter first, no blanks and none of `@/:="<>{[]}`.
pub(super) fn check_name(name: &str) -> Result<(), ApiError> {
    let good = (2..=80).contains(&name.chars().count())
        && name.chars().next().is_some_and(is_letter)
        && !name.chars().any(|own| own.is_whitespace() || NOT_IN_NAMES.contains(own));
    require(good, || {
        ApiError::bad_request("InvalidInstanceName.Malformed", format!("The name {name} is not valid."))
    })
}

/// 8 to 32 characters of at least three kinds: upper case, lower case, digits, `!@#$%^&*()_+-=`.
pub(super) fn check_password(password: &str, code: &str) -> Result<(), ApiError> {
    let has = |kind: fn(char) -> bool| usize::from(password.chars().any(kind));
    let kinds = has(|own| own.is_ascii_uppercase())
        + has(|own| own.is_ascii_lowercase())
        + has(|own| own.is_ascii_digit())
        + has(|own| SPECIAL.contains(own));
    let allowed = password.chars().all(|own| own.is_ascii_alphanumeric() || SPECIAL.contains(own));
    require((8..=32).contains(&password.chars().count()) && kinds >= 3 && allowed, || {
        let message = "The password must have 8 to 32 characters of at least three kinds.";
        ApiError::bad_request(code, message)
    })
}

/// A lower-case letter first, then those, digits and `_`; at most a hundred; not a reserved word.
pub(super) fn check_account_name(name: &str) -> Result<(), ApiError> {
    let plain = |own: char| own.is_ascii_lowercase() || own.is_ascii_digit() || own == '_';
    let good = name.len() <= 100
        && name.starts_with(|own: char| own.is_ascii_lowercase())
        && name.chars().all(plain);
    require(good, || {
        let message = format!("The account name {name} is not valid.");
        ApiError::bad_request("InvalidAccountName.Format", message)
    })?;
    require(!RESERVED_ACCOUNTS.contains(&name), || {
        let message = format!("The account name {name} is a reserved word.");
        ApiError::bad_request("InvalidAccountName.Forbid", message)
    })
}

/// 2 to 256 letters, digits, `_` and `-`, a letter first.
pub(super) fn check_account_description(text: &str) -> Result<(), ApiError> {
    let good = (2..=256).contains(&text.chars().count())
        && text.chars().next().is_some_and(is_letter)
        && text.chars().all(|own| is_letter(own) || own.is_ascii_digit() || "_-".contains(own));
    require(good, || {
        let message = "The account description is not valid.";
        ApiError::bad_request("InvalidAccountDescription.Format", message)
    })
}

/// 8 to 40 lower-case letters and digits, a letter first.
pub(super) fn check_prefix(prefix: &str) -> Result<(), ApiError> {
    let good = (8..=40).contains(&prefix.len())
        && prefix.starts_with(|own: char| own.is_ascii_lowercase())
        && prefix.chars().all(|own| own.is_ascii_lowercase() || own.is_ascii_digit());
    require(good, || illegal("ConnectionStringPrefix", "it takes 8 to 40 lower-case letters and digits"))
}

/// `18:00Z` and `22:00Z`, at least an hour apart; the window may go past midnight.
pub(super) fn check_window(start: &str, end: &str) -> Result<(), ApiError> {
    let (Some(begin), Some(stop)) = (minutes(start), minutes(end)) else {
        return Err(illegal("MaintainStartTime", "times are written HH:mmZ"));
    };
    require((stop - begin).rem_euclid(24 * 60) >= 60, || {
        illegal("MaintainEndTime", "the window has at least one hour")
    })
}

fn minutes(text: &str) -> Option<i32> {
    let (hour, minute) = text.strip_suffix('Z')?.split_once(':')?;
    let number = |text: &str, limit: i32| {
        let digits = text.len() == 2 && text.bytes().all(|own| own.is_ascii_digit());
        text.parse::<i32>().ok().filter(|own| digits && *own < limit)
    };
    Some(number(hour, 24)? * 60 + number(minute, 60)?)
}

/// 2 to 120 lower-case letters, digits and `_`, a letter first, no `_` last.
pub(super) fn check_list_name(name: &str) -> Result<(), ApiError> {
    let plain = |own: char| own.is_ascii_lowercase() || own.is_ascii_digit() || own == '_';
    let good = (2..=120).contains(&name.len())
        && name.starts_with(|own: char| own.is_ascii_lowercase())
        && !name.ends_with('_')
        && name.chars().all(plain);
    require(good, || {
        let message = format!("The name {name} of the allow list is not valid.");
        ApiError::bad_request("InvalidGroupName.Format", message)
    })
}

/// Addresses and ranges joined by commas, each once, at most a thousand.
pub(super) fn read_entries(text: &str) -> Result<BTreeSet<String>, ApiError> {
    let mut entries = BTreeSet::new();
    for entry in text.split(',').map(str::trim) {
        require(is_entry(entry), || {
            let message = format!("{entry} is neither an address nor a range.");
            ApiError::bad_request("InvalidSecurityIPList.Format", message)
        })?;
        require(entries.insert(entry.to_owned()), || duplicate(entry))?;
    }
    check_number_of_entries(entries.len())?;
    Ok(entries)
}

/// At most a thousand.
pub(super) fn check_number_of_entries(count: usize) -> Result<(), ApiError> {
    require(count <= ENTRIES, || {
        let message = "An allow list has at most 1000 addresses.";
        ApiError::bad_request("InvalidSecurityIPList.QuotaExceeded", message)
    })
}

/// The same address twice in one list.
pub(super) fn duplicate(entry: &str) -> ApiError {
    ApiError::new(409, "SecurityIPList.Duplicate", format!("The allow list has {entry} twice."))
}

/// An address, a range of `/1` to `/32`, or everybody.
fn is_entry(text: &str) -> bool {
    let range = || text.parse::<Ipv4Net>().is_ok_and(|net| net.prefix_len() > 0);
    text == "0.0.0.0/0" || text.parse::<std::net::Ipv4Addr>().is_ok() || range()
}

/// What this service says of a value it cannot take.
pub(super) fn illegal(parameter: &str, reason: impl std::fmt::Display) -> ApiError {
    let message = format!("The parameter {parameter} is illegal: {reason}.");
    ApiError::bad_request("IllegalParamError", message)
}

/// Latin or Chinese.
fn is_letter(own: char) -> bool {
    own.is_ascii_alphabetic() || ('\u{4e00}'..='\u{9fff}').contains(&own)
}

fn require(good: bool, error: impl FnOnce() -> ApiError) -> Result<(), ApiError> {
    if good { Ok(()) } else { Err(error()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_need_three_kinds_of_characters() {
        for good in ["Abcdef12", "abc123!@", "ABC_123_"] {
            assert!(check_password(good, "X").is_ok(), "{good}");
        }
        let long = "Aa1".repeat(11);
        for bad in ["Abcdefg", "abcdefgh", "abcdef12", "Abc def12", "Abcdef12?", long.as_str()] {
            assert_eq!(check_password(bad, "X").unwrap_err().code, "X", "{bad}");
        }
    }

    #[test]
    fn names_begin_with_a_letter() {
        for good in ["ab", "聊天室", "redis-01_x"] {
            assert!(check_name(good).is_ok(), "{good}");
        }
        for bad in ["a", "1a", "a b", "a@b", "a\"b", "a]b"] {
            assert_eq!(check_name(bad).unwrap_err().code, "InvalidInstanceName.Malformed", "{bad}");
        }
        assert_eq!(check_account_name("Upper").unwrap_err().code, "InvalidAccountName.Format");
        assert_eq!(check_account_name("root").unwrap_err().code, "InvalidAccountName.Forbid");
        assert!(check_account_name("chat_01").is_ok());
    }

    #[test]
    fn a_maintenance_window_has_an_hour() {
        assert!(check_window("18:00Z", "22:00Z").is_ok());
        assert!(check_window("23:30Z", "00:30Z").is_ok());
        for (start, end) in
            [("18:00Z", "18:30Z"), ("18:00", "22:00Z"), ("25:00Z", "01:00Z"), ("1:00Z", "3:00Z")]
        {
            assert_eq!(check_window(start, end).unwrap_err().code, "IllegalParamError", "{start} {end}");
        }
    }

    #[test]
    fn an_allow_list_holds_addresses_and_ranges_once() {
        let read = read_entries("10.0.0.1, 10.0.0.0/24,0.0.0.0/0").unwrap();
        assert_eq!(read.len(), 3);
        let code = |text: &str| read_entries(text).unwrap_err().code;
        assert_eq!(code("10.0.0.1,10.0.0.1"), "SecurityIPList.Duplicate");
        for bad in ["", "10.0.0", "10.0.0.0/33", "10.0.0.0/0", "example.com"] {
            assert_eq!(code(bad), "InvalidSecurityIPList.Format", "{bad}");
        }
        let many: Vec<String> = (0..1001).map(|own| format!("10.0.{}.{}", own / 256, own % 256)).collect();
        assert_eq!(code(&many.join(",")), "InvalidSecurityIPList.QuotaExceeded");
        assert!(read_entries(&many[..1000].join(",")).is_ok());
    }
}
