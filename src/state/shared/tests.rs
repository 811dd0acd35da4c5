//! Several operators and one bucket: nothing is lost, nobody works beside another, and what is not as it was is found.
//!
//! The bucket is a map in memory that can be cut off from an operator, and lose an answer.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, join_all};

use super::*;
use crate::base::ids::{CloudId, RegionId, StackName};
use crate::resource::phase::{Happening, Phase};
use crate::resource::{Kind, ResourceAddress};
use crate::state::Memory;
use crate::state::journal::Event;
use crate::state::lock::Unlocked;

type Objects = Arc<Mutex<BTreeMap<String, Vec<u8>>>>;

/// The bucket as one operator reaches it.
#[derive(Debug, Default)]
struct Reached {
    objects: Objects,
    is_cut: AtomicBool,
    loses_answer: AtomicBool,
}

impl Reached {
    fn with<T>(&self, work: impl FnOnce(&mut BTreeMap<String, Vec<u8>>) -> T) -> Result<T, StoreError> {
        let refused = |sentence: &str| StoreError {
            sentence: sentence.to_owned(),
            code: None,
            request_id: None,
            hint: None,
            explained_as: None,
        };
        if self.is_cut.load(Ordering::SeqCst) {
            return Err(refused("the bucket is cut off"));
        }
        let done = work(&mut self.objects.lock().unwrap_or_else(PoisonError::into_inner));
        if self.loses_answer.swap(false, Ordering::SeqCst) {
            return Err(refused("the answer is lost"));
        }
        Ok(done)
    }
}

impl ObjectStore for Reached {
    fn place(&self) -> &'static str {
        "oss://team/chat"
    }

    fn create<'a>(&'a self, key: &'a str, content: &'a [u8]) -> BoxFuture<'a, Result<Made, StoreError>> {
        async move {
            tokio::task::yield_now().await;
            self.with(|objects| {
                if objects.contains_key(key) {
                    return Made::WasThere;
                }
                objects.insert(key.to_owned(), content.to_vec());
                Made::New
            })
        }
        .boxed()
    }

    fn write<'a>(&'a self, key: &'a str, content: &'a [u8]) -> BoxFuture<'a, Result<(), StoreError>> {
        async move { self.with(|objects| drop(objects.insert(key.to_owned(), content.to_vec()))) }.boxed()
    }

    fn read<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Vec<u8>>, StoreError>> {
        async move {
            tokio::task::yield_now().await;
            self.with(|objects| objects.get(key).cloned())
        }
        .boxed()
    }

    fn list<'a>(&'a self, folder: &'a str, after: &'a str) -> BoxFuture<'a, Result<Vec<String>, StoreError>> {
        let names = move |objects: &mut BTreeMap<String, Vec<u8>>| {
            let names = objects.keys().filter_map(|key| key.strip_prefix(folder));
            names.filter(|name| *name > after).map(str::to_owned).collect()
        };
        async move { self.with(names) }.boxed()
    }
}

/// One operator: a folder of their own, and a way to the bucket.
struct Operator {
    folder: tempfile::TempDir,
    reached: Arc<Reached>,
}

impl Operator {
    fn of(objects: &Objects) -> Self {
        let reached = Reached { objects: objects.clone(), ..Reached::default() };
        Self { folder: tempfile::tempdir().unwrap(), reached: Arc::new(reached) }
    }

    async fn take(&self) -> Result<(Held, Journal, Opened), StateError> {
        let claim = Claim::new("albatross apply chat.yaml", Duration::from_mins(2));
        let store: Store = self.reached.clone();
        let taken = take(store, self.folder.path(), identity(), (&claim, &|_| ())).await;
        taken.map(|(held, journal, opened, _)| (held, journal, opened))
    }

    /// A whole command that makes these.
    async fn make(&self, names: &[&str]) -> Opened {
        let (held, mut journal, opened) = self.take().await.unwrap();
        for name in names {
            announce(&mut journal, name).await.unwrap();
            accept(&mut journal, name);
        }
        held.finish().await.unwrap();
        opened
    }

    async fn memory(&self) -> Memory {
        let store: Store = self.reached.clone();
        look(&store, self.folder.path(), &identity()).await.unwrap().memory().clone()
    }
}

fn identity() -> Identity {
    Identity::new("1", "http://127.0.0.1:1", RegionId::new("cn-hangzhou"), StackName::new("chat"))
}

fn address(name: &str) -> ResourceAddress {
    ResourceAddress::new(Kind::Instance, name)
}

fn id(name: &str) -> CloudId {
    CloudId::new(format!("i-{name}"))
}

/// Says that a call is about to be sent, and returns when it may be.
async fn announce(journal: &mut Journal, name: &str) -> Result<(), StateError> {
    let token = journal.memory().next_token(&address(name));
    let happening = Happening::Intend(token);
    let call = Some(serde_json::json!({"action": "RunInstances"}));
    journal.append(Event::Happened { address: address(name), happening, call })?;
    journal.outbox().unwrap().settled(journal.sequence()).await
}

fn accept(journal: &mut Journal, name: &str) {
    let happening = Happening::Accept(id(name));
    journal.append(Event::Happened { address: address(name), happening, call: None }).unwrap();
}

fn keys(objects: &Objects, folder: &str) -> Vec<String> {
    let objects = objects.lock().unwrap_or_else(PoisonError::into_inner);
    objects.keys().filter(|key| key.starts_with(folder)).cloned().collect()
}

fn made(memory: &Memory) -> Vec<String> {
    memory.ids(Kind::Instance).into_iter().map(|(address, _)| address.name.clone()).collect()
}

#[tokio::test(start_paused = true)]
async fn whoever_comes_next_has_all_that_was_done_before() {
    let objects = Objects::default();
    let (ada, ben) = (Operator::of(&objects), Operator::of(&objects));
    ada.make(&["a"]).await;
    assert_eq!(ben.make(&["b"]).await.pulled, 3);
    assert_eq!(ada.make(&["c"]).await.pulled, 2);
    let (one, other) = (ada.memory().await, ben.memory().await);
    assert_eq!(made(&one), ["a", "b", "c"]);
    assert_eq!(one, other);
    assert_eq!(keys(&objects, "lock/").len(), 3);
    assert_eq!(keys(&objects, "released/").len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_stack_from_before_it_was_shared_goes_along_with_its_tokens() {
    let objects = Objects::default();
    let (ada, ben) = (Operator::of(&objects), Operator::of(&objects));
    let before = {
        let (mut journal, _) = Journal::open(ada.folder.path(), identity()).unwrap();
        accept(&mut journal, "a");
        journal.memory().clone()
    };
    assert_eq!(ada.make(&[]).await.pushed, 2);
    let shared = ben.memory().await;
    assert_eq!((&shared.identity.lineage, &shared.resources), (&before.identity.lineage, &before.resources));
}

#[tokio::test(start_paused = true)]
async fn a_call_is_not_sent_before_others_can_know_of_it() {
    let objects = Objects::default();
    let (ada, ben) = (Operator::of(&objects), Operator::of(&objects));
    let (_held, mut journal, _) = ada.take().await.unwrap();
    let before = keys(&objects, "journal/").len();
    announce(&mut journal, "a").await.unwrap();
    assert_eq!(keys(&objects, "journal/").len(), before + 1);
    assert!(ben.memory().await.is_under_way(&address("a")));
    // How it ended goes with the next one.
    accept(&mut journal, "a");
    assert_eq!(keys(&objects, "journal/").len(), before + 1);
    announce(&mut journal, "b").await.unwrap();
    assert_eq!(made(&ben.memory().await), ["a"]);
}

#[tokio::test(start_paused = true)]
async fn many_who_wait_at_once_need_one_segment_or_two() {
    let objects = Objects::default();
    let ada = Operator::of(&objects);
    let (_held, mut journal, _) = ada.take().await.unwrap();
    let before = keys(&objects, "journal/").len();
    let mut waits = Vec::new();
    for number in 0..10 {
        let name = format!("a{number}");
        let token = journal.memory().next_token(&address(&name));
        let happening = Happening::Intend(token);
        journal.append(Event::Happened { address: address(&name), happening, call: None }).unwrap();
        let (outbox, sequence) = (journal.outbox().unwrap().clone(), journal.sequence());
        waits.push(async move { outbox.settled(sequence).await });
    }
    assert!(join_all(waits).await.into_iter().all(|settled| settled.is_ok()));
    assert!(keys(&objects, "journal/").len() - before <= 2);
}

#[tokio::test(start_paused = true)]
async fn a_holder_that_is_cut_off_is_overtaken_and_begins_nothing_more() {
    let objects = Objects::default();
    let (ada, ben) = (Operator::of(&objects), Operator::of(&objects));
    let (held, mut journal, _) = ada.take().await.unwrap();
    announce(&mut journal, "a").await.unwrap();
    ada.reached.is_cut.store(true, Ordering::SeqCst);
    let (other, theirs, _) = ben.take().await.unwrap();
    assert!(theirs.memory().is_under_way(&address("a")), "whoever takes over knows of the call");
    ada.reached.is_cut.store(false, Ordering::SeqCst);
    let refused = announce(&mut journal, "b").await.unwrap_err();
    assert!(refused.is_lost_lock(), "{refused}");
    assert!(refused.to_string().contains("it is held by "), "{refused}");
    assert!(held.standing().lost().now_or_never().is_some());
    // What it has done is written down all the same, here.
    accept(&mut journal, "a");
    held.finish().await.unwrap_err();
    other.finish().await.unwrap();
    assert!(!ben.memory().await.is_under_way(&address("b")));
}

#[tokio::test(start_paused = true)]
async fn how_a_call_ended_is_taken_over_later_unless_others_know_better() {
    let objects = Objects::default();
    let (ada, ben) = (Operator::of(&objects), Operator::of(&objects));
    let (held, mut journal, _) = ada.take().await.unwrap();
    for name in ["a", "b"] {
        announce(&mut journal, name).await.unwrap();
    }
    ada.reached.is_cut.store(true, Ordering::SeqCst);
    accept(&mut journal, "a");
    accept(&mut journal, "b");
    announce(&mut journal, "c").await.unwrap_err();
    held.finish().await.unwrap_err();
    drop((held, journal));
    let (theirs, mut other, _) = ben.take().await.unwrap();
    // It sends the second call again, and is answered otherwise.
    let happening = Happening::Accept(id("other"));
    other.append(Event::Happened { address: address("b"), happening, call: None }).unwrap();
    theirs.finish().await.unwrap();
    ada.reached.is_cut.store(false, Ordering::SeqCst);
    let (held, journal, opened) = ada.take().await.unwrap();
    let merged = opened.merged.expect("both went on");
    assert_eq!((merged.taken, merged.left), (1, 2));
    let kept = std::fs::read_to_string(&merged.aside).unwrap();
    assert!(kept.contains("i-b"), "{kept}");
    let memory = journal.memory();
    assert_eq!(memory.phase(&address("a")), Phase::Accepted(id("a")));
    assert_eq!(memory.phase(&address("b")), Phase::Accepted(id("other")));
    assert_eq!(memory.phase(&address("c")), Phase::Absent);
    held.finish().await.unwrap();
    assert_eq!(ben.memory().await, *memory);
}

#[tokio::test(start_paused = true)]
async fn without_a_bucket_everything_stays_here_and_goes_there_later() {
    let objects = Objects::default();
    let (ada, ben) = (Operator::of(&objects), Operator::of(&objects));
    let (held, mut journal, _) = ada.take().await.unwrap();
    announce(&mut journal, "a").await.unwrap();
    ada.reached.is_cut.store(true, Ordering::SeqCst);
    accept(&mut journal, "a");
    let refused = announce(&mut journal, "b").await.unwrap_err();
    assert!(matches!(refused, StateError::Unshared { .. }), "{refused}");
    assert!(refused.hint().unwrap().contains("albatross state push FILE"));
    held.finish().await.unwrap_err();
    drop((held, journal));
    ada.reached.is_cut.store(false, Ordering::SeqCst);
    assert_eq!(made(&ben.memory().await), [""; 0]);
    let opened = ada.make(&[]).await;
    assert_eq!((opened.pushed, opened.merged), (2, None));
    assert_eq!(made(&ben.memory().await), ["a"]);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_lost_loses_and_doubles_nothing() {
    let objects = Objects::default();
    let ada = Operator::of(&objects);
    let (held, mut journal, _) = ada.take().await.unwrap();
    ada.reached.loses_answer.store(true, Ordering::SeqCst);
    announce(&mut journal, "a").await.unwrap_err();
    accept(&mut journal, "a");
    held.finish().await.unwrap();
    assert_eq!(ada.memory().await, *journal.memory());
    assert_eq!(Operator::of(&objects).memory().await, *journal.memory());
}

#[tokio::test(start_paused = true)]
async fn a_command_that_was_killed_is_gone_on_from_here_or_elsewhere() {
    let objects = Objects::default();
    let (ada, ben) = (Operator::of(&objects), Operator::of(&objects));
    for goes_on in [&ada, &ben] {
        let (held, mut journal, _) = ada.take().await.unwrap();
        let name = format!("a{}", journal.sequence());
        announce(&mut journal, &name).await.unwrap();
        let token = journal.memory().next_token(&address(&name));
        ada.reached.is_cut.store(true, Ordering::SeqCst);
        // Nothing is finished, released or written down.
        drop((held, journal));
        ada.reached.is_cut.store(false, Ordering::SeqCst);
        let (held, journal, _) = goes_on.take().await.unwrap();
        assert!(journal.memory().is_under_way(&address(&name)));
        assert_eq!(journal.memory().next_token(&address(&name)), token, "the same call, with the same token");
        held.finish().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn of_many_at_once_one_works_and_nothing_is_lost() {
    let objects = Objects::default();
    let at_work = Arc::new(AtomicUsize::new(0));
    let operators: Vec<Operator> = (0..4).map(|_| Operator::of(&objects)).collect();
    let work = |number: usize| {
        let (operator, at_work) = (&operators[number], at_work.clone());
        async move {
            for round in 0..8 {
                let (held, mut journal, _) = operator.take().await.unwrap();
                assert_eq!(at_work.fetch_add(1, Ordering::SeqCst), 0, "two at work");
                let name = format!("o{number}r{round}");
                announce(&mut journal, &name).await.unwrap();
                tokio::time::sleep(Duration::from_millis(300)).await;
                accept(&mut journal, &name);
                at_work.fetch_sub(1, Ordering::SeqCst);
                held.finish().await.unwrap();
            }
        }
    };
    join_all((0..4).map(work)).await;
    let memory = operators[0].memory().await;
    assert_eq!(made(&memory).len(), 32);
    for operator in &operators {
        assert_eq!(operator.memory().await, memory);
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_comes_first_reads_a_snapshot_and_what_came_after() {
    let objects = Objects::default();
    let ada = Operator::of(&objects);
    for number in 0..40 {
        ada.make(&[&format!("a{number:02}")]).await;
    }
    assert_eq!(keys(&objects, "snapshot/").len(), 1);
    let ben = Operator::of(&objects);
    assert_eq!(ben.memory().await.resources, ada.memory().await.resources);
    // What is taken in by the snapshot is not read any more.
    let first = keys(&objects, "journal/").remove(0);
    objects.lock().unwrap().remove(&first);
    assert_eq!(Operator::of(&objects).memory().await.resources, ada.memory().await.resources);
    assert_eq!(made(&ada.memory().await).len(), 40);
}

#[tokio::test(start_paused = true)]
async fn what_is_changed_missing_or_added_is_found() {
    type Harm = fn(&mut BTreeMap<String, Vec<u8>>);
    let harms: [(Harm, &str); 5] = [
        (|objects| objects.get_mut("journal/000000000002").unwrap()[40] ^= 1, "checksum"),
        (|objects| drop(objects.remove("journal/000000000003")), "a segment before it is missing"),
        (
            |objects| {
                let own = objects["journal/000000000002"].clone();
                drop(objects.insert("journal/000000000004".to_owned(), own));
            },
            "another name",
        ),
        (|objects| objects.get_mut("journal/000000000003").unwrap().truncate(250), "lines are missing"),
        (
            |objects| {
                let twice = Segment::new(3, 9, "elsewhere", 1, "").to_bytes();
                drop(objects.insert("journal/000000000003".to_owned(), twice));
            },
            "not the one that it was written after",
        ),
    ];
    for (harm, why) in harms {
        let objects = Objects::default();
        let ada = Operator::of(&objects);
        ada.make(&["a", "b"]).await;
        harm(&mut objects.lock().unwrap());
        let store: Store = Operator::of(&objects).reached;
        let folder = tempfile::tempdir().unwrap();
        let error = look(&store, folder.path(), &identity()).await.unwrap_err();
        assert!(matches!(error, StateError::SegmentDamaged { .. }), "{error}");
        assert!(error.to_string().contains(why), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn two_states_of_one_stack_are_not_brought_together() {
    let objects = Objects::default();
    let (ada, ben) = (Operator::of(&objects), Operator::of(&objects));
    ada.make(&["a"]).await;
    let (mut journal, _) = Journal::open(ben.folder.path(), identity()).unwrap();
    accept(&mut journal, "b");
    let error = ben.take().await.unwrap_err();
    assert!(matches!(error, StateError::OtherHistory { .. }), "{error}");
    // Nothing was begun, so nobody has to wait for it.
    assert_eq!(keys(&objects, "released/").len(), 2);
    std::fs::remove_file(ben.folder.path().join("journal")).unwrap();
    assert_eq!(ben.make(&["b"]).await.pulled, 3);
}

#[tokio::test(start_paused = true)]
async fn a_bucket_that_was_emptied_is_filled_again() {
    let objects = Objects::default();
    let (ada, ben) = (Operator::of(&objects), Operator::of(&objects));
    ada.make(&["a"]).await;
    objects.lock().unwrap().clear();
    assert_eq!(ada.make(&["b"]).await.pushed, 3);
    assert_eq!(made(&ben.memory().await), ["a", "b"]);
}

#[tokio::test(start_paused = true)]
async fn a_hold_is_ended_by_force_or_when_nobody_is_there() {
    let objects = Objects::default();
    let (ada, ben) = (Operator::of(&objects), Operator::of(&objects));
    let store: Store = ben.reached.clone();
    assert_eq!(unlock(&store, false, &|_| ()).await.unwrap(), Unlocked::WasFree);
    let (held, mut journal, _) = ada.take().await.unwrap();
    let error = unlock(&store, false, &|_| ()).await.unwrap_err();
    assert!(matches!(error, StateError::Locked { .. }), "{error}");
    assert!(matches!(unlock(&store, true, &|_| ()).await.unwrap(), Unlocked::WasForced(_)));
    assert!(announce(&mut journal, "a").await.unwrap_err().is_lost_lock());
    drop(held);
    assert_eq!(unlock(&store, false, &|_| ()).await.unwrap(), Unlocked::WasFree);
    ben.make(&["b"]).await;
}

#[tokio::test(start_paused = true)]
async fn pulling_brings_what_others_wrote_and_leaves_what_is_here_only() {
    let objects = Objects::default();
    let (ada, ben) = (Operator::of(&objects), Operator::of(&objects));
    ada.make(&["a"]).await;
    let store: Store = ben.reached.clone();
    assert_eq!(pull(&store, ben.folder.path(), &identity()).await.unwrap().pulled, 3);
    assert_eq!(pull(&store, ben.folder.path(), &identity()).await.unwrap(), Opened::default());
    let journal = Journal::open_for_reading(ben.folder.path(), &identity()).unwrap();
    assert_eq!(made(journal.memory()), ["a"]);
    let (mut journal, _) = Journal::open(ben.folder.path(), identity()).unwrap();
    accept(&mut journal, "b");
    assert_eq!(pull(&store, ben.folder.path(), &identity()).await.unwrap().pushed, 1);
    ada.make(&["c"]).await;
    let error = pull(&store, ben.folder.path(), &identity()).await.unwrap_err();
    assert!(matches!(error, StateError::Unpushed { .. }), "{error}");
}
