//! Sessions in Redis: found again from another node, handed over, and mourned once when nobody comes back.

use std::time::Duration;

use chat_node::bus::{Session, Settings};
use chat_node::wording::Username;

use crate::eventually;
use crate::listener::{Line, some_id};
use crate::redis_server::{self, RedisServer, redis_or_skip};
use crate::way::Way;

const PATIENCE: Duration = Duration::from_secs(5);
const FAREWELL: &str = "Ada left the chatroom.";

/// Minutes become seconds.
fn quick(settings: &mut Settings) {
    settings.recovery_window = Duration::from_secs(3);
    settings.session_lifetime = Duration::from_millis(1500);
}

fn ada() -> Session {
    Session { sid: some_id(), pid: some_id(), username: Some(Username::parse("Ada").unwrap()) }
}

async fn node(id: &str, redis: &RedisServer) -> Line {
    let line = Line::start_with(id, &redis.url(), quick);
    line.wait_until_ready().await;
    line
}

fn sit(line: &Line, session: &Session) {
    line.room.here.lock().unwrap().push(session.clone());
    line.bus.remember(session.clone());
}

fn stand_up(line: &Line, session: &Session) {
    line.room.here.lock().unwrap().retain(|other| other != session);
}

async fn is_known(line: &Line, session: &Session) {
    eventually("the session is known", async || {
        let known = line.bus.recall(session.pid, PATIENCE).await.unwrap();
        known.map(|known| assert_eq!(&known, session))
    })
    .await;
}

async fn waiting(redis: &RedisServer) -> u64 {
    redis.run(&["ZCARD", "chat:expiring"]).await
}

/// How often the farewell was heard, once everything that could lead to one is gone.
async fn farewells(line: &Line, redis: &RedisServer) -> usize {
    eventually("nobody is expected any more", async || (waiting(redis).await == 0).then_some(())).await;
    line.is_well(1000).await;
    line.texts().iter().filter(|text| *text == FAREWELL).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_found_from_another_node_with_or_without_a_name() {
    let redis = redis_or_skip!();
    let (first, second) = (node("ecs01", &redis).await, node("ecs02", &redis).await);
    let nameless = Session { username: None, ..ada() };
    let named = ada();
    for session in [&nameless, &named] {
        sit(&first, session);
        is_known(&second, session).await;
    }
    assert_eq!(second.bus.recall(some_id(), PATIENCE).await, Ok(None));

    let name: String = redis.run(&["HGET", &format!("session:{}", named.sid), "username"]).await;
    assert_eq!(name, "Ada");
    let hash: bool = redis.run(&["EXISTS", &format!("session:{}", nameless.sid)]).await;
    assert!(!hash);
    assert_eq!(waiting(&redis).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_is_mourned_at_once_and_may_come_back_for_a_while() {
    let redis = redis_or_skip!();
    let (first, second) = (node("ecs01", &redis).await, node("ecs02", &redis).await);
    let ada = ada();
    sit(&first, &ada);
    is_known(&second, &ada).await;
    stand_up(&first, &ada);
    first.bus.leave(ada.clone());
    second.texts_until(FAREWELL).await;
    is_known(&second, &ada).await;
    let key = format!("chat:recovery:{}", ada.pid);
    let left: i64 = redis.run(&["PTTL", &key]).await;
    assert!((1..=3000).contains(&left), "{left} ms are left");
    let hash: bool = redis.run(&["EXISTS", &format!("session:{}", ada.sid)]).await;
    assert!(!hash);
    eventually("it is too late", async || {
        second.bus.recall(ada.pid, PATIENCE).await.unwrap().is_none().then_some(())
    })
    .await;
    assert_eq!(farewells(&second, &redis).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_another_node_has_taken_over_is_not_mourned() {
    let redis = redis_or_skip!();
    let (first, second) = (node("ecs01", &redis).await, node("ecs02", &redis).await);
    let ada = ada();
    sit(&first, &ada);
    is_known(&second, &ada).await;
    sit(&second, &ada);
    eventually("the other node has it", async || {
        let owner: String = redis.run(&["HGET", &format!("chat:recovery:{}", ada.pid), "node"]).await;
        (owner == "ecs02").then_some(())
    })
    .await;
    // The first one still has the dead connection, and refreshes what is its own only.
    eventually("the first one hears of it twice", async || {
        let moved = first.room.moved.lock().unwrap();
        (moved.iter().filter(|sid| **sid == ada.sid).count() >= 2).then_some(())
    })
    .await;
    let owner: String = redis.run(&["HGET", &format!("chat:recovery:{}", ada.pid), "node"]).await;
    assert_eq!(owner, "ecs02");
    // Only now it finds out that the connection is dead.
    stand_up(&first, &ada);
    first.bus.leave(ada.clone());
    first.bus.finish().await;
    second.is_well(0).await;
    assert!(!second.texts().contains(&FAREWELL.to_owned()));
    is_known(&second, &ada).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_on_a_node_that_died_is_mourned_once_by_those_that_live() {
    let redis = redis_or_skip!();
    let dying = node("ecs01", &redis).await;
    let living = [node("ecs02", &redis).await, node("ecs03", &redis).await, node("ecs04", &redis).await];
    let (ada, bob) = (ada(), Session { username: Some(Username::parse("Bob").unwrap()), ..ada() });
    sit(&dying, &ada);
    sit(&dying, &bob);
    sit(&living[0], &Session { username: Some(Username::parse("Cyd").unwrap()), ..self::ada() });
    is_known(&living[0], &ada).await;
    is_known(&living[0], &bob).await;
    drop(dying);
    // Bob finds his way to another node, with what he had.
    sit(&living[1], &bob);
    living[2].texts_until(FAREWELL).await;
    eventually("only the living are expected", async || (waiting(&redis).await == 2).then_some(())).await;
    living[2].is_well(0).await;
    assert_eq!(living[2].texts(), [FAREWELL, "number 0"]);
    let keys: Vec<String> = redis.run(&["KEYS", &format!("*{}*", ada.pid)]).await;
    assert_eq!(keys, [""; 0]);
    let orphans: f64 = living.iter().map(|line| line.metric("chat_farewells_orphaned_total")).sum();
    assert!(orphans >= 1.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_handed_over_has_time_to_come_back() {
    let redis = redis_or_skip!();
    let (draining, staying) = (node("ecs01", &redis).await, node("ecs02", &redis).await);
    let (ada, bob) = (ada(), Session { username: Some(Username::parse("Bob").unwrap()), ..ada() });
    for session in [&ada, &bob] {
        sit(&draining, session);
        is_known(&staying, session).await;
        stand_up(&draining, session);
        draining.bus.hand_over(session.clone());
    }
    draining.bus.finish().await;
    drop(draining);
    is_known(&staying, &bob).await;
    sit(&staying, &bob);
    staying.texts_until(FAREWELL).await;
    staying.is_well(0).await;
    assert_eq!(staying.texts(), [FAREWELL, "number 0"]);
    assert_eq!(waiting(&redis).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_quicker_than_his_hand_over_stays_where_he_arrived() {
    let redis = redis_or_skip!();
    let (draining, staying) = (node("ecs01", &redis).await, node("ecs02", &redis).await);
    let ada = ada();
    sit(&draining, &ada);
    is_known(&staying, &ada).await;
    let owner = async || redis.run::<String>(&["HGET", &format!("chat:recovery:{}", ada.pid), "node"]).await;
    sit(&staying, &ada);
    eventually("she has arrived", async || (owner().await == "ecs02").then_some(())).await;
    stand_up(&draining, &ada);
    draining.bus.hand_over(ada.clone());
    draining.bus.finish().await;
    assert_eq!(owner().await, "ecs02");
    // Refreshed as one of its own, and not sent away.
    let due = async || redis.run::<f64>(&["ZSCORE", "chat:expiring", &ada.pid.to_string()]).await;
    let before = due().await;
    eventually("she is refreshed", async || (due().await > before).then_some(())).await;
    assert!(staying.room.moved.lock().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_farewell_waits_for_redis_and_is_said_once() {
    let mut redis = redis_or_skip!("--appendonly", "yes", "--appendfsync", "always");
    let (first, second) = (node("ecs01", &redis).await, node("ecs02", &redis).await);
    let ada = ada();
    sit(&first, &ada);
    is_known(&second, &ada).await;
    redis.kill();
    first.wait_until_trouble("keeping sessions in redis does not work").await;
    stand_up(&first, &ada);
    first.bus.leave(ada.clone());
    redis.resume().await;
    second.texts_until(FAREWELL).await;
    assert_eq!(farewells(&second, &redis).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_longer_than_the_window_is_nobodys_death() {
    let mut redis = redis_or_skip!("--appendonly", "yes", "--appendfsync", "always");
    let mut way = Way::open(redis.address()).await;
    let first = Line::start_with("ecs01", &redis_server::url(way.address), quick);
    let second = Line::start_with("ecs02", &redis.url(), quick);
    first.wait_until_ready().await;
    second.wait_until_ready().await;
    let ada = ada();
    sit(&first, &ada);
    is_known(&second, &ada).await;
    way.close();
    redis.kill();
    first.wait_until_trouble("keeping sessions in redis does not work").await;
    tokio::time::sleep(Duration::from_secs(4)).await;
    redis.resume().await;
    // The one without clients is back first.
    second.wait_until_ready().await;
    second.is_well(100).await;
    way.reopen().await;
    first.wait_until_ready().await;
    // Longer than each waits before it looks for the dead.
    tokio::time::sleep(Duration::from_secs(6)).await;
    second.is_well(0).await;
    assert_eq!(second.texts(), ["number 100", "number 0"]);
    assert_eq!(waiting(&redis).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_nodes_that_look_at_the_same_moment_say_each_farewell_once() {
    let redis = redis_or_skip!();
    let dying = node("ecs00", &redis).await;
    let names: Vec<String> = (0..50).map(|number| format!("Ada {number}")).collect();
    for name in &names {
        sit(&dying, &Session { username: Some(Username::parse(name).unwrap()), ..ada() });
    }
    eventually("all are known", async || (waiting(&redis).await == 50).then_some(())).await;
    drop(dying);
    // Started together, they look together.
    let living: Vec<Line> =
        (1..=8).map(|number| Line::start_with(&format!("ecs{number:02}"), &redis.url(), quick)).collect();
    for line in &living {
        line.wait_until_ready().await;
    }
    eventually("nobody is expected any more", async || (waiting(&redis).await == 0).then_some(())).await;
    living[0].is_well(0).await;
    let mut heard = living[0].texts();
    heard.pop();
    heard.sort();
    let mut expected: Vec<String> = names.iter().map(|name| format!("{name} left the chatroom.")).collect();
    expected.sort();
    assert_eq!(heard, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_has_no_answer_while_redis_is_away() {
    let mut redis = redis_or_skip!();
    let line = node("ecs01", &redis).await;
    redis.kill();
    line.wait_until_trouble("keeping sessions in redis does not work").await;
    let answer = line.bus.recall(some_id(), Duration::from_millis(300)).await;
    assert_eq!(answer, Err(chat_node::bus::Unavailable));
    let asking = line.bus.recall(some_id(), PATIENCE);
    let (answer, ()) = tokio::join!(asking, redis.resume());
    assert_eq!(answer, Ok(None));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_hash_is_written_again() {
    let redis = redis_or_skip!();
    let line = node("ecs01", &redis).await;
    let ada = ada();
    sit(&line, &ada);
    let keys = [format!("session:{}", ada.sid), format!("chat:recovery:{}", ada.pid)];
    is_known(&line, &ada).await;
    redis.run::<()>(&["FLUSHALL"]).await;
    eventually("both hashes are back", async || {
        let count: u64 = redis.run(&["EXISTS", &keys[0], &keys[1], "chat:expiring"]).await;
        (count == 3).then_some(())
    })
    .await;
}
