//! The load balancer: turns, health, WebSocket, timeouts, and changes while it runs.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::StreamExt;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use mock_cloud::plane::HostKind;
use mock_cloud::plane::spec::{Health, ListenerProtocol, Server};
use mock_cloud::secret::Secret;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use tokio::process::Command;

use crate::support::{PATIENCE, Region, balancer, has, instance, run};

type Body = UnsyncBoxBody<Bytes, Infallible>;

/// A server on a host: says its name, what it was asked with, and echoes upgraded bytes in upper case.
struct Backend {
    name: &'static str,
    is_healthy: AtomicBool,
}

impl Backend {
    async fn serve(name: &'static str, address: SocketAddr) -> Arc<Self> {
        let backend = Arc::new(Self { name, is_healthy: AtomicBool::new(true) });
        let listener = TcpListener::bind(address).await.unwrap();
        let served = Arc::clone(&backend);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let backend = Arc::clone(&served);
                tokio::spawn(async move {
                    let service = service_fn(move |request| Arc::clone(&backend).answer(request));
                    let _ = http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service)
                        .with_upgrades()
                        .await;
                });
            }
        });
        backend
    }

    async fn answer(self: Arc<Self>, mut request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
        let full = |text: String| Full::new(Bytes::from(text)).boxed_unsync();
        Ok(match request.uri().path() {
            "/healthz" if !self.is_healthy.load(Ordering::Relaxed) => {
                let mut response = Response::new(full(String::new()));
                *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
                response
            }
            "/never" => std::future::pending().await,
            "/socket" => {
                let upgrade = hyper::upgrade::on(&mut request);
                tokio::spawn(async move {
                    let (mut read, mut write) = tokio::io::split(TokioIo::new(upgrade.await.unwrap()));
                    let mut buffer = vec![0; 1024];
                    while let Ok(length @ 1..) = read.read(&mut buffer).await {
                        write.write_all(&buffer[..length].to_ascii_uppercase()).await.unwrap();
                    }
                });
                let response = Response::builder().status(StatusCode::SWITCHING_PROTOCOLS);
                response
                    .header("connection", "upgrade")
                    .header("upgrade", "websocket")
                    .body(full(String::new()))
                    .unwrap()
            }
            "/echo" => Response::new(request.into_body().map_err(|error| panic!("{error}")).boxed_unsync()),
            "/drip" => {
                let (sender, receiver) = tokio::sync::mpsc::channel::<Result<Frame<Bytes>, Infallible>>(1);
                tokio::spawn(async move {
                    sender.send(Ok(Frame::data(Bytes::from_static(b"first")))).await.unwrap();
                    sender.closed().await;
                });
                let stream = futures_util::stream::unfold(receiver, async |mut receiver| {
                    receiver.recv().await.map(|frame| (frame, receiver))
                });
                Response::new(BodyExt::boxed_unsync(StreamBody::new(StreamExt::boxed(stream))))
            }
            _ => {
                let forwarded =
                    request.headers().get("x-forwarded-for").map(|value| value.to_str().unwrap().to_owned());
                Response::new(full(format!("{} {}", self.name, forwarded.unwrap_or_default())))
            }
        })
    }
}

/// Two hosts with a server each, behind a load balancer.
struct Setup {
    region: Region,
    first: Arc<Backend>,
    front: SocketAddr,
}

impl Setup {
    async fn new(weights: [u16; 2]) -> Self {
        Self::with(weights, |_| {}).await
    }

    async fn with(weights: [u16; 2], change: impl Fn(&mut mock_cloud::plane::spec::Listener)) -> Self {
        let mut region = Region::empty(HostKind::Process).await;
        for number in [1, 2] {
            let mut instance = instance(&format!("i-ecs0{number}"), number);
            instance.public_address = Some(Ipv4Addr::new(198, 18, 0, number));
            region.desired.instances.insert(instance.id.clone(), instance);
        }
        region.apply();
        region.all_ready().await;
        let map = region.plane.status().connect_to;
        let place = |number: u8| SocketAddr::new(map[&format!("198.18.0.{number}:22")].ip(), 5000);
        let first = Backend::serve("one", place(1)).await;
        Backend::serve("two", place(2)).await;
        let servers = [1, 2].map(|number: u8| (vpc(number), 5000, weights[usize::from(number) - 1]));
        let mut balancer = balancer(&servers);
        change(balancer.listeners.get_mut("lsn-1").unwrap());
        region.desired.load_balancers.insert(balancer.id.clone(), balancer);
        region.apply();
        let status = region
            .until("both servers are judged", |status| {
                let health = status.health.get("lsn-1");
                health.is_some_and(|health| {
                    health.len() == 2 && health.values().all(|one| *one != Health::Initial)
                })
            })
            .await;
        let front = status.connect_to["198.18.0.50:5000"];
        assert_ne!(front.ip(), status.connect_to["198.18.0.51:5000"].ip());
        Self { region, first, front }
    }

    fn listener(&mut self) -> &mut mock_cloud::plane::spec::Listener {
        let balancer = self.region.desired.load_balancers.get_mut("alb-1").unwrap();
        balancer.listeners.get_mut("lsn-1").unwrap()
    }

    /// One request on a connection of its own: the whole answer as text.
    async fn ask(&self, path: &str, headers: &str) -> String {
        let mut stream = TcpStream::connect(self.front).await.unwrap();
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\n{headers}\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await.unwrap().unwrap();
        String::from_utf8(answer).unwrap()
    }

    /// Who answers, over this many requests.
    async fn turns(&self, count: usize) -> (usize, usize) {
        let (mut one, mut two) = (0, 0);
        for _ in 0..count {
            let answer = self.ask("/", "").await;
            one += usize::from(answer.contains("\r\none "));
            two += usize::from(answer.contains("\r\ntwo "));
        }
        (one, two)
    }

    async fn upgrade(&self) -> BufReader<TcpStream> {
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
}

fn vpc(number: u8) -> Ipv4Addr {
    Ipv4Addr::new(192, 168, 0, number)
}

/// Whether the other side closes within a test's patience.
async fn closes(stream: &mut (impl tokio::io::AsyncRead + Unpin)) -> bool {
    let mut buffer = [0; 64];
    let read = stream.read(&mut buffer);
    matches!(tokio::time::timeout(PATIENCE, read).await, Ok(Ok(0) | Err(_)))
}

#[tokio::test(flavor = "multi_thread")]
async fn turns_follow_weights_and_health() {
    let mut setup = Setup::new([100, 50]).await;
    assert_eq!(setup.turns(30).await, (20, 10));
    setup.listener().servers.get_mut("192.168.0.2:5000").unwrap().weight = 0;
    setup.region.apply();
    let unused = |status: &mock_cloud::plane::spec::Status| {
        status.health["lsn-1"]["192.168.0.2:5000"] == Health::Unused
    };
    setup.region.until("weight 0 counts", unused).await;
    assert_eq!(setup.turns(10).await, (10, 0));
    setup.listener().servers.get_mut("192.168.0.2:5000").unwrap().weight = 100;
    setup.region.apply();
    setup.region.until("weight 100 counts", |status| !unused(status)).await;
    assert_eq!(setup.turns(10).await, (5, 5));
    setup.first.is_healthy.store(false, Ordering::Relaxed);
    let sick = Health::Unhealthy("RESPONSE_MISMATCH".to_owned());
    setup.region.until("it is seen", |status| status.health["lsn-1"]["192.168.0.1:5000"] == sick).await;
    assert_eq!(setup.turns(10).await, (0, 10));
    setup.first.is_healthy.store(true, Ordering::Relaxed);
    setup
        .region
        .until("it is back", |status| status.health["lsn-1"]["192.168.0.1:5000"] == Health::Healthy)
        .await;
    assert_eq!(setup.turns(10).await, (5, 5));
    // A server nothing listens on.
    let server = Server { vpc: crate::support::VPC.to_owned(), address: vpc(1), port: 5999, weight: 100 };
    setup.listener().servers.insert("192.168.0.1:5999".to_owned(), server);
    setup.region.apply();
    let refused = Health::Unhealthy("CONNECT_FAILED".to_owned());
    setup
        .region
        .until("refused", |status| status.health["lsn-1"].get("192.168.0.1:5999") == Some(&refused))
        .await;
    assert_eq!(setup.turns(10).await, (5, 5));
    // Without checks it gets requests, which fail.
    setup.listener().health_check.enabled = false;
    setup.listener().servers.retain(|key, _| key.ends_with("5999"));
    setup.region.apply();
    setup
        .region
        .until("believed", |status| status.health["lsn-1"].get("192.168.0.1:5999") == Some(&Health::Healthy))
        .await;
    assert!(setup.ask("/", "").await.starts_with("HTTP/1.1 502 "));
    setup.listener().servers.clear();
    setup.region.apply();
    setup.region.until("nobody is left", |status| status.health["lsn-1"].is_empty()).await;
    assert!(setup.ask("/", "").await.starts_with("HTTP/1.1 503 "));
    setup.region.plane.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_and_names() {
    let setup = Setup::new([100, 100]).await;
    assert!(setup.ask("/", "").await.contains(" 127.0.0.1"));
    assert!(setup.ask("/", "X-Forwarded-For: 10.9.8.7\r\n").await.contains(" 10.9.8.7, 127.0.0.1"));
    for host in ["alb-1.cn-hangzhou.alb.aliyuncsslb.com", "ALB-1.cn-hangzhou.alb.aliyuncsslb.com:5000"] {
        let mut stream = TcpStream::connect(setup.front).await.unwrap();
        let request = format!("GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
    }
    setup.region.plane.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sticky_clients_stay() {
    let setup = Setup::with([100, 100], |listener| {
        listener.sticky = Some(Duration::from_mins(1));
    })
    .await;
    let first = setup.ask("/", "").await;
    let cookie = first.lines().find_map(|line| line.strip_prefix("set-cookie: ")).unwrap();
    let cookie = cookie.split(';').next().unwrap();
    assert!(cookie.starts_with("SERVERID="), "{cookie}");
    let name = first.rsplit("\r\n").next().unwrap().split(' ').next().unwrap().to_owned();
    for _ in 0..6 {
        let answer = setup.ask("/", &format!("Cookie: a=b; {cookie}\r\n")).await;
        assert!(answer.contains(&format!("\r\n{name} ")), "{answer}");
    }
    let old = format!("Cookie: {}|1|1\r\n", cookie.split('|').next().unwrap());
    let (mut one, mut two) = (0, 0);
    for _ in 0..6 {
        let answer = setup.ask("/", &old).await;
        one += usize::from(answer.contains("\r\none "));
        two += usize::from(answer.contains("\r\ntwo "));
    }
    assert_eq!((one, two), (3, 3), "an old cookie counts for nothing");
    setup.region.plane.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn websockets_go_both_ways_until_their_server_leaves() {
    let mut setup = Setup::new([100, 100]).await;
    let (mut one, mut two) = (setup.upgrade().await, setup.upgrade().await);
    for stream in [&mut one, &mut two] {
        for _ in 0..3 {
            stream.write_all(b"hello").await.unwrap();
            let mut answer = [0; 5];
            stream.read_exact(&mut answer).await.unwrap();
            assert_eq!(&answer, b"HELLO");
        }
    }
    // Settings and weights change without a connection noticing.
    setup.listener().idle_timeout = Duration::from_mins(1);
    setup.listener().servers.values_mut().for_each(|server| server.weight = 0);
    setup.region.apply();
    let unused = |status: &mock_cloud::plane::spec::Status| {
        status.health["lsn-1"].values().all(|one| *one == Health::Unused)
    };
    setup.region.until("weight 0", unused).await;
    for stream in [&mut one, &mut two] {
        stream.write_all(b"again").await.unwrap();
        let mut answer = [0; 5];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"AGAIN");
    }
    // The two went to two servers, in the order of their keys.
    setup.listener().servers.remove("192.168.0.1:5000");
    setup.region.apply();
    assert!(closes(&mut one).await);
    two.write_all(b"still").await.unwrap();
    let mut answer = [0; 5];
    two.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"STILL");
    // A stopped listener accepts nothing and keeps nothing.
    setup.listener().running = false;
    setup.region.apply();
    assert!(closes(&mut two).await);
    setup.region.until("the listener is closed", |status| status.connect_to.len() == 2).await;
    crate::support::eventually("refused", async || TcpStream::connect(setup.front).await.is_err()).await;
    setup.region.plane.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn silence_and_lateness_end() {
    let setup = Setup::with([100, 100], |listener| {
        listener.idle_timeout = Duration::from_millis(300);
        listener.request_timeout = Duration::from_millis(900);
    })
    .await;
    let started = tokio::time::Instant::now();
    let answer = setup.ask("/never", "").await;
    assert!(answer.starts_with("HTTP/1.1 504 "), "{answer}");
    // Waiting for a server is not silence: the longer request timeout counted.
    assert!(started.elapsed() >= Duration::from_millis(900));
    let mut plain = TcpStream::connect(setup.front).await.unwrap();
    let mut upgraded = setup.upgrade().await;
    assert!(closes(&mut plain).await);
    // One that talks stays open beyond the timeout.
    let started = tokio::time::Instant::now();
    while started.elapsed() < Duration::from_millis(700) {
        upgraded = match tokio::time::timeout(Duration::from_millis(50), upgraded.read_u8()).await {
            Err(_) => upgraded,
            Ok(_) => setup.upgrade().await,
        };
        upgraded.write_all(b"a").await.unwrap();
        assert_eq!(upgraded.read_u8().await.unwrap(), b'A');
    }
    let silent = tokio::time::Instant::now();
    assert!(closes(&mut upgraded).await);
    assert!(silent.elapsed() >= Duration::from_millis(250), "{:?}", silent.elapsed());
    // A body that stops coming is silence, too.
    assert!(setup.ask("/drip", "").await.contains("first"));
    setup.region.plane.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_stream_both_ways() {
    let setup = Setup::new([100, 100]).await;
    let mut stream = BufReader::new(TcpStream::connect(setup.front).await.unwrap());
    let head = "POST /echo HTTP/1.1\r\nHost: example.com\r\nTransfer-Encoding: chunked\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut line = String::new();
    // The answer starts while the request is still under way, so nothing waits for a whole body.
    for part in ["first", "second", "third"] {
        stream.write_all(format!("{:x}\r\n{part}\r\n", part.len()).as_bytes()).await.unwrap();
        let wait = async {
            while line.trim() != part {
                line.clear();
                assert!(stream.read_line(&mut line).await.unwrap() > 0);
            }
        };
        tokio::time::timeout(PATIENCE, wait).await.unwrap();
    }
    drop(stream);
    // A client that does not read holds the server up: what is under way stays bounded.
    let mut stream = TcpStream::connect(setup.front).await.unwrap();
    let head = "POST /echo HTTP/1.1\r\nHost: example.com\r\nContent-Length: 1000000000\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let chunk = vec![b'x'; 1 << 20];
    let mut sent = 0;
    while tokio::time::timeout(Duration::from_millis(500), stream.write_all(&chunk)).await.is_ok() {
        sent += chunk.len();
        assert!(sent < 200 << 20, "the proxy swallows everything");
    }
    setup.region.plane.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_is_ended_with_the_listeners_certificate() {
    if !has("tls_is_ended_with_the_listeners_certificate", &["openssl", "curl"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let mut openssl = Command::new("openssl");
    openssl.args([
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-days",
        "2",
    ]);
    openssl.args(["-subj", "/CN=example.com", "-addext", "subjectAltName=DNS:example.com"]);
    openssl.args(["-keyout", &path("key"), "-out", &path("chain")]);
    let made = run(openssl, "").await;
    assert!(made.status.success(), "{made:?}");
    let read = |name: &str| std::fs::read_to_string(path(name)).unwrap();
    let protocol = ListenerProtocol::Https { chain: read("chain"), key: Secret::new(read("key")) };
    let setup = Setup::with([100, 100], |listener| listener.protocol = protocol.clone()).await;
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--show-error", "--noproxy", "*", "--cacert", &path("chain")]);
    curl.args(["--connect-to", &format!("example.com:443:{}", setup.front), "https://example.com/"]);
    let output = run(curl, "").await;
    assert!(output.stdout.ends_with(b" 127.0.0.1"), "{output:?}");
    setup.region.plane.shutdown().await;
}
