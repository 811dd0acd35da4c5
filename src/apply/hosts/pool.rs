//! What is opened when it is first needed and used again: at most so many at once.
//!
//! Who uses one has a turn; there are as many turns as may be open. Before another one is opened, those that nobody
//! uses go until there is room: with a turn in hand there always is one such.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use tokio::sync::{Mutex, OnceCell, Semaphore, SemaphorePermit};

type Cell<T> = Arc<OnceCell<Arc<T>>>;

/// Things by what they lead to.
#[derive(Debug)]
pub(super) struct Pool<T> {
    most: usize,
    turns: Semaphore,
    open: Mutex<Open<T>>,
}

/// What is open.
#[derive(Debug)]
struct Open<T> {
    ways: BTreeMap<String, Cell<T>>,
    /// Forgotten while they were in use: nobody is given them, and they take room until they end.
    forgotten: Vec<Weak<T>>,
}

impl<T> Open<T> {
    fn count(&mut self) -> usize {
        self.forgotten.retain(|thing| thing.strong_count() > 0);
        self.ways.len() + self.forgotten.len()
    }

    /// Ends one that nobody uses. False when there is none.
    fn end_idle(&mut self) -> bool {
        let idle = self.ways.iter().find(|(_, cell)| is_idle(cell)).map(|(way, _)| way.clone());
        idle.is_some_and(|way| self.ways.remove(&way).is_some())
    }
}

/// One that is in use.
#[derive(Debug)]
pub(super) struct Lease<'p, T> {
    // Given back before the turn is.
    thing: Arc<T>,
    _turn: SemaphorePermit<'p>,
}

impl<T> std::ops::Deref for Lease<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.thing
    }
}

impl<T> Pool<T> {
    /// With room for so many.
    pub(super) fn new(most: usize) -> Self {
        let open = Open { ways: BTreeMap::new(), forgotten: Vec::new() };
        Self { most, turns: Semaphore::new(most), open: Mutex::new(open) }
    }

    /// The one that leads there, opened unless it is; waits for a turn.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub(super) async fn lease<E, F>(&self, way: &str, open: impl FnOnce() -> F) -> Result<Lease<'_, T>, E>
    where
        F: Future<Output = Result<T, E>>,
    {
        let turn = self.turns.acquire().await.expect("it is never closed");
        let cell = self.room_for(way).await;
        let thing = cell.get_or_try_init(|| async { open().await.map(Arc::new) }).await?.clone();
        Ok(Lease { thing, _turn: turn })
    }

    /// The place of a way, once there is room for what leads there.
    async fn room_for(&self, way: &str) -> Cell<T> {
        let mut open = self.open.lock().await;
        while !open.ways.contains_key(way) && open.count() >= self.most && open.end_idle() {}
        open.ways.entry(way.to_owned()).or_default().clone()
    }

    /// Forgets all; what is in use ends when it is given back.
    pub(super) async fn forget(&self) {
        let mut open = self.open.lock().await;
        let ways = std::mem::take(&mut open.ways);
        open.forgotten.extend(ways.values().filter_map(|cell| cell.get()).map(Arc::downgrade));
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

    #[tokio::test]
    async fn no_more_are_open_at_once_than_there_is_room_for() {
        let counts = Arc::new([const { AtomicUsize::new(0) }; 3]);
        let pool = Pool::new(3);
        let work = (0..40).map(|number| {
            let (pool, counts) = (&pool, &counts);
            async move {
                let way = (number % 8).to_string();
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
        let [now, most, made] = [0, 1, 2].map(|index| counts[index].load(Ordering::SeqCst));
        assert_eq!((now, most), (3, 3), "{made} were made");
        assert!(made >= 8);
        pool.forget().await;
        assert_eq!(counts[0].load(Ordering::SeqCst), 0);
    }

    #[tokio::test]
    async fn one_that_is_open_is_used_again_and_one_that_failed_is_not_kept() {
        let counts = Arc::new([const { AtomicUsize::new(0) }; 3]);
        let pool = Pool::new(2);
        assert_eq!(pool.lease("a", || async { Err("closed") }).await.err(), Some("closed"));
        let open = || async { Ok::<_, &str>(Counted::new(&counts)) };
        for _ in 0..3 {
            pool.lease("a", open).await.unwrap();
        }
        assert_eq!(counts[2].load(Ordering::SeqCst), 1);
        // One that was forgotten in the middle of its use takes room until it is given back.
        let used = pool.lease("a", open).await.unwrap();
        pool.forget().await;
        for way in ["b", "c"] {
            pool.lease(way, open).await.unwrap();
        }
        assert_eq!(counts[1].load(Ordering::SeqCst), 2);
        drop(used);
    }
}
