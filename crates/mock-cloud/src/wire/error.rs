//! An error of the API: HTTP status, code and message.

use serde::Serialize;

/// What the cloud answers when it refuses a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{code}: {message}")]
pub struct ApiError {
    /// HTTP status; it differs by product and code, not by kind.
    pub status: u16,
    /// The code clients decide by.
    pub code: String,
    /// The sentence for people.
    pub message: String,
}

impl ApiError {
    /// An error with any status.
    pub fn new(status: u16, code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { status, code: code.into(), message: message.into() }
    }

    /// HTTP 400.
    pub fn bad_request(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(400, code, message)
    }

    /// HTTP 403.
    pub fn forbidden(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(403, code, message)
    }

    /// HTTP 404.
    pub fn not_found(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(404, code, message)
    }

    /// The answer of the gateway to a parameter that must be there.
    pub fn missing(name: &str) -> Self {
        let short: String =
            name.split('.').filter(|part| !part.chars().all(|c| c.is_ascii_digit())).collect();
        Self::bad_request(format!("Missing{short}"), format!("{name} is mandatory for this action."))
    }

    /// A value outside of what the parameter takes.
    pub fn invalid(name: &str, reason: impl std::fmt::Display) -> Self {
        Self::bad_request("InvalidParameter", format!("The parameter {name} is not valid: {reason}."))
    }

    /// Whether the same call may well succeed a little later; such an answer is not kept for a client token.
    pub fn passes_by_itself(&self) -> bool {
        const PARTS: &[&str] = &[
            "Throttling",
            "IncorrectStatus",
            "IncorrectBusinessStatus",
            "ResourceInConfiguring",
            "ResourceInUse",
            "DependencyViolation",
            "TaskConflict",
            "OperationConflict",
            "IncorrectVSwitchStatus",
            "IncorrectVpcStatus",
            "IncorrectInstanceStatus",
            "IncorrectEipStatus",
            "VswitchStatusError",
            "VpcStatusError",
            "VpcServiceError",
            "InvalidStatus.EcsStatusNotSupport",
            // The documentation spells it so.
            "IncorretSnatEntryStatus",
            "DryRun",
            "DRYRUN",
        ];
        self.status >= 500 || PARTS.iter().any(|part| self.code.contains(part))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_that_passes_is_told_from_one_that_stays() {
        let passes = [
            "Throttling.User",
            "IncorrectStatus.Listener",
            "IncorrectVSwitchStatus",
            "IncorrectVpcStatus",
            "IncorrectInstanceStatus",
            "IncorrectEipStatus",
            "VswitchStatusError",
            "OperationFailed.VpcStatusError",
            "VpcServiceError",
            "InvalidStatus.EcsStatusNotSupport",
            "IncorretSnatEntryStatus",
            "DryRunOperation",
        ];
        for code in passes {
            assert!(ApiError::bad_request(code, "").passes_by_itself(), "{code}");
        }
        for code in
            ["InvalidParameter", "QuotaExceeded.Vpc", "OperationDenied.NoStock", "InvalidVpcId.NotFound"]
        {
            assert!(!ApiError::bad_request(code, "").passes_by_itself(), "{code}");
        }
        assert!(ApiError::new(503, "ServiceUnavailable", "").passes_by_itself());
    }
}
