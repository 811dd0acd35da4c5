//! Codes with `*` for any text: `QuotaExceed*`, `*.NotFound`, `*Throttling*`.

/// Whether a code has the form of a pattern.
pub(in crate::cloud) fn matches(pattern: &str, code: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = code.strip_prefix(first) else { return false };
    let mut last = None;
    for part in parts {
        if let Some(inner) = last.replace(part) {
            let Some((_, behind)) = rest.split_once(inner) else { return false };
            rest = behind;
        }
    }
    last.map_or(rest.is_empty(), |last| rest.ends_with(last))
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn a_star_stands_for_any_text_and_nothing_else_does() {
        for (pattern, code) in [
            ("Forbidden", "Forbidden"),
            ("QuotaExceed*", "QuotaExceeded.Vpc"),
            ("*.NotFound", "InvalidVpcId.NotFound"),
            ("*Throttling*", "Rejected.Throttling"),
            ("*Throttling*", "Throttling.User"),
            ("Incorrect*Status*", "IncorrectVSwitchStatus"),
            ("Incorrect*Status*", "IncorrectStatus.Listener"),
        ] {
            assert!(matches(pattern, code), "{pattern} {code}");
        }
        for (pattern, code) in [
            ("Forbidden", "Forbidden.RAM"),
            ("Forbidden.RAM", "Forbidden"),
            ("*.NotFound", "InvalidVpcId.NotFoundX"),
            ("Incorrect*Status*", "IncorrectDomainUser"),
        ] {
            assert!(!matches(pattern, code), "{pattern} {code}");
        }
    }
}
