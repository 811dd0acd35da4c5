//! The program's flags and their environment variables, each with its bounds, and the configuration they make.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chat_node::config::Origin;
use chat_node::wording::Username;
use chat_node::{Config, Limits, NodeId, Recovery, RedisAddress};
use clap::{Args, Parser, ValueEnum};
use ipnet::IpNet;

/// Most bytes of a character in a text.
const BYTES_A_CHARACTER: usize = 4;
/// The same as JSON may write it.
const ESCAPED_CHARACTER: usize = 6;
/// Bytes of a packet beside its texts, at most.
const OVERHEAD: usize = 256;

/// The word that asks for a look at the settings only.
pub(crate) const CHECK: &str = "check-config";

/// A node of the chatroom: Socket.IO for clients, Redis between the nodes
#[derive(Debug, Parser)]
#[command(name = "chat-node", version)]
#[command(
    after_help = "`chat-node check-config` takes the same flags and environment, says whether a node would start \
    with them, and starts none."
)]
pub(crate) struct Run {
    #[command(flatten)]
    pub(crate) arguments: Arguments,
}

/// Says whether a node would start with these flags and this environment
#[derive(Debug, Parser)]
#[command(name = "chat-node check-config", bin_name = "chat-node check-config")]
pub(crate) struct Check {
    #[command(flatten)]
    pub(crate) arguments: Arguments,
    /// Also resolve the name of Redis, log in and ask for its version
    #[arg(long)]
    pub(crate) connect: bool,
}

/// In what form the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// Lines for people.
    Text,
    /// One JSON object a line.
    Json,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum RecoveryChoice {
    /// JavaScript clients, and those that ask for it.
    Auto,
    /// Every client.
    Always,
    /// None.
    Never,
}

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Where to listen for clients
    #[arg(long, value_name = "ADDRESS:PORT", env = "CHAT_NODE_LISTEN")]
    pub(crate) listen: SocketAddr,
    /// Where Redis is, as redis://:PASSWORD@HOST:PORT/0; better given by the environment, where nobody else sees it
    // Any text passes here: an error of the argument parser would repeat it, and it holds the password.
    #[arg(long, value_name = "URL", env = "CHAT_NODE_REDIS", hide_env_values = true)]
    redis: String,
    /// A PEM file with the authority of Redis' certificate [default: the system's authorities]
    #[arg(long, value_name = "FILE", env = "CHAT_NODE_REDIS_CA")]
    redis_ca: Option<PathBuf>,
    /// About how many messages the stream in Redis keeps at most, 1000 to 10000000
    #[arg(long, value_name = "COUNT", env = "CHAT_NODE_STREAM_LENGTH", default_value = "100000", value_parser = count::<1000, 10_000_000>)]
    stream_length: usize,
    /// About how many bytes they may take, 1000000 to 100000000000
    #[arg(long, value_name = "BYTES", env = "CHAT_NODE_STREAM_BYTES", default_value = "67108864", value_parser = count::<1_000_000, 100_000_000_000>)]
    stream_bytes: usize,
    /// For how long a client that lost its connection may come back to what it missed, 10s to 10m
    #[arg(long, value_name = "TIME", env = "CHAT_NODE_RECOVERY_WINDOW", default_value = "2m", value_parser = recovery_window)]
    recovery_window: Duration,
    /// For how long messages are kept while Redis is away, 1s to 65s
    #[arg(long, value_name = "TIME", env = "CHAT_NODE_KEEP_FOR", default_value = "65s", value_parser = keep_for)]
    keep_for: Duration,
    /// The name of this node in X-Chat-Node [default: the host's name]
    #[arg(long, value_name = "ID", env = "CHAT_NODE_ID")]
    node_id: Option<String>,
    /// How often clients are pinged; keep it below the load balancer's idle timeout
    #[arg(long, value_name = "TIME", env = "CHAT_NODE_PING_INTERVAL", default_value = "10s", value_parser = at_least_a_second)]
    ping_interval: Duration,
    /// How long a client may take to answer a ping
    #[arg(long, value_name = "TIME", env = "CHAT_NODE_PING_TIMEOUT", default_value = "10s", value_parser = at_least_a_second)]
    ping_timeout: Duration,
    /// An origin whose pages may use this node from a browser, beside its own, or * for all; may be given several times,
    /// or separated by commas
    #[arg(
        long = "allowed-origin",
        value_name = "URL",
        env = "CHAT_NODE_ALLOWED_ORIGINS",
        value_delimiter = ','
    )]
    allowed_origins: Vec<String>,
    /// A network of proxies whose X-Forwarded-For is believed, such as 10.0.0.0/8, or one address; may be given several
    /// times, or separated by commas
    #[arg(
        long = "trusted-proxy",
        value_name = "NETWORK",
        env = "CHAT_NODE_TRUSTED_PROXIES",
        value_delimiter = ','
    )]
    trusted_proxies: Vec<String>,
    /// Who gets with each message the offset by which it can come back to what it missed
    #[arg(long, value_enum, env = "CHAT_NODE_RECOVERY", default_value = "auto")]
    recovery: RecoveryChoice,
    /// How long /healthz says 503 before clients are disconnected, at most 3s
    #[arg(long, value_name = "TIME", env = "CHAT_NODE_DRAIN_DELAY", default_value = "500ms", value_parser = drain_delay)]
    drain_delay: Duration,
    /// Over how long clients are then disconnected, at most 2s
    #[arg(long, value_name = "TIME", env = "CHAT_NODE_DRAIN_SPREAD", default_value = "1s", value_parser = drain_spread)]
    drain_spread: Duration,
    /// In what form to write the log
    #[arg(long, value_enum, env = "CHAT_NODE_LOG_FORMAT", default_value = "text")]
    pub(crate) log_format: LogFormat,
    #[command(flatten)]
    limits: ClientLimits,
}

/// What clients may cost.
#[derive(Debug, Args)]
#[command(next_help_heading = "Limits")]
struct ClientLimits {
    /// Clients that may be connected, 1 to 1000000
    #[arg(long, value_name = "COUNT", env = "CHAT_NODE_CONNECTIONS", default_value = "20000", value_parser = count::<1, 1_000_000>)]
    connections: usize,
    /// Clients from one address, or one /64 of IPv6, 1 to 1000000; the address is that behind trusted proxies
    #[arg(long, value_name = "COUNT", env = "CHAT_NODE_CONNECTIONS_PER_ADDRESS", default_value = "1000", value_parser = count::<1, 1_000_000>)]
    connections_per_address: usize,
    /// How long a new connection may take to ask for something, 1s to 1m
    #[arg(long, value_name = "TIME", env = "CHAT_NODE_HANDSHAKE_TIMEOUT", default_value = "10s", value_parser = up_to_a_minute)]
    handshake_timeout: Duration,
    /// Events one client may send a second in the long run, 1 to 100000
    #[arg(long, value_name = "COUNT", env = "CHAT_NODE_MESSAGE_RATE", default_value = "20", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    message_rate: u32,
    /// Events one client may send at once, 1 to 100000
    #[arg(long, value_name = "COUNT", env = "CHAT_NODE_MESSAGE_BURST", default_value = "200", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    message_burst: u32,
    /// Longest message, in characters, 1 to 100000
    #[arg(long, value_name = "COUNT", env = "CHAT_NODE_MESSAGE_LENGTH", default_value = "4096", value_parser = count::<1, 100_000>)]
    message_length: usize,
    /// Longest name, in characters, 1 to 256
    #[arg(long, value_name = "COUNT", env = "CHAT_NODE_NAME_LENGTH", default_value = "64", value_parser = count::<1, { Username::LONGEST }>)]
    name_length: usize,
    /// Largest packet or body of a client, in bytes, 1024 to 1000000
    #[arg(long, value_name = "BYTES", env = "CHAT_NODE_MAX_PAYLOAD", default_value = "65536", value_parser = clap::value_parser!(u32).range(1024..=1_000_000))]
    max_payload: u32,
    /// Packets that may wait for a client before it is cut off, 16 to 1000000
    #[arg(long, value_name = "COUNT", env = "CHAT_NODE_QUEUE_PACKETS", default_value = "4096", value_parser = count::<16, 1_000_000>)]
    queue_packets: usize,
    /// The same in bytes, 65536 to 1000000000
    #[arg(long, value_name = "BYTES", env = "CHAT_NODE_QUEUE_BYTES", default_value = "4194304", value_parser = count::<65_536, 1_000_000_000>)]
    queue_bytes: usize,
    /// How long a connection may take no byte while something waits for it, 1s to 1m
    #[arg(long, value_name = "TIME", env = "CHAT_NODE_WRITE_STALL", default_value = "20s", value_parser = up_to_a_minute)]
    write_stall: Duration,
}

impl Arguments {
    /// The configuration they make.
    ///
    /// # Errors
    /// A sentence that says which one cannot be used, and why.
    pub(crate) fn configure(self) -> Result<Config, String> {
        let node_id = self.node_id.filter(|id| !id.is_empty()).map_or_else(host_name, Ok)?;
        let node_id = NodeId::parse(&node_id).map_err(|error| error.to_string())?;
        let redis = redis_address(&self.redis, self.redis_ca.as_deref())?;
        let origins = given(&self.allowed_origins).map(|origin| Origin::parse(origin));
        let allowed_origins = origins.collect::<Result<_, _>>().map_err(|error| error.to_string())?;
        let trusted_proxies =
            given(&self.trusted_proxies).map(|text| network(text)).collect::<Result<_, _>>()?;
        let clients = self.limits;
        clients.fit_together()?;
        let limits = Limits {
            text_characters: clients.message_length,
            name_characters: clients.name_length,
            message_rate: clients.message_rate,
            message_burst: clients.message_burst,
            connections: clients.connections,
            connections_per_address: clients.connections_per_address,
            handshake_timeout: clients.handshake_timeout,
            payload_bytes: clients.max_payload,
            queued_packets: clients.queue_packets,
            queued_bytes: clients.queue_bytes,
            write_stall: clients.write_stall,
            stream_length: self.stream_length,
            stream_bytes: self.stream_bytes,
            recovery_window: self.recovery_window,
            keep_for: self.keep_for,
            ..Limits::default()
        };
        let recovery = match self.recovery {
            RecoveryChoice::Auto => Recovery::Auto,
            RecoveryChoice::Always => Recovery::Always,
            RecoveryChoice::Never => Recovery::Never,
        };
        Ok(Config {
            limits,
            recovery,
            ping_interval: self.ping_interval,
            ping_timeout: self.ping_timeout,
            allowed_origins,
            trusted_proxies,
            drain_delay: self.drain_delay,
            drain_spread: self.drain_spread,
            ..Config::new(node_id, redis)
        })
    }
}

impl ClientLimits {
    /// Whether what one limit allows fits into the others.
    fn fit_together(&self) -> Result<(), String> {
        let message = self.message_length;
        let payload = BYTES_A_CHARACTER * message + OVERHEAD;
        if usize::try_from(self.max_payload).is_ok_and(|given| given < payload) {
            return Err(format!(
                "--max-payload {} is too small for messages of {message} characters: give at least {payload}, or a \
                 smaller --message-length",
                self.max_payload
            ));
        }
        let queue = 2 * (ESCAPED_CHARACTER * (message + self.name_length) + OVERHEAD);
        if self.queue_bytes < queue {
            return Err(format!(
                "--queue-bytes {} is too small for messages of {message} characters: give at least {queue}, or a \
                 smaller --message-length",
                self.queue_bytes
            ));
        }
        Ok(())
    }
}

/// An empty variable means none.
fn given(list: &[String]) -> impl Iterator<Item = &String> {
    list.iter().filter(|entry| !entry.is_empty())
}

fn network(text: &str) -> Result<IpNet, String> {
    let address = || text.parse().map(|address: std::net::IpAddr| IpNet::from(address));
    text.parse().or_else(|_| address()).map_err(|_| {
        format!("the trusted proxy `{text}` is not usable: write a network such as 10.0.0.0/8, or an address")
    })
}

fn redis_address(url: &str, authority: Option<&Path>) -> Result<RedisAddress, String> {
    let authority = authority.filter(|file| !file.as_os_str().is_empty()).map(|file| {
        std::fs::read(file).map_err(|error| format!("cannot read --redis-ca {}: {error}", file.display()))
    });
    RedisAddress::parse_with_authority(url, authority.transpose()?.as_deref())
        .map_err(|error| error.to_string())
}

fn host_name() -> Result<String, String> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname")
        .map_err(|error| format!("cannot read the host's name: {error}; give --node-id"))?;
    Ok(name.trim().to_owned())
}

fn count<const LEAST: usize, const MOST: usize>(text: &str) -> Result<usize, String> {
    let count = text.parse().ok().filter(|count| (LEAST..=MOST).contains(count));
    count.ok_or_else(|| format!("it must be a number between {LEAST} and {MOST}"))
}

fn at_least_a_second(text: &str) -> Result<Duration, String> {
    within(text, Duration::from_secs(1), Duration::from_hours(1), "it must be between 1s and 1h")
}

fn up_to_a_minute(text: &str) -> Result<Duration, String> {
    within(text, Duration::from_secs(1), Duration::from_mins(1), "it must be between 1s and 1m")
}

fn recovery_window(text: &str) -> Result<Duration, String> {
    within(text, Duration::from_secs(10), Duration::from_mins(10), "it must be between 10s and 10m")
}

fn keep_for(text: &str) -> Result<Duration, String> {
    within(text, Duration::from_secs(1), Duration::from_secs(65), "it must be between 1s and 65s")
}

fn drain_delay(text: &str) -> Result<Duration, String> {
    within(text, Duration::ZERO, Config::MAX_DRAIN_DELAY, "it must be at most 3s")
}

fn drain_spread(text: &str) -> Result<Duration, String> {
    within(text, Duration::ZERO, Config::MAX_DRAIN_SPREAD, "it must be at most 2s")
}

fn within(text: &str, least: Duration, most: Duration, otherwise: &str) -> Result<Duration, String> {
    Some(time(text)?).filter(|time| (least..=most).contains(time)).ok_or_else(|| otherwise.to_owned())
}

/// A duration such as `10s`, `1m 30s` or `500ms`.
fn time(text: &str) -> Result<Duration, String> {
    let span: jiff::SignedDuration =
        text.parse().map_err(|_| "write a time such as 10s or 500ms".to_owned())?;
    span.try_into().map_err(|_| "a time cannot be negative".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn times_are_read_as_people_write_them() {
        assert_eq!(time("10s"), Ok(Duration::from_secs(10)));
        assert_eq!(time("1m 30s"), Ok(Duration::from_secs(90)));
        assert_eq!(time("500ms"), Ok(Duration::from_millis(500)));
        for refused in ["", "10", "-1s", "soon"] {
            assert!(time(refused).is_err(), "{refused:?} was accepted");
        }
        assert!(at_least_a_second("0s").is_err());
        assert!(drain_delay("4s").is_err());
        assert!(drain_spread("2001ms").is_err());
    }

    #[test]
    fn proxies_are_networks_or_addresses() {
        assert_eq!(network("10.0.0.0/8"), Ok("10.0.0.0/8".parse().unwrap()));
        assert_eq!(network("fd00::1"), Ok("fd00::1/128".parse().unwrap()));
        assert!(network("everybody").unwrap_err().contains("`everybody`"));
    }

    #[test]
    fn every_flag_has_a_variable_of_its_name() {
        Run::command().debug_assert();
        Check::command().debug_assert();
        for flag in Run::command()
            .get_arguments()
            .filter(|flag| !["help", "version"].contains(&flag.get_id().as_str()))
        {
            let variable = flag.get_env().unwrap_or_else(|| panic!("{} has none", flag.get_id()));
            assert!(variable.to_str().unwrap().starts_with("CHAT_NODE_"), "{variable:?}");
        }
    }

    #[test]
    fn the_defaults_of_the_flags_are_those_of_the_library() {
        let flags =
            ["chat-node", "--listen", "127.0.0.1:0", "--redis", "redis://127.0.0.1/0", "--node-id", "n"];
        let config = Run::try_parse_from(flags).unwrap().arguments.configure().unwrap();
        let library = Config::new(config.node_id.clone(), config.redis.clone());
        assert_eq!(format!("{config:?}"), format!("{library:?}"));
    }
}
