//! Effects, counted, and gates at which one of them is held: so that a test can end a program at any moment it likes.
//!
//! An *effect* is an API call that changes something, a command that starts over SSH, or a file written or moved over
//! SFTP. Each has a key, and an occurrence counted for each key:
//!
//! | Key | Is |
//! |---|---|
//! | `api Vpc.CreateVpc` | a call that was authenticated, whatever it is answered |
//! | `command ecs01 systemctl restart chat-node.service` | the whole command line, on the host of this name |
//! | `upload ecs01 /opt/albatross/current` | a file, from its opening for writing to its close |
//! | `upload ecs01 rename /from /to` | a file that is moved |
//!
//! What differs from run to run is written `*` in a key: the middle of `/etc/.name.1f2e3d4c.new`, 32 hex digits in a
//! row, addresses (who has which depends on whose call came first), and the releases whose names follow from them.
//!
//! A *gate* waits for one occurrence of a key, before the effect or after it. Before: the request is read and
//! authenticated, and nothing else. After: the effect is complete, its answer is not sent. What is held goes on when it
//! is told to, whether or not its caller is still there; a real host finishes a command whose caller died, too.
//!
//! 1. Whoever is about to do something says so with [`Gates::arrive`] and gets a [`Passage`];
//! 2. [`Passage::begin`] and [`Passage::end`] wait at a gate, when there is one;
//! 3. the endpoints of `/_mock/` read the effects, set gates and open them.

mod key;
mod passage;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::watch;

pub(crate) use passage::{Passage, Verdict};

/// Effects that are remembered; beyond it the oldest are forgotten. Their occurrences stay counted.
const MOST_EFFECTS: usize = 1 << 16;

/// Effects that are looked through for those under way.
const MOST_SHOWN: usize = 256;

/// What kind of effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// A call of the API.
    Api,
    /// A command over SSH.
    Command,
    /// A file over SFTP.
    Upload,
}

/// How far an effect is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Progress {
    /// It waits at a gate.
    Held,
    /// It has begun.
    Running,
    /// It never began, and never will.
    Dropped,
    /// It came to its end.
    Done,
    /// It came to its end, and its caller was gone before it began.
    Late,
}

#[derive(Debug, Clone, Serialize)]
struct Effect {
    sequence: u64,
    kind: Kind,
    key: String,
    occurrence: u64,
    state: Progress,
    /// When it came, in milliseconds since 1970.
    since: i64,
    /// When it was over.
    at: Option<i64>,
    /// How much of a file was written.
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<u64>,
}

/// On which side of the effect a gate is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Moment {
    /// Nothing of it is done.
    Before,
    /// All of it is done; its answer is not sent.
    After,
}

/// Which effect a gate is for.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Place {
    key: String,
    /// From 1.
    occurrence: u64,
    moment: Moment,
}

/// How far a gate is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum GateState {
    /// Its effect has not come.
    Armed,
    /// Its effect waits.
    Held {
        /// Whether its caller is gone.
        is_alone: bool,
    },
    /// The effect was told to go on, or not to.
    Told(Verdict),
    /// The effect is over, in this way.
    Over(Progress),
    /// Taken back before its effect came.
    Disarmed,
}

impl GateState {
    fn as_str(self) -> &'static str {
        match self {
            Self::Armed => "armed",
            Self::Held { .. } => "held",
            Self::Told(_) | Self::Over(Progress::Held | Progress::Running) => "running",
            Self::Over(Progress::Dropped) => "dropped",
            Self::Over(Progress::Done) => "done",
            Self::Over(Progress::Late) => "late",
            Self::Disarmed => "disarmed",
        }
    }

    /// Whether something is still to be waited for.
    fn is_settled(self) -> bool {
        !matches!(self, Self::Armed | Self::Told(_))
    }
}

#[derive(Debug)]
struct Gate {
    place: Place,
    state: watch::Sender<GateState>,
}

/// Why a gate cannot be set or opened.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum GateError {
    /// The number is not one of a gate.
    #[error("there is no gate {0}; `DELETE /_mock/effects` forgets all gates")]
    Unknown(u64),
    /// Nothing waits there.
    #[error("nothing is held at gate {0}: it is {1}")]
    NothingHeld(u64, &'static str),
    /// It would never be reached.
    #[error("occurrence {occurrence} of `{key}` has been already; the next one is {next}")]
    Past {
        /// Of what.
        key: String,
        /// Which was asked for.
        occurrence: u64,
        /// Which comes next.
        next: u64,
    },
    /// There is one.
    #[error("gate {0} is at this place already")]
    Taken(u64),
}

/// The effects of one cloud and its gates. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Gates(Arc<Mutex<Book>>);

#[derive(Debug, Default)]
struct Book {
    /// By a number that is never given twice.
    effects: BTreeMap<u64, Effect>,
    next_effect: u64,
    /// The number of the first effect since counting began.
    first_effect: u64,
    counts: BTreeMap<String, u64>,
    gates: BTreeMap<u64, Gate>,
    next_gate: u64,
}

impl Book {
    /// The gate of a place.
    fn gate_at(&self, key: &str, occurrence: u64, moment: Moment) -> Option<(u64, &Gate)> {
        let is_it =
            |place: &Place| (place.occurrence, place.moment) == (occurrence, moment) && place.key == key;
        self.gates.iter().find(|(_, gate)| is_it(&gate.place)).map(|(id, gate)| (*id, gate))
    }

    fn add_bytes(&mut self, effect: u64, more: u64) {
        if let Some(effect) = self.effects.get_mut(&effect) {
            effect.bytes = Some(effect.bytes.unwrap_or_default() + more);
        }
    }

    fn set_progress(&mut self, effect: u64, progress: Progress) {
        if let Some(effect) = self.effects.get_mut(&effect) {
            effect.state = progress;
            effect.at = match progress {
                Progress::Held | Progress::Running => None,
                Progress::Dropped | Progress::Done | Progress::Late => Some(now()),
            };
        }
    }
}

impl Gates {
    fn lock(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that something is about to be done.
    pub(crate) fn arrive(&self, kind: Kind, what: &str) -> Passage {
        let key = key::of(kind, what);
        let mut book = self.lock();
        let count = book.counts.entry(key.clone()).or_default();
        *count += 1;
        let occurrence = *count;
        let number = book.next_effect;
        book.next_effect += 1;
        let sequence = number - book.first_effect + 1;
        let effect = Effect {
            sequence,
            kind,
            key: key.clone(),
            occurrence,
            state: Progress::Running,
            since: now(),
            at: None,
            bytes: None,
        };
        book.effects.insert(number, effect);
        if book.effects.len() > MOST_EFFECTS {
            book.effects.pop_first();
        }
        drop(book);
        Passage::new(self.clone(), number, key, occurrence)
    }

    /// Every effect since counting began, in order, one line each.
    pub(crate) fn effects(&self) -> String {
        let book = self.lock();
        let lines = book.effects.values().filter_map(|effect| serde_json::to_string(effect).ok());
        lines.fold(String::new(), |all, line| all + &line + "\n")
    }

    /// What has begun and is not over, for people.
    pub(crate) fn under_way(&self) -> Vec<Value> {
        let book = self.lock();
        let is_open = |effect: &&Effect| matches!(effect.state, Progress::Held | Progress::Running);
        let recent = book.effects.values().rev().take(MOST_SHOWN).filter(is_open);
        recent.map(|effect| json!({"what": effect.state, "of": effect.key, "ends_in": null})).collect()
    }

    /// Begins counting anew. Every gate is taken back; what is held goes on.
    pub(crate) fn forget(&self) {
        let mut book = self.lock();
        book.effects.clear();
        book.counts.clear();
        book.first_effect = book.next_effect;
        for gate in std::mem::take(&mut book.gates).into_values() {
            gate.state.send_if_modified(|state| {
                match state {
                    GateState::Armed => *state = GateState::Disarmed,
                    GateState::Held { .. } => *state = GateState::Told(Verdict::Go),
                    GateState::Told(_) | GateState::Over(_) | GateState::Disarmed => return false,
                }
                true
            });
        }
    }

    /// Sets a gate and gives its number.
    pub(crate) fn set(&self, mut place: Place) -> Result<u64, GateError> {
        place.key = key::plain(&place.key);
        let mut book = self.lock();
        let next = book.counts.get(&place.key).copied().unwrap_or_default() + 1;
        if place.occurrence < next {
            return Err(GateError::Past { key: place.key, occurrence: place.occurrence, next });
        }
        if let Some((id, _)) = book.gate_at(&place.key, place.occurrence, place.moment) {
            return Err(GateError::Taken(id));
        }
        book.next_gate += 1;
        let id = book.next_gate;
        book.gates.insert(id, Gate { place, state: watch::Sender::new(GateState::Armed) });
        Ok(id)
    }

    /// Tells what waits at a gate to go on, or never to.
    pub(crate) fn tell(&self, id: u64, verdict: Verdict) -> Result<(), GateError> {
        let book = self.lock();
        let gate = book.gates.get(&id).ok_or(GateError::Unknown(id))?;
        let was_held = gate.state.send_if_modified(|state| {
            let was_held = matches!(state, GateState::Held { .. });
            if was_held {
                *state = GateState::Told(verdict);
            }
            was_held
        });
        if was_held {
            return Ok(());
        }
        Err(GateError::NothingHeld(id, gate.state.borrow().as_str()))
    }

    /// Waits until the effect of a gate is held or over, at most this long; then says how far the gate is.
    pub(crate) async fn watch(&self, id: u64, patience: std::time::Duration) -> Result<Value, GateError> {
        let mut state = {
            let book = self.lock();
            book.gates.get(&id).ok_or(GateError::Unknown(id))?.state.subscribe()
        };
        // Whether or not it came in time shows in the state itself.
        let _ = tokio::time::timeout(patience, state.wait_for(|state| state.is_settled())).await;
        let state = *state.borrow();
        Ok(match state {
            GateState::Held { is_alone } => json!({"gate": id, "state": "held", "alone": is_alone}),
            GateState::Armed | GateState::Told(_) | GateState::Over(_) | GateState::Disarmed => {
                json!({"gate": id, "state": state.as_str()})
            }
        })
    }
}

fn now() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

#[cfg(test)]
mod tests;
