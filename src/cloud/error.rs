//! What can go wrong with a call, always with the product, the action and the request id.

use std::time::Duration;

use serde::Deserialize;

use crate::base::ids::RequestId;
use crate::cloud::Product;
use crate::cloud::credentials::CredentialsError;
use crate::cloud::explain;
use crate::cloud::explain::subject::Subject;

/// A call that did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum CloudError {
    /// The cloud answered with an error.
    #[error("{} {action}: {code}: {message}", product.name())]
    Refused {
        /// Product called.
        product: Product,
        /// Action called.
        action: String,
        /// HTTP status.
        status: u16,
        /// The cloud's code, such as `IncorrectVSwitchStatus`.
        code: String,
        /// The cloud's sentence.
        message: String,
        /// Id of the answer.
        request_id: Option<RequestId>,
        /// What the call was about.
        subject: Box<Subject>,
    },
    /// No answer came.
    #[error("{} {action}: no answer from {host}", product.name())]
    Unreachable {
        /// Product called.
        product: Product,
        /// Action called.
        action: String,
        /// Host and port; never the whole address, whose query may hold secrets.
        host: String,
        /// What the network said.
        #[source]
        source: reqwest::Error,
    },
    /// An answer came that is not one of this API.
    #[error("{} {action}: the answer is not understood", product.name())]
    Garbled {
        /// Product called.
        product: Product,
        /// Action called.
        action: String,
        /// HTTP status.
        status: u16,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// There is no key to sign with.
    #[error("{} {action}: there is no key to sign with", product.name())]
    Unsigned {
        /// Product called.
        product: Product,
        /// Action called.
        action: String,
        /// Why there is none.
        source: Box<CredentialsError>,
    },
    /// A wait ended without its condition.
    #[error("{subject} is not {condition} after {} s; it is {last}", waited.as_secs())]
    TimedOut {
        /// Resource waited for.
        subject: String,
        /// What was waited for.
        condition: &'static str,
        /// What was seen last.
        last: String,
        /// How long.
        waited: Duration,
    },
    /// A resource that was waited for is gone.
    #[error("{subject} is not there any more")]
    Vanished {
        /// The resource.
        subject: String,
    },
    /// A resource went into a state it does not come back from.
    #[error("{subject} is {state}")]
    Broken {
        /// The resource.
        subject: String,
        /// Its state.
        state: String,
    },
}

/// The error envelope of all products.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Envelope {
    pub(crate) code: String,
    pub(crate) message: String,
    pub(crate) request_id: Option<RequestId>,
    pub(crate) access_denied_detail: AccessDeniedDetail,
}

/// Why permission was denied; the gateway adds it to refusals for want of permission.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct AccessDeniedDetail {
    /// The RAM action, such as `ecs:RunInstances`.
    pub(crate) auth_action: Option<String>,
}

/// An endpoint that does not have an action will not have it a moment later.
const NOT_IMPLEMENTED: u16 = 501;

/// Codes after which a call may simply be sent again: something settles, or the cloud is busy.
///
/// Source: what the official Terraform provider retries, narrowed to the products used here.
const SETTLING: [&str; 22] = [
    "ServiceUnavailable",
    "InternalError",
    "SystemBusy",
    "IdempotenceProcessing",
    "IdempotentProcessing",
    "LastTokenProcessing",
    "OperationFailed.IdempotentTokenProcessing",
    "TaskConflict",
    "OperationConflict",
    "OperationFailed.LastTokenProcessing",
    "IncorrectVSwitchStatus",
    "IncorrectVpcStatus",
    "IncorrectInstanceStatus.Initializing",
    "IncorrectStatus.LoadBalancer",
    "IncorrectBusinessStatus.LoadBalancer",
    "IncorrectStatus.ServerGroup",
    "IncorrectStatus.Listener",
    "ResourceInConfiguring",
    "VipStatusNotSupport",
    "LastOperationNotFinished",
    "RecordForbidden.DNSChange",
    "InvalidStatus.RouteEntry",
];

/// Codes after which a delete may be sent again: what depends on the resource is still going away.
const STILL_IN_USE: [&str; 7] = [
    "DependencyViolation",
    "IncorrectInstanceStatus",
    "ResourceInUse.ServerGroup",
    "InvalidOperation.DependencyViolation",
    "InvalidParameter.KeypairAlreadyAttachedInstance",
    "IncorrectStatus.VSwitch",
    "OperationDenied.VSwitchInUse",
];

/// Codes that mean: the temporary key has ended. Central services write it in another way than most.
const ENDED_KEY: [&str; 2] = ["InvalidSecurityToken.Expired", "SecurityTokenExpired"];

/// Codes that mean: the thing is not there.
const ABSENT: [&str; 13] = [
    "InvalidSecurityGroup.NotFound",
    "Forbidden.VpcNotFound",
    "Forbidden.InstanceNotFound",
    "InvalidRR.NoExist",
    "InvalidInstanceId.NotFound",
    "InvalidVpcId.NotFound",
    "InvalidVpcID.NotFound",
    "InvalidVSwitchId.NotFound",
    "InvalidVswitchID.NotFound",
    "InvalidSecurityGroupId.NotFound",
    "InvalidKeyPair.NotFound",
    "InvalidKeyPairName.NotFound",
    "DomainRecordNotBelongToUser",
];

impl CloudError {
    /// The cloud's code, when it answered.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Refused { code, .. } => Some(code),
            Self::Unreachable { .. }
            | Self::Garbled { .. }
            | Self::Unsigned { .. }
            | Self::TimedOut { .. }
            | Self::Vanished { .. }
            | Self::Broken { .. } => None,
        }
    }

    /// Id of the answer, when there was one.
    pub fn request_id(&self) -> Option<&RequestId> {
        match self {
            Self::Refused { request_id, .. } => request_id.as_ref(),
            Self::Unreachable { .. }
            | Self::Garbled { .. }
            | Self::Unsigned { .. }
            | Self::TimedOut { .. }
            | Self::Vanished { .. }
            | Self::Broken { .. } => None,
        }
    }

    /// Whether sending the same call again may help.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Refused { status, code, .. } => {
                (*status >= 500 && *status != NOT_IMPLEMENTED)
                    || code.contains("Throttling")
                    || SETTLING.iter().any(|settling| code == settling || is_below(code, settling))
            }
            // A connection that could not be made is final: the address is wrong or nobody is there.
            Self::Unreachable { source, .. } => !source.is_connect() && !source.is_builder(),
            // A proxy's page in place of an answer.
            Self::Garbled { status, .. } => *status >= 500 || *status == 429,
            Self::Unsigned { .. } | Self::TimedOut { .. } | Self::Vanished { .. } | Self::Broken { .. } => {
                false
            }
        }
    }

    /// Whether no connection could be made at all.
    pub fn is_unconnected(&self) -> bool {
        matches!(self, Self::Unreachable { source, .. } if source.is_connect())
    }

    /// Whether a delete failed because something still uses the resource.
    pub fn is_still_in_use(&self) -> bool {
        self.code().is_some_and(|code| STILL_IN_USE.iter().any(|one| code == *one || is_below(code, one)))
    }

    /// Whether the temporary key that signed the call has ended.
    pub fn is_ended_key(&self) -> bool {
        self.code().is_some_and(|code| ENDED_KEY.contains(&code))
    }

    /// Whether the resource is not there.
    pub fn is_absent(&self) -> bool {
        self.code().is_some_and(|code| code.starts_with("ResourceNotFound") || ABSENT.contains(&code))
    }

    /// What to do next.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Refused { product, action, code, subject, .. } => {
                explain::hint(*product, action, code, subject)
            }
            Self::Unreachable { host, .. } => Some(format!(
                "check that {host} can be reached from here, or choose another address with --endpoint; \
                 for the local cloud run `albatross cloud status`"
            )),
            Self::Garbled { .. } => Some(
                "something between here and the cloud answered: check --endpoint and any proxy".to_owned(),
            ),
            Self::Unsigned { source, .. } => source.hint(),
            Self::TimedOut { .. } => Some("run the same command again: it goes on from here".to_owned()),
            Self::Vanished { .. } => Some("run the same command again: what is gone is made anew".to_owned()),
            Self::Broken { .. } => Some("run the same command again: what is broken is replaced".to_owned()),
        }
    }
}

/// `DependencyViolation.VSwitch` is below `DependencyViolation`.
fn is_below(code: &str, family: &str) -> bool {
    code.strip_prefix(family).is_some_and(|rest| rest.starts_with('.'))
}
