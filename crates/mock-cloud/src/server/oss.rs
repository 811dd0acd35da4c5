//! Calls of object storage: the same way as those of the RPC API, with other signatures, refusals and answers.
//!
//! Who calls, a gate, a fault, the handler, the log, a gate, a fault; [`super::gateway`] has the same order.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::api::Operation;
use crate::facts::Effect;
use crate::gates::{self, Verdict};
use crate::oss::signature::Claim;
use crate::oss::{self, Asked, Reply};
use crate::server::call_log::{Client, Entry};
use crate::server::connection::{HttpReply, http_date};
use crate::server::faults::{Fault, Target};
use crate::server::gateway::{Answer, Delay, LostReply};
use crate::server::mentions::Mentions;
use crate::server::{Cloud, now};
use crate::wire::ApiError;
use crate::wire::http::Request;
use crate::world::account::Caller;
use crate::world::meta::timestamp;

/// What became of a call.
struct Handled {
    answer: Result<Reply, ApiError>,
    fault: Option<Fault>,
}

impl Cloud {
    /// Answers one call of object storage that came to the address of a region; `gone` says whether its caller has left.
    pub(super) async fn answer_oss(
        self: &Arc<Self>,
        request: &Request,
        region: &str,
        gone: &CancellationToken,
    ) -> Result<Answer, LostReply> {
        let asked = Asked::of(&request.head);
        let operation = Operation { product: oss::PRODUCT.to_owned(), action: asked.action.to_owned() };
        let caller = self.oss_caller(request, &asked, region);
        let changes = caller.is_ok() && asked.effect() == Effect::Change;
        let mut passage = changes.then(|| self.gates.arrive(gates::Kind::Api, &operation.to_string()));
        if let Some(passage) = &mut passage
            && passage.begin(gone).await == Verdict::Drop
        {
            return Err(LostReply);
        }
        let (handled, request_id) = self.handle_oss(request, (&asked, &operation), caller, region);
        self.record_oss(&handled, &request_id, (request, &asked, &operation), region);
        if let Some(passage) = &mut passage
            && passage.end(gone).await == Verdict::Drop
        {
            return Err(LostReply);
        }
        let delay = match handled.fault {
            Some(Fault::LostReply {}) => return Err(LostReply),
            Some(Fault::SlowReply { milliseconds }) => Some(Delay::of(Duration::from_millis(milliseconds))),
            _ => None,
        };
        let host = request.head.header("host").unwrap_or_default();
        let reply = handled.answer.unwrap_or_else(|error| oss::refusal(&error, &request_id, host));
        Ok(Answer { reply: self.http_reply(reply, request_id), delay })
    }

    fn oss_caller(&self, request: &Request, asked: &Asked, region: &str) -> Result<Caller, ApiError> {
        let claim = Claim::of(&request.head)?;
        let (credential, world) = {
            let state = self.lock();
            (state.world.credential(claim.access_key_id), state.world.now)
        };
        let credential = credential.ok_or_else(|| {
            let message = "The OSS Access Key Id you provided does not exist in our records.";
            ApiError::forbidden("InvalidAccessKeyId", message)
        })?;
        claim.check((&request.head, asked), &credential, (world, self.clock()), region)?;
        Ok(credential.caller)
    }

    /// Everything that needs the state.
    fn handle_oss(
        self: &Arc<Self>,
        request: &Request,
        (asked, operation): (&Asked, &Operation),
        caller: Result<Caller, ApiError>,
        region: &str,
    ) -> (Handled, String) {
        let mut state = self.lock();
        let request_id = self.request_id(&mut state);
        let caller = match caller {
            Ok(caller) => caller,
            Err(error) => return (Handled { answer: Err(error), fault: None }, request_id),
        };
        let temporary_key = matches!(caller, Caller::Role { .. });
        let fault = state.faults.take(Target { operation, effect: asked.effect(), temporary_key });
        let refusal = fault.as_ref().and_then(|fault| fault.refusal(operation));
        let answer = if let Some(refusal) = refusal {
            Err(refusal)
        } else {
            let Request { head, body } = request;
            let done = if let Some(Fault::StaleRead { milliseconds }) = fault {
                let milliseconds = i64::try_from(milliseconds).unwrap_or(i64::MAX);
                let mut past = state.history.world_before(&state.world, milliseconds);
                oss::execute(&mut past, asked, head, body, region)
            } else {
                oss::execute(&mut state.world, asked, head, body, region)
            };
            fault.as_ref().and_then(Fault::late_refusal).map_or(done, Err)
        };
        self.settle(&mut state);
        (Handled { answer, fault }, request_id)
    }

    fn record_oss(
        &self,
        handled: &Handled,
        request_id: &str,
        (request, asked, operation): (&Request, &Asked, &Operation),
        region: &str,
    ) {
        let error = handled.answer.as_ref().err();
        self.log.write(&Entry {
            at: timestamp(now()),
            moment: self.now(),
            request_id,
            operation: operation.to_string(),
            effect: (asked.action != Asked::UNKNOWN).then(|| asked.effect()),
            client: Client { signature: "OSS", agent: request.head.header("user-agent").unwrap_or_default() },
            region,
            parameters: parameters(request, asked),
            ignored: &BTreeSet::new(),
            status: error.map_or(200, |error| error.status),
            code: error.map(|error| error.code.as_str()),
            message: error.map(|error| error.message.as_str()),
            fault: handled.fault.as_ref().map(Fault::word),
            resources: &mentions(asked),
        });
    }

    fn http_reply(&self, reply: Reply, request_id: String) -> HttpReply {
        let Reply { status, content_type, mut headers, body, modified } = reply;
        headers.push(("date", self.date()));
        headers.push(("server", "AliyunOSS".to_owned()));
        headers.push(("x-oss-request-id", request_id));
        let modified = modified.and_then(|modified| jiff::Timestamp::from_millisecond(modified).ok());
        headers.extend(modified.map(|modified| ("last-modified", http_date(modified))));
        HttpReply { status, content_type, headers, body }
    }
}

/// What the request asks for; never what is in an object.
fn parameters(request: &Request, asked: &Asked) -> BTreeMap<String, String> {
    let mut parameters: BTreeMap<String, String> = asked.query.iter().cloned().collect();
    parameters.insert("bucket".to_owned(), asked.bucket.clone());
    if !asked.key.is_empty() {
        parameters.insert("key".to_owned(), asked.key.clone());
    }
    let forbids = request.head.header("x-oss-forbid-overwrite");
    parameters.extend(forbids.map(|value| ("x-oss-forbid-overwrite".to_owned(), value.to_owned())));
    parameters
}

fn mentions(asked: &Asked) -> Mentions {
    let bucket = (!asked.bucket.is_empty()).then(|| asked.bucket.clone());
    let object = (!asked.key.is_empty()).then(|| format!("{}/{}", asked.bucket, asked.key));
    let named = if asked.effect() == Effect::Change {
        // A change is of the object where there is one, else of its bucket.
        object.or(bucket).into_iter().collect()
    } else {
        object.into_iter().chain(bucket).collect()
    };
    Mentions { named, shown: BTreeSet::new() }
}
