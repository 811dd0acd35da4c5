//! How often a verdict is wrong: seeded rooms, well or with one thing that is not, each verified once.
//!
//! A seed decides what is wrong, on which node, and how quickly the room answers. A sick room that passes is a false
//! pass, a well one that fails a false failure, and a sick one whose right check did not fail was found by luck.
//! `SEEDS=N` runs N of them, `SEED=N` one, `LOAD=N` keeps N threads busy meanwhile.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};

use super::names::Record;
use super::room::{Behaviour, Crossing};
use super::{BALANCER, OUTSIDE, alias, failed, scenario};
use crate::verify::{Check, Means, Report, Scenario, run};

/// Runs where nobody says how many.
const SEEDS: u64 = 24;
/// Rooms at once: they mostly wait.
const AT_ONCE: usize = 4;
/// How long a check may wait, as in `albatross verify`. A busy machine is slow, and no message of a well room may count
/// as lost for that.
const DEADLINE: Duration = Duration::from_secs(10);

/// What is wrong, and a check that has to see it.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Control {
    Well,
    OtherAlias,
    OldAlias,
    NoName,
    Status(u16),
    OneNode,
    Stranger,
    OwnNodeOnly,
    Nowhere,
    Lossy,
    OwnStreams,
    NamesRefused,
    NotSticky,
    Impatient,
}

impl Control {
    const SICK: [Self; 13] = [
        Self::OtherAlias,
        Self::OldAlias,
        Self::NoName,
        Self::Status(0),
        Self::OneNode,
        Self::Stranger,
        Self::OwnNodeOnly,
        Self::Nowhere,
        Self::Lossy,
        Self::OwnStreams,
        Self::NamesRefused,
        Self::NotSticky,
        Self::Impatient,
    ];

    /// Every other seed is a room that is well.
    fn draw(random: &mut StdRng) -> Self {
        if random.random_bool(0.5) {
            return Self::Well;
        }
        let control = Self::SICK.choose(random).copied().unwrap_or(Self::Well);
        if let Self::Status(_) = control {
            return Self::Status([403, 500, 502, 503, 504].choose(random).copied().unwrap_or(502));
        }
        control
    }

    fn seen_by(self) -> Option<&'static str> {
        Some(match self {
            Self::Well => return None,
            Self::OtherAlias | Self::OldAlias | Self::NoName => "dns.cname",
            Self::Status(_) => "page.loads",
            Self::OneNode | Self::Stranger => "nodes.differ",
            Self::OwnNodeOnly | Self::Nowhere => "message.a_to_b",
            Self::Lossy | Self::OwnStreams => "redis.path",
            Self::NamesRefused => "username.set",
            Self::NotSticky => "polling.sticky",
            Self::Impatient => "idle.survives",
        })
    }

    fn record(self) -> Record {
        let named = |name: &str| Record::Alias(name.to_owned(), OUTSIDE);
        match self {
            Self::OtherAlias => named("elsewhere.example.net"),
            Self::OldAlias => named(&BALANCER.replacen("abc", "old", 1)),
            Self::NoName => Record::Missing,
            Self::Well
            | Self::Status(_)
            | Self::OneNode
            | Self::Stranger
            | Self::OwnNodeOnly
            | Self::Nowhere
            | Self::Lossy
            | Self::OwnStreams
            | Self::NamesRefused
            | Self::NotSticky
            | Self::Impatient => alias(),
        }
    }

    fn behaviour(self, random: &mut StdRng) -> Behaviour {
        let nodes = *[["ecs01", "ecs02"], ["ecs02", "ecs01"]].choose(random).expect("two of them");
        let usual = Behaviour { nodes: nodes.to_vec(), ..Behaviour::default() };
        match self {
            Self::Well | Self::OtherAlias | Self::OldAlias | Self::NoName => usual,
            Self::Status(status) => Behaviour { status: Some(status), ..usual },
            Self::OneNode => Behaviour { nodes: vec![nodes[0]], ..usual },
            Self::Stranger => Behaviour { nodes: vec![nodes[0], "ecs09"], ..usual },
            Self::OwnNodeOnly => Behaviour { crossing: Crossing::OwnNode, ..usual },
            Self::Nowhere => Behaviour { crossing: Crossing::Nowhere, ..usual },
            Self::Lossy => Behaviour { crossing: Crossing::NotTheSeventh, ..usual },
            Self::OwnStreams => Behaviour { has_own_streams: true, ..usual },
            Self::NamesRefused => Behaviour { takes_names: false, ..usual },
            Self::NotSticky => Behaviour { is_sticky: false, ..usual },
            Self::Impatient => Behaviour {
                cuts_silent: Some(Duration::from_millis(random.random_range(500..2500))),
                ..usual
            },
        }
    }
}

/// What one seed came to.
struct Outcome {
    seed: u64,
    control: Control,
    report: Report,
}

impl Outcome {
    async fn of(seed: u64) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        let control = Control::draw(&mut random);
        let behaviour = control.behaviour(&mut random);
        let own = scenario(behaviour, control.record()).await;
        // Silence is broken only where somebody is silent for long enough; a sick room is waited for in vain.
        let quick = control != Control::Impatient && random.random_bool(0.9);
        let deadline = if control == Control::Well { DEADLINE } else { own.deadline };
        let own = Scenario { deadline, quick, ..own };
        let report = run(&own, Means::default(), &|_: &Check| {}).await;
        Self { seed, control, report }
    }

    fn is_false_pass(&self) -> bool {
        self.control != Control::Well && self.report.passed()
    }

    fn is_false_failure(&self) -> bool {
        self.control == Control::Well && !self.report.passed()
    }

    /// Failed, and not where the fault is.
    fn is_by_luck(&self) -> bool {
        let seen = self.control.seen_by();
        !self.is_false_pass() && seen.is_some_and(|check| !failed(&self.report).contains(&check))
    }
}

/// Threads that do nothing, and take their share of the machine for it, until this is dropped.
struct Load(Arc<AtomicBool>);

impl Load {
    fn of(threads: u64) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        for _ in 0..threads {
            let is_over = Arc::clone(&is_over);
            std::thread::spawn(move || {
                while !is_over.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            });
        }
        Self(is_over)
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[tokio::test]
async fn seeded_rooms_get_the_verdict_they_deserve() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let _load = Load::of(number("LOAD").unwrap_or(0));
    let seeds = match number("SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("SEEDS").unwrap_or(SEEDS),
    };
    let count = seeds.end - seeds.start;
    let outcomes: Vec<Outcome> =
        stream::iter(seeds).map(Outcome::of).buffer_unordered(AT_ONCE).collect().await;
    let well = outcomes.iter().filter(|one| one.control == Control::Well).count();
    let of = |wrong: fn(&Outcome) -> bool| outcomes.iter().filter(|one| wrong(one)).collect::<Vec<_>>();
    let (passes, failures, lucky) =
        (of(Outcome::is_false_pass), of(Outcome::is_false_failure), of(Outcome::is_by_luck));
    println!(
        "verify, played rooms: {count} runs, {well} of rooms that are well; {} false passes, {} false failures, {} \
         failed for another reason than theirs",
        passes.len(),
        failures.len(),
        lucky.len()
    );
    let mut told = String::new();
    for one in passes.iter().chain(&failures).chain(&lucky) {
        let _ = writeln!(told, "SEED={} ({:?}): failed {:?}", one.seed, one.control, failed(&one.report));
    }
    assert!(told.is_empty(), "{told}");
}
