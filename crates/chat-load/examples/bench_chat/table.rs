//! The medians of all rounds, as they stand in BENCHMARKS.md, and the goals held against them.

use std::collections::BTreeMap;

use crate::measure::{RATES, Round, Talk};
use crate::subjects::Subject;

/// Each server's rounds.
pub(crate) type Rounds = BTreeMap<Subject, Vec<Round>>;

/// The middle one of some figures; of those that are there, so that a rate that was held once too few has none.
fn median(figures: impl Iterator<Item = Option<f64>>) -> Option<f64> {
    let mut figures: Vec<f64> = figures.map(|figure| figure.unwrap_or(f64::INFINITY)).collect();
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().filter(|figure| figure.is_finite())
}

/// The medians of one server.
pub(crate) struct Medians {
    deliveries: f64,
    p50: Option<f64>,
    p99: Option<f64>,
    /// At each of [`RATES`].
    paced_p99: [Option<f64>; 2],
    cost: Option<f64>,
    idle: f64,
    connects: f64,
    busy: [f64; 3],
}

impl Medians {
    pub(crate) fn of(rounds: &[Round]) -> Self {
        let figure =
            |of: fn(&Round) -> f64| median(rounds.iter().map(|round| Some(of(round)))).unwrap_or(0.0);
        let paced = |place: usize, of: fn(&Talk) -> Option<f64>| {
            median(rounds.iter().map(|round| round.paced[place].as_ref().and_then(of)))
        };
        Self {
            deliveries: figure(|round| round.closed.rate()),
            p50: median(rounds.iter().map(|round| round.closed.within(500))),
            p99: median(rounds.iter().map(|round| round.closed.within(990))),
            paced_p99: [0, 1].map(|place| paced(place, |talk| talk.within(990))),
            cost: paced(0, |talk| Some(talk.cost())),
            idle: figure(|round| round.idle),
            connects: figure(|round| round.connects),
            busy: [
                figure(|round| round.closed.busy.nodes),
                figure(|round| round.closed.busy.redis),
                figure(|round| round.closed.busy.clients),
            ],
        }
    }
}

/// The table.
pub(crate) fn print(all: &Rounds) {
    println!(
        "| server | deliveries a second | p50 / p99 across nodes | p99 at {} a second | p99 at {} a second | CPU a delivery \
         at {} | an idle connection | connects a second | lost / doubled / out of order |\n\
         |---|--:|--:|--:|--:|--:|--:|--:|--:|",
        grouped(f64::from(RATES[0])),
        grouped(f64::from(RATES[1])),
        grouped(f64::from(RATES[0])),
    );
    for (subject, rounds) in all {
        let medians = Medians::of(rounds);
        let wrong = |of: fn(&Round) -> u64| rounds.iter().map(of).sum::<u64>();
        println!(
            "| {subject} | {} | {} / {} ms | {} | {} | {} | {:.1} KiB | {} | {} / {} / {} |",
            grouped(medians.deliveries),
            shown(medians.p50),
            shown(medians.p99),
            held(medians.paced_p99[0], "ms"),
            held(medians.paced_p99[1], "ms"),
            held(medians.cost, "µs"),
            medians.idle,
            grouped(medians.connects),
            wrong(|round| round.verdict.lost),
            wrong(|round| round.verdict.doubled),
            wrong(|round| round.verdict.reordered),
        );
    }
    println!("\nWho was busy in the closed loop, in parts of one core:\n");
    println!("| server | both nodes | Redis | the clients of this bench |\n|---|--:|--:|--:|");
    for (subject, rounds) in all {
        let [nodes, redis, clients] = Medians::of(rounds).busy.map(|part| part * 100.0);
        println!("| {subject} | {nodes:.0} % | {redis:.0} % | {clients:.0} % |");
    }
    println!();
}

/// A goal, what was reached, and whether that is enough.
struct Goal {
    what: String,
    wanted: String,
    reached: String,
    is_met: bool,
}

/// The goals of the chat node.
pub(crate) fn print_goals(all: &Rounds) {
    let Some(own) = all.get(&Subject::ChatNode).map(|rounds| Medians::of(rounds)) else { return };
    println!("| goal | wanted | reached | |\n|---|--:|--:|---|");
    for Goal { what, wanted, reached, is_met } in goals(&own, all) {
        println!("| {what} | {wanted} | {reached} | {} |", if is_met { "met" } else { "missed" });
    }
    println!();
}

fn goals(own: &Medians, all: &Rounds) -> Vec<Goal> {
    let mut goals = vec![at_least("deliveries a second", 2.4e6, own.deliveries)];
    for (subject, wanted, what) in [
        (Subject::Bare, 0.6, "of what the limit delivers"),
        (Subject::NodeJs, 15.0, "times what Node.js delivers"),
    ] {
        let Some(other) = all.get(&subject).map(|rounds| Medians::of(rounds)) else { continue };
        let ratio = own.deliveries / other.deliveries;
        goals.push(Goal {
            what: what.to_owned(),
            wanted: format!("{wanted:.1}"),
            reached: format!("{ratio:.2}"),
            is_met: ratio >= wanted,
        });
    }
    let p99 = |rate: u32| format!("p99 at {} a second", grouped(f64::from(rate)));
    goals.push(below(p99(RATES[0]), 2.0, own.paced_p99[0], "ms"));
    goals.push(below(p99(RATES[1]), 4.0, own.paced_p99[1], "ms"));
    goals.push(below("CPU a delivery".to_owned(), 5.0, own.cost, "µs"));
    goals.push(below("an idle connection".to_owned(), 8.0, Some(own.idle), "KiB"));
    goals.push(at_least("connects a second", 1e4, own.connects));
    goals
}

fn at_least(what: &str, wanted: f64, reached: f64) -> Goal {
    Goal {
        what: what.to_owned(),
        wanted: format!("at least {}", grouped(wanted)),
        reached: grouped(reached),
        is_met: reached >= wanted,
    }
}

fn below(what: String, wanted: f64, reached: Option<f64>, unit: &str) -> Goal {
    Goal {
        what,
        wanted: format!("at most {wanted:.0} {unit}"),
        reached: held(reached, unit),
        is_met: reached.is_some_and(|reached| reached <= wanted),
    }
}

fn shown(figure: Option<f64>) -> String {
    match figure {
        None => "-".to_owned(),
        Some(figure) if figure < 10.0 => format!("{figure:.1}"),
        Some(figure) => format!("{figure:.0}"),
    }
}

fn held(figure: Option<f64>, unit: &str) -> String {
    match figure {
        None => "not held".to_owned(),
        Some(_) => format!("{} {unit}", shown(figure)),
    }
}

/// A number in groups of three digits; of large ones the first three count.
pub(crate) fn grouped(number: f64) -> String {
    let digits = if number >= 1e4 {
        let unit = 10_f64.powf(number.log10().floor() - 2.0);
        format!("{:.0}", (number / unit).round() * unit)
    } else {
        format!("{number:.0}")
    };
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
