//! Why a session ended: what the layer above is told, what the log says, and what a WebSocket client reads.

use std::fmt;

/// The reason of an end. The text of each is that of the protocol's documentation where it has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CloseReason {
    /// The client closed the session, or its connection ended.
    TransportClose,
    /// The connection failed, or was used in a way the transport does not allow.
    TransportError,
    /// No answer to a heartbeat.
    PingTimeout,
    /// What the client sent is no packet.
    ParseError,
    /// The client sent more in one packet than it may.
    TooLarge,
    /// The layer above ended it because of what the client did or did not do there.
    ForcedClose,
    /// The client joined nothing in time.
    NotJoined,
    /// More waits for the client than its queue holds.
    SlowReader,
    /// Nothing could be written for too long.
    WriteStall,
    /// The client went on sending more than it may.
    RateLimit,
    /// The server ends or moves its clients.
    ShuttingDown,
}

impl CloseReason {
    /// Every reason, for metrics.
    pub const ALL: [Self; 11] = [
        Self::TransportClose,
        Self::TransportError,
        Self::PingTimeout,
        Self::ParseError,
        Self::TooLarge,
        Self::ForcedClose,
        Self::NotJoined,
        Self::SlowReader,
        Self::WriteStall,
        Self::RateLimit,
        Self::ShuttingDown,
    ];

    /// The reason in words.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TransportClose => "transport close",
            Self::TransportError => "transport error",
            Self::PingTimeout => "ping timeout",
            Self::ParseError => "parse error",
            Self::TooLarge => "packet too large",
            Self::ForcedClose => "forced close",
            Self::NotJoined => "no namespace joined",
            Self::SlowReader => "client does not keep up",
            Self::WriteStall => "write stalled",
            Self::RateLimit => "too many messages",
            Self::ShuttingDown => "server shutting down",
        }
    }

    /// The reason as the value of a metric's label.
    pub fn label(self) -> &'static str {
        match self {
            Self::TransportClose => "transport_close",
            Self::TransportError => "transport_error",
            Self::PingTimeout => "ping_timeout",
            Self::ParseError => "parse_error",
            Self::TooLarge => "too_large",
            Self::ForcedClose => "forced_close",
            Self::NotJoined => "not_joined",
            Self::SlowReader => "slow_reader",
            Self::WriteStall => "write_stall",
            Self::RateLimit => "rate_limit",
            Self::ShuttingDown => "shutting_down",
        }
    }

    /// The status code of the WebSocket's close frame.
    pub fn websocket_code(self) -> u16 {
        match self {
            Self::TransportClose => 1000,
            Self::ShuttingDown => 1001,
            Self::TransportError | Self::ParseError => 1002,
            Self::TooLarge => 1009,
            Self::PingTimeout | Self::ForcedClose | Self::NotJoined | Self::RateLimit => 1008,
            // The client did nothing that is forbidden, and may come again.
            Self::SlowReader | Self::WriteStall => 1013,
        }
    }

    /// Whether a client of long-polling is told with its next request. Where it used the transport wrongly, or is
    /// not heard of any more, the session is gone at once.
    pub(super) fn is_told_later(self) -> bool {
        !matches!(self, Self::TransportError | Self::ParseError | Self::PingTimeout | Self::TooLarge)
    }
}

impl fmt::Display for CloseReason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_fit_into_a_close_frame_and_have_labels_of_their_own() {
        let labels: std::collections::HashSet<_> = CloseReason::ALL.map(CloseReason::label).into();
        assert_eq!(labels.len(), CloseReason::ALL.len());
        for reason in CloseReason::ALL {
            assert!(reason.to_string().len() <= 123);
            assert!((1000..=1013).contains(&reason.websocket_code()));
        }
    }
}
