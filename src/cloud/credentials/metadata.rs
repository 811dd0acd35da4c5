//! Fifth link: the role of the instance this runs on, from the metadata service of the instance.
//!
//! The service gives a token first, which protects it from requests that somebody else made a program send. Older
//! images answer without one: as in the official libraries, the token is then left out unless that is forbidden.

use std::time::Duration;

use reqwest::{Method, Url};

use crate::base::secret::Secret;
use crate::cloud::credentials::ask::ask;
use crate::cloud::credentials::error::SourceError;
use crate::cloud::credentials::issued::{self, garbled};
use crate::cloud::credentials::keys::Session;
use crate::cloud::credentials::source::{Origin, Source};
use crate::cloud::credentials::sources::Metadata;
use crate::cloud::request::host_and_port;

/// Each answer; the service is on the same machine.
const TIMEOUT: Duration = Duration::from_secs(2);
const TOKEN_PATH: &str = "latest/api/token";
const KEYS_PATH: &str = "latest/meta-data/ram/security-credentials/";
/// Seconds a token is asked for; keys are read at once, and with a new token each time.
const TOKEN_LIFETIME: &str = "21600";

/// The metadata service of an instance.
#[derive(Debug)]
pub(super) struct Instance {
    address: Url,
    role: Option<String>,
    token_required: bool,
}

/// The role of this instance; a profile may name it.
pub(super) fn origin(metadata: &Metadata, role: Option<String>) -> Result<Origin, SourceError> {
    if metadata.disabled {
        return Err(SourceError::SwitchedOff { variable: "ALIBABA_CLOUD_ECS_METADATA_DISABLED" });
    }
    let role = role.or_else(|| metadata.role.clone());
    let instance =
        Instance { address: metadata.address.clone(), role, token_required: metadata.token_required };
    Ok(Origin { source: Source::Metadata(instance), name: "ECS metadata".to_owned() })
}

impl Instance {
    /// Asks for the keys of the role.
    pub(super) async fn ask(&self, http: &reqwest::Client) -> Result<Session, SourceError> {
        let token = self.token(http).await?;
        let role = match &self.role {
            Some(role) => role.clone(),
            None => self.role_name(http, token.as_ref()).await?,
        };
        if !is_role_name(&role) {
            return Err(garbled(&self.service(), "it is not the name of a role"));
        }
        let body = self.get(http, &format!("{KEYS_PATH}{role}"), token.as_ref()).await?;
        let session = issued::read(&self.service(), &body)?;
        if session.expires.is_none() {
            return Err(garbled(&self.service(), "it has no `Expiration`"));
        }
        Ok(Session { role: Some(role), ..session })
    }

    async fn token(&self, http: &reqwest::Client) -> Result<Option<Secret<String>>, SourceError> {
        let request = self.request(http, Method::PUT, TOKEN_PATH);
        let request = request.header("X-aliyun-ecs-metadata-token-ttl-seconds", TOKEN_LIFETIME);
        match ask(&self.service(), request).await {
            Ok(body) => {
                let text = String::from_utf8(body).unwrap_or_default().trim().to_owned();
                Ok((!text.is_empty()).then(|| Secret::new(text)))
            }
            // Where nobody listens, nobody answers without a token either.
            Err(error) if self.token_required || is_unconnected(&error) => Err(error),
            Err(_) => Ok(None),
        }
    }

    async fn role_name(
        &self,
        http: &reqwest::Client,
        token: Option<&Secret<String>>,
    ) -> Result<String, SourceError> {
        let body = self.get(http, KEYS_PATH, token).await?;
        String::from_utf8(body)
            .map(|text| text.trim().to_owned())
            .map_err(|_| garbled(&self.service(), "it is not the name of a role"))
    }

    /// Asks with the token; a service that takes none is asked again without.
    async fn get(
        &self,
        http: &reqwest::Client,
        path: &str,
        token: Option<&Secret<String>>,
    ) -> Result<Vec<u8>, SourceError> {
        if let Some(token) = token {
            let request = self.request(http, Method::GET, path);
            let answer =
                ask(&self.service(), request.header("X-aliyun-ecs-metadata-token", token.expose())).await;
            if answer.is_ok() || self.token_required {
                return answer;
            }
        }
        ask(&self.service(), self.request(http, Method::GET, path)).await
    }

    fn request(&self, http: &reqwest::Client, method: Method, path: &str) -> reqwest::RequestBuilder {
        let mut url = self.address.clone();
        url.set_path(path);
        http.request(method, url).timeout(TIMEOUT)
    }

    fn service(&self) -> String {
        format!("the metadata service at {}", host_and_port(&self.address))
    }
}

fn is_unconnected(error: &SourceError) -> bool {
    matches!(error, SourceError::Unreachable { error, .. } if error.is_connect())
}

/// Letters, digits, dots, hyphens and underscores: it becomes a part of a path.
fn is_role_name(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text != "."
        && text != ".."
        && text.chars().all(|letter| letter.is_ascii_alphanumeric() || ".-_".contains(letter))
}
