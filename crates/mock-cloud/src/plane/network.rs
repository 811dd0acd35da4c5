//! Addresses: the loopback network of one region, and how addresses of the API map onto it.
//!
//! Each region holds a 127.N.0.0/16. Its DNS server is 127.N.0.2, hosts are 127.N.1.1 and on, load balancers
//! 127.N.200.1 and on, managed Redis 127.N.201.1 and on, ways between hosts 127.N.221.1 and on. Ports below 1024 need a
//! privilege, so port p is served as p + 10000 there.
//!
//! The map is the only place that knows both sides; whatever is not in it cannot be reached.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4};
use std::ops::Range;
use std::sync::{PoisonError, RwLock};

use tokio::net::{TcpListener, UdpSocket};

use crate::plane::links::Links;

/// Port of the DNS server.
pub const DNS_PORT: u16 = 10053;
/// Third octet of load balancers; hosts have the ones below.
const BALANCERS: u8 = 200;
/// Third octets of managed Redis and of each host's way to it.
const REDIS: Range<u8> = 201..221;
/// Third octets of the ways between hosts.
const LINKS: Range<u8> = 221..255;

/// The loopback port that stands for a port of the API.
pub fn outer_port(port: u16) -> u16 {
    if port < 1024 { port + 10_000 } else { port }
}

/// The port of the API that a loopback port stands for.
pub fn inner_port(port: u16) -> u16 {
    if (10_000..11_024).contains(&port) { port - 10_000 } else { port }
}

/// A free network, held by the sockets of its DNS server.
pub(crate) struct Held {
    pub(crate) number: u8,
    pub(crate) tcp: TcpListener,
    pub(crate) udp: UdpSocket,
}

/// Takes the first free network.
///
/// # Errors
/// `AddrInUse` when all 63 are taken, or whatever binding fails with otherwise.
pub(crate) async fn hold() -> std::io::Result<Held> {
    for number in 64..=126_u8 {
        let address = SocketAddrV4::new(Ipv4Addr::new(127, number, 0, 2), DNS_PORT);
        let tcp = match TcpListener::bind(address).await {
            Ok(tcp) => tcp,
            Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => continue,
            Err(error) => return Err(error),
        };
        match UdpSocket::bind(address).await {
            Ok(udp) => return Ok(Held { number, tcp, udp }),
            Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {}
            Err(error) => return Err(error),
        }
    }
    Err(std::io::Error::new(
        std::io::ErrorKind::AddrInUse,
        "all networks from 127.64.0.0/16 to 127.126.0.0/16 are taken",
    ))
}

/// The map between addresses of the API and loopback ones.
#[derive(Debug)]
pub(crate) struct Network {
    number: u8,
    inner: RwLock<Inner>,
    /// The ways between hosts, where they are ours.
    links: Option<Links>,
}

#[derive(Debug, Default)]
struct Inner {
    /// Loopback address by instance id, or by load balancer id and address.
    assigned: BTreeMap<String, Ipv4Addr>,
    taken: BTreeSet<Ipv4Addr>,
    /// Where the search for a free address goes on, by first third octet: an address is not reused at once,
    /// since connections to its last holder may still be closing.
    cursors: BTreeMap<u8, u32>,
    map: AddressMap,
    /// VPC and address of those that load balancers find ill, whatever they answer.
    unwell: BTreeSet<(String, Ipv4Addr)>,
}

/// From addresses of the API to loopback ones, and back.
#[derive(Debug, Default)]
pub(crate) struct AddressMap {
    /// By address, for what has one that is seen from everywhere: public ones, and those of load balancers.
    pub(crate) public: BTreeMap<Ipv4Addr, Ipv4Addr>,
    /// By VPC and address: two VPCs may use the same addresses.
    pub(crate) private: BTreeMap<(String, Ipv4Addr), Ipv4Addr>,
    /// VPC and address by loopback address: what a host calls itself.
    pub(crate) names: BTreeMap<Ipv4Addr, (String, Ipv4Addr)>,
    /// By loopback address of a host and VPC address, where that host finds what is not the same for all.
    pub(crate) ways: BTreeMap<(Ipv4Addr, Ipv4Addr), Ipv4Addr>,
    /// VPC and address by a name that only this VPC knows.
    pub(crate) domains: BTreeMap<String, (String, Ipv4Addr)>,
}

impl AddressMap {
    /// Where an address is as seen from the host at `own`, or from outside.
    fn find(&self, address: Ipv4Addr, own: Option<Ipv4Addr>) -> Option<Ipv4Addr> {
        let way = own.and_then(|own| self.ways.get(&(own, address)));
        let vpc = own.and_then(|own| self.names.get(&own)).map(|(vpc, _)| vpc.clone());
        let near = || vpc.and_then(|vpc| self.private.get(&(vpc, address)));
        way.or_else(near).or_else(|| self.public.get(&address)).copied()
    }

    /// The address of a name as the host at `own` knows it.
    fn look_up(&self, name: &str, own: Ipv4Addr) -> Option<Ipv4Addr> {
        let (vpc, address) = self.domains.get(&name.to_ascii_lowercase())?;
        let (own_vpc, _) = self.names.get(&own)?;
        (own_vpc == vpc).then_some(*address)
    }
}

impl Network {
    pub(crate) fn new(number: u8) -> Self {
        Self { number, inner: RwLock::new(Inner::default()), links: None }
    }

    /// The same with ways of its own between the hosts.
    pub(crate) fn with_links(number: u8) -> Self {
        Self { links: Some(Links::new()), ..Self::new(number) }
    }

    /// The loopback address of an instance, the same as long as it exists.
    pub(crate) fn host(&self, instance: &str) -> Option<Ipv4Addr> {
        self.assign(instance, 1..BALANCERS)
    }

    /// The loopback address of one address of a load balancer.
    pub(crate) fn balancer(&self, key: &str) -> Option<Ipv4Addr> {
        self.assign(key, BALANCERS..REDIS.start)
    }

    /// The loopback address of a managed Redis, or of one host's way to it.
    pub(crate) fn redis(&self, key: &str) -> Option<Ipv4Addr> {
        self.assign(key, REDIS)
    }

    fn assign(&self, key: &str, thirds: Range<u8>) -> Option<Ipv4Addr> {
        let mut inner = self.inner.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(address) = inner.assigned.get(key) {
            return Some(*address);
        }
        let total = u32::from(thirds.end - thirds.start) * 254;
        let cursor = inner.cursors.get(&thirds.start).copied().unwrap_or(0);
        let (index, address) = (0..total).map(|offset| (cursor + offset) % total).find_map(|index| {
            let third = thirds.start + u8::try_from(index / 254).ok()?;
            let address = Ipv4Addr::new(127, self.number, third, u8::try_from(index % 254 + 1).ok()?);
            (!inner.taken.contains(&address)).then_some((index, address))
        })?;
        inner.cursors.insert(thirds.start, (index + 1) % total);
        inner.taken.insert(address);
        inner.assigned.insert(key.to_owned(), address);
        Some(address)
    }

    /// Gives the address of something that is gone back.
    pub(crate) fn release(&self, key: &str) {
        let mut inner = self.inner.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(address) = inner.assigned.remove(key) {
            inner.taken.remove(&address);
        }
    }

    /// Replaces the whole map from addresses of the API to loopback ones.
    pub(crate) fn replace(&self, map: AddressMap) {
        self.inner.write().unwrap_or_else(PoisonError::into_inner).map = map;
    }

    /// From now on these hosts, by id, do not reach each other, and all others do.
    pub(crate) fn cut(&self, cuts: &BTreeSet<(String, String)>) {
        let Some(links) = &self.links else { return };
        let pair = |(one, other): &(String, String)| {
            let (one, other) = (self.host(one)?, self.host(other)?);
            Some((one.min(other), one.max(other)))
        };
        links.cut(cuts.iter().filter_map(pair).collect());
    }

    /// Waits until two hosts reach each other.
    pub(crate) async fn passable(&self, one: Ipv4Addr, other: Ipv4Addr) {
        if let Some(links) = &self.links {
            links.passable(one, other).await;
        }
    }

    /// Where a program on the host at `own` finds a place; on another host by a way that is theirs.
    fn way(&self, own: Ipv4Addr, place: SocketAddrV4) -> SocketAddrV4 {
        let Some(links) = self.links.as_ref().filter(|_| self.inner_address(*place.ip()).is_some()) else {
            return place;
        };
        let near = self.assign(&format!("{own}>{}", place.ip()), LINKS);
        let open = near.filter(|_| own != *place.ip()).map(|near| links.open(own, place, near));
        match open {
            Some(Ok(way)) => way,
            Some(Err(error)) => {
                tracing::warn!(%own, %place, %error, "there is no way between two hosts, they connect directly");
                place
            }
            None => place,
        }
    }

    /// From now on load balancers find these ill, and no others, whatever they answer.
    pub(crate) fn make_unwell(&self, unwell: BTreeSet<(String, Ipv4Addr)>) {
        self.inner.write().unwrap_or_else(PoisonError::into_inner).unwell = unwell;
    }

    /// Whether a load balancer finds the one at this address ill, whatever it answers.
    pub(crate) fn is_unwell(&self, vpc: &str, address: Ipv4Addr) -> bool {
        let inner = self.inner.read().unwrap_or_else(PoisonError::into_inner);
        !inner.unwell.is_empty() && inner.unwell.contains(&(vpc.to_owned(), address))
    }

    /// Where an address and port of a VPC really is.
    pub(crate) fn outer_in(&self, vpc: &str, address: Ipv4Addr, port: u16) -> Option<SocketAddr> {
        let inner = self.inner.read().unwrap_or_else(PoisonError::into_inner);
        let mapped = inner.map.private.get(&(vpc.to_owned(), address))?;
        Some(SocketAddr::new(IpAddr::V4(*mapped), outer_port(port)))
    }

    /// Where an address and port of the API really is, as seen from the host at `own`.
    pub(crate) fn outer(&self, address: Ipv4Addr, port: u16, own: Option<Ipv4Addr>) -> Option<SocketAddr> {
        let mapped = self.outer_address(address, own)?;
        Some(SocketAddr::new(IpAddr::V4(mapped), outer_port(port)))
    }

    /// Where an address of the API really is; a host's own loopback and wildcard addresses are that host.
    pub(crate) fn outer_address(&self, address: Ipv4Addr, own: Option<Ipv4Addr>) -> Option<Ipv4Addr> {
        if let Some(own) = own
            && (address == Ipv4Addr::LOCALHOST || address.is_unspecified())
        {
            return Some(own);
        }
        self.inner.read().unwrap_or_else(PoisonError::into_inner).map.find(address, own)
    }

    /// The address of a name that only a VPC knows, as the host at `own` in it does.
    pub(crate) fn address_of(&self, name: &str, own: Ipv4Addr) -> Option<Ipv4Addr> {
        self.inner.read().unwrap_or_else(PoisonError::into_inner).map.look_up(name, own)
    }

    /// The VPC address of the host at a loopback address.
    pub(crate) fn inner_address(&self, address: Ipv4Addr) -> Option<Ipv4Addr> {
        let inner = self.inner.read().unwrap_or_else(PoisonError::into_inner);
        inner.map.names.get(&address).map(|(_, address)| *address)
    }

    /// Rewrites every address of the API in a text, every name that stands for one in the host's VPC, and the
    /// privileged port behind it, to where it really is.
    pub(crate) fn rewrite(&self, text: &str, own: Ipv4Addr) -> String {
        let mut written = String::with_capacity(text.len());
        let mut rest = text;
        let mut before = None;
        while !rest.is_empty() {
            if let Some((length, replacement)) = self.replacement(rest, before, own) {
                written.push_str(&replacement);
                before = rest[..length].chars().last();
                rest = &rest[length..];
                continue;
            }
            let Some(first) = rest.chars().next() else { break };
            written.push(first);
            before = Some(first);
            rest = &rest[first.len_utf8()..];
        }
        written
    }

    /// The address or name at the start of `rest`, when there is one that is mapped: its length and what stands for it.
    fn replacement(&self, rest: &str, before: Option<char>, own: Ipv4Addr) -> Option<(usize, String)> {
        if before.is_some_and(|before| before.is_ascii_alphanumeric() || before == '.' || before == '-') {
            return None;
        }
        let run = |belongs: fn(char) -> bool| {
            rest.find(|letter: char| !belongs(letter)).map_or(rest, |end| &rest[..end])
        };
        let digits = run(|letter| letter.is_ascii_digit() || letter == '.');
        let name = run(|letter| letter.is_ascii_alphanumeric() || letter == '.' || letter == '-');
        let (length, address) = match digits.parse() {
            Ok(address) => (digits.len(), address),
            Err(_) => (name.len(), self.address_of(name, own)?),
        };
        let mapped = self.outer_address(address, Some(own))?;
        let port = rest[length..].strip_prefix(':').unwrap_or_default();
        let digits: String = port.chars().take_while(char::is_ascii_digit).collect();
        match digits.parse::<u16>() {
            Ok(port) if port > 0 => {
                let way = self.way(own, SocketAddrV4::new(mapped, outer_port(port)));
                Some((length + 1 + digits.len(), way.to_string()))
            }
            Ok(_) | Err(_) => Some((length, mapped.to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network() -> Network {
        let network = Network::new(70);
        let address: Ipv4Addr = "192.168.0.12".parse().unwrap();
        let mut map = AddressMap::default();
        for (vpc, instance) in [("vpc-1", "i-1"), ("vpc-2", "i-2")] {
            let outer = network.host(instance).unwrap();
            map.private.insert((vpc.to_owned(), address), outer);
            map.names.insert(outer, (vpc.to_owned(), address));
        }
        let neighbour = Ipv4Addr::new(127, 70, 1, 9);
        map.names.insert(neighbour, ("vpc-1".to_owned(), Ipv4Addr::new(192, 168, 0, 13)));
        network.replace(map);
        network
    }

    #[test]
    fn two_vpcs_may_use_one_address() {
        let network = network();
        let address = Ipv4Addr::new(192, 168, 0, 12);
        let (first, second) = (network.host("i-1"), network.host("i-2"));
        assert_eq!(network.outer_address(address, first), first);
        assert_eq!(network.outer_address(address, second), second);
        assert_eq!(network.outer_address(address, None), None);
        let there = |vpc| network.outer_in(vpc, address, 80).map(|found| found.to_string());
        assert_eq!(there("vpc-1"), Some("127.70.1.1:10080".to_owned()));
        assert_eq!(there("vpc-2"), Some("127.70.1.2:10080".to_owned()));
        assert_eq!(there("vpc-3"), None);
    }

    #[test]
    fn addresses_in_text_are_rewritten() {
        let network = network();
        let own: Ipv4Addr = "127.70.1.9".parse().unwrap();
        let cases = [
            ("redis://:p@192.168.0.12:6379/0", "redis://:p@127.70.1.1:6379/0"),
            ("192.168.0.12:80", "127.70.1.1:10080"),
            ("bind 192.168.0.12", "bind 127.70.1.1"),
            ("0.0.0.0:5000 and 127.0.0.1", "127.70.1.9:5000 and 127.70.1.9"),
            ("192.168.0.120", "192.168.0.120"),
            ("1192.168.0.12", "1192.168.0.12"),
            ("v192.168.0.12", "v192.168.0.12"),
            ("8.8.8.8:53", "8.8.8.8:53"),
            ("äö 192.168.0.12: x", "äö 127.70.1.1: x"),
        ];
        for (text, expected) in cases {
            assert_eq!(network.rewrite(text, own), expected);
        }
    }

    #[test]
    fn an_address_is_kept_and_then_not_reused_at_once() {
        let network = Network::new(70);
        let first = network.host("i-1").unwrap();
        assert_eq!(network.host("i-1"), Some(first));
        network.release("i-1");
        assert_ne!(network.host("i-2"), Some(first));
        assert_eq!(network.balancer("alb-1/198.18.0.1").unwrap().octets()[2], 200);
    }
}
