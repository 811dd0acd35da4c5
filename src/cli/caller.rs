//! Whose key a command signs with: asked once, remembered beside the state.

use std::path::Path;

use crate::cli::failure::Failure;
use crate::cloud::sts;
use crate::cloud::transport::Client;
use crate::state::StateError;
use crate::state::accounts::Accounts;

/// The account that a client works for.
#[derive(Debug)]
pub(super) struct Caller {
    /// Its number.
    pub account: String,
    endpoint: String,
    /// The id of an access key that stays; a temporary one is gone before it is met again.
    permanent_key: Option<String>,
    accounts: Accounts,
}

impl Caller {
    /// From what is remembered in the state folder, else from the cloud.
    ///
    /// # Errors
    /// When the cloud has to be asked and refuses.
    pub(super) async fn find(state: &Path, client: &Client) -> Result<Self, Failure> {
        let accounts = Accounts::of(state);
        let endpoint = client.endpoint().label();
        let permanent_key = permanent_key(client).await;
        let known = permanent_key.as_ref().and_then(|key| accounts.find(&endpoint, key));
        let account = match known {
            Some(account) => account,
            None => sts::caller_identity(client).await?.account_id,
        };
        Ok(Self { account, endpoint, permanent_key, accounts })
    }

    /// Remembers it for later commands.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(super) fn remember(&self) -> Result<(), StateError> {
        self.permanent_key
            .as_ref()
            .map_or(Ok(()), |key| self.accounts.remember(&self.endpoint, key, &self.account))
    }
}

async fn permanent_key(client: &Client) -> Option<String> {
    let keys = client.credentials()?.current().await.ok()?;
    keys.security_token.is_none().then_some(keys.access_key_id)
}
