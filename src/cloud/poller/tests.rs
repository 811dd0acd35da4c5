//! The poller over a cloud that counts its calls, on a clock that is not waited for.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use super::*;
use crate::base::ids::CloudId;

const SECOND: Duration = Duration::from_secs(1);

/// Resources that get ready some time after they were made.
#[derive(Debug, Clone)]
struct Cloud(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    ready: Mutex<BTreeMap<CloudId, Instant>>,
    asked: Mutex<Vec<BTreeSet<CloudId>>>,
    under_way: AtomicU32,
    most_under_way: AtomicU32,
    broken: AtomicBool,
}

impl Cloud {
    fn new() -> Self {
        Self(Arc::new(Shared {
            ready: Mutex::default(),
            asked: Mutex::default(),
            under_way: AtomicU32::new(0),
            most_under_way: AtomicU32::new(0),
            broken: AtomicBool::new(false),
        }))
    }

    fn lane(&self) -> Arc<Lane<Self>> {
        Arc::new(Lane::new(self.clone(), &Arc::default(), &Arc::default()))
    }

    /// Makes one that is ready after so long.
    fn make(&self, name: &str, takes: Duration) -> CloudId {
        let id = CloudId::new(name);
        self.0.ready.lock().unwrap().insert(id.clone(), Instant::now() + takes);
        id
    }

    fn asked(&self) -> Vec<BTreeSet<CloudId>> {
        self.0.asked.lock().unwrap().clone()
    }
}

impl Listing for Cloud {
    type Key = CloudId;
    type Item = bool;

    fn usual(_: &str) -> Usual {
        Usual { takes: 25 * SECOND, basis: crate::base::usual::Basis::Published }
    }

    async fn read(&self, keys: &BTreeSet<CloudId>) -> Result<BTreeMap<CloudId, bool>, CloudError> {
        self.0.asked.lock().unwrap().push(keys.clone());
        let now = self.0.under_way.fetch_add(1, Ordering::SeqCst) + 1;
        self.0.most_under_way.fetch_max(now, Ordering::SeqCst);
        // What is answered is how things stood when the question came.
        let seen: BTreeMap<CloudId, bool> = {
            let ready = self.0.ready.lock().unwrap();
            keys.iter().filter_map(|id| Some((id.clone(), *ready.get(id)? <= Instant::now()))).collect()
        };
        tokio::time::sleep(Duration::from_millis(30)).await;
        self.0.under_way.fetch_sub(1, Ordering::SeqCst);
        if self.0.broken.load(Ordering::SeqCst) {
            return Err(CloudError::Broken {
                subject: "the list".to_owned(),
                state: "unreadable".to_owned(),
            });
        }
        Ok(seen)
    }
}

async fn ready(lane: &Lane<Cloud>, id: &CloudId) -> Result<(), CloudError> {
    ready_within(lane, id, Duration::from_mins(5)).await
}

async fn ready_within(lane: &Lane<Cloud>, id: &CloudId, deadline: Duration) -> Result<(), CloudError> {
    let condition = Condition { subject: id.as_str(), name: "ready", deadline, notice: &|_| () };
    let judge = |found: Option<&bool>| match found {
        Some(true) => Look::Done(()),
        Some(false) => Look::NotYet("not ready".to_owned()),
        None => Look::Absent,
    };
    lane.until(id, condition, judge).await
}

/// How many calls it takes until so many are ready that were all made now.
async fn calls_for(number: u32, takes: Duration) -> usize {
    let cloud = Cloud::new();
    let lane = cloud.lane();
    let ids: Vec<CloudId> = (0..number).map(|index| cloud.make(&format!("i-{index}"), takes)).collect();
    futures_util::future::join_all(ids.iter().map(|id| async { ready(&lane, id).await.unwrap() })).await;
    assert_eq!(cloud.0.most_under_way.load(Ordering::SeqCst), 1, "more than one call was under way");
    assert!(cloud.asked().iter().all(|asked| asked.len() == ids.len()), "a look did not ask for all");
    cloud.asked().len()
}

#[tokio::test(start_paused = true)]
async fn ten_cost_as_many_calls_as_one() {
    for takes in [Duration::ZERO, SECOND, 25 * SECOND, 100 * SECOND] {
        let one = calls_for(1, takes).await;
        assert_eq!(calls_for(10, takes).await, one, "for {takes:?}");
        assert!(one <= 30, "{one} calls for {takes:?}");
    }
    assert_eq!(calls_for(10, Duration::ZERO).await, 1, "the first look is early");
}

#[tokio::test(start_paused = true)]
async fn those_who_come_one_after_another_share_their_looks() {
    let cloud = Cloud::new();
    let lane = cloud.lane();
    let one_by_one = (0..10).map(|index| {
        let (cloud, lane) = (cloud.clone(), lane.clone());
        async move {
            tokio::time::sleep(Duration::from_millis(index * 70)).await;
            let id = cloud.make(&format!("i-{index}"), 25 * SECOND);
            ready(&lane, &id).await.unwrap();
        }
    });
    futures_util::future::join_all(one_by_one).await;
    let one = calls_for(1, 25 * SECOND).await;
    assert!(cloud.asked().len() <= one * 2, "{} calls for ten, {one} for one", cloud.asked().len());
}

#[tokio::test(start_paused = true)]
async fn what_was_learned_makes_the_next_wait_cheaper_and_as_short() {
    let cloud = Cloud::new();
    let lane = cloud.lane();
    let mut calls = Vec::new();
    for index in 0..4 {
        let (before, began) = (cloud.asked().len(), Instant::now());
        let id = cloud.make(&format!("i-{index}"), 20 * SECOND);
        ready(&lane, &id).await.unwrap();
        calls.push(cloud.asked().len() - before);
        assert!(began.elapsed() < 26 * SECOND, "noticed after {:?}", began.elapsed());
    }
    assert!(calls[3] < calls[0], "{calls:?}");
}

#[tokio::test(start_paused = true)]
async fn a_look_that_was_under_way_already_does_not_count() {
    let cloud = Cloud::new();
    let lane = cloud.lane();
    let id = cloud.make("sgp-1", Duration::ZERO);
    let early = tokio::spawn({
        let (lane, id) = (lane.clone(), id.clone());
        async move { ready(&lane, &id).await }
    });
    tokio::time::sleep(Duration::from_millis(60)).await;
    assert_eq!(cloud.asked().len(), 1, "the first look is under way");
    // A change is made: what that look saw before is not what it is now.
    cloud.make("sgp-1", 3 * SECOND);
    let changed = Instant::now();
    ready(&lane, &id).await.unwrap();
    assert!(changed.elapsed() >= 3 * SECOND, "it took {:?} for the new state", changed.elapsed());
    early.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn who_is_dropped_leaves_and_another_looks_on() {
    let cloud = Cloud::new();
    let lane = cloud.lane();
    let (first, second) = (cloud.make("i-1", 1000 * SECOND), cloud.make("i-2", 20 * SECOND));
    let leader = tokio::spawn({
        let (lane, id) = (lane.clone(), first.clone());
        async move { ready(&lane, &id).await }
    });
    tokio::task::yield_now().await;
    let follower = tokio::spawn({
        let lane = lane.clone();
        async move { ready(&lane, &second).await }
    });
    tokio::time::sleep(10 * SECOND).await;
    leader.abort();
    follower.await.unwrap().unwrap();
    let asked = cloud.asked();
    assert!(asked.iter().any(|asked| asked.contains(&first)) && !asked.last().unwrap().contains(&first));
    // And when nobody waits nobody looks.
    tokio::time::sleep(100 * SECOND).await;
    assert_eq!(cloud.asked().len(), asked.len());
}

#[tokio::test(start_paused = true)]
async fn each_has_a_deadline_of_its_own() {
    let cloud = Cloud::new();
    let lane = cloud.lane();
    let (slow, slower) = (cloud.make("i-1", 1000 * SECOND), cloud.make("i-2", 40 * SECOND));
    let (first, second) = tokio::join!(ready_within(&lane, &slow, 10 * SECOND), ready(&lane, &slower));
    assert_eq!(first.unwrap_err().to_string(), "i-1: waited 10 s for ready, is not ready");
    second.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_reading_that_fails_fails_all_who_wait_for_it() {
    let cloud = Cloud::new();
    cloud.0.broken.store(true, Ordering::SeqCst);
    let lane = cloud.lane();
    let (one, other) = (cloud.make("i-1", SECOND), cloud.make("i-2", SECOND));
    let (first, second) = tokio::join!(ready(&lane, &one), ready(&lane, &other));
    assert_eq!(first.unwrap_err().to_string(), "the list is unreadable");
    assert_eq!(second.unwrap_err().to_string(), "the list is unreadable");
    assert_eq!(cloud.asked().len(), 1);
}
