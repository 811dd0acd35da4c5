//! Silence and lateness: what the two timeouts of a listener end.

use std::time::Duration;

use reqwest::Version;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::balance::secure::{client, https, issue};
use crate::balance::setup::{Setup, closes};
use crate::support::PATIENCE;

const IDLE: Duration = Duration::from_millis(300);
const LATE: Duration = Duration::from_millis(900);

async fn setup() -> Setup {
    Setup::with([100, 100], |balancer| {
        let listener = balancer.listeners.get_mut("lsn-1").unwrap();
        listener.idle_timeout = IDLE;
        listener.request_timeout = LATE;
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_late_gives_504() {
    let setup = setup().await;
    let started = Instant::now();
    let answer = setup.ask("/never", "").await;
    assert!(answer.starts_with("HTTP/1.1 504 "), "{answer}");
    // Waiting for a server is not silence: the longer request timeout counted.
    assert!(started.elapsed() >= LATE);
    setup.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_server_gives_504_while_others_answer_on_the_same_connection() {
    let certificate = issue(&["example.com"]);
    let setup = Setup::with([100, 100], |balancer| {
        let listener = balancer.listeners.get_mut("lsn-1").unwrap();
        listener.request_timeout = LATE;
        https(listener, std::slice::from_ref(&certificate), "tls_cipher_policy_1_2");
    })
    .await;
    let client = client(&setup, &certificate).build().unwrap();
    let ask = async |path: &str| {
        let answer = client.get(format!("https://example.com{path}")).send().await.unwrap();
        (answer.version(), answer.status().as_u16())
    };
    assert_eq!(ask("/").await, (Version::HTTP_2, 200));
    let late = ask("/never");
    let busy = async {
        loop {
            assert_eq!(ask("/").await, (Version::HTTP_2, 200));
        }
    };
    tokio::select! {
        answer = tokio::time::timeout(PATIENCE, late) => {
            assert_eq!(answer.expect("it is told"), (Version::HTTP_2, 504));
        }
        () = busy => {}
    }
    setup.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn silence_ends_connections_and_tunnels() {
    let setup = setup().await;
    let mut plain = TcpStream::connect(setup.front).await.unwrap();
    let mut upgraded = setup.upgrade().await;
    assert!(closes(&mut plain).await);
    // One that talks stays open beyond the timeout; one that stopped to talk while this machine slept is begun anew.
    let started = Instant::now();
    while started.elapsed() < IDLE * 2 {
        upgraded = match tokio::time::timeout(Duration::from_millis(50), upgraded.read_u8()).await {
            Err(_) => upgraded,
            Ok(_) => setup.upgrade().await,
        };
        upgraded.write_all(b"a").await.unwrap();
        assert_eq!(upgraded.read_u8().await.unwrap(), b'A');
    }
    let silent = Instant::now();
    assert!(closes(&mut upgraded).await);
    assert!(silent.elapsed() + Duration::from_millis(50) >= IDLE, "{:?}", silent.elapsed());
    // A body that stops coming is silence, too.
    assert!(setup.ask("/drip", "").await.contains("first"));
    setup.end().await;
}
