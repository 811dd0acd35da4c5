//! How the figures change with the number of connections, and with the number of nodes on one Redis.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use chat_load::rapid::room::{Load, Room, Times};
use chat_load::rapid::tally::Verdict;

use crate::measure::{CLIENTS, Extent, NODES, RATES, SENDERS, Talk, WINDOW, paced_by, talk};
use crate::picture::{Chart, Series, write};
use crate::process::settle;
use crate::subjects::{Ground, Stand, Subject};
use crate::table::grouped;

const CONNECTIONS: [usize; 4] = [100, 1000, 5000, 20_000];
const COUNTS: [usize; 4] = [1, 2, 4, 8];
/// Files that are open beside the connections.
const OTHERS: u64 = 500;

/// One point of a curve.
struct Point {
    closed: Talk,
    paced: Option<Talk>,
}

/// Draws both pictures into a folder, prints their figures, and says what was wrong.
pub(crate) fn draw(ground: &Ground, extent: Extent, folder: &Path) -> Result<Verdict> {
    let mut verdict = by_connections(ground, extent, folder)?;
    verdict.add(by_nodes(ground, extent, folder)?);
    Ok(verdict)
}

fn times(extent: Extent, clients: usize) -> Times {
    let Times { warm_up, span } = extent.times;
    // A message to twenty thousand takes a while by itself.
    let more = if clients > 2000 { Duration::from_secs(1) } else { Duration::ZERO };
    Times { warm_up: warm_up + more, span: span.min(Duration::from_secs(2)) + more }
}

fn point(
    ground: &Ground,
    subject: Subject,
    (nodes, clients): (usize, usize),
    extent: Extent,
    verdict: &mut Verdict,
) -> Result<Point> {
    let stand = Stand::start(ground, subject, nodes)?;
    let (mut room, _) = Room::arrive(stand.guests(clients, SENDERS))?;
    let closed = talk(&mut room, &stand, Load::Closed(WINDOW), times(extent, clients))?;
    let mut last = closed.figures.verdict;
    let mut paced = None;
    if closed.rate() > f64::from(RATES[1]) {
        settle(&stand.nodes.iter().collect::<Vec<_>>())?;
        let talk = talk(&mut room, &stand, paced_by(RATES[1], clients), times(extent, clients))?;
        last = talk.figures.verdict;
        paced = Some(talk).filter(|talk| talk.is_held(RATES[1]));
    }
    if subject.is_ours() {
        verdict.add(last);
    }
    Ok(Point { closed, paced })
}

/// The points; where the system lets no program open so many files, the last one has as many connections as there may be.
fn connections(ground: &Ground, extent: Extent) -> Vec<usize> {
    let allowed = usize::try_from(ground.open_files.saturating_sub(OTHERS)).unwrap_or(usize::MAX);
    let wanted = CONNECTIONS.iter().filter(|clients| !extent.is_quick || **clients <= 1000);
    wanted.map(|clients| allowed.min(*clients)).collect()
}

fn by_connections(ground: &Ground, extent: Extent, folder: &Path) -> Result<Verdict> {
    let mut verdict = Verdict::default();
    let connections = connections(ground, extent);
    println!(
        "| connections | server | deliveries a second | p99 there | p99 at {} a second |\n|--:|---|--:|--:|--:|",
        grouped(f64::from(RATES[1]))
    );
    let (mut throughput, mut latency) = (Vec::new(), Vec::new());
    for (subject, name, class) in [
        (Subject::Bare, "the limit", "limit"),
        (Subject::ChatNode, "chat-node", "own"),
        (Subject::NodeJs, "Node.js", "peer"),
    ] {
        if !ground.has(subject) {
            continue;
        }
        let (mut rates, mut ends) = (Vec::new(), Vec::new());
        for clients in &connections {
            let point = point(ground, subject, (NODES, *clients), extent, &mut verdict)?;
            let end = point.paced.as_ref().and_then(|talk| talk.within(990));
            println!(
                "| {} | {subject} | {} | {:.1} ms | {} |",
                grouped(*clients as f64),
                grouped(point.closed.rate()),
                point.closed.within(990).unwrap_or(f64::NAN),
                end.map_or("not held".to_owned(), |end| format!("{end:.1} ms")),
            );
            rates.push(Some(point.closed.rate() / 1e6));
            ends.push(end);
        }
        throughput.push(Series { name, class, values: rates });
        if ends.iter().any(Option::is_some) {
            latency.push(Series { name, class, values: ends });
        }
    }
    println!();
    let ticks = || connections.iter().map(|count| grouped(*count as f64)).collect();
    let second = format!("p99 across nodes at {} deliveries a second, ms", grouped(f64::from(RATES[1])));
    let charts = [
        Chart {
            title: "Deliveries a second, millions".to_owned(),
            x: "connections",
            ticks: ticks(),
            series: throughput,
        },
        Chart { title: second, x: "connections", ticks: ticks(), series: latency },
    ];
    write(&folder.join("bench-chat-connections.svg"), "Two nodes on one core, by connections", &charts)?;
    Ok(verdict)
}

fn by_nodes(ground: &Ground, extent: Extent, folder: &Path) -> Result<Verdict> {
    let mut verdict = Verdict::default();
    println!(
        "| nodes | deliveries a second | p99 there | messages a second | Redis a message |\n|--:|--:|--:|--:|--:|"
    );
    let (mut rates, mut costs) = (Vec::new(), Vec::new());
    for nodes in COUNTS {
        let closed = point(ground, Subject::ChatNode, (nodes, CLIENTS), extent, &mut verdict)?.closed;
        let messages = closed.rate() / CLIENTS as f64;
        println!(
            "| {nodes} | {} | {:.1} ms | {} | {:.1} µs |",
            grouped(closed.rate()),
            closed.within(990).unwrap_or_default(),
            grouped(messages),
            closed.redis_cost(),
        );
        rates.push(Some(closed.rate() / 1e6));
        costs.push(Some(closed.redis_cost()));
    }
    println!();
    let series = |values| vec![Series { name: "chat-node", class: "own", values }];
    let ticks = || COUNTS.iter().map(usize::to_string).collect();
    let charts = [
        Chart {
            title: "Deliveries a second, millions, all nodes on one core".to_owned(),
            x: "nodes",
            ticks: ticks(),
            series: series(rates),
        },
        Chart {
            title: "CPU of Redis a message, µs".to_owned(),
            x: "nodes",
            ticks: ticks(),
            series: series(costs),
        },
    ];
    write(&folder.join("bench-chat-nodes.svg"), "Nodes on one Redis, 200 connections", &charts)?;
    Ok(verdict)
}
