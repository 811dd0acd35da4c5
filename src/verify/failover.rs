//! `failover`: a node is stopped, its clients get in on another one and go on talking, and it comes back.
//!
//! 1. A client sits on the node that will be stopped, another one elsewhere; they know each other's words.
//! 2. While the node stops, the first notices that its connection ends and connects anew, as a browser does, until it
//!    gets in on another node. Then each has to hear the other. The client elsewhere must not lose its connection.
//! 3. The node is started again in any case: when a client did not find a place, and when somebody says stop, too.
//! 4. It has taken its place again when a client gets in on it.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::time::{Instant, sleep};

use super::check::{Finding, Verdict};
use super::clients::{Person, words};
use super::crowd::{Crowd, Place};
use super::inquiry::GUESS;
use crate::socketio::ClientError;

/// By when a client has to talk on another node, from the moment its own was told to stop. Health checks need a few
/// rounds until the load balancer leaves a node out.
pub const BOUND: Duration = Duration::from_secs(30);
/// By when the node has to have a client again, from the moment it was started.
const RETURN: Duration = Duration::from_mins(1);
/// The pause between two attempts to get in.
const PAUSE: Duration = Duration::from_millis(100);

/// Who can stop a node and start it again; what went wrong is part of a sentence.
pub trait Outage: Send + Sync {
    /// Stops it.
    fn begin<'a>(&'a self, node: &'a str) -> BoxFuture<'a, Result<(), String>>;

    /// Starts it again.
    fn end<'a>(&'a self, node: &'a str) -> BoxFuture<'a, Result<(), String>>;

    /// Comes to its end when somebody says stop.
    fn interrupted(&self) -> BoxFuture<'_, ()>;
}

/// What was measured.
struct Move {
    to: String,
    cut_after: Duration,
    talked_after: Duration,
    refused: usize,
}

/// Stops the last of the nodes.
pub(super) async fn check(place: &Place<'_>, outage: &dyn Outage) -> Verdict {
    let nodes = &place.scenario.nodes;
    let Some((node, others)) = nodes.split_last() else { unreachable!("it is asked of two nodes or more") };
    let fail = |why: String| {
        Finding::new(format!(
            "expected the clients of {node} to talk on another node within {} s after it stops, but {why}",
            BOUND.as_secs()
        ))
        .with("node", node)
        .hint(format!("`albatross logs FILE {node}`; `albatross status FILE` shows the group's servers"))
    };
    let mut crowd = Crowd::default();
    let wanted = [node, &others[0]].map(|name| (name.clone(), 1)).into();
    crowd.gather(place, &wanted).await.map_err(&fail)?;
    let (Some(client), Some(other)) = (crowd.take(node).pop(), crowd.take(&others[0]).pop()) else {
        return Err(fail("nobody was there to begin with".to_owned()));
    };
    let outcome = tokio::select! {
        biased;
        () = outage.interrupted() => Err("somebody said stop".to_owned()),
        done = move_over(place, outage, (client, other)) => done,
    };
    let begun = Instant::now();
    outage.end(node).await.map_err(|why| {
        fail(format!("it could not be started again ({why})"))
            .hint(format!("`albatross ssh FILE {node} -- systemctl start chat-node.service`"))
    })?;
    let moved = outcome.map_err(&fail)?;
    let back = returns(place, outage, node, begun).await.map_err(&fail)?;
    let (to, after) = (&moved.to, moved.talked_after.as_secs_f64());
    Ok(Finding::new(format!(
        "a client of {node} talked on {to} {after:.1} s after {node} was stopped, which has clients again {:.1} s \
         after its start",
        back.as_secs_f64()
    ))
    .with("node", node)
    .with("moved_to", to)
    .with("cut_after", seconds(moved.cut_after))
    .with("talked_after", seconds(moved.talked_after))
    .with("refused_attempts", moved.refused)
    .with("back_after", seconds(back)))
}

fn seconds(time: Duration) -> String {
    format!("{:.2} s", time.as_secs_f64())
}

/// Lets the node stop, and its client find another one.
async fn move_over(
    place: &Place<'_>,
    outage: &dyn Outage,
    (moves, mut stays): (Person, Person),
) -> Result<Move, String> {
    let deadline = place.scenario.deadline;
    let node = moves.node.clone();
    stays.introduce(deadline).await?;
    let begun = Instant::now();
    let stopping =
        async { outage.begin(&node).await.map_err(|why| format!("{node} could not be stopped ({why})")) };
    let moving = async {
        let cut_after = cut(moves, begun).await?;
        let (person, refused) = arrive_elsewhere(place, &node, begun).await?;
        Ok((cut_after, person, refused))
    };
    let ((), (cut_after, mut person, refused)) = tokio::select! {
        done = async { tokio::try_join!(stopping, moving) } => done?,
        why = stay(&mut stays) => return Err(why),
    };
    for (from, to) in [(0, 1), (1, 0)] {
        let both = [&mut person, &mut stays];
        let text = format!("{}: {}", both[from].name, place.nonce);
        both[from].say("message", place.nonce).await?;
        let (from, to_node) = (both[from].node.clone(), both[to].node.clone());
        both[to].hear(&text, deadline).await.map_err(|why| {
            format!(
                "a message from {from} did not reach {to_node}: {why}; {GUESS}Redis, or the nodes that stay"
            )
        })?;
    }
    let talked_after = begun.elapsed();
    let to = person.node.clone();
    person.leave().await;
    stays.leave().await;
    if talked_after > BOUND {
        return Err(format!("it took {:.1} s", talked_after.as_secs_f64()));
    }
    Ok(Move { to, cut_after, talked_after, refused })
}

/// Waits until a connection ends.
async fn cut(mut person: Person, begun: Instant) -> Result<Duration, String> {
    loop {
        let left = BOUND.saturating_sub(begun.elapsed());
        match person.next_event(left).await {
            Ok(_) => {}
            Err(ClientError::TimedOut { .. }) => {
                return Err(format!("the connection to {} still stands", person.on()));
            }
            Err(_) => return Ok(begun.elapsed()),
        }
    }
}

/// Reads what comes to somebody who should not notice anything, until the connection ends; that, in words.
async fn stay(person: &mut Person) -> String {
    loop {
        match person.next_event(BOUND).await {
            Ok(_) | Err(ClientError::TimedOut { .. }) => {}
            Err(error) => return format!("a client of {} was cut off, too ({})", person.on(), words(&error)),
        }
    }
}

/// Connects until it gets in on another node, and takes a name there. How often it did not get in.
async fn arrive_elsewhere(place: &Place<'_>, node: &str, begun: Instant) -> Result<(Person, usize), String> {
    let mut last = "nobody answered".to_owned();
    for refused in 0.. {
        if begun.elapsed() > BOUND {
            return Err(format!("{refused} attempts did not get in ({last}); {GUESS}the server group"));
        }
        let name = format!("f{refused}-{}", place.nonce);
        match attempt(place, node, refused, name).await {
            Ok(person) => return Ok((person, refused)),
            Err(why) => last = why,
        }
        sleep(PAUSE).await;
    }
    unreachable!("the loop has no end of its own")
}

async fn attempt(place: &Place<'_>, node: &str, turn: usize, name: String) -> Result<Person, String> {
    let scenario = place.scenario;
    let vantage = &scenario.sources[turn % scenario.sources.len()];
    let address: IpAddr = place.addresses[turn % place.addresses.len()];
    let mut person = Person::arrive(scenario, vantage, address, name).await?;
    if person.node == node {
        person.leave().await;
        return Err(format!("{node} still took one"));
    }
    person.introduce(scenario.deadline).await?;
    Ok(person)
}

/// Waits until the node has a client again.
async fn returns(
    place: &Place<'_>,
    outage: &dyn Outage,
    node: &str,
    begun: Instant,
) -> Result<Duration, String> {
    let wanted = BTreeMap::from([(node.to_owned(), 1)]);
    let waiting = async {
        loop {
            let mut crowd = Crowd::default();
            let gathered = crowd.gather(place, &wanted).await;
            crowd.disperse().await;
            match gathered {
                Ok(()) => return Ok(begun.elapsed()),
                Err(why) if begun.elapsed() > RETURN => {
                    return Err(format!("it has no client {} s after its start: {why}", RETURN.as_secs()));
                }
                Err(_) => sleep(PAUSE).await,
            }
        }
    };
    tokio::select! {
        biased;
        () = outage.interrupted() => Err("somebody said stop".to_owned()),
        back = waiting => back,
    }
}
