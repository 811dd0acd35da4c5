//! One client's trouble is not another's: slow readers, large packets, draining.

use std::time::Duration;

use crate::client::Client;
use crate::cluster::Node;
use crate::eventually;
use crate::redis_server::redis_or_skip;

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_does_not_read_is_cut_off_and_the_others_miss_nothing() {
    let redis = redis_or_skip!();
    let node = Node::start_with("ecs01", &redis.url(), |config| {
        config.limits.queued_packets = 256;
        config.limits.queued_bytes = 64 * 1024 * 1024;
    })
    .await;
    node.wait_until_ready().await;
    let mut slow = Client::connect_with_small_window(node.address).await;
    let mut quick = node.client().await;

    // More than the buffers of the system hold, so that the queue of the slow one must overflow.
    let text = "x".repeat(64 * 1024);
    let mut sent = 0;
    while node.metric("chat_slow_readers_total").await == 0 {
        for _ in 0..16 {
            redis.say(&text).await;
            assert_eq!(quick.message().await.len(), text.len());
        }
        sent += 16;
        assert!(sent < 4096, "the slow client was never noticed");
    }

    eventually("only the quick client is left", async || {
        (node.metric("chat_connections").await == 1).then_some(())
    })
    .await;
    redis.say("and now?").await;
    assert_eq!(quick.message().await, "and now?");
    slow.closed().await;
    assert_eq!(node.metric("chat_slow_readers_total").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stalled_connection_is_given_up_even_when_nobody_speaks() {
    let redis = redis_or_skip!();
    let node = Node::start_with("ecs01", &redis.url(), |config| {
        config.limits.write_stall = Duration::from_secs(1);
        config.limits.queued_bytes = 64 * 1024 * 1024;
    })
    .await;
    node.wait_until_ready().await;
    let _silent = Client::connect_with_small_window(node.address).await;
    let text = "x".repeat(64 * 1024);
    // Enough to fill the buffers of the system, far from enough to fill the queue.
    for _ in 0..200 {
        redis.say(&text).await;
    }
    assert!(node.metric("chat_queued_packets").await > 0, "nothing waits for the client");
    eventually("the stalled client is gone", async || {
        (node.metric("chat_connections").await == 0).then_some(())
    })
    .await;
    assert_eq!(node.metric("chat_slow_readers_total").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_packet_above_the_limit_ends_only_its_own_connection() {
    let redis = redis_or_skip!();
    let node = Node::ready("ecs01", &redis.url()).await;
    let (mut ada, mut bob) = (node.named("Ada").await, node.named("Bob").await);

    ada.try_emit("message", &"x".repeat(70 * 1024)).await;
    assert_eq!(ada.close_code().await, Some(1009));

    assert_eq!(bob.message().await, "Ada left the chatroom.");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_is_announced_closes_clients_and_leaves_no_name_behind() {
    let redis = redis_or_skip!();
    let leaving = Node::start_with("ecs01", &redis.url(), |config| {
        config.drain_delay = Duration::from_secs(3);
    })
    .await;
    leaving.wait_until_ready().await;
    let staying = Node::ready("ecs02", &redis.url()).await;
    let (mut ada, mut bob) = (leaving.named("Ada").await, staying.named("Bob").await);

    leaving.shut_down();
    eventually("the health is off", async || (leaving.get("/healthz").await.status() == 503).then_some(()))
        .await;
    let refused = leaving.get("/socket.io/?EIO=4&transport=polling").await;
    assert_eq!(
        (refused.status().as_u16(), &refused.headers()["x-chat-node"]),
        (503, &"ecs01".parse().unwrap())
    );
    assert_eq!(staying.get("/healthz").await.status(), 200);

    // Not "41": after a Socket.IO disconnect, clients would not come back by themselves.
    assert_ne!(ada.closed().await.as_deref(), Some("41"));
    assert_eq!(bob.message().await, "Ada left the chatroom.");
    leaving.ended().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_sends_clients_away_one_after_the_other() {
    let redis = redis_or_skip!();
    let node = Node::start_with("ecs01", &redis.url(), |config| {
        config.drain_delay = Duration::ZERO;
        config.drain_spread = Duration::from_secs(2);
    })
    .await;
    node.wait_until_ready().await;
    let mut clients = Vec::new();
    for _ in 0..20 {
        clients.push(node.client().await);
    }
    node.shut_down();
    let started = tokio::time::Instant::now();
    let closing = clients.into_iter().map(|mut client| async move {
        assert_eq!(client.close_code().await, Some(1001));
        started.elapsed()
    });
    let mut moments = futures_util::future::join_all(closing).await;
    moments.sort();
    // In no more than a quarter of the time did more than half of them go.
    for window in moments.windows(11) {
        assert!(window[10] > window[0] + Duration::from_millis(500), "{moments:?}");
    }
    node.ended().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_does_not_wait_for_clients_that_do_not_read() {
    let redis = redis_or_skip!();
    let node = Node::ready("ecs01", &redis.url()).await;
    let _silent = Client::connect_with_small_window(node.address).await;
    let text = "x".repeat(64 * 1024);
    for _ in 0..200 {
        redis.say(&text).await;
    }
    let started = std::time::Instant::now();
    node.shut_down();
    node.ended().await;
    assert!(started.elapsed() < Duration::from_secs(10), "took {:?}", started.elapsed());
}
