//! The medians of all rounds, as they stand in BENCHMARKS.md, and the goals held against them.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::Round;
use crate::tools::Tool;

/// Each tool's rounds on the same hosts.
pub(crate) type Figures = BTreeMap<Tool, Vec<Round>>;
/// By the number of hosts.
pub(crate) type Sizes = BTreeMap<usize, Figures>;

/// How often an unchanged redeploy is to fit into that of a peer.
const TIMES: [(Tool, f64); 2] = [(Tool::Ansible, 10.0), (Tool::Pyinfra, 3.0)];
/// How many hosts are to be found unchanged within how long.
const MANY: (usize, Duration) = (100, Duration::from_secs(3));

/// Some durations of the same thing.
struct Times(Vec<Duration>);

impl Times {
    fn of(rounds: &[Round], of: fn(&Round) -> Duration) -> Self {
        let mut times: Vec<Duration> = rounds.iter().map(of).collect();
        times.sort();
        Self(times)
    }

    fn median(&self) -> Duration {
        self.0[self.0.len() / 2]
    }

    fn row(&self) -> String {
        let [least, most] = [0, self.0.len() - 1].map(|place| self.0[place].as_secs_f64());
        format!("{:.2} s | {least:.2} to {most:.2} s", self.median().as_secs_f64())
    }
}

pub(crate) fn print_head() {
    println!(
        "| hosts | tool | first deploy | min to max | unchanged redeploy | min to max | to albatross |\n\
         |--:|---|--:|--:|--:|--:|--:|"
    );
}

pub(crate) fn print_rows(size: usize, figures: &Figures) {
    for (tool, rounds) in figures {
        let (first, unchanged) =
            (Times::of(rounds, |round| round.first), Times::of(rounds, |round| round.unchanged));
        let ratio = times(figures, *tool).unwrap_or(1.0);
        println!("| {size} | {tool} | {} | {} | {ratio:.1} |", first.row(), unchanged.row());
    }
}

pub(crate) fn print_goals(all: &Sizes) {
    println!("\n| goal | wanted | reached | |\n|---|--:|--:|---|");
    let verdict = |is_met: bool| if is_met { "met" } else { "missed" };
    for (size, figures) in all {
        for (tool, wanted) in TIMES {
            let Some(reached) = times(figures, tool) else { continue };
            let is_met = verdict(reached >= wanted);
            println!(
                "| {tool}'s unchanged redeploy of {size} hosts | {wanted} times ours | {reached:.1} | {is_met} |"
            );
        }
        if let (true, Some(ours)) = (*size == MANY.0, unchanged(figures, Tool::Albatross)) {
            let (wanted, is_met) = (MANY.1.as_secs(), verdict(ours < MANY.1));
            let ours = ours.as_secs_f64();
            println!("| {size} hosts found unchanged | within {wanted} s | {ours:.2} s | {is_met} |");
        }
    }
}

fn unchanged(figures: &Figures, tool: Tool) -> Option<Duration> {
    figures.get(&tool).map(|rounds| Times::of(rounds, |round| round.unchanged).median())
}

/// How often our unchanged redeploy fits into that of a tool.
fn times(figures: &Figures, tool: Tool) -> Option<f64> {
    let [own, ours] = [unchanged(figures, tool)?, unchanged(figures, Tool::Albatross)?];
    Some(own.as_secs_f64() / ours.as_secs_f64())
}
