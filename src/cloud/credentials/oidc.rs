//! Second link: a role that a workload assumes with the token its platform gave it, as pods of a cluster do.

use std::path::{Path, PathBuf};

use crate::base::secret::Secret;
use crate::cloud::credentials::error::SourceError;
use crate::cloud::credentials::keys::Session;
use crate::cloud::credentials::role::{self, Role, RoleText};
use crate::cloud::credentials::source::{Origin, Source};
use crate::cloud::credentials::sources::{Sources, no_region};
use crate::cloud::sts;
use crate::cloud::transport::Client;

/// A workload and the role it may assume.
#[derive(Debug)]
pub(super) struct Workload {
    role: Role,
    provider_arn: String,
    token_file: PathBuf,
}

/// The workload that the variables describe.
pub(super) fn origin(sources: &Sources) -> Result<Origin, SourceError> {
    let variables = &sources.oidc;
    let required = [
        ("ALIBABA_CLOUD_ROLE_ARN", variables.role_arn.is_some()),
        ("ALIBABA_CLOUD_OIDC_PROVIDER_ARN", variables.provider_arn.is_some()),
        ("ALIBABA_CLOUD_OIDC_TOKEN_FILE", variables.token_file.is_some()),
    ];
    if let Some((variable, _)) = required.into_iter().find(|(_, set)| !set) {
        return Err(SourceError::NotSet { variable });
    }
    let source = source(RoleText::default(), None, None, "environment", sources)?;
    let arn = variables.role_arn.as_deref().unwrap_or_default();
    Ok(Origin { source, name: format!("OIDC ({arn})") })
}

/// A workload; what is left out is taken from the variables.
pub(super) fn source(
    role: RoleText,
    provider_arn: Option<String>,
    token_file: Option<PathBuf>,
    subject: &str,
    sources: &Sources,
) -> Result<Source, SourceError> {
    let missing = |field| SourceError::Incomplete { subject: subject.to_owned(), field };
    let provider_arn = provider_arn.or_else(|| sources.oidc.provider_arn.clone());
    let token_file = token_file.or_else(|| sources.oidc.token_file.clone());
    Ok(Source::Oidc(Workload {
        role: role.role(subject, "ram_role_arn", sources)?,
        provider_arn: provider_arn.ok_or_else(|| missing("oidc_provider_arn"))?,
        token_file: token_file.ok_or_else(|| missing("oidc_token_file"))?,
    }))
}

impl Workload {
    /// Asks for a session of the role, with the token as it is now: the platform replaces it from time to time.
    pub(super) async fn assume(&self) -> Result<Session, SourceError> {
        let token = read_token(&self.token_file)?;
        let client = Client::anonymous(self.role.endpoint.clone(), no_region());
        let answer = sts::assume_role_with_oidc(&client, &self.role.session, &self.provider_arn, token).await;
        role::read(answer.map_err(|error| SourceError::Sts { error: Box::new(error) })?)
    }
}

fn read_token(path: &Path) -> Result<Secret<String>, SourceError> {
    match std::fs::read_to_string(path) {
        Ok(text) if text.trim().is_empty() => {
            Err(SourceError::Malformed { path: path.to_owned(), line: 1, column: 0 })
        }
        Ok(text) => Ok(Secret::new(text.trim().to_owned())),
        Err(error) => Err(SourceError::Unreadable { path: path.to_owned(), error }),
    }
}
