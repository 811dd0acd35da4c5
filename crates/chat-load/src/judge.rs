//! Holds what every client heard against what was said: nothing lost, nothing twice, one order for all.
//!
//! Each entry a client hears has an offset, which tells its place. All entries anybody heard, in that order, are what
//! was said; every client must have heard all of it from where it came in to the last there is, once each, in order. And
//! every message whose sender was told that it was said must be among it, once, in the order of its sender.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;

/// The place of an entry: milliseconds and a number within the millisecond.
pub type Offset = (u64, u64);

/// A message by its sender and the sender's count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name {
    /// Which client.
    pub sender: u32,
    /// Which of its messages.
    pub count: u32,
}

/// What was heard at one place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// A message of one of the clients.
    Message(Name),
    /// A farewell; nobody leaves for good before the end.
    Farewell,
}

/// What one client has to tell.
#[derive(Debug, Default, Clone)]
pub struct Record {
    /// The last entry before it came in.
    pub joined: Option<Offset>,
    /// What it heard, in the order in which it heard it.
    pub heard: Vec<(Offset, Heard)>,
    /// Messages it said, and those of them that were acknowledged.
    pub said: u32,
    /// Of these it was told that they are in the stream.
    pub acknowledged: Vec<u32>,
    /// So often it was told that a message is not.
    pub refused: u64,
    /// So often it came back and was not known any more.
    pub forgotten: u64,
    /// So often it came back as who it was.
    pub recovered: u64,
}

/// What the records come to.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Messages that were said.
    pub sent: u64,
    /// Entries that were heard, by all together.
    pub delivered: u64,
    /// What was said, or heard by others, and did not come.
    pub lost: u64,
    /// What came, or was said, once more.
    pub doubled: u64,
    /// What came in another order than to others, or than it was said in.
    pub out_of_order: u64,
    /// So often a sender was told that a message was not said.
    pub refused: u64,
    /// So often a client came back and was not known.
    pub forgotten: u64,
    /// So often one came back as who it was.
    pub recovered: u64,
    /// Farewells that were heard.
    pub farewells: u64,
    /// Messages of which nobody was told what became of them.
    pub unanswered: u64,
    /// The first few violations, in words.
    pub examples: Vec<String>,
}

impl Verdict {
    /// Whether everything is as it was promised.
    pub fn is_good(&self) -> bool {
        self.sent > 0
            && [self.lost, self.doubled, self.out_of_order, self.refused, self.forgotten, self.farewells]
                .iter()
                .all(|count| *count == 0)
            && self.unanswered == 0
    }

    fn example(&mut self, words: String) {
        if self.examples.len() < 10 {
            self.examples.push(words);
        }
    }
}

/// Judges all records together.
pub fn judge(records: &[Record]) -> Verdict {
    let mut verdict = Verdict::default();
    let all = everything(records, &mut verdict);
    for (client, record) in records.iter().enumerate() {
        verdict.sent += u64::from(record.said);
        verdict.delivered += record.heard.len() as u64;
        verdict.refused += record.refused;
        verdict.forgotten += record.forgotten;
        verdict.recovered += record.recovered;
        verdict.unanswered += u64::from(record.said) - record.acknowledged.len() as u64;
        judge_client(client, record, &all, &mut verdict);
    }
    judge_senders(records, &all, &mut verdict);
    verdict
}

/// All that anybody heard, by place.
fn everything(records: &[Record], verdict: &mut Verdict) -> BTreeMap<Offset, Heard> {
    let mut all = BTreeMap::new();
    for (offset, heard) in records.iter().flat_map(|record| &record.heard) {
        let first = *all.entry(*offset).or_insert(*heard);
        if first != *heard {
            verdict.out_of_order += 1;
            verdict.example(format!("at {offset:?} some heard {first:?} and some {heard:?}"));
        }
    }
    verdict.farewells = all.values().filter(|heard| **heard == Heard::Farewell).count() as u64;
    all
}

fn judge_client(client: usize, record: &Record, all: &BTreeMap<Offset, Heard>, verdict: &mut Verdict) {
    let joined = record.joined.map_or(Bound::Unbounded, Bound::Excluded);
    let mut expected = all.range((joined, Bound::Unbounded)).map(|(offset, _)| *offset).peekable();
    let mut last = None;
    for (offset, heard) in &record.heard {
        if last.is_some_and(|last| *offset == last) {
            verdict.doubled += 1;
            verdict.example(format!("client {client} heard {heard:?} at {offset:?} twice"));
            continue;
        }
        if last.is_some_and(|last| *offset < last) {
            verdict.out_of_order += 1;
            verdict.example(format!("client {client} heard {heard:?} at {offset:?} behind {last:?}"));
            continue;
        }
        last = Some(*offset);
        while let Some(missed) = expected.next_if(|missed| missed < offset) {
            verdict.lost += 1;
            verdict.example(format!("client {client} missed {:?} at {missed:?}", all[&missed]));
        }
        expected.next();
    }
    for missed in expected {
        verdict.lost += 1;
        verdict.example(format!("client {client} missed {:?} at {missed:?}, at the end", all[&missed]));
    }
}

fn judge_senders(records: &[Record], all: &BTreeMap<Offset, Heard>, verdict: &mut Verdict) {
    let mut times: HashMap<Name, u64> = HashMap::new();
    let mut latest: HashMap<u32, u32> = HashMap::new();
    for (offset, heard) in all {
        let Heard::Message(name) = heard else { continue };
        let count = times.entry(*name).or_default();
        *count += 1;
        if *count > 1 {
            verdict.doubled += 1;
            verdict.example(format!("{name:?} was said again at {offset:?}"));
            continue;
        }
        let before = latest.insert(name.sender, name.count);
        if before.is_some_and(|before| before > name.count) {
            verdict.out_of_order += 1;
            verdict.example(format!("{name:?} was said behind count {before:?} of the same sender"));
        }
    }
    for (sender, record) in (0_u32..).zip(records) {
        for count in &record.acknowledged {
            let name = Name { sender, count: *count };
            if !times.contains_key(&name) {
                verdict.lost += 1;
                verdict.example(format!("{name:?} was acknowledged and nobody heard it"));
            }
        }
    }
}

#[cfg(test)]
mod tests;
