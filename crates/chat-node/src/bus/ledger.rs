//! What the node has to write, and what it knows about it: waiting, under way, in doubt, written, refused.
//!
//! The rules that keep each message said once and in order, free of sockets:
//!
//! 1. A message gets its number when it is first sent, and keeps it when it is sent again. Redis carries out what comes
//!    over one connection in its order, so numbers ascend in the stream.
//! 2. When the connection breaks, what had no answer is *in doubt*. Over the next one the stream is asked which of
//!    those numbers it has; what is missing is sent again before anything newer.
//! 3. What the old connection still delivers after that look is a copy: its number is not above the last one, and every
//!    reader drops it. Two copies in one order cannot bring a number behind a greater one for the first time.
//! 4. A refusal that passes by itself (a failover, loading) keeps the message, but only when nothing behind it was
//!    written; else its sender is told, since his messages must not change their order.
//! 5. What was in doubt once and is refused later is told as unknown: the first copy may still arrive.
//!
//! Farewells have no sender to tell. They are set aside when refused, and sent again with a new number.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

use super::budget::Place;
use super::entry::Position;
use super::measures::Refusal;
use super::trouble::Reason;
use crate::bus::SessionId;

/// Who wants to know what becomes of a draft.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Author {
    /// A client, told by a sentence or by the acknowledgement of this number.
    Client { session: SessionId, receipt: Option<u64> },
    /// Nobody: a farewell, said for a client that is gone. `orphan` is the private id of a session whose node is gone.
    Gone { orphan: Option<SessionId> },
}

/// A line to be written into the stream.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) text: String,
    /// Its key, when somebody else may write the same.
    pub(super) once: Option<String>,
    pub(super) author: Author,
    /// When it was taken.
    pub(super) since: Instant,
    /// Given back with the draft.
    #[expect(dead_code, reason = "it is there to be dropped")]
    pub(super) place: Option<Place>,
    /// Zero before it was sent.
    pub(super) number: u64,
    /// A connection broke before its answer came.
    pub(super) doubted: bool,
}

impl Draft {
    fn is_farewell(&self) -> bool {
        matches!(self.author, Author::Gone { .. })
    }
}

/// What became of a draft.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Written(Position),
    Refused(Refusal),
    Unknown,
}

/// A draft with its verdict.
pub(super) type Settled = (Draft, Verdict);

/// All drafts of this process.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// To be sent, in this order.
    waiting: VecDeque<Draft>,
    /// Sent and not answered; in doubt as long as there is no connection.
    flying: VecDeque<Draft>,
    /// Refused for now, and why; nothing behind them is known to be written.
    held: Vec<(Draft, Reason)>,
    /// Farewells to be sent again when Redis takes messages.
    aside: VecDeque<Draft>,
    last_number: u64,
    /// No connection stands, so nothing under way will be answered.
    is_cut_off: bool,
}

impl Ledger {
    /// Most farewells that are set aside; the oldest go first.
    const ASIDE: usize = 10_000;

    /// Takes a draft. Messages are bounded by their budget, farewells here.
    pub(super) fn accept(&mut self, draft: Draft) {
        let is_over = draft.is_farewell()
            && self.waiting.len() >= Self::ASIDE
            && self.waiting.iter().filter(|draft| draft.is_farewell()).count() >= Self::ASIDE;
        if is_over {
            tracing::warn!("too many farewells wait for redis; one is left out");
            return;
        }
        self.waiting.push_back(draft);
    }

    /// Takes the next draft to be sent; it counts as under way.
    pub(super) fn launch(&mut self) -> Option<&Draft> {
        // What is held goes first, once it is known that it may.
        if !self.held.is_empty() {
            return None;
        }
        let mut draft = self.waiting.pop_front()?;
        if draft.number == 0 {
            self.last_number += 1;
            draft.number = self.last_number;
        }
        self.flying.push_back(draft);
        self.flying.back()
    }

    /// How many are under way.
    pub(super) fn flying(&self) -> usize {
        self.flying.len()
    }

    /// The oldest one under way was written.
    pub(super) fn written(&mut self, position: Position) -> Vec<Settled> {
        let mut settled = self.give_up_held();
        settled.extend(self.flying.pop_front().map(|draft| (draft, Verdict::Written(position))));
        settled
    }

    /// The oldest one under way was refused.
    pub(super) fn refused(&mut self, reason: Reason) -> Vec<Settled> {
        let mut settled = Vec::new();
        if let Some(draft) = self.flying.pop_front() {
            if reason.passes() {
                self.held.push((draft, reason));
            } else {
                settled.extend(self.refuse(draft, Refusal::Redis(reason)));
            }
        }
        if self.flying.is_empty() {
            for (draft, _) in std::mem::take(&mut self.held).into_iter().rev() {
                self.waiting.push_front(draft);
            }
        }
        settled
    }

    /// The connection broke: what is under way is in doubt from now on.
    pub(super) fn broken(&mut self) -> Vec<Settled> {
        self.is_cut_off = true;
        self.flying.iter_mut().for_each(|draft| draft.doubted = true);
        self.give_up_held()
    }

    /// The numbers in doubt.
    pub(super) fn doubts(&self) -> HashSet<u64> {
        self.flying.iter().map(|draft| draft.number).collect()
    }

    /// Judges what was in doubt by what the stream has of it.
    pub(super) fn resolve(&mut self, found: &HashMap<u64, Position>) -> Vec<Settled> {
        self.is_cut_off = false;
        let doubts = std::mem::take(&mut self.flying);
        let written = doubts.iter().rposition(|draft| found.contains_key(&draft.number));
        let mut settled = Vec::new();
        let mut missing = Vec::new();
        for (order, draft) in doubts.into_iter().enumerate() {
            match found.get(&draft.number) {
                Some(position) => settled.push((draft, Verdict::Written(*position))),
                // Redis had its reasons, which we did not hear; what came behind it is written.
                None if written.is_some_and(|written| order < written) => {
                    settled.extend(self.refuse(draft, Refusal::Redis(Reason::Other)));
                }
                None => missing.push(draft),
            }
        }
        missing.into_iter().rev().for_each(|draft| self.waiting.push_front(draft));
        settled
    }

    /// Gives up messages that wait for longer than that, and without a connection what is in doubt for longer.
    pub(super) fn expire(&mut self, now: Instant, longest: Duration) -> Vec<Settled> {
        self.settle_those(Refusal::Late, |draft| now.duration_since(draft.since) > longest)
    }

    /// Gives up all messages that wait, and without a connection what is in doubt.
    pub(super) fn give_up(&mut self) -> Vec<Settled> {
        self.settle_those(Refusal::Ending, |_| true)
    }

    fn settle_those(&mut self, refusal: Refusal, is_over: impl Fn(&Draft) -> bool) -> Vec<Settled> {
        let is_over = |draft: &Draft| !draft.is_farewell() && is_over(draft);
        let mut settled = Vec::new();
        let mut sort = |drafts: &mut VecDeque<Draft>| {
            if drafts.iter().any(is_over) {
                for draft in std::mem::take(drafts) {
                    if is_over(&draft) {
                        let verdict = verdict(&draft, refusal);
                        settled.push((draft, verdict));
                    } else {
                        drafts.push_back(draft);
                    }
                }
            }
        };
        if self.is_cut_off {
            sort(&mut self.flying);
        }
        sort(&mut self.waiting);
        settled
    }

    /// Redis takes messages: farewells that were set aside are sent again.
    pub(super) fn welcome_back(&mut self) {
        for mut draft in self.aside.drain(..) {
            draft.number = 0;
            self.waiting.push_back(draft);
        }
    }

    /// Whether everything that was accepted is settled.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.flying.is_empty() && self.held.is_empty() && self.aside.is_empty()
    }

    /// Clients without an acknowledgement whose messages have waited for at least that long.
    pub(super) fn impatient(&self, now: Instant, least: Duration) -> impl Iterator<Item = SessionId> {
        let waiting = self.flying.iter().chain(&self.waiting);
        waiting.filter(move |draft| now.duration_since(draft.since) >= least).filter_map(|draft| match draft
            .author
        {
            Author::Client { session, receipt: None } => Some(session),
            Author::Client { .. } | Author::Gone { .. } => None,
        })
    }

    fn give_up_held(&mut self) -> Vec<Settled> {
        let held = std::mem::take(&mut self.held);
        held.into_iter().filter_map(|(draft, reason)| self.refuse(draft, Refusal::Redis(reason))).collect()
    }

    fn refuse(&mut self, draft: Draft, refusal: Refusal) -> Option<Settled> {
        if draft.is_farewell() {
            if self.aside.len() == Self::ASIDE {
                self.aside.pop_front();
            }
            self.aside.push_back(draft);
            return None;
        }
        let verdict = verdict(&draft, refusal);
        Some((draft, verdict))
    }
}

fn verdict(draft: &Draft, refusal: Refusal) -> Verdict {
    if draft.doubted { Verdict::Unknown } else { Verdict::Refused(refusal) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft(text: &str) -> Draft {
        let session = super::super::some_id();
        let author = Author::Client { session, receipt: None };
        let since = Instant::now();
        Draft { text: text.to_owned(), once: None, author, since, place: None, number: 0, doubted: false }
    }

    fn farewell(text: &str) -> Draft {
        Draft { author: Author::Gone { orphan: None }, ..draft(text) }
    }

    fn at(milliseconds: u64) -> Position {
        Position { milliseconds, sequence: 0 }
    }

    fn ledger(texts: &[&str]) -> Ledger {
        let mut ledger = Ledger::default();
        for text in texts {
            ledger.accept(draft(text));
        }
        ledger
    }

    fn launch_all(ledger: &mut Ledger) -> Vec<(u64, String)> {
        std::iter::from_fn(|| ledger.launch().map(|draft| (draft.number, draft.text.clone()))).collect()
    }

    fn shown(settled: &[Settled]) -> Vec<(&str, Verdict)> {
        settled.iter().map(|(draft, verdict)| (draft.text.as_str(), *verdict)).collect()
    }

    #[test]
    fn what_is_written_is_settled_in_order() {
        let mut ledger = ledger(&["a", "b"]);
        assert_eq!(launch_all(&mut ledger), [(1, "a".to_owned()), (2, "b".to_owned())]);
        assert_eq!(shown(&ledger.written(at(5))), [("a", Verdict::Written(at(5)))]);
        assert_eq!(shown(&ledger.written(at(6))), [("b", Verdict::Written(at(6)))]);
        assert!(ledger.is_empty());
    }

    #[test]
    fn what_is_missing_keeps_its_number_and_goes_before_what_is_newer() {
        let mut ledger = ledger(&["a", "b", "c"]);
        launch_all(&mut ledger);
        ledger.accept(draft("d"));
        assert!(ledger.broken().is_empty());
        assert_eq!(ledger.doubts(), HashSet::from([1, 2, 3]));
        let settled = ledger.resolve(&HashMap::from([(1, at(5))]));
        assert_eq!(shown(&settled), [("a", Verdict::Written(at(5)))]);
        let again = launch_all(&mut ledger);
        assert_eq!(again, [(2, "b".to_owned()), (3, "c".to_owned()), (4, "d".to_owned())]);
    }

    #[test]
    fn what_is_missing_between_others_was_refused() {
        let mut ledger = ledger(&["a", "b"]);
        launch_all(&mut ledger);
        ledger.broken();
        let settled = ledger.resolve(&HashMap::from([(2, at(5))]));
        assert_eq!(shown(&settled), [("a", Verdict::Unknown), ("b", Verdict::Written(at(5)))]);
    }

    #[test]
    fn a_refusal_that_passes_keeps_all_when_nothing_behind_was_written() {
        let mut ledger = ledger(&["a", "b", "c"]);
        launch_all(&mut ledger);
        ledger.written(at(5));
        assert!(ledger.refused(Reason::ReadOnly).is_empty());
        assert!(ledger.launch().is_none());
        assert!(ledger.refused(Reason::ReadOnly).is_empty());
        assert_eq!(launch_all(&mut ledger), [(2, "b".to_owned()), (3, "c".to_owned())]);
    }

    #[test]
    fn a_refusal_before_something_written_is_told() {
        let mut ledger = ledger(&["a", "b"]);
        launch_all(&mut ledger);
        ledger.refused(Reason::Loading);
        let refused = Verdict::Refused(Refusal::Redis(Reason::Loading));
        assert_eq!(shown(&ledger.written(at(5))), [("a", refused), ("b", Verdict::Written(at(5)))]);
    }

    #[test]
    fn a_refusal_before_something_in_doubt_is_told() {
        let mut ledger = ledger(&["a", "b"]);
        launch_all(&mut ledger);
        ledger.refused(Reason::ClusterDown);
        let refused = Verdict::Refused(Refusal::Redis(Reason::ClusterDown));
        assert_eq!(shown(&ledger.broken()), [("a", refused)]);
        assert_eq!(ledger.doubts(), HashSet::from([2]));
    }

    #[test]
    fn a_refusal_for_good_is_told_at_once_and_a_doubted_one_as_unknown() {
        let mut ledger = ledger(&["a", "b"]);
        launch_all(&mut ledger);
        let refused = Verdict::Refused(Refusal::Redis(Reason::Memory));
        assert_eq!(shown(&ledger.refused(Reason::Memory)), [("a", refused)]);
        ledger.broken();
        ledger.resolve(&HashMap::new());
        launch_all(&mut ledger);
        assert_eq!(shown(&ledger.refused(Reason::Memory)), [("b", Verdict::Unknown)]);
    }

    #[test]
    fn farewells_are_set_aside_and_get_a_new_number() {
        let mut ledger = ledger(&[]);
        ledger.accept(farewell("x left"));
        launch_all(&mut ledger);
        assert!(ledger.refused(Reason::Memory).is_empty());
        assert!(!ledger.is_empty() && ledger.launch().is_none());
        ledger.accept(draft("a"));
        assert_eq!(launch_all(&mut ledger), [(2, "a".to_owned())]);
        ledger.welcome_back();
        assert_eq!(launch_all(&mut ledger), [(3, "x left".to_owned())]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_waits_too_long_is_given_up_and_farewells_are_not() {
        let minute = Duration::from_mins(1);
        let mut ledger = ledger(&["in doubt", "waiting"]);
        ledger.launch();
        ledger.broken();
        ledger.accept(farewell("x left"));
        tokio::time::advance(minute).await;
        ledger.accept(draft("young"));
        assert!(ledger.expire(Instant::now(), minute).is_empty());
        tokio::time::advance(Duration::from_millis(1)).await;
        assert_eq!(ledger.impatient(Instant::now(), minute).count(), 2);
        let settled = ledger.expire(Instant::now(), minute);
        let late = Verdict::Refused(Refusal::Late);
        assert_eq!(shown(&settled), [("in doubt", Verdict::Unknown), ("waiting", late)]);
        ledger.resolve(&HashMap::new());
        assert_eq!(launch_all(&mut ledger).len(), 2);
        assert!(ledger.expire(Instant::now() + minute * 2, minute).is_empty());
    }

    #[test]
    fn what_waits_when_the_node_ends_is_settled_and_farewells_are_not() {
        let mut ledger = ledger(&["in doubt"]);
        ledger.launch();
        ledger.broken();
        ledger.accept(farewell("x left"));
        ledger.accept(draft("waiting"));
        let refused = Verdict::Refused(Refusal::Ending);
        assert_eq!(shown(&ledger.give_up()), [("in doubt", Verdict::Unknown), ("waiting", refused)]);
        assert_eq!(launch_all(&mut ledger), [(2, "x left".to_owned())]);
    }

    #[test]
    fn what_is_under_way_over_a_connection_is_not_given_up_before_its_answer() {
        let mut ledger = ledger(&["under way", "waiting"]);
        ledger.launch();
        assert_eq!(shown(&ledger.give_up()), [("waiting", Verdict::Refused(Refusal::Ending))]);
        assert_eq!(shown(&ledger.written(at(5))), [("under way", Verdict::Written(at(5)))]);
    }
}
