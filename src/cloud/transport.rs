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
use crate::cloud::credentials::{Credentials, CredentialsError, Keys};
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
    /// Goes through no proxy: what is plain stays on the loopback.
    plain: reqwest::Client,
    caller: Caller,
    endpoint: Endpoint,
    region: RegionId,
    limiter: Limiter,
}

/// Who calls.
#[derive(Debug)]
enum Caller {
    /// Somebody with keys.
    Known(Credentials),
    /// Nobody: the few calls that carry their own proof are not signed.
    Anonymous,
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
        Self::of(Caller::Known(credentials), endpoint, region)
    }

    /// A client whose calls are not signed.
    ///
    /// # Panics
    /// Never on a system with working TLS.
    pub fn anonymous(endpoint: Endpoint, region: RegionId) -> Self {
        Self::of(Caller::Anonymous, endpoint, region)
    }

    fn of(caller: Caller, endpoint: Endpoint, region: RegionId) -> Self {
        let http = || {
            reqwest::Client::builder()
                .timeout(ATTEMPT_TIMEOUT)
                .connect_timeout(Duration::from_secs(10))
                .redirect(reqwest::redirect::Policy::none())
                .user_agent(concat!("albatross/", env!("CARGO_PKG_VERSION")))
        };
        let plain = http().no_proxy().build().expect("the TLS library starts");
        let http = http().build().expect("the TLS library starts");
        let limiter = Limiter::default();
        Self { shared: Arc::new(Shared { http, plain, caller, endpoint, region, limiter }) }
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

    /// One attempt, and a second one with new keys when those it was signed with have ended.
    async fn attempt<T: DeserializeOwned>(&self, call: &Call) -> Result<T, Failed> {
        let unsigned = |source: CredentialsError| {
            let (product, action, source) = (call.product, call.action.clone(), Box::new(source));
            CloudError::Unsigned { product, action, source }
        };
        let Caller::Known(credentials) = &self.shared.caller else {
            return self.send(call, None).await;
        };
        let keys = credentials.current().await.map_err(unsigned)?;
        match self.send(call, Some(&keys)).await {
            Err(failed) if failed.error.is_ended_key() => {
                match credentials.instead_of(&keys).await.map_err(unsigned)? {
                    Some(keys) => self.send(call, Some(&keys)).await,
                    None => Err(failed),
                }
            }
            outcome => outcome,
        }
    }

    /// Sends a call once.
    async fn send<T: DeserializeOwned>(&self, call: &Call, keys: Option<&Keys>) -> Result<T, Failed> {
        let product = call.product;
        let unreachable = |source: reqwest::Error| {
            let host = host_and_port(&self.shared.endpoint.url(product));
            // The address has every parameter in it.
            let source = source.without_url();
            CloudError::Unreachable { product, action: call.action.clone(), host, source }
        };
        let request = self.request(call, keys);
        let answer = self.http(&request).execute(request).await.map_err(unreachable)?;
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
            Ok(envelope) => refused(call, status.as_u16(), envelope, keys),
            Err(source) => garbled(source),
        };
        Err(Failed { error, pause })
    }

    fn http(&self, request: &reqwest::Request) -> &reqwest::Client {
        if request.url().scheme() == "https" { &self.shared.http } else { &self.shared.plain }
    }

    fn request(&self, call: &Call, keys: Option<&Keys>) -> reqwest::Request {
        let mut url = self.shared.endpoint.url(call.product);
        let body = body(call);
        let (query, headers) = match keys {
            Some(keys) => (call.query.clone(), signed_headers(call, keys, &url, &body)),
            None => (anonymous_query(call), common_headers(&body)),
        };
        let query = sign::canonical_query(&query);
        url.set_query((!query.is_empty()).then_some(query.as_str()));
        let mut request = reqwest::Request::new(reqwest::Method::POST, url);
        for (name, value) in headers {
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
}

fn body(call: &Call) -> Vec<u8> {
    let secrets = call.secrets.iter().map(|(key, value)| (key.clone(), value.expose().clone()));
    let form = call.form.clone().into_iter().chain(secrets).collect();
    sign::canonical_query(&form).into_bytes()
}

/// What every request has.
fn common_headers(body: &[u8]) -> BTreeMap<String, String> {
    let mut headers = BTreeMap::from([("accept".to_owned(), "application/json".to_owned())]);
    if !body.is_empty() {
        headers.insert("content-type".to_owned(), "application/x-www-form-urlencoded".to_owned());
    }
    headers
}

/// A call that nobody signs has the older form, in which the query says which action it is.
fn anonymous_query(call: &Call) -> BTreeMap<String, String> {
    let mut query = call.query.clone();
    query.extend(
        [
            ("Action", call.action.clone()),
            ("Version", call.product.version().to_owned()),
            ("Format", "JSON".to_owned()),
            ("Timestamp", clock::now_seconds()),
            ("SignatureNonce", nonce()),
        ]
        .map(|(name, value)| (name.to_owned(), value)),
    );
    query
}

fn signed_headers(call: &Call, keys: &Keys, url: &reqwest::Url, body: &[u8]) -> BTreeMap<String, String> {
    let mut headers = common_headers(body);
    headers.extend(
        [
            ("host", host_and_port(url)),
            ("x-acs-action", call.action.clone()),
            ("x-acs-version", call.product.version().to_owned()),
            ("x-acs-date", clock::now_seconds()),
            ("x-acs-signature-nonce", nonce()),
            ("x-acs-content-sha256", sign::body_hash(body)),
        ]
        .map(|(name, value)| (name.to_owned(), value)),
    );
    if let Some(token) = &keys.security_token {
        headers.insert("x-acs-security-token".to_owned(), token.expose().clone());
        headers.insert("x-acs-accesskey-id".to_owned(), keys.access_key_id.clone());
    }
    let signed = headers.iter().filter(|(name, _)| sign::must_be_signed(name));
    let signed = signed.map(|(name, value)| (name.clone(), value.clone())).collect();
    let request = sign::Request { method: "POST", path: "/", query: &call.query, headers: &signed, body };
    let authorization = sign::authorization(&request, &keys.access_key_id, keys.access_key_secret.expose());
    headers.insert("authorization".to_owned(), authorization);
    headers
}

fn nonce() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}

fn refused(call: &Call, status: u16, envelope: Envelope, keys: Option<&Keys>) -> CloudError {
    CloudError::Refused {
        product: call.product,
        action: call.action.clone(),
        status,
        code: envelope.code,
        message: without_secrets(envelope.message, call, keys),
        request_id: envelope.request_id,
    }
}

/// A complaint about a signature repeats what was signed, a token included.
fn without_secrets(message: String, call: &Call, keys: Option<&Keys>) -> String {
    let of_keys = keys
        .into_iter()
        .flat_map(|keys| std::iter::once(&keys.access_key_secret).chain(&keys.security_token));
    let secrets = of_keys.chain(call.secrets.values()).filter(|secret| !secret.expose().is_empty());
    secrets.fold(message, |message, secret| {
        let encoded = sign::percent_encode(secret.expose());
        message.replace(secret.expose().as_str(), "***").replace(&encoded, "***")
    })
}

/// As the HTTP library writes it into the `host` header: without the port that belongs to the scheme.
fn host_and_port(url: &reqwest::Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or(host.to_owned(), |port| format!("{host}:{port}"))
}

/// The error of a call that was sent once says all by itself.
fn gave_up(last: CloudError, tries: u32, waited: Duration) -> CloudError {
    if tries == 1 {
        return last;
    }
    GaveUp { tries, waited, last: Box::new(last) }.into()
}
