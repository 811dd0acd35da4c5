//! Sends signed calls, and sends them again when the cloud says that it may.
//!
//! A call is sent until it succeeds, fails for good, or its deadline passes. Every attempt has a new nonce and date,
//! and the same parameters, client token included: an answer that was lost is thus fetched, not done twice. Calls
//! without a token are such that doing them twice shows (a second record is refused as a duplicate) or does nothing.

use std::sync::Arc;
use std::time::Duration;

use serde::de::DeserializeOwned;

use crate::base::clock;
use crate::base::ids::RegionId;
use crate::base::retry::{Backoff, Deadline};
use crate::cloud::call::Call;
use crate::cloud::credentials::{Credentials, CredentialsError, Keys};
use crate::cloud::endpoint::Endpoint;
use crate::cloud::error::{CloudError, Envelope};
use crate::cloud::explain::subject::Subject;
use crate::cloud::http::Http;
use crate::cloud::request;
use crate::cloud::skew::Skew;

/// How long one call is tried.
const CALL_DEADLINE: Duration = Duration::from_mins(1);
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
    http: Http,
    caller: Caller,
    endpoint: Endpoint,
    region: RegionId,
    skew: Skew,
}

/// Who calls.
#[derive(Debug)]
enum Caller {
    /// Somebody with keys.
    Known(Credentials),
    /// Nobody: the few calls that carry their own proof are not signed.
    Anonymous,
}

/// What a call is allowed to outlast.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Patience {
    /// What passes by itself.
    Passing,
    /// That, and other resources that still use the one to be deleted.
    StillInUse,
}

impl Client {
    /// Makes a client.
    pub fn new(credentials: Credentials, endpoint: Endpoint, region: RegionId) -> Self {
        Self::of(Caller::Known(credentials), endpoint, region)
    }

    /// A client whose calls are not signed.
    pub fn anonymous(endpoint: Endpoint, region: RegionId) -> Self {
        Self::of(Caller::Anonymous, endpoint, region)
    }

    fn of(caller: Caller, endpoint: Endpoint, region: RegionId) -> Self {
        let shared = Shared { http: Http::default(), caller, endpoint, region, skew: Skew::unknown() };
        Self { shared: Arc::new(shared) }
    }

    /// The region.
    pub fn region(&self) -> &RegionId {
        &self.shared.region
    }

    /// Where calls go.
    pub fn endpoint(&self) -> &Endpoint {
        &self.shared.endpoint
    }

    /// Seconds by which the cloud's clock is ahead of this machine's, give or take one; none before an answer.
    pub fn clock_skew(&self) -> Option<i64> {
        self.shared.skew.seconds()
    }

    /// The credentials calls are signed with; none when they are not signed.
    pub fn credentials(&self) -> Option<&Credentials> {
        match &self.shared.caller {
            Caller::Known(credentials) => Some(credentials),
            Caller::Anonymous => None,
        }
    }

    /// Calls an action and reads its reply.
    ///
    /// # Errors
    /// What the cloud said last, after whatever passes by itself had its time.
    pub async fn call<T: DeserializeOwned>(&self, call: &Call) -> Result<T, CloudError> {
        self.call_with(call, Patience::Passing, CALL_DEADLINE).await
    }

    /// Calls a deleting action: what is absent already counts as done, and what is still in use is tried again
    /// until the deadline, since its users may be going away.
    ///
    /// # Errors
    /// What the cloud said last.
    pub async fn delete(&self, call: &Call, deadline: Duration) -> Result<(), CloudError> {
        match self.call_with::<serde_json::Value>(call, Patience::StillInUse, deadline).await {
            Ok(_) => Ok(()),
            Err(error) if error.is_absent() => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn call_with<T: DeserializeOwned>(
        &self,
        call: &Call,
        patience: Patience,
        time: Duration,
    ) -> Result<T, CloudError> {
        let deadline = Deadline::after(time);
        let mut reconnect = Deadline::after(RECONNECT);
        let mut backoff = Backoff::new(FIRST_GAP, LONGEST_GAP);
        loop {
            let (error, asked) = match self.attempt(call).await {
                Ok(reply) => return Ok(reply),
                Err(failed) => failed,
            };
            let again = match patience {
                Patience::Passing => error.is_passing(),
                Patience::StillInUse => error.is_passing() || error.is_still_in_use(),
            };
            if !error.is_unconnected() {
                reconnect = Deadline::after(RECONNECT);
            }
            let again = again || (error.is_unconnected() && !reconnect.passed());
            if !again || !backoff.wait_at_least(asked, &deadline).await {
                return Err(error);
            }
            tracing::debug!(action = call.action, code = error.code(), "trying again");
        }
    }

    /// One attempt, and a second one with new keys when those it was signed with have ended; an error comes with the
    /// wait the cloud asked for.
    async fn attempt<T: DeserializeOwned>(&self, call: &Call) -> Result<T, (CloudError, Duration)> {
        let unsigned = |source: CredentialsError| {
            let (product, action, source) = (call.product, call.action.clone(), Box::new(source));
            (CloudError::Unsigned { product, action, source }, Duration::ZERO)
        };
        // On the heap: every future that waits for a call would carry both otherwise.
        let send = |keys: Option<Keys>| Box::pin(async move { self.send(call, keys.as_ref()).await });
        let Caller::Known(credentials) = &self.shared.caller else {
            return send(None).await;
        };
        let keys = credentials.current().await.map_err(unsigned)?;
        match send(Some(keys.clone())).await {
            Err((error, asked)) if error.is_ended_key() => {
                match credentials.instead_of(&keys).await.map_err(unsigned)? {
                    Some(keys) => send(Some(keys)).await,
                    None => Err((error, asked)),
                }
            }
            outcome => outcome,
        }
    }

    /// Sends a call once.
    async fn send<T: DeserializeOwned>(
        &self,
        call: &Call,
        keys: Option<&Keys>,
    ) -> Result<T, (CloudError, Duration)> {
        let (product, action) = (call.product, call.action.clone());
        let request = request::build(call, self.shared.endpoint.url(call.product), keys);
        let host = request.url().host_str().unwrap_or_default().to_owned();
        let host = request.url().port().map_or(host.clone(), |port| format!("{host}:{port}"));
        let unreachable = |source: reqwest::Error| {
            let source = source.without_url();
            (
                CloudError::Unreachable { product, action: action.clone(), host: host.clone(), source },
                Duration::ZERO,
            )
        };
        let answer = self.shared.http.of(request.url()).execute(request).await.map_err(unreachable)?;
        let status = answer.status();
        let asked = retry_after(&answer);
        let date = answer.headers().get("date").and_then(|value| value.to_str().ok());
        self.shared.skew.learn(date, clock::now().as_second());
        let body = answer.bytes().await.map_err(unreachable)?;
        let garbled = |source| {
            let action = action.clone();
            (CloudError::Garbled { product, action, status: status.as_u16(), source }, Duration::ZERO)
        };
        if status.is_success() {
            return serde_json::from_slice(&body).map_err(garbled);
        }
        let envelope: Envelope = serde_json::from_slice(&body).map_err(garbled)?;
        Err((self.refused(call, status.as_u16(), envelope, keys), asked))
    }

    fn refused(&self, call: &Call, status: u16, envelope: Envelope, keys: Option<&Keys>) -> CloudError {
        let subject = Subject::of(call, self.region());
        CloudError::Refused {
            product: call.product,
            action: call.action.clone(),
            status,
            code: envelope.code,
            message: request::without_secrets(envelope.message, call, keys),
            request_id: envelope.request_id,
            subject: Box::new(subject.with_permission(envelope.access_denied_detail.auth_action)),
        }
    }
}

/// `x-acs-retry-after`, in milliseconds.
fn retry_after(answer: &reqwest::Response) -> Duration {
    let header = answer.headers().get("x-acs-retry-after").and_then(|value| value.to_str().ok());
    Duration::from_millis(header.and_then(|text| text.parse().ok()).unwrap_or(0))
}
