//! Why a command did not succeed, with everything a person needs to go on.

use crate::apply::ApplyError;
use crate::cli::exit::ExitStatus;
use crate::cloud::credentials::CredentialsError;
use crate::cloud::endpoint::EndpointError;
use crate::cloud::error::CloudError;
use crate::deploy::ArtifactError;
use crate::plan::graph::Cycle;
use crate::ssh::KeyError;
use crate::state::StateError;
use crate::topology::nearest;

/// A command that did not succeed.
#[derive(Debug)]
pub(super) struct Failure {
    /// Its exit status.
    pub status: ExitStatus,
    /// What happened, with its causes; none when it has been shown already.
    pub error: Option<anyhow::Error>,
    /// The resource it happened to.
    pub resource: Option<String>,
    /// The cloud's word for it.
    pub code: Option<String>,
    /// Id of the cloud's answer.
    pub request_id: Option<String>,
    /// What to do next.
    pub hint: Option<String>,
}

impl Failure {
    /// From an error and what to do about it.
    pub(super) fn new(status: ExitStatus, error: impl Into<anyhow::Error>, hint: Option<String>) -> Self {
        Self { status, error: Some(error.into()), resource: None, code: None, request_id: None, hint }
    }

    /// From a sentence and what to do about it.
    pub(super) fn saying(
        status: ExitStatus,
        sentence: impl std::fmt::Display,
        hint: impl Into<String>,
    ) -> Self {
        Self::new(status, anyhow::anyhow!("{sentence}"), Some(hint.into()))
    }

    /// What happened, for a report; a short word where it has been shown already.
    pub(super) fn sentence(&self) -> String {
        self.error.as_ref().map_or_else(|| self.status.means().to_owned(), |error| format!("{error:#}"))
    }

    /// When what happened has been shown already.
    pub(super) fn shown(status: ExitStatus) -> Self {
        Self { status, error: None, resource: None, code: None, request_id: None, hint: None }
    }

    /// From a step of a plan.
    pub(super) fn of_step(status: ExitStatus, resource: &str, error: ApplyError) -> Self {
        Self { status, resource: Some(resource.to_owned()), ..Self::from(error) }
    }
}

impl From<ApplyError> for Failure {
    fn from(error: ApplyError) -> Self {
        let status = match &error {
            ApplyError::State(
                StateError::Locked { .. }
                | StateError::LockBusy { .. }
                | StateError::LockLost { .. }
                | StateError::SharedLockLost { .. },
            ) => ExitStatus::Locked,
            ApplyError::Stopped { .. } => ExitStatus::Interrupted,
            error if error.rolled_back() => ExitStatus::RolledBack,
            ApplyError::State(_)
            | ApplyError::Cloud(_)
            | ApplyError::Deploy(_)
            | ApplyError::Ssh(_)
            | ApplyError::Certificate(_)
            | ApplyError::Unmapped(_)
            | ApplyError::Missing { .. }
            | ApplyError::NotOurs { .. }
            | ApplyError::MadeBefore { .. }
            | ApplyError::Mismatch { .. }
            | ApplyError::HostKey { .. }
            | ApplyError::NoUser { .. }
            | ApplyError::KeyNotAdded { .. }
            | ApplyError::RecordTaken { .. }
            | ApplyError::PasswordLost { .. }
            | ApplyError::Unhealthy { .. } => ExitStatus::Failed,
        };
        let request_id = if let ApplyError::State(error) = &error {
            error.of_bucket().and_then(|said| said.request_id.clone())
        } else {
            error.request_id().map(ToString::to_string)
        };
        let hint = error.hint();
        let code = error.code().map(str::to_owned);
        Self { status, resource: None, code, request_id, hint, error: Some(error.into()) }
    }
}

impl From<CloudError> for Failure {
    fn from(error: CloudError) -> Self {
        ApplyError::from(error).into()
    }
}

impl From<StateError> for Failure {
    fn from(error: StateError) -> Self {
        ApplyError::from(error).into()
    }
}

impl From<CredentialsError> for Failure {
    fn from(error: CredentialsError) -> Self {
        let hint = error.hint();
        Self::new(ExitStatus::Failed, error, hint)
    }
}

impl From<EndpointError> for Failure {
    fn from(error: EndpointError) -> Self {
        Self::new(
            ExitStatus::Usage,
            error,
            Some("give --endpoint or ALBATROSS_ENDPOINT such an address".to_owned()),
        )
    }
}

impl From<ArtifactError> for Failure {
    fn from(error: ArtifactError) -> Self {
        let hint = error.hint();
        Self::new(ExitStatus::Failed, error, hint)
    }
}

impl From<KeyError> for Failure {
    fn from(error: KeyError) -> Self {
        let hint = error.hint();
        Self::new(ExitStatus::Failed, error, hint)
    }
}

impl From<Cycle> for Failure {
    fn from(error: Cycle) -> Self {
        Self::new(
            ExitStatus::Bug,
            error,
            Some("report this with your topology: it is a fault of Albatross".to_owned()),
        )
    }
}

/// A hint at the name that was meant, if one is near, before where all of them are.
pub(super) fn did_you_mean<'a>(
    name: &str,
    known: impl Iterator<Item = &'a str>,
    otherwise: String,
) -> String {
    match nearest(name, known) {
        Some(near) => format!("did you mean `{near}`? {otherwise}"),
        None => otherwise,
    }
}
