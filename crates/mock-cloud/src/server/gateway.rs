//! The API gateway: from a request to a reply.
//!
//! 1. find out who calls and what for;
//! 2. a gate may hold what would change something;
//! 3. a fault may refuse;
//! 4. the handler, then the log;
//! 5. a gate may hold the reply;
//! 6. a fault may change, delay or lose it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::api::{self, Context, Operation};
use crate::auth::{Claim, SignatureVersion, SignedRequest};
use crate::facts::{Effect, facts};
use crate::gates::{self, Passage, Verdict};
use crate::server::call_log::{Client, Entry, redacted};
use crate::server::connection::HttpReply;
use crate::server::faults::{Fault, Target};
use crate::server::http::text;
use crate::server::mentions::Mentions;
use crate::server::{Cloud, State, now};
use crate::wire::reply::{Envelope, Format};
use crate::wire::{ApiError, Parameters};
use crate::world::account::Caller;
use crate::world::ids::{digest, uuid};
use crate::world::meta::timestamp;
use crate::world::token::Scope;

/// Parameters of the protocol, not of an action.
const PROTOCOL: &[&str] = &[
    "Action",
    "Version",
    "Format",
    "AccessKeyId",
    "Signature",
    "SignatureMethod",
    "SignatureNonce",
    "SignatureType",
    "SignatureVersion",
    "SecurityToken",
    "Timestamp",
];

/// The one action that needs no signature: what it is given is itself the proof of who calls.
const ANONYMOUS: &str = "Sts.AssumeRoleWithOIDC";

/// The connection is to be closed without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the reply is lost on purpose")]
pub(super) struct LostReply;

/// Who calls, and with what proof; or why that is not believed.
type Claimed = Result<(Caller, Option<Claim>), ApiError>;

/// A request taken apart.
struct Received<'a> {
    request: &'a SignedRequest,
    operation: Result<Operation, ApiError>,
    parameters: Parameters,
    /// Region of the address it came to.
    region: &'a str,
}

/// An answer that may be sent later.
pub(super) struct Answer {
    pub(super) reply: HttpReply,
    pub(super) delay: Option<Delay>,
}

/// How late, and which client token is in progress so long.
pub(super) struct Delay {
    pub(super) time: Duration,
    token: Option<(Scope, String)>,
}

impl Delay {
    /// Of a call that carries no client token.
    pub(super) fn of(time: Duration) -> Self {
        Self { time, token: None }
    }
}

struct Handled {
    region: String,
    ignored: BTreeSet<String>,
    answer: Result<Value, ApiError>,
    fault: Option<Fault>,
    delay: Option<Delay>,
    mentions: Mentions,
}

impl Cloud {
    /// Answers one API call that came to the address of a region; `gone` says whether its caller has left.
    pub(super) async fn answer(
        self: &Arc<Self>,
        request: &SignedRequest,
        region: &str,
        gone: &CancellationToken,
    ) -> Result<Answer, LostReply> {
        let received = Received {
            operation: operation(request),
            parameters: business_parameters(request),
            request,
            region,
        };
        let claim = self.believable_claim(&received);
        let mut passage = claim.is_ok().then(|| self.passage(&received)).flatten();
        if let Some(passage) = &mut passage
            && passage.begin(gone).await == Verdict::Drop
        {
            return Err(LostReply);
        }
        let (mut handled, request_id) = self.handle(&received, claim);
        self.record(&handled, &request_id, &received);
        if let Some(passage) = &mut passage
            && passage.end(gone).await == Verdict::Drop
        {
            return Err(LostReply);
        }
        if handled.fault == Some(Fault::LostReply {}) {
            return Err(LostReply);
        }
        let delay = handled.delay.take();
        Ok(Answer { reply: reply(&received, handled, request_id), delay })
    }

    /// The way through the gates of a call that changes something.
    fn passage(&self, received: &Received<'_>) -> Option<Passage> {
        let operation = received.operation.as_ref().ok()?;
        let effect = facts().effect(&operation.product, &operation.action)?;
        (effect == Effect::Change).then(|| self.gates.arrive(gates::Kind::Api, &operation.to_string()))
    }

    /// A late answer has left, or nobody waits for it any more.
    pub(super) fn answered(&self, delay: &Delay) {
        if let Some(token) = &delay.token {
            api::once::answered(&mut self.lock().world, token);
        }
    }

    /// Answers what never became an API call.
    pub(super) fn refuse(&self, error: &ApiError) -> HttpReply {
        let envelope = Envelope {
            request_id: self.request_id(&mut self.lock()),
            host: self.endpoint().trim_start_matches("http://").to_owned(),
            action: String::new(),
            format: Format::Json,
        };
        let mut reply = text(error.status, envelope.format.content_type(), envelope.error(error));
        reply.headers.push(("x-acs-request-id", envelope.request_id));
        reply
    }

    pub(super) fn request_id(&self, state: &mut State) -> String {
        state.requests += 1;
        uuid(&digest(self.seed, "request", &state.requests.to_string()))
    }

    /// Everything that needs the state.
    fn handle(self: &Arc<Self>, received: &Received<'_>, claim: Claimed) -> (Handled, String) {
        let mut state = self.lock();
        let before = state.world.revision();
        let request_id = self.request_id(&mut state);
        let mut handled = Handled {
            region: received.region.to_owned(),
            ignored: BTreeSet::new(),
            answer: Ok(Value::Null),
            fault: None,
            delay: None,
            mentions: Mentions::default(),
        };
        let caller = claim.and_then(|(caller, claim)| {
            if let Some(claim) = &claim {
                claim.use_nonce(&mut state.nonces, self.clock())?;
            }
            Ok((caller, claim))
        });
        match (caller, &received.operation) {
            (Ok((caller, claim)), Ok(operation)) => {
                let signer = Signer { caller, key_id: claim.map(|claim| claim.access_key_id) };
                self.perform(&mut state, received, (operation, &signer), &mut handled);
            }
            (Err(error), _) => handled.answer = Err(error),
            (Ok(_), Err(error)) => handled.answer = Err(error.clone()),
        }
        let shown = handled.answer.as_ref().ok();
        handled.mentions = Mentions::find(&received.parameters, shown, &state.world.ids);
        self.settle(&mut state);
        if state.world.revision() != before {
            self.changed.notify_one();
        }
        (handled, request_id)
    }

    /// Who calls, as far as key, token, time stamp and signature tell. Hashing is done without the state.
    fn believable_claim(&self, received: &Received<'_>) -> Claimed {
        if received.operation.as_ref().is_ok_and(|operation| operation.to_string() == ANONYMOUS) {
            return Ok((Caller::Anonymous, None));
        }
        let claim = received.request.claim()?;
        let (credential, now) = {
            let state = self.lock();
            (state.world.credential(&claim.access_key_id), state.world.now)
        };
        let credential = credential.ok_or_else(|| {
            ApiError::not_found("InvalidAccessKeyId.NotFound", "Specified access key is not found.")
        })?;
        claim.check(&credential, now, self.clock())?;
        Ok((credential.caller, Some(claim)))
    }

    fn perform(
        &self,
        state: &mut State,
        received: &Received<'_>,
        (operation, signer): (&Operation, &Signer),
        handled: &mut Handled,
    ) {
        let parameters = &received.parameters;
        // What keeps a resource from being made says nothing to a call that was answered before.
        handled.fault = take_fault(state, operation, signer).filter(|fault| {
            !fault.sticks_to_token()
                || !api::once::knows(&state.world, operation, parameters, received.region)
        });
        if let Some(refusal) = handled.fault.as_ref().and_then(|fault| fault.refusal(operation)) {
            if handled.fault.as_ref().is_some_and(Fault::sticks_to_token) {
                // The real cloud keeps such a refusal: the same token never gets another zone's stock.
                api::once::remember(&mut state.world, operation, parameters, (received.region, &refusal));
            }
            handled.answer = Err(refusal);
            return;
        }
        if let (Some(Fault::ExpireToken {}), Some(key_id)) = (&handled.fault, &signer.key_id) {
            let now = state.world.now;
            state.world.sessions.end(key_id, now);
            handled.answer = Err(ApiError::bad_request(
                "InvalidSecurityToken.Expired",
                "Specified SecurityToken is expired.",
            ));
            return;
        }
        let context = Context {
            caller: &signer.caller,
            region: received.region,
            strictness: self.options.strictness,
            stock: match handled.fault {
                Some(Fault::PartialAmount { amount }) => Some(amount),
                _ => None,
            },
        };
        let outcome = match handled.fault {
            Some(Fault::StaleRead { milliseconds }) => {
                let milliseconds = i64::try_from(milliseconds).unwrap_or(i64::MAX);
                let mut past = state.history.world_before(&state.world, milliseconds);
                api::execute_in(&mut past, operation, parameters, &context)
            }
            _ => api::execute_in(&mut state.world, operation, parameters, &context),
        };
        if !outcome.ignored.is_empty() {
            tracing::info!(%operation, ignored = ?outcome.ignored, "unknown parameters");
        }
        if let Some(Fault::SlowReply { milliseconds }) = handled.fault {
            let token = api::once::delay(&mut state.world, operation, parameters, &outcome.region);
            handled.delay = Some(Delay { time: Duration::from_millis(milliseconds), token });
        }
        let late = handled.fault.as_ref().and_then(Fault::late_refusal);
        handled.answer = late.map_or(outcome.answer, Err);
        handled.ignored = outcome.ignored;
        handled.region = outcome.region;
    }

    fn record(&self, handled: &Handled, request_id: &str, received: &Received<'_>) {
        let error = handled.answer.as_ref().err();
        let known = received.operation.as_ref().ok();
        self.log.write(&Entry {
            at: timestamp(now()),
            moment: self.now(),
            request_id,
            operation: known.map_or_else(|| "unknown".to_owned(), ToString::to_string),
            effect: known.and_then(|operation| facts().effect(&operation.product, &operation.action)),
            client: client(received.request),
            region: &handled.region,
            parameters: redacted(
                &received.parameters,
                known.and_then(|operation| facts().action(&operation.product, &operation.action)),
            ),
            ignored: &handled.ignored,
            status: error.map_or(200, |error| error.status),
            code: error.map(|error| error.code.as_str()),
            // The text to sign holds every parameter, secret ones too.
            message: error
                .filter(|error| error.code != "SignatureDoesNotMatch")
                .map(|error| error.message.as_str()),
            fault: handled.fault.as_ref().map(Fault::word),
            resources: &handled.mentions,
        });
    }
}

/// Who calls, and with which key.
struct Signer {
    caller: Caller,
    key_id: Option<String>,
}

fn take_fault(state: &mut State, operation: &Operation, signer: &Signer) -> Option<Fault> {
    let effect = facts().effect(&operation.product, &operation.action).unwrap_or(Effect::Read);
    let temporary_key = matches!(signer.caller, Caller::Role { .. });
    state.faults.take(Target { operation, effect, temporary_key })
}

fn client(request: &SignedRequest) -> Client<'_> {
    Client {
        signature: match request.version() {
            SignatureVersion::V3 => "V3",
            SignatureVersion::V1 => "V1",
            SignatureVersion::None => "none",
        },
        agent: request.header("user-agent").unwrap_or_default(),
    }
}

fn business_parameters(request: &SignedRequest) -> Parameters {
    let pairs = request.query.iter().chain(&request.form);
    pairs.filter(|(name, _)| !PROTOCOL.contains(&name.as_str())).cloned().collect()
}

/// Action and version, from the headers (V3) or the parameters (V1).
fn operation(request: &SignedRequest) -> Result<Operation, ApiError> {
    let find =
        |header: &str, parameter: &str| request.header(header).or_else(|| request.parameter(parameter));
    let action = find("x-acs-action", "Action").ok_or_else(|| ApiError::missing("Action"))?;
    let version = find("x-acs-version", "Version").ok_or_else(|| ApiError::missing("Version"))?;
    if let Some(product) = facts().product_of(version) {
        return Ok(Operation { product: product.to_owned(), action: action.to_owned() });
    }
    if facts().product_with(action).is_some() {
        let message = format!("Specified parameter Version {version} is not valid for {action}.");
        return Err(ApiError::bad_request("InvalidVersion", message));
    }
    let message = format!("Specified api is not found: mock-cloud knows neither {action} nor {version}.");
    Err(ApiError::not_found("InvalidAction.NotFound", message))
}

/// New clients always get JSON; old ones say so, and get XML when they do not.
fn format(request: &SignedRequest) -> Format {
    match (request.version(), request.parameter("Format")) {
        (SignatureVersion::V3, _) => Format::Json,
        (_, Some(format)) if format.eq_ignore_ascii_case("json") => Format::Json,
        _ => Format::Xml,
    }
}

fn reply(received: &Received<'_>, handled: Handled, request_id: String) -> HttpReply {
    let format = format(received.request);
    let envelope = Envelope {
        request_id,
        host: received.request.header("host").unwrap_or_default().to_owned(),
        action: received.operation.as_ref().map(|known| known.action.clone()).unwrap_or_default(),
        format,
    };
    let (status, body) = match handled.answer {
        Ok(body) => (200, envelope.success(body)),
        Err(error) => (error.status, envelope.error(&error)),
    };
    let mut reply = text(status, format.content_type(), body);
    if let Some(Fault::Throttle { retry_after }) = handled.fault {
        // Milliseconds; official clients take any positive value as a throttling error.
        reply.headers.push(("x-acs-retry-after", retry_after.to_string()));
    }
    reply.headers.push(("x-acs-request-id", envelope.request_id));
    reply
}
