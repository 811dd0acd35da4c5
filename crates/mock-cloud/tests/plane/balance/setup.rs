//! Two hosts with a server each, behind a load balancer, and clients that ask it.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use mock_cloud::plane::HostKind;
use mock_cloud::plane::spec::{Health, Listener, LoadBalancer, Server, ServerGroup, Status};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use crate::balance::server::Backend;
use crate::support::{PATIENCE, Region, balancer, instance};

/// The group of the default action, and another one with the second server alone.
pub(crate) const GROUP: &str = "sgp-1";
pub(crate) const OTHER: &str = "sgp-2";

/// The running load balancer.
pub(crate) struct Setup {
    pub(crate) region: Region,
    pub(crate) first: Arc<Backend>,
    pub(crate) second: Arc<Backend>,
    pub(crate) front: SocketAddr,
}

pub(crate) fn vpc(number: u8) -> Ipv4Addr {
    Ipv4Addr::new(192, 168, 0, number)
}

/// The key of one of the two servers.
pub(crate) fn key(number: u8) -> String {
    format!("{}:5000", vpc(number))
}

impl Setup {
    pub(crate) async fn new(weights: [u16; 2]) -> Self {
        Self::with(weights, |_| {}).await
    }

    pub(crate) async fn with(weights: [u16; 2], change: impl Fn(&mut LoadBalancer)) -> Self {
        Self::with_servers(weights, None, change).await
    }

    /// Its servers speak TLS when they are given what they need for that.
    pub(crate) async fn with_servers(
        weights: [u16; 2],
        tls: Option<TlsAcceptor>,
        change: impl Fn(&mut LoadBalancer),
    ) -> Self {
        let mut region = Region::empty(HostKind::Process).await;
        for number in [1, 2] {
            let mut instance = instance(&format!("i-ecs0{number}"), number);
            instance.public_address = Some(Ipv4Addr::new(198, 18, 0, number));
            region.desired.instances.insert(instance.id.clone(), instance);
        }
        region.apply();
        region.all_ready().await;
        let serve = async |name, number| match tls.clone() {
            None => Backend::serve(name, place(&region, number)).await,
            Some(acceptor) => Backend::serve_tls(name, place(&region, number), acceptor).await,
        };
        let (first, second) = (serve("one", 1).await, serve("two", 2).await);
        let servers = [1, 2].map(|number: u8| (vpc(number), 5000, weights[usize::from(number) - 1]));
        let mut balancer = balancer(&servers);
        let mut other = balancer.server_groups[GROUP].clone();
        other.servers.remove(&key(1));
        balancer.server_groups.insert(OTHER.to_owned(), other);
        change(&mut balancer);
        region.desired.load_balancers.insert(balancer.id.clone(), balancer);
        region.apply();
        let status = region.until("all servers are judged", are_judged).await;
        let port = region.desired.load_balancers["alb-1"].listeners["lsn-1"].port;
        let front = status.connect_to[&format!("198.18.0.50:{port}")];
        assert_ne!(front.ip(), status.connect_to[&format!("198.18.0.51:{port}")].ip());
        Self { region, first, second, front }
    }

    pub(crate) fn balancer(&mut self) -> &mut LoadBalancer {
        self.region.desired.load_balancers.get_mut("alb-1").unwrap()
    }

    pub(crate) fn listener(&mut self) -> &mut Listener {
        self.balancer().listeners.get_mut("lsn-1").unwrap()
    }

    pub(crate) fn group(&mut self) -> &mut ServerGroup {
        self.balancer().server_groups.get_mut(GROUP).unwrap()
    }

    pub(crate) fn server(&mut self, number: u8) -> &mut Server {
        self.group().servers.get_mut(&key(number)).unwrap()
    }

    /// Where one of the two hosts really is, at a port.
    pub(crate) fn place(&self, number: u8, port: u16) -> SocketAddr {
        SocketAddr::new(place(&self.region, number).ip(), port)
    }

    /// Waits until the load balancer has this opinion of a server.
    pub(crate) async fn is(&self, number: u8, health: &Health) {
        let key = key(number);
        let what = format!("{key} is {health:?}");
        self.region.until(&what, |status| status.health["lsn-1"].get(&key) == Some(health)).await;
    }

    /// One request on a connection of its own: the whole answer as text.
    pub(crate) async fn ask(&self, path: &str, headers: &str) -> String {
        self.send(&format!("GET {path} HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\n{headers}\r\n"))
            .await
    }

    /// One request as it is: the whole answer as text.
    pub(crate) async fn send(&self, request: &str) -> String {
        exchange(self.front, request).await
    }

    /// Who answers, over this many requests with these headers.
    pub(crate) async fn turns_with(&self, count: usize, headers: &str) -> (usize, usize) {
        let (mut one, mut two) = (0, 0);
        for _ in 0..count {
            let answer = self.ask("/", headers).await;
            one += usize::from(answer.contains("\r\none "));
            two += usize::from(answer.contains("\r\ntwo "));
        }
        (one, two)
    }

    pub(crate) async fn turns(&self, count: usize) -> (usize, usize) {
        self.turns_with(count, "").await
    }

    /// Asks until the answer is as described: settings take effect soon, not at once.
    pub(crate) async fn answers(&self, what: &str, path: &str, holds: impl Fn(&str) -> bool) {
        crate::support::eventually(what, async || holds(&self.ask(path, "").await)).await;
    }

    /// A tunnel through the load balancer.
    pub(crate) async fn upgrade(&self) -> BufReader<TcpStream> {
        let stream = TcpStream::connect(self.front).await.unwrap();
        let mut stream = BufReader::new(stream);
        let request = "GET /socket HTTP/1.1\r\nHost: example.com\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\r\n";
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert!(stream.read_line(&mut head).await.unwrap() > 0, "{head}");
        }
        assert!(head.starts_with("HTTP/1.1 101 ") && head.contains("upgrade: websocket"), "{head}");
        stream
    }

    pub(crate) async fn end(self) {
        self.first.stop().await;
        self.second.stop().await;
        self.region.plane.shutdown().await;
    }
}

fn place(region: &Region, number: u8) -> SocketAddr {
    SocketAddr::new(region.plane.status().connect_to[&format!("198.18.0.{number}:22")].ip(), 5000)
}

fn are_judged(status: &Status) -> bool {
    let health = status.health.get("lsn-1");
    health.is_some_and(|health| health.len() == 2)
        && status.health.values().flat_map(|own| own.values()).all(|one| *one != Health::Initial)
}

/// One request as it is, on a connection that ends with it: the whole answer as text.
pub(crate) async fn exchange(front: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(front).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await.unwrap().unwrap();
    String::from_utf8(answer).unwrap()
}

/// Whether the other side closes within a test's patience.
pub(crate) async fn closes(stream: &mut (impl AsyncRead + Unpin)) -> bool {
    let mut buffer = [0; 64];
    let read = stream.read(&mut buffer);
    matches!(tokio::time::timeout(PATIENCE, read).await, Ok(Ok(0) | Err(_)))
}

/// Sends a word through a tunnel and expects it back.
#[track_caller]
pub(crate) fn says<'a>(
    stream: &'a mut BufReader<TcpStream>,
    word: &'a str,
) -> impl Future<Output = ()> + use<'a> {
    let place = std::panic::Location::caller();
    async move {
        stream.write_all(word.as_bytes()).await.unwrap();
        let mut answer = vec![0; word.len()];
        let read = tokio::time::timeout(PATIENCE, stream.read_exact(&mut answer)).await;
        assert!(matches!(read, Ok(Ok(_))), "{place}: {read:?}");
        assert_eq!(String::from_utf8(answer).unwrap(), word.to_ascii_uppercase(), "{place}");
    }
}

/// The value of a header of an answer.
pub(crate) fn header<'a>(answer: &'a str, name: &str) -> Option<&'a str> {
    let lines = answer.split("\r\n\r\n").next().unwrap().lines();
    lines.filter_map(|line| line.split_once(": ")).find(|(own, _)| *own == name).map(|(_, value)| value)
}
