//! One region: what is wanted, what there is, and the task that brings the two together.
//!
//! 1. Whoever wants something else replaces the whole wish; only the latest one counts.
//! 2. The task maps addresses, then names, load balancers and hosts, and tries again soon what failed.
//! 3. The status is computed from what there is, whenever it is asked for.

use std::collections::BTreeSet;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hickory_server::Server;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::image::Store;
use crate::plane::guest::Machines;
use crate::plane::host::Fleet;
use crate::plane::host::machine::Surroundings;
use crate::plane::host::process::Supervisor;
use crate::plane::hosts::Hosts;
use crate::plane::names::{self, Answerer, Zones};
use crate::plane::network::{self, AddressMap, Network};
use crate::plane::proxy::{self, Proxy};
use crate::plane::redis::{self, Servers};
use crate::plane::report::Changed;
use crate::plane::spec::{CommandResult, Conditions, Desired, Redis, Said, Status, TrafficMap, Troubles};
use crate::plane::{HostKind, PlaneConfig};

/// What could not be done is tried again after this.
const RETRY: Duration = Duration::from_millis(500);

/// Said when there is nothing to make machines of.
const NO_IMAGE: &str = "there is no image for machines, or it is an old one: `mock-cloud image build`";

/// Everything of one region.
pub(crate) struct Region {
    dns: SocketAddr,
    network: Arc<Network>,
    zones: Arc<Zones>,
    changed: Changed,
    proxy: Proxy,
    hosts: Hosts,
    redis: Servers,
    wish: watch::Sender<Desired>,
    /// What was wrong by the wish that was followed last.
    applied: watch::Sender<Troubles>,
    seen: Mutex<Status>,
    server: tokio::sync::Mutex<Option<Server<Answerer>>>,
    task: tokio::sync::Mutex<Option<JoinHandle<()>>>,
    stop: CancellationToken,
}

impl Region {
    pub(crate) async fn start(config: PlaneConfig, supervisor: PathBuf) -> io::Result<Arc<Self>> {
        let folder = config.data.join("hosts");
        if config.hosts != HostKind::None {
            std::fs::create_dir_all(&folder)?;
        }
        let held = network::hold().await?;
        let dns = held.tcp.local_addr()?;
        let changed = Changed::default();
        let network = Arc::new(match config.hosts {
            HostKind::Process => Network::with_links(held.number),
            HostKind::None | HostKind::Machine => Network::new(held.number),
        });
        let zones = Arc::new(Zones::default());
        let server = names::serve(Arc::clone(&zones), held.udp, held.tcp);
        let redis = Servers::new(
            config.data.join("redis"),
            Supervisor(supervisor.clone()),
            Arc::clone(&network),
            changed.clone(),
        );
        let hosts = match config.hosts {
            HostKind::None => Hosts::Pretended(Mutex::default()),
            HostKind::Process => {
                let surroundings = Surroundings {
                    network: Arc::clone(&network),
                    zones: Arc::clone(&zones),
                    supervisor: Supervisor(supervisor),
                    changed: changed.clone(),
                    gates: config.gates,
                };
                Hosts::Processes(Arc::new(Fleet::new(folder.canonicalize()?, surroundings)))
            }
            HostKind::Machine => {
                let image = Store::of_this_machine().usable().ok_or_else(|| io::Error::other(NO_IMAGE))?;
                let around = (Arc::clone(&network), Arc::clone(&zones), changed.clone());
                let folder = folder.canonicalize()?;
                Hosts::Machines(Machines::new(folder, image.root, Supervisor(supervisor), around)?)
            }
        };
        let region = Arc::new(Self {
            dns,
            proxy: Proxy::new(Arc::clone(&network), changed.clone()),
            network,
            zones,
            changed,
            hosts,
            redis,
            wish: watch::Sender::new(Desired::default()),
            applied: watch::Sender::default(),
            seen: Mutex::default(),
            server: tokio::sync::Mutex::new(Some(server)),
            task: tokio::sync::Mutex::new(None),
            stop: CancellationToken::new(),
        });
        // Subscribed here: a wish made before the task runs for the first time must not count as seen.
        let task = tokio::spawn(Arc::clone(&region).converge_for_ever(region.wish.subscribe()));
        *region.task.lock().await = Some(task);
        Ok(region)
    }

    pub(crate) fn dns(&self) -> SocketAddr {
        self.dns
    }

    pub(crate) fn want(&self, desired: Desired) {
        self.wish.send_replace(desired);
    }

    async fn converge_for_ever(self: Arc<Self>, mut wish: watch::Receiver<Desired>) {
        let mut is_complete = true;
        loop {
            let patience = if is_complete { Duration::MAX } else { RETRY };
            tokio::select! {
                () = self.stop.cancelled() => return,
                changed = tokio::time::timeout(patience, wish.changed()) => if matches!(changed, Ok(Err(_))) { return },
            }
            let desired = wish.borrow_and_update().clone();
            is_complete = self.converge(&desired).await;
            self.applied.send_replace(desired.troubles);
            self.changed.notify();
        }
    }

    /// Waits until what is to be wrong is, and nothing else is any more.
    pub(crate) async fn faults_applied(&self) {
        let wanted = self.wish.borrow().troubles.clone();
        // Its sender is ours, so it does not end.
        let _ = self.applied.subscribe().wait_for(|troubles| *troubles == wanted).await;
        self.hosts.faults_applied().await;
    }

    /// One round; whether everything is as wanted.
    async fn converge(self: &Arc<Self>, desired: &Desired) -> bool {
        self.zones.replace(desired);
        if !self.hosts.are_real() {
            return self.hosts.reconcile(desired).await;
        }
        self.map_addresses(desired);
        self.network.make_unwell(unwell(desired));
        self.network.cut(&desired.troubles.cuts);
        let (proxy, hosts, redis) = tokio::join!(
            self.proxy.reconcile(desired),
            self.hosts.reconcile(desired),
            self.redis.reconcile(desired)
        );
        proxy && hosts && redis
    }

    fn map_addresses(&self, desired: &Desired) {
        let network = &self.network;
        let mut map = AddressMap::default();
        for instance in desired.instances.values() {
            let Some(outer) = network.host(&instance.id) else {
                continue;
            };
            map.private.insert((instance.vpc.clone(), instance.private_address), outer);
            map.public.extend(instance.public_address.map(|address| (address, outer)));
            map.names.insert(outer, (instance.vpc.clone(), instance.private_address));
        }
        for balancer in desired.load_balancers.values() {
            for address in &balancer.addresses {
                if let Some(outer) = network.balancer(&proxy::key(&balancer.id, *address)) {
                    map.public.insert(*address, outer);
                }
            }
        }
        for redis in desired.redis.values() {
            self.map_redis(desired, redis, &mut map);
        }
        network.replace(map);
    }

    /// A managed Redis has its name in its VPC, an address for all, and one for each host that goes there.
    fn map_redis(&self, desired: &Desired, redis: &Redis, map: &mut AddressMap) {
        let inner = (redis.vpc.clone(), redis.private_address);
        map.domains.insert(redis.domain.clone(), inner.clone());
        if let Some(outer) = self.network.redis(&redis.id) {
            map.private.insert(inner, outer);
        }
        for host in desired.instances.values().filter(|instance| instance.vpc == redis.vpc) {
            let way = self.network.redis(&redis::way(&redis.id, &host.id));
            if let (Some(own), Some(way)) = (self.network.host(&host.id), way) {
                map.ways.insert((own, redis.private_address), way);
            }
        }
    }

    fn compute(&self) -> Status {
        let mut status = self.hosts.report();
        if self.hosts.are_real() {
            status.health = self.proxy.health();
            status.connect_to.extend(self.proxy.connect_to());
            self.redis.report(&mut status);
        }
        status
    }

    pub(crate) fn status(&self) -> Status {
        let status = self.compute();
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&status);
        status
    }

    pub(crate) fn traffic(&self) -> TrafficMap {
        self.proxy.traffic()
    }

    pub(crate) async fn changed(&self) {
        loop {
            let change = self.changed.listen();
            if self.compute() != *self.seen.lock().unwrap_or_else(PoisonError::into_inner) {
                return;
            }
            change.await;
        }
    }

    pub(crate) async fn run_command(&self, instance: &str, script: &str) -> Result<CommandResult, String> {
        self.hosts.run_command(instance, script).await
    }

    pub(crate) async fn logs(&self, instance: &str, after: Option<&str>) -> Result<Said, String> {
        self.hosts.logs(instance, after).await
    }

    pub(crate) async fn cannot(&self, conditions: &Conditions) -> Option<String> {
        self.hosts.cannot(conditions).await
    }

    pub(crate) fn cannot_cut(&self) -> Option<String> {
        self.hosts.cannot_cut()
    }

    pub(crate) async fn shutdown(&self) {
        self.stop.cancel();
        if let Some(task) = self.task.lock().await.take() {
            let _ = task.await;
        }
        self.proxy.close();
        self.hosts.shutdown().await;
        self.redis.shutdown().await;
        if let Some(mut server) = self.server.lock().await.take() {
            let _ = server.shutdown_gracefully().await;
        }
    }
}

/// Where the instances are that load balancers are to find ill.
fn unwell(desired: &Desired) -> BTreeSet<(String, Ipv4Addr)> {
    let ill = desired.instances.values().filter(|own| desired.troubles.of(&own.id).fails_checks);
    ill.map(|own| (own.vpc.clone(), own.private_address)).collect()
}
