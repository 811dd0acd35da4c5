//! What a node is told when it starts, checked once, so that the rest of the program can trust it.
//!
//! The Redis URL is a secret: [`RedisAddress`] shows host and port only, and no error repeats the URL.

use std::fmt;
use std::time::Duration;

use axum::http::HeaderValue;
use thiserror::Error;

use crate::bus::{self, RedisAddress};
use crate::history::Bounds;

/// Everything [`crate::serve`] needs besides its socket.
#[derive(Debug, Clone)]
pub struct Config {
    /// The name of this node in `X-Chat-Node`, in metrics and in session hashes.
    pub node_id: NodeId,
    /// Where sessions and messages live.
    pub redis: RedisAddress,
    /// How often a client is pinged. Must stay below the load balancer's idle timeout.
    pub ping_interval: Duration,
    /// How long a client may take to answer a ping.
    pub ping_timeout: Duration,
    /// Origins of other sites' pages that may use this node from a browser.
    pub allowed_origins: Vec<Origin>,
    /// How long `/healthz` says 503 before the clients are disconnected. At most [`Config::MAX_DRAIN_DELAY`].
    pub drain_delay: Duration,
    /// Bounds on what one client may cost.
    pub limits: Limits,
}

impl Config {
    /// A longer delay would not leave room for the rest of a drain within ten seconds.
    pub const MAX_DRAIN_DELAY: Duration = Duration::from_secs(3);

    /// A node with the default limits.
    pub fn new(node_id: NodeId, redis: RedisAddress) -> Self {
        Self {
            node_id,
            redis,
            ping_interval: Duration::from_secs(10),
            ping_timeout: Duration::from_secs(10),
            allowed_origins: Vec::new(),
            drain_delay: Duration::from_millis(500),
            limits: Limits::default(),
        }
    }
}

impl Config {
    /// What the way to Redis needs to know.
    pub fn bus(&self) -> bus::Settings {
        let limits = &self.limits;
        bus::Settings {
            address: self.redis.clone(),
            node_id: self.node_id.as_str().to_owned(),
            stream_length: limits.stream_length,
            stream_bytes: limits.stream_bytes,
            kept_messages: limits.kept_messages,
            kept_bytes: limits.kept_bytes,
            keep_for: limits.keep_for,
            recovery_window: limits.recovery_window,
            session_lifetime: limits.session_lifetime,
            // A copy of what waited somewhere comes later than the first by as long as it waited.
            history: Bounds {
                age: limits.recovery_window + limits.keep_for,
                entries: limits.history_messages,
                bytes: limits.history_bytes,
            },
        }
    }
}

/// Bounds on memory and time.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Longest message text, in characters.
    pub text_characters: usize,
    /// Largest packet or polling body a client may send, in bytes; announced as `maxPayload`.
    pub payload_bytes: u32,
    /// Packets that may wait for one client before it counts as a slow reader and is cut off.
    pub queued_packets: usize,
    /// How long one client's TCP connection may accept no byte while something waits to be written.
    pub write_stall: Duration,
    /// How long a session hash outlives its node; refreshed three times in that span.
    pub session_lifetime: Duration,
    /// About how many messages the stream keeps at most. Those older than [`Limits::recovery_window`] and two minutes
    /// go anyway.
    pub stream_length: usize,
    /// About how many bytes of them, so that long messages do not fill the memory of Redis.
    pub stream_bytes: usize,
    /// For how long a client that is gone may come back to what it missed.
    pub recovery_window: Duration,
    /// How many messages a node remembers for clients that come back.
    pub history_messages: usize,
    /// How many bytes of them.
    pub history_bytes: usize,
    /// How many messages may wait while Redis is away.
    pub kept_messages: usize,
    /// How many bytes of them.
    pub kept_bytes: usize,
    /// For how long one may wait.
    pub keep_for: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            text_characters: 4096,
            payload_bytes: 64 * 1024,
            queued_packets: 4096,
            write_stall: Duration::from_secs(20),
            session_lifetime: Duration::from_mins(1),
            stream_length: 100_000,
            stream_bytes: 64 * 1024 * 1024,
            recovery_window: Duration::from_mins(2),
            history_messages: 100_000,
            history_bytes: 64 * 1024 * 1024,
            kept_messages: 10_000,
            kept_bytes: 16 * 1024 * 1024,
            // A minute, and the time it takes to notice that Redis is back.
            keep_for: Duration::from_secs(65),
        }
    }
}

/// A setting that cannot be used.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum ConfigError {
    /// A node id that does not fit into an HTTP header.
    #[error(
        "the node id `{given}` is not usable: it takes 1 to 128 visible ASCII characters without blanks and quotes"
    )]
    NodeId {
        /// What was given.
        given: String,
    },
    /// An origin is scheme, host and port only.
    #[error(
        "the allowed origin `{given}` is not usable: write scheme and host as a browser sends them, such as https://chat.example.com"
    )]
    Origin {
        /// What was given.
        given: String,
    },
}

/// The name of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeId {
    text: String,
    header: HeaderValue,
}

impl NodeId {
    /// Accepts what is safe as a header value and as a metric label.
    pub fn parse(given: &str) -> Result<Self, ConfigError> {
        let usable = (1..=128).contains(&given.len())
            && given.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\');
        match HeaderValue::from_str(given) {
            Ok(header) if usable => Ok(Self { text: given.to_owned(), header }),
            _ => Err(ConfigError::NodeId { given: given.to_owned() }),
        }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The value of `X-Chat-Node`.
    pub fn header(&self) -> HeaderValue {
        self.header.clone()
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

/// The origin of a page, as browsers write it in the `Origin` header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin(HeaderValue);

impl Origin {
    /// Accepts `http://host`, `https://host`, each with or without a port.
    pub fn parse(given: &str) -> Result<Self, ConfigError> {
        let refuse = || ConfigError::Origin { given: given.to_owned() };
        let host =
            given.strip_prefix("http://").or_else(|| given.strip_prefix("https://")).ok_or_else(refuse)?;
        let usable = !host.is_empty()
            && host.bytes().all(|byte| byte.is_ascii_graphic())
            && !host.contains(['/', '?', '#', '@', '*', ',']);
        if !usable {
            return Err(refuse());
        }
        HeaderValue::from_str(given).map(Self).map_err(|_| refuse())
    }

    /// The value to compare the `Origin` header with.
    pub fn header(&self) -> HeaderValue {
        self.0.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_id_must_fit_into_a_header() {
        assert_eq!(NodeId::parse("ecs01").unwrap().as_str(), "ecs01");
        for refused in ["", "two words", "quote\"", "line\nbreak", "ümlaut", &"x".repeat(129)] {
            assert!(NodeId::parse(refused).is_err(), "{refused:?} was accepted");
        }
    }

    #[test]
    fn the_password_of_redis_is_never_shown() {
        let address = RedisAddress::parse("redis://:hunter2@10.0.0.3:6379/0").unwrap();
        let shown =
            format!("{address} {address:?} {:?}", Config::new(NodeId::parse("n").unwrap(), address.clone()));
        assert!(shown.contains("10.0.0.3:6379"), "{shown}");
        assert!(!shown.contains("hunter2"), "{shown}");
    }

    #[test]
    fn an_origin_has_no_path_and_no_wildcard() {
        assert!(Origin::parse("https://chat.example.com").is_ok());
        assert!(Origin::parse("http://127.0.0.1:8080").is_ok());
        for refused in
            ["*", "chat.example.com", "https://", "https://a/b", "https://*.example.com", "ftp://a"]
        {
            assert!(Origin::parse(refused).is_err(), "{refused:?} was accepted");
        }
    }
}
