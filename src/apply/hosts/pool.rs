//! What is opened when it is first needed and used again: at most so many at once.
//!
//! Who uses one has two turns: one of all, and one at the door that its way begins with. There are as many turns as may
//! be open. Before another one is opened, those that nobody uses go until there is room: with both turns in hand there
//! always is one such.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use tokio::sync::{Mutex, OnceCell, OwnedSemaphorePermit, Semaphore, SemaphorePermit};

type Cell<T> = Arc<OnceCell<Arc<T>>>;

/// How many may be open.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    /// All together.
    pub(super) all: usize,
    /// Those that begin with the same door.
    pub(super) behind_a_door: usize,
}

/// What leads to one thing and no other.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Way {
    /// What it begins with.
    pub(super) door: String,
    /// All of it.
    pub(super) whole: String,
}

/// Things by what leads to them.
#[derive(Debug)]
pub(super) struct Pool<T> {
    room: Room,
    turns: Semaphore,
    turns_at_doors: Mutex<BTreeMap<String, Arc<Semaphore>>>,
    open: Mutex<Open<T>>,
}

/// What is open.
#[derive(Debug)]
struct Open<T> {
    ways: BTreeMap<Way, Cell<T>>,
    /// Forgotten while they were in use: nobody is given them, and they take room until they end.
    forgotten: Vec<(Way, Weak<T>)>,
}

impl<T> Open<T> {
    /// Ends one that nobody uses, where there is no room for another one behind a door. False when none has to go, or
    /// none can.
    fn make_room(&mut self, door: &str, room: Room) -> bool {
        self.forgotten.retain(|(_, thing)| thing.strong_count() > 0);
        let is_behind = |way: &Way| way.door == door;
        if self.count(is_behind) >= room.behind_a_door {
            return self.end_idle(is_behind);
        }
        self.count(|_| true) >= room.all && self.end_idle(|_| true)
    }

    fn count(&self, counts: impl Fn(&Way) -> bool) -> usize {
        let forgotten = self.forgotten.iter().map(|(way, _)| way);
        self.ways.keys().chain(forgotten).filter(|way| counts(way)).count()
    }

    fn end_idle(&mut self, may_go: impl Fn(&Way) -> bool) -> bool {
        let idle = self.ways.iter().find(|(way, cell)| may_go(way) && is_idle(cell));
        let way = idle.map(|(way, _)| way.clone());
        way.is_some_and(|way| self.ways.remove(&way).is_some())
    }
}

/// One that is in use.
#[derive(Debug)]
pub(super) struct Lease<'p, T> {
    // Given back before the turns are.
    thing: Arc<T>,
    _turn: SemaphorePermit<'p>,
    _turn_at_door: OwnedSemaphorePermit,
}

impl<T> std::ops::Deref for Lease<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.thing
    }
}

impl<T> Pool<T> {
    /// With room for so many.
    pub(super) fn new(room: Room) -> Self {
        let open = Mutex::new(Open { ways: BTreeMap::new(), forgotten: Vec::new() });
        Self { room, turns: Semaphore::new(room.all), turns_at_doors: Mutex::default(), open }
    }

    /// The one that a way leads to, opened unless it is; waits for its turns.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub(super) async fn lease<E, F>(&self, way: &Way, open: impl FnOnce() -> F) -> Result<Lease<'_, T>, E>
    where
        F: Future<Output = Result<T, E>>,
    {
        // First the one at the door: who waits there keeps none of the others waiting.
        let turn_at_door = self.turns_at(&way.door).await.acquire_owned().await.expect("it is never closed");
        let turn = self.turns.acquire().await.expect("it is never closed");
        let cell = self.room_for(way).await;
        let thing = cell.get_or_try_init(|| async { open().await.map(Arc::new) }).await?.clone();
        Ok(Lease { thing, _turn: turn, _turn_at_door: turn_at_door })
    }

    async fn turns_at(&self, door: &str) -> Arc<Semaphore> {
        let mut doors = self.turns_at_doors.lock().await;
        let turns = || Arc::new(Semaphore::new(self.room.behind_a_door));
        doors.entry(door.to_owned()).or_insert_with(turns).clone()
    }

    /// The place of a way, once there is room for what leads there.
    async fn room_for(&self, way: &Way) -> Cell<T> {
        let mut open = self.open.lock().await;
        while !open.ways.contains_key(way) && open.make_room(&way.door, self.room) {}
        open.ways.entry(way.clone()).or_default().clone()
    }

    /// Forgets all; what is in use ends when it is given back.
    pub(super) async fn forget(&self) {
        let mut open = self.open.lock().await;
        let ways = std::mem::take(&mut open.ways);
        let used = ways.into_iter().filter_map(|(way, cell)| Some((way, Arc::downgrade(cell.get()?))));
        open.forgotten.extend(used);
    }
}

/// Whether nobody uses it, opens it or waits for that.
fn is_idle<T>(cell: &Cell<T>) -> bool {
    Arc::strong_count(cell) == 1 && cell.get().is_none_or(|thing| Arc::strong_count(thing) == 1)
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::future::join_all;

    use super::*;

    fn way(door: &str, whole: &str) -> Way {
        Way { door: door.to_owned(), whole: whole.to_owned() }
    }

    /// Counts how many of it there are.
    struct Counted(Arc<[AtomicUsize; 3]>);

    impl Counted {
        fn new(counts: &Arc<[AtomicUsize; 3]>) -> Self {
            let now = counts[0].fetch_add(1, Ordering::SeqCst) + 1;
            counts[1].fetch_max(now, Ordering::SeqCst);
            counts[2].fetch_add(1, Ordering::SeqCst);
            Self(Arc::clone(counts))
        }
    }

    impl Drop for Counted {
        fn drop(&mut self) {
            self.0[0].fetch_sub(1, Ordering::SeqCst);
        }
    }

    /// Uses eight things forty times, behind as many doors; how many are open afterwards, were at most, and were made.
    async fn used_by_many(room: Room, doors: usize) -> [usize; 3] {
        let counts = Arc::new([const { AtomicUsize::new(0) }; 3]);
        let pool = Pool::new(room);
        let work = (0..40).map(|number| {
            let (pool, counts) = (&pool, &counts);
            async move {
                let way = way(&(number % 8 % doors).to_string(), &(number % 8).to_string());
                let open = || async {
                    tokio::task::yield_now().await;
                    Ok::<_, Infallible>(Counted::new(counts))
                };
                let lease = pool.lease(&way, open).await.unwrap();
                for _ in 0..number % 5 {
                    tokio::task::yield_now().await;
                }
                drop(lease);
            }
        });
        join_all(work).await;
        let used = [0, 1, 2].map(|index| counts[index].load(Ordering::SeqCst));
        pool.forget().await;
        assert_eq!(counts[0].load(Ordering::SeqCst), 0);
        used
    }

    #[tokio::test]
    async fn no_more_are_open_at_once_than_there_is_room_for() {
        let [now, most, made] = used_by_many(Room { all: 3, behind_a_door: 8 }, 2).await;
        assert_eq!((now, most), (3, 3), "{made} were made");
        assert!(made >= 8);
    }

    #[tokio::test]
    async fn nor_behind_the_same_door() {
        let room = Room { all: 8, behind_a_door: 2 };
        for (doors, room_there_is) in [(1, 2), (2, 4), (4, 8)] {
            let [now, most, made] = used_by_many(room, doors).await;
            assert_eq!((now, most), (room_there_is, room_there_is), "{made} were made behind {doors} doors");
            assert!(made >= 8);
        }
    }

    #[tokio::test]
    async fn one_that_is_open_is_used_again_and_one_that_failed_is_not_kept() {
        let counts = Arc::new([const { AtomicUsize::new(0) }; 3]);
        let pool = Pool::new(Room { all: 2, behind_a_door: 2 });
        let [a, b, c] = ["a", "b", "c"].map(|whole| way("door", whole));
        assert_eq!(pool.lease(&a, || async { Err("closed") }).await.err(), Some("closed"));
        let open = || async { Ok::<_, &str>(Counted::new(&counts)) };
        for _ in 0..3 {
            pool.lease(&a, open).await.unwrap();
        }
        assert_eq!(counts[2].load(Ordering::SeqCst), 1);
        // One that was forgotten in the middle of its use takes room until it is given back.
        let used = pool.lease(&a, open).await.unwrap();
        pool.forget().await;
        for way in [b, c] {
            pool.lease(&way, open).await.unwrap();
        }
        assert_eq!(counts[1].load(Ordering::SeqCst), 2);
        drop(used);
    }
}
