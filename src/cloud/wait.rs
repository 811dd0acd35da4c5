//! What a wait is: a named condition, a deadline, and a word of what is seen meanwhile. Who looks is the [`poller`].
//!
//! [`poller`]: super::poller

use std::fmt;
use std::time::Duration;

use tokio::time::Instant;

use crate::base::retry::Deadline;
use crate::cloud::error::CloudError;

/// What a look found.
#[derive(Debug, Clone)]
pub enum Look<T> {
    /// The condition holds.
    Done(T),
    /// Not yet; the state, for messages.
    NotYet(String),
    /// It is not there. A list may not have it yet, or a stale one no more; for longer than that it is gone.
    Absent,
    /// It will never hold; the state it is stuck in.
    Never(String),
}

/// How long a list may lag behind a write before what it does not show counts as gone.
const LAG: Duration = Duration::from_secs(30);
/// How long what was seen may be missing again before it counts as gone: one server of the cloud knows less than another.
pub const LAPSE: Duration = Duration::from_secs(10);
/// The state of what no reading has shown yet, since none has come back.
pub const UNSEEN: &str = "not known: no reading came back";
/// How often a wait is spoken of while nothing changes.
const REMINDER: Duration = Duration::from_secs(5);

/// Hears how a wait goes.
pub type Notice<'a> = &'a (dyn Fn(&Waiting<'_>) + Send + Sync);

/// A wait that goes on: `waiting for Running, is Starting, 12 s`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waiting<'a> {
    /// What is waited for.
    pub condition: &'static str,
    /// What was seen last.
    pub state: &'a str,
    /// For how long.
    pub waited: Duration,
}

/// What is waited for.
#[derive(Clone, Copy)]
pub struct Condition<'a> {
    /// Resource, as people know it.
    pub subject: &'a str,
    /// What is waited for, as a noun: `Running`, `removal`.
    pub name: &'static str,
    /// How long that may take.
    pub deadline: Duration,
    /// Hears of each new state, and every five seconds while nothing changes.
    pub notice: Notice<'a>,
}

impl fmt::Debug for Condition<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} of {} within {:?}", self.name, self.subject, self.deadline)
    }
}

/// One wait from its beginning to its end: judges what is seen and speaks of it.
pub(crate) struct Vigil<'a> {
    condition: Condition<'a>,
    began: Instant,
    deadline: Deadline,
    /// When the resource was last seen, if it was.
    seen: Option<Instant>,
    teller: Teller<'a>,
}

impl<'a> Vigil<'a> {
    pub(crate) fn new(condition: Condition<'a>) -> Self {
        let deadline = Deadline::after(condition.deadline);
        let teller = Teller::new(condition.name, condition.notice);
        Self { condition, began: Instant::now(), deadline, seen: None, teller }
    }

    /// What is left.
    pub(crate) fn remaining(&self) -> Duration {
        self.deadline.remaining()
    }

    /// How long it has been going on.
    pub(crate) fn age(&self) -> Duration {
        self.began.elapsed()
    }

    /// Judges a look: nothing while the wait goes on.
    pub(crate) fn judge<T>(&mut self, look: Look<T>) -> Option<Result<T, CloudError>> {
        let lagging = match self.seen {
            None => self.age() < LAG.min(self.condition.deadline),
            Some(seen) => seen.elapsed() < LAPSE,
        };
        if !matches!(look, Look::Absent) {
            self.seen = Some(Instant::now());
        }
        let subject = || self.condition.subject.to_owned();
        let state = match look {
            Look::Done(value) => return Some(Ok(value)),
            Look::Never(state) => return Some(Err(CloudError::Broken { subject: subject(), state })),
            Look::Absent if !lagging => return Some(Err(CloudError::Vanished { subject: subject() })),
            Look::Absent => "not listed yet".to_owned(),
            Look::NotYet(state) => state,
        };
        self.teller.tell(state);
        None
    }

    /// The error of a wait whose deadline has passed.
    pub(crate) fn timed_out(&self) -> CloudError {
        CloudError::TimedOut {
            subject: self.condition.subject.to_owned(),
            condition: self.condition.name,
            last: self.teller.state.clone(),
            waited: self.deadline.total(),
        }
    }
}

/// Speaks of a wait: of each new state, and now and then of the old one.
pub(crate) struct Teller<'a> {
    condition: &'static str,
    notice: Notice<'a>,
    began: Instant,
    state: String,
    told: Option<Instant>,
}

impl<'a> Teller<'a> {
    pub(crate) fn new(condition: &'static str, notice: Notice<'a>) -> Self {
        Self { condition, notice, began: Instant::now(), state: UNSEEN.to_owned(), told: None }
    }

    pub(crate) fn tell(&mut self, state: String) {
        let old_news = self.told.is_some_and(|told| told.elapsed() < REMINDER) && state == self.state;
        self.state = state;
        if old_news {
            return;
        }
        self.told = Some(Instant::now());
        let waited = self.began.elapsed();
        (self.notice)(&Waiting { condition: self.condition, state: &self.state, waited });
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    fn condition(notice: Notice<'_>) -> Condition<'_> {
        Condition { subject: "vpc.main", name: "Available", deadline: Duration::from_mins(1), notice }
    }

    fn not_yet(state: &str) -> Look<()> {
        Look::NotYet(state.to_owned())
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_listed_late_is_waited_for_and_what_goes_away_is_gone() {
        let mut vigil = Vigil::new(condition(&|_| ()));
        assert!(vigil.judge(Look::<()>::Absent).is_none());
        tokio::time::advance(Duration::from_secs(29)).await;
        assert!(vigil.judge(Look::<()>::Absent).is_none());
        assert!(vigil.judge(not_yet("Pending")).is_none());
        assert!(vigil.judge(Look::<()>::Absent).is_none(), "one stale answer is no word on it");
        tokio::time::advance(LAPSE).await;
        let gone = vigil.judge(Look::<()>::Absent).unwrap().unwrap_err();
        assert_eq!(gone.to_string(), "vpc.main is not there any more");

        let mut vigil = Vigil::new(condition(&|_| ()));
        tokio::time::advance(Duration::from_secs(31)).await;
        assert!(matches!(vigil.judge(Look::<()>::Absent), Some(Err(CloudError::Vanished { .. }))));
    }

    #[tokio::test(start_paused = true)]
    async fn says_what_it_saw_last() {
        let mut vigil = Vigil::new(condition(&|_| ()));
        assert!(vigil.judge(not_yet("Pending")).is_none());
        assert_eq!(vigil.timed_out().to_string(), "vpc.main: waited 60 s for Available, is Pending");
    }

    #[tokio::test(start_paused = true)]
    async fn tells_each_new_state_and_every_few_seconds_the_old_one() {
        let heard = Mutex::new(Vec::new());
        let notice = |waiting: &Waiting<'_>| {
            heard.lock().unwrap().push((waiting.state.to_owned(), waiting.waited.as_secs()));
        };
        let mut vigil = Vigil::new(condition(&notice));
        for second in 0..12 {
            let state = if second < 3 { "Pending" } else { "Starting" };
            assert!(vigil.judge(not_yet(state)).is_none());
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        let told: Vec<_> = heard.lock().unwrap().clone();
        let told: Vec<_> = told.iter().map(|(state, second)| (state.as_str(), *second)).collect();
        assert_eq!(told, [("Pending", 0), ("Starting", 3), ("Starting", 8)]);
    }
}
