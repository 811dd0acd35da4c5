//! A client that lost its connection comes back, to any node, and gets what it missed: once, in order, as who it was.

use std::time::Duration;

use chat_node::Recovery;
use serde_json::{Value, json};

use crate::client::Client;
use crate::cluster::Node;
use crate::eventually;
use crate::redis_server::redis_or_skip;

/// A client that reads offsets, with a name, and the last offset it read.
async fn named(node: &Node, name: &str) -> (Client, String) {
    let mut client = Client::connect_saying(node.address, &json!({"recovery": true})).await;
    assert_eq!(client.event().await[0], "Welcome to the chatroom!");
    client.emit("set_username", name).await;
    let [sentence, offset] = &client.event().await[..] else { panic!("no offset") };
    assert_eq!(sentence, &format!("Your username is set to {name}"));
    (client, offset.clone())
}

/// What a client says that comes back.
fn back(pid: &str, offset: &str) -> Value {
    json!({"pid": pid, "offset": offset})
}

/// Returns when Redis knows a session: only then can it come back elsewhere.
async fn known(redis: &crate::redis_server::RedisServer, pid: &str) {
    let mut connection = redis.connection().await.unwrap();
    let key = format!("chat:recovery:{pid}");
    eventually("the session is kept", async || {
        redis::cmd("EXISTS").arg(&key).query_async::<bool>(&mut connection).await.unwrap().then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_comes_back_to_another_node_and_gets_what_it_missed_once() {
    let redis = redis_or_skip!();
    let (first, second) =
        (Node::ready("ecs01", &redis.url()).await, Node::ready("ecs02", &redis.url()).await);
    let (ada, offset) = named(&first, "Ada").await;
    let (sid, pid) = (ada.sid.clone(), ada.pid.clone().unwrap());
    known(&redis, &pid).await;
    let mut bob = second.named("Bob").await;

    ada.vanish();
    assert_eq!(bob.message().await, "Ada left the chatroom.");
    for number in 0..100 {
        bob.emit("message", &number.to_string()).await;
    }
    bob.messages(100).await;

    let mut ada = Client::connect_saying(second.address, &back(&pid, &offset)).await;
    assert_eq!((&ada.sid, ada.pid.as_deref()), (&sid, Some(pid.as_str())));
    bob.emit("message", "and now").await;
    let mut heard = ada.messages(102).await;
    assert_eq!(heard.remove(0), "Ada left the chatroom.");
    assert_eq!(heard.pop().unwrap(), "Bob: and now");
    let expected: Vec<String> = (0..100).map(|number| format!("Bob: {number}")).collect();
    assert_eq!(heard, expected);
    // Neither welcomed again nor without its name.
    ada.emit("message", "I am back").await;
    assert_eq!(ada.message().await, "Ada: I am back");
    assert_eq!(second.metric("chat_recovered_total").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_or_doubled_when_a_client_comes_back_while_others_speak() {
    let redis = redis_or_skip!();
    let (first, second) =
        (Node::ready("ecs01", &redis.url()).await, Node::ready("ecs02", &redis.url()).await);
    let mut bob = first.named("Bob").await;
    let (ada, mut offset) = named(&first, "Ada").await;
    let pid = ada.pid.clone().unwrap();
    known(&redis, &pid).await;

    let mut heard: Vec<String> = Vec::new();
    let mut ada = Some(ada);
    for round in 0..20 {
        for number in 0..25 {
            bob.emit("message", &(round * 25 + number).to_string()).await;
        }
        let mut client = ada.take().unwrap();
        // Somewhere in the middle of it.
        for _ in 0..=round {
            let mut event = client.event().await;
            offset = event.pop().unwrap();
            heard.extend(event);
        }
        client.vanish();
        let next = if round % 2 == 0 { &second } else { &first };
        let client = Client::connect_saying(next.address, &back(&pid, &offset)).await;
        assert_eq!(client.pid.as_deref(), Some(pid.as_str()), "round {round} was not recovered");
        ada = Some(client);
    }
    let mut ada = ada.unwrap();
    while heard.last().is_none_or(|last| last != "Bob: 499") {
        heard.push(ada.message().await);
    }
    heard.retain(|text| text.starts_with("Bob: "));
    let expected: Vec<String> = (0..500).map(|number| format!("Bob: {number}")).collect();
    assert_eq!(heard, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_whose_old_connection_was_not_noticed_takes_its_place() {
    let redis = redis_or_skip!();
    let node = Node::ready("ecs01", &redis.url()).await;
    let (mut ghost, offset) = named(&node, "Ada").await;
    let pid = ghost.pid.clone().unwrap();
    known(&redis, &pid).await;
    let mut bob = node.named("Bob").await;

    let mut ada = Client::connect_saying(node.address, &back(&pid, &offset)).await;
    assert_eq!(ada.sid, ghost.sid);
    assert_eq!(ghost.close_code().await, Some(1000));
    ada.emit("message", "one of me").await;
    // No farewell: she did not leave.
    assert_eq!(bob.message().await, "Ada: one of me");
    assert_eq!(node.metric("chat_connections").await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_cannot_be_recovered_comes_in_as_somebody_new() {
    let redis = redis_or_skip!();
    let node = Node::ready("ecs01", &redis.url()).await;
    let (ada, offset) = named(&node, "Ada").await;
    let (sid, pid) = (ada.sid.clone(), ada.pid.clone().unwrap());
    known(&redis, &pid).await;
    ada.vanish();

    for (pid, offset) in [
        (pid.as_str(), "Welcome to the chatroom!"),
        (pid.as_str(), "99999999999999-0"),
        ("aaaaaaaaaaaaaaaaaaaa", offset.as_str()),
        ("not an id", offset.as_str()),
    ] {
        let mut client = Client::connect_saying(node.address, &back(pid, offset)).await;
        assert_ne!(client.sid, sid);
        assert_ne!(client.pid.as_deref(), Some(pid));
        assert_eq!(client.event().await[0], "Welcome to the chatroom!");
    }
    assert_eq!(node.metric("chat_recovered_total").await, 0);
    assert_eq!(node.metric("chat_unrecovered_total{reason=\"ahead\"}").await, 1);
    assert_eq!(node.metric("chat_unrecovered_total{reason=\"unknown_session\"}").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn more_than_a_queue_holds_is_given_back_to_whoever_reads_it() {
    let redis = redis_or_skip!();
    let small = |config: &mut chat_node::Config| {
        (config.limits.queued_packets, config.limits.queued_bytes) = (40, 65_536);
    };
    let node = Node::start_with("ecs01", &redis.url(), small).await;
    node.wait_until_ready().await;
    let (ada, offset) = named(&node, "Ada").await;
    let pid = ada.pid.clone().unwrap();
    known(&redis, &pid).await;
    // Before she goes: her farewell would come between.
    let mut bob = node.named("Bob").await;
    ada.vanish();
    assert_eq!(bob.message().await, "Ada left the chatroom.");
    // More than the buffers of the system hold, too.
    let padding = "x".repeat(4000);
    for number in 0..2000 {
        bob.emit("message", &format!("{number} {padding}")).await;
        bob.message().await;
    }
    let delivered = node.metric("chat_messages_delivered_total").await;
    let mut ada = Client::connect_saying(node.address, &back(&pid, &offset)).await;
    assert_eq!(ada.pid, Some(pid));
    assert_eq!(ada.message().await, "Ada left the chatroom.");
    for number in 0..2000 {
        assert_eq!(ada.message().await, format!("Bob: {number} {padding}"));
    }
    assert_eq!(node.metric("chat_messages_delivered_total").await, delivered + 2001);
    bob.emit("message", "and now").await;
    assert_eq!(ada.message().await, "Bob: and now");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_back_while_redis_is_started_again_is_waited_for() {
    let mut redis = redis_or_skip!("--appendonly", "yes", "--appendfsync", "always");
    let node = Node::ready("ecs01", &redis.url()).await;
    let (ada, offset) = named(&node, "Ada").await;
    let pid = ada.pid.clone().unwrap();
    known(&redis, &pid).await;
    ada.vanish();
    redis.kill();
    let asking = back(&pid, &offset);
    let coming = Client::connect_saying(node.address, &asking);
    let starting = async {
        tokio::time::sleep(Duration::from_secs(3)).await;
        redis.resume().await;
    };
    let (client, ()) = tokio::join!(coming, starting);
    assert_eq!(client.pid, Some(pid));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_redis_nobody_is_recovered_and_everybody_comes_in() {
    let mut redis = redis_or_skip!();
    let node = Node::ready("ecs01", &redis.url()).await;
    let (ada, offset) = named(&node, "Ada").await;
    let pid = ada.pid.clone().unwrap();
    known(&redis, &pid).await;
    ada.vanish();
    redis.kill();
    let started = tokio::time::Instant::now();
    let mut client = Client::connect_saying(node.address, &back(&pid, &offset)).await;
    assert_ne!(client.pid, Some(pid));
    assert_eq!(client.event().await[0], "Welcome to the chatroom!");
    // Before anybody gives up who waits to be let in.
    assert!(started.elapsed() < Duration::from_secs(8), "took {:?}", started.elapsed());
    assert_eq!(node.metric("chat_unrecovered_total{reason=\"redis\"}").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_heard_all_in_a_quiet_room_may_come_back_to_a_node_that_has_just_started() {
    let redis = redis_or_skip!();
    for number in 1..=500 {
        redis.run::<String>(&["XADD", "chat:messages", &format!("{number}-0"), "text", "long ago"]).await;
    }
    let first = Node::ready("ecs01", &redis.url()).await;
    let (ada, offset) = named(&first, "Ada").await;
    let pid = ada.pid.clone().unwrap();
    known(&redis, &pid).await;
    eventually("the old ones are trimmed away", async || {
        (redis.run::<u64>(&["XLEN", "chat:messages"]).await <= 100).then_some(())
    })
    .await;
    let second = Node::ready("ecs02", &redis.url()).await;
    let mut ada_there = Client::connect_saying(second.address, &back(&pid, &offset)).await;
    assert_eq!(ada_there.pid.as_deref(), Some(pid.as_str()));
    redis.say("and now").await;
    assert_eq!(ada_there.message().await, "and now");
    drop(ada);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_who_never_had_a_name_no_more_is_kept_than_of_others() {
    let redis = redis_or_skip!();
    let node = Node::ready("ecs01", &redis.url()).await;
    let client = Client::connect_saying(node.address, &json!({"recovery": true})).await;
    let pid = client.pid.clone().unwrap();
    known(&redis, &pid).await;
    let left = async || redis.run::<i64>(&["PTTL", &format!("chat:recovery:{pid}")]).await;
    assert!(left().await > 130_000);
    client.leave().await;
    eventually("it is forgotten in time", async || (left().await <= 120_000).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_reads_offsets_follows_the_policy() {
    let redis = redis_or_skip!();
    for (recovery, plain, asking) in
        [(Recovery::Auto, false, true), (Recovery::Always, true, true), (Recovery::Never, false, false)]
    {
        let node = Node::start_with("ecs01", &redis.url(), |config| config.recovery = recovery).await;
        node.wait_until_ready().await;
        for (auth, expected) in [(json!({}), plain), (json!({"recovery": true}), asking)] {
            let mut client = Client::connect_saying(node.address, &auth).await;
            assert_eq!(client.pid.is_some(), expected, "{recovery:?} {auth}");
            assert_eq!(client.event().await.len(), if expected { 2 } else { 1 }, "{recovery:?} {auth}");
            redis.say("to all").await;
            assert_eq!(client.event().await.len(), if expected { 2 } else { 1 }, "{recovery:?} {auth}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_a_drain_sent_away_comes_back_without_a_farewell() {
    let redis = redis_or_skip!();
    let leaving = Node::ready("ecs01", &redis.url()).await;
    let staying = Node::ready("ecs02", &redis.url()).await;
    let (mut ada, offset) = named(&leaving, "Ada").await;
    let pid = ada.pid.clone().unwrap();
    known(&redis, &pid).await;
    let mut bob = staying.named("Bob").await;

    leaving.shut_down();
    assert_eq!(ada.close_code().await, Some(1001));
    bob.emit("message", "where is she?").await;
    assert_eq!(bob.message().await, "Bob: where is she?");
    let mut ada = Client::connect_saying(staying.address, &back(&pid, &offset)).await;
    assert_eq!(ada.message().await, "Bob: where is she?");
    ada.emit("message", "here").await;
    assert_eq!(bob.message().await, "Ada: here");
    leaving.ended().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_a_drain_sent_away_and_does_not_come_back_is_said_farewell_to_once() {
    let redis = redis_or_skip!();
    let short = |config: &mut chat_node::Config| {
        config.limits.recovery_window = Duration::from_secs(2);
        config.limits.session_lifetime = Duration::from_secs(3);
    };
    let leaving = Node::start_with("ecs01", &redis.url(), short).await;
    leaving.wait_until_ready().await;
    let (second, third) = (
        Node::start_with("ecs02", &redis.url(), short).await,
        Node::start_with("ecs03", &redis.url(), short).await,
    );
    second.wait_until_ready().await;
    third.wait_until_ready().await;
    let (ada, _) = named(&leaving, "Ada").await;
    known(&redis, ada.pid.as_deref().unwrap()).await;
    let mut bob = second.named("Bob").await;

    leaving.shut_down();
    leaving.ended().await;
    drop(ada);
    assert_eq!(bob.message().await, "Ada left the chatroom.");
    bob.emit("message", "once?").await;
    assert_eq!(bob.message().await, "Bob: once?");
}
