//! What goes wrong in a run, drawn from its seed.
//!
//! Every fault has a name that says where it strikes: act, attempt, action and occurrence. The same seed strikes the
//! same places, and a run can be repeated with some of its faults only.

use std::collections::{BTreeMap, BTreeSet};

use crate::draw;

/// What happens to one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Refused for too many calls; not done.
    Throttled,
    /// A server failed before it was done.
    Failed,
    /// A server failed after it was done.
    FailedAfter,
    /// The connection was cut before it arrived.
    LostRequest,
    /// Done, and the connection was cut.
    LostReply,
    /// There was no connection.
    Unconnected,
    /// Answered as things were so many milliseconds ago.
    Stale(i64),
    /// Done at once, answered after so many milliseconds.
    Slow(u64),
}

/// How a command ends in the middle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Crash {
    /// When the effect of this number is about to happen.
    Before(u64),
    /// When it has happened and nobody has heard of it.
    After(u64),
    /// At this of its awaits.
    AtAwait(u64),
}

/// The kinds a run has, each with its share in percent of the calls.
#[derive(Debug, Clone, Copy)]
struct Profile {
    calls: [u64; 8],
    ssh: u64,
    crash: u64,
    jump: u64,
}

/// The faults of a run.
#[derive(Debug)]
pub(crate) struct Faults {
    seed: u64,
    profile: Profile,
    /// None when all that is drawn strikes.
    only: Option<BTreeSet<String>>,
    /// What struck, in order.
    struck: Vec<String>,
    /// Act and attempt; none while nothing may go wrong.
    place: Option<String>,
    met: BTreeMap<String, u64>,
    /// Whether something was answered as it was, here.
    looked_back: bool,
}

impl Faults {
    /// Those of a seed; with `only`, no others than these.
    pub(crate) fn of(seed: u64, only: Option<BTreeSet<String>>) -> Self {
        let calm = draw::happens(seed, "calm", 20);
        let share = |name: &str, most: u64| {
            let off = calm || draw::happens(seed, &format!("no {name}"), 50);
            if off { 0 } else { draw::within(seed, &format!("share of {name}"), 1, most) }
        };
        let names = ["throttled", "failed", "failed after", "lost request", "lost reply", "unconnected"];
        let mut calls = [0; 8];
        for (slot, name) in names.into_iter().enumerate() {
            calls[slot] = share(name, 8);
        }
        calls[6] = share("stale", 30);
        calls[7] = share("slow", 20);
        let crash = if calm { 0 } else { draw::within(seed, "share of crashes", 0, 100) };
        let profile = Profile { calls, ssh: share("ssh", 4), crash, jump: share("jump", 50) };
        Self {
            seed,
            profile,
            only,
            struck: Vec::new(),
            place: None,
            met: BTreeMap::new(),
            looked_back: false,
        }
    }

    /// Whether nothing ever goes wrong with this seed.
    pub(crate) fn are_none(&self) -> bool {
        let Profile { calls, ssh, crash, jump } = self.profile;
        calls.iter().sum::<u64>() + ssh + crash + jump == 0
            || self.only.as_ref().is_some_and(BTreeSet::is_empty)
    }

    /// Whether a read may be answered as things were.
    pub(crate) fn look_back(&self) -> bool {
        self.profile.calls[6] > 0
    }

    /// From now on faults are those of this place; with none, nothing goes wrong.
    pub(crate) fn enter(&mut self, place: Option<String>) {
        self.place = place;
        self.met.clear();
        self.looked_back = false;
    }

    /// What struck so far.
    pub(crate) fn struck(&self) -> &[String] {
        &self.struck
    }

    /// The fault of a call that arrives now.
    pub(crate) fn of_call(&mut self, action: &str, reads: bool) -> Option<Fault> {
        let name = self.next_name(action)?;
        let roll = draw::within(self.seed, &name, 0, 99);
        let drawn = |name: &str, most| draw::within(self.seed, name, 100, most);
        let milliseconds = drawn(&format!("{name} time"), 4_000);
        let kinds = [
            Fault::Throttled,
            Fault::Failed,
            Fault::FailedAfter,
            Fault::LostRequest,
            Fault::LostReply,
            Fault::Unconnected,
            Fault::Stale(i64::try_from(milliseconds).unwrap_or(100)),
            Fault::Slow(milliseconds * 4),
        ];
        let mut below = 0;
        let fault = kinds.into_iter().zip(self.profile.calls).find_map(|(fault, share)| {
            below += share;
            (roll < below).then_some(fault)
        })?;
        (reads || !matches!(fault, Fault::Stale(_))).then(|| self.strike(name)).flatten()?;
        self.looked_back |= matches!(fault, Fault::Stale(_));
        Some(fault)
    }

    /// Whether something was answered as it was, in this attempt.
    pub(crate) fn looked_back(&self) -> bool {
        self.looked_back
    }

    /// Whether connections to machines may be lost now.
    pub(crate) fn may_lose_machines(&self) -> bool {
        self.place.is_some() && self.profile.ssh > 0
    }

    /// Whether the connection to a machine is lost at a step; and whether the step was still done.
    pub(crate) fn of_step(&mut self, step: &str) -> Option<bool> {
        let name = self.next_name(step)?;
        let lost = draw::happens(self.seed, &name, self.profile.ssh);
        let done = draw::happens(self.seed, &format!("{name} done"), 50);
        lost.then(|| self.strike(name)).flatten()?;
        Some(done)
    }

    /// How the attempt that begins now ends in the middle, if it does.
    pub(crate) fn crash(&mut self) -> Option<Crash> {
        let name = self.next_name("crash")?;
        if !draw::happens(self.seed, &name, self.profile.crash) {
            return None;
        }
        self.strike(name.clone())?;
        let number = |most| draw::within(self.seed, &format!("{name} where"), 1, most);
        Some(match draw::within(self.seed, &format!("{name} how"), 0, 2) {
            0 => Crash::Before(number(70)),
            1 => Crash::After(number(70)),
            _ => Crash::AtAwait(number(4_000)),
        })
    }

    /// By how many seconds all clocks jump before the next attempt, if they do.
    pub(crate) fn jump(&mut self) -> Option<u64> {
        let name = self.next_name("jump")?;
        let jumps = draw::happens(self.seed, &name, self.profile.jump);
        let seconds = draw::within(self.seed, &format!("{name} by"), 60, 6 * 3600);
        jumps.then(|| self.strike(name)).flatten()?;
        Some(seconds)
    }

    fn next_name(&mut self, what: &str) -> Option<String> {
        let place = self.place.as_ref()?;
        let met = self.met.entry(what.to_owned()).or_default();
        *met += 1;
        Some(format!("{place}/{what}/{met}"))
    }

    /// Notes that a fault strikes, unless it is left out.
    fn strike(&mut self, name: String) -> Option<()> {
        if self.only.as_ref().is_some_and(|only| !only.contains(&name)) {
            return None;
        }
        self.struck.push(name);
        Some(())
    }
}
