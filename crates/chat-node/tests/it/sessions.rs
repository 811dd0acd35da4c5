//! Sessions in Redis: found again from another node, handed over, and mourned once when nobody comes back.

use std::time::Duration;

use chat_node::bus::{Presence, Session, Settings, Stay};
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
    let presence = sit_quietly(line, session);
    line.bus.remember(presence);
}

/// The bus is not told.
fn sit_quietly(line: &Line, session: &Session) -> Presence {
    let presence = Presence { session: session.clone(), stay: Stay::begin() };
    line.room.here.lock().unwrap().push(presence.clone());
    presence
}

fn stand_up(line: &Line, session: &Session) -> Presence {
    let mut here = line.room.here.lock().unwrap();
    let place = here.iter().position(|presence| presence.session == *session).unwrap();
    here.remove(place)
}

/// Somebody who sits at one node, as another one knows.
async fn seated(here: &Line, there: &Line) -> Session {
    let ada = ada();
    sit(here, &ada);
    is_known(there, &ada).await;
    ada
}

async fn is_known(line: &Line, session: &Session) {
    eventually("the session is known", async || {
        let known = line.bus.recall(session.pid, PATIENCE).await.unwrap();
        known.map(|known| assert_eq!(&known, session))
    })
    .await;
}

async fn owner(redis: &RedisServer, session: &Session) -> String {
    redis.run(&["HGET", &format!("chat:recovery:{}", session.pid), "node"]).await
}

/// Stays are told apart by Redis' clock, which each node reads as late as a busy machine lets it.
async fn a_while_later(redis: &RedisServer) {
    let clock = async || -> u64 {
        let (seconds, microseconds): (u64, u64) = redis.run(&["TIME"]).await;
        seconds * 1_000 + microseconds / 1_000
    };
    let now = clock().await;
    eventually("a second passes on Redis' clock", async || (clock().await > now + 1_000).then_some(())).await;
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
    let ada = seated(&first, &second).await;
    first.bus.leave(stand_up(&first, &ada));
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
    let ada = seated(&first, &second).await;
    sit(&second, &ada);
    eventually("the other node has it", async || (owner(&redis, &ada).await == "ecs02").then_some(())).await;
    // The first one still has the dead connection, and refreshes what is its own only.
    eventually("the first one hears of it twice", async || {
        let moved = first.room.moved.lock().unwrap();
        (moved.iter().filter(|sid| **sid == ada.sid).count() >= 2).then_some(())
    })
    .await;
    assert_eq!(owner(&redis, &ada).await, "ecs02");
    // Only now it finds out that the connection is dead.
    first.bus.leave(stand_up(&first, &ada));
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
    // She may still come back for a while.
    is_known(&living[2], &ada).await;
    eventually("nothing is left of her", async || {
        let keys: Vec<String> = redis.run(&["KEYS", &format!("*{}*", ada.pid)]).await;
        keys.is_empty().then_some(())
    })
    .await;
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
        draining.bus.hand_over(stand_up(&draining, session));
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
    let ada = seated(&draining, &staying).await;
    sit(&staying, &ada);
    eventually("she has arrived", async || (owner(&redis, &ada).await == "ecs02").then_some(())).await;
    draining.bus.hand_over(stand_up(&draining, &ada));
    draining.bus.finish().await;
    assert_eq!(owner(&redis, &ada).await, "ecs02");
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
    let ada = seated(&first, &second).await;
    redis.kill();
    first.wait_until_trouble("keeping sessions in redis does not work").await;
    first.bus.leave(stand_up(&first, &ada));
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
    seated(&first, &second).await;
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

#[tokio::test(flavor = "multi_thread")]
async fn who_has_just_arrived_is_not_taken_for_gone_because_nobody_has_written_it_yet() {
    let redis = redis_or_skip!();
    let (first, second) = (node("ecs01", &redis).await, node("ecs02", &redis).await);
    let ada = seated(&first, &second).await;
    a_while_later(&redis).await;
    // The first one has not noticed that she is gone. The second has not told yet that she is there, and looks round.
    sit_quietly(&second, &ada);
    eventually("she is the second one's", async || (owner(&redis, &ada).await == "ecs02").then_some(()))
        .await;
    eventually("the first one hears of it", async || {
        first.room.moved.lock().unwrap().contains(&ada.sid).then_some(())
    })
    .await;
    assert_eq!(second.room.moved.lock().unwrap().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_remembers_an_earlier_stay_is_told_of_the_later_one() {
    let redis = redis_or_skip!();
    let (first, second) = (node("ecs01", &redis).await, node("ecs02", &redis).await);
    let ada = seated(&first, &second).await;
    let key = format!("chat:recovery:{}", ada.pid);
    let earlier: Vec<u8> = redis.run(&["DUMP", &key]).await;
    sit(&second, &ada);
    eventually("she is the second one's", async || (owner(&redis, &ada).await == "ecs02").then_some(()))
        .await;
    // As it is after a failover to a replica that was behind.
    redis.restore(&key, &earlier).await;
    eventually("she is that again", async || (owner(&redis, &ada).await == "ecs02").then_some(())).await;
    second.bus.leave(stand_up(&second, &ada));
    second.texts_until(FAREWELL).await;
    assert_eq!(second.room.moved.lock().unwrap().len(), 0);
}

/// Whether the bus says that keeping sessions works.
fn keeps_sessions(line: &Line) -> bool {
    line.metric("chat_redis_sessions_up") > 0.5
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_was_full_for_longer_than_the_window_makes_nobody_dead() {
    let redis = redis_or_skip!();
    let mut way = Way::open(redis.address()).await;
    // One that has clients, one that has none, and both see only by looking that Redis is full.
    let first = Line::start_with("ecs01", &redis_server::url(way.address), quick);
    first.wait_until_ready().await;
    let second = node("ecs02", &redis).await;
    let ada = seated(&first, &second).await;
    redis.run::<()>(&["CONFIG", "SET", "maxmemory", "1"]).await;
    first.wait_until_trouble("keeping sessions in redis does not work: the memory of Redis is full").await;
    second.wait_until_trouble("keeping sessions in redis does not work: the memory of Redis is full").await;
    // It stays so, whatever Redis still takes.
    let until = tokio::time::Instant::now() + Duration::from_secs(6);
    while tokio::time::Instant::now() < until {
        let nobody = Presence { session: self::ada(), stay: Stay::begin() };
        first.bus.leave(Presence { session: Session { username: None, ..nobody.session }, ..nobody });
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert!(!keeps_sessions(&first) && !keeps_sessions(&second));
    }
    // The one without clients is the first to see that it is over.
    way.close();
    redis.run::<()>(&["CONFIG", "SET", "maxmemory", "0"]).await;
    second.wait_until_ready().await;
    tokio::time::sleep(Duration::from_millis(1500)).await;
    way.reopen().await;
    first.wait_until_ready().await;
    // Longer than each waits before it looks for the dead.
    tokio::time::sleep(Duration::from_secs(7)).await;
    second.is_well(0).await;
    assert_eq!(second.texts(), ["number 0"]);
    is_known(&second, &ada).await;
    assert_eq!(waiting(&redis).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_while_the_disk_is_full_is_mourned_once_and_tidied_afterwards() {
    let redis = redis_or_skip!("--save", "3600 1", "--dbfilename", "taken");
    let (first, second) = (node("ecs01", &redis).await, node("ecs02", &redis).await);
    let ada = seated(&first, &second).await;
    // A snapshot is renamed to its name in the end, and a folder of that name stands in its way.
    std::fs::create_dir(redis.folder().join("taken")).unwrap();
    redis.run::<()>(&["BGSAVE"]).await;
    first.wait_until_trouble("keeping sessions in redis does not work: Redis cannot write to its disk").await;
    first.bus.leave(stand_up(&first, &ada));
    tokio::time::sleep(Duration::from_secs(4)).await;
    std::fs::remove_dir(redis.folder().join("taken")).unwrap();
    redis.run::<()>(&["BGSAVE"]).await;
    first.wait_until_ready().await;
    // She is tidied away before anybody would look for the dead.
    eventually("nobody is expected any more", async || (waiting(&redis).await == 0).then_some(())).await;
    second.texts_until(FAREWELL).await;
    assert_eq!(farewells(&second, &redis).await, 1);
    let left: i64 = redis.run(&["PTTL", &format!("chat:recovery:{}", ada.pid)]).await;
    assert!(left <= 3000, "{left} ms are left");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_mourned_by_another_node_is_not_mourned_again_by_its_own() {
    let redis = redis_or_skip!();
    let mut way = Way::open(redis.address()).await;
    let short_memory = |settings: &mut Settings| {
        quick(settings);
        settings.history.age = Duration::from_secs(4);
    };
    let first = Line::start_with("ecs01", &redis_server::url(way.address), short_memory);
    let second = Line::start_with("ecs02", &redis.url(), short_memory);
    first.wait_until_ready().await;
    second.wait_until_ready().await;
    let ada = seated(&first, &second).await;
    way.close();
    first.wait_until_trouble("keeping sessions in redis does not work").await;
    first.bus.leave(stand_up(&first, &ada));
    second.texts_until(FAREWELL).await;
    // For so long that nobody can know any more what was said.
    tokio::time::sleep(Duration::from_secs(6)).await;
    second.is_well(0).await;
    way.reopen().await;
    first.wait_until_ready().await;
    first.bus.finish().await;
    second.is_well(1).await;
    assert_eq!(second.texts(), [FAREWELL, "number 0", "number 1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_back_after_the_farewell_was_written_is_not_forgotten() {
    let redis = redis_or_skip!();
    let dying = node("ecs01", &redis).await;
    let living = node("ecs02", &redis).await;
    let ada = seated(&dying, &living).await;
    drop(dying);
    living.texts_until(FAREWELL).await;
    is_known(&living, &ada).await;
    sit(&living, &ada);
    eventually("she is expected again", async || (waiting(&redis).await == 1).then_some(())).await;
    tokio::time::sleep(Duration::from_secs(4)).await;
    is_known(&living, &ada).await;
    assert_eq!(living.texts(), [FAREWELL]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_farewell_of_who_was_sent_away_comes_long_before_it_is_too_late_to_come_back() {
    let redis = redis_or_skip!();
    let long = |settings: &mut Settings| settings.recovery_window = Duration::from_mins(2);
    let (draining, staying) =
        (Line::start_with("ecs01", &redis.url(), long), Line::start_with("ecs02", &redis.url(), long));
    draining.wait_until_ready().await;
    staying.wait_until_ready().await;
    let ada = seated(&draining, &staying).await;
    draining.bus.hand_over(stand_up(&draining, &ada));
    draining.bus.finish().await;
    let due: f64 = redis.run(&["ZSCORE", "chat:expiring", &ada.pid.to_string()]).await;
    let (seconds, _): (f64, f64) = redis.run(&["TIME"]).await;
    assert!((13.0..=16.0).contains(&(due / 1000.0 - seconds)), "due at {due}, now {seconds}");
    let left: i64 = redis.run(&["PTTL", &format!("chat:recovery:{}", ada.pid)]).await;
    assert!(left >= 115_000, "{left} ms are left");
}
