//! A server group: who gets the next request, and who is healthy.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use hyper::Method;
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use sha2::Digest;
use tokio_util::sync::CancellationToken;

use crate::plane::network::Network;
use crate::plane::probe::{NoAnswer, Probe};
use crate::plane::report::Changed;
use crate::plane::spec::{Health, HealthCheck, Server};

/// How long a connection to a server may take to be made, before 502.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// How long an unused connection to a server is kept for the next request.
const KEEP_LIMIT: Duration = Duration::from_secs(15);

/// A server as the proxy knows it.
pub(crate) struct Backend {
    key: String,
    server: Server,
    network: Arc<Network>,
    pub(crate) client: Client<HttpConnector, Incoming>,
    health: Mutex<Health>,
    /// Cancelled when the server leaves the group.
    pub(crate) gone: CancellationToken,
}

/// A server's place in the rotation.
struct Slot {
    backend: Arc<Backend>,
    weight: u16,
    /// Grows by the weight each turn and falls by the total when chosen: smooth weighted round robin.
    credit: i64,
}

/// One server group of a load balancer.
pub(crate) struct Group {
    network: Arc<Network>,
    source: Option<Ipv4Addr>,
    changed: Changed,
    slots: Mutex<BTreeMap<String, Slot>>,
    check: Arc<RwLock<Option<HealthCheck>>>,
}

impl Group {
    pub(crate) fn new(network: Arc<Network>, source: Option<Ipv4Addr>, changed: Changed) -> Self {
        Self { network, source, changed, slots: Mutex::default(), check: Arc::default() }
    }

    /// Takes over servers and their check; servers that stay keep their connections and their health.
    pub(crate) fn update(&self, servers: &BTreeMap<String, Server>, check: &HealthCheck) {
        *self.check.write().unwrap_or_else(PoisonError::into_inner) = Some(check.clone());
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        slots.retain(|key, slot| {
            let stays = servers.get(key).is_some_and(|server| {
                (server.address, server.port) == (slot.backend.server.address, slot.backend.server.port)
            });
            if !stays {
                slot.backend.gone.cancel();
            }
            stays
        });
        for (key, server) in servers {
            if let Some(slot) = slots.get_mut(key) {
                slot.weight = server.weight;
                continue;
            }
            let backend = Arc::new(self.backend(key, server));
            tokio::spawn(watch(
                Arc::clone(&backend),
                Arc::clone(&self.check),
                self.source,
                self.changed.clone(),
            ));
            slots.insert(key.clone(), Slot { backend, weight: server.weight, credit: 0 });
        }
    }

    fn backend(&self, key: &str, server: &Server) -> Backend {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(CONNECT_LIMIT));
        connector.set_local_address(self.source.map(Into::into));
        let client = Client::builder(TokioExecutor::new())
            .pool_idle_timeout(KEEP_LIMIT)
            .pool_timer(TokioTimer::new())
            .build(connector);
        Backend {
            key: key.to_owned(),
            server: server.clone(),
            network: Arc::clone(&self.network),
            client,
            health: Mutex::new(Health::Initial),
            gone: CancellationToken::new(),
        }
    }

    /// The server for the next request: the one a cookie names while it can serve, else by turns.
    pub(crate) fn pick(&self, sticky: Option<&str>) -> Option<Arc<Backend>> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let may_serve = |slot: &Slot| slot.weight > 0 && slot.backend.health() == Health::Healthy;
        if let Some(name) = sticky
            && let Some(slot) = slots.values().find(|slot| may_serve(slot) && slot.backend.cookie() == name)
        {
            return Some(Arc::clone(&slot.backend));
        }
        let mut total = 0;
        let mut best: Option<&mut Slot> = None;
        for slot in slots.values_mut().filter(|slot| may_serve(slot)) {
            total += i64::from(slot.weight);
            slot.credit += i64::from(slot.weight);
            if best.as_ref().is_none_or(|best| slot.credit > best.credit) {
                best = Some(slot);
            }
        }
        best.map(|slot| {
            slot.credit -= total;
            Arc::clone(&slot.backend)
        })
    }

    /// Health by server key.
    pub(crate) fn health(&self) -> BTreeMap<String, Health> {
        let slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let judge = |slot: &Slot| {
            if slot.weight == 0 { Health::Unused } else { slot.backend.health() }
        };
        slots.iter().map(|(key, slot)| (key.clone(), judge(slot))).collect()
    }

    /// The group is gone: so are its servers.
    pub(crate) fn end(&self) {
        for slot in self.slots.lock().unwrap_or_else(PoisonError::into_inner).values() {
            slot.backend.gone.cancel();
        }
    }
}

impl Backend {
    fn health(&self) -> Health {
        self.health.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Where it is now; its host may be gone.
    pub(crate) fn target(&self, port: u16) -> Option<SocketAddr> {
        self.network.outer_in(&self.server.vpc, self.server.address, port)
    }

    pub(crate) fn port(&self) -> u16 {
        self.server.port
    }

    /// How a sticky cookie names it without telling its address.
    pub(crate) fn cookie(&self) -> String {
        hex::encode(&sha2::Sha256::digest(self.key.as_bytes())[..16])
    }

    fn set_health(&self, health: Health, changed: &Changed) {
        let mut current = self.health.lock().unwrap_or_else(PoisonError::into_inner);
        if *current != health {
            tracing::info!(server = self.key, ?health, "health changed");
            *current = health;
            drop(current);
            changed.notify();
        }
    }

    /// One probe: the reason code of the load balancer's API when it fails.
    async fn probe(&self, check: &HealthCheck, source: Option<Ipv4Addr>) -> Result<(), &'static str> {
        let port = check.port.unwrap_or(self.server.port);
        let target = self.target(port).ok_or("CONNECT_TIMEOUT")?;
        let probe = Probe {
            target,
            source,
            method: if check.method.eq_ignore_ascii_case("GET") { Method::GET } else { Method::HEAD },
            host: self.server.address.to_string(),
            path: check.path.clone(),
            limit: check.timeout,
        };
        match probe.ask().await {
            Ok(answer) => {
                let class = format!("http_{}xx", answer.status.as_u16() / 100);
                check.codes.contains(&class).then_some(()).ok_or("RESPONSE_MISMATCH")
            }
            Err(NoAnswer::ConnectFailed) => Err("CONNECT_FAILED"),
            Err(NoAnswer::ConnectTimeout) => Err("CONNECT_TIMEOUT"),
            Err(NoAnswer::SendFailed) => Err("SEND_REQUEST_FAILED"),
            Err(NoAnswer::ReceiveTimeout) => Err("RECV_RESPONSE_TIMEOUT"),
            Err(NoAnswer::ReceiveFailed) => Err("RECV_RESPONSE_FAILED"),
        }
    }
}

/// Probes a server for as long as it is in the group.
async fn watch(
    backend: Arc<Backend>,
    check: Arc<RwLock<Option<HealthCheck>>>,
    source: Option<Ipv4Addr>,
    changed: Changed,
) {
    let (mut good, mut bad) = (0_u32, 0_u32);
    loop {
        let Some(check) = check.read().unwrap_or_else(PoisonError::into_inner).clone() else {
            return;
        };
        let mut pause = check.interval.max(Duration::from_millis(5));
        if check.enabled {
            let result = tokio::select! {
                result = backend.probe(&check, source) => result,
                () = backend.gone.cancelled() => return,
            };
            (good, bad) =
                if result.is_ok() { (good.saturating_add(1), 0) } else { (0, bad.saturating_add(1)) };
            match result {
                Ok(()) if good >= check.healthy_threshold => backend.set_health(Health::Healthy, &changed),
                Err(reason) if bad >= check.unhealthy_threshold => {
                    backend.set_health(Health::Unhealthy(reason.to_owned()), &changed);
                }
                Ok(()) | Err(_) => {}
            }
        } else {
            (good, bad) = (0, 0);
            backend.set_health(Health::Healthy, &changed);
            pause = pause.min(Duration::from_millis(200));
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = backend.gone.cancelled() => return,
        }
    }
}
