//! What systemd is told, when it has started the program and wants to know: ready, stopping, still alive.
//!
//! A word is one datagram to the socket that `NOTIFY_SOCKET` names. Where nobody listens, nothing is said; and nobody
//! who listens badly holds up the node, so a word that finds no room is dropped.

use std::env;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

/// Clients can connect.
pub fn ready() {
    tell("READY=1");
}

/// The node drains.
pub fn stopping() {
    tell("STOPPING=1");
}

/// Says at intervals that the runtime still runs tasks, if systemd watches for that. Never returns then.
pub async fn keep_watchdog() {
    let variable = |name| env::var(name).ok();
    let period = period(variable("WATCHDOG_USEC").as_deref(), variable("WATCHDOG_PID").as_deref());
    let Some(period) = period else {
        return;
    };
    let mut tick = interval(period / 2);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        tell("WATCHDOG=1");
    }
}

/// How long this process may be silent. A watch over another one, whose environment it got, is none of its own.
fn period(microseconds: Option<&str>, watched: Option<&str>) -> Option<Duration> {
    let is_ours = watched.is_none_or(|process| process == std::process::id().to_string());
    let microseconds = microseconds?.parse().ok().filter(|microseconds| *microseconds >= 2 && is_ours)?;
    Some(Duration::from_micros(microseconds))
}

fn tell(word: &str) {
    if let Err(error) = send(word) {
        tracing::warn!(word, %error, "systemd could not be told");
    }
}

fn send(word: &str) -> io::Result<()> {
    let Some(name) = env::var_os("NOTIFY_SOCKET") else {
        return Ok(());
    };
    // A leading `@` stands for the zero byte of a name that is in no file system.
    let address = match name.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
        _ => SocketAddr::from_pathname(&name)?,
    };
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    match socket.send_to_addr(word.as_bytes(), &address) {
        Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_watch_over_this_process_counts() {
        let own = std::process::id().to_string();
        let second = Some(Duration::from_secs(1));
        assert_eq!(period(Some("1000000"), Some(&own)), second);
        assert_eq!(period(Some("1000000"), None), second);
        assert_eq!(period(Some("1000000"), Some("1")), None);
        assert_eq!(period(None, Some(&own)), None);
        for refused in ["", "0", "1", "-5", "soon"] {
            assert_eq!(period(Some(refused), None), None, "{refused:?} was accepted");
        }
    }
}
