//! STS: whose account this is. API version 2015-04-01.

use serde::Deserialize;

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
