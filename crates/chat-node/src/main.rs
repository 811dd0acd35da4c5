//! The `chat-node` program: flags and environment, logging, signals, exit codes. Everything else is in the library.
//!
//! Exit codes: 0 drained or help shown, 1 cannot listen or cannot go on serving, 64 unusable flags or environment.

use std::error::Error as _;
use std::io::{IsTerminal, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use chat_node::config::Origin;
use chat_node::{Config, Limits, NodeId, RedisAddress};
use clap::Parser;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

const FAILED: u8 = 1;
const USAGE: u8 = 64;

/// A node of the chatroom: Socket.IO for clients, Redis between the nodes
#[derive(Debug, Parser)]
#[command(name = "chat-node", version)]
struct Arguments {
    /// Where to listen for clients
    #[arg(long, value_name = "ADDRESS:PORT", env = "CHAT_NODE_LISTEN")]
    listen: SocketAddr,
    /// Where Redis is, as redis://:PASSWORD@HOST:PORT/0; better given by the environment, where nobody else sees it
    // Any text passes here: an error of the argument parser would repeat it, and it holds the password.
    #[arg(long, value_name = "URL", env = "CHAT_NODE_REDIS", hide_env_values = true)]
    redis: String,
    /// A PEM file with the authority of Redis' certificate [default: the system's authorities]
    #[arg(long, value_name = "FILE", env = "CHAT_NODE_REDIS_CA")]
    redis_ca: Option<PathBuf>,
    /// About how many messages the stream in Redis keeps at most, 1000 to 10000000
    #[arg(long, value_name = "COUNT", env = "CHAT_NODE_STREAM_LENGTH", default_value = "100000", value_parser = stream_length)]
    stream_length: usize,
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
    /// An origin whose pages may use this node from a browser; may be given several times, or separated by commas
    #[arg(
        long = "allowed-origin",
        value_name = "URL",
        env = "CHAT_NODE_ALLOWED_ORIGINS",
        value_delimiter = ','
    )]
    allowed_origins: Vec<String>,
    /// How long /healthz says 503 before clients are disconnected, at most 3s
    #[arg(long, value_name = "TIME", env = "CHAT_NODE_DRAIN_DELAY", default_value = "500ms", value_parser = drain_delay)]
    drain_delay: Duration,
}

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help goes to stdout and is no failure; nothing can be done about a closed terminal.
            error.print().ok();
            return if error.use_stderr() { ExitCode::from(USAGE) } else { ExitCode::SUCCESS };
        }
    };
    let listen = arguments.listen;
    let config = match configure(arguments) {
        Ok(config) => config,
        Err(reason) => return complain(&reason, USAGE),
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return complain(&format!("cannot start: {error}"), FAILED),
    };
    log_to_stderr();
    match runtime.block_on(run(listen, config)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => complain(&reason, FAILED),
    }
}

fn configure(arguments: Arguments) -> Result<Config, String> {
    let node_id = arguments.node_id.filter(|id| !id.is_empty()).map_or_else(host_name, Ok)?;
    let node_id = NodeId::parse(&node_id).map_err(|error| error.to_string())?;
    let redis = redis_address(&arguments.redis, arguments.redis_ca.as_deref())?;
    let origins = arguments.allowed_origins.iter().filter(|origin| !origin.is_empty());
    let allowed_origins = origins
        .map(|origin| Origin::parse(origin))
        .collect::<Result<_, _>>()
        .map_err(|error| error.to_string())?;
    let limits = Limits {
        stream_length: arguments.stream_length,
        recovery_window: arguments.recovery_window,
        keep_for: arguments.keep_for,
        ..Limits::default()
    };
    Ok(Config {
        limits,
        ping_interval: arguments.ping_interval,
        ping_timeout: arguments.ping_timeout,
        allowed_origins,
        drain_delay: arguments.drain_delay,
        ..Config::new(node_id, redis)
    })
}

fn redis_address(url: &str, authority: Option<&Path>) -> Result<RedisAddress, String> {
    let authority = authority.filter(|file| !file.as_os_str().is_empty()).map(|file| {
        std::fs::read(file).map_err(|error| format!("cannot read --redis-ca {}: {error}", file.display()))
    });
    RedisAddress::parse_with_authority(url, authority.transpose()?.as_deref())
        .map_err(|error| error.to_string())
}

async fn run(listen: SocketAddr, config: Config) -> Result<(), String> {
    let listener =
        TcpListener::bind(listen).await.map_err(|error| format!("cannot listen on {listen}: {error}"))?;
    let address = listener.local_addr().map_err(|error| format!("cannot listen on {listen}: {error}"))?;
    let shutdown = told_to_stop().map_err(|error| format!("cannot wait for signals: {error}"))?;
    tracing::info!(%address, node = %config.node_id, redis = %config.redis, "listening");
    chat_node::serve(listener, config, shutdown).await.map_err(|error| {
        let cause = error.source().map(|source| format!(": {source}")).unwrap_or_default();
        format!("{error}{cause}")
    })
}

/// Completes at SIGTERM or SIGINT.
fn told_to_stop() -> std::io::Result<impl Future<Output = ()> + Send> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

fn host_name() -> Result<String, String> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname")
        .map_err(|error| format!("cannot read the host's name: {error}; give --node-id"))?;
    Ok(name.trim().to_owned())
}

fn at_least_a_second(text: &str) -> Result<Duration, String> {
    let time = time(text)?;
    let bounds = Duration::from_secs(1)..=Duration::from_hours(1);
    if bounds.contains(&time) { Ok(time) } else { Err("it must be between 1s and 1h".to_owned()) }
}

fn drain_delay(text: &str) -> Result<Duration, String> {
    let time = time(text)?;
    if time <= Config::MAX_DRAIN_DELAY { Ok(time) } else { Err("it must be at most 3s".to_owned()) }
}

fn stream_length(text: &str) -> Result<usize, String> {
    let bounds = 1_000..=10_000_000;
    let length = text.parse().ok().filter(|length| bounds.contains(length));
    length.ok_or_else(|| "it must be a number between 1000 and 10000000".to_owned())
}

fn recovery_window(text: &str) -> Result<Duration, String> {
    let bounds = Duration::from_secs(10)..=Duration::from_mins(10);
    Some(time(text)?)
        .filter(|time| bounds.contains(time))
        .ok_or_else(|| "it must be between 10s and 10m".to_owned())
}

fn keep_for(text: &str) -> Result<Duration, String> {
    let bounds = Duration::from_secs(1)..=Duration::from_secs(65);
    Some(time(text)?)
        .filter(|time| bounds.contains(time))
        .ok_or_else(|| "it must be between 1s and 65s".to_owned())
}

/// A duration such as `10s`, `1m 30s` or `500ms`.
fn time(text: &str) -> Result<Duration, String> {
    let span: jiff::SignedDuration =
        text.parse().map_err(|_| "write a time such as 10s or 500ms".to_owned())?;
    span.try_into().map_err(|_| "a time cannot be negative".to_owned())
}

fn log_to_stderr() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
}

fn complain(reason: &str, code: u8) -> ExitCode {
    // With stderr closed there is nobody left to tell; the code still tells.
    writeln!(std::io::stderr(), "chat-node: {reason}").ok();
    ExitCode::from(code)
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert!(recovery_window("9s").is_err() && recovery_window("11m").is_err());
        assert!(keep_for("0s").is_err() && keep_for("2m").is_err());
        assert!(stream_length("999").is_err() && stream_length("many").is_err());
    }
}
