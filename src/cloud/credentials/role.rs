//! A role that a key assumes: `AssumeRole` of STS, with what official clients take for granted.

use jiff::Timestamp;

use crate::base::clock;
use crate::cloud::credentials::error::SourceError;
use crate::cloud::credentials::issued;
use crate::cloud::credentials::keys::{Keys, Session};
use crate::cloud::credentials::provider::Credentials;
use crate::cloud::credentials::sources::{Sources, StsAddress, no_region};
use crate::cloud::endpoint::Endpoint;
use crate::cloud::sts::{self, RoleSession};
use crate::cloud::transport::Client;

/// Seconds a session is asked for when nothing else is said.
const DEFAULT_DURATION: u32 = 3600;
/// The shortest session STS gives, in seconds.
const SHORTEST: u32 = 900;
/// Who answers, in messages.
pub(super) const SERVICE: &str = "STS";

/// A role and where it is asked for.
#[derive(Debug)]
pub(super) struct Role {
    pub(super) session: RoleSession,
    pub(super) endpoint: Endpoint,
}

/// What a profile, a section or the environment says of a role.
#[derive(Debug, Default)]
pub(super) struct RoleText {
    pub(super) arn: Option<String>,
    pub(super) session_name: Option<String>,
    pub(super) duration: Option<u32>,
    pub(super) policy: Option<String>,
    pub(super) external_id: Option<String>,
    pub(super) sts: StsAddress,
}

impl RoleText {
    /// The role, filled up from the variables.
    pub(super) fn role(
        self,
        subject: &str,
        arn_field: &'static str,
        sources: &Sources,
    ) -> Result<Role, SourceError> {
        let subject = || subject.to_owned();
        let arn = self.arn.or_else(|| sources.oidc.role_arn.clone());
        let duration = self.duration.filter(|duration| *duration != 0).unwrap_or(DEFAULT_DURATION);
        if duration < SHORTEST {
            let why = format!("is {duration}; a session has {SHORTEST} seconds at least");
            return Err(SourceError::Unusable { subject: subject(), field: "expired_seconds", why });
        }
        let session_name = self.session_name.or_else(|| sources.oidc.session_name.clone());
        let session = RoleSession {
            arn: arn.ok_or_else(|| SourceError::Incomplete { subject: subject(), field: arn_field })?,
            name: session_name.unwrap_or_else(|| default_session_name(clock::now())),
            seconds: duration,
            policy: self.policy,
            external_id: self.external_id,
        };
        Ok(Role { session, endpoint: sources.sts.endpoint(&self.sts)? })
    }
}

/// Tells one command's session from another's in the account's audit trail.
fn default_session_name(now: Timestamp) -> String {
    format!("albatross-{}", now.as_second())
}

impl Role {
    /// Asks for a session of the role.
    pub(super) async fn assume(&self, keys: Keys) -> Result<Session, SourceError> {
        let credentials = Credentials::fixed(keys, "the key that assumes a role");
        let client = Client::new(credentials, self.endpoint.clone(), no_region());
        let answer = sts::assume_role(&client, &self.session).await;
        read(answer.map_err(|error| SourceError::Sts { error: Box::new(error) })?)
    }
}

/// Reads the key out of an answer of STS.
pub(super) fn read(answer: sts::Assumed) -> Result<Session, SourceError> {
    let session = issued::of_fields(SERVICE, &answer.credentials)?;
    match session.expires {
        Some(_) => Ok(session),
        None => Err(issued::garbled(SERVICE, "it has no `Expiration`")),
    }
}
