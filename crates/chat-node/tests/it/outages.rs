//! Redis goes away in every way it can, while a node writes: nothing is lost within the bounds, nothing is said twice,
//! the order stays, and whoever asks is told the truth.

use std::time::Duration;

use chat_node::bus::trouble::Reason;
use chat_node::bus::{Outcome, Refusal};
use chat_node::history::Missed;

use crate::listener::{Line, keep_for, numbers};
use crate::redis_server::{self, redis_or_skip};
use crate::valve::Valve;

const NOT_SENT: &str =
    "Failed to send the message. The chatroom cannot be reached right now; try again in a moment.";
const KEPT: &str =
    "The chatroom cannot be reached right now. Your message is kept and will be sent as soon as it is back.";

/// Says numbers without a pause worth naming until told to stop, and returns how many.
async fn say_until(line: &Line, mut done: impl AsyncFnMut() -> bool) -> u64 {
    let mut number = 0;
    while !done().await {
        line.say(number).unwrap();
        number += 1;
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    number
}

/// All numbers were written, are heard once, and in order.
async fn all_are_said(line: &Line, count: u64) {
    for number in 0..count {
        let outcome = line.outcome(number).await;
        assert!(matches!(outcome, Outcome::Said(_)), "number {number} of {count} is {outcome:?}");
    }
    line.is_well(count).await;
    assert_eq!(line.texts(), numbers(0..count + 1));
}

/// True from the given number of calls on.
fn after(calls: usize) -> impl AsyncFnMut() -> bool {
    let mut left = calls;
    async move || {
        left = left.saturating_sub(1);
        left == 0
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_does_not_move_for_some_seconds_costs_nothing() {
    let redis = redis_or_skip!();
    let line = Line::ready("ecs01", &redis.url()).await;
    redis.signal("STOP");
    let count = say_until(&line, async || line.bus.connectivity().ready().is_err()).await;
    let reason = line.bus.connectivity().ready().unwrap_err();
    assert!(reason.contains("Redis has not answered for 2.0 s"), "{reason}");
    redis.signal("CONT");
    all_are_said(&line, count).await;
    assert!(line.metric("chat_redis_troubles_total{side=\"write\",reason=\"timeout\"}") >= 1.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_with_persistence_costs_nothing() {
    let mut redis = redis_or_skip!("--appendonly", "yes", "--appendfsync", "always");
    let line = Line::ready("ecs01", &redis.url()).await;
    let count = say_until(&line, after(50)).await;
    redis.kill();
    line.wait_until_trouble("writing to redis").await;
    for number in count..count + 50 {
        line.say(number).unwrap();
    }
    redis.resume().await;
    all_are_said(&line, count + 50).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_redis_in_its_place_goes_on_where_the_other_ended() {
    let mut redis = redis_or_skip!("--appendonly", "no");
    let (line, other) = (Line::ready("ecs01", &redis.url()).await, Line::ready("ecs02", &redis.url()).await);
    line.is_well(0).await;
    other.texts_until("number 0").await;
    let before = line.room.entries.lock().unwrap()[0].position;
    redis.kill();
    line.wait_until_trouble("writing to redis").await;
    other.wait_until_trouble("reading from redis").await;
    line.say(1).unwrap();
    redis.resume_empty().await;
    line.is_well(2).await;
    assert_eq!(line.texts(), numbers(0..3));
    assert_eq!(other.texts_until("number 2").await, numbers(0..3));
    // Who saw the old one can still be told what came after.
    let missed = line.bus.history().after(before);
    assert!(matches!(missed, Missed::Entries { entries, .. } if entries.len() == 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_becomes_a_replica_is_left_and_tried_anew() {
    let redis = redis_or_skip!();
    let line = Line::ready("ecs01", &redis.url()).await;
    let connections = line.metric("chat_redis_connected_total{side=\"write\"}");
    let mut calls = 0;
    let count = say_until(&line, async || {
        calls += 1;
        if calls == 20 {
            redis.run::<()>(&["REPLICAOF", "127.0.0.1", "1"]).await;
        }
        calls > 20 && line.bus.connectivity().ready().is_err_and(|reason| reason.contains("is a replica"))
    })
    .await;
    redis.run::<()>(&["REPLICAOF", "NO", "ONE"]).await;
    all_are_said(&line, count).await;
    assert!(line.metric("chat_redis_troubles_total{side=\"write\",reason=\"read_only\"}") >= 1.0);
    assert!(line.metric("chat_redis_connected_total{side=\"write\"}") > connections);
}

#[tokio::test(flavor = "multi_thread")]
async fn full_memory_is_told_at_once_and_noticed_when_it_is_over() {
    let redis = redis_or_skip!();
    let line = Line::ready("ecs01", &redis.url()).await;
    redis.run::<()>(&["CONFIG", "SET", "maxmemory", "1"]).await;
    line.say(0).unwrap();
    assert_eq!(line.outcome(0).await, Outcome::Refused(Refusal::Redis(Reason::Memory)));
    line.say_plainly("without an acknowledgement");
    line.wait_until_told(NOT_SENT).await;
    line.wait_until_trouble("the memory of Redis is full: raise maxmemory (OOM").await;
    assert!(line.metric("chat_messages_unpublished_total{reason=\"memory\"}") >= 2.0);
    // Nobody has to lose a message to find out that it is over.
    redis.run::<()>(&["CONFIG", "SET", "maxmemory", "0"]).await;
    line.wait_until_ready().await;
    line.is_well(1).await;
    assert_eq!(line.texts(), ["number 1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn full_memory_is_known_before_the_first_message() {
    let redis = redis_or_skip!("--maxmemory", "1");
    let line = Line::start("ecs01", &redis.url());
    line.wait_until_trouble("writing to redis does not work: the memory of Redis is full").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_takes_nothing_is_told_as_such() {
    let redis = redis_or_skip!("--save", "3600 1", "--dbfilename", "taken");
    let line = Line::ready("ecs01", &redis.url()).await;
    line.is_well(0).await;
    // A snapshot is renamed to its name in the end, and a folder of that name stands in its way.
    std::fs::create_dir(redis.folder().join("taken")).unwrap();
    redis.run::<()>(&["BGSAVE"]).await;
    line.wait_until_trouble("Redis cannot write to its disk, which may be full (MISCONF").await;
    line.say(1).unwrap();
    assert_eq!(line.outcome(1).await, Outcome::Refused(Refusal::Redis(Reason::Disk)));
    std::fs::remove_dir(redis.folder().join("taken")).unwrap();
    redis.run::<()>(&["BGSAVE"]).await;
    line.wait_until_ready().await;
    line.is_well(2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_is_loading_is_waited_for() {
    let mut redis = redis_or_skip!("--appendonly", "no");
    let line = Line::ready("ecs01", &redis.url()).await;
    for number in 0..400 {
        redis.run::<()>(&["SET", &format!("padding:{number}"), &"x".repeat(1024)]).await;
    }
    redis.run::<()>(&["SAVE"]).await;
    redis.kill();
    line.wait_until_trouble("writing to redis").await;
    line.say(0).unwrap();
    redis.add_options(&["--key-load-delay", "5000", "--loading-process-events-interval-bytes", "1024"]);
    redis.spawn();
    line.wait_until_trouble("Redis is loading its data (LOADING").await;
    all_are_said(&line, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_connections_cost_nothing() {
    let redis = redis_or_skip!();
    let line = Line::ready("ecs01", &redis.url()).await;
    let mut calls = 0;
    let count = say_until(&line, async || {
        calls += 1;
        if calls % 100 == 0 {
            redis.run::<i64>(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]).await;
        }
        calls == 800
    })
    .await;
    all_are_said(&line, count).await;
    assert!(line.metric("chat_redis_lost_total{side=\"write\"}") >= 3.0);
    assert!(line.metric("chat_redis_lost_total{side=\"read\"}") >= 3.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_that_stalls_costs_nothing() {
    let redis = redis_or_skip!();
    let way = Valve::open(redis.address()).await;
    let line = Line::ready("ecs01", &redis_server::url(way.address)).await;
    let count = say_until(&line, after(50)).await;
    way.set(false);
    for number in count..count + 50 {
        line.say(number).unwrap();
    }
    line.wait_until_trouble("writing to redis does not work").await;
    way.set(true);
    all_are_said(&line, count + 50).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_is_sent_within_the_bound_of_time_and_refused_beyond_it() {
    let mut redis = redis_or_skip!();
    let line = Line::start_with("ecs01", &redis.url(), keep_for(Duration::from_secs(4)));
    line.wait_until_ready().await;
    redis.kill();
    line.wait_until_trouble("writing to redis").await;
    line.say(0).unwrap();
    line.say_plainly("plain");
    line.wait_until_told(KEPT).await;
    assert!(line.metric("chat_queue_oldest_seconds") >= 0.9);
    assert_eq!(line.outcome(0).await, Outcome::Refused(Refusal::Late));
    line.wait_until_told(NOT_SENT).await;
    line.say(1).unwrap();
    redis.resume().await;
    assert!(matches!(line.outcome(1).await, Outcome::Said(_)));
    line.is_well(2).await;
    assert_eq!(line.texts(), numbers(1..3));
    assert!(line.metric("chat_messages_unpublished_total{reason=\"late\"}") >= 2.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_is_bounded_in_number_and_bytes() {
    let mut redis = redis_or_skip!();
    let line = Line::start_with("ecs01", &redis.url(), |settings| {
        (settings.kept_messages, settings.kept_bytes) = (5, 100_000);
    });
    line.wait_until_ready().await;
    redis.kill();
    line.wait_until_trouble("writing to redis").await;
    for number in 0..4 {
        line.say(number).unwrap();
    }
    let large =
        chat_node::bus::Say { session: line.session, text: "x".repeat(100_000), once: None, receipt: None };
    assert_eq!(line.bus.say(large), Err(Refusal::Crowded));
    line.say(4).unwrap();
    assert_eq!(line.say(5), Err(Refusal::Crowded));
    assert!((line.metric("chat_queue_messages") - 5.0).abs() < 0.1);
    redis.resume().await;
    for number in 0..5 {
        line.outcome(number).await;
    }
    line.is_well(6).await;
    assert_eq!(line.texts().len(), 6);
    assert!(line.metric("chat_queue_messages") < 0.1 && line.metric("chat_queue_bytes") < 0.1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_sent_again_by_another_node_is_said_once() {
    let redis = redis_or_skip!();
    let (first, second) =
        (Line::ready("ecs01", &redis.url()).await, Line::ready("ecs02", &redis.url()).await);
    let pid = crate::listener::some_id();
    let say = |line: &Line, receipt| {
        let once = Some((pid, "tab 1, message 7".to_owned()));
        line.bus.say(chat_node::bus::Say {
            session: line.session,
            text: "again and again".to_owned(),
            once,
            receipt: Some(receipt),
        })
    };
    // Both at once: neither can know of the other.
    say(&first, 0).unwrap();
    say(&second, 0).unwrap();
    assert!(matches!(first.outcome(0).await, Outcome::Said(_)));
    assert!(matches!(second.outcome(0).await, Outcome::Said(_)));
    first.is_well(1).await;
    second.texts_until("number 1").await;
    let said = first.room.entries.lock().unwrap()[0].position;
    assert_eq!(say(&second, 2), Ok(chat_node::bus::Accepted::Known(said)));
    let expected = ["again and again", "number 1"];
    assert_eq!(
        (first.texts(), second.texts()),
        (expected.map(str::to_owned).into(), expected.map(str::to_owned).into())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_starts_knows_what_was_said() {
    let redis = redis_or_skip!();
    let first = Line::ready("ecs01", &redis.url()).await;
    for number in 0..1500 {
        first.say(number).unwrap();
    }
    first.texts_until("number 1499").await;
    let offset = first.room.entries.lock().unwrap()[99].position;

    let second = Line::ready("ecs02", &redis.url()).await;
    assert_eq!(second.texts(), [""; 0]);
    for line in [&first, &second] {
        let Missed::Entries { entries: missed, .. } = line.bus.history().after(offset) else {
            panic!("the offset is unknown");
        };
        let texts: Vec<String> = missed.iter().map(|entry| entry.text.to_string()).collect();
        assert_eq!(texts, numbers(100..1500));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_starts_promises_nothing_of_what_the_stream_does_not_show() {
    let redis = redis_or_skip!();
    for number in 0..3 {
        redis.say(&format!("number {number}")).await;
    }
    let line = Line::ready("ecs01", &redis.url()).await;
    let history = line.bus.history();
    // Redis may have lost what was said before.
    assert_eq!(history.after("1-0".parse().unwrap()), Missed::Unknown);
    let first: Vec<(String, redis::Value)> =
        redis.run(&["XRANGE", "chat:messages", "-", "+", "COUNT", "1"]).await;
    let missed = history.after(first[0].0.parse().unwrap());
    assert!(matches!(missed, Missed::Entries { entries, .. } if entries.len() == 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_longest_messages_there_may_be_are_read_at_the_start() {
    let redis = redis_or_skip!("--appendonly", "no");
    // Four bytes a character: more than one reply may have.
    let text = "\u{1F600}".repeat(100_000);
    let mut connection = redis.connection().await.unwrap();
    for number in 0..180 {
        let mut command = redis::cmd("XADD");
        command.arg("chat:messages").arg("*").arg("text").arg(format!("{number} {text}"));
        command.exec_async(&mut connection).await.unwrap();
    }
    let line = Line::start("ecs01", &redis.url());
    line.wait_until_ready().await;
    line.is_well(0).await;
    assert!(line.bus.history().size().0 > 64);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_stream_is_trimmed_by_length_and_by_age() {
    let redis = redis_or_skip!();
    for number in 1..=500 {
        redis.run::<String>(&["XADD", "chat:messages", &format!("{number}-0"), "text", "long ago"]).await;
    }
    let line = Line::start_with("ecs01", &redis.url(), |settings| settings.stream_length = 300);
    line.wait_until_ready().await;
    let length = async || redis.run::<u64>(&["XLEN", "chat:messages"]).await;
    // All but about the last: it is what clients have heard last that are still here.
    crate::eventually("the old ones are gone", async || (length().await <= 100).then_some(())).await;
    let newest: Vec<(String, redis::Value)> =
        redis.run(&["XREVRANGE", "chat:messages", "+", "-", "COUNT", "1"]).await;
    assert_eq!(newest[0].0, "500-0");
    for number in 0..1000 {
        line.say(number).unwrap();
    }
    line.texts_until("number 999").await;
    let length = length().await;
    assert!((300..=400).contains(&length), "{length} entries are kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_stream_is_bounded_in_bytes_too() {
    let redis = redis_or_skip!();
    let line = Line::start_with("ecs01", &redis.url(), |settings| settings.stream_bytes = 1_000_000);
    line.wait_until_ready().await;
    let text = "x".repeat(2000);
    for number in 0..3000 {
        line.say_plainly(&format!("{number} {text}"));
        if number % 500 == 499 {
            line.texts_until(&format!("{number} {text}")).await;
        }
    }
    let length: u64 = redis.run(&["XLEN", "chat:messages"]).await;
    // What fits, and no more than Redis rounds up.
    assert!((450..=600).contains(&length), "{length} entries are kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_before_6_2_is_trimmed_by_a_length_that_follows_from_the_age() {
    let redis = redis_or_skip!();
    for number in 1..=3000 {
        redis.run::<String>(&["XADD", "chat:messages", &format!("{number}-0"), "text", "long ago"]).await;
    }
    let way = Valve::open_replacing(redis.address(), Some((b"MINID", b"MINIX"))).await;
    let line = Line::start_with("ecs01", &redis_server::url(way.address), |settings| {
        settings.history.age = Duration::from_secs(1);
    });
    line.wait_until_ready().await;
    let length = async || redis.run::<u64>(&["XLEN", "chat:messages"]).await;
    // Of what was read at the start, a second's worth is young; beside it comes what others may write meanwhile.
    crate::eventually("the old ones are gone", async || (length().await <= 1300).then_some(())).await;
    line.is_well(0).await;
}
