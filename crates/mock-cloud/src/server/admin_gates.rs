//! The endpoints of effects and gates; `crates/mock-cloud/src/gates/mod.rs` says what they are.
//!
//! | Request | Does |
//! |---|---|
//! | `GET /_mock/effects` | a line of JSON an effect: `sequence`, `kind`, `key`, `occurrence`, `state`, `since`, `at`, `bytes` |
//! | `DELETE /_mock/effects` | counts anew; takes every gate back, and what is held goes on |
//! | `POST /_mock/gates` with `{"key": K, "occurrence": N, "moment": "before"}` | sets a gate (or `"after"`); answers `{"gate": ID}` |
//! | `GET /_mock/gates/ID?wait=SECONDS` | answers `{"gate": ID, "state": S}` once its effect is held, or once it is over; after the time at the latest |
//! | `POST /_mock/gates/ID` with `{"then": "go"}` | lets what is held go on; `"drop"` lets it never happen, or never be answered |
//!
//! An effect is `held`, `running`, `dropped`, `done`, or `late`: done, and begun after its caller was gone. A gate is
//! `armed`, `held` (with `"alone": true` once the caller is seen to be gone), `running` (told to go on), as its effect
//! ended, or `disarmed`. What is dropped loses its connection. `since` and `at` are when an effect came and when it was
//! over, in milliseconds since 1970. `bytes` is how much of an uploaded file has been written.

use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::gates::{GateError, Place, Verdict};
use crate::server::Cloud;
use crate::server::admin::{complaint, json_reply};
use crate::server::connection::HttpReply;
use crate::server::http::text;
use crate::wire::encoding::decode_pairs;
use crate::wire::http::Request;

/// The longest a request may wait for a gate, in seconds.
const LONGEST_WAIT: f64 = 600.0;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    then: Verdict,
}

impl Cloud {
    /// Answers what is asked of all effects and gates.
    pub(super) fn administer_gates(&self, request: &Request) -> HttpReply {
        match (request.head.method.as_str(), request.head.path.as_str()) {
            ("GET", "/_mock/effects") => text(200, "application/x-ndjson", self.gates.effects()),
            ("DELETE", "/_mock/effects") => {
                self.gates.forget();
                json_reply(&json!({"effects": 0}))
            }
            ("POST", "/_mock/gates") => self.set_gate(&request.body),
            _ => complaint(404, "there is no such endpoint"),
        }
    }

    /// Answers what is asked of one gate.
    pub(super) async fn administer_gate(&self, request: &Request) -> HttpReply {
        let id = request.head.path.rsplit('/').next().and_then(|id| id.parse().ok());
        match (request.head.method.as_str(), id) {
            ("GET", Some(id)) => match wait(&request.head.query) {
                Some(patience) => {
                    self.gates.watch(id, patience).await.map_or_else(refusal, |gate| json_reply(&gate))
                }
                None => complaint(400, "wait is a number of seconds from 0 to 600"),
            },
            ("POST", Some(id)) => self.open_gate(id, &request.body),
            _ => complaint(404, "there is no such endpoint"),
        }
    }

    fn set_gate(&self, body: &[u8]) -> HttpReply {
        let form = "{\"key\": KEY, \"occurrence\": N, \"moment\": \"before\" or \"after\"} is needed";
        match read::<Place>(body, form) {
            Ok(place) => self.gates.set(place).map_or_else(refusal, |id| json_reply(&json!({"gate": id}))),
            Err(reply) => reply,
        }
    }

    fn open_gate(&self, id: u64, body: &[u8]) -> HttpReply {
        match read::<Order>(body, "{\"then\": \"go\"} or {\"then\": \"drop\"} is needed") {
            Ok(order) => {
                self.gates.tell(id, order.then).map_or_else(refusal, |()| json_reply(&json!({"gate": id})))
            }
            Err(reply) => reply,
        }
    }
}

fn read<T: DeserializeOwned>(body: &[u8], form: &str) -> Result<T, HttpReply> {
    serde_json::from_slice(body).map_err(|error| complaint(400, &format!("{form}: {error}")))
}

/// How long to wait; not at all unless told.
fn wait(query: &str) -> Option<Duration> {
    let pairs = decode_pairs(query);
    let Some((_, seconds)) = pairs.iter().find(|(name, _)| name == "wait") else {
        return Some(Duration::ZERO);
    };
    let seconds: f64 = seconds.parse().ok()?;
    (0.0..=LONGEST_WAIT).contains(&seconds).then(|| Duration::from_secs_f64(seconds))
}

fn refusal(error: GateError) -> HttpReply {
    let status = match error {
        GateError::Unknown(_) => 404,
        GateError::NothingHeld(..) | GateError::Past { .. } | GateError::Taken(_) => 409,
    };
    complaint(status, &error.to_string())
}
