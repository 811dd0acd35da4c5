//! Somebody who sits in the chatroom and comes back whenever the connection ends.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use albatross::socketio::{Client, ClientError};
use tokio::net::TcpStream;

use super::TestEnv;
use super::cloud::block_on;

/// How long coming back may take: a connection, a handshake, and the pauses of a browser's client.
const RETURN: Duration = Duration::from_secs(5);
/// How often an idle connection is looked at.
const LOOK: Duration = Duration::from_millis(100);

/// What they went through.
#[derive(Debug, Default)]
struct Stay {
    /// How often the connection ended.
    ended: usize,
    /// The longest way back.
    longest: Duration,
    /// Tries to connect that were refused.
    refused: Vec<String>,
}

/// Somebody who sits in the chatroom.
pub(crate) struct Regular {
    leaves: Arc<AtomicBool>,
    stay: JoinHandle<Stay>,
}

impl Regular {
    /// Comes in through the load balancer, and stays.
    pub(crate) fn arrives(env: &TestEnv) -> Self {
        let status = env.run(&["--local", "status", "--json", "chatroom.yaml"]).expect_code(0).json();
        let text = status["local_address"].as_str().expect("an address").to_owned();
        let address = text.trim_start_matches("http://").trim_end_matches('/').parse().expect("a socket");
        let leaves = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&leaves);
        Self { leaves, stay: std::thread::spawn(move || block_on(stay(address, &seen))) }
    }

    /// Goes, and has never waited longer for the service than a reconnect takes.
    #[track_caller]
    pub(crate) fn leaves_content(self) {
        self.leaves.store(true, Ordering::Relaxed);
        let stay = self.stay.join().expect("they stayed");
        assert!(stay.longest < RETURN, "{stay:?}");
    }
}

async fn stay(address: SocketAddr, leaves: &AtomicBool) -> Stay {
    let mut stay = Stay::default();
    let mut since = Instant::now();
    while !leaves.load(Ordering::Relaxed) {
        match arrive(address).await {
            Ok(client) => {
                stay.longest = stay.longest.max(since.elapsed());
                sit(client, leaves).await;
                stay.ended += 1;
                since = Instant::now();
            }
            Err(why) => {
                stay.refused.push(why);
                tokio::time::sleep(LOOK).await;
            }
        }
    }
    // Whoever cannot come back at all has waited until now.
    stay.longest = stay.longest.max(since.elapsed());
    stay
}

async fn arrive(address: SocketAddr) -> Result<Client<TcpStream>, String> {
    let stream = TcpStream::connect(address).await.map_err(|error| error.to_string())?;
    Client::connect(stream, "example.com:5000", RETURN).await.map_err(|error| error.to_string())
}

/// Until the connection ends, or they leave.
async fn sit(mut client: Client<TcpStream>, leaves: &AtomicBool) {
    while !leaves.load(Ordering::Relaxed) {
        match client.next_event(LOOK).await {
            Ok(_) | Err(ClientError::TimedOut { .. }) => {}
            Err(_) => return,
        }
    }
}
