//! Sixth link: a service of one's own that gives keys, at an address from the environment or a profile.
//!
//! Official clients ask any address. Here it must be HTTPS or on the loopback: what it answers opens the account, and
//! does not cross a network in the clear. The address itself may hold a secret in its query and is never shown.

use std::time::Duration;

use reqwest::Url;

use crate::base::address::keeps_secrets;
use crate::base::secret::Secret;
use crate::cloud::credentials::ask::ask;
use crate::cloud::credentials::error::SourceError;
use crate::cloud::credentials::issued;
use crate::cloud::credentials::keys::Session;
use crate::cloud::credentials::source::{Origin, Source};
use crate::cloud::request::host_and_port;

/// For the whole answer; such a service may have to ask another one first.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The variable that names it.
pub(super) const VARIABLE: &str = "ALIBABA_CLOUD_CREDENTIALS_URI";

/// A service that gives keys.
#[derive(Debug)]
pub(super) struct CredentialsUri {
    url: Secret<Url>,
    service: String,
}

/// The service at an address that stands in this field of this profile or environment.
pub(super) fn origin(
    uri: &Secret<String>,
    subject: &str,
    field: &'static str,
) -> Result<Origin, SourceError> {
    let unusable =
        |why: &str| SourceError::Unusable { subject: subject.to_owned(), field, why: why.to_owned() };
    let url: Url = uri.expose().parse().map_err(|_| unusable("is not a URI"))?;
    if !keeps_secrets(&url) {
        return Err(unusable("must be https, or http on the loopback"));
    }
    let place = host_and_port(&url);
    let name = format!("credentials URI at {place}");
    let uri = CredentialsUri { url: Secret::new(url), service: format!("the credentials URI at {place}") };
    Ok(Origin { source: Source::Uri(uri), name })
}

impl CredentialsUri {
    /// Asks for keys.
    pub(super) async fn ask(&self, http: &reqwest::Client) -> Result<Session, SourceError> {
        let request = http.get(self.url.expose().clone()).timeout(TIMEOUT);
        issued::read(&self.service, &ask(&self.service, request).await?)
    }
}
