//! Why a step did not succeed, with what to do about it.

use crate::base::address_map::Unmapped;
use crate::base::certificate::CertificateError;
use crate::base::ids::RequestId;
use crate::cloud::error::CloudError;
use crate::deploy::DeployError;
use crate::resource::ResourceAddress;
use crate::ssh::SshError;
use crate::state::StateError;

/// A step that did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// The cloud said no, or nothing.
    #[error(transparent)]
    Cloud(#[from] CloudError),
    /// A host said no.
    #[error(transparent)]
    Deploy(#[from] DeployError),
    /// A host could not be reached.
    #[error(transparent)]
    Ssh(#[from] SshError),
    /// The state could not be written.
    #[error(transparent)]
    State(#[from] StateError),
    /// A certificate could not be made.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// The local cloud does not map an address.
    #[error(transparent)]
    Unmapped(#[from] Unmapped),
    /// Something a step needs is not known: a resource disappeared between planning and applying.
    #[error("{address} has no {what}")]
    Missing {
        /// Whose.
        address: ResourceAddress,
        /// What.
        what: &'static str,
    },
    /// A plan wants to remove what others own: a fault of ours.
    #[error("{address} is {id}, which this stack did not make and does not remove")]
    NotOurs {
        /// The resource.
        address: ResourceAddress,
        /// Its id.
        id: String,
    },
    /// The topology names a resource by id where the stack has made one of its own.
    #[error("the topology names {named} for {address}, but this stack has made {made} there")]
    MadeBefore {
        /// The resource.
        address: ResourceAddress,
        /// What is named.
        named: String,
        /// What was made.
        made: String,
    },
    /// A resource named by id is not what the topology says of it.
    #[error("{address} is {theirs} in the cloud, and {ours} in the topology")]
    Mismatch {
        /// The resource.
        address: ResourceAddress,
        /// What the cloud says.
        theirs: String,
        /// What the topology says.
        ours: String,
    },
    /// The host key that the cloud reported cannot be used.
    #[error("the host key of {instance} could not be read through the Cloud Assistant: {why}")]
    HostKey {
        /// Instance.
        instance: String,
        /// What came instead.
        why: String,
    },
    /// Who is to log in is not on the machine.
    #[error("{host}: there is no user `{user}` there to log in as")]
    NoUser {
        /// The machine.
        host: String,
        /// The user.
        user: String,
    },
    /// The operator's key could not be added to those that are let in.
    #[error("{host}: the key could not be added through the Cloud Assistant: {why}")]
    KeyNotAdded {
        /// The machine.
        host: String,
        /// How the script ended.
        why: String,
    },
    /// A DNS record stands where ours shall be.
    #[error("{name} has a record of another owner: {kind} {value}")]
    RecordTaken {
        /// The name.
        name: String,
        /// `CNAME`, `A`, ...
        kind: String,
        /// What it says.
        value: String,
    },
    /// Somebody said stop while the cloud was at work; what it makes or removes is journalled, and the next command
    /// waits for it.
    #[error("{address} was left while the cloud is at work on it; the same command waits for {condition}")]
    Stopped {
        /// The resource.
        address: ResourceAddress,
        /// What was waited for.
        condition: &'static str,
    },
    /// No node has the password that counts.
    #[error("{address}: no node has its password any more")]
    PasswordLost {
        /// The account.
        address: ResourceAddress,
    },
    /// Servers that the load balancer does not find healthy.
    #[error("the load balancer sends no traffic to {servers}")]
    Unhealthy {
        /// Each with its status and reason.
        servers: String,
    },
}

impl ApplyError {
    /// What to do next.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Cloud(error) => error.hint(),
            Self::Deploy(error) => error.hint(),
            Self::Ssh(error) => error.hint(),
            Self::State(error) => error.hint(),
            Self::Unmapped(_) => Some(
                "only public addresses of the local cloud are mapped: `albatross cloud status`".to_owned(),
            ),
            Self::Certificate(_) => {
                Some("write another name under `dns`, or bring a certificate along".to_owned())
            }
            Self::Stopped { .. } => Some("run the same command again".to_owned()),
            Self::Missing { .. } => Some("run the same command again: it plans anew".to_owned()),
            Self::NotOurs { .. } => {
                Some("report this with your topology: it is a fault of Albatross".to_owned())
            }
            Self::MadeBefore { .. } => {
                Some("destroy the stack first, or take the `id` out of the topology again".to_owned())
            }
            Self::Mismatch { .. } => Some("write into the topology what the cloud says".to_owned()),
            Self::HostKey { .. } => Some(
                "see in the console whether the Cloud Assistant agent of the instance is online".to_owned(),
            ),
            Self::NoUser { host, user } => Some(format!(
                "make `{user}` on {host} first (its image or user data does it best), or write another `user` under `ssh`"
            )),
            Self::KeyNotAdded { .. } => Some(
                "run the same command again; or put your public key into `authorized_keys` there by hand"
                    .to_owned(),
            ),
            Self::RecordTaken { .. } => Some(
                "remove it in the DNS console if it is no longer wanted, or use another `dns.host`; \
                 Albatross does not touch what it did not make"
                    .to_owned(),
            ),
            Self::PasswordLost { .. } => {
                Some("run `albatross apply FILE`: it plans anew, and sets another one".to_owned())
            }
            Self::Unhealthy { .. } => Some(
                "see whether the node's port is open to the ALB's vSwitches and the node answers /healthz"
                    .to_owned(),
            ),
        }
    }

    /// The cloud's word for it.
    pub fn code(&self) -> Option<&str> {
        if let Self::State(error) = self {
            return error.of_bucket()?.code.as_deref();
        }
        self.of_the_cloud()?.code()
    }

    /// Id of the cloud's answer.
    pub fn request_id(&self) -> Option<&RequestId> {
        self.of_the_cloud()?.request_id()
    }

    /// What the cloud said, if it was the cloud.
    fn of_the_cloud(&self) -> Option<&CloudError> {
        match self {
            Self::Cloud(error) => Some(error),
            Self::Deploy(_)
            | Self::Ssh(_)
            | Self::State(_)
            | Self::Certificate(_)
            | Self::Unmapped(_)
            | Self::Missing { .. }
            | Self::NotOurs { .. }
            | Self::MadeBefore { .. }
            | Self::Mismatch { .. }
            | Self::HostKey { .. }
            | Self::NoUser { .. }
            | Self::KeyNotAdded { .. }
            | Self::RecordTaken { .. }
            | Self::Stopped { .. }
            | Self::PasswordLost { .. }
            | Self::Unhealthy { .. } => None,
        }
    }

    /// Whether another command has the lock now.
    pub fn lost_lock(&self) -> bool {
        matches!(self, Self::State(error) if error.is_lost_lock())
    }

    /// Whether the host is back on its earlier release.
    pub fn rolled_back(&self) -> bool {
        matches!(self, Self::Deploy(error) if error.rolled_back())
    }
}
