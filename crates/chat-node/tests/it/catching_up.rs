//! A node that was cut off, and comes back to much, to little, or to something else than what it left.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use chat_node::bus::{Audience, Bus, Entry, Outcome, Presence, Receipt, Say, SessionId, Settings};
use chat_node::history::Missed;
use chat_node::{Config, NodeId, RedisAddress};

use crate::eventually;
use crate::listener::{Line, some_id};
use crate::redis_server::{self, RedisServer, redis_or_skip};
use crate::valve::Valve;
use crate::way::Way;

/// A room whose clients read slowly: they take some of what waits each time they are looked at.
#[derive(Default)]
struct SlowRoom {
    heard: AtomicUsize,
    waiting: AtomicUsize,
    most: AtomicUsize,
}

/// What the slow clients take at a time.
const SIP: usize = 40;
/// How much may wait before they count as behind.
const ENOUGH: usize = 100;

impl Audience for SlowRoom {
    fn deliver(&self, entries: &[Arc<Entry>]) {
        self.heard.fetch_add(entries.len(), Ordering::Relaxed);
        let waiting = self.waiting.fetch_add(entries.len(), Ordering::Relaxed) + entries.len();
        self.most.fetch_max(waiting, Ordering::Relaxed);
    }

    fn pressure(&self) -> usize {
        let waiting = self.waiting.load(Ordering::Relaxed).saturating_sub(SIP);
        self.waiting.store(waiting, Ordering::Relaxed);
        waiting.saturating_sub(ENOUGH)
    }

    fn tell(&self, _: SessionId, _: &str) {}
    fn acknowledge(&self, _: Receipt, _: Outcome) {}
    fn moved(&self, _: &Presence) {}

    fn presences(&self) -> Vec<Presence> {
        Vec::new()
    }
}

fn start(room: &Arc<SlowRoom>, url: &str, change: impl FnOnce(&mut Settings)) -> Bus {
    let config = Config::new(NodeId::parse("ecs01").unwrap(), RedisAddress::parse(url).unwrap());
    let mut settings = config.bus();
    change(&mut settings);
    Bus::start(settings, room.clone())
}

async fn ready(bus: &Bus) {
    eventually("the bus is ready", async || bus.connectivity().ready().ok()).await;
}

async fn heard(room: &SlowRoom, count: usize) {
    eventually(&format!("{count} are heard"), async || {
        (room.heard.load(Ordering::Relaxed) >= count).then_some(())
    })
    .await;
}

async fn say_many(redis: &RedisServer, count: usize) {
    let mut connection = redis.connection().await.unwrap();
    let mut pipeline = redis::pipe();
    for number in 0..count {
        pipeline
            .cmd("XADD")
            .arg("chat:messages")
            .arg("*")
            .arg("text")
            .arg(format!("meanwhile {number}"))
            .ignore();
    }
    pipeline.exec_async(&mut connection).await.unwrap();
}

fn behind(bus: &Bus) -> f64 {
    let mut text = String::new();
    bus.measure(&mut text);
    let line = text.lines().find_map(|line| line.strip_prefix("chat_stream_behind_seconds "));
    line.unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_read_are_waited_for_while_a_node_catches_up() {
    let redis = redis_or_skip!();
    let mut way = Way::open(redis.address()).await;
    let room = Arc::new(SlowRoom::default());
    let bus = start(&room, &redis_server::url(way.address), |_| ());
    ready(&bus).await;
    redis.say("before").await;
    heard(&room, 1).await;
    way.close();
    eventually("the node is cut off", async || bus.connectivity().ready().err()).await;
    say_many(&redis, 2000).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    way.reopen().await;
    heard(&room, 500).await;
    // As long as there is more, it is told how old that is.
    assert!((2.5..30.0).contains(&behind(&bus)), "{}", behind(&bus));
    heard(&room, 2001).await;
    eventually("nothing is left", async || (behind(&bus) < 0.1).then_some(())).await;
    let most = room.most.load(Ordering::Relaxed);
    assert!(most <= 300, "{most} wait for somebody");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_comes_back_trims_nothing_that_it_has_not_read() {
    let redis = redis_or_skip!();
    let mut way = Way::open(redis.address()).await;
    let room = Arc::new(SlowRoom::default());
    let bus = start(&room, &redis_server::url(way.address), |settings| settings.stream_bytes = 100_000);
    ready(&bus).await;
    let say = |text: String| bus.say(Say { session: some_id(), text, once: None, receipt: None }).unwrap();
    // By the size of these, the stream has room for a hundred.
    for _ in 0..20 {
        say("x".repeat(10_000));
    }
    heard(&room, 20).await;
    way.close();
    eventually("the node is cut off", async || bus.connectivity().ready().err()).await;
    say("kept".to_owned());
    say_many(&redis, 3000).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    way.reopen().await;
    heard(&room, 3021).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nor_does_one_that_can_only_trim_by_length() {
    let redis = redis_or_skip!();
    let way = Valve::open_replacing(redis.address(), Some((b"MINID", b"MINIX"))).await;
    let room = Arc::new(SlowRoom::default());
    let bus = start(&room, &redis_server::url(way.address), |_| ());
    ready(&bus).await;
    // It finds out at its first attempt to trim.
    let trims = async || {
        let stats: String = redis.run(&["INFO", "commandstats"]).await;
        stats
            .lines()
            .any(|line| line.starts_with("cmdstat_xtrim:") && line.contains("failed_calls=1"))
            .then_some(())
    };
    eventually("it has tried", trims).await;
    way.set(false);
    eventually("the node is cut off", async || bus.connectivity().ready().err()).await;
    say_many(&redis, 3000).await;
    way.set(true);
    heard(&room, 3000).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_was_trimmed_meanwhile_is_noticed() {
    let redis = redis_or_skip!();
    let mut way = Way::open(redis.address()).await;
    let line = Line::ready("ecs01", &redis_server::url(way.address)).await;
    line.is_well(0).await;
    let before = line.room.entries.lock().unwrap()[0].position;
    // A connection that only broke leaves no gap.
    redis.run::<i64>(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]).await;
    eventually("it is connected again", async || {
        (line.metric("chat_redis_connected_total{side=\"read\"}") > 1.5).then_some(())
    })
    .await;
    line.is_well(1).await;
    assert!(line.metric("chat_stream_gaps_total") < 0.1);

    way.close();
    line.wait_until_trouble("reading from redis").await;
    say_many(&redis, 300).await;
    redis.run::<u64>(&["XTRIM", "chat:messages", "MAXLEN", "100"]).await;
    way.reopen().await;
    line.texts_until("meanwhile 299").await;
    assert_eq!(line.texts().len(), 102);
    assert!((line.metric("chat_stream_gaps_total") - 1.0).abs() < 0.1);
    assert_eq!(line.bus.history().after(before), Missed::Unknown);
    line.wait_until_ready().await;
    line.is_well(2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_trimmed_by_its_age_is_missed_in_a_quiet_room_too() {
    let redis = redis_or_skip!();
    let mut way = Way::open(redis.address()).await;
    let (seconds, _): (u64, u64) = redis.run(&["TIME"]).await;
    let old = format!("{}000-0", seconds - 600);
    redis.run::<String>(&["XADD", "chat:messages", &old, "text", "some minutes ago"]).await;
    let line = Line::ready("ecs01", &redis_server::url(way.address)).await;
    way.close();
    line.wait_until_trouble("reading from redis").await;
    say_many(&redis, 3).await;
    redis.run::<u64>(&["XTRIM", "chat:messages", "MAXLEN", "2"]).await;
    way.reopen().await;
    line.texts_until("meanwhile 2").await;
    assert!((line.metric("chat_stream_gaps_total") - 1.0).abs() < 0.1);
    assert_eq!(line.bus.history().after(old.parse().unwrap()), Missed::Unknown);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_said_in_a_new_redis_whose_clock_is_behind_is_heard() {
    let redis = redis_or_skip!();
    let mut way = Way::open(redis.address()).await;
    let line = Line::ready("ecs01", &redis_server::url(way.address)).await;
    // As a clock would say that is an hour fast.
    let (seconds, _): (u64, u64) = redis.run(&["TIME"]).await;
    let fast = format!("{}000-0", seconds + 3600);
    redis.run::<String>(&["XADD", "chat:messages", &fast, "text", "by the fast clock"]).await;
    line.texts_until("by the fast clock").await;
    way.close();
    line.wait_until_trouble("reading from redis").await;
    redis.run::<()>(&["FLUSHALL"]).await;
    say_many(&redis, 3).await;
    way.reopen().await;
    line.texts_until("meanwhile 2").await;
    line.wait_until_ready().await;
    line.is_well(0).await;
    let expected = ["by the fast clock", "meanwhile 0", "meanwhile 1", "meanwhile 2", "number 0"];
    assert_eq!(line.texts(), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_said_long_ago_is_not_said_again_by_a_replica_that_was_behind() {
    let redis = redis_or_skip!();
    let (seconds, _): (u64, u64) = redis.run(&["TIME"]).await;
    let long_ago = format!("{}000-0", seconds - 600);
    redis.run::<String>(&["XADD", "chat:messages", &long_ago, "text", "long ago"]).await;
    let line = Line::ready("ecs01", &redis.url()).await;
    line.is_well(0).await;
    line.is_well(1).await;
    let last = line.room.entries.lock().unwrap()[1].position.to_string();
    // The connection stays, and the newest entry is missing.
    redis.run::<u64>(&["XDEL", "chat:messages", &last]).await;
    eventually("the reader goes back", async || {
        (line.metric("chat_messages_copies_total") > 0.5).then_some(())
    })
    .await;
    line.is_well(2).await;
    assert_eq!(line.texts(), ["number 0", "number 1", "number 2"]);
}

/// A room in which something goes wrong that nobody has thought of.
struct BrokenRoom;

impl Audience for BrokenRoom {
    fn deliver(&self, entries: &[Arc<Entry>]) {
        assert!(entries.iter().all(|entry| &*entry.text != "break"), "as it should");
    }

    fn tell(&self, _: SessionId, _: &str) {}
    fn acknowledge(&self, _: Receipt, _: Outcome) {}
    fn moved(&self, _: &Presence) {}

    fn presences(&self) -> Vec<Presence> {
        Vec::new()
    }

    fn pressure(&self) -> usize {
        0
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_panics_is_noticed() {
    let redis = redis_or_skip!();
    let config = Config::new(NodeId::parse("ecs01").unwrap(), RedisAddress::parse(&redis.url()).unwrap());
    let bus = Bus::start(config.bus(), Arc::new(BrokenRoom));
    ready(&bus).await;
    let failed = tokio::time::timeout(Duration::from_millis(300), bus.failed()).await;
    assert!(failed.is_err(), "it fails without a reason");
    redis.say("break").await;
    let failed = tokio::time::timeout(crate::DEADLINE, bus.failed()).await.unwrap();
    assert!(failed.is_panic());
}
