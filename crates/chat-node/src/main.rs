//! The `chat-node` program: flags and environment, logging, signals, exit codes. Everything else is in the library.
//!
//! Exit codes: 0 drained, settings are good or help shown, 1 cannot listen, cannot go on serving or cannot reach Redis
//! when asked to try, 64 unusable flags or environment.

mod arguments;
mod descriptors;

use std::ffi::OsString;
use std::io::{IsTerminal, Write};
use std::net::SocketAddr;
use std::process::ExitCode;

use arguments::{Arguments, CHECK, Check, LogFormat, Run};
use chat_node::{Config, systemd};
use clap::Parser;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

const FAILED: u8 = 1;
const USAGE: u8 = 64;

fn main() -> ExitCode {
    let mut words: Vec<OsString> = std::env::args_os().collect();
    if words.get(1).is_some_and(|word| word == CHECK) {
        words.remove(1);
        return match Check::try_parse_from(words) {
            Ok(Check { arguments, connect }) => check(arguments, connect),
            Err(error) => usage(&error),
        };
    }
    match Run::try_parse_from(words) {
        Ok(Run { arguments }) => run(arguments),
        Err(error) => usage(&error),
    }
}

fn usage(error: &clap::Error) -> ExitCode {
    // Help goes to stdout and is no failure; nothing can be done about a closed terminal.
    error.print().ok();
    if error.use_stderr() { ExitCode::from(USAGE) } else { ExitCode::SUCCESS }
}

fn run(arguments: Arguments) -> ExitCode {
    let (listen, log_format) = (arguments.listen, arguments.log_format);
    let config = match arguments.configure() {
        Ok(config) => config,
        Err(reason) => return complain(&reason, USAGE),
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return complain(&format!("cannot start: {error}"), FAILED),
    };
    log_to_stderr(log_format);
    match runtime.block_on(serve(listen, config)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => complain(&reason, FAILED),
    }
}

async fn serve(listen: SocketAddr, config: Config) -> Result<(), String> {
    let cannot_listen = |error| format!("cannot listen on {listen}: {error}");
    let listener = TcpListener::bind(listen).await.map_err(cannot_listen)?;
    let address = listener.local_addr().map_err(cannot_listen)?;
    let stop = told_to_stop().map_err(|error| format!("cannot wait for signals: {error}"))?;
    tracing::info!(%address, node = %config.node_id, redis = %config.redis, "listening");
    descriptors::warn_when_short(&config.limits);
    systemd::ready();
    let watched = tokio::spawn(systemd::keep_watchdog());
    let shutdown = async {
        stop.await;
        systemd::stopping();
    };
    let outcome = chat_node::serve(listener, config, shutdown).await;
    watched.abort();
    outcome.map_err(|error| {
        let cause = std::error::Error::source(&error).map(|source| format!(": {source}"));
        format!("{error}{}", cause.unwrap_or_default())
    })
}

/// Says whether a node would start. Nothing is asked over the network unless that is wanted.
fn check(arguments: Arguments, connect: bool) -> ExitCode {
    let config = match arguments.configure() {
        Ok(config) => config,
        Err(reason) => return complain(&reason, USAGE),
    };
    let mut report = format!("the settings of node {} are good", config.node_id);
    if connect {
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => return complain(&format!("cannot start: {error}"), FAILED),
        };
        match runtime.block_on(chat_node::bus::check(&config.redis)) {
            Ok(server) => report = format!("{report}, and {} answers: {server}", config.redis),
            Err(trouble) => return complain(&format!("{} cannot be used: {trouble}", config.redis), FAILED),
        }
    }
    // Whoever closed stdout does not want to know.
    writeln!(std::io::stdout(), "{report}").ok();
    ExitCode::SUCCESS
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

fn log_to_stderr(format: LogFormat) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    match format {
        LogFormat::Text => log.init(),
        LogFormat::Json => log.json().flatten_event(true).with_ansi(false).init(),
    }
}

fn complain(reason: &str, code: u8) -> ExitCode {
    // With stderr closed there is nobody left to tell; the code still tells.
    writeln!(std::io::stderr(), "chat-node: {reason}").ok();
    ExitCode::from(code)
}
