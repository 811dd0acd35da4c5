//! Sends signed calls, and sends them again when the cloud says that it may.
//!
//! A call is sent until it succeeds, fails for good, or its deadline passes; which answers pass is for [`retry`] to
//! say. Every attempt has a new nonce and date, and the same parameters, client token included: an answer that was
//! lost is thus fetched, not done twice. Calls without a token are such that doing them twice shows (a second record is
//! refused as a duplicate) or does nothing.
//!
//! No attempt begins after the deadline, and one that has begun is let finish: cutting a change off in the middle tells
//! nobody whether it was made.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::de::DeserializeOwned;
use tokio::time::Instant;

use crate::base::clock;
use crate::base::ids::RegionId;
use crate::base::retry::{Backoff, Deadline};
use crate::cloud::call::Call;
use crate::cloud::credentials::Credentials;
use crate::cloud::endpoint::Endpoint;
use crate::cloud::error::{CloudError, Envelope, GaveUp};
use crate::cloud::limiter::Limiter;
use crate::cloud::wait::{Notice, Teller};
use crate::cloud::{retry, sign};

/// How long one call is tried.
const CALL_DEADLINE: Duration = Duration::from_mins(1);
/// How long one attempt may take: the slowest answers of the real cloud take a few seconds.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(20);
/// How long a refused connection is tried again: a hiccup passes, a wrong address does not.
const RECONNECT: Duration = Duration::from_secs(2);
const FIRST_GAP: Duration = Duration::from_millis(150);
const LONGEST_GAP: Duration = Duration::from_secs(8);

/// A client of one account in one region. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Client {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    http: reqwest::Client,
    credentials: Credentials,
    endpoint: Endpoint,
    region: RegionId,
    limiter: Limiter,
}

/// Why an attempt failed, and for how long the cloud asks to be left alone.
struct Failed {
    error: CloudError,
    pause: Duration,
}

impl From<CloudError> for Failed {
    fn from(error: CloudError) -> Self {
        Self { error, pause: Duration::ZERO }
    }
}

impl Client {
    /// Makes a client.
    ///
    /// # Panics
    /// Never on a system with working TLS.
    pub fn new(credentials: Credentials, endpoint: Endpoint, region: RegionId) -> Self {
        let http = reqwest::Client::builder()
            .timeout(ATTEMPT_TIMEOUT)
            .connect_timeout(Duration::from_secs(10))
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("albatross/", env!("CARGO_PKG_VERSION")))
            .build()
            .expect("the TLS library starts");
        Self { shared: Arc::new(Shared { http, credentials, endpoint, region, limiter: Limiter::default() }) }
    }

    /// The region.
    pub fn region(&self) -> &RegionId {
        &self.shared.region
    }

    /// Where calls go.
    pub fn endpoint(&self) -> &Endpoint {
        &self.shared.endpoint
    }

    /// Calls an action and reads its reply; what passes by itself is outlasted for a minute.
    ///
    /// # Errors
    /// What the cloud said last.
    pub async fn call<T: DeserializeOwned>(&self, call: &Call) -> Result<T, CloudError> {
        self.call_telling(call, &|_| ()).await
    }

    /// As [`Client::call`], with somebody who hears of the answers that are outlasted.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn call_telling<T: DeserializeOwned>(
        &self,
        call: &Call,
        notice: Notice<'_>,
    ) -> Result<T, CloudError> {
        let teller = Teller::new("another answer", notice);
        // A list of lists holds many of these at once.
        Box::pin(self.call_until(call, CALL_DEADLINE, teller)).await
    }

    /// Calls a deleting action: what is absent already counts as done, and what is still in use is tried again
    /// until the deadline, since its users may be going away.
    ///
    /// # Errors
    /// What the cloud said last.
    pub async fn delete(&self, call: &Call, time: Duration, notice: Notice<'_>) -> Result<(), CloudError> {
        let teller = Teller::new("removal", notice);
        match Box::pin(self.call_until::<serde_json::Value>(call, time, teller)).await {
            Ok(_) => Ok(()),
            Err(error) if error.is_absent() => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn call_until<T: DeserializeOwned>(
        &self,
        call: &Call,
        time: Duration,
        mut teller: Teller<'_>,
    ) -> Result<T, CloudError> {
        let began = Instant::now();
        let deadline = Deadline::after(time);
        let mut reconnect = None;
        let mut backoff = Backoff::new(FIRST_GAP, LONGEST_GAP);
        for tries in 1.. {
            let admission = self.shared.limiter.admit(call.product, &deadline).await;
            let Failed { error, pause } = match self.attempt(call).await {
                Ok(reply) => {
                    self.shared.limiter.accepted(admission);
                    return Ok(reply);
                }
                Err(failed) => failed,
            };
            if error.is_throttling() {
                self.shared.limiter.refused(admission, pause);
            }
            let until = if error.is_unconnected() {
                *reconnect.get_or_insert_with(|| Deadline::after(RECONNECT))
            } else if error.is_passing() {
                reconnect = None;
                deadline
            } else {
                return Err(error);
            };
            if !backoff.wait_at_least(pause, &until).await {
                return Err(gave_up(error, tries, began.elapsed()));
            }
            tracing::debug!(action = call.action, code = error.code(), "trying again");
            teller.tell(error.code().unwrap_or("without an answer").to_owned());
        }
        unreachable!("there is always another number")
    }

    /// One attempt.
    async fn attempt<T: DeserializeOwned>(&self, call: &Call) -> Result<T, Failed> {
        let product = call.product;
        let unreachable = |source: reqwest::Error| {
            let host = host_and_port(&self.shared.endpoint.url(product));
            // The address has every parameter in it.
            let source = source.without_url();
            CloudError::Unreachable { product, action: call.action.clone(), host, source }
        };
        let answer = self.shared.http.execute(self.request(call)).await.map_err(unreachable)?;
        let status = answer.status();
        let header = answer.headers().get("x-acs-retry-after").and_then(|value| value.to_str().ok());
        let pause = retry::asked_wait(header);
        let body = answer.bytes().await.map_err(unreachable)?;
        let garbled = |source| CloudError::Garbled {
            product,
            action: call.action.clone(),
            status: status.as_u16(),
            source,
        };
        if status.is_success() {
            return Ok(serde_json::from_slice(&body).map_err(garbled)?);
        }
        let error = match serde_json::from_slice(&body) {
            Ok(envelope) => refused(call, status.as_u16(), envelope),
            Err(source) => garbled(source),
        };
        Err(Failed { error, pause })
    }

    fn request(&self, call: &Call) -> reqwest::Request {
        let mut url = self.shared.endpoint.url(call.product);
        let body = sign::canonical_query(&call.form).into_bytes();
        let headers = self.headers(call, &url, &body);
        let authorization = sign::authorization(
            &sign::Request { method: "POST", path: "/", query: &call.query, headers: &headers, body: &body },
            &self.shared.credentials.access_key_id,
            self.shared.credentials.access_key_secret.expose(),
        );
        let query = sign::canonical_query(&call.query);
        url.set_query((!query.is_empty()).then_some(query.as_str()));
        let mut request = reqwest::Request::new(reqwest::Method::POST, url);
        for (name, value) in headers.into_iter().chain([("authorization".to_owned(), authorization)]) {
            // `host` is set from the address by the HTTP library, with the same text as was signed.
            if name == "host" {
                continue;
            }
            let (Ok(name), Ok(value)) =
                (reqwest::header::HeaderName::try_from(name), reqwest::header::HeaderValue::try_from(value))
            else {
                continue;
            };
            request.headers_mut().insert(name, value);
        }
        *request.body_mut() = Some(body.into());
        request
    }

    fn headers(&self, call: &Call, url: &reqwest::Url, body: &[u8]) -> BTreeMap<String, String> {
        let mut headers = BTreeMap::from(
            [
                ("accept", "application/json".to_owned()),
                ("host", host_and_port(url)),
                ("x-acs-action", call.action.clone()),
                ("x-acs-version", call.product.version().to_owned()),
                ("x-acs-date", clock::now_seconds()),
                ("x-acs-signature-nonce", uuid::Uuid::new_v4().simple().to_string()),
                ("x-acs-content-sha256", sign::body_hash(body)),
            ]
            .map(|(name, value)| (name.to_owned(), value)),
        );
        if !body.is_empty() {
            headers.insert("content-type".to_owned(), "application/x-www-form-urlencoded".to_owned());
        }
        if let Some(token) = &self.shared.credentials.security_token {
            headers.insert("x-acs-security-token".to_owned(), token.expose().clone());
            headers.insert("x-acs-accesskey-id".to_owned(), self.shared.credentials.access_key_id.clone());
        }
        headers
    }
}

/// As the HTTP library writes it into the `host` header: without the port that belongs to the scheme.
fn host_and_port(url: &reqwest::Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or(host.to_owned(), |port| format!("{host}:{port}"))
}

fn refused(call: &Call, status: u16, envelope: Envelope) -> CloudError {
    CloudError::Refused {
        product: call.product,
        action: call.action.clone(),
        status,
        code: envelope.code,
        message: envelope.message,
        request_id: envelope.request_id,
    }
}

/// The error of a call that was sent once says all by itself.
fn gave_up(last: CloudError, tries: u32, waited: Duration) -> CloudError {
    if tries == 1 {
        return last;
    }
    GaveUp { tries, waited, last: Box::new(last) }.into()
}
