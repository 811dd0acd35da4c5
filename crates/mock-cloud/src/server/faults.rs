//! Faults that a test asked for: of calls, by action and occurrence, counted from the moment it asked; of hosts,
//! until it takes them back.

use std::collections::BTreeSet;

use serde::Deserialize;

use crate::api::Operation;
use crate::wire::ApiError;

/// One fault, as the endpoint takes it.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub(super) enum Wish {
    /// Of a call.
    Call(Plan),
    /// Of a host.
    Host(HostPlan),
}

/// What is wrong with a host from now on.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct HostPlan {
    /// Its `InstanceName`; it need not be there yet.
    host: String,
    fault: HostFault,
}

/// What goes wrong on a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum HostFault {
    /// Nothing listens on its SSH port.
    RefuseSsh {},
    /// Nothing any more.
    None {},
}

/// A fault of a call.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Plan {
    action: String,
    occurrence: u64,
    fault: Fault,
    /// Calls of the action since the fault was asked for.
    #[serde(skip)]
    seen: u64,
}

/// What goes wrong.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Fault {
    /// Too many calls; nothing is done.
    Throttle {},
    /// HTTP 500; nothing is done.
    ServerError {},
    /// Done, but the connection closes without an answer.
    LostReply {},
    /// Done, and answered late.
    SlowReply {
        /// How late.
        milliseconds: u64,
    },
    /// No stock; nothing is done.
    NoStock {},
    /// This error; nothing is done.
    Error {
        /// HTTP status.
        status: u16,
        /// Code of the answer.
        code: String,
    },
}

/// Faults that are still to come.
#[derive(Debug, Default)]
pub(super) struct Faults {
    calls: Vec<Plan>,
    hosts_without_ssh: BTreeSet<String>,
}

impl Faults {
    pub(super) fn add(&mut self, wishes: Vec<Wish>) {
        for wish in wishes {
            match wish {
                Wish::Call(plan) => self.calls.push(plan),
                Wish::Host(HostPlan { host, fault: HostFault::RefuseSsh {} }) => {
                    self.hosts_without_ssh.insert(host);
                }
                Wish::Host(HostPlan { host, fault: HostFault::None {} }) => {
                    self.hosts_without_ssh.remove(&host);
                }
            }
        }
    }

    /// Whether a host's SSH port is closed.
    pub(super) fn refuses_ssh(&self, host: &str) -> bool {
        self.hosts_without_ssh.contains(host)
    }

    /// The fault of this call, if it has one; it is used up.
    pub(super) fn take(&mut self, operation: &Operation) -> Option<Fault> {
        let name = operation.to_string();
        for plan in self.calls.iter_mut().filter(|plan| plan.action == name) {
            plan.seen += 1;
        }
        let index = self.calls.iter().position(|plan| plan.action == name && plan.seen == plan.occurrence)?;
        Some(self.calls.remove(index).fault)
    }
}

impl Fault {
    /// The refusal, for faults that keep the call from doing anything.
    pub(super) fn refusal(&self) -> Option<ApiError> {
        match self {
            Self::Throttle {} => {
                Some(ApiError::bad_request("Throttling.User", "Request was denied due to user flow control."))
            }
            Self::ServerError {} => {
                Some(ApiError::new(500, "InternalError", "The request processing has failed."))
            }
            Self::NoStock {} => Some(ApiError::forbidden(
                "OperationDenied.NoStock",
                "The requested resource is sold out in the specified zone; try other types or zones.",
            )),
            Self::Error { status, code } => {
                Some(ApiError::new(*status, code.clone(), "This error was asked for by a test."))
            }
            Self::LostReply {} | Self::SlowReply { .. } => None,
        }
    }

    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::Throttle {} => "throttle",
            Self::ServerError {} => "server_error",
            Self::LostReply {} => "lost_reply",
            Self::SlowReply { .. } => "slow_reply",
            Self::NoStock {} => "no_stock",
            Self::Error { .. } => "error",
        }
    }
}
