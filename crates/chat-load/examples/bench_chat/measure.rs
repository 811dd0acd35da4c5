//! What is measured of one server: how much, how soon, at what cost, and that nothing went wrong with it.

use std::time::Duration;

use anyhow::{Context, Result};
use chat_load::rapid::room::{Figures, Load, Room, Times};
use chat_load::rapid::tally::Verdict;

use crate::process::{Program, computed_here, settle};
use crate::subjects::{Ground, Stand, Subject};

/// Clients in the room.
pub(crate) const CLIENTS: usize = 200;
/// Those of them who speak.
pub(crate) const SENDERS: usize = 20;
/// Messages each of them has under way in the closed loop.
pub(crate) const WINDOW: u32 = 4;
/// Nodes.
pub(crate) const NODES: usize = 2;
/// Deliveries a second that are asked for.
pub(crate) const RATES: [u32; 2] = [20_000, 200_000];
/// Part of what was asked for that has to arrive for the rate to count as held.
const HELD: f64 = 0.97;
/// Clients that are there before memory is looked at.
const FIRST: usize = 100;

/// How long everything takes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Extent {
    pub(crate) rounds: usize,
    pub(crate) times: Times,
    /// Clients that come and do nothing.
    pub(crate) idle: usize,
    /// The last curve points are left out.
    pub(crate) is_quick: bool,
}

impl Extent {
    pub(crate) fn new(is_quick: bool) -> Self {
        if is_quick {
            let times = Times { warm_up: Duration::from_millis(400), span: Duration::from_secs(1) };
            return Self { rounds: 1, times, idle: 1000, is_quick };
        }
        let times = Times { warm_up: Duration::from_secs(1), span: Duration::from_secs(3) };
        Self { rounds: 3, times, idle: 2000, is_quick }
    }
}

/// What programs computed in a span, as parts of one core.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Busy {
    pub(crate) nodes: f64,
    pub(crate) redis: f64,
    pub(crate) clients: f64,
}

/// One span of talk.
#[derive(Debug, Clone)]
pub(crate) struct Talk {
    pub(crate) figures: Figures,
    pub(crate) busy: Busy,
}

impl Talk {
    /// Deliveries a second.
    pub(crate) fn rate(&self) -> f64 {
        float(self.figures.deliveries) / self.figures.took.as_secs_f64()
    }

    /// Whether so many deliveries a second arrived as were asked for.
    pub(crate) fn is_held(&self, rate: u32) -> bool {
        self.rate() > HELD * f64::from(rate)
    }

    /// Milliseconds within which so many of a thousand came.
    pub(crate) fn within(&self, thousandths: u64) -> Option<f64> {
        self.figures.latency.within(thousandths).map(|time| time.as_secs_f64() * 1000.0)
    }

    /// Microseconds of the nodes' core that a delivery took.
    pub(crate) fn cost(&self) -> f64 {
        self.busy.nodes * 1e6 / self.rate()
    }

    /// Microseconds that a message took of Redis.
    pub(crate) fn redis_cost(&self) -> f64 {
        self.busy.redis * self.figures.took.as_secs_f64() * 1e6 / float(self.figures.messages)
    }
}

/// What one round gave.
#[derive(Debug, Clone)]
pub(crate) struct Round {
    pub(crate) closed: Talk,
    /// At each of [`RATES`]; nothing where it was not held.
    pub(crate) paced: [Option<Talk>; 2],
    /// KiB of an idle connection.
    pub(crate) idle: f64,
    /// Connections a second.
    pub(crate) connects: f64,
    pub(crate) verdict: Verdict,
}

/// One round of one server.
pub(crate) fn round(ground: &Ground, subject: Subject, extent: Extent) -> Result<Round> {
    let stand = Stand::start(ground, subject, NODES)?;
    let (idle, connects) = idle(&stand, extent.idle).context("clients that do nothing")?;
    let all: Vec<&Program> = stand.nodes.iter().chain([&stand.redis]).collect();
    settle(&all)?;
    let (mut room, _) = Room::arrive(stand.guests(CLIENTS, SENDERS))?;
    let closed = talk(&mut room, &stand, Load::Closed(WINDOW), extent.times)?;
    let mut verdict = closed.figures.verdict;
    let mut paced = [None, None];
    for (place, rate) in paced.iter_mut().zip(RATES) {
        // What is far beyond it would only pile up.
        if closed.rate() < f64::from(rate) {
            continue;
        }
        settle(&all)?;
        let talk = talk(&mut room, &stand, paced_by(rate, CLIENTS), extent.times)?;
        verdict = talk.figures.verdict;
        *place = Some(talk).filter(|talk| talk.is_held(rate));
    }
    Ok(Round { closed, paced, idle, connects, verdict })
}

/// So many deliveries a second to so many clients.
pub(crate) fn paced_by(rate: u32, clients: usize) -> Load {
    let clients = u32::try_from(clients).unwrap_or(u32::MAX);
    Load::Paced((rate / clients).max(1))
}

/// Memory of a connection, and how many come in a second.
fn idle(stand: &Stand, count: usize) -> Result<(f64, f64)> {
    let all: Vec<&Program> = stand.nodes.iter().chain([&stand.redis]).collect();
    let _first = Room::arrive(stand.guests(FIRST, 0))?;
    settle(&all)?;
    let before = resident(stand)?;
    let (_crowd, took) = Room::arrive(stand.guests(count, 0))?;
    settle(&all)?;
    let more = resident(stand)?.saturating_sub(before);
    let count = float(count as u64);
    Ok((float(more) / 1024.0 / count, count / took.as_secs_f64()))
}

fn resident(stand: &Stand) -> Result<u64> {
    stand.nodes.iter().map(Program::resident).sum()
}

/// Lets a room talk, and measures what it costs.
pub(crate) fn talk(room: &mut Room, stand: &Stand, load: Load, times: Times) -> Result<Talk> {
    let mut samples: Vec<Result<[Duration; 3]>> = Vec::new();
    let figures = room.talk(load, times, &mut || samples.push(sample(stand)))?;
    let mut samples = samples.into_iter();
    let mut next = || samples.next().context("both ends of the span")?;
    let (before, after) = (next()?, next()?);
    let part =
        |place: usize| after[place].saturating_sub(before[place]).as_secs_f64() / figures.took.as_secs_f64();
    let busy = Busy { nodes: part(0), redis: part(1), clients: part(2) };
    Ok(Talk { figures, busy })
}

fn sample(stand: &Stand) -> Result<[Duration; 3]> {
    let nodes = stand.nodes.iter().map(Program::computed).sum::<Result<_>>()?;
    Ok([nodes, stand.redis.computed()?, computed_here()?])
}

/// As a number to divide.
pub(crate) fn float(number: u64) -> f64 {
    // Counts of a bench are far below 2^52.
    number as f64
}
