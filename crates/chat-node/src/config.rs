//! What a node is told when it starts, checked once, so that the rest of the program can trust it.
//!
//! The Redis URL is a secret: [`RedisAddress`] shows host and port only, and no error here repeats the URL.

use std::fmt;
use std::time::Duration;

use http::HeaderValue;
use thiserror::Error;

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
    /// About how many messages the stream keeps.
    pub stream_length: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            text_characters: 4096,
            payload_bytes: 64 * 1024,
            queued_packets: 4096,
            write_stall: Duration::from_secs(20),
            session_lifetime: Duration::from_mins(1),
            stream_length: 10_000,
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
    /// Not a URL Redis can be reached by. The URL itself is a secret and left out.
    #[error(
        "the Redis URL is not usable: write redis://HOST:PORT/0, or redis://:PASSWORD@HOST:PORT/0 with a percent-encoded password"
    )]
    RedisUrl,
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

/// Where Redis is and how to log in; shows host and port only.
#[derive(Clone)]
pub struct RedisAddress(redis::Client);

impl RedisAddress {
    /// Reads a `redis://` URL. Nothing is connected yet.
    pub fn parse(url: &str) -> Result<Self, ConfigError> {
        use redis::IntoConnectionInfo;
        let information = url.into_connection_info().map_err(|_| ConfigError::RedisUrl)?;
        if !information.addr().is_supported() {
            return Err(ConfigError::RedisUrl);
        }
        // CLIENT SETINFO is unknown before Redis 7.2 and of no use to anybody here.
        let settings = information.redis_settings().clone().set_skip_set_lib_name();
        let settings = settings.set_protocol(redis::ProtocolVersion::RESP2);
        let transport = information.tcp_settings().clone().set_nodelay(true);
        let information = information.set_redis_settings(settings).set_tcp_settings(transport);
        redis::Client::open(information).map(Self).map_err(|_| ConfigError::RedisUrl)
    }

    /// The client that connects there.
    pub(crate) fn client(&self) -> &redis::Client {
        &self.0
    }
}

impl fmt::Display for RedisAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.0.get_connection_info().addr())
    }
}

impl fmt::Debug for RedisAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "RedisAddress({self})")
    }
}

/// The origin of a page, as browsers write it in the `Origin` header, or `*` for every page there is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin(HeaderValue);

impl Origin {
    const ANY: &str = "*";

    /// Accepts `http://host`, `https://host`, each with or without a port, and `*`.
    pub fn parse(given: &str) -> Result<Self, ConfigError> {
        if given == Self::ANY {
            return Ok(Self(HeaderValue::from_static(Self::ANY)));
        }
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
    fn a_url_that_is_not_of_redis_is_refused_without_repeating_it() {
        for given in ["http://:hunter2@10.0.0.3", "hunter2", "", "rediss://:hunter2@10.0.0.3:6379/0"] {
            let error = RedisAddress::parse(given).unwrap_err();
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn an_origin_has_no_path_and_no_wildcard_but_the_one_for_all() {
        assert!(Origin::parse("*").unwrap().is_any());
        assert!(!Origin::parse("https://a").unwrap().is_any());
        assert!(Origin::parse("https://chat.example.com").is_ok());
        assert!(Origin::parse("http://127.0.0.1:8080").is_ok());
        for refused in
            ["**", "chat.example.com", "https://", "https://a/b", "https://*.example.com", "ftp://a"]
        {
            assert!(Origin::parse(refused).is_err(), "{refused:?} was accepted");
        }
    }
}
