//! Programs that run another one: env, flock, timeout.

use std::fs::File;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustix::fs::{FlockOperation, OFlags};
use rustix::io::Errno;
use tokio::time::Instant;

use crate::plane::host::machine::Machine;
use crate::plane::host::outcome::{Outcome, sentence};
use crate::plane::host::programs::call::Call;
use crate::plane::host::root::Last;

/// How often a lock that is not free is tried.
const LOOK_AGAIN: Duration = Duration::from_millis(2);

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

/// What `flock` was asked for.
struct Wish {
    is_shared: bool,
    /// For ever when absent.
    patience: Option<Duration>,
}

/// Takes the options off the front of a call of `flock`.
fn wish(call: &mut Call) -> Result<Wish, Outcome> {
    let mut wish = Wish { is_shared: false, patience: None };
    while let Some(option) = call.argv.first().filter(|word| word.starts_with('-')).cloned() {
        call.argv.remove(0);
        match option.as_str() {
            "-s" | "--shared" => wish.is_shared = true,
            "-x" | "-e" | "--exclusive" => wish.is_shared = false,
            "-n" | "--nonblock" => wish.patience = Some(Duration::ZERO),
            // The lock is kept by flock itself here, so its command has nothing to close.
            "-o" | "--close" => {}
            "-w" | "--timeout" if !call.argv.is_empty() => {
                let word = call.argv.remove(0);
                let patience = duration(&word);
                wish.patience = Some(patience.ok_or_else(|| Outcome::refused(format!("flock -w {word}")))?);
            }
            _ => return Err(Outcome::refused(format!("flock {option}"))),
        }
    }
    Ok(wish)
}

pub(crate) async fn flock(machine: &Arc<Machine>, mut call: Call) -> Outcome {
    let wish = match wish(&mut call) {
        Ok(wish) => wish,
        Err(refusal) => return refusal,
    };
    if call.argv.len() < 2 {
        return Outcome::refused("flock without a file and a program");
    }
    let path = call.argv.remove(0);
    let place = machine.root.place(&path, Last::Follow);
    let file = match place.and_then(|place| place.open(OFlags::RDONLY | OFlags::CREATE, 0o644)) {
        Ok(file) => file,
        Err(error) => {
            return Outcome::failed(66, format!("flock: cannot open lock file {path}: {}", sentence(&error)));
        }
    };
    match hold(file, &wish).await {
        Ok(Some(_held)) => machine.run(call).await,
        Ok(None) => Outcome::status(1),
        Err(error) => Outcome::failed(71, format!("flock: {path}: {}", sentence(&error))),
    }
}

/// Takes the lock of a file, of the kernel itself: it ends with the file. Nothing when it was not free in time.
async fn hold(file: File, wish: &Wish) -> io::Result<Option<File>> {
    let operation = if wish.is_shared {
        FlockOperation::NonBlockingLockShared
    } else {
        FlockOperation::NonBlockingLockExclusive
    };
    let begun = Instant::now();
    loop {
        match rustix::fs::flock(&file, operation) {
            Ok(()) => return Ok(Some(file)),
            Err(Errno::WOULDBLOCK) => {}
            Err(error) => return Err(error.into()),
        }
        if wish.patience.is_some_and(|patience| begun.elapsed() >= patience) {
            return Ok(None);
        }
        // Nobody is told when a lock becomes free, and a thread that waits in the kernel cannot be called back.
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}
