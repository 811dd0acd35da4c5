//! Silence and lateness: what the two timeouts of a listener end.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::balance::setup::{Setup, closes};

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
