//! One look for all who wait: the states of resources of one kind are read together.
//!
//! - Whoever waits enters the [`Lane`] of its kind. A tick asks for everything waited for there, in as few calls as the
//!   API allows, so ten instances that start cost one call a tick.
//! - There is no task in the background: one of those who wait looks for all of them, and when it is served or dropped
//!   another takes over. When nobody waits nobody looks, and who is dropped leaves.
//! - The first look is at once. After that the gap is half the distance to the moment when the condition is expected,
//!   which is learned from earlier waits, and half of what has passed since: dense where it is likely, thin where it
//!   is not. [`Listing::USUAL`] bounds it on both sides.
//! - Only a look that began after somebody came counts for them: an older one may show the state before their change.
//! - Of each product one reading is under way at a time.

mod listings;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Mutex as Turn, MutexGuard as Lead, Notify, watch};
use tokio::time::Instant;

pub use self::listings::{
    Assistants, HasState, Health, Instances, Interfaces, Invocations, Listeners, LoadBalancers, ServerGroups,
    ServerKey, Servers, VSwitches, Vpcs,
};
use crate::cloud::error::CloudError;
use crate::cloud::transport::Client;
use crate::cloud::wait::{Condition, Look, Vigil};

/// Something of the cloud whose state can be read for many at once.
pub trait Listing: Send + Sync {
    /// What names one of them.
    type Key: Ord + Clone + Send + Sync;
    /// What is read of one.
    type Item: Send + Sync;

    /// How long it usually takes to get ready. Looks are at most a fifth of that apart, or five seconds.
    const USUAL: Duration;

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
    pub servers: Lane<Servers>,
    pub listeners: Lane<Listeners>,
    pub health: Lane<Health>,
}

impl Poller {
    /// Of one client.
    pub fn new(client: &Client) -> Self {
        let (vpc, ecs, alb) = (Arc::default(), Arc::default(), Arc::default());
        Self {
            vpcs: Lane::new(Vpcs::new(client), &vpc),
            vswitches: Lane::new(VSwitches::new(client), &vpc),
            instances: Lane::new(Instances::new(client), &ecs),
            assistants: Lane::new(Assistants::new(client), &ecs),
            invocations: Lane::new(Invocations::new(client), &ecs),
            interfaces: Lane::new(Interfaces::new(client), &ecs),
            load_balancers: Lane::new(LoadBalancers::new(client), &alb),
            server_groups: Lane::new(ServerGroups::new(client), &alb),
            servers: Lane::new(Servers::new(client), &alb),
            listeners: Lane::new(Listeners::new(client), &alb),
            health: Lane::new(Health::new(client), &alb),
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
    looked: watch::Sender<Option<Arc<Looked<L>>>>,
}

/// What one tick saw.
struct Looked<L: Listing> {
    number: u64,
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
    /// How long each condition took, by its name.
    learned: BTreeMap<&'static str, Duration>,
}

#[derive(Debug)]
struct Wait<K> {
    key: K,
    condition: &'static str,
    entered: Instant,
    due: Instant,
}

impl<L: Listing> Lane<L> {
    fn new(listing: L, product: &Arc<Turn<()>>) -> Self {
        let waits =
            Waits { waiting: BTreeMap::new(), entered: 0, ticks: 0, last: None, learned: BTreeMap::new() };
        Self {
            listing,
            waits: Mutex::new(waits),
            lead: Turn::new(()),
            product: product.clone(),
            stir: Notify::new(),
            looked: watch::Sender::new(None),
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
                    self.waits().learn(condition.name, vigil.age());
                }
                return end;
            }
        }
    }

    fn enter(&self, key: &L::Key, condition: &'static str) -> Place<'_, L> {
        let now = Instant::now();
        let mut waits = self.waits();
        waits.entered += 1;
        let (number, seen) = (waits.entered, waits.ticks);
        waits.waiting.insert(number, Wait { key: key.clone(), condition, entered: now, due: now });
        drop(waits);
        self.stir.notify_one();
        Place { lane: self, key: key.clone(), number, seen, looks: self.looked.subscribe() }
    }

    /// Waits until a look is due, and looks for everybody who waits then.
    async fn look_for_all(&self, _lead: Lead<'_, ()>) {
        loop {
            let due = self.waits().next_due::<L>();
            if due <= Instant::now() {
                break;
            }
            tokio::select! {
                () = tokio::time::sleep_until(due) => {}
                () = self.stir.notified() => {}
            }
        }
        // Whoever came at the same moment gets in before the look begins.
        tokio::task::yield_now().await;
        let _product = self.product.lock().await;
        let (number, asked) = self.waits().begin();
        let found = self.listing.read(&asked).await.map_err(Arc::new);
        self.waits().reschedule::<L>(&asked);
        self.looked.send_replace(Some(Arc::new(Looked { number, asked, found })));
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
    looks: watch::Receiver<Option<Arc<Looked<L>>>>,
}

impl<L: Listing> Place<'_, L> {
    async fn next_look(&mut self) -> Arc<Looked<L>> {
        loop {
            if let Some(looked) = self.fresh() {
                self.seen = looked.number;
                return looked;
            }
            tokio::select! {
                biased;
                // It cannot fail: the lane that this place borrows has the sender.
                _ = self.looks.changed() => {}
                lead = self.lane.lead.lock() => self.lane.look_for_all(lead).await,
            }
        }
    }

    fn fresh(&mut self) -> Option<Arc<Looked<L>>> {
        let looked = self.looks.borrow_and_update().clone()?;
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
    /// When to look next: when the first of them is due, but not at once after the last look.
    fn next_due<L: Listing>(&self) -> Instant {
        let now = Instant::now();
        let due = self.waiting.values().map(|wait| wait.due).min().unwrap_or(now);
        self.last.map_or(due, |last| due.max(last + shortest_gap(L::USUAL)))
    }

    fn begin(&mut self) -> (u64, BTreeSet<K>) {
        self.ticks += 1;
        self.last = Some(Instant::now());
        (self.ticks, self.waiting.values().map(|wait| wait.key.clone()).collect())
    }

    /// Who came during a reading that did not ask for them is due as before.
    fn reschedule<L: Listing>(&mut self, asked: &BTreeSet<K>) {
        let now = Instant::now();
        let began = self.last.unwrap_or(now);
        for wait in
            self.waiting.values_mut().filter(|wait| asked.contains(&wait.key) && wait.entered <= began)
        {
            let expected = self.learned.get(wait.condition).copied().unwrap_or_default();
            wait.due = now + next_gap(L::USUAL, expected, now.duration_since(wait.entered));
        }
    }

    fn learn(&mut self, condition: &'static str, took: Duration) {
        let learned = self.learned.entry(condition).or_insert(took);
        *learned = (*learned + took) / 2;
    }
}

/// Half the distance to when it is expected; with nothing learned that is half of what has passed. A twentieth of what
/// is expected is near enough.
fn next_gap(usual: Duration, expected: Duration, waited: Duration) -> Duration {
    (expected.abs_diff(waited) / 2).max(expected / 20).clamp(shortest_gap(usual), longest_gap(usual))
}

fn shortest_gap(usual: Duration) -> Duration {
    (usual / 300).clamp(Duration::from_millis(50), Duration::from_millis(200))
}

fn longest_gap(usual: Duration) -> Duration {
    (usual / 5).clamp(Duration::from_secs(1), Duration::from_secs(5))
}

#[cfg(test)]
mod tests;
