//! What was said in the last minutes: for clients that come back, and to know what was said already.
//!
//! Every node reads the whole stream and keeps the same history, so a client may come back to any of them. It is
//! bounded in time, in entries and in bytes; the oldest go first.
//!
//! Two things make an entry one that is said already. A node writes its entries with ascending numbers, and when it is
//! not sure that one arrived, it may arrive twice: of one run of a node, a number that is not above the last one is a
//! copy. And the same thing may be written by two nodes, as when a client sends a message again after it lost its
//! node: then both carry the same key. All nodes see the same stream, and so drop the same copies.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, timeout};

use crate::bus::entry::{Entry, Origin, Position, Record};

/// What an entry takes beside its text and the packet with the same text.
const OVERHEAD: usize = 288;
/// Runs of nodes that are remembered at least; beyond that, those not heard of for long are forgotten.
const RUNS: usize = 64;

/// How much is kept.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Since when.
    pub age: Duration,
    /// At most so many entries.
    pub entries: usize,
    /// At most so many bytes.
    pub bytes: usize,
}

/// The entries a node has read lately, in the stream's order.
#[derive(Debug)]
pub struct History {
    bounds: Bounds,
    kept: Mutex<Kept>,
    moved: Notify,
}

/// What a client that comes back has missed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Missed {
    /// All of it.
    Entries {
        /// The entries in order; often none.
        entries: Vec<Arc<Entry>>,
        /// Entries with this number or a greater one come later.
        read: u64,
    },
    /// The client has seen more than this node has read so far, or what was said before it started is still being read.
    NotYet,
    /// The offset is none, or too old to tell.
    Unknown,
}

#[derive(Debug, Default)]
struct Kept {
    entries: VecDeque<Item>,
    bytes: usize,
    /// Of their texts alone.
    text_bytes: usize,
    /// Where each thing that is said only once was said.
    once: HashMap<Arc<str>, Position>,
    /// The last number of each run of a node, and when it was read.
    runs: HashMap<u64, (u64, Instant)>,
    /// Everything behind this position is here. `None` before the stream was looked at.
    complete_after: Option<Position>,
    /// Up to where what was said before this node started is being read: whoever came back now would never get the rest.
    filling: Option<Position>,
    /// The last position read, also of entries that were stepped over.
    last: Position,
    /// How many entries were taken so far.
    count: u64,
}

#[derive(Debug)]
struct Item {
    entry: Arc<Entry>,
    once: Option<Arc<str>>,
    read_at: Instant,
}

impl Item {
    fn bytes(&self) -> usize {
        OVERHEAD + 2 * self.entry.text.len() + self.once.as_ref().map_or(0, |once| once.len())
    }
}

impl History {
    /// An empty history.
    pub fn new(bounds: Bounds) -> Self {
        Self { bounds, kept: Mutex::default(), moved: Notify::new() }
    }

    /// What comes behind this offset, if all of it is here. Entries with a greater number than those returned come
    /// later, by way of [`crate::bus::Audience::deliver`].
    pub fn after(&self, offset: Position) -> Missed {
        let kept = self.lock();
        match kept.complete_after {
            Some(complete_after) if offset >= complete_after => {}
            _ => return Missed::Unknown,
        }
        if kept.filling.is_some() || offset > kept.last {
            return Missed::NotYet;
        }
        let first = kept.entries.partition_point(|item| item.entry.position <= offset);
        let entries = kept.entries.range(first..).map(|item| item.entry.clone()).collect();
        Missed::Entries { entries, read: kept.count }
    }

    /// Waits until this node has read up to an offset that another node gave out. False when it has not in time.
    pub async fn reach(&self, offset: Position, patience: Duration) -> bool {
        let reading = async {
            loop {
                let moved = self.moved.notified();
                if self.has_reached(offset) {
                    return;
                }
                moved.await;
            }
        };
        timeout(patience, reading).await.is_ok()
    }

    fn has_reached(&self, offset: Position) -> bool {
        let kept = self.lock();
        kept.filling.is_none() && kept.last >= offset
    }

    /// The last position this node has read, or is about to have: what comes behind it is given to those who are here.
    pub fn newest(&self) -> Position {
        let kept = self.lock();
        kept.filling.unwrap_or(kept.last)
    }

    /// Where something that is said only once was said, as far as it is known here.
    pub(crate) fn said(&self, once: &str) -> Option<Position> {
        self.lock().once.get(once).copied()
    }

    /// How many entries and bytes are kept.
    pub fn size(&self) -> (usize, usize) {
        let kept = self.lock();
        (kept.entries.len(), kept.bytes)
    }

    /// How long a text is in the mean.
    pub(crate) fn mean_text(&self) -> usize {
        let kept = self.lock();
        kept.text_bytes.checked_div(kept.entries.len()).unwrap_or_default()
    }

    /// The last position up to a moment of Redis' clock, as far as it is known: the offset of somebody who has heard all
    /// until then. None of those who may still come back has a smaller one.
    pub(crate) fn last_until(&self, milliseconds: u64) -> Position {
        let kept = self.lock();
        let count = kept.entries.partition_point(|item| item.entry.position.milliseconds <= milliseconds);
        let known = match count.checked_sub(1) {
            Some(index) => Some(kept.entries[index].entry.position),
            None => kept.complete_after.filter(|position| position.milliseconds <= milliseconds),
        };
        known.unwrap_or_default()
    }

    /// Entries up to this one were never read, and are not there to be read any more.
    pub(crate) fn miss_until(&self, position: Position) {
        let mut kept = self.lock();
        kept.complete_after = kept.complete_after.max(Some(position));
    }

    /// How many entries were read since a moment.
    pub(crate) fn read_since(&self, moment: Instant) -> usize {
        let kept = self.lock();
        kept.entries.len() - kept.entries.partition_point(|item| item.read_at < moment)
    }

    /// Begins: what lies behind this position will all be taken.
    pub(crate) fn begin(&self, complete_after: Position) {
        let mut kept = self.lock();
        kept.complete_after = Some(complete_after);
        kept.last = kept.last.max(complete_after);
        drop(kept);
        self.moved.notify_waiters();
    }

    /// What was said before this node started is read from here on, up to there, and given to nobody: who comes back
    /// waits.
    pub(crate) fn fill(&self, newest: Position) {
        self.lock().filling = Some(newest);
    }

    /// All of that was read. What comes now is given to those who are here.
    pub(crate) fn is_filled(&self) {
        self.lock().filling = None;
        self.moved.notify_waiters();
    }

    /// Returns when the stream is being read.
    pub(crate) async fn begun(&self) {
        loop {
            let moved = self.moved.notified();
            if self.lock().complete_after.is_some() {
                return;
            }
            moved.await;
        }
    }

    /// Takes an entry, read at that moment. `None` when it is no message, or one that was said already.
    pub(crate) fn take(&self, record: Record, read_at: Instant) -> Taken {
        let mut kept = self.lock();
        let taken = kept.take(record, read_at);
        kept.shrink(&self.bounds, read_at);
        drop(kept);
        self.moved.notify_waiters();
        taken
    }

    /// Nothing here panics while it holds the lock, so what a poisoned one guards is whole.
    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What became of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Taken {
    /// Clients get it.
    New(Arc<Entry>),
    /// It was said already.
    Copy,
    /// It is nothing of ours.
    Foreign,
}

impl Kept {
    fn take(&mut self, record: Record, read_at: Instant) -> Taken {
        let Record { position, text, origin, once } = record;
        let is_copy = origin.is_some_and(|origin| self.is_old(origin, read_at))
            || once.as_deref().is_some_and(|once| self.once.contains_key(once));
        if is_copy {
            self.last = self.last.max(position);
            return Taken::Copy;
        }
        if position <= self.last && self.last != Position::default() {
            self.begin_anew(position);
        }
        self.last = position;
        let Some(text) = text else {
            return Taken::Foreign;
        };
        let entry = Arc::new(Entry::new(self.count, position, text));
        self.count += 1;
        let once: Option<Arc<str>> = once.map(Arc::from);
        if let Some(once) = &once {
            self.once.insert(once.clone(), position);
        }
        let item = Item { entry: entry.clone(), once, read_at };
        self.bytes += item.bytes();
        self.text_bytes += entry.text.len();
        self.entries.push_back(item);
        Taken::New(entry)
    }

    /// Whether an origin is one we have had, and remembers it.
    fn is_old(&mut self, origin: Origin, read_at: Instant) -> bool {
        let (last, seen) = self.runs.entry(origin.epoch).or_insert((0, read_at));
        *seen = read_at;
        if origin.sequence <= *last {
            return true;
        }
        *last = origin.sequence;
        false
    }

    /// The stream began anew behind what we have read: old offsets mean nothing in it.
    fn begin_anew(&mut self, position: Position) {
        self.entries.clear();
        self.once.clear();
        (self.bytes, self.text_bytes) = (0, 0);
        self.complete_after = Some(position);
    }

    fn shrink(&mut self, bounds: &Bounds, now: Instant) {
        while let Some(oldest) = self.entries.front() {
            let is_over = self.entries.len() > bounds.entries
                || self.bytes > bounds.bytes
                || now.duration_since(oldest.read_at) > bounds.age;
            if !is_over {
                break;
            }
            self.bytes -= oldest.bytes();
            self.text_bytes -= oldest.entry.text.len();
            // Behind a gap it may be known already that what came before is of no use.
            self.complete_after = self.complete_after.max(Some(oldest.entry.position));
            if let Some(once) = &oldest.once {
                self.once.remove(once);
            }
            self.entries.pop_front();
        }
        if self.runs.len() > RUNS {
            self.runs.retain(|_, (_, seen)| now.duration_since(*seen) <= bounds.age);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    fn history() -> History {
        let history = History::new(Bounds { age: 3 * MINUTE, entries: 5, bytes: 100_000 });
        history.begin(at(1));
        history
    }

    fn at(milliseconds: u64) -> Position {
        Position { milliseconds, sequence: 0 }
    }

    fn record(milliseconds: u64, sequence: u64) -> Record {
        let origin = Some(Origin { epoch: 7, sequence });
        Record { position: at(milliseconds), text: Some(format!("number {sequence}")), origin, once: None }
    }

    fn positions(missed: Missed) -> Vec<u64> {
        let Missed::Entries { entries, .. } = missed else { panic!("{missed:?}") };
        entries.iter().map(|entry| entry.position.milliseconds).collect()
    }

    #[test]
    fn what_comes_behind_an_offset_is_all_there_or_refused() {
        let (history, now) = (history(), Instant::now());
        assert_eq!(History::new(history.bounds).after(at(0)), Missed::Unknown);
        assert_eq!(positions(history.after(at(1))), [0; 0]);
        for number in 1..=5 {
            history.take(record(10 * number, number), now);
        }
        assert_eq!(positions(history.after(at(1))), [10, 20, 30, 40, 50]);
        assert_eq!(positions(history.after(at(30))), [40, 50]);
        assert_eq!(positions(history.after(at(50))), [0; 0]);
        assert_eq!(history.after(at(51)), Missed::NotYet);
        assert_eq!(history.after(at(0)), Missed::Unknown);
        history.take(record(60, 6), now);
        assert_eq!(history.after(at(1)), Missed::Unknown);
        assert_eq!(positions(history.after(at(10))), [20, 30, 40, 50, 60]);
    }

    /// Nobody is given the rest of it, so nobody may be told that he has missed no more than a part.
    #[tokio::test(start_paused = true)]
    async fn nobody_comes_back_while_the_past_is_being_read() {
        let (history, now) = (history(), Instant::now());
        history.fill(at(30));
        history.take(record(10, 1), now);
        history.take(record(20, 2), now);
        assert_eq!(history.after(at(10)), Missed::NotYet);
        assert!(!history.reach(at(10), Duration::from_millis(1)).await);
        assert_eq!(history.newest(), at(30), "who comes in now hears what comes behind all of it");
        history.take(record(30, 3), now);
        history.is_filled();
        assert!(history.reach(at(10), Duration::from_millis(1)).await);
        assert_eq!(positions(history.after(at(10))), [20, 30]);
    }

    #[test]
    fn age_and_bytes_are_bounded_too() {
        let (history, now) = (history(), Instant::now());
        history.take(record(10, 1), now);
        history.take(record(20, 2), now + 2 * MINUTE);
        history.take(record(30, 3), now + 4 * MINUTE);
        assert_eq!(history.after(at(1)), Missed::Unknown);
        assert_eq!(positions(history.after(at(10))), [20, 30]);
        let large = Record { text: Some("x".repeat(49_800)), ..record(40, 4) };
        history.take(large, now + 4 * MINUTE);
        assert_eq!(history.size(), (1, OVERHEAD + 2 * 49_800));
        assert_eq!(history.mean_text(), 49_800);
        assert_eq!(history.read_since(now + 4 * MINUTE), 1);
    }

    #[test]
    fn a_copy_is_dropped_whoever_wrote_it() {
        let (history, now) = (history(), Instant::now());
        let is_new = |taken: Taken| matches!(taken, Taken::New(_));
        assert!(is_new(history.take(record(10, 1), now)));
        assert!(is_new(history.take(record(20, 2), now)));
        assert_eq!(history.take(record(30, 1), now), Taken::Copy);
        assert_eq!(history.take(record(31, 2), now), Taken::Copy);
        assert!(is_new(history.take(record(40, 4), now)));

        let mut resent = Record { once: Some("m:p:1".to_owned()), ..record(50, 5) };
        assert!(is_new(history.take(resent.clone(), now)));
        assert_eq!(history.said("m:p:1"), Some(at(50)));
        resent.origin = Some(Origin { epoch: 8, sequence: 1 });
        resent.position = at(60);
        assert_eq!(history.take(resent, now), Taken::Copy);
        assert_eq!(history.newest(), at(60));
        assert_eq!(positions(history.after(at(40))), [50]);
    }

    #[test]
    fn what_is_forgotten_may_be_said_again() {
        let (history, now) = (history(), Instant::now());
        history.take(Record { once: Some("m:p:1".to_owned()), ..record(10, 1) }, now);
        history.take(record(20, 2), now + 4 * MINUTE);
        assert_eq!(history.said("m:p:1"), None);
    }

    #[test]
    fn a_stream_that_begins_anew_has_no_old_offsets_and_goes_on_counting() {
        let (history, now) = (history(), Instant::now());
        history.take(record(10, 1), now);
        let Taken::New(entry) = history.take(record(5, 2), now) else { panic!("it was dropped") };
        assert_eq!(entry.number, 1);
        assert_eq!(history.after(at(10)), Missed::NotYet);
        assert_eq!(history.after(at(4)), Missed::Unknown);
        assert_eq!(positions(history.after(at(5))), [0; 0]);
    }

    #[test]
    fn what_others_put_into_the_stream_moves_the_position_only() {
        let (history, now) = (history(), Instant::now());
        let foreign = Record { position: at(10), text: None, origin: None, once: None };
        assert_eq!(history.take(foreign, now), Taken::Foreign);
        assert_eq!(positions(history.after(at(10))), [0; 0]);
    }

    #[test]
    fn who_has_heard_all_until_a_moment_has_heard_at_least_the_last_before_it() {
        let (history, now) = (history(), Instant::now());
        assert_eq!(history.last_until(0), Position::default());
        assert_eq!(history.last_until(7), at(1));
        history.take(record(10, 1), now);
        history.take(record(20, 2), now);
        assert_eq!(
            [9, 10, 19, 20, 99].map(|moment| history.last_until(moment).milliseconds),
            [1, 10, 10, 20, 20]
        );
        // What is too old to be given back is still the last there was before what came much later.
        history.take(record(30, 3), now + 4 * MINUTE);
        assert_eq!([19, 29, 30].map(|moment| history.last_until(moment).milliseconds), [0, 20, 30]);
    }

    #[test]
    fn behind_a_gap_nobody_is_told_that_nothing_is_missing() {
        let (history, now) = (history(), Instant::now());
        let said = Record { once: Some("m:p:1".to_owned()), ..record(10, 1) };
        history.take(said, now);
        history.miss_until(at(50));
        history.take(record(50, 7), now);
        assert_eq!(history.after(at(10)), Missed::Unknown);
        assert_eq!(positions(history.after(at(50))), [0; 0]);
        // What was said before is known to be said nevertheless.
        assert_eq!(history.said("m:p:1"), Some(at(10)));
        history.take(record(60, 8), now + 4 * MINUTE);
        assert_eq!(history.after(at(49)), Missed::Unknown);
        assert_eq!(positions(history.after(at(50))), [60]);
    }

    #[tokio::test(start_paused = true)]
    async fn an_offset_of_a_quicker_node_is_waited_for() {
        let history = Arc::new(history());
        assert!(!history.reach(at(20), MINUTE).await);
        let waiting = tokio::spawn({
            let history = history.clone();
            async move { history.reach(at(20), MINUTE).await }
        });
        tokio::task::yield_now().await;
        history.take(record(10, 1), Instant::now());
        history.take(record(20, 2), Instant::now());
        assert!(waiting.await.unwrap());
    }

    #[test]
    fn runs_of_nodes_that_are_long_gone_are_forgotten() {
        let (history, now) = (history(), Instant::now());
        for epoch in 0..1000 {
            let origin = Some(Origin { epoch, sequence: 1 });
            let moment = now + Duration::from_secs(epoch);
            history.take(Record { origin, ..record(10 + epoch, 1) }, moment);
        }
        assert!(history.lock().runs.len() <= 182, "{}", history.lock().runs.len());
    }
}
