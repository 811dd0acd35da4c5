//! The API gateway: from a request to a reply.
//!
//! 1. authenticate and find the operation;
//! 2. a fault may refuse;
//! 3. the handler, then the log;
//! 4. a fault may delay or lose the reply.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::api::{self, Operation};
use crate::auth::{SignatureVersion, SignedRequest};
use crate::facts::facts;
use crate::server::call_log::{Client, Entry, redacted};
use crate::server::faults::Fault;
use crate::server::mentions::Mentions;
use crate::server::{Cloud, State, now};
use crate::wire::reply::{Envelope, Format};
use crate::wire::{ApiError, Parameters};
use crate::world::ids::{digest, uuid};
use crate::world::meta::timestamp;

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

/// A finished reply.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) content_type: &'static str,
    pub(super) request_id: String,
    pub(super) body: String,
    pub(super) throttled: bool,
}

/// The connection is to be closed without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the reply is lost on purpose")]
pub(super) struct LostReply;

struct Handled {
    operation: Option<Operation>,
    region: String,
    ignored: BTreeSet<String>,
    answer: Result<Value, ApiError>,
    fault: Option<Fault>,
    mentions: Mentions,
}

impl Cloud {
    /// Answers one API call.
    pub(super) async fn answer(self: &Arc<Self>, request: SignedRequest) -> Result<Reply, LostReply> {
        let parameters = business_parameters(&request);
        let (handled, request_id) = {
            let mut state = self.lock();
            state.requests += 1;
            let request_id = uuid(&digest(self.seed, "request", &state.requests.to_string()));
            let mut handled = self.handle(&mut state, &request, &parameters);
            let shown = handled.answer.as_ref().ok();
            handled.mentions = Mentions::find(&parameters, shown, &state.world.ids);
            self.settle(&mut state);
            (handled, request_id)
        };
        self.changed.notify_one();
        self.record(&handled, &request_id, &request, &parameters);
        match handled.fault {
            Some(Fault::LostReply {}) => return Err(LostReply),
            Some(Fault::SlowReply { milliseconds }) => {
                tokio::time::sleep(Duration::from_millis(milliseconds)).await;
            }
            Some(Fault::Throttle {} | Fault::ServerError {} | Fault::NoStock {} | Fault::Error { .. })
            | None => {}
        }
        Ok(reply(&request, handled, request_id))
    }

    fn handle(&self, state: &mut State, request: &SignedRequest, parameters: &Parameters) -> Handled {
        let operation = operation(request);
        let mut handled = Handled {
            operation: operation.as_ref().ok().cloned(),
            region: self.options.region.clone(),
            ignored: BTreeSet::new(),
            answer: Ok(Value::Null),
            fault: None,
            mentions: Mentions::default(),
        };
        let key = Self::access_key(state);
        if let Err(error) = request.authenticate(&key, &mut state.nonces, self.clock()) {
            handled.answer = Err(error);
            return handled;
        }
        let operation = match operation {
            Ok(operation) => operation,
            Err(error) => {
                handled.answer = Err(error);
                return handled;
            }
        };
        handled.fault = state.faults.take(&operation);
        if let Some(refusal) = handled.fault.as_ref().and_then(Fault::refusal) {
            if handled.fault == Some(Fault::NoStock {}) {
                // The real cloud keeps this refusal: the same token never gets another zone's stock.
                api::remember(&mut state.world, &operation, parameters, &refusal);
            }
            handled.answer = Err(refusal);
            return handled;
        }
        let outcome = api::execute(&mut state.world, &operation, parameters, self.options.strictness);
        if !outcome.ignored.is_empty() {
            tracing::info!(%operation, ignored = ?outcome.ignored, "unknown parameters");
        }
        handled.answer = outcome.answer;
        handled.ignored = outcome.ignored;
        handled.region = outcome.region;
        handled
    }

    fn record(&self, handled: &Handled, request_id: &str, request: &SignedRequest, parameters: &Parameters) {
        let error = handled.answer.as_ref().err();
        let known = handled.operation.as_ref();
        let effect = known.and_then(|operation| facts().effect(&operation.product, &operation.action));
        self.log.write(&Entry {
            at: timestamp(now()),
            request_id: request_id.to_owned(),
            operation: known.map_or_else(|| "unknown".to_owned(), ToString::to_string),
            effect,
            client: client(request),
            region: handled.region.clone(),
            parameters: redacted(parameters),
            ignored: handled.ignored.clone(),
            status: error.map_or(200, |error| error.status),
            code: error.map(|error| error.code.clone()),
            // The text to sign holds every parameter, secret ones too.
            message: error
                .filter(|error| error.code != "SignatureDoesNotMatch")
                .map(|error| error.message.clone()),
            fault: handled.fault.as_ref().map(Fault::word),
            resources: handled.mentions.clone(),
        });
    }
}

fn client(request: &SignedRequest) -> Client {
    Client {
        signature: match request.version() {
            SignatureVersion::V3 => "V3",
            SignatureVersion::V1 => "V1",
            SignatureVersion::None => "none",
        },
        agent: request.header("user-agent").unwrap_or_default().to_owned(),
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
    match (facts().product_of(version), facts().product_with(action)) {
        (Some(product), _) => Ok(Operation { product: product.to_owned(), action: action.to_owned() }),
        (None, Some(_)) => {
            let message = format!("Specified parameter Version {version} is not valid for {action}.");
            Err(ApiError::bad_request("InvalidVersion", message))
        }
        (None, None) => {
            let message =
                format!("Specified api is not found: mock-cloud knows neither {action} nor {version}.");
            Err(ApiError::not_found("InvalidAction.NotFound", message))
        }
    }
}

/// New clients always get JSON; old ones say so, and get XML when they do not.
fn format(request: &SignedRequest) -> Format {
    match (request.version(), request.parameter("Format")) {
        (SignatureVersion::V3, _) => Format::Json,
        (_, Some(format)) if format.eq_ignore_ascii_case("json") => Format::Json,
        _ => Format::Xml,
    }
}

fn reply(request: &SignedRequest, handled: Handled, request_id: String) -> Reply {
    let format = format(request);
    let envelope = Envelope {
        request_id,
        host: request.header("host").unwrap_or_default().to_owned(),
        action: handled.operation.map_or_else(|| "Unknown".to_owned(), |operation| operation.action),
        format,
    };
    let (status, body, throttled) = match handled.answer {
        Ok(body) => (200, envelope.success(body), false),
        Err(error) => (error.status, envelope.error(&error), error.code.starts_with("Throttling")),
    };
    Reply { status, content_type: format.content_type(), request_id: envelope.request_id, body, throttled }
}
