//! The router of one VPC: a network namespace with a cable to each machine, the security groups, relays and names.
//!
//! 1. A machine has a namespace of its own; a pair of virtual cards leads from there to the router.
//! 2. The machine believes that its whole vSwitch is at the other end, as in the cloud; the router answers for all of
//!    it and routes, so that every packet between two machines is forwarded, and judged.
//! 3. The router has the address of the vSwitch's gateway on every cable, and on its loopback those in whose name the
//!    relays come, those of load balancers, and that of the region's name server.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use hickory_server::Server;
use ipnet::Ipv4Net;
use tokio::net::UdpSocket;
use tokio::sync::Mutex;

use crate::plane::guest::firewall::{Firewall, SOMEBODY};
use crate::plane::guest::interference;
use crate::plane::guest::lateness::Lateness;
use crate::plane::guest::namespace::Namespace;
use crate::plane::guest::relay::{Relays, Way, connect_inside, listen_inside};
use crate::plane::names::{self, Answerer, Zones};
use crate::plane::network::{Network, outer_port};
use crate::plane::proxy;
use crate::plane::spec::{Desired, Instance};
use crate::plane::strain::Strain;

/// The name server that machines of Alibaba Cloud ask.
pub(crate) const NAME_SERVER: Ipv4Addr = Ipv4Addr::new(100, 100, 2, 136);
/// Most ports of one rule that are relayed from outside.
const MOST_OPENED: u16 = 32;
const SSH: u16 = 22;

/// The router of one VPC.
pub(crate) struct Router {
    vpc: String,
    namespace: Namespace,
    network: Arc<Network>,
    relays: Relays,
    /// Answers in the router as long as it is there.
    _names: Server<Answerer>,
    applied: Mutex<Applied>,
    cables: AtomicU32,
    /// By machine.
    late: Mutex<BTreeMap<Ipv4Addr, Lateness>>,
    latenesses: AtomicU32,
}

/// What was told the kernel last.
#[derive(Default)]
struct Applied {
    addresses: BTreeSet<Ipv4Addr>,
    ruleset: String,
    interference: String,
}

/// A cable to a machine.
#[derive(Debug)]
pub(crate) struct Cable {
    /// The network of the machine.
    pub(crate) namespace: Namespace,
    name: String,
}

impl Router {
    /// Sets up the router of a VPC without machines.
    pub(crate) async fn open(vpc: &str, network: Arc<Network>, zones: Arc<Zones>) -> io::Result<Self> {
        let namespace = Namespace::new().await?;
        namespace.set(vec![("ipv4/ip_forward".to_owned(), "1")]).await?;
        namespace
            .run("ip", &["-batch", "-"], &format!("link set lo up\naddress add {NAME_SERVER}/32 dev lo\n"))
            .await?;
        let address = SocketAddr::from((NAME_SERVER, 53));
        let udp = namespace.inside(move || {
            let socket = std::net::UdpSocket::bind(address)?;
            socket.set_nonblocking(true)?;
            Ok(socket)
        });
        let udp = UdpSocket::from_std(udp.await?)?;
        let tcp = listen_inside(&namespace, address).await?;
        Ok(Self {
            vpc: vpc.to_owned(),
            relays: Relays::new(vpc.to_owned(), namespace.clone(), Arc::clone(&network)),
            namespace,
            network,
            _names: names::serve(zones, udp, tcp),
            applied: Mutex::default(),
            cables: AtomicU32::new(0),
            late: Mutex::default(),
            latenesses: AtomicU32::new(0),
        })
    }

    /// Lays a cable to a new network for a machine.
    pub(crate) async fn lay_cable(&self, instance: &Instance) -> io::Result<Cable> {
        let namespace = Namespace::new().await?;
        // A name is never used twice: the card of a machine that ended may still be going.
        let name = format!("machine{}", self.cables.fetch_add(1, Ordering::Relaxed));
        let (address, gateway) = (instance.private_address, gateway(instance.subnet));
        let there = namespace.path();
        let here = format!(
            "link add {name} type veth peer name eth0 netns {}\nlink set {name} up\naddress add {gateway}/32 dev \
             {name}\nroute replace {address}/32 dev {name}\n",
            there.display()
        );
        self.namespace.run("ip", &["-batch", "-"], &here).await?;
        self.namespace
            .set(vec![
                (format!("ipv4/conf/{name}/proxy_arp"), "1"),
                (format!("ipv4/neigh/{name}/proxy_delay"), "0"),
            ])
            .await?;
        let length = instance.subnet.prefix_len();
        let mut inside =
            format!("link set lo up\nlink set eth0 up\naddress add {address}/{length} dev eth0\n");
        if length < 32 {
            let _ = writeln!(inside, "route add default via {gateway}");
        }
        namespace.run("ip", &["-batch", "-"], &inside).await?;
        Ok(Cable { namespace, name })
    }

    /// Takes a cable away, and ends the connections through it.
    pub(crate) async fn remove_cable(&self, cable: Cable, machine: Ipv4Addr) {
        self.relays.cut(machine);
        if let Err(error) = self.namespace.run("ip", &["link", "delete", &cable.name], "").await {
            tracing::debug!(%error, "a cable is gone already");
        }
    }

    /// Makes late what is to be late, and nothing else.
    async fn delay(&self, wanted: BTreeMap<Ipv4Addr, Duration>) -> io::Result<()> {
        let mut late = self.late.lock().await;
        let is_over = |machine: &Ipv4Addr, own: &mut Lateness| wanted.get(machine) != Some(&own.delay);
        for (_, over) in late.extract_if(.., is_over) {
            over.end(&self.namespace).await?;
        }
        for (machine, delay) in wanted {
            if let Entry::Vacant(place) = late.entry(machine) {
                // A number is never used twice: the device before it may still be going.
                let number = self.latenesses.fetch_add(1, Ordering::Relaxed);
                place.insert(Lateness::begin(&self.namespace, machine, delay, number).await?);
            }
        }
        Ok(())
    }

    /// Connects to a machine as the router itself, which every machine lets in.
    pub(crate) async fn connect(&self, machine: Ipv4Addr, port: u16) -> io::Result<tokio::net::TcpStream> {
        connect_inside(&self.namespace, None, SocketAddr::from((machine, port))).await
    }

    /// Makes addresses, security groups and relays as wanted; whether they are now.
    pub(crate) async fn reconcile(&self, desired: &Desired) -> bool {
        let instances = desired.instances.values().filter(|instance| instance.vpc == self.vpc);
        let firewall = Firewall { instances: instances.collect(), groups: &desired.security_groups };
        let (ways, balancers) = (self.ways(desired, &firewall), self.balancers(desired));
        let mut strangers: BTreeSet<Ipv4Addr> = balancers.values().copied().chain([SOMEBODY]).collect();
        let mut addresses = BTreeSet::new();
        for way in &ways {
            match way {
                Way::In { visitor, .. } => drop(strangers.insert(*visitor)),
                Way::Out { inner, .. } => addresses.extend(match inner {
                    SocketAddr::V4(inner) => Some(*inner.ip()),
                    SocketAddr::V6(_) => None,
                }),
            }
        }
        let ruleset = firewall.ruleset(&strangers);
        addresses.extend(strangers);
        let interference = interference::ruleset(desired, &self.vpc);
        let strains = firewall
            .instances
            .iter()
            .map(|instance| (instance.private_address, Strain::of_ssh(&desired.troubles.of(&instance.id))));
        self.relays.strain(&strains.collect());
        let delays = interference::delays(desired, &self.vpc);
        let done = async {
            self.delay(delays).await?;
            self.apply(addresses, ruleset, interference).await
        };
        if let Err(error) = done.await {
            tracing::warn!(vpc = self.vpc, %error, "a router cannot be set up as wanted");
            return false;
        }
        self.relays.reconcile(&ways, balancers).await
    }

    /// Tells the kernel what is new. The rules come before the addresses that they are about.
    async fn apply(
        &self,
        addresses: BTreeSet<Ipv4Addr>,
        ruleset: String,
        interference: String,
    ) -> io::Result<()> {
        let mut applied = self.applied.lock().await;
        if applied.interference != interference {
            self.namespace.run("nft", &["-f", "-"], &interference).await?;
            applied.interference = interference;
        }
        if applied.ruleset != ruleset {
            self.namespace.run("nft", &["-f", "-"], &ruleset).await?;
            applied.ruleset = ruleset;
        }
        let mut batch = String::new();
        for address in addresses.difference(&applied.addresses) {
            let _ = writeln!(batch, "address replace {address}/32 dev lo");
        }
        for address in applied.addresses.difference(&addresses) {
            let _ = writeln!(batch, "address delete {address}/32 dev lo");
        }
        if !batch.is_empty() {
            self.namespace.run("ip", &["-batch", "-"], &batch).await?;
        }
        applied.addresses = addresses;
        Ok(())
    }

    /// The relays that are needed: to what load balancers serve and probe, to what is open from outside, to the load
    /// balancers themselves, and to managed Redis.
    fn ways(&self, desired: &Desired, firewall: &Firewall<'_>) -> BTreeSet<Way> {
        let mut inwards: BTreeSet<(Ipv4Addr, u16)> = BTreeSet::new();
        let mut ways = BTreeSet::new();
        for balancer in desired.load_balancers.values() {
            for group in balancer.server_groups.values() {
                for server in group.servers.values().filter(|server| server.vpc == self.vpc) {
                    inwards.insert((server.address, server.port));
                    inwards.extend(group.health_check.port.map(|port| (server.address, port)));
                }
            }
            for listener in balancer.listeners.values() {
                for address in balancer.addresses.iter().filter(|_| listener.running) {
                    let inner = SocketAddr::from((*address, listener.port));
                    let outer = self.network.balancer(&proxy::key(&balancer.id, *address));
                    ways.extend(outer.map(|outer| Way::Out {
                        inner,
                        outer: SocketAddr::from((outer, outer_port(listener.port))),
                    }));
                }
            }
        }
        for redis in desired.redis.values().filter(|redis| redis.vpc == self.vpc) {
            let inner = SocketAddr::from((redis.private_address, redis.port));
            let outer = self.network.redis(&redis.id);
            ways.extend(
                outer.map(|outer| Way::Out {
                    inner,
                    outer: SocketAddr::from((outer, outer_port(redis.port))),
                }),
            );
        }
        for instance in &firewall.instances {
            let own = instance.private_address;
            if instance.public_address.is_some() {
                let opened = firewall.opened(instance, MOST_OPENED);
                inwards.extend(opened.into_iter().chain([SSH]).map(|port| (own, port)));
            }
            let ports = inwards.iter().filter(|(address, _)| *address == own);
            ways.extend(ports.filter_map(|(_, port)| {
                let outer = self.network.outer_in(&self.vpc, own, *port)?;
                let visitor = firewall.visitor(instance, *port);
                Some(Way::In { outer, inner: SocketAddr::from((own, *port)), visitor })
            }));
        }
        ways
    }

    /// From the loopback address of each load balancer to its address in this VPC.
    fn balancers(&self, desired: &Desired) -> BTreeMap<Ipv4Addr, Ipv4Addr> {
        let own = desired.load_balancers.values().filter(|balancer| balancer.vpc == self.vpc);
        own.flat_map(|balancer| {
            let pairs = balancer.addresses.iter().zip(&balancer.sources);
            pairs.filter_map(|(address, source)| {
                Some((self.network.balancer(&proxy::key(&balancer.id, *address))?, *source))
            })
        })
        .collect()
    }
}

/// The addresses of a public machine that are served from outside.
pub(crate) fn public_ports(desired: &Desired, instance: &Instance) -> BTreeSet<u16> {
    let firewall = Firewall { instances: vec![instance], groups: &desired.security_groups };
    firewall.opened(instance, MOST_OPENED).into_iter().chain([SSH]).collect()
}

/// The router's address in a vSwitch: the last but two, as in the cloud.
fn gateway(subnet: Ipv4Net) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(subnet.broadcast()).saturating_sub(2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gateway_is_the_last_address_but_two() {
        assert_eq!(gateway("192.168.0.0/24".parse().unwrap()), Ipv4Addr::new(192, 168, 0, 253));
        assert_eq!(gateway("10.0.0.0/16".parse().unwrap()), Ipv4Addr::new(10, 0, 255, 253));
    }
}
