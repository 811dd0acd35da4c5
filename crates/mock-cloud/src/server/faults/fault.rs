//! What can go wrong with a call.

use serde::Deserialize;

use crate::api::Operation;
use crate::facts::{Effect, facts, quota_refusal};
use crate::server::faults::Target;
use crate::wire::ApiError;

/// What goes wrong, as a file or the endpoint says it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Fault {
    /// Too many calls; nothing is done.
    Throttle {
        /// Milliseconds until the next try.
        #[serde(default = "default_retry_after")]
        retry_after: u64,
    },
    /// HTTP 5xx.
    ServerError {
        /// Which one.
        #[serde(default = "default_server_error")]
        status: u16,
        /// Whether the call is done all the same.
        #[serde(default)]
        after_commit: bool,
    },
    /// Done, but the connection closes without an answer.
    LostReply {},
    /// Done, and answered late.
    SlowReply {
        /// How late.
        milliseconds: u64,
    },
    /// Answered as the world was.
    StaleRead {
        /// How long before, a minute at most.
        milliseconds: u64,
    },
    /// No stock; nothing is done.
    NoStock {},
    /// Less stock than was asked for.
    PartialAmount {
        /// How much there is.
        amount: u32,
    },
    /// The quota of the account is used up; nothing is done.
    Quota {},
    /// The session of the caller ends.
    ExpireToken {},
    /// This error; nothing is done.
    Error {
        /// HTTP status.
        status: u16,
        /// Code of the answer.
        code: String,
    },
}

fn default_retry_after() -> u64 {
    200
}

fn default_server_error() -> u16 {
    500
}

/// How far back a stale read looks at most, in milliseconds: the world after each change since then is kept.
const LONGEST_STALENESS: u64 = 60_000;

impl Fault {
    /// Whether it makes sense for a call.
    pub(super) fn can_happen_to(&self, target: Target<'_>) -> bool {
        match self {
            // A session that begins in the past would not be known in the present.
            Self::StaleRead { .. } => {
                target.effect == Effect::Read && !facts().hands_out_keys(&target.operation.action)
            }
            Self::NoStock {} => target.effect == Effect::Change,
            Self::Quota {} => quota_refusal(target.operation).is_some(),
            Self::PartialAmount { .. } => target.operation.to_string() == "Ecs.RunInstances",
            Self::ExpireToken {} => target.temporary_key,
            Self::Throttle { .. }
            | Self::ServerError { .. }
            | Self::LostReply {}
            | Self::SlowReply { .. }
            | Self::Error { .. } => true,
        }
    }

    /// The refusal, for faults that keep the call from doing anything.
    pub(in crate::server) fn refusal(&self, operation: &Operation) -> Option<ApiError> {
        match self {
            Self::Throttle { .. } => {
                Some(ApiError::bad_request("Throttling.User", "Request was denied due to user flow control."))
            }
            Self::ServerError { after_commit: false, .. } => self.late_refusal(),
            Self::NoStock {} => Some(ApiError::forbidden(
                "OperationDenied.NoStock",
                "The requested resource is sold out in the specified zone; try other types or zones.",
            )),
            Self::Quota {} => quota_refusal(operation),
            Self::Error { status, code } => {
                Some(ApiError::new(*status, code.clone(), "This error was asked for by a test."))
            }
            Self::ServerError { after_commit: true, .. }
            | Self::LostReply {}
            | Self::SlowReply { .. }
            | Self::StaleRead { .. }
            | Self::PartialAmount { .. }
            | Self::ExpireToken {} => None,
        }
    }

    /// Whether the same client token gets the same refusal from then on.
    pub(in crate::server) fn sticks_to_token(&self) -> bool {
        match self {
            Self::NoStock {} | Self::Quota {} => true,
            Self::Throttle { .. }
            | Self::ServerError { .. }
            | Self::LostReply {}
            | Self::SlowReply { .. }
            | Self::StaleRead { .. }
            | Self::PartialAmount { .. }
            | Self::ExpireToken {}
            | Self::Error { .. } => false,
        }
    }

    /// The refusal that takes the place of the answer when the call is done.
    pub(in crate::server) fn late_refusal(&self) -> Option<ApiError> {
        let Self::ServerError { status, .. } = self else {
            return None;
        };
        let code = if *status == 503 { "ServiceUnavailable" } else { "InternalError" };
        let message = "The request processing has failed due to some unknown error, exception or failure.";
        Some(ApiError::new(*status, code, message))
    }

    /// How far back it looks, in milliseconds.
    pub(super) fn staleness(&self) -> i64 {
        match self {
            Self::StaleRead { milliseconds } => i64::try_from(*milliseconds).unwrap_or(i64::MAX),
            Self::Throttle { .. }
            | Self::ServerError { .. }
            | Self::LostReply {}
            | Self::SlowReply { .. }
            | Self::NoStock {}
            | Self::PartialAmount { .. }
            | Self::Quota {}
            | Self::ExpireToken {}
            | Self::Error { .. } => 0,
        }
    }

    /// Its name in the call log.
    pub(in crate::server) fn word(&self) -> &'static str {
        match self {
            Self::Throttle { .. } => "throttle",
            Self::ServerError { after_commit: false, .. } => "server_error",
            Self::ServerError { after_commit: true, .. } => "server_error_after_commit",
            Self::LostReply {} => "lost_reply",
            Self::SlowReply { .. } => "slow_reply",
            Self::StaleRead { .. } => "stale_read",
            Self::NoStock {} => "no_stock",
            Self::PartialAmount { .. } => "partial_amount",
            Self::Quota {} => "quota",
            Self::ExpireToken {} => "expire_token",
            Self::Error { .. } => "error",
        }
    }

    /// What is wrong with its numbers.
    pub(super) fn check(&self) -> Result<(), String> {
        match self {
            Self::ServerError { status, .. } if !(500..=599).contains(status) => {
                Err(format!("the status of a server_error is 500 to 599, not {status}"))
            }
            Self::Error { status, .. } if !(400..=599).contains(status) => {
                Err(format!("the status of an error is 400 to 599, not {status}"))
            }
            Self::Error { code, .. } if code.is_empty() => {
                Err("the code of an error is not empty".to_owned())
            }
            Self::StaleRead { milliseconds } if *milliseconds > LONGEST_STALENESS => Err(format!(
                "a stale_read looks back {LONGEST_STALENESS} milliseconds at most, not {milliseconds}"
            )),
            Self::PartialAmount { amount: 0 } => Err("an amount of 0 is no_stock".to_owned()),
            Self::Throttle { .. }
            | Self::ServerError { .. }
            | Self::LostReply {}
            | Self::SlowReply { .. }
            | Self::StaleRead { .. }
            | Self::NoStock {}
            | Self::PartialAmount { .. }
            | Self::Quota {}
            | Self::ExpireToken {}
            | Self::Error { .. } => Ok(()),
        }
    }
}
