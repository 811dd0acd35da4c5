//! The emulated region in this process: `mock-cloud`'s world behind its own signature checks and handlers, without its
//! sockets, on the clock of the run.
//!
//! A request travels as a task of its own. So it arrives, or does not, whatever becomes of who sent it, and answers
//! overtake each other.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use albatross::base::clock;
use albatross::cloud::http::{Answer, Carrier, NoAnswer};
use futures_util::future::BoxFuture;
use mock_cloud::api::{self, Context, Operation, Strictness};
use mock_cloud::auth::{Nonces, SignedRequest};
use mock_cloud::facts::{Effect, facts};
use mock_cloud::plane::HostKind;
use mock_cloud::wire::http::{Framing, Head, Request};
use mock_cloud::wire::reply::{Envelope, Format};
use mock_cloud::wire::{ApiError, Parameters};
use mock_cloud::world::account::Caller;
use mock_cloud::world::pace::Pace;
use mock_cloud::world::token::Tokens;
use mock_cloud::world::{Moment, Settings, World};
use reqwest::header::HeaderMap;
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

use crate::draw;
use crate::faults::{Crash, Fault, Faults};
use crate::machines::Machines;

/// Where all of it is.
pub(crate) const REGION: &str = "cn-hangzhou";
/// The moment at which every run begins: 2026-01-01.
const BEGINNING: Moment = 1_767_225_600_000;
/// How long the client waits for an answer.
const PATIENCE: Duration = Duration::from_secs(20);
/// How far back a stale answer may look.
const STALEST: Moment = 5_000;

/// One call as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Logged {
    /// Product and action.
    pub(crate) action: String,
    /// Whether it changes something.
    pub(crate) changes: bool,
    /// What it was about, when it changes something of the stack.
    pub(crate) subject: Option<String>,
    /// All that it was about, where it may be several.
    pub(crate) subjects: Option<Vec<String>>,
    /// `ok`, or the code it was refused with.
    pub(crate) outcome: String,
}

/// A region and the machines in it. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Region {
    state: Arc<Mutex<State>>,
    /// Rings when the command that is under way is to end where it is.
    pub(crate) crash: Arc<Notify>,
}

/// All that calls and machines change.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) world: World,
    pub(crate) machines: Machines,
    pub(crate) faults: Faults,
    pub(crate) log: Vec<Logged>,
    /// A digest of all calls and of the moments at which they arrived.
    pub(crate) trace: u64,
    /// Length of the journal when something last changed outside, or when a call was sent that may yet.
    pub(crate) effect_at: u64,
    journal: Option<std::path::PathBuf>,
    seed: u64,
    begun: Instant,
    nonces: Nonces,
    history: VecDeque<(Moment, World)>,
    /// Which command is under way: what an earlier one sent may arrive late, or never.
    command: u64,
    effects: u64,
    ending: Option<Crash>,
    requests: u64,
    /// The world and the machines as they were when they last heard of each other.
    settled: (u64, u64),
}

/// What becomes of a request that has arrived.
enum Arrived {
    /// This is answered, after so long.
    Answered(Answer, Duration),
    /// The connection ends without an answer.
    Cut,
    /// Nobody ever hears of it.
    Silence,
}

impl Region {
    /// An empty one.
    pub(crate) fn new(seed: u64, faults: Faults) -> Self {
        let settings = Settings {
            region: REGION.to_owned(),
            pace: *draw::one(seed, "pace", &[Pace::Real, Pace::Brisk, Pace::Instant]),
            seed,
            hosts: HostKind::Process,
            domains: vec!["example.com".to_owned()],
        };
        let state = State {
            world: World::new(settings, BEGINNING),
            machines: Machines::new(seed),
            faults,
            log: Vec::new(),
            trace: seed,
            effect_at: 0,
            journal: None,
            seed,
            begun: Instant::now(),
            nonces: Nonces::default(),
            history: VecDeque::new(),
            command: 0,
            effects: 0,
            ending: None,
            requests: 0,
            settled: (u64::MAX, u64::MAX),
        };
        Self { state: Arc::new(Mutex::new(state)), crash: Arc::new(Notify::new()) }
    }

    /// All of it, moved on to now.
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.settle();
        state
    }

    /// A command begins, which writes this journal; how it ends in the middle, if it does.
    pub(crate) fn begin(&self, journal: &std::path::Path, ending: Option<Crash>) {
        let mut state = self.lock();
        state.command += 1;
        state.effects = 0;
        state.ending = ending;
        state.journal = Some(journal.to_owned());
        state.effect_at = state.journal_length();
    }

    /// Something is about to change outside. None when the command ends first; else whether it ends right after.
    pub(crate) fn effect(&self, state: &mut State) -> Option<bool> {
        state.effects += 1;
        if state.ending == Some(Crash::Before(state.effects)) {
            self.crash.notify_one();
            return None;
        }
        state.effect_at = state.journal_length();
        let ends = state.ending == Some(Crash::After(state.effects));
        if ends {
            self.crash.notify_one();
        }
        Some(ends)
    }

    async fn send(&self, request: reqwest::Request) -> Result<Answer, NoAnswer> {
        let (command, there, back, late) = {
            let mut state = self.lock();
            state.requests += 1;
            let (number, seed) = (state.requests, state.seed);
            let time = |what: &str, most| {
                Duration::from_millis(draw::within(seed, &format!("{what} {number}"), 5, most))
            };
            let late = draw::happens(seed, &format!("late {number}"), 50);
            if late && operation(&request).is_some_and(|one| changes(&one)) {
                // It may change something after its command has ended: what was written before it was sent stays.
                state.effect_at = state.journal_length();
            }
            (state.command, time("there", 150), time("back", 150), late)
        };
        let fault = self.fault_of(&request);
        if fault == Some(Fault::Unconnected) {
            tokio::time::sleep(back).await;
            return Err(NoAnswer::Unconnected("no route to host".into()));
        }
        let (answer, answered) = oneshot::channel();
        let region = self.clone();
        tokio::spawn(async move {
            tokio::time::sleep(there).await;
            if !late && region.lock().has_ended(command) {
                return;
            }
            match region.arrive(request, fault) {
                Arrived::Answered(reply, time) => {
                    tokio::time::sleep(back + time).await;
                    // Whoever asked may have gone.
                    let _ = answer.send(Ok(reply));
                }
                Arrived::Cut => drop(answer.send(Err(()))),
                Arrived::Silence => std::future::pending().await,
            }
        });
        match tokio::time::timeout(PATIENCE, answered).await {
            Ok(Ok(Ok(reply))) => Ok(reply),
            Ok(Ok(Err(()))) => Err(NoAnswer::Lost("the connection was cut".into())),
            Ok(Err(_)) => std::future::pending().await,
            Err(late) => Err(NoAnswer::Lost(late.into())),
        }
    }

    fn fault_of(&self, request: &reqwest::Request) -> Option<Fault> {
        let operation = operation(request)?;
        let reads = facts().effect(&operation.product, &operation.action) == Some(Effect::Read);
        self.lock().faults.of_call(&operation.to_string(), reads)
    }

    /// A request is there: it is judged, done and answered.
    fn arrive(&self, request: reqwest::Request, fault: Option<Fault>) -> Arrived {
        let mut state = self.lock();
        let Some(operation) = operation(&request) else { return Arrived::Cut };
        let request = signed(&request);
        let changes = changes(&operation);
        if fault == Some(Fault::LostRequest) {
            return Arrived::Cut;
        }
        let ends = if changes { self.effect(&mut state) } else { Some(false) };
        let Some(ends) = ends else { return Arrived::Silence };
        let parameters = business_parameters(&request);
        let subject = if changes { crate::subject::of(&state.world, &operation, &parameters) } else { None };
        let subjects =
            if changes { crate::subject::all(&state.world, &operation, &parameters) } else { None };
        let outcome = state.answer(&request, &operation, &parameters, fault);
        let refused = outcome.as_ref().err().map(|error| error.code.clone());
        let at = state.world.now;
        let outcome_word = refused.unwrap_or_else(|| "ok".to_owned());
        state.trace = draw::number(state.trace, &format!("{at} {operation} {outcome_word}"));
        state.log.push(Logged {
            action: operation.to_string(),
            changes,
            subject,
            subjects,
            outcome: outcome_word,
        });
        state.settle();
        state.remember();
        let number = state.requests;
        match fault {
            _ if ends => Arrived::Silence,
            Some(Fault::LostReply) => Arrived::Cut,
            Some(Fault::FailedAfter) => {
                let failed = ApiError::new(500, "InternalError", "The request processing has failed.");
                Arrived::Answered(reply(&Err(failed), number, at), Duration::ZERO)
            }
            Some(Fault::Slow(milliseconds)) => {
                Arrived::Answered(reply(&outcome, number, at), Duration::from_millis(milliseconds))
            }
            Some(
                Fault::Throttled | Fault::Failed | Fault::LostRequest | Fault::Unconnected | Fault::Stale(_),
            )
            | None => Arrived::Answered(reply(&outcome, number, at), Duration::ZERO),
        }
    }
}

impl Carrier for Region {
    fn carry(&self, request: reqwest::Request) -> BoxFuture<'_, Result<Answer, NoAnswer>> {
        Box::pin(self.send(request))
    }
}

impl State {
    /// The moment of the run.
    pub(crate) fn now(&self) -> Moment {
        BEGINNING + Moment::try_from(self.begun.elapsed().as_millis()).unwrap_or(Moment::MAX)
    }

    /// A change of a machine counts as one of the world.
    pub(crate) fn settle(&mut self) {
        let now = self.now();
        self.world.advance(now);
        let revisions = (self.world.revision(), self.machines.revision());
        if revisions != self.settled || Machines::boot(&self.world) {
            let status = self.machines.status(&self.world, now);
            self.world.observe(&status);
            self.settled = (self.world.revision(), self.machines.revision());
        }
        for errand in std::mem::take(&mut self.world.errands) {
            let result = self.machines.run_script(&errand.instance, &errand.script);
            self.world.script_ended(&errand.invocation, &errand.instance, result);
        }
    }

    /// The cloud forgets what client tokens were answered.
    pub(crate) fn forget_tokens(&mut self) {
        self.world.tokens = Tokens::default();
    }

    /// Whether a command is over, or has met its end already.
    fn has_ended(&self, command: u64) -> bool {
        let ending = match self.ending {
            Some(Crash::Before(number) | Crash::After(number)) => self.effects >= number,
            Some(Crash::AtAwait(_)) | None => false,
        };
        ending || self.command != command
    }

    fn journal_length(&self) -> u64 {
        let length = self.journal.as_ref().and_then(|path| std::fs::metadata(path).ok());
        length.map_or(0, |found| found.len())
    }

    fn remember(&mut self) {
        if !self.faults.look_back() {
            return;
        }
        let oldest = self.world.now - STALEST;
        if self.history.back().is_none_or(|(_, last)| last.revision() != self.world.revision()) {
            self.history.push_back((self.world.now, self.world.clone()));
        }
        while self.history.get(1).is_some_and(|(moment, _)| *moment <= oldest) {
            self.history.pop_front();
        }
    }

    fn before(&self, milliseconds: Moment) -> World {
        let then = self.world.now - milliseconds;
        let known = self.history.iter().rev().find(|(moment, _)| *moment <= then);
        let mut past =
            known.or(self.history.front()).map_or_else(|| self.world.clone(), |(_, past)| past.clone());
        past.advance(then);
        past
    }

    fn answer(
        &mut self,
        request: &SignedRequest,
        operation: &Operation,
        parameters: &Parameters,
        fault: Option<Fault>,
    ) -> Result<serde_json::Value, ApiError> {
        let gateway = clock::now().as_millisecond();
        let claim = request.claim()?;
        let unknown =
            || ApiError::not_found("InvalidAccessKeyId.NotFound", "Specified access key is not found.");
        let credential = self.world.credential(&claim.access_key_id).ok_or_else(unknown)?;
        claim.check(&credential, self.world.now, gateway)?;
        claim.use_nonce(&mut self.nonces, gateway)?;
        match fault {
            Some(Fault::Throttled) => {
                let message = "Request was denied due to user flow control.";
                return Err(ApiError::bad_request("Throttling.User", message));
            }
            Some(Fault::Failed) => {
                return Err(ApiError::new(503, "ServiceUnavailable", "The request has failed."));
            }
            Some(_) | None => {}
        }
        let context =
            Context { caller: &Caller::Root, region: REGION, strictness: Strictness::Strict, stock: None };
        match fault {
            Some(Fault::Stale(milliseconds)) => {
                api::execute_in(&mut self.before(milliseconds), operation, parameters, &context).answer
            }
            Some(_) | None => api::execute_in(&mut self.world, operation, parameters, &context).answer,
        }
    }
}

fn header<'r>(request: &'r reqwest::Request, name: &str) -> Option<&'r str> {
    request.headers().get(name)?.to_str().ok()
}

/// Whether a call of this kind changes anything.
fn changes(operation: &Operation) -> bool {
    facts().effect(&operation.product, &operation.action) == Some(Effect::Change)
}

fn operation(request: &reqwest::Request) -> Option<Operation> {
    let product = facts().product_of(header(request, "x-acs-version")?)?.to_owned();
    Some(Operation { product, action: header(request, "x-acs-action")?.to_owned() })
}

/// The request as the gateway takes it from the wire, with the host that the HTTP library adds.
fn signed(request: &reqwest::Request) -> SignedRequest {
    let url = request.url();
    let host = format!("{}:{}", url.host_str().unwrap_or_default(), url.port().unwrap_or_default());
    let text = |value: &reqwest::header::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let headers = request.headers().iter().map(|(name, value)| (name.as_str().to_owned(), text(value)));
    let body = request.body().and_then(reqwest::Body::as_bytes).unwrap_or_default().to_vec();
    SignedRequest::new(Request {
        head: Head {
            method: request.method().as_str().to_owned(),
            path: url.path().to_owned(),
            query: url.query().unwrap_or_default().to_owned(),
            headers: headers.chain([("host".to_owned(), host)]).collect(),
            keep_alive: true,
            body: Framing::Length(body.len()),
        },
        body,
    })
}

fn business_parameters(request: &SignedRequest) -> Parameters {
    request.query.iter().chain(&request.form).cloned().collect()
}

fn reply(outcome: &Result<serde_json::Value, ApiError>, number: u64, at: Moment) -> Answer {
    let envelope = Envelope {
        request_id: format!("request-{number}"),
        host: "simulation".to_owned(),
        action: String::new(),
        format: Format::Json,
    };
    let (status, body) = match outcome {
        Ok(fields) => (200, envelope.success(fields.clone())),
        Err(error) => (error.status, envelope.error(error)),
    };
    let mut headers = HeaderMap::new();
    let date = jiff::Timestamp::from_millisecond(at).expect("in our time");
    let date = date.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    headers.insert("date", date.parse().expect("a date is plain text"));
    Answer { status, headers, body: body.into_bytes() }
}
