//! Which headers a listener adds to requests: the switches of `XForwardedForConfig`, their defaults and changes.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::wire::Parameters;

/// What a switch is unless told.
enum Default {
    Flag(bool),
    Text(&'static str),
}

use Default::{Flag, Text};

const SWITCHES: &[(&str, Default)] = &[
    ("XForwardedForClientCertClientVerifyAlias", Text("")),
    ("XForwardedForClientCertClientVerifyEnabled", Flag(false)),
    ("XForwardedForClientCertFingerprintAlias", Text("")),
    ("XForwardedForClientCertFingerprintEnabled", Flag(false)),
    ("XForwardedForClientCertIssuerDNAlias", Text("")),
    ("XForwardedForClientCertIssuerDNEnabled", Flag(false)),
    ("XForwardedForClientCertSubjectDNAlias", Text("")),
    ("XForwardedForClientCertSubjectDNEnabled", Flag(false)),
    ("XForwardedForClientSourceIpsEnabled", Flag(false)),
    ("XForwardedForClientSourceIpsTrusted", Text("")),
    ("XForwardedForClientSrcPortEnabled", Flag(false)),
    ("XForwardedForEnabled", Flag(true)),
    ("XForwardedForHostEnabled", Flag(false)),
    ("XForwardedForProcessingMode", Text("append")),
    ("XForwardedForProtoEnabled", Flag(false)),
    ("XForwardedForSLBIdEnabled", Flag(false)),
    ("XForwardedForSLBPortEnabled", Flag(false)),
];

/// The switches of a listener that is made without any.
pub(super) fn defaults() -> BTreeMap<String, Value> {
    let value = |default: &Default| match default {
        Flag(flag) => json!(flag),
        Text(text) => json!(text),
    };
    SWITCHES.iter().map(|(name, default)| ((*name).to_owned(), value(default))).collect()
}

/// The switches after a call.
pub(super) fn changed(own: &BTreeMap<String, Value>, given: &Parameters) -> BTreeMap<String, Value> {
    let mut switches = own.clone();
    for (name, default) in SWITCHES {
        let value = match default {
            Flag(_) => given.boolean(name).map(|flag| json!(flag)),
            Text(_) => given.text(name).map(|text| json!(text)),
        };
        if let Some(value) = value {
            switches.insert((*name).to_owned(), value);
        }
    }
    switches
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_given_stays() {
        let given = [("XForwardedForProtoEnabled".to_owned(), "True".to_owned())].into_iter().collect();
        let switches = changed(&defaults(), &given);
        assert_eq!(switches["XForwardedForProtoEnabled"], json!(true));
        assert_eq!(switches["XForwardedForProcessingMode"], json!("append"));
        assert_eq!(switches.len(), SWITCHES.len());
    }
}
