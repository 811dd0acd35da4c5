//! Requests, bodies and tunnels: turns, health, and changes while all of it is under way.

use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use mock_cloud::plane::spec::{Health, Server, Status};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;

use crate::balance::setup::{OTHER, Setup, closes, key, says, vpc};
use crate::support::{PATIENCE, VPC, eventually};

#[tokio::test(flavor = "multi_thread")]
async fn turns_follow_weights_and_health() {
    let mut setup = Setup::new([100, 50]).await;
    assert_eq!(setup.turns(30).await, (20, 10));
    setup.server(2).weight = 0;
    setup.region.apply();
    setup.is(2, &Health::Unused).await;
    assert_eq!(setup.turns(10).await, (10, 0));
    setup.server(2).weight = 100;
    setup.region.apply();
    setup.is(2, &Health::Healthy).await;
    assert_eq!(setup.turns(10).await, (5, 5));
    setup.first.is_healthy.store(false, Ordering::Relaxed);
    setup.is(1, &Health::Unhealthy("RESPONSE_MISMATCH".to_owned())).await;
    assert_eq!(setup.turns(10).await, (0, 10));
    setup.first.is_healthy.store(true, Ordering::Relaxed);
    setup.is(1, &Health::Healthy).await;
    assert_eq!(setup.turns(10).await, (5, 5));
    setup.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_nothing_listens_on_gets_nothing_unless_it_is_believed() {
    let mut setup = Setup::new([100, 100]).await;
    let dead = "192.168.0.1:5999";
    let server = Server { vpc: VPC.to_owned(), address: vpc(1), port: 5999, weight: 100 };
    setup.group().servers.insert(dead.to_owned(), server);
    setup.region.apply();
    let judged = |health: Health| move |status: &Status| status.health["lsn-1"].get(dead) == Some(&health);
    let refused = Health::Unhealthy("CONNECT_FAILED".to_owned());
    setup.region.until("refused", judged(refused)).await;
    assert_eq!(setup.turns(10).await, (5, 5));
    // Without checks it gets requests, which fail.
    setup.group().health_check.enabled = false;
    setup.group().servers.retain(|key, _| key == dead);
    setup.region.apply();
    setup.region.until("believed", judged(Health::Healthy)).await;
    assert!(setup.ask("/", "").await.starts_with("HTTP/1.1 502 "));
    setup.group().servers.clear();
    setup.region.apply();
    setup.region.until("nobody is left", |status| status.health["lsn-1"].is_empty()).await;
    assert!(setup.ask("/", "").await.starts_with("HTTP/1.1 503 "));
    setup.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_balancers_own_name_is_refused() {
    let setup = Setup::new([100, 100]).await;
    let own = "alb-1.cn-hangzhou.alb.aliyuncsslb.com";
    for host in [own, "ALB-1.cn-hangzhou.alb.aliyuncsslb.com:5000", &format!("{own}.")] {
        let answer =
            setup.send(&format!("GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")).await;
        assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
    }
    let answer = setup.send("GET / HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    setup.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_websocket_client_talks_to_its_server() {
    let setup = Setup::new([100, 0]).await;
    let stream = TcpStream::connect(setup.front).await.unwrap();
    let address = "ws://example.com/websocket";
    let (mut socket, answer) = tokio_tungstenite::client_async(address, stream).await.unwrap();
    assert_eq!(answer.status(), 101);
    for length in [0, 5, 70_000] {
        let message = Message::text("x".repeat(length));
        socket.send(message.clone()).await.unwrap();
        assert_eq!(socket.next().await.unwrap().unwrap(), message);
    }
    setup.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn websockets_go_both_ways_until_their_server_leaves() {
    let mut setup = Setup::new([100, 100]).await;
    let (mut one, mut two) = (setup.upgrade().await, setup.upgrade().await);
    for stream in [&mut one, &mut two] {
        for _ in 0..3 {
            says(stream, "hello").await;
        }
    }
    // The two went to two servers, in the order of their keys.
    setup.group().servers.remove(&key(1));
    setup.region.apply();
    assert!(closes(&mut one).await);
    says(&mut two, "still").await;
    // A stopped listener accepts nothing and keeps nothing.
    setup.listener().running = false;
    setup.region.apply();
    assert!(closes(&mut two).await);
    setup.region.until("the listener is closed", |status| status.connect_to.len() == 2).await;
    eventually("refused", async || TcpStream::connect(setup.front).await.is_err()).await;
    setup.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn weight_zero_stops_requests_and_keeps_websockets() {
    let mut setup = Setup::new([100, 100]).await;
    let (mut one, mut two) = (setup.upgrade().await, setup.upgrade().await);
    setup.server(1).weight = 0;
    setup.region.apply();
    setup.is(1, &Health::Unused).await;
    assert_eq!(setup.turns(6).await, (0, 6));
    says(&mut one, "mine").await;
    setup.server(2).weight = 0;
    setup.region.apply();
    setup.is(2, &Health::Unused).await;
    assert!(setup.ask("/", "").await.starts_with("HTTP/1.1 503 "));
    says(&mut one, "again").await;
    says(&mut two, "again").await;
    setup.end().await;
}

/// What is set anew.
type Change = fn(&mut Setup);

#[tokio::test(flavor = "multi_thread")]
async fn changes_of_settings_leave_connections_alone() {
    let mut setup = Setup::new([100, 100]).await;
    let mut tunnel = setup.upgrade().await;
    let mut kept = BufReader::new(TcpStream::connect(setup.front).await.unwrap());
    let ask = "GET / HTTP/1.1\r\nHost: example.com\r\n\r\n";
    let changes: [(&str, Change); 6] = [
        ("timeouts", |setup| {
            setup.listener().idle_timeout = Duration::from_mins(1);
            setup.listener().request_timeout = Duration::from_mins(1);
        }),
        ("health checks", |setup| setup.group().health_check.path = "/other".to_owned()),
        ("sticky sessions", |setup| {
            setup.group().sticky = Some(mock_cloud::plane::spec::Sticky::Insert(Duration::from_mins(1)));
        }),
        ("the scheduler", |setup| {
            setup.group().scheduler = mock_cloud::plane::spec::Scheduler::LeastConnections;
        }),
        ("the group of the default action", |setup| setup.listener().server_group = OTHER.to_owned()),
        ("no group is left but that", |setup| drop(setup.balancer().server_groups.remove("sgp-1"))),
    ];
    for (what, change) in changes {
        change(&mut setup);
        setup.region.apply();
        // Requests of new connections are treated anew when all of it is in force.
        setup.answers("still answered", "/", |answer| answer.starts_with("HTTP/1.1 200 ")).await;
        says(&mut tunnel, "still").await;
        kept.write_all(ask.as_bytes()).await.unwrap();
        let mut line = String::new();
        kept.read_line(&mut line).await.unwrap();
        assert_eq!(line, "HTTP/1.1 200 OK\r\n", "{what}");
        while !line.starts_with("content-length: ") {
            line.clear();
            kept.read_line(&mut line).await.unwrap();
        }
        let length: usize = line["content-length: ".len()..].trim().parse().unwrap();
        while line != "\r\n" {
            line.clear();
            kept.read_line(&mut line).await.unwrap();
        }
        kept.read_exact(&mut vec![0; length]).await.unwrap();
    }
    setup.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_stream_both_ways() {
    let setup = Setup::new([100, 100]).await;
    let mut stream = BufReader::new(TcpStream::connect(setup.front).await.unwrap());
    let head = "POST /echo HTTP/1.1\r\nHost: example.com\r\nTransfer-Encoding: chunked\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut line = String::new();
    // The answer starts while the request is still under way, so nothing waits for a whole body.
    for part in ["first", "second", "third"] {
        stream.write_all(format!("{:x}\r\n{part}\r\n", part.len()).as_bytes()).await.unwrap();
        let wait = async {
            while line.trim() != part {
                line.clear();
                assert!(stream.read_line(&mut line).await.unwrap() > 0);
            }
        };
        tokio::time::timeout(PATIENCE, wait).await.unwrap();
    }
    drop(stream);
    // A client that does not read holds the server up: what is under way stays bounded.
    let mut stream = TcpStream::connect(setup.front).await.unwrap();
    let head = "POST /echo HTTP/1.1\r\nHost: example.com\r\nContent-Length: 1000000000\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let chunk = vec![b'x'; 1 << 20];
    let mut sent = 0;
    while tokio::time::timeout(Duration::from_millis(500), stream.write_all(&chunk)).await.is_ok() {
        sent += chunk.len();
        assert!(sent < 200 << 20, "the proxy swallows everything");
    }
    setup.end().await;
}
