//! STS: whose account this is, and sessions of roles. API version 2015-04-01.

use serde::Deserialize;
use serde_json::Value;

use crate::base::secret::Secret;
use crate::cloud::Product;
use crate::cloud::call::Call;
use crate::cloud::error::CloudError;
use crate::cloud::transport::Client;

/// Who signs the calls.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct CallerIdentity {
    /// The account, a decimal number.
    pub account_id: String,
    /// Who exactly: `acs:ram::<account>:user/<name>`, `...:root`, `...:assumed-role/<role>/<session>`.
    #[serde(default)]
    pub arn: String,
    /// `Account`, `RAMUser`, `AssumedRoleUser`.
    #[serde(default)]
    pub identity_type: String,
}

/// `GetCallerIdentity`.
///
/// # Errors
/// When the keys are wrong or the endpoint is not reachable: this is the first call of every command.
pub async fn caller_identity(client: &Client) -> Result<CallerIdentity, CloudError> {
    client.call(&Call::new(Product::Sts, "GetCallerIdentity")).await
}

/// A session of a role to ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleSession {
    /// The role, `acs:ram::<account>:role/<name>`.
    pub arn: String,
    /// Name of the session, in the account's audit trail: 2 to 64 characters.
    pub name: String,
    /// How long it lasts, seconds: 900 to what the role allows.
    pub seconds: u32,
    /// A policy that narrows the role's own.
    pub policy: Option<String>,
    /// What a role of another account may ask for.
    pub external_id: Option<String>,
}

/// A session of a role. It has no `Debug`: it holds a key.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Assumed {
    /// The key as it came: `AccessKeyId`, `AccessKeySecret`, `SecurityToken`, `Expiration`.
    #[serde(default)]
    pub credentials: Value,
}

/// `AssumeRole`.
///
/// # Errors
/// When the caller may not assume the role, or the role is not there.
pub async fn assume_role(client: &Client, session: &RoleSession) -> Result<Assumed, CloudError> {
    let call = with_session(Call::new(Product::Sts, "AssumeRole"), session);
    let call = match &session.external_id {
        Some(id) => call.with_form("ExternalId", id),
        None => call,
    };
    client.call(&call).await
}

/// `AssumeRoleWithOIDC`, which nobody signs: the token says who asks.
///
/// # Errors
/// When the provider, the token or the role is not accepted.
pub async fn assume_role_with_oidc(
    client: &Client,
    session: &RoleSession,
    provider_arn: &str,
    token: Secret<String>,
) -> Result<Assumed, CloudError> {
    let call = with_session(Call::new(Product::Sts, "AssumeRoleWithOIDC"), session);
    client.call(&call.with_form("OIDCProviderArn", provider_arn).with_secret("OIDCToken", token)).await
}

/// In the form body, as the official libraries send it.
fn with_session(call: Call, session: &RoleSession) -> Call {
    let call = call
        .with_form("RoleArn", &session.arn)
        .with_form("RoleSessionName", &session.name)
        .with_form("DurationSeconds", session.seconds);
    match &session.policy {
        Some(policy) => call.with_form("Policy", policy),
        None => call,
    }
}
