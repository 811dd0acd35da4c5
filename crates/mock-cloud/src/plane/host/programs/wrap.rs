//! Programs that run another one: env, flock, timeout.

use std::sync::Arc;
use std::time::Duration;

use rustix::fs::OFlags;

use crate::plane::host::machine::Machine;
use crate::plane::host::outcome::{Outcome, sentence};
use crate::plane::host::programs::call::Call;
use crate::plane::host::root::Last;

pub(crate) async fn env(machine: &Arc<Machine>, mut call: Call) -> Outcome {
    let assigned = call.argv.iter().take_while(|word| word.contains('=')).count();
    for word in call.argv.drain(..assigned) {
        if let Some((name, value)) = word.split_once('=') {
            call.environment.insert(name.to_owned(), value.to_owned());
        }
    }
    match call.argv.first() {
        None => Outcome::refused("env without a program"),
        Some(first) if first.starts_with('-') => Outcome::refused(format!("env {first}")),
        Some(_) => machine.run(call).await,
    }
}

pub(crate) async fn timeout(machine: &Arc<Machine>, mut call: Call) -> Outcome {
    let Some(limit) = call.argv.first().and_then(|word| duration(word)) else {
        let first = call.argv.first().map_or("without arguments", String::as_str);
        return Outcome::refused(format!("timeout {first}"));
    };
    call.argv.remove(0);
    match tokio::time::timeout(limit, machine.run(call)).await {
        Ok(outcome) => outcome,
        Err(_) => Outcome::status(124),
    }
}

fn duration(word: &str) -> Option<Duration> {
    let seconds: f64 = word.strip_suffix('s').unwrap_or(word).parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok()
}

pub(crate) async fn flock(machine: &Arc<Machine>, mut call: Call) -> Outcome {
    let mut patience = None;
    match call.argv.first().map(String::as_str) {
        Some("-w" | "--timeout") if call.argv.len() > 1 => {
            patience = duration(&call.argv[1]);
            if patience.is_none() {
                return Outcome::refused(format!("flock -w {}", call.argv[1]));
            }
            call.argv.drain(..2);
        }
        Some("-n" | "--nonblock") => {
            patience = Some(Duration::ZERO);
            call.argv.remove(0);
        }
        Some(option) if option.starts_with('-') => return Outcome::refused(format!("flock {option}")),
        Some(_) | None => {}
    }
    if call.argv.len() < 2 {
        return Outcome::refused("flock without a file and a program");
    }
    let path = call.argv.remove(0);
    let opened = machine.root.place(&path, Last::Follow).and_then(|place| {
        place.open(OFlags::RDONLY | OFlags::CREATE, 0o644)?;
        Ok(place.path().to_owned())
    });
    let lock = match opened {
        Ok(path) => machine.file_lock(path),
        Err(error) => {
            return Outcome::failed(66, format!("flock: cannot open lock file {path}: {}", sentence(&error)));
        }
    };
    let held = match patience {
        Some(patience) => tokio::time::timeout(patience, lock.lock()).await.ok(),
        None => Some(lock.lock().await),
    };
    match held {
        Some(_held) => machine.run(call).await,
        None => Outcome::status(1),
    }
}
