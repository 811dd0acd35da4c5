//! The links of the chain, in the order in which the official libraries for Go and Python try them.

use std::fmt;
use std::sync::Arc;

use crate::cloud::credentials::error::{CredentialsError, PassedOver, SourceError};
use crate::cloud::credentials::provider::Credentials;
use crate::cloud::credentials::source::{Origin, Tools};
use crate::cloud::credentials::sources::Sources;
use crate::cloud::credentials::{cli_profile, credentials_file, metadata, oidc, uri, variables};

/// A link of the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    /// A key in the environment.
    Variables,
    /// A role for a workload with a token.
    Oidc,
    /// A profile of the `aliyun` program.
    CliProfile,
    /// A section of the credentials file.
    CredentialsFile,
    /// The role of the instance.
    Metadata,
    /// A service that gives keys.
    Uri,
}

impl fmt::Display for Link {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Variables => "environment",
            Self::Oidc => "OIDC",
            Self::CliProfile => "profile",
            Self::CredentialsFile => "credentials file",
            Self::Metadata => "ECS metadata",
            Self::Uri => "credentials URI",
        })
    }
}

impl Link {
    /// All of them, in order.
    pub const ALL: [Self; 6] =
        [Self::Variables, Self::Oidc, Self::CliProfile, Self::CredentialsFile, Self::Metadata, Self::Uri];

    /// The place this link names, when it is set up.
    fn origin(self, sources: &Sources) -> Result<Origin, SourceError> {
        match self {
            Self::Variables => variables::origin(&sources.variables),
            Self::Oidc => oidc::origin(sources),
            Self::CliProfile => cli_profile::origin(sources),
            Self::CredentialsFile => credentials_file::origin(sources),
            Self::Metadata => metadata::origin(&sources.metadata, None),
            Self::Uri => match &sources.uri {
                Some(uri) => uri::origin(uri, "environment", uri::VARIABLE),
                None => Err(SourceError::NotSet { variable: uri::VARIABLE }),
            },
        }
    }
}

/// The first key the chain finds.
///
/// As in the official libraries, a link that is set up and gives no key does not end the search; a warning says so
/// when a later one does. What was found stays: renewals ask the same place.
///
/// # Errors
/// When no link gives one, with the reason of each.
pub async fn find(sources: &Sources) -> Result<Credentials, CredentialsError> {
    let tools = Tools::new(Arc::clone(&sources.run));
    let mut passed_over: Vec<PassedOver> = Vec::new();
    for link in Link::ALL {
        let asked = async {
            let origin = link.origin(sources)?;
            let session = origin.source.fetch(&tools).await?;
            Ok((origin, session))
        };
        match asked.await {
            Ok((origin, session)) => {
                for PassedOver { link, why } in
                    passed_over.iter().filter(|passed| passed.is_noteworthy(sources))
                {
                    tracing::warn!("no access key from {link}: {why}; using {}", origin.name);
                }
                return Ok(Credentials::found(origin, session, tools, passed_over));
            }
            Err(why) => passed_over.push(PassedOver { link, why }),
        }
    }
    Err(CredentialsError::NotFound { passed_over })
}

impl PassedOver {
    /// Whether somebody set this link up, and would wonder why it is not used.
    pub(super) fn is_noteworthy(&self, sources: &Sources) -> bool {
        let Sources { variables, oidc, cli_profile, metadata, .. } = sources;
        let has_file = !matches!(self.why, SourceError::NoFile { .. });
        match self.link {
            Link::Variables => {
                variables.access_key_id.is_some()
                    || variables.access_key_secret.is_some()
                    || variables.security_token.is_some()
            }
            // The role by itself may be meant for a profile.
            Link::Oidc => oidc.provider_arn.is_some() || oidc.token_file.is_some(),
            Link::CliProfile => !cli_profile.disabled && (cli_profile.named || has_file),
            // A profile that is named stands in this file when it stands in no other.
            Link::CredentialsFile => sources.credentials_file_named || sources.profile.is_some() || has_file,
            // A machine that is no instance has no metadata service.
            Link::Metadata => !metadata.disabled && metadata.role.is_some(),
            Link::Uri => sources.uri.is_some(),
        }
    }
}
