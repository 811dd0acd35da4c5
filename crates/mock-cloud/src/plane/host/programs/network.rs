//! Programs that look at the network: curl and ss.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hyper::{Method, Uri};

use crate::plane::host::machine::Machine;
use crate::plane::host::outcome::Outcome;
use crate::plane::host::programs::call::Call;
use crate::plane::host::programs::options::Options;
use crate::plane::network::inner_port;
use crate::plane::probe::{Answer, NoAnswer, Probe};

impl Machine {
    /// Where a host name or address leads from this host; `None` when it is unknown or not reachable.
    pub(crate) fn reach(&self, host: &str, port: u16) -> Option<SocketAddr> {
        let address = match host.parse::<Ipv4Addr>() {
            Ok(address) => address,
            Err(_) if host == "localhost" => Ipv4Addr::LOCALHOST,
            Err(_) if host == self.host_name() => {
                return self.network.outer(Ipv4Addr::LOCALHOST, port, Some(self.address));
            }
            Err(_) => self.zones.address(host)?,
        };
        self.network.outer(address, port, Some(self.address))
    }
}

const CURL_FLAGS: &[&str] = &["--silent", "--show-error", "--fail", "--head", "-s", "-S", "-f", "-I"];
/// Time for a request without `--max-time`; curl itself has none, but nothing here may wait for ever.
const LONGEST_REQUEST: Duration = Duration::from_mins(1);
const CURL_VALUES: &[&str] = &["--max-time", "--output", "--write-out", "-m", "-o", "-w"];

pub(crate) async fn curl(machine: &Arc<Machine>, call: Call) -> Outcome {
    let options = match Options::read("curl", &call.argv, CURL_FLAGS, CURL_VALUES) {
        Ok(options) => options,
        Err(refusal) => return refusal,
    };
    let [url] = options.operands.as_slice() else {
        return Outcome::refused("curl with other than one URL");
    };
    let value = |long: &str, short: &str| options.value(long).or(options.value(short)).map(str::to_owned);
    let limit = value("--max-time", "-m")
        .and_then(|seconds| seconds.parse().ok())
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let is_head = options.has("--head") || options.has("-I");
    let probe = match probe(machine, url, is_head, limit.unwrap_or(LONGEST_REQUEST)) {
        Ok(probe) => probe,
        Err(outcome) => return outcome,
    };
    let asked = tokio::time::timeout(probe.limit, async {
        machine.passable(probe.target).await;
        probe.ask().await
    });
    let mut outcome = match asked.await.unwrap_or(Err(NoAnswer::ConnectTimeout)) {
        Ok(answer) => {
            let fails = (options.has("--fail") || options.has("-f")) && answer.status.as_u16() >= 400;
            let is_shown = value("--output", "-o").is_none_or(|output| output == "-");
            shown(&answer, is_head, fails, is_shown)
        }
        Err(reason) => failed(reason, &probe),
    };
    if let Some(format) = value("--write-out", "-w") {
        let code = if outcome.1 == 0 { "000".to_owned() } else { outcome.1.to_string() };
        outcome.0.stdout.extend(format.replace("%{http_code}", &code).replace("\\n", "\n").bytes());
    }
    outcome.0
}

fn probe(machine: &Machine, url: &str, is_head: bool, limit: Duration) -> Result<Probe, Outcome> {
    let full = if url.contains("://") { url.to_owned() } else { format!("http://{url}") };
    let uri: Uri = full
        .parse()
        .map_err(|_| Outcome::failed(3, "curl: (3) URL using bad/illegal format or missing URL"))?;
    if uri.scheme_str() != Some("http") {
        return Err(Outcome::refused(format!("curl {url}: only http")));
    }
    let host = uri.host().unwrap_or_default();
    let port = uri.port_u16().unwrap_or(80);
    let is_name = host.parse::<Ipv4Addr>().is_err();
    let target = machine.reach(host, port).ok_or_else(|| {
        if is_name {
            Outcome::failed(6, format!("curl: (6) Could not resolve host: {host}"))
        } else {
            Outcome::failed(7, format!("curl: (7) Failed to connect to {host} port {port}: No route to host"))
        }
    })?;
    let method = if is_head { Method::HEAD } else { Method::GET };
    let path = uri.path_and_query().map_or("/", hyper::http::uri::PathAndQuery::as_str).to_owned();
    let host = uri.authority().map(ToString::to_string).unwrap_or_default();
    Ok(Probe { target, source: Some(machine.address), method, host, path, limit })
}

/// What is printed for an answer, and its status.
fn shown(answer: &Answer, is_head: bool, fails: bool, is_shown: bool) -> (Outcome, u16) {
    let status = answer.status.as_u16();
    if fails {
        return (
            Outcome::failed(22, format!("curl: (22) The requested URL returned error: {status}")),
            status,
        );
    }
    let bytes = if is_head { answer.head.clone() } else { answer.body.to_vec() };
    (if is_shown { Outcome::printed(bytes) } else { Outcome::done() }, status)
}

fn failed(reason: NoAnswer, probe: &Probe) -> (Outcome, u16) {
    let host = &probe.host;
    let outcome = match reason {
        NoAnswer::ConnectFailed => {
            Outcome::failed(7, format!("curl: (7) Failed to connect to {host}: Connection refused"))
        }
        NoAnswer::ConnectTimeout | NoAnswer::ReceiveTimeout => {
            let milliseconds = probe.limit.as_millis();
            Outcome::failed(28, format!("curl: (28) Operation timed out after {milliseconds} milliseconds"))
        }
        NoAnswer::SendFailed | NoAnswer::ReceiveFailed => {
            Outcome::failed(52, "curl: (52) Empty reply from server")
        }
    };
    (outcome, 0)
}

/// How much of the kernel's table is read at a time, in bytes: it is made line by line as it is read.
const TABLE_PART: usize = 4_096;

/// A listening socket of this host.
struct Listening {
    port: u16,
    inode: u64,
}

pub(crate) fn ss(machine: &Machine, arguments: &[String]) -> Outcome {
    let flags = ["-l", "-t", "-n", "-H", "-p"];
    let options = match Options::read("ss", arguments, &flags, &[]) {
        Ok(options) => options,
        Err(refusal) => return refusal,
    };
    if !["-l", "-t", "-n"].iter().all(|flag| options.has(flag)) {
        return Outcome::refused("ss without -ltn");
    }
    let filter = options.operands.join(" ");
    let port = filter.trim().strip_prefix("sport = :").and_then(|port| port.parse::<u16>().ok());
    if !filter.is_empty() && port.is_none() {
        return Outcome::refused(format!("ss {filter}"));
    }
    let local = machine.network.inner_address(machine.address).unwrap_or(machine.address);
    let mut text = String::new();
    if !options.has("-H") {
        text.push_str("State  Recv-Q Send-Q Local Address:Port  Peer Address:PortProcess\n");
    }
    for socket in
        listening(machine.address).iter().filter(|socket| port.is_none_or(|port| port == socket.port))
    {
        let place = format!("{local}:{}", socket.port);
        let process = if options.has("-p") { holder(machine, socket) } else { String::new() };
        text.extend([format!("LISTEN 0      511    {place:>21}      0.0.0.0:*    {process}\n")]);
    }
    Outcome::printed(text)
}

/// Reads the kernel's table as far as sockets listen, state `0A`: they come first, and what follows can be very long.
/// Addresses are little-endian words.
fn listening(own: Ipv4Addr) -> Vec<Listening> {
    let Ok(table) = File::open("/proc/net/tcp") else { return Vec::new() };
    let wanted = format!("{:08X}", u32::from_le_bytes(own.octets()));
    let mut found = Vec::new();
    for line in BufReader::with_capacity(TABLE_PART, table).lines().map_while(Result::ok).skip(1) {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (Some(local), Some(&"0A"), Some(inode)) = (fields.get(1), fields.get(3), fields.get(9)) else {
            break;
        };
        if let Some((address, port)) = local.split_once(':')
            && address == wanted
            && let (Ok(port), Ok(inode)) = (u16::from_str_radix(port, 16), inode.parse())
        {
            found.push(Listening { port: inner_port(port), inode });
        }
    }
    found.sort_by_key(|socket| socket.port);
    found
}

/// Who holds a socket, in the words of `ss -p`; our own SSH server is `sshd`.
fn holder(machine: &Machine, socket: &Listening) -> String {
    if socket.port == 22 {
        return "users:((\"sshd\",pid=1,fd=3))".to_owned();
    }
    let link = format!("socket:[{}]", socket.inode);
    for process in machine.services.processes() {
        let Some(pid) = process.pid else { continue };
        let Ok(descriptors) = std::fs::read_dir(format!("/proc/{pid}/fd")) else {
            continue;
        };
        for descriptor in descriptors.flatten() {
            if std::fs::read_link(descriptor.path()).is_ok_and(|target| target.as_os_str() == link.as_str()) {
                let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
                let number = descriptor.file_name().to_string_lossy().into_owned();
                return format!("users:((\"{}\",pid={pid},fd={number}))", name.trim());
            }
        }
    }
    String::new()
}
