//! Sends signed calls, and sends them again when the cloud says that it may.
//!
//! A call is sent until it succeeds, fails for good, or its deadline passes; which answers pass is for [`retry`] to
//! say. Every attempt has a new nonce and date, and the same parameters, client token included: an answer that was
//! lost is thus fetched, not done twice. Calls without a token are such that doing them twice shows (a second record is
//! refused as a duplicate) or does nothing.
//!
//! No attempt begins after the deadline, and one that has begun is let finish: cutting a change off in the middle tells
//! nobody whether it was made.

use std::sync::Arc;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::time::Instant;
use tracing::field::display;

use crate::base::clock;
use crate::base::ids::RegionId;
use crate::base::retry::{Backoff, Deadline};
use crate::cloud::call::Call;
use crate::cloud::credentials::{Credentials, CredentialsError, Keys};
use crate::cloud::endpoint::Endpoint;
use crate::cloud::error::{CloudError, Envelope, GaveUp};
use crate::cloud::explain::subject::Subject;
use crate::cloud::http::{Answer, Carrier, Network, NoAnswer};
use crate::cloud::limiter::Limiter;
use crate::cloud::skew::Skew;
use crate::cloud::wait::{Notice, Teller};
use crate::cloud::{request, retry};

/// How long one call is tried.
const CALL_DEADLINE: Duration = Duration::from_mins(1);
/// How long a refused connection is tried again: a hiccup passes, a wrong address does not.
const RECONNECT: Duration = Duration::from_secs(2);
const FIRST_GAP: Duration = Duration::from_millis(150);
const LONGEST_GAP: Duration = Duration::from_secs(8);

/// Under this name each attempt is noted: what was called, with which result, its id and how long it took. Never with
/// parameters, some of which are secrets.
pub const CALLS: &str = "albatross::calls";

/// A client of one account in one region. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Client {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    carrier: Box<dyn Carrier>,
    caller: Caller,
    endpoint: Endpoint,
    region: RegionId,
    skew: Skew,
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
    pub fn new(credentials: Credentials, endpoint: Endpoint, region: RegionId) -> Self {
        Self::over(Box::new(Network::default()), credentials, endpoint, region)
    }

    /// Makes a client whose requests go another way than over the network.
    pub fn over(
        carrier: Box<dyn Carrier>,
        credentials: Credentials,
        endpoint: Endpoint,
        region: RegionId,
    ) -> Self {
        Self::of(carrier, Caller::Known(credentials), endpoint, region)
    }

    /// A client whose calls are not signed.
    pub fn anonymous(endpoint: Endpoint, region: RegionId) -> Self {
        Self::of(Box::new(Network::default()), Caller::Anonymous, endpoint, region)
    }

    fn of(carrier: Box<dyn Carrier>, caller: Caller, endpoint: Endpoint, region: RegionId) -> Self {
        let (skew, limiter) = (Skew::unknown(), Limiter::default());
        let shared = Shared { carrier, caller, endpoint, region, skew, limiter };
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
        match self.delete_all(call, time, notice).await {
            Err(error) if error.is_absent() => Ok(()),
            done => done,
        }
    }

    /// The same for an action that deletes several things or none: that one of them is absent says nothing of the others.
    ///
    /// # Errors
    /// What the cloud said last.
    pub async fn delete_all(
        &self,
        call: &Call,
        time: Duration,
        notice: Notice<'_>,
    ) -> Result<(), CloudError> {
        let teller = Teller::new("removal", notice);
        Box::pin(self.call_until::<Value>(call, time, teller)).await.map(drop)
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
        // Whether an earlier sending may have been done.
        let mut open = false;
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
                *reconnect.get_or_insert_with(|| self.reconnect_deadline(deadline))
            } else if error.is_passing() {
                reconnect = None;
                deadline
            } else if open && error.is_of_the_gateway() {
                // Not the last word on the call: what became of the earlier sending is still to be asked.
                return Err(gave_up(error, tries, began.elapsed()));
            } else {
                return Err(error);
            };
            open |= error.leaves_it_open();
            if !backoff.wait_at_least(pause, &until).await {
                return Err(gave_up(error, tries, began.elapsed()));
            }
            tracing::debug!(action = call.action, code = error.code(), "trying again");
            teller.tell(error.code().unwrap_or("without an answer").to_owned());
        }
        unreachable!("there is always another number")
    }

    /// A cloud that has answered before is there: its network comes back.
    fn reconnect_deadline(&self, deadline: Deadline) -> Deadline {
        if self.shared.skew.seconds().is_some() { deadline } else { Deadline::after(RECONNECT) }
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
        let unreachable = |source: NoAnswer| {
            let host = request::host_and_port(&self.shared.endpoint.url(product));
            CloudError::Unreachable { product, action: call.action.clone(), host, source }
        };
        let request = request::build(call, self.shared.endpoint.url(product), keys);
        let began = Instant::now();
        let answer = self.shared.carrier.carry(request).await;
        note(call, &answer, began.elapsed());
        let answer = answer.map_err(unreachable)?;
        let status = answer.status;
        let pause = retry::asked_wait(answer.header("x-acs-retry-after"));
        self.shared.skew.learn(answer.header("date"), clock::now().as_second());
        let garbled = |source| CloudError::Garbled { product, action: call.action.clone(), status, source };
        if (200..300).contains(&status) {
            return Ok(serde_json::from_slice(&answer.body).map_err(garbled)?);
        }
        let error = match serde_json::from_slice(&answer.body) {
            Ok(envelope) => self.refused(call, status, envelope, keys),
            Err(source) => garbled(source),
        };
        Err(Failed { error, pause })
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

/// Notes an attempt, for whoever wants to know.
fn note(call: &Call, answer: &Result<Answer, NoAnswer>, took: Duration) {
    if !tracing::enabled!(target: CALLS, tracing::Level::INFO) {
        return;
    }
    let call = format!("{}:{}", call.product.code(), call.action);
    let took = format!("{:.1}ms", took.as_secs_f64() * 1e3);
    let Ok(answer) = answer else {
        tracing::info!(target: CALLS, %took, "{call} without an answer");
        return;
    };
    // Only an answer of an unknown form has no id.
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let text = |field: &str| body.get(field).and_then(Value::as_str).map(display);
    let (code, request_id) = (text("Code"), text("RequestId"));
    tracing::info!(target: CALLS, status = answer.status, code, request_id, %took, "{call}");
}

/// The error of a call that was sent once says all by itself.
fn gave_up(last: CloudError, tries: u32, waited: Duration) -> CloudError {
    if tries == 1 {
        return last;
    }
    GaveUp { tries, waited, last: Box::new(last) }.into()
}
