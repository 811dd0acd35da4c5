//! Which refusals are documented for which action, and with which HTTP status.
//!
//! `errors.json` is data from the official metadata. Handlers name a code; the status of the answer is the documented
//! one wherever there is one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use crate::api::Operation;
use crate::wire::ApiError;

/// Codes that any product may answer, with their HTTP status: what the gateway says before a product sees the call.
pub const GATEWAY_CODES: &[(&str, u16)] = &[
    ("DryRunOperation", 400),
    ("IdempotentParameterMismatch", 400),
    ("IncompleteSignature", 400),
    ("InternalError", 500),
    ("InvalidAccessKeyId.NotFound", 404),
    ("InvalidAction.NotFound", 404),
    ("InvalidParameter", 400),
    ("InvalidSecurityToken.Expired", 400),
    ("InvalidSecurityToken.Malformed", 400),
    ("InvalidSecurityToken.MismatchWithAccessKey", 400),
    ("InvalidSignatureMethod", 400),
    ("InvalidTimeStamp.Expired", 400),
    ("InvalidTimeStamp.Format", 400),
    ("InvalidVersion", 400),
    ("MissingParameter", 400),
    ("ServiceUnavailable", 503),
    ("SignatureDoesNotMatch", 400),
    ("SignatureNonceUsed", 400),
    ("Throttling.User", 400),
    ("UnsupportedHTTPMethod", 400),
];

/// Documented codes of every action.
#[derive(Debug)]
pub struct Errors(BTreeMap<String, BTreeMap<String, Vec<u16>>>);

/// The embedded table.
///
/// # Panics
/// Never in a build whose tests passed: the table is embedded.
pub fn errors() -> &'static Errors {
    static ERRORS: OnceLock<Errors> = OnceLock::new();
    ERRORS.get_or_init(|| {
        let table: BTreeMap<String, BTreeMap<u16, Vec<String>>> =
            serde_json::from_str(include_str!("errors.json"))
                .expect("the embedded table is checked by a test");
        Errors(table.into_iter().map(|(action, by_status)| (action, by_code(by_status))).collect())
    })
}

fn by_code(by_status: BTreeMap<u16, Vec<String>>) -> BTreeMap<String, Vec<u16>> {
    let mut codes: BTreeMap<String, Vec<u16>> = BTreeMap::new();
    for (status, names) in by_status {
        for name in names {
            codes.entry(name).or_default().push(status);
        }
    }
    codes
}

impl Errors {
    /// The refusal with the status that is documented for it. Where several are, the given one if it is among them.
    pub fn settle(&self, operation: &Operation, mut refusal: ApiError) -> ApiError {
        let documented = self.0.get(&operation.to_string()).and_then(|codes| codes.get(&refusal.code));
        if let Some(statuses) = documented.filter(|statuses| !statuses.contains(&refusal.status)) {
            refusal.status = statuses.first().copied().unwrap_or(refusal.status);
        }
        refusal
    }

    /// Whether a code is documented for an action.
    pub fn knows(&self, operation: &Operation, code: &str) -> bool {
        self.0.get(&operation.to_string()).is_some_and(|codes| codes.contains_key(code))
    }

    /// Every code that is documented for any action.
    pub fn codes(&self) -> BTreeSet<&str> {
        self.0.values().flat_map(|codes| codes.keys().map(String::as_str)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(action: &str, code: &str, given: u16) -> u16 {
        let operation = Operation { product: "Ecs".to_owned(), action: action.to_owned() };
        errors().settle(&operation, ApiError::new(given, code, "")).status
    }

    #[test]
    fn the_documented_status_wins() {
        assert_eq!(status("StartInstance", "IncorrectInstanceStatus", 400), 403);
        assert_eq!(status("RunInstances", "InvalidSecurityGroupId.NotFound", 404), 404);
        assert_eq!(status("RunInstances", "InvalidSecurityGroupId.NotFound", 409), 400);
        assert_eq!(status("RunInstances", "NobodyKnows", 418), 418);
    }
}
