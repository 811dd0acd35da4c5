//! Whether Redis takes our messages, whether the stream is being read, and whether sessions are kept: the truth behind
//! `/readyz`.

use std::fmt::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::measures::Measures;
use super::trouble::{Reason, Trouble};

/// One of the three connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Messages go out.
    Write,
    /// The stream comes in.
    Read,
    /// Sessions are kept.
    Sessions,
}

impl Side {
    /// All there are.
    pub const ALL: [Self; 3] = [Self::Write, Self::Read, Self::Sessions];

    /// The value of the label in metrics.
    pub fn label(self) -> &'static str {
        match self {
            Self::Write => "write",
            Self::Read => "read",
            Self::Sessions => "sessions",
        }
    }
}

impl fmt::Display for Side {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Write => "writing to redis",
            Self::Read => "reading from redis",
            Self::Sessions => "keeping sessions in redis",
        })
    }
}

/// The state of all connections.
#[derive(Debug)]
pub struct Connectivity {
    /// For each side, why it does not work.
    trouble: Mutex<[Option<Trouble>; Side::ALL.len()]>,
    /// Wakes the writer to look whether its connection still lives.
    suspicion: Notify,
    measures: Arc<Measures>,
}

impl Connectivity {
    /// Nothing is connected yet.
    pub fn new(measures: Arc<Measures>) -> Self {
        let unknown = || Some(Trouble::new(Reason::Connection, "not connected yet"));
        Self { trouble: Mutex::new(std::array::from_fn(|_| unknown())), suspicion: Notify::new(), measures }
    }

    /// A side works. Logged when it did not before.
    pub fn up(&self, side: Side) {
        if self.replace(side, None).is_some() {
            tracing::info!("{side} works");
        }
    }

    /// A side does not work, and why. Logged and counted when the reason is new.
    pub fn down(&self, side: Side, trouble: &Trouble) {
        let before = self.replace(side, Some(trouble.clone()));
        if before.as_ref() != Some(trouble) {
            self.measures.troubles[side as usize][trouble.reason as usize].increment();
            tracing::warn!(reason = trouble.sentence, "{side} does not work");
        }
    }

    /// Whether a side works.
    pub fn is_up(&self, side: Side) -> bool {
        self.lock()[side as usize].is_none()
    }

    /// Ok when all sides work, else a sentence for each that does not.
    pub fn ready(&self) -> Result<(), String> {
        let trouble = self.lock();
        let reasons = Side::ALL.into_iter().filter_map(|side| {
            let reason = trouble[side as usize].as_ref()?;
            Some(format!("{side} does not work: {reason}"))
        });
        let reasons: Vec<String> = reasons.collect();
        if reasons.is_empty() { Ok(()) } else { Err(reasons.join("; ")) }
    }

    /// Appends the text of `/metrics`.
    pub(super) fn write(&self, text: &mut String) {
        for side in Side::ALL {
            let (name, up) = (format!("chat_redis_{}_up", side.label()), u8::from(self.is_up(side)));
            let line = writeln!(text, "# HELP {name} 1 when {side} works.\n# TYPE {name} gauge\n{name} {up}");
            line.expect("writing to a string does not fail");
        }
    }

    /// Asks the writer to look at its connection now rather than at its next turn.
    pub fn suspect(&self) {
        self.suspicion.notify_one();
    }

    /// Returns when somebody suspects the connection.
    pub async fn suspected(&self) {
        self.suspicion.notified().await;
    }

    fn replace(&self, side: Side, trouble: Option<Trouble>) -> Option<Trouble> {
        std::mem::replace(&mut self.lock()[side as usize], trouble)
    }

    /// Nothing here panics while it holds the lock, so what a poisoned one guards is whole.
    fn lock(&self) -> MutexGuard<'_, [Option<Trouble>; Side::ALL.len()]> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::super::budget::Budget;
    use super::*;

    #[test]
    fn it_is_ready_only_when_all_sides_work() {
        let measures = Arc::new(Measures::new(Arc::new(Budget::new(1, 1))));
        let connectivity = Connectivity::new(measures.clone());
        connectivity.up(Side::Write);
        connectivity.up(Side::Sessions);
        assert_eq!(
            connectivity.ready(),
            Err("reading from redis does not work: not connected yet".to_owned())
        );
        connectivity.up(Side::Read);
        assert_eq!(connectivity.ready(), Ok(()));
        let mut text = String::new();
        connectivity.write(&mut text);
        assert!(text.contains("# TYPE chat_redis_read_up gauge\nchat_redis_read_up 1\n"), "{text}");
        let full = Trouble::new(Reason::Memory, "the memory is full");
        for _ in 0..3 {
            connectivity.down(Side::Write, &full);
        }
        assert_eq!(
            connectivity.ready(),
            Err("writing to redis does not work: the memory is full".to_owned())
        );
        assert_eq!(measures.troubles[Side::Write as usize][Reason::Memory as usize].get(), 1);
    }
}
