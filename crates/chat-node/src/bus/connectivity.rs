//! Whether Redis takes our writes and whether the stream is being read: the truth behind `/readyz`.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;

/// One of the two connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Messages and sessions go out.
    Write,
    /// The stream comes in.
    Read,
}

impl fmt::Display for Side {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Side::Write => "writing to redis",
            Side::Read => "reading from redis",
        })
    }
}

/// The state of both connections.
#[derive(Debug)]
pub struct Connectivity {
    /// For each side, why it does not work.
    trouble: Mutex<[Option<String>; 2]>,
    /// Wakes the writer to look whether its connection still lives.
    suspicion: Notify,
}

impl Default for Connectivity {
    fn default() -> Self {
        let unknown = || Some("not connected yet".to_owned());
        Self { trouble: Mutex::new([unknown(), unknown()]), suspicion: Notify::new() }
    }
}

impl Connectivity {
    /// A side works. Logged when it did not before.
    pub fn up(&self, side: Side) {
        if self.replace(side, None).is_some() {
            tracing::info!("{side} works");
        }
    }

    /// A side does not work, and why. Logged when the reason is new.
    pub fn down(&self, side: Side, reason: &str) {
        if self.replace(side, Some(reason.to_owned())).as_deref() != Some(reason) {
            tracing::warn!(reason, "{side} does not work");
        }
    }

    /// Whether a side works.
    pub fn is_up(&self, side: Side) -> bool {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)[side as usize].is_none()
    }

    /// Ok when both sides work, else a sentence for each that does not.
    pub fn ready(&self) -> Result<(), String> {
        let trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        let sides = [Side::Write, Side::Read];
        let reasons: Vec<String> = sides
            .into_iter()
            .filter_map(|side| Some(format!("{side} does not work: {}", trouble[side as usize].as_ref()?)))
            .collect();
        if reasons.is_empty() { Ok(()) } else { Err(reasons.join("; ")) }
    }

    /// Asks the writer to look at its connection now rather than at its next turn.
    pub fn suspect(&self) {
        self.suspicion.notify_one();
    }

    /// Returns when somebody suspects the connection.
    pub async fn suspected(&self) {
        self.suspicion.notified().await;
    }

    fn replace(&self, side: Side, trouble: Option<String>) -> Option<String> {
        let mut both = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut both[side as usize], trouble)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_ready_only_when_both_sides_work() {
        let connectivity = Connectivity::default();
        assert!(connectivity.ready().is_err());
        connectivity.up(Side::Write);
        assert_eq!(
            connectivity.ready(),
            Err("reading from redis does not work: not connected yet".to_owned())
        );
        connectivity.up(Side::Read);
        assert_eq!(connectivity.ready(), Ok(()));
        connectivity.down(Side::Write, "connection refused");
        assert_eq!(
            connectivity.ready(),
            Err("writing to redis does not work: connection refused".to_owned())
        );
    }
}
