//! What the transports count.

use super::close::CloseReason;
use super::requests::Refusal;
use crate::metrics::Counter;

/// Counters of one server.
#[derive(Debug, Default)]
pub struct Counts {
    /// Sessions that began with polling.
    pub opened_polling: Counter,
    /// Sessions that began as WebSocket.
    pub opened_websocket: Counter,
    /// Sessions that moved from polling to WebSocket.
    pub upgraded: Counter,
    /// Packets received.
    pub packets_in: Counter,
    /// Packets written, each once a client.
    pub packets_out: Counter,
    /// Bytes written, headers of HTTP not counted.
    pub bytes_out: Counter,
    closed: [Counter; CloseReason::ALL.len()],
    refused: [Counter; Refusal::ALL.len()],
}

impl Counts {
    pub(super) fn closed(&self, reason: CloseReason) {
        self.closed[reason as usize].increment();
    }

    pub(super) fn refused(&self, refusal: Refusal) {
        self.refused[refusal as usize].increment();
    }

    /// How many sessions ended for each reason.
    pub fn closes(&self) -> impl Iterator<Item = (CloseReason, u64)> {
        CloseReason::ALL.into_iter().map(|reason| (reason, self.closed[reason as usize].get()))
    }

    /// How many requests were refused for each reason.
    pub fn refusals(&self) -> impl Iterator<Item = (Refusal, u64)> {
        Refusal::ALL.into_iter().map(|refusal| (refusal, self.refused[refusal as usize].get()))
    }
}
