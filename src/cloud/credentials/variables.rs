//! First link: a key in the environment.

use crate::cloud::credentials::error::SourceError;
use crate::cloud::credentials::keys::Keys;
use crate::cloud::credentials::source::{Origin, Source};
use crate::cloud::credentials::sources::Variables;

pub(super) fn origin(variables: &Variables) -> Result<Origin, SourceError> {
    let not_set = |variable| SourceError::NotSet { variable };
    let id = variables.access_key_id.as_ref().ok_or_else(|| not_set("ALIBABA_CLOUD_ACCESS_KEY_ID"))?;
    let secret = variables.access_key_secret.as_ref();
    let secret = secret.ok_or_else(|| not_set("ALIBABA_CLOUD_ACCESS_KEY_SECRET"))?;
    let keys = Keys::new(id, secret.clone(), variables.security_token.clone());
    Ok(Origin { source: Source::Fixed(keys), name: "environment".to_owned() })
}
