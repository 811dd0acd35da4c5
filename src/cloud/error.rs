//! What can go wrong with a call, always with the product, the action and the request id.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;

use crate::base::ids::RequestId;
use crate::cloud::credentials::CredentialsError;
use crate::cloud::explain::subject::Subject;
use crate::cloud::http::NoAnswer;
use crate::cloud::{Product, codes, explain, retry};

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
        /// How far the call came, and what the network said.
        #[source]
        source: NoAnswer,
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
    /// It was tried again until its deadline, and never worked.
    #[error(transparent)]
    GaveUp(#[from] GaveUp),
    /// One reading that several waited for went wrong; each of them gets this.
    #[error(transparent)]
    Shared(Arc<CloudError>),
    /// A wait ended without its condition.
    #[error("{subject}: waited {} s for {condition}, is {last}", waited.as_secs())]
    TimedOut {
        /// Resource waited for.
        subject: String,
        /// What was waited for: `Running`, `removal`.
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

/// The last error of a call that was tried until its deadline.
#[derive(Debug)]
pub struct GaveUp {
    /// How often it was tried.
    pub tries: u32,
    /// For how long.
    pub waited: Duration,
    /// What came of the last try.
    pub last: Box<CloudError>,
}

impl fmt::Display for GaveUp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} (tried {} times in {} s)", self.last, self.tries, self.waited.as_secs())
    }
}

/// The last error stands in the message already: what follows is its cause.
impl std::error::Error for GaveUp {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.last.source()
    }
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

/// The parts of a refusal that others judge.
struct Refusal<'a> {
    product: Product,
    action: &'a str,
    status: u16,
    code: &'a str,
    request_id: Option<&'a RequestId>,
}

/// What is not there is none.
pub(super) fn absent_as_none<T>(result: Result<T, CloudError>) -> Result<Option<T>, CloudError> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.is_absent() => Ok(None),
        Err(error) => Err(error),
    }
}

impl CloudError {
    /// The cloud's code, when it answered.
    pub fn code(&self) -> Option<&str> {
        self.refusal().map(|refusal| refusal.code)
    }

    /// Id of the answer, when there was one.
    pub fn request_id(&self) -> Option<&RequestId> {
        self.refusal()?.request_id
    }

    /// Whether this is the cloud's last word on the call, so that its client token is of no more use: the call was not
    /// done, and will not be.
    pub fn is_final_refusal(&self) -> bool {
        matches!(self, Self::Refused { .. }) && !self.is_passing()
    }

    /// Whether the gateway refused, whatever became of an earlier sending of the same call.
    pub fn is_of_the_gateway(&self) -> bool {
        self.code().is_some_and(retry::is_of_the_gateway)
    }

    /// Whether the call may have been done all the same: no answer came, or one of a server that failed.
    pub(crate) fn leaves_it_open(&self) -> bool {
        match self {
            Self::Refused { status, .. } | Self::Garbled { status, .. } => *status >= 500 || *status < 300,
            Self::Unreachable { source, .. } => matches!(source, NoAnswer::Lost(_)),
            Self::GaveUp(_)
            | Self::Shared(_)
            | Self::Unsigned { .. }
            | Self::TimedOut { .. }
            | Self::Vanished { .. }
            | Self::Broken { .. } => false,
        }
    }

    /// Whether sending the same call again may help.
    pub fn is_passing(&self) -> bool {
        match self.innermost() {
            Self::Refused { product, action, status, code, .. } => {
                retry::is_passing(*product, action, *status, code)
            }
            // A connection that could not be made is tried again for as long as the transport thinks fit.
            Self::Unreachable { source, .. } => matches!(source, NoAnswer::Lost(_)),
            // A proxy's page in place of an answer.
            Self::Garbled { status, .. } => *status >= 500 || *status == 429,
            Self::Unsigned { .. }
            | Self::TimedOut { .. }
            | Self::Vanished { .. }
            | Self::Broken { .. }
            | Self::GaveUp(_)
            | Self::Shared(_) => false,
        }
    }

    /// Whether the cloud refused because it was called too often.
    pub fn is_throttling(&self) -> bool {
        self.refusal().is_some_and(|refusal| retry::is_throttling(refusal.status, refusal.code))
            || matches!(self.innermost(), Self::Garbled { status: 429, .. })
    }

    /// Whether no connection could be made at all.
    pub fn is_unconnected(&self) -> bool {
        matches!(self.innermost(), Self::Unreachable { source: NoAnswer::Unconnected(_), .. })
    }

    /// Whether the temporary key that signed the call has ended.
    pub fn is_ended_key(&self) -> bool {
        codes::ENDED_KEY.have(self.code())
    }

    /// Whether the resource is not there.
    pub fn is_absent(&self) -> bool {
        self.refusal().is_some_and(|refusal| retry::is_absent(refusal.product, refusal.action, refusal.code))
    }

    /// What the cloud refused, when it answered.
    fn refusal(&self) -> Option<Refusal<'_>> {
        match self.innermost() {
            Self::Refused { product, action, status, code, request_id, .. } => Some(Refusal {
                product: *product,
                action,
                status: *status,
                code,
                request_id: request_id.as_ref(),
            }),
            Self::Unreachable { .. }
            | Self::Garbled { .. }
            | Self::Unsigned { .. }
            | Self::TimedOut { .. }
            | Self::Vanished { .. }
            | Self::Broken { .. }
            | Self::GaveUp(_)
            | Self::Shared(_) => None,
        }
    }

    /// The error of one attempt, without what was wrapped round it.
    pub(super) fn innermost(&self) -> &Self {
        match self {
            Self::GaveUp(gave_up) => gave_up.last.innermost(),
            Self::Shared(shared) => shared.innermost(),
            Self::Refused { .. }
            | Self::Unreachable { .. }
            | Self::Garbled { .. }
            | Self::Unsigned { .. }
            | Self::TimedOut { .. }
            | Self::Vanished { .. }
            | Self::Broken { .. } => self,
        }
    }

    /// What to do next.
    pub fn hint(&self) -> Option<String> {
        match self.innermost() {
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
            Self::GaveUp(_) | Self::Shared(_) => None,
        }
    }
}
