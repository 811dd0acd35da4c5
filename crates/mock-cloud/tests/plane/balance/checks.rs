//! Health checks: each of their parameters, seen by the server that is checked or by who is healthy then.
//!
//! A server of weight 0 is checked like the others, but shown as unused: both have a weight here.

use std::sync::atomic::Ordering;
use std::time::Duration;

use mock_cloud::plane::spec::{CheckProtocol, Health, HealthCheck, HttpVersion};
use tokio::net::TcpListener;
use tokio::time::Instant;

use crate::balance::secure::{acceptor, issue};
use crate::balance::server::{Asked, Backend};
use crate::balance::setup::{GROUP, Setup, vpc};
use crate::support::eventually;

/// What is different about a check.
type Change = fn(&mut HealthCheck);

async fn checked(change: impl Fn(&mut HealthCheck)) -> Setup {
    Setup::with([100, 100], |balancer| {
        for group in balancer.server_groups.values_mut() {
            change(&mut group.health_check);
        }
    })
    .await
}

fn ill(reason: &str) -> Health {
    Health::Unhealthy(reason.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_asks_as_it_is_told() {
    let mut setup = Setup::new([100, 100]).await;
    let asked = |method: &str, target: &str, host: &str, version: &str| Asked {
        method: method.to_owned(),
        target: target.to_owned(),
        host: host.to_owned(),
        version: version.to_owned(),
    };
    let server = vpc(1).to_string();
    let cases: [(Change, Asked); 5] = [
        (|_| {}, asked("HEAD", "/healthz", &server, "HTTP/1.1")),
        (|check| check.method = "GET".to_owned(), asked("GET", "/healthz", &server, "HTTP/1.1")),
        (
            |check| check.path = "/healthz?deep=1".to_owned(),
            asked("GET", "/healthz?deep=1", &server, "HTTP/1.1"),
        ),
        (
            |check| check.host = Some("chat.example.com".to_owned()),
            asked("GET", "/healthz?deep=1", "chat.example.com", "HTTP/1.1"),
        ),
        (
            |check| check.version = HttpVersion::Http10,
            asked("GET", "/healthz?deep=1", "chat.example.com", "HTTP/1.0"),
        ),
    ];
    for (change, expected) in cases {
        change(&mut setup.group().health_check);
        setup.region.apply();
        let is_asked = async || setup.first.checked.lock().unwrap().as_ref() == Some(&expected);
        eventually(&format!("{expected:?}"), is_asked).await;
    }
    setup.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn codes_decide_who_is_healthy() {
    let mut setup = checked(|check| check.path = "/teapot".to_owned()).await;
    setup.is(1, &ill("RESPONSE_MISMATCH")).await;
    setup.group().health_check.codes = vec!["http_2xx".to_owned(), "http_4xx".to_owned()];
    setup.region.apply();
    setup.is(1, &Health::Healthy).await;
    setup.group().health_check.codes = vec!["http_3xx".to_owned()];
    setup.region.apply();
    setup.is(1, &ill("RESPONSE_MISMATCH")).await;
    setup.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_port_can_be_checked() {
    let mut setup = Setup::new([100, 100]).await;
    setup.group().health_check.port = Some(5001);
    setup.region.apply();
    setup.is(1, &ill("CONNECT_FAILED")).await;
    let other = Backend::serve("health", setup.place(1, 5001)).await;
    setup.is(1, &Health::Healthy).await;
    setup.is(2, &ill("CONNECT_FAILED")).await;
    other.stop().await;
    setup.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tcp_check_wants_a_connection_and_no_answer() {
    let mut setup = Setup::new([100, 100]).await;
    // Connections are accepted by the system there, and nobody ever reads.
    let mute = TcpListener::bind(setup.place(1, 5001)).await.unwrap();
    setup.group().health_check.port = Some(5001);
    setup.group().health_check.timeout = Duration::from_millis(200);
    setup.region.apply();
    setup.is(1, &ill("RECV_RESPONSE_TIMEOUT")).await;
    setup.group().health_check.protocol = CheckProtocol::Tcp;
    setup.region.apply();
    setup.is(1, &Health::Healthy).await;
    setup.is(2, &ill("CONNECT_FAILED")).await;
    drop(mute);
    setup.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_https_check_speaks_tls() {
    let acceptor = acceptor(&issue(&["other.example.com"]));
    let setup = Setup::with_servers([100, 100], Some(acceptor), |balancer| {
        balancer.server_groups.get_mut(GROUP).unwrap().health_check.protocol = CheckProtocol::Https;
    })
    .await;
    setup.is(1, &Health::Healthy).await;
    // The other group checks the second server without TLS.
    let plain = |status: &mock_cloud::plane::spec::Status| {
        status.health["lsn-1"].values().all(|one| *one == Health::Healthy)
    };
    setup.region.until("both are healthy", plain).await;
    let mut setup = setup;
    setup.group().health_check.protocol = CheckProtocol::Http;
    setup.region.apply();
    setup.is(1, &ill("RECV_RESPONSE_FAILED")).await;
    setup.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_waits_no_longer_than_its_timeout() {
    const TIMEOUT: Duration = Duration::from_millis(300);
    let mut setup = checked(|check| check.unhealthy_threshold = 1).await;
    setup.is(1, &Health::Healthy).await;
    setup.group().health_check.path = "/never".to_owned();
    setup.group().health_check.timeout = TIMEOUT;
    let began = Instant::now();
    setup.region.apply();
    setup.is(1, &ill("RECV_RESPONSE_TIMEOUT")).await;
    assert!(began.elapsed() >= TIMEOUT, "{:?}", began.elapsed());
    setup.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn checks_come_one_interval_after_the_other() {
    const INTERVAL: Duration = Duration::from_millis(250);
    let mut setup = Setup::new([100, 100]).await;
    setup.group().health_check.interval = INTERVAL;
    // The method tells when the change is in force.
    setup.group().health_check.method = "GET".to_owned();
    setup.region.apply();
    let is_get = async || setup.first.checked.lock().unwrap().as_ref().unwrap().method == "GET";
    eventually("asked by GET", is_get).await;
    let (began, first) = (Instant::now(), setup.first.checks.load(Ordering::Relaxed));
    eventually("four more", async || setup.first.checks.load(Ordering::Relaxed) >= first + 4).await;
    assert!(began.elapsed() >= INTERVAL * 3, "{:?}", began.elapsed());
    setup.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn thresholds_count_checks_in_a_row() {
    let mut setup = Setup::new([100, 100]).await;
    setup.group().health_check.unhealthy_threshold = 5;
    setup.group().health_check.healthy_threshold = 7;
    setup.region.apply();
    setup.is(1, &Health::Healthy).await;
    // One more check, so that the change is known to be in force for all those that follow.
    let seen = setup.first.checks.load(Ordering::Relaxed);
    eventually("two more", async || setup.first.checks.load(Ordering::Relaxed) >= seen + 2).await;
    for (is_healthy, health, threshold) in [(false, ill("RESPONSE_MISMATCH"), 5), (true, Health::Healthy, 7)]
    {
        let before = setup.first.checks.load(Ordering::Relaxed);
        setup.first.is_healthy.store(is_healthy, Ordering::Relaxed);
        setup.is(1, &health).await;
        let took = setup.first.checks.load(Ordering::Relaxed) - before;
        // One may have been under way when it changed, and one more may have come before this was read.
        assert!((threshold - 1..=threshold + 3).contains(&took), "{took} checks, not {threshold}");
    }
    setup.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_checks_everybody_is_healthy() {
    let mut setup = Setup::new([100, 100]).await;
    setup.first.is_healthy.store(false, Ordering::Relaxed);
    setup.is(1, &ill("RESPONSE_MISMATCH")).await;
    setup.group().health_check.enabled = false;
    setup.region.apply();
    setup.is(1, &Health::Healthy).await;
    setup.end().await;
}
