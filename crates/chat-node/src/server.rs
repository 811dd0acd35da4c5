//! One node from its socket to its drain.
//!
//! Draining, when the shutdown future completes:
//! 1. `/healthz` and `/readyz` say 503 and new sessions are refused, for [`Config::drain_delay`].
//! 2. Whose messages wait because Redis is away is told that they are not sent: nobody will be here to send them.
//! 3. The transports of the clients are closed, one by one in no order, over [`Config::drain_spread`]: so they do not
//!    come to the other nodes all at once. Not by a Socket.IO disconnect packet: after that one, clients do not
//!    reconnect by themselves, and reconnecting, to another node, is what they shall do.
//! 4. Their sessions are handed over: the farewell of a client that does not come back in time is said by another node.
//! 5. The listener closes.
//!
//! Each step is bounded, so that a client or a Redis that does not answer cannot hold the process: at most ten
//! seconds in all with the longest times.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rand::seq::SliceRandom;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::bus::Bus;
use crate::chat::{Chat, Lobby};
use crate::config::{Config, Limits};
use crate::engine_io::registry::Registry;
use crate::engine_io::{CloseReason, Engine, Settings};
use crate::health::Vitals;
use crate::http::occupancy::Occupancy;
use crate::http::origin::Origins;
use crate::http::proxies::Proxies;
use crate::http::{Site, accept};
use crate::metrics::Metrics;
use crate::room::Room;
use crate::socket_io::{Namespace, SocketIo};

const SOCKET_PATH: &str = "/socket.io/";

const GIVING_UP: Duration = Duration::from_millis(250);
const CLOSING: Duration = Duration::from_millis(1500);
const WRITING: Duration = Duration::from_secs(2);
const HANGING_UP: Duration = Duration::from_secs(1);
/// How long a client may stay outside of the namespace after it has connected.
const JOINING: Duration = Duration::from_secs(10);
/// How long a move from polling to WebSocket, or the body of a request, may take.
const UPGRADING: Duration = Duration::from_secs(10);

/// The node could not go on serving.
#[derive(Debug, Error)]
pub enum ServeError {
    /// The accept loop or a task of the way to Redis panicked.
    #[error("the server failed")]
    Failed(#[source] tokio::task::JoinError),
}

/// Serves the chatroom on `listener` until `shutdown` completes, then drains and returns.
///
/// # Guarantees
/// Never waits for Redis to begin, and returns at most ten seconds after `shutdown`.
///
/// # Errors
/// Only when serving itself breaks; trouble with Redis is reported by `/readyz` and healed.
pub async fn serve(
    listener: TcpListener,
    config: Config,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), ServeError> {
    let metrics = Arc::new(Metrics::default());
    let room = Arc::new(Room::new(metrics.clone()));
    let chat = Arc::new(Chat {
        bus: Bus::start(config.bus(), room.clone()),
        room,
        metrics,
        node_id: config.node_id.clone(),
        limits: config.limits.chat(),
        recovery: config.recovery,
    });
    let site = site(&config, &chat);
    let closing = CancellationToken::new();
    let connections = TaskTracker::new();
    let mut accepting = tokio::spawn(accept(listener, site.clone(), closing.clone(), connections.clone()));

    let outcome = tokio::select! {
        ended = &mut accepting => ended.map_err(ServeError::Failed),
        error = chat.bus.failed() => Err(ServeError::Failed(error)),
        () = shutdown => {
            drain(&config, &chat, &site).await;
            closing.cancel();
            connections.close();
            timeout(HANGING_UP, connections.wait()).await.ok();
            Ok(())
        }
    };
    accepting.abort();
    outcome
}

fn site(config: &Config, chat: &Arc<Chat>) -> Arc<Site> {
    let limits = &config.limits;
    let lobby: Arc<dyn Namespace> = Arc::new(Lobby(chat.clone()));
    let application = Arc::new(SocketIo::new([(crate::socket_io::packet::MAIN, lobby)]));
    let engine = Engine::new(settings(config), application);
    let draining = Arc::new(AtomicBool::new(false));
    let counts = Arc::default();
    let sessions = Arc::new(Occupancy::new(limits.connections, limits.connections_per_address));
    let vitals = Vitals {
        chat: chat.clone(),
        draining: draining.clone(),
        registry: engine.registry().clone(),
        counts: Arc::clone(&counts),
    };
    Arc::new(Site {
        engine,
        path: SOCKET_PATH,
        pages: Arc::new(vitals),
        node: config.node_id.header(),
        origins: Origins::new(&config.allowed_origins),
        proxies: Proxies::new(config.trusted_proxies.clone()),
        sessions,
        connections: Arc::new(transports(limits)),
        handshake_timeout: limits.handshake_timeout,
        write_stall: limits.write_stall,
        draining,
        counts,
    })
}

/// A session that polls has two connections for a while, and probes and pages need some too, even when the sessions
/// are all taken: a node that is full is well.
fn transports(limits: &Limits) -> Occupancy {
    Occupancy::new(2 * limits.connections + 64, 2 * limits.connections_per_address + 16)
}

fn settings(config: &Config) -> Settings {
    let limits = &config.limits;
    Settings {
        ping_interval: config.ping_interval,
        ping_timeout: config.ping_timeout,
        join_timeout: JOINING,
        upgrade_timeout: UPGRADING,
        write_stall: limits.write_stall,
        max_payload: usize::try_from(limits.payload_bytes).unwrap_or(usize::MAX),
        queue_packets: limits.queued_packets,
        queue_bytes: limits.queued_bytes,
    }
}

async fn drain(config: &Config, chat: &Chat, site: &Site) {
    tracing::info!(clients = chat.room.occupied(), "draining");
    site.draining.store(true, Ordering::Release);
    tokio::time::sleep(config.drain_delay.min(Config::MAX_DRAIN_DELAY)).await;
    if timeout(GIVING_UP, chat.bus.give_up()).await.is_err() {
        tracing::warn!("some may not hear that their messages are not sent");
    }
    let registry = site.engine.registry();
    send_away(registry, config.drain_spread.min(Config::MAX_DRAIN_SPREAD)).await;
    let gone = async {
        while !registry.is_empty() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    if timeout(CLOSING, gone).await.is_err() {
        tracing::warn!(clients = registry.len(), "clients that do not close are cut off");
    }
    if timeout(WRITING, chat.bus.finish()).await.is_err() {
        tracing::warn!("redis did not take the farewells in time");
    }
    tracing::info!("drained");
}

/// Closes every session, at moments that are spread over a time.
async fn send_away(registry: &Registry, spread: Duration) {
    let mut sessions = registry.all();
    sessions.shuffle(&mut rand::rng());
    let begun = Instant::now();
    let count = u32::try_from(sessions.len()).unwrap_or(u32::MAX).max(1);
    for (number, session) in (0_u32..).zip(&sessions) {
        sleep_until(begun + spread / count * number).await;
        session.close(CloseReason::ShuttingDown);
    }
    // Upgrades and handshakes that were under way.
    registry.all().iter().for_each(|session| session.close(CloseReason::ShuttingDown));
}
