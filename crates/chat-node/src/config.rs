//! What a node is told when it starts, checked once, so that the rest of the program can trust it.
//!
//! The Redis URL is a secret: [`RedisAddress`] shows host and port only, and no error repeats the URL.

use std::fmt;
use std::time::Duration;

use http::HeaderValue;
use ipnet::IpNet;
use serde_json::{Map, Value};
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
    /// Networks of proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Who reads with each message how far it is, so that it can come back to what it missed.
    pub recovery: Recovery,
    /// How long `/healthz` says 503 before the clients are disconnected. At most [`Config::MAX_DRAIN_DELAY`].
    pub drain_delay: Duration,
    /// Over how long the clients are then disconnected. At most [`Config::MAX_DRAIN_SPREAD`].
    pub drain_spread: Duration,
    /// Bounds on what clients may cost.
    pub limits: Limits,
}

impl Config {
    /// A longer delay would not leave room for the rest of a drain within ten seconds.
    pub const MAX_DRAIN_DELAY: Duration = Duration::from_secs(3);
    /// The same for the time over which clients are disconnected.
    pub const MAX_DRAIN_SPREAD: Duration = Duration::from_secs(2);

    /// A node with the default limits.
    pub fn new(node_id: NodeId, redis: RedisAddress) -> Self {
        Self {
            node_id,
            redis,
            ping_interval: Duration::from_secs(10),
            ping_timeout: Duration::from_secs(10),
            allowed_origins: Vec::new(),
            trusted_proxies: Vec::new(),
            recovery: Recovery::Auto,
            drain_delay: Duration::from_millis(500),
            drain_spread: Duration::from_secs(1),
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
    /// Longest name, in characters.
    pub name_characters: usize,
    /// How many events one client may send a second in the long run.
    pub message_rate: u32,
    /// How many it may send at once.
    pub message_burst: u32,
    /// How many clients may be connected.
    pub connections: usize,
    /// How many of them from one address.
    pub connections_per_address: usize,
    /// How long a new connection may take to ask for something.
    pub handshake_timeout: Duration,
    /// Largest packet or polling body a client may send, in bytes; announced as `maxPayload`.
    pub payload_bytes: u32,
    /// Packets that may wait for one client before it counts as a slow reader and is cut off.
    pub queued_packets: usize,
    /// The same in bytes.
    pub queued_bytes: usize,
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
            name_characters: 64,
            message_rate: 20,
            message_burst: 200,
            connections: 20_000,
            connections_per_address: 1000,
            handshake_timeout: Duration::from_secs(10),
            payload_bytes: 64 * 1024,
            queued_packets: 4096,
            queued_bytes: 4 * 1024 * 1024,
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

/// What the rules of the chatroom know of the limits.
#[derive(Debug, Clone)]
pub struct ChatLimits {
    /// Longest message text, in characters.
    pub text_characters: usize,
    /// Longest name, in characters.
    pub name_characters: usize,
    /// How many events one client may send a second in the long run.
    pub rate: u32,
    /// How many it may send at once.
    pub burst: u32,
}

impl Limits {
    /// Those the chatroom itself minds.
    pub fn chat(&self) -> ChatLimits {
        ChatLimits {
            text_characters: self.text_characters,
            name_characters: self.name_characters,
            rate: self.message_rate,
            burst: self.message_burst,
        }
    }
}

/// Who reads with each message how far it is. That is one value more behind the text, which clients of other makers
/// than Socket.IO's JavaScript may not expect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recovery {
    /// Who shows to be a JavaScript client, or asks for it.
    Auto,
    /// Everybody.
    Always,
    /// Nobody.
    Never,
}

impl Recovery {
    /// Whether a client reads offsets, by what it calls its program and what it says when it joins.
    pub fn applies(self, user_agent: Option<&str>, auth: Option<&Map<String, Value>>) -> bool {
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Auto => {
                let asks = auth.is_some_and(|auth| {
                    auth.contains_key("pid") || auth.get("recovery") == Some(&Value::Bool(true))
                });
                let is_javascript = user_agent.is_none_or(|program| {
                    program.starts_with("Mozilla/") || program == "node-XMLHttpRequest"
                });
                // Without anything to say, JavaScript says nothing, and others say an empty object.
                asks || is_javascript && auth.is_none_or(|auth| !auth.is_empty())
            }
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
        "the allowed origin `{given}` is not usable: write scheme and host as a browser sends them, such as https://chat.example.com, or * for all"
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

/// The origin of a page, as browsers write it in the `Origin` header, or `*` for every page there is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin(HeaderValue);

impl Origin {
    const ANY: &str = "*";

    /// Accepts `http://host`, `https://host`, each with or without a port, and `*`. It is kept as a browser writes it:
    /// in small letters, and without the port that goes without saying.
    pub fn parse(given: &str) -> Result<Self, ConfigError> {
        if given == Self::ANY {
            return Ok(Self(HeaderValue::from_static(Self::ANY)));
        }
        let refuse = || ConfigError::Origin { given: given.to_owned() };
        let written = given.to_ascii_lowercase();
        let (scheme, place) = written.split_once("://").ok_or_else(refuse)?;
        let default_port = match scheme {
            "http" => 80,
            "https" => 443,
            _ => return Err(refuse()),
        };
        // The colons of an address of IPv6 are in brackets.
        let (host, port) = match place.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => {
                (host, Some(port.parse::<u16>().map_err(|_| refuse())?))
            }
            _ => (place, None),
        };
        let is_usable = !host.is_empty()
            && host.bytes().all(|byte| byte.is_ascii_graphic())
            && !host.contains(['/', '?', '#', '@', '*', ',']);
        if !is_usable {
            return Err(refuse());
        }
        let origin = match port.filter(|port| *port != default_port) {
            Some(port) => format!("{scheme}://{host}:{port}"),
            None => format!("{scheme}://{host}"),
        };
        HeaderValue::try_from(origin).map(Self).map_err(|_| refuse())
    }

    /// Whether it stands for every page.
    pub fn is_any(&self) -> bool {
        self.0 == Self::ANY
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
    fn who_reads_offsets_is_told_by_its_program_and_its_words() {
        let (javascript, python) = (Some("Mozilla/5.0"), Some("Python/3.11 aiohttp/3.9"));
        let auth = |value: Value| value.as_object().cloned();
        let table = [
            (None, None, true),
            (javascript, None, true),
            (Some("node-XMLHttpRequest"), None, true),
            (javascript, auth(serde_json::json!({"token": "x"})), true),
            (None, auth(serde_json::json!({})), false),
            (python, None, false),
            (python, auth(serde_json::json!({"token": "x"})), false),
            (python, auth(serde_json::json!({"recovery": true})), true),
            (python, auth(serde_json::json!({"recovery": "true"})), false),
            (python, auth(serde_json::json!({"pid": "x", "offset": "1-0"})), true),
        ];
        for (program, auth, expected) in table {
            assert_eq!(Recovery::Auto.applies(program, auth.as_ref()), expected, "{program:?} {auth:?}");
            assert!(Recovery::Always.applies(program, auth.as_ref()));
            assert!(!Recovery::Never.applies(program, auth.as_ref()));
        }
    }

    #[test]
    fn an_origin_has_no_path_and_no_wildcard_but_the_one_for_all() {
        assert!(Origin::parse("*").unwrap().is_any());
        assert!(!Origin::parse("https://a").unwrap().is_any());
        for (given, written) in [
            ("https://chat.example.com", "https://chat.example.com"),
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
            ("HTTPS://Chat.example.com:443", "https://chat.example.com"),
            ("https://a:80", "https://a:80"),
            ("http://[::1]", "http://[::1]"),
            ("http://[::1]:80", "http://[::1]"),
        ] {
            assert_eq!(Origin::parse(given).unwrap().header(), written, "{given}");
        }
        for refused in [
            "**",
            "chat.example.com",
            "https://",
            "https://:80",
            "https://a:x",
            "https://a/b",
            "https://*.example.com",
            "ftp://a",
        ] {
            assert!(Origin::parse(refused).is_err(), "{refused:?} was accepted");
        }
    }
}
