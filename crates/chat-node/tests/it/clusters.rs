//! Redis servers in cluster mode: one that serves all slots will do; what it does not serve is told.

use crate::eventually;
use crate::listener::Line;
use crate::redis_server::{RedisServer, free_address, redis_or_skip};

/// A server with slots to give away. Its bus needs a port of its own.
macro_rules! cluster_or_skip {
    () => {{
        let bus = free_address().port().to_string();
        let redis = redis_or_skip!("--cluster-enabled", "yes", "--cluster-port", &bus);
        (redis, bus)
    }};
}

async fn serve_all_slots(redis: &RedisServer) {
    let slots: Vec<String> = (0..16384).map(|slot| slot.to_string()).collect();
    let command: Vec<&str> =
        ["CLUSTER", "ADDSLOTS"].into_iter().chain(slots.iter().map(String::as_str)).collect();
    redis.run::<()>(&command).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_of_one_is_used_once_it_is_complete() {
    let (redis, _) = cluster_or_skip!();
    let line = Line::start("ecs01", &redis.url());
    line.wait_until_trouble("the cluster of Redis is down (CLUSTERDOWN").await;
    serve_all_slots(&redis).await;
    line.wait_until_ready().await;
    line.is_well(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_redirects_is_told_with_what_to_use_instead() {
    let ((redis, _), (other, bus)) = (cluster_or_skip!(), cluster_or_skip!());
    serve_all_slots(&redis).await;
    let port = other.address().port().to_string();
    redis.run::<()>(&["CLUSTER", "MEET", "127.0.0.1", &port, &bus]).await;
    let id: String = other.run(&["CLUSTER", "MYID"]).await;
    eventually("the servers know each other", async || {
        let nodes: String = redis.run(&["CLUSTER", "NODES"]).await;
        nodes.lines().any(|node| node.starts_with(&id) && node.contains("connected")).then_some(())
    })
    .await;
    let slot: u64 = redis.run(&["CLUSTER", "KEYSLOT", "chat:messages"]).await;
    redis.run::<()>(&["CLUSTER", "SETSLOT", &slot.to_string(), "NODE", &id]).await;
    let line = Line::start("ecs01", &redis.url());
    let reason = line.wait_until_trouble("is one node of a cluster and redirects").await;
    assert!(reason.contains("writing to redis does not work"), "{reason}");
}
