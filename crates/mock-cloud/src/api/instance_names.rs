//! Names of the instances of one call: sequential ones, suffixes, defaults.

use crate::api::instances::{check_host_name, check_instance_name};
use crate::wire::{ApiError, Parameters};

/// Checks the names of a call.
///
/// # Errors
/// `InvalidInstanceName...`, `InvalidHostName...`, `InvalidHostname...`.
pub(super) fn check(parameters: &Parameters, amount: usize) -> Result<(), ApiError> {
    check_instance_name(parameters.text("InstanceName"))?;
    check_host_name(parameters.text("HostName"))?;
    let listed = parameters.texts("HostNames");
    if !listed.is_empty() && parameters.has("HostName") {
        let message = "HostName and HostNames exclude each other.";
        return Err(ApiError::forbidden("InvalidHostname.SingleAndMultiConflict", message));
    }
    if !listed.is_empty() && listed.len() != amount {
        let message = format!("There are {} HostNames for {amount} instances.", listed.len());
        return Err(ApiError::forbidden("InvalidHostname.SizeInvalid", message));
    }
    for name in &listed {
        check_host_name(Some(name))?;
    }
    Ok(())
}

/// `InstanceName` of the instance with this index.
pub(super) fn instance_name(parameters: &Parameters, index: usize, id: &str) -> String {
    match parameters.text("InstanceName") {
        None => id.to_owned(),
        Some(pattern) => numbered(pattern, index, has_suffix(parameters)),
    }
}

/// `HostName` of the instance with this index.
pub(super) fn host_name(parameters: &Parameters, index: usize, id: &str) -> String {
    if let Some(name) = parameters.texts("HostNames").get(index) {
        return name.clone();
    }
    match parameters.text("HostName") {
        None => format!("iZ{}Z", id.trim_start_matches("i-")),
        Some(pattern) => numbered(pattern, index, has_suffix(parameters)).replace("${instance_id}", id),
    }
}

fn has_suffix(parameters: &Parameters) -> bool {
    parameters.flag("UniqueSuffix") && parameters.integer("Amount").unwrap_or(1) > 1
}

/// `ecs[1,2]x` gives `ecs01x`, `ecs02x`, ...; a unique suffix counts from 001 unless the name ends in the number.
fn numbered(pattern: &str, index: usize, unique_suffix: bool) -> String {
    let counted = format!("{:03}", index + 1);
    match sequence(pattern) {
        None if unique_suffix => format!("{pattern}{counted}"),
        None => pattern.to_owned(),
        Some((prefix, begin, bits, suffix)) => {
            let number = begin + index;
            let name = format!("{prefix}{number:0bits$}{suffix}");
            if unique_suffix && !suffix.is_empty() { format!("{name}{counted}") } else { name }
        }
    }
}

/// Takes `prefix[begin,bits]suffix` apart; both numbers may be left out.
fn sequence(pattern: &str) -> Option<(&str, usize, usize, &str)> {
    let (prefix, rest) = pattern.split_once('[')?;
    let (inside, suffix) = rest.split_once(']')?;
    let (begin, bits) = inside.split_once(',')?;
    let number = |text: &str, default: usize| {
        if text.is_empty() { Some(default) } else { text.parse().ok() }
    };
    let (first, width) = (number(begin, 0)?, number(bits, 6)?);
    let good = !prefix.is_empty() && first <= 999_999 && (1..=6).contains(&width);
    let width = if begin.len() > width { 6 } else { width };
    good.then_some((prefix, first, width, suffix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequential_names_follow_the_documented_form() {
        assert_eq!(numbered("ecs[1,2]", 0, false), "ecs01");
        assert_eq!(numbered("ecs[1,2]", 1, true), "ecs02", "no suffix behind the number, so none is added");
        assert_eq!(numbered("ecs[99,2]-a", 1, false), "ecs100-a");
        assert_eq!(numbered("ecs[1,2]-a", 1, true), "ecs02-a002");
        assert_eq!(numbered("ecs[,]", 3, false), "ecs000003");
        assert_eq!(numbered("ecs[123,2]", 0, false), "ecs000123", "more digits than bits: six bits");
        assert_eq!(numbered("plain", 4, false), "plain");
        assert_eq!(numbered("plain", 4, true), "plain005");
    }
}
