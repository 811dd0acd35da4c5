//! Servers that leave or fall ill: what is under way, with a time to drain and without.

use std::sync::atomic::Ordering;
use std::time::Duration;

use mock_cloud::plane::spec::Health;
use tokio::time::Instant;

use crate::balance::setup::{GROUP, Setup, closes, key, says};

/// Long enough to be seen to begin.
const DRAIN: Duration = Duration::from_millis(800);

/// All traffic goes to the first server.
async fn draining(drain: Option<Duration>) -> Setup {
    Setup::with([100, 0], |balancer| balancer.server_groups.get_mut(GROUP).unwrap().drain = drain).await
}

async fn remove_first(setup: &mut Setup) {
    setup.group().servers.remove(&key(1));
    setup.region.apply();
    setup.region.until("it left", |status| status.health["lsn-1"].len() == 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_server_drains_until_its_time_is_over() {
    let mut setup = draining(Some(DRAIN)).await;
    let mut tunnel = setup.upgrade().await;
    let held = tokio::spawn(ask(setup.front, "/held"));
    setup.first.holds(1).await;
    let removed = Instant::now();
    remove_first(&mut setup).await;
    // Nothing new comes to it, and what is open goes on.
    assert!(setup.ask("/", "").await.starts_with("HTTP/1.1 503 "));
    says(&mut tunnel, "still").await;
    assert!(closes(&mut tunnel).await);
    assert!(removed.elapsed() >= DRAIN, "{:?}", removed.elapsed());
    let answer = held.await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 500 "), "{answer}");
    setup.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_done_while_its_server_drains_is_answered() {
    let mut setup = draining(Some(Duration::from_mins(1))).await;
    let held = tokio::spawn(ask(setup.front, "/held"));
    setup.first.holds(1).await;
    remove_first(&mut setup).await;
    setup.first.released.send_replace(true);
    assert!(held.await.unwrap().ends_with("let go"));
    setup.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_drain_tunnels_end_at_once_and_requests_are_answered() {
    let mut setup = draining(None).await;
    let mut tunnel = setup.upgrade().await;
    let held = tokio::spawn(ask(setup.front, "/held"));
    setup.first.holds(1).await;
    remove_first(&mut setup).await;
    assert!(closes(&mut tunnel).await);
    setup.first.released.send_replace(true);
    assert!(held.await.unwrap().ends_with("let go"));
    setup.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_falls_ill_drains_too() {
    let setup = draining(Some(DRAIN)).await;
    let mut tunnel = setup.upgrade().await;
    let began = Instant::now();
    fall_ill(&setup).await;
    says(&mut tunnel, "still").await;
    assert!(closes(&mut tunnel).await);
    assert!(began.elapsed() >= DRAIN, "{:?}", began.elapsed());
    // It begins anew when it is well again.
    setup.first.is_healthy.store(true, Ordering::Relaxed);
    setup.is(1, &Health::Healthy).await;
    says(&mut setup.upgrade().await, "anew").await;
    setup.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_recovers_in_time_keeps_its_tunnels() {
    let setup = draining(Some(DRAIN)).await;
    let mut tunnel = setup.upgrade().await;
    fall_ill(&setup).await;
    setup.first.is_healthy.store(true, Ordering::Relaxed);
    setup.is(1, &Health::Healthy).await;
    // Longer than the drain would have taken, in words that are answered.
    let began = Instant::now();
    while began.elapsed() < DRAIN * 2 {
        says(&mut tunnel, "still").await;
    }
    setup.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_drain_an_ill_server_keeps_its_tunnels() {
    let setup = draining(None).await;
    let mut tunnel = setup.upgrade().await;
    fall_ill(&setup).await;
    assert!(setup.ask("/", "").await.starts_with("HTTP/1.1 503 "));
    says(&mut tunnel, "still").await;
    setup.end().await;
}

async fn fall_ill(setup: &Setup) {
    setup.first.is_healthy.store(false, Ordering::Relaxed);
    setup.is(1, &Health::Unhealthy("RESPONSE_MISMATCH".to_owned())).await;
}

/// One request that outlives the borrow of its setup.
async fn ask(front: std::net::SocketAddr, path: &str) -> String {
    crate::balance::setup::exchange(
        front,
        &format!("GET {path} HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\n\r\n"),
    )
    .await
}
