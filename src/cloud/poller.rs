//! One look for all who wait: the states of resources of one kind are read together.
//!
//! - Whoever waits enters the [`Lane`] of its kind. A tick asks for everything waited for there, in as few calls as the
//!   API allows, so ten instances that start cost one call a tick.
//! - There is no task in the background: one of those who wait looks for all of them, and when it is served or dropped
//!   another takes over. When nobody waits nobody looks, and who is dropped leaves.
//! - The first look is early while nothing is known, and later when the condition is expected: what it took before,
//!   else its usual time at the speed that this cloud has shown ([`expectation`]).
//! - Only a look that began after somebody came counts for them: an older one may show the state before their change.
//! - Of each product one reading is under way at a time.

mod expectation;
mod listings;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Mutex as Turn, MutexGuard as Lead, Notify};
use tokio::time::Instant;

use self::expectation::{Learned, Span, Speed, first_gap, next_gap, shortest_gap};
pub use self::listings::{
    Assistants, Certificates, HasState, Health, Instances, Interfaces, Invocations, Listeners, LoadBalancers,
    RedisAccounts, RedisInstances, Rules, ServerGroups, VSwitches, Vpcs,
};
use crate::base::usual::Usual;
use crate::cloud::error::CloudError;
use crate::cloud::transport::Client;
use crate::cloud::wait::{Condition, Look, Vigil};

/// What is waited for after a delete.
pub const REMOVAL: &str = "removal";
/// What is waited for after a change of a managed Redis.
pub const NORMAL_AGAIN: &str = "Normal again";

/// Something of the cloud whose state can be read for many at once.
pub trait Listing: Send + Sync {
    /// What names one of them.
    type Key: Ord + Clone + Send + Sync;
    /// What is read of one.
    type Item: Send + Sync;

    /// Whether a condition may hold before anybody waits for it: then the first look is at once in any case.
    const MAY_HOLD: bool = false;

    /// How long a condition usually takes.
    fn usual(condition: &str) -> Usual;

    /// Reads those that are there.
    fn read(
        &self,
        keys: &BTreeSet<Self::Key>,
    ) -> impl Future<Output = Result<BTreeMap<Self::Key, Self::Item>, CloudError>> + Send;
}

/// A lane for each kind.
#[expect(missing_docs, reason = "each says what its type says")]
pub struct Poller {
    pub vpcs: Lane<Vpcs>,
    pub vswitches: Lane<VSwitches>,
    pub instances: Lane<Instances>,
    pub assistants: Lane<Assistants>,
    pub invocations: Lane<Invocations>,
    pub interfaces: Lane<Interfaces>,
    pub load_balancers: Lane<LoadBalancers>,
    pub server_groups: Lane<ServerGroups>,
    pub listeners: Lane<Listeners>,
    pub rules: Lane<Rules>,
    pub certificates: Lane<Certificates>,
    pub redis_instances: Lane<RedisInstances>,
    pub redis_accounts: Lane<RedisAccounts>,
    pub health: Lane<Health>,
}

impl Poller {
    /// Of one client.
    pub fn new(client: &Client) -> Self {
        let (vpc, ecs, alb, redis) = (Arc::default(), Arc::default(), Arc::default(), Arc::default());
        let speed = Arc::default();
        Self {
            vpcs: Lane::new(Vpcs::new(client), &vpc, &speed),
            vswitches: Lane::new(VSwitches::new(client), &vpc, &speed),
            instances: Lane::new(Instances::new(client), &ecs, &speed),
            assistants: Lane::new(Assistants::new(client), &ecs, &speed),
            invocations: Lane::new(Invocations::new(client), &ecs, &speed),
            interfaces: Lane::new(Interfaces::new(client), &ecs, &speed),
            load_balancers: Lane::new(LoadBalancers::new(client), &alb, &speed),
            server_groups: Lane::new(ServerGroups::new(client), &alb, &speed),
            listeners: Lane::new(Listeners::new(client), &alb, &speed),
            rules: Lane::new(Rules::new(client), &alb, &speed),
            certificates: Lane::new(Certificates::new(client), &Arc::default(), &speed),
            redis_instances: Lane::new(RedisInstances::new(client), &redis, &speed),
            redis_accounts: Lane::new(RedisAccounts::new(client), &redis, &speed),
            health: Lane::new(Health::new(client), &alb, &speed),
        }
    }
}

/// All waits for one kind.
pub struct Lane<L: Listing> {
    listing: L,
    waits: Mutex<Waits<L::Key>>,
    /// Held by whoever looks for all.
    lead: Turn<()>,
    /// Held while a reading of the product is under way.
    product: Arc<Turn<()>>,
    /// Somebody came or left: the next look may be due at another time.
    stir: Notify,
    looked: Mutex<Option<Arc<Looked<L>>>>,
    /// Wakes those who wait when there was a look, always in the order in which they came.
    news: Notify,
    /// How fast the cloud is, as all lanes have seen it.
    speed: Arc<Speed>,
}

/// What one tick saw.
struct Looked<L: Listing> {
    number: u64,
    began: Instant,
    asked: BTreeSet<L::Key>,
    found: Result<BTreeMap<L::Key, L::Item>, Arc<CloudError>>,
}

#[derive(Debug)]
struct Waits<K> {
    waiting: BTreeMap<u64, Wait<K>>,
    entered: u64,
    /// Number of the last tick that began, and when.
    ticks: u64,
    last: Option<Instant>,
    learned: Learned,
}

#[derive(Debug)]
struct Wait<K> {
    key: K,
    condition: &'static str,
    entered: Instant,
    /// When the next look is due; the first one is when it is expected by then.
    due: Option<Instant>,
    /// Whether the first look was due at once.
    at_once: bool,
    /// When it was last seen not to hold.
    unmet: Option<Instant>,
}

impl<L: Listing> Lane<L> {
    fn new(listing: L, product: &Arc<Turn<()>>, speed: &Arc<Speed>) -> Self {
        let learned = Learned::default();
        let waits = Waits { waiting: BTreeMap::new(), entered: 0, ticks: 0, last: None, learned };
        Self {
            listing,
            waits: Mutex::new(waits),
            lead: Turn::new(()),
            product: product.clone(),
            stir: Notify::new(),
            looked: Mutex::new(None),
            news: Notify::new(),
            speed: speed.clone(),
        }
    }

    /// Waits until what is read of a resource, if it is there, is judged to be done.
    ///
    /// # Errors
    /// When it never will be, when the resource is gone, when the deadline passes, or when a reading fails.
    pub async fn until<T>(
        &self,
        key: &L::Key,
        condition: Condition<'_>,
        judge: impl Fn(Option<&L::Item>) -> Look<T>,
    ) -> Result<T, CloudError> {
        let mut vigil = Vigil::new(condition);
        let mut place = self.enter(key, condition.name);
        loop {
            let Ok(looked) = tokio::time::timeout(vigil.remaining(), place.next_look()).await else {
                return Err(vigil.timed_out());
            };
            let found = match &looked.found {
                Ok(found) => found.get(key),
                Err(error) => return Err(CloudError::Shared(error.clone())),
            };
            if let Some(end) = vigil.judge(judge(found)) {
                if end.is_ok() {
                    self.waits().learn::<L>(&self.speed, place.number, looked.began);
                }
                return end;
            }
            self.waits().unmet(place.number, looked.began);
        }
    }

    fn enter(&self, key: &L::Key, condition: &'static str) -> Place<'_, L> {
        let now = Instant::now();
        let mut waits = self.waits();
        waits.entered += 1;
        let (number, seen) = (waits.entered, waits.ticks);
        let expected = waits.learned.expect(&self.speed, condition, L::usual(condition));
        let at_once = L::MAY_HOLD || (expected.is_none() && self.speed.is_instant());
        let due = at_once.then_some(now);
        let wait = Wait { key: key.clone(), condition, entered: now, due, at_once, unmet: None };
        waits.waiting.insert(number, wait);
        drop(waits);
        self.stir.notify_one();
        Place { lane: self, key: key.clone(), number, seen }
    }

    /// Waits until a look is due, and looks for everybody who waits then.
    async fn look_for_all(&self, _lead: Lead<'_, ()>) {
        loop {
            let due = self.waits().next_due::<L>(&self.speed);
            if due <= Instant::now() {
                break;
            }
            tokio::select! {
                biased;
                () = tokio::time::sleep_until(due) => {}
                () = self.stir.notified() => {}
            }
        }
        // Whoever came at the same moment gets in before the look begins.
        tokio::task::yield_now().await;
        let _product = self.product.lock().await;
        let (number, began, asked) = self.waits().begin();
        let found = self.listing.read(&asked).await.map_err(Arc::new);
        self.waits().reschedule::<L>(&self.speed, &asked);
        *self.looked() = Some(Arc::new(Looked { number, began, asked, found }));
        self.news.notify_waiters();
    }

    fn looked(&self) -> MutexGuard<'_, Option<Arc<Looked<L>>>> {
        self.looked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn waits(&self) -> MutexGuard<'_, Waits<L::Key>> {
        self.waits.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place in a lane; leaving it ends the wait.
struct Place<'l, L: Listing> {
    lane: &'l Lane<L>,
    key: L::Key,
    number: u64,
    /// Number of the last tick that says nothing new to this one.
    seen: u64,
}

impl<L: Listing> Place<'_, L> {
    async fn next_look(&mut self) -> Arc<Looked<L>> {
        loop {
            // Asked for before looking, so that none is missed in between.
            let news = self.lane.news.notified();
            if let Some(looked) = self.fresh() {
                self.seen = looked.number;
                return looked;
            }
            tokio::select! {
                biased;
                () = news => {}
                lead = self.lane.lead.lock() => self.lane.look_for_all(lead).await,
            }
        }
    }

    fn fresh(&mut self) -> Option<Arc<Looked<L>>> {
        let looked = self.lane.looked().clone()?;
        (looked.number > self.seen && looked.asked.contains(&self.key)).then_some(looked)
    }
}

impl<L: Listing> Drop for Place<'_, L> {
    fn drop(&mut self) {
        self.lane.waits().waiting.remove(&self.number);
        self.lane.stir.notify_one();
    }
}

impl<K: Ord + Clone> Waits<K> {
    /// When to look next: when the first of them is due, and a little later when others are due by then; but not at
    /// once after the last look.
    fn next_due<L: Listing>(&self, speed: &Speed) -> Instant {
        let now = Instant::now();
        let dues = self.waiting.values().map(|wait| {
            let expected = self.learned.expect(speed, wait.condition, L::usual(wait.condition));
            (wait.due.unwrap_or_else(|| wait.entered + first_gap(expected)), shortest_gap(expected, speed))
        });
        let dues: Vec<(Instant, Duration)> = dues.collect();
        let Some((first, gap)) = dues.iter().copied().min() else { return now };
        let together = dues.into_iter().map(|(due, _)| due).filter(|due| *due <= first + gap);
        // What is due by now is not kept waiting for the others.
        let due = if first <= now { first } else { together.max().unwrap_or(first) };
        self.last.map_or(due, |last| due.max(last + gap))
    }

    fn begin(&mut self) -> (u64, Instant, BTreeSet<K>) {
        let now = Instant::now();
        self.ticks += 1;
        self.last = Some(now);
        (self.ticks, now, self.waiting.values().map(|wait| wait.key.clone()).collect())
    }

    /// When each that was asked for is due again, should what was seen not do. Who came during a reading that did not
    /// ask for them is due as before.
    fn reschedule<L: Listing>(&mut self, speed: &Speed, asked: &BTreeSet<K>) {
        let now = Instant::now();
        let began = self.last.unwrap_or(now);
        let Self { waiting, learned, .. } = self;
        for wait in waiting.values_mut().filter(|wait| asked.contains(&wait.key) && wait.entered <= began) {
            let usual = L::usual(wait.condition);
            let expected = learned.expect(speed, wait.condition, usual);
            wait.due = Some(now + next_gap(expected, speed, usual, now.duration_since(wait.entered)));
        }
    }

    /// The condition of a wait did not hold yet when a look began.
    fn unmet(&mut self, number: u64, began: Instant) {
        if let Some(wait) = self.waiting.get_mut(&number) {
            wait.unmet = Some(began);
        }
    }

    /// It held when a look began. When that was the first one, at once, nobody knows how long it had held already.
    fn learn<L: Listing>(&mut self, speed: &Speed, number: u64, began: Instant) {
        let Self { waiting, learned, .. } = self;
        let Some(wait) = waiting.get(&number) else { return };
        let usual = L::usual(wait.condition);
        if wait.unmet.is_some() || !wait.at_once {
            let since = |moment: Instant| moment.saturating_duration_since(wait.entered);
            let took = Span { least: wait.unmet.map(since).unwrap_or_default(), most: since(began) };
            learned.learn(speed, wait.condition, usual, took);
        }
    }
}

#[cfg(test)]
mod tests;
