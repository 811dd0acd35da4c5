//! `redis.path`: many messages at once, both ways between two nodes, each accounted for.
//!
//! 1. Several clients on each of the two nodes say numbers, at the pace of people who type fast. One client on the
//!    other node hears them all.
//! 2. When each has heard its own last number, all are in the stream; then one client of each node says that it is
//!    the end. Redis keeps one order, so whoever has heard the end has heard all that came before it, and what is
//!    missing then is lost. No time has to pass for it.
//! 3. Each message carries the number of its entry in the stream of Redis: as many entries as messages, in one order.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use futures_util::future::try_join_all;
use tokio::sync::watch;
use tokio::time::Instant;

use super::check::{Finding, Verdict};
use super::clients::{Pair, Person, REDIS_HINT, shown, words};
use super::crowd::{Crowd, Place};
use super::histogram::Histogram;
use crate::socketio::{ClientError, Event};

/// Between two messages of one client; a node lets each say twenty a second in the long run, and two hundred at once.
const PACE: Duration = Duration::from_millis(20);
/// What one client says once all have spoken.
const END: &str = "end";

/// How much is said each way.
#[derive(Debug, Clone, Copy)]
struct Volume {
    speakers: usize,
    each: usize,
}

impl Volume {
    const FULL: Self = Self { speakers: 10, each: 100 };
    const QUICK: Self = Self { speakers: 4, each: 25 };

    fn messages(self) -> usize {
        self.speakers * self.each
    }
}

/// One message as it was heard.
#[derive(Debug)]
struct Heard {
    speaker: usize,
    number: usize,
    at: Instant,
    /// The entry of the stream: milliseconds and a counter.
    entry: Option<(u64, u64)>,
}

/// What became of the messages one way.
#[derive(Debug, Default)]
struct Account {
    lost: usize,
    doubled: usize,
    disordered: usize,
    latencies: Vec<Duration>,
    entries: BTreeSet<(u64, u64)>,
}

/// Talks between the nodes of a pair.
pub(super) async fn check(place: &Place<'_>, pair: &mut Pair) -> Verdict {
    let volume = if place.scenario.quick { Volume::QUICK } else { Volume::FULL };
    let (a, b) = (pair.first.node.clone(), pair.second.node.clone());
    let count = volume.messages();
    let fail = |why: String| {
        Finding::new(format!("expected {count} messages to go each way between {a} and {b}, but {why}"))
            .with("messages_each_way", count)
            .hint(REDIS_HINT)
    };
    let mut crowd = Crowd::default();
    let wanted = BTreeMap::from([(a.clone(), volume.speakers), (b.clone(), volume.speakers)]);
    crowd.gather(place, &wanted).await.map_err(fail)?;
    let deadline = place.scenario.deadline;
    let (mut on_a, mut on_b) = (crowd.take(&a), crowd.take(&b));
    let talk = talk(pair, (&mut on_a, &mut on_b), volume, deadline).await;
    for person in on_a.into_iter().chain(on_b) {
        person.leave().await;
    }
    let [there, back] = talk.map_err(fail)?;
    judge(there, back, volume, (&a, &b)).map_err(|(why, finding)| {
        let Finding { sentence, hint, .. } = fail(why);
        Finding { sentence, hint, ..finding }
    })
}

/// All of them talk; what the second of the pair heard from the first node, and the first from the second.
async fn talk(
    pair: &mut Pair,
    (on_a, on_b): (&mut Vec<Person>, &mut Vec<Person>),
    volume: Volume,
    deadline: Duration,
) -> Result<[Account; 2], String> {
    for person in on_a.iter_mut().chain(on_b.iter_mut()) {
        person.introduce(deadline).await?;
    }
    let names = |people: &[Person]| -> Vec<String> { people.iter().map(|one| one.name.clone()).collect() };
    let (names_a, names_b) = (names(on_a), names(on_b));
    // Speakers have to stay until everybody has heard everything, and read what they are told.
    let (over, is_over) = watch::channel(false);
    let (spoken, have_spoken) = watch::channel(0_usize);
    let all = on_a.len() + on_b.len();
    let speaking = try_join_all(on_a.iter_mut().chain(on_b.iter_mut()).enumerate().map(|(index, person)| {
        let turn = Turn { spoken: &spoken, have_spoken: have_spoken.clone(), is_over: is_over.clone(), all };
        let ends = index % volume.speakers == 0;
        speak(person, volume.each, ends, turn, deadline)
    }));
    let listening = async {
        let heard = tokio::try_join!(
            listen(&mut pair.second, &names_a, volume, deadline),
            listen(&mut pair.first, &names_b, volume, deadline)
        );
        over.send_replace(true);
        heard
    };
    let (sent, (from_a, from_b)) = tokio::try_join!(speaking, listening)?;
    let (sent_a, sent_b) = sent.split_at(names_a.len());
    Ok([account(&from_a, sent_a), account(&from_b, sent_b)])
}

/// When a speaker may say that it is the end, and when it may go.
struct Turn<'a> {
    spoken: &'a watch::Sender<usize>,
    have_spoken: watch::Receiver<usize>,
    is_over: watch::Receiver<bool>,
    all: usize,
}

/// Says numbers, then perhaps that it is the end; when each was sent.
async fn speak(
    person: &mut Person,
    each: usize,
    ends: bool,
    mut turn: Turn<'_>,
    deadline: Duration,
) -> Result<Vec<Instant>, String> {
    let started = Instant::now();
    let mut sent = Vec::with_capacity(each);
    for number in 0..each {
        let due = started + PACE * u32::try_from(number).unwrap_or(u32::MAX);
        while let Some(left) = due.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
            read_one(person, left).await?;
        }
        sent.push(Instant::now());
        person.say("message", &number.to_string()).await?;
    }
    // Whoever does not hear its own words says the end all the same: then they are missing.
    let last = format!("{}: {}", person.name, each - 1);
    let _ = person.hear(&last, deadline).await;
    turn.spoken.send_modify(|count| *count += 1);
    let all = turn.all;
    let mut has_ended = !ends;
    loop {
        tokio::select! {
            () = until(&mut turn.is_over, |over| *over) => return Ok(sent),
            () = until(&mut turn.have_spoken, |count| *count == all), if !has_ended => {
                person.say("message", END).await?;
                has_ended = true;
            }
            read = read_one(person, deadline) => read?,
        }
    }
}

/// Waits until it holds; the channel lives as long as the talk.
async fn until<T>(receiver: &mut watch::Receiver<T>, holds: impl Fn(&T) -> bool) {
    drop(receiver.wait_for(holds).await);
}

/// Reads what comes, if anything comes in this time.
async fn read_one(person: &mut Person, time: Duration) -> Result<(), String> {
    match person.next_event(time).await {
        Ok(_) | Err(ClientError::TimedOut { .. }) => Ok(()),
        Err(error) => Err(words(&error)),
    }
}

/// Hears these people until one of them says that it is the end.
async fn listen(
    person: &mut Person,
    names: &[String],
    volume: Volume,
    deadline: Duration,
) -> Result<Vec<Heard>, String> {
    let by_name: HashMap<&str, usize> =
        names.iter().enumerate().map(|(index, name)| (name.as_str(), index)).collect();
    let mut heard = Vec::with_capacity(volume.messages());
    loop {
        let event = person.next_event(deadline).await.map_err(|error| {
            let (got, all, on) = (heard.len(), volume.messages(), person.on());
            format!("{on} passed on {got} of {all} and then not their end: {}", words(&error))
        })?;
        let Some((name, said)) = event.text().split_once(": ").filter(|_| event.name == "message") else {
            continue;
        };
        let Some(speaker) = by_name.get(name) else { continue };
        if said == END {
            return Ok(heard);
        }
        if let Ok(number) = said.parse() {
            heard.push(Heard { speaker: *speaker, number, at: Instant::now(), entry: entry(&event) });
        }
    }
}

/// The entry of the stream that a message was.
fn entry(event: &Event) -> Option<(u64, u64)> {
    let (time, counter) = event.arguments.get(1)?.as_str()?.split_once('-')?;
    Some((time.parse().ok()?, counter.parse().ok()?))
}

/// Compares what was heard with what was sent.
fn account(heard: &[Heard], sent: &[Vec<Instant>]) -> Account {
    let mut account = Account::default();
    let mut last: HashMap<usize, usize> = HashMap::new();
    let mut seen = BTreeSet::new();
    let mut last_entry = None;
    for one in heard {
        let Some(at) = sent.get(one.speaker).and_then(|own| own.get(one.number)) else { continue };
        if !seen.insert((one.speaker, one.number)) {
            account.doubled += 1;
            continue;
        }
        let is_behind = last.insert(one.speaker, one.number).is_some_and(|before| before > one.number);
        let is_early = one.entry.is_some() && one.entry <= last_entry;
        account.disordered += usize::from(is_behind || is_early);
        last_entry = one.entry.max(last_entry);
        account.entries.extend(one.entry);
        account.latencies.push(one.at.saturating_duration_since(*at));
    }
    account.lost = sent.iter().map(Vec::len).sum::<usize>() - seen.len();
    account
}

/// Passed, or why not, with what was counted.
fn judge(
    there: Account,
    back: Account,
    volume: Volume,
    (a, b): (&str, &str),
) -> Result<Finding, (String, Finding)> {
    let sum = |part: fn(&Account) -> usize| part(&there) + part(&back);
    let (lost, doubled, disordered) =
        (sum(|own| own.lost), sum(|own| own.doubled), sum(|own| own.disordered));
    let entries: BTreeSet<(u64, u64)> = there.entries.union(&back.entries).copied().collect();
    let mut latencies = [there.latencies, back.latencies].concat();
    latencies.sort_unstable();
    let mut finding = Finding::default()
        .with("messages_each_way", volume.messages())
        .with("lost", lost)
        .with("doubled", doubled)
        .with("out_of_order", disordered)
        .with("stream_entries", entries.len());
    if let (Some(first), Some(last)) = (entries.first(), entries.last()) {
        finding = finding.with("stream_from", shown_entry(*first)).with("stream_to", shown_entry(*last));
    }
    for (name, part) in
        [("latency_p50", 0.5), ("latency_p95", 0.95), ("latency_p99", 0.99), ("latency_max", 1.0)]
    {
        finding = finding.with(name, shown(quantile(&latencies, part)));
    }
    finding = finding.with("latency_histogram", Histogram::of(&latencies));
    let count = 2 * volume.messages();
    if lost + doubled + disordered > 0 {
        let why = format!(
            "of {count} {lost} were lost, {doubled} came twice, {disordered} came out of order; likely layer: Redis, \
             or a node's way to it"
        );
        return Err((why, finding));
    }
    if entries.len() != count {
        let why = format!(
            "{count} messages were {} entries of the stream; likely layer: the nodes, which do not go through one Redis",
            entries.len()
        );
        return Err((why, finding));
    }
    let (middle, most) = (shown(quantile(&latencies, 0.5)), shown(quantile(&latencies, 0.99)));
    finding.sentence = format!(
        "{count} messages between {a} and {b} are {count} entries of the stream: none lost, none doubled, in order, \
         half within {middle}, 99 of 100 within {most}"
    );
    Ok(finding)
}

fn shown_entry((time, counter): (u64, u64)) -> String {
    format!("{time}-{counter}")
}

/// The value that this part of the sorted ones does not exceed.
fn quantile(sorted: &[Duration], part: f64) -> Duration {
    let last = sorted.len().saturating_sub(1);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a place in a list of a few thousand"
    )]
    let place = ((sorted.len() as f64 * part).ceil() as usize).saturating_sub(1).min(last);
    sorted.get(place).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(speaker: usize, number: usize, entry: u64) -> Heard {
        Heard { speaker, number, at: Instant::now(), entry: Some((1, entry)) }
    }

    fn sent(speakers: usize, each: usize) -> Vec<Vec<Instant>> {
        vec![vec![Instant::now(); each]; speakers]
    }

    #[tokio::test]
    async fn what_is_lost_doubled_or_out_of_order_is_counted() {
        let all = [heard(0, 0, 1), heard(1, 0, 2), heard(0, 1, 3), heard(1, 1, 4)];
        let good = account(&all, &sent(2, 2));
        assert_eq!((good.lost, good.doubled, good.disordered, good.entries.len()), (0, 0, 0, 4));
        let bad = account(&[heard(0, 1, 3), heard(0, 0, 4), heard(0, 1, 5), heard(1, 0, 2)], &sent(2, 2));
        // The second is behind its speaker's later one, the last has an earlier entry than one before it.
        assert_eq!((bad.lost, bad.doubled, bad.disordered), (1, 1, 2));
    }

    #[tokio::test]
    async fn messages_that_share_an_entry_did_not_go_through_one_stream() {
        let volume = Volume { speakers: 1, each: 1 };
        let one = |entry| account(&[heard(0, 0, entry)], &sent(1, 1));
        assert!(judge(one(1), one(2), volume, ("a", "b")).unwrap().sentence.contains("2 entries"));
        let (why, _) = judge(one(1), one(1), volume, ("a", "b")).unwrap_err();
        assert!(why.contains("2 messages were 1 entries of the stream"), "{why}");
    }

    #[test]
    fn a_quantile_is_the_value_that_so_many_do_not_exceed() {
        let sorted: Vec<Duration> = (1..=100).map(Duration::from_millis).collect();
        assert_eq!(quantile(&sorted, 0.5), Duration::from_millis(50));
        assert_eq!(quantile(&sorted, 0.99), Duration::from_millis(99));
        assert_eq!(quantile(&sorted, 1.0), Duration::from_millis(100));
        assert_eq!(quantile(&[], 0.5), Duration::ZERO);
    }
}
