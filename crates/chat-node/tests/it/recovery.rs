//! Redis goes away and comes back; the nodes say so, lose nothing, and recover by themselves.

use crate::cluster::Node;
use crate::redis_server::{self, redis_or_skip};
use crate::way::Way;

const NOT_SENT: &str =
    "Failed to send the message. The chatroom cannot be reached right now; try again in a moment.";
const KEPT: &str =
    "The chatroom cannot be reached right now. Your message is kept and will be sent as soon as it is back.";

#[tokio::test(flavor = "multi_thread")]
async fn a_node_starts_without_redis_and_recovers_when_it_comes() {
    let mut redis = redis_or_skip!();
    redis.kill();
    let node = Node::start("ecs01", &redis.url()).await;

    let reason = node.wait_until_unready().await;
    assert!(reason.contains("writing to redis does not work"), "{reason}");
    assert!(!reason.contains(redis_server::PASSWORD), "{reason}");
    assert_eq!(node.get("/healthz").await.status(), 200);
    let mut client = node.named("Ada").await;
    client.emit("message", "anybody?").await;
    assert_eq!(client.message().await, KEPT);

    redis.resume().await;
    node.wait_until_ready().await;
    assert_eq!(client.message().await, "Ada: anybody?");
    client.emit("message", "now").await;
    assert_eq!(client.message().await, "Ada: now");
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_restarts_and_both_nodes_go_on() {
    let mut redis = redis_or_skip!();
    let (first, second) =
        (Node::ready("ecs01", &redis.url()).await, Node::ready("ecs02", &redis.url()).await);
    let (mut ada, mut bob) = (first.named("Ada").await, second.named("Bob").await);
    ada.emit("message", "before").await;
    assert_eq!(ada.message().await, "Ada: before");
    assert_eq!(bob.message().await, "Ada: before");

    redis.kill();
    first.wait_until_unready().await;
    second.wait_until_unready().await;
    ada.emit("message", "during").await;
    assert_eq!(ada.message().await, KEPT);
    redis.resume().await;

    assert_eq!(ada.message().await, "Ada: during");
    assert_eq!(bob.message().await, "Ada: during");
    first.wait_until_ready().await;
    second.wait_until_ready().await;
    bob.emit("message", "after").await;
    assert_eq!(ada.message().await, "Bob: after");
    assert_eq!(bob.message().await, "Bob: after");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_loses_redis_for_a_while_catches_up_in_order() {
    let redis = redis_or_skip!();
    let mut way = Way::open(redis.address()).await;
    let (first, second) = (
        Node::ready("ecs01", &redis.url()).await,
        Node::ready("ecs02", &redis_server::url(way.address)).await,
    );
    let (mut ada, mut bob) = (first.named("Ada").await, second.named("Bob").await);

    way.close();
    second.wait_until_unready().await;
    for number in 0..500 {
        ada.emit("message", &number.to_string()).await;
    }
    let seen_by_ada = ada.messages(500).await;
    bob.emit("message", "lost?").await;
    assert_eq!(bob.message().await, KEPT);
    way.reopen().await;

    let seen_by_bob = bob.messages(501).await;
    assert_eq!(seen_by_bob[..500], seen_by_ada);
    assert_eq!(seen_by_bob[500], "Bob: lost?");
    assert_eq!(ada.message().await, "Bob: lost?");
    second.wait_until_ready().await;
    bob.emit("message", "back").await;
    assert_eq!(ada.message().await, "Bob: back");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_farewell_waits_until_redis_is_back() {
    let redis = redis_or_skip!();
    let mut way = Way::open(redis.address()).await;
    let (first, second) = (
        Node::ready("ecs01", &redis.url()).await,
        Node::ready("ecs02", &redis_server::url(way.address)).await,
    );
    let (mut ada, bob) = (first.named("Ada").await, second.named("Bob").await);

    way.close();
    second.wait_until_unready().await;
    bob.leave().await;
    crate::eventually("bob is gone", async || (second.metric("chat_connections").await == 0).then_some(()))
        .await;
    way.reopen().await;

    assert_eq!(ada.message().await, "Bob left the chatroom.");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_refuses_writes_is_reported_and_noticed_when_it_is_well_again() {
    let redis = redis_or_skip!();
    let node = Node::ready("ecs01", &redis.url()).await;
    let mut client = node.named("Ada").await;
    let mut connection = redis.connection().await.unwrap();
    let mut limit_memory = async |bytes: u64| {
        let mut command = redis::cmd("CONFIG");
        command.arg("SET").arg("maxmemory").arg(bytes);
        command.exec_async(&mut connection).await.unwrap();
    };

    limit_memory(1).await;
    client.emit("message", "too much").await;
    assert_eq!(client.message().await, NOT_SENT);
    let reason = node.wait_until_unready().await;
    assert!(reason.contains("OOM"), "{reason}");

    limit_memory(0).await;
    node.wait_until_ready().await;
    client.emit("message", "room again").await;
    assert_eq!(client.message().await, "Ada: room again");
}

#[tokio::test(flavor = "multi_thread")]
async fn whose_messages_wait_when_a_node_ends_is_told_that_they_are_not_sent() {
    let mut redis = redis_or_skip!();
    let node = Node::ready("ecs01", &redis.url()).await;
    let mut clients = Vec::new();
    for name in ["Ada", "Bob", "Cyd"] {
        clients.push(node.named(name).await);
    }
    redis.kill();
    node.wait_until_unready().await;
    for client in &mut clients {
        client.emit("message", "kept?").await;
        assert_eq!(client.message().await, KEPT);
    }
    node.shut_down();
    for client in &mut clients {
        assert_eq!(client.message().await, NOT_SENT);
    }
    node.ended().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_emptied_redis_does_not_stop_the_messages() {
    let redis = redis_or_skip!();
    let node = Node::ready("ecs01", &redis.url()).await;
    let mut client = node.named("Ada").await;
    client.emit("message", "before").await;
    assert_eq!(client.message().await, "Ada: before");

    let mut connection = redis.connection().await.unwrap();
    // Ids are milliseconds: an entry of the same one would look like the one just seen.
    crate::eventually("the millisecond is over", async || later(&mut connection).await.then_some(())).await;
    redis::cmd("FLUSHALL").exec_async(&mut connection).await.unwrap();

    client.emit("message", "after").await;
    assert_eq!(client.message().await, "Ada: after");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_begins_anew_with_a_clock_behind_is_noticed() {
    let redis = redis_or_skip!();
    let node = Node::ready("ecs01", &redis.url()).await;
    let mut client = node.named("Ada").await;
    client.emit("message", "before").await;
    assert_eq!(client.message().await, "Ada: before");

    let mut connection = redis.connection().await.unwrap();
    redis::cmd("FLUSHALL").exec_async(&mut connection).await.unwrap();
    let mut command = redis::cmd("XADD");
    command.arg("chat:messages").arg("1-1").arg("text").arg("somebody: from long ago");
    command.exec_async(&mut connection).await.unwrap();

    assert_eq!(client.message().await, "somebody: from long ago");
}

/// Whether Redis' clock is past the newest entry of the stream.
async fn later(connection: &mut redis::aio::MultiplexedConnection) -> bool {
    let (seconds, microseconds): (u64, u64) = redis::cmd("TIME").query_async(connection).await.unwrap();
    let mut command = redis::cmd("XREVRANGE");
    command.arg("chat:messages").arg("+").arg("-").arg("COUNT").arg(1);
    let newest: Vec<(String, redis::Value)> = command.query_async(connection).await.unwrap();
    let milliseconds: u64 = newest[0].0.split('-').next().unwrap().parse().unwrap();
    seconds * 1000 + microseconds / 1000 > milliseconds
}
