//! The real redis-cli, against addresses of the region, and what redis-server says of itself.

use std::process::Stdio;
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;

use crate::plane::host::machine::Machine;
use crate::plane::host::outcome::{Outcome, outer, sentence};
use crate::plane::host::process;
use crate::plane::host::programs::call::Call;
use crate::plane::network::outer_port;

/// Servers are started by the service manager alone.
pub(crate) fn redis_server(_machine: &Machine, arguments: &[String]) -> Outcome {
    if arguments != ["--version"] {
        return Outcome::refused(format!("redis-server {}", arguments.join(" ")));
    }
    outer(["redis-server", "--version"])
        .unwrap_or_else(|| Outcome::failed(127, "bash: line 1: redis-server: command not found"))
}

pub(crate) async fn redis_cli(machine: &Arc<Machine>, mut call: Call) -> Outcome {
    let has_command = has_command(&call.argv);
    map_port(&mut call.argv);
    if !call.argv.iter().any(|argument| argument == "-h") {
        call.argv.splice(0..0, ["-h".to_owned(), "127.0.0.1".to_owned()]);
    }
    call.argv.insert(0, "/usr/bin/redis-cli".to_owned());
    let launch = match machine.launch(&call.argv, &call.environment, "/root") {
        Ok(launch) => launch,
        Err(error) => return Outcome::failed(126, format!("redis-cli: {}", sentence(&error))),
    };
    if has_command { supervised(machine, launch).await } else { fed(launch, call).await }
}

/// Whether there is a command among the arguments, so that none is read from standard input.
fn has_command(arguments: &[String]) -> bool {
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        match argument.as_str() {
            "-h" | "-p" | "-n" | "-a" | "-u" | "--user" | "--pass" => drop(rest.next()),
            option if option.starts_with('-') => {}
            _ => return true,
        }
    }
    false
}

fn map_port(arguments: &mut [String]) {
    let Some(place) = arguments.iter().position(|argument| argument == "-p") else {
        return;
    };
    if let Some(port) = arguments.get_mut(place + 1)
        && let Ok(number) = port.parse()
    {
        *port = outer_port(number).to_string();
    }
}

async fn supervised(machine: &Machine, launch: process::Launch) -> Outcome {
    let (mut running, mut printed) = match process::start(&machine.supervisor, launch).await {
        Ok(started) => started,
        Err(error) => return Outcome::failed(126, format!("redis-cli: {}", sentence(&error))),
    };
    let mut outcome = Outcome::done();
    let _ = tokio::join!(
        printed.stdout.read_to_end(&mut outcome.stdout),
        printed.stderr.read_to_end(&mut outcome.stderr)
    );
    outcome.status = match running.end().await {
        process::End::Exited(status) => status,
        process::End::Killed(signal) => 128 + signal,
    };
    outcome
}

/// Commands come on its standard input; it ends when that does, so it needs no supervisor.
async fn fed(launch: process::Launch, call: Call) -> Outcome {
    let input = match call.stdin.read_all().await {
        Ok(input) => input,
        Err(error) => return Outcome::failed(1, format!("redis-cli: {}", sentence(&error))),
    };
    let spawned = Command::new(&launch.program)
        .args(&launch.arguments)
        .env_clear()
        .envs(&launch.environment)
        .current_dir(&launch.directory)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn();
    let mut child = match spawned {
        Ok(child) => child,
        Err(error) => return Outcome::failed(126, format!("redis-cli: {}", sentence(&error))),
    };
    if let Some(mut stdin) = child.stdin.take() {
        tokio::spawn(async move { stdin.write_all(&input).await });
    }
    match child.wait_with_output().await {
        Ok(output) => Outcome {
            status: output.status.code().unwrap_or(1),
            stdout: output.stdout,
            stderr: output.stderr,
        },
        Err(error) => Outcome::failed(1, format!("redis-cli: {}", sentence(&error))),
    }
}
