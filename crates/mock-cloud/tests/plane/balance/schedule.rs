//! Who is next: the three schedulers, and the slow start of a new server.

use std::time::Duration;

use mock_cloud::plane::spec::{Health, Scheduler};
use tokio::net::TcpStream;

use crate::balance::setup::{GROUP, Setup, key};

async fn with_scheduler(weights: [u16; 2], scheduler: Scheduler) -> Setup {
    Setup::with(weights, |balancer| balancer.server_groups.get_mut(GROUP).unwrap().scheduler = scheduler)
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn round_robin_follows_weights() {
    let setup = with_scheduler([30, 10], Scheduler::RoundRobin).await;
    assert_eq!(setup.turns(8).await, (6, 2));
    // Tunnels that stay open do not count.
    let _tunnels = (setup.upgrade().await, setup.upgrade().await, setup.upgrade().await);
    assert_eq!(setup.turns(8).await, (6, 2));
    setup.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn least_connections_goes_where_the_fewest_are_open() {
    let setup = with_scheduler([100, 100], Scheduler::LeastConnections).await;
    let tunnel = setup.upgrade().await;
    // The first server has one open.
    assert_eq!(setup.turns(6).await, (0, 6));
    let second = setup.upgrade().await;
    // One each: by turns.
    assert_eq!(setup.turns(6).await, (3, 3));
    drop(tunnel);
    crate::support::eventually("the first has none", async || setup.turns(3).await == (3, 0)).await;
    drop(second);
    setup.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn least_connections_looks_at_weights() {
    let setup = with_scheduler([60, 20], Scheduler::LeastConnections).await;
    let mut tunnels = Vec::new();
    for _ in 0..8 {
        tunnels.push(setup.upgrade().await);
    }
    drop(tunnels.split_off(8));
    // Six and two are open, as much for each weight: both are asked.
    let (one, two) = setup.turns(8).await;
    assert_eq!((one, two), (6, 2));
    setup.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn source_hash_sends_an_address_to_one_server() {
    let setup = with_scheduler([100, 100], Scheduler::SourceHash).await;
    let mut seen = Vec::new();
    for last in 1..=32 {
        let (first, again) = (ask_from(&setup, last).await, ask_from(&setup, last).await);
        assert_eq!(first, again);
        seen.push(first);
    }
    let ones = seen.iter().filter(|own| *own == "one").count();
    assert!((4..=28).contains(&ones), "32 addresses, {ones} at the first server");
    setup.end().await;
}

/// Who answers a client with this address.
async fn ask_from(setup: &Setup, last: u8) -> String {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 1, last], 0).into()).unwrap();
    let stream: TcpStream = socket.connect(setup.front).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(hyper_util::rt::TokioIo::new(stream)).await.unwrap();
    let connection = tokio::spawn(connection);
    let request = hyper::Request::get("/").header("host", "example.com");
    let request = request.body(http_body_util::Empty::<hyper::body::Bytes>::new()).unwrap();
    let answer = sender.send_request(request).await.unwrap();
    let body = http_body_util::BodyExt::collect(answer.into_body()).await.unwrap().to_bytes();
    connection.abort();
    String::from_utf8(body.to_vec()).unwrap().split(' ').next().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_server_starts_slowly() {
    let mut setup = Setup::with([100, 100], |balancer| {
        balancer.server_groups.get_mut(GROUP).unwrap().slow_start = Some(Duration::from_mins(15));
    })
    .await;
    // Those that were there from the beginning have their full share.
    assert_eq!(setup.turns(4).await, (2, 2));
    let server = setup.group().servers.remove(&key(2)).unwrap();
    setup.region.apply();
    setup.region.until("it is gone", |status| status.health["lsn-1"].len() == 1).await;
    setup.group().servers.insert(key(2), server);
    setup.region.apply();
    setup.is(2, &Health::Healthy).await;
    let (one, two) = setup.turns(20).await;
    assert!(two <= 2, "{one} and {two}: a quarter of an hour has hardly begun");
    setup.group().slow_start = None;
    setup.region.apply();
    setup.answers("its full share", "/", |answer| answer.contains("\r\ntwo ")).await;
    let (one, two) = setup.turns(20).await;
    assert!(two >= 9, "{one} and {two}");
    setup.end().await;
}
