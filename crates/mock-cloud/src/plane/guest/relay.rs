//! Relays between the outer machine's loopback and a VPC: one listener each, connections carried both ways.
//!
//! Inwards a listener on the loopback connects from inside the VPC's router: in the name of a load balancer's address
//! in its vSwitch when a load balancer comes, else in that of a visitor from outside. Outwards a listener in the router
//! connects to a load balancer of the outer machine, from the loopback address of the machine that came.
//!
//! A relay takes a connection before it knows whether the other side does. One that is not let through is reset.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::plane::guest::namespace::Namespace;
use crate::plane::network::Network;
use crate::plane::probe::connect;
use crate::plane::strain::{self, Strain};

/// How long a connection may take to be made: what a rule drops answers never.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// Which way a relay goes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Way {
    /// From the loopback to a machine; whoever is no load balancer comes as this visitor.
    In { outer: SocketAddr, inner: SocketAddr, visitor: Ipv4Addr },
    /// From the machines to a load balancer.
    Out { inner: SocketAddr, outer: SocketAddr },
}

/// The relays of one VPC.
pub(crate) struct Relays {
    vpc: String,
    namespace: Namespace,
    network: Arc<Network>,
    /// From the loopback address of a load balancer to its address in the VPC.
    balancers: Arc<RwLock<BTreeMap<Ipv4Addr, Ipv4Addr>>>,
    open: Mutex<BTreeMap<Way, Open>>,
    /// How bad the way to the SSH server of each machine is.
    strains: Arc<Mutex<Strains>>,
}

/// By machine.
type Strains = BTreeMap<Ipv4Addr, watch::Sender<Strain>>;

const SSH: u16 = 22;

/// One that listens.
struct Open {
    /// Cancelled when it is not wanted any more.
    end: CancellationToken,
    /// Cancelled, and replaced, when its connections are to be cut.
    cut: Arc<Mutex<CancellationToken>>,
}

impl Relays {
    pub(crate) fn new(vpc: String, namespace: Namespace, network: Arc<Network>) -> Self {
        Self {
            vpc,
            namespace,
            network,
            balancers: Arc::default(),
            open: Mutex::default(),
            strains: Arc::default(),
        }
    }

    /// Makes them as wanted; whether they are now.
    pub(crate) async fn reconcile(
        &self,
        wanted: &BTreeSet<Way>,
        balancers: BTreeMap<Ipv4Addr, Ipv4Addr>,
    ) -> bool {
        *self.balancers.write().unwrap_or_else(PoisonError::into_inner) = balancers;
        let missing: Vec<Way> = {
            let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
            open.retain(|way, relay| {
                let stays = wanted.contains(way);
                if !stays {
                    relay.end.cancel();
                }
                stays
            });
            wanted.iter().filter(|way| !open.contains_key(way)).cloned().collect()
        };
        let mut is_complete = true;
        for way in missing {
            if let Err(error) = self.open(way.clone()).await {
                tracing::warn!(?way, %error, "a relay cannot be opened");
                is_complete = false;
            }
        }
        is_complete
    }

    async fn open(&self, way: Way) -> io::Result<()> {
        let listener = match &way {
            Way::In { outer, .. } => TcpListener::bind(outer).await?,
            Way::Out { inner, .. } => listen_inside(&self.namespace, *inner).await?,
        };
        let end = CancellationToken::new();
        let cut = Arc::new(Mutex::new(end.child_token()));
        let carrier = Carrier {
            way: way.clone(),
            vpc: self.vpc.clone(),
            namespace: self.namespace.clone(),
            network: Arc::clone(&self.network),
            balancers: Arc::clone(&self.balancers),
            strains: Arc::clone(&self.strains),
        };
        tokio::spawn(accept(listener, Arc::new(carrier), end.clone(), Arc::clone(&cut)));
        self.open.lock().unwrap_or_else(PoisonError::into_inner).insert(way, Open { end, cut });
        Ok(())
    }

    /// From now on SSH from outside goes through this.
    pub(crate) fn strain(&self, wanted: &BTreeMap<Ipv4Addr, Strain>) {
        let mut strains = self.strains.lock().unwrap_or_else(PoisonError::into_inner);
        strains.retain(|machine, _| wanted.contains_key(machine));
        for (machine, strain) in wanted {
            strains.entry(*machine).or_default().send_replace(*strain);
        }
    }

    /// Cuts every connection to a machine, which was switched off.
    pub(crate) fn cut(&self, machine: Ipv4Addr) {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        for (way, relay) in open.iter() {
            if matches!(way, Way::In { inner, .. } if inner.ip() == IpAddr::V4(machine)) {
                let mut cut = relay.cut.lock().unwrap_or_else(PoisonError::into_inner);
                std::mem::replace(&mut *cut, relay.end.child_token()).cancel();
            }
        }
    }
}

impl Drop for Relays {
    fn drop(&mut self) {
        for relay in self.open.lock().unwrap_or_else(PoisonError::into_inner).values() {
            relay.end.cancel();
        }
    }
}

/// Listens in a namespace.
pub(crate) async fn listen_inside(namespace: &Namespace, address: SocketAddr) -> io::Result<TcpListener> {
    let listener = namespace.inside(move || {
        let listener = std::net::TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        Ok(listener)
    });
    TcpListener::from_std(listener.await?)
}

/// Connects from an address in a namespace.
pub(crate) async fn connect_inside(
    namespace: &Namespace,
    source: Option<Ipv4Addr>,
    target: SocketAddr,
) -> io::Result<TcpStream> {
    let socket = namespace.inside(move || {
        let socket = TcpSocket::new_v4()?;
        if let Some(source) = source {
            socket.bind(SocketAddr::from((source, 0)))?;
        }
        Ok(socket)
    });
    let stream = socket.await?.connect(target).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

async fn accept(
    listener: TcpListener,
    carrier: Arc<Carrier>,
    end: CancellationToken,
    cut: Arc<Mutex<CancellationToken>>,
) {
    loop {
        tokio::select! {
            () = end.cancelled() => return,
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    let cut = cut.lock().unwrap_or_else(PoisonError::into_inner).clone();
                    let carrier = Arc::clone(&carrier);
                    tokio::spawn(async move { cut.run_until_cancelled(carrier.carry(stream, peer)).await });
                }
                Err(error) => {
                    tracing::warn!(%error, "a relay cannot accept a connection");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
    }
}

/// Carries the connections of one relay.
struct Carrier {
    way: Way,
    vpc: String,
    namespace: Namespace,
    network: Arc<Network>,
    balancers: Arc<RwLock<BTreeMap<Ipv4Addr, Ipv4Addr>>>,
    strains: Arc<Mutex<Strains>>,
}

impl Carrier {
    async fn carry(&self, mut from: TcpStream, peer: SocketAddr) {
        let _ = from.set_nodelay(true);
        let to = tokio::time::timeout(CONNECT_LIMIT, self.connect(peer)).await;
        let failed = match to {
            Ok(Ok(mut to)) => match self.ssh_strain() {
                Some(strain) => strain::carry(&mut from, to, strain).await.err(),
                None => tokio::io::copy_bidirectional(&mut from, &mut to).await.err(),
            },
            Ok(Err(error)) => Some(error),
            Err(_) => Some(io::ErrorKind::TimedOut.into()),
        };
        if let Some(error) = failed {
            tracing::debug!(way = ?self.way, %error, "a relayed connection failed");
            let _ = from.set_zero_linger();
        }
    }

    /// How bad this way is, when it leads to an SSH server.
    fn ssh_strain(&self) -> Option<watch::Receiver<Strain>> {
        let Way::In { inner: SocketAddr::V4(inner), .. } = &self.way else { return None };
        let strains = self.strains.lock().unwrap_or_else(PoisonError::into_inner);
        strains.get(inner.ip()).filter(|_| inner.port() == SSH).map(watch::Sender::subscribe)
    }

    async fn connect(&self, peer: SocketAddr) -> io::Result<TcpStream> {
        let IpAddr::V4(peer) = peer.ip() else {
            return Err(io::ErrorKind::AddrNotAvailable.into());
        };
        match &self.way {
            Way::In { inner, visitor, .. } => {
                let known = self.balancers.read().unwrap_or_else(PoisonError::into_inner).get(&peer).copied();
                connect_inside(&self.namespace, Some(known.unwrap_or(*visitor)), *inner).await
            }
            Way::Out { outer, .. } => {
                let source = self.network.outer_in(&self.vpc, peer, 0);
                let source = source.and_then(|source| match source.ip() {
                    IpAddr::V4(source) => Some(source),
                    IpAddr::V6(_) => None,
                });
                connect(*outer, source).await
            }
        }
    }
}
