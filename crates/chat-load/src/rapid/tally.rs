//! What every client heard of every sender, held against what was said: each message once, in the order it was said,
//! and the same order for all.

use std::collections::{BTreeMap, BTreeSet};

use super::stamp::Stamp;

/// An odd number, so that the order counts.
const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;

/// What is wrong with what was heard.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Messages that a client did not hear.
    pub lost: u64,
    /// Messages that a client heard again.
    pub doubled: u64,
    /// Messages that a client heard behind a later one of the same sender.
    pub reordered: u64,
    /// Clients that heard the messages of all senders in another order than most.
    pub apart: u64,
}

impl Verdict {
    /// Whether each was heard once, in its sender's order.
    pub fn is_good(&self) -> bool {
        self.lost + self.doubled + self.reordered == 0
    }

    /// Both together.
    pub fn add(&mut self, other: Self) {
        self.lost += other.lost;
        self.doubled += other.doubled;
        self.reordered += other.reordered;
        self.apart += other.apart;
    }
}

/// What was heard so far.
#[derive(Debug)]
pub struct Tally {
    senders: usize,
    /// The number that comes next, for each sender of each client.
    next: Vec<u32>,
    /// A sum of all that a client heard, in its order.
    orders: Vec<u64>,
    /// Numbers that were passed over, by the place in `next`.
    missing: BTreeMap<usize, BTreeSet<u32>>,
    doubled: u64,
    reordered: u64,
    heard: u64,
}

impl Tally {
    /// Nothing was heard yet.
    pub fn new(clients: usize, senders: usize) -> Self {
        Self {
            senders,
            next: vec![1; clients * senders],
            orders: vec![0; clients],
            missing: BTreeMap::new(),
            doubled: 0,
            reordered: 0,
            heard: 0,
        }
    }

    /// How many messages were heard by all clients together.
    pub fn heard(&self) -> u64 {
        self.heard
    }

    /// A client hears a message. What names no sender is not counted.
    pub fn hear(&mut self, client: usize, stamp: Stamp) {
        let sender = usize::from(stamp.sender);
        if sender >= self.senders {
            return;
        }
        self.heard += 1;
        let place = client * self.senders + sender;
        let next = self.next[place];
        self.orders[client] = self.orders[client]
            .wrapping_add((u64::from(stamp.sender) << 32) | u64::from(stamp.number))
            .wrapping_mul(FACTOR);
        if stamp.number == next {
            self.next[place] = next + 1;
        } else {
            self.out_of_turn(place, next, stamp.number);
        }
    }

    #[cold]
    fn out_of_turn(&mut self, place: usize, next: u32, number: u32) {
        if number > next {
            self.missing.entry(place).or_default().extend(next..number);
            self.next[place] = number + 1;
            return;
        }
        if self.missing.get_mut(&place).is_some_and(|missing| missing.remove(&number)) {
            self.reordered += 1;
        } else {
            self.doubled += 1;
        }
    }

    /// Judges, when nothing is on its way any more. `said` has for each sender how many messages it has said.
    pub fn judge(&self, said: &[u32]) -> Verdict {
        let passed_over: u64 = self.missing.values().map(|missing| missing.len() as u64).sum();
        let at_the_end: u64 = self
            .next
            .chunks(self.senders.max(1))
            .flat_map(|next| next.iter().zip(said))
            .map(|(next, said)| u64::from((said + 1).saturating_sub(*next)))
            .sum();
        Verdict {
            lost: passed_over + at_the_end,
            doubled: self.doubled,
            reordered: self.reordered,
            apart: self.apart(),
        }
    }

    fn apart(&self) -> u64 {
        let mut counts: BTreeMap<u64, u64> = BTreeMap::new();
        for order in &self.orders {
            *counts.entry(*order).or_default() += 1;
        }
        self.orders.len() as u64 - counts.values().max().copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two clients and two senders; what each client hears, as sender and number.
    fn judged(heard: [&[(u8, u32)]; 2], said: [u32; 2]) -> Verdict {
        let mut tally = Tally::new(2, 2);
        for (client, heard) in heard.iter().enumerate() {
            for (sender, number) in *heard {
                tally.hear(client, Stamp { sender: *sender, number: *number, moment: 0 });
            }
        }
        tally.judge(&said)
    }

    #[test]
    fn each_once_in_one_order_is_good() {
        let heard: &[(u8, u32)] = &[(0, 1), (1, 1), (0, 2)];
        let verdict = judged([heard, heard], [2, 1]);
        assert_eq!(verdict, Verdict::default());
        assert!(verdict.is_good());
    }

    #[test]
    fn each_fault_is_found() {
        let good: &[(u8, u32)] = &[(0, 1), (1, 1), (0, 2)];
        let table: [(&[(u8, u32)], Verdict); 6] = [
            (&[(0, 1), (1, 1)], Verdict { lost: 1, apart: 1, ..Verdict::default() }),
            (&[(1, 1), (0, 2)], Verdict { lost: 1, apart: 1, ..Verdict::default() }),
            (&[(0, 1), (1, 1), (0, 2), (0, 2)], Verdict { doubled: 1, apart: 1, ..Verdict::default() }),
            (&[(0, 2), (1, 1), (0, 1)], Verdict { reordered: 1, apart: 1, ..Verdict::default() }),
            (&[(1, 1), (0, 1), (0, 2)], Verdict { apart: 1, ..Verdict::default() }),
            (&[], Verdict { lost: 3, apart: 1, ..Verdict::default() }),
        ];
        for (bad, expected) in table {
            assert_eq!(judged([good, bad], [2, 1]), expected, "{bad:?}");
        }
    }

    #[test]
    fn a_late_one_that_comes_twice_is_both() {
        let verdict = judged([&[(0, 2), (0, 1), (0, 1)], &[(0, 1), (0, 2)]], [2, 0]);
        assert_eq!((verdict.reordered, verdict.doubled, verdict.lost), (1, 1, 0));
    }
}
