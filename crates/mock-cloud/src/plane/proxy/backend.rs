//! One server as a load balancer knows it: where it is, how it is, what is open to it, and how that ends.
//!
//! What is open to a server belongs to an *era*. When an era ends, its tunnels and the connections of its requests
//! are dropped, and the next one begins: a server that was ill begins anew.

use std::net::{Ipv4Addr, SocketAddr};
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sha2::Digest;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::plane::network::Network;
use crate::plane::proxy::pool::Pool;
use crate::plane::proxy::traffic::Traffic;
use crate::plane::report::Changed;
use crate::plane::spec::{Health, Server};

/// A server.
pub(super) struct Backend {
    key: String,
    cookie: String,
    server: Server,
    network: Arc<Network>,
    source: Option<Ipv4Addr>,
    judged: Mutex<(Health, Instant)>,
    is_healthy: AtomicBool,
    recovered: Notify,
    open: AtomicUsize,
    era: Mutex<Era>,
    traffic: Arc<Traffic>,
    retired: CancellationToken,
}

/// What is open together and ends together.
#[derive(Clone)]
pub(super) struct Era {
    /// Connections that are kept for the next request.
    pub(super) pool: Arc<Pool>,
    /// Cancelled when requests under way are given up.
    pub(super) requests: CancellationToken,
    /// Cancelled with that, or before.
    pub(super) tunnels: CancellationToken,
}

impl Era {
    fn new() -> Self {
        let requests = CancellationToken::new();
        let tunnels = requests.child_token();
        Self { pool: Arc::default(), requests, tunnels }
    }
}

impl Backend {
    pub(super) fn new(
        key: &str,
        server: &Server,
        network: Arc<Network>,
        source: Option<Ipv4Addr>,
    ) -> Arc<Self> {
        Arc::new(Self {
            key: key.to_owned(),
            cookie: hex::encode(&sha2::Sha256::digest(key.as_bytes())[..16]),
            server: server.clone(),
            network,
            source,
            judged: Mutex::new((Health::Initial, Instant::now())),
            is_healthy: AtomicBool::new(false),
            recovered: Notify::new(),
            open: AtomicUsize::new(0),
            era: Mutex::new(Era::new()),
            traffic: Arc::default(),
            retired: CancellationToken::new(),
        })
    }

    /// Whether this is still the server at that place.
    pub(super) fn is_at(&self, server: &Server) -> bool {
        (&server.vpc, server.address, server.port)
            == (&self.server.vpc, self.server.address, self.server.port)
    }

    /// Where it is now; its host may be gone.
    pub(super) fn target(&self, port: Option<u16>) -> Option<SocketAddr> {
        self.network.outer_in(&self.server.vpc, self.server.address, port.unwrap_or(self.server.port))
    }

    /// What goes to it.
    pub(super) fn traffic(&self) -> &Arc<Traffic> {
        &self.traffic
    }

    /// Whether it is found ill, whatever it answers.
    pub(super) fn is_unwell(&self) -> bool {
        self.network.is_unwell(&self.server.vpc, self.server.address)
    }

    /// The address it is known by in its VPC.
    pub(super) fn address(&self) -> Ipv4Addr {
        self.server.address
    }

    /// The address it sees the load balancer come from.
    pub(super) fn source(&self) -> Option<Ipv4Addr> {
        self.source
    }

    /// How a sticky cookie names it without telling its address.
    pub(super) fn cookie(&self) -> &str {
        &self.cookie
    }

    /// Open requests and tunnels.
    pub(super) fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    pub(super) fn era(&self) -> Era {
        self.era.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn is_healthy(&self) -> bool {
        self.is_healthy.load(Ordering::Relaxed)
    }

    /// Since when it is healthy, if it is.
    pub(super) fn healthy_since(&self) -> Option<Instant> {
        let judged = self.judged.lock().unwrap_or_else(PoisonError::into_inner);
        (judged.0 == Health::Healthy).then_some(judged.1)
    }

    pub(super) fn health(&self) -> Health {
        self.judged.lock().unwrap_or_else(PoisonError::into_inner).0.clone()
    }

    /// Takes in a judgement. One that fell ill keeps what is open: for `drain`, or until it ends by itself.
    pub(super) fn judge(self: &Arc<Self>, health: Health, drain: Option<Duration>, changed: &Changed) {
        let mut judged = self.judged.lock().unwrap_or_else(PoisonError::into_inner);
        if judged.0 == health {
            return;
        }
        tracing::info!(server = self.key, ?health, "health changed");
        let was_healthy = judged.0 == Health::Healthy;
        let is_healthy = health == Health::Healthy;
        *judged = (health, Instant::now());
        drop(judged);
        self.is_healthy.store(is_healthy, Ordering::Relaxed);
        if is_healthy {
            self.recovered.notify_waiters();
        } else if was_healthy && let Some(drain) = drain {
            tokio::spawn(Arc::clone(self).end_unless_recovered(drain));
        }
        changed.notify();
    }

    async fn end_unless_recovered(self: Arc<Self>, drain: Duration) {
        let recovered = self.recovered.notified();
        tokio::select! {
            () = tokio::time::sleep(drain) => self.end_era(),
            () = recovered => {}
            () = self.retired.cancelled() => {}
        }
    }

    /// Ends everything that is open.
    fn end_era(&self) {
        let ended =
            std::mem::replace(&mut *self.era.lock().unwrap_or_else(PoisonError::into_inner), Era::new());
        ended.requests.cancel();
    }

    /// Nothing new comes to it; what is open stays.
    pub(super) fn release(&self) {
        self.retired.cancel();
        self.era().pool.clear();
    }

    /// It leaves its group. With a time to drain, what is open may go on for so long; without, tunnels end at once
    /// and requests are answered.
    pub(super) fn retire(&self, drain: Option<Duration>) {
        self.release();
        let era = self.era();
        match drain {
            None => era.tunnels.cancel(),
            Some(drain) => drop(tokio::spawn(async move {
                tokio::time::sleep(drain).await;
                era.requests.cancel();
            })),
        }
    }

    /// Resolves when it left its group.
    pub(super) async fn retired(&self) {
        self.retired.cancelled().await;
    }

    pub(super) fn is_retired(&self) -> bool {
        self.retired.is_cancelled()
    }
}

/// A request or a tunnel that is open to a server, for as long as it is held.
pub(super) struct Load(Arc<Backend>);

impl Load {
    pub(super) fn new(backend: Arc<Backend>) -> Self {
        backend.open.fetch_add(1, Ordering::Relaxed);
        Self(backend)
    }
}

impl Deref for Load {
    type Target = Arc<Backend>;

    fn deref(&self) -> &Arc<Backend> {
        &self.0
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}
