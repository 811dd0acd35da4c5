//! Holds the load balancer of mock-cloud against nginx: both before the same server, loaded by the same clients.
//!
//!     make bench-balancer
//!
//! 1. This program starts itself again as the server and as the load balancer, and nginx as it is configured here.
//! 2. Clients with connections of their own ask one request after the other, or send one WebSocket message after the
//!    other and wait for each to come back; without a proxy, through nginx, through ours, in turns.
//! 3. The table has the medians. All of it shares the processors of this machine: only ratios of one run mean anything.

#![expect(clippy::print_stdout, reason = "a bench prints its figures")]

#[path = "support/load.rs"]
mod load;
#[path = "support/machine.rs"]
mod machine;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use mock_cloud::gates::Gates;
use mock_cloud::plane::spec::{
    CheckProtocol, Desired, ForwardedFor, HealthCheck, HttpVersion, Instance, Listener, ListenerProtocol,
    LoadBalancer, Power, Scheduler, Server, ServerGroup, ServerProtocol,
};
use mock_cloud::plane::{HostKind, Plane, PlaneConfig};
use tempfile::TempDir;

use load::Kind;

const RUNS: usize = 3;
const CONNECTIONS: usize = 64;
const SPAN: Duration = Duration::from_secs(4);
/// Ports of the server, one a kind of traffic.
const PORTS: [(Kind, u16); 2] = [(Kind::Requests, 5000), (Kind::Messages, 5001)];
const SUBNET: &str = "192.168.0.0/24";
const HOST: Ipv4Addr = Ipv4Addr::new(192, 168, 0, 1);
const PUBLIC: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 1);
const FRONT: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 50);

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => compare().await,
        ["server", address] => load::serve(address.parse()?, PORTS).await,
        ["balancer", supervisor] => balance(Path::new(supervisor)).await,
        _ => bail!("there are no arguments"),
    }
}

/// One way from the clients to the server.
struct Way {
    name: &'static str,
    sockets: BTreeMap<Kind, SocketAddr>,
}

async fn compare() -> Result<()> {
    let program = std::env::current_exe()?;
    let folder = program.parent().and_then(Path::parent).context("a folder")?.to_owned();
    let balancer = Part::start(&program, &["balancer", &folder.join("mock-cloud").to_string_lossy()])?;
    let host = balancer.said[0].ip();
    let _server = Part::start(&program, &["server", &host.to_string()])?;
    let direct = PORTS.map(|(kind, port)| (kind, SocketAddr::new(host, port)));
    let ours = PORTS.iter().zip(&balancer.said[1..]).map(|((kind, _), socket)| (*kind, *socket));
    let mut ways = vec![Way { name: "no proxy", sockets: direct.into() }];
    let nginx = Nginx::start(host)?;
    ways.extend(nginx.iter().map(|nginx| Way { name: "nginx", sockets: nginx.sockets.clone() }));
    ways.push(Way { name: "mock-cloud", sockets: ours.collect() });
    introduce(nginx.as_ref())?;
    for (kind, _) in PORTS {
        row(kind, &ways).await?;
    }
    Ok(())
}

fn introduce(nginx: Option<&Nginx>) -> Result<()> {
    let profile = if cfg!(debug_assertions) { "debug" } else { "release" };
    let peer = match nginx {
        Some(nginx) => nginx.version.clone(),
        None => "nginx is missing: install it (Debian: nginx-light), or there is no ratio".to_owned(),
    };
    println!(
        "{}, albatross {}, rustc {}, {profile} build; {peer}",
        machine::machine()?,
        env!("CARGO_PKG_VERSION"),
        machine::version("rustc", 1)?
    );
    println!(
        "median of {RUNS} runs of {} s each, {CONNECTIONS} connections, in turns\n\n\
         | traffic | way | a second | min to max | to nginx |\n|---|---|--:|--:|--:|",
        SPAN.as_secs()
    );
    Ok(())
}

/// All ways of one kind of traffic, in turns.
async fn row(kind: Kind, ways: &[Way]) -> Result<()> {
    let mut figures: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for _ in 0..RUNS {
        for way in ways {
            let rate = load::rate(kind, way.sockets[&kind], CONNECTIONS, SPAN).await;
            figures
                .entry(way.name)
                .or_default()
                .push(rate.with_context(|| format!("{kind} by {}", way.name))?);
        }
    }
    for rates in figures.values_mut() {
        rates.sort_by(f64::total_cmp);
    }
    let median = |name: &str| figures.get(name).map(|rates| rates[rates.len() / 2]);
    for way in ways {
        let rates = &figures[way.name];
        let own = rates[rates.len() / 2];
        let ratio = median("nginx").map_or("-".to_owned(), |nginx| format!("{:.2}", own / nginx));
        println!(
            "| {kind} | {} | {own:.0} | {:.0} to {:.0} | {ratio} |",
            way.name,
            rates[0],
            rates[rates.len() - 1]
        );
    }
    Ok(())
}

/// This program in another role, which ends when its input does.
struct Part {
    child: Child,
    /// The sockets it told of on its first line.
    said: Vec<SocketAddr>,
}

impl Part {
    fn start(program: &Path, arguments: &[&str]) -> Result<Self> {
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("{} starts", program.display()))?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().context("a pipe")?).read_line(&mut line)?;
        let said = line.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
        Ok(Self { child, said })
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        // It ends by itself now.
        let _ = self.child.wait();
    }
}

/// The peer, with as many workers as there are processors.
struct Nginx {
    child: Child,
    version: String,
    sockets: BTreeMap<Kind, SocketAddr>,
    _folder: TempDir,
}

impl Nginx {
    /// `None` where it is not installed.
    fn start(host: std::net::IpAddr) -> Result<Option<Self>> {
        let Ok(said) = Command::new("nginx").arg("-v").output() else { return Ok(None) };
        let version = String::from_utf8_lossy(&said.stderr).trim().replace("nginx version: ", "");
        let folder = tempfile::tempdir()?;
        let mut sockets = BTreeMap::new();
        let mut servers = String::new();
        for (kind, port) in PORTS {
            let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
            sockets.insert(kind, free);
            write!(
                servers,
                "upstream u{port} {{ server {host}:{port}; keepalive 128; keepalive_requests 100000000; }}\n\
                 server {{ listen {free} reuseport; location / {{ proxy_pass http://u{port}; }} }}\n"
            )?;
        }
        let configuration = folder.path().join("nginx.conf");
        store(&configuration, &nginx_configuration(folder.path(), &servers))?;
        let child = Command::new("nginx")
            .args(["-p", &folder.path().to_string_lossy(), "-c", &configuration.to_string_lossy()])
            .stdin(Stdio::null())
            .spawn()?;
        let nginx = Self { child, version, sockets, _folder: folder };
        ensure!(nginx.sockets.values().all(|socket| load::accepts(*socket)), "nginx does not listen");
        Ok(Some(nginx))
    }
}

#[expect(clippy::disallowed_methods, reason = "the file ends with the bench")]
fn store(path: &Path, text: &str) -> Result<()> {
    Ok(std::fs::write(path, text)?)
}

/// What ours does, too: kept connections to the server, the client's address in a header, upgrades, no log.
fn nginx_configuration(folder: &Path, servers: &str) -> String {
    let paths: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|kind| format!("{kind}_temp_path {}/{kind};\n", folder.display()))
        .concat();
    format!(
        "daemon off;\nworker_processes auto;\npid {0}/nginx.pid;\nerror_log {0}/error.log;\n\
         events {{ worker_connections 4096; }}\n\
         http {{\naccess_log off;\nkeepalive_requests 100000000;\n{paths}\
         map $http_upgrade $connection_upgrade {{ default upgrade; '' ''; }}\n\
         proxy_http_version 1.1;\nproxy_set_header Host $host;\n\
         proxy_set_header Upgrade $http_upgrade;\nproxy_set_header Connection $connection_upgrade;\n\
         proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;\n{servers}}}\n",
        folder.display()
    )
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let process = i32::try_from(self.child.id()).ok().and_then(rustix::process::Pid::from_raw);
        if let Some(process) = process {
            let _ = rustix::process::kill_process(process, rustix::process::Signal::TERM);
        }
        let _ = self.child.wait();
    }
}

/// The load balancer: says where its host is, then where it listens for each kind of traffic.
async fn balance(supervisor: &Path) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let data = folder.path().join("data");
    let config = PlaneConfig { hosts: HostKind::Process, data, gates: Gates::default() };
    let plane = Plane::start_with_supervisor(config, PathBuf::from(supervisor)).await?;
    plane.reconcile(desired());
    let keys: Vec<String> = [format!("{PUBLIC}:22")]
        .into_iter()
        .chain(PORTS.map(|(_, port)| format!("{FRONT}:{port}")))
        .collect();
    let sockets = loop {
        let status = plane.status();
        let found: Vec<SocketAddr> =
            keys.iter().filter_map(|key| status.connect_to.get(key).copied()).collect();
        let are_healthy = status.health.values().flat_map(BTreeMap::values);
        if found.len() == keys.len() && are_healthy.eq([&mock_cloud::plane::spec::Health::Healthy; 2]) {
            break found;
        }
        plane.changed().await;
    };
    println!("{}", sockets.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "));
    load::until_input_ends().await;
    plane.shutdown().await;
    Ok(())
}

/// One host, and a balancer with a listener and a group for each port.
fn desired() -> Desired {
    let instance = Instance {
        id: "i-bench".to_owned(),
        host_name: "bench".to_owned(),
        image: "debian_12_x64".to_owned(),
        vpc: "vpc-bench".to_owned(),
        subnet: SUBNET.parse().expect("a network"),
        private_address: HOST,
        security_groups: Vec::new(),
        memory: 0,
        started: 0,
        public_address: Some(PUBLIC),
        authorized_keys: Vec::new(),
        user_data: None,
        power: Power::On,
        refuses_ssh: false,
    };
    let balancer = LoadBalancer {
        id: "alb-bench".to_owned(),
        vpc: "vpc-bench".to_owned(),
        sources: Vec::new(),
        dns_name: "alb-bench.example.com".to_owned(),
        addresses: vec![FRONT],
        listeners: PORTS.map(|(_, port)| (format!("lsn-{port}"), listener(port))).into(),
        server_groups: PORTS.map(|(_, port)| (format!("sgp-{port}"), group(port))).into(),
    };
    Desired {
        instances: BTreeMap::from([(instance.id.clone(), instance)]),
        load_balancers: BTreeMap::from([(balancer.id.clone(), balancer)]),
        ..Desired::default()
    }
}

fn listener(port: u16) -> Listener {
    Listener {
        port,
        protocol: ListenerProtocol::Http,
        idle_timeout: Duration::from_mins(1),
        request_timeout: Duration::from_mins(1),
        running: true,
        gzip: true,
        forwarded_for: ForwardedFor::Append,
        forwarded: Vec::new(),
        server_group: format!("sgp-{port}"),
        rules: Vec::new(),
    }
}

fn group(port: u16) -> ServerGroup {
    let server = Server { vpc: "vpc-bench".to_owned(), address: HOST, port, weight: 100 };
    ServerGroup {
        protocol: ServerProtocol::Http,
        scheduler: Scheduler::RoundRobin,
        servers: BTreeMap::from([(format!("i-bench:{port}"), server)]),
        health_check: HealthCheck {
            enabled: false,
            protocol: CheckProtocol::Tcp,
            version: HttpVersion::Http11,
            host: None,
            path: "/".to_owned(),
            method: "HEAD".to_owned(),
            port: None,
            interval: Duration::from_secs(2),
            timeout: Duration::from_secs(5),
            healthy_threshold: 2,
            unhealthy_threshold: 2,
            codes: Vec::new(),
        },
        sticky: None,
        drain: None,
        slow_start: None,
        keep_alive: true,
    }
}
