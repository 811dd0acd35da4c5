//! The two codecs: an Engine.IO packet is one WebSocket text message, and type 4 carries a Socket.IO packet.
//!
//! Sources: the protocol documents of Engine.IO (revision 4) and Socket.IO (revision 5).

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Text that is no packet.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a packet we understand ({problem}): `{text}`")]
pub struct PacketError {
    problem: &'static str,
    text: String,
}

impl PacketError {
    fn new(problem: &'static str, text: &str) -> Self {
        Self { problem, text: text.chars().take(80).collect() }
    }
}

/// What a server says first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Handshake {
    /// The transport session's id.
    pub sid: String,
    /// Transports it could change to.
    #[serde(default)]
    pub upgrades: Vec<String>,
    /// Milliseconds between pings.
    pub ping_interval: u64,
    /// Milliseconds a pong may take.
    pub ping_timeout: u64,
    /// Largest message in bytes.
    #[serde(default)]
    pub max_payload: u64,
}

impl Handshake {
    /// How long silence may last before the connection counts as dead.
    pub fn silence(&self) -> Duration {
        Duration::from_millis(self.ping_interval.saturating_add(self.ping_timeout))
    }
}

/// An Engine.IO packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EnginePacket {
    /// The server's first word.
    Open(Handshake),
    /// The other side leaves.
    Close,
    /// Asks for a pong with the same text.
    Ping(String),
    /// Answers a ping.
    Pong(String),
    /// Carries a Socket.IO packet.
    Message(Packet),
    /// Ends a change of transport.
    Upgrade,
    /// Nothing.
    Noop,
}

/// A Socket.IO packet. The namespace is `/` unless told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Packet {
    /// Joins a namespace, or says that one was joined.
    Connect {
        /// Which one.
        namespace: String,
        /// The client's credentials, or the server's `{"sid": ..}`.
        data: Option<Value>,
    },
    /// Leaves a namespace.
    Disconnect {
        /// Which one.
        namespace: String,
    },
    /// An event.
    Event {
        /// Where.
        namespace: String,
        /// Wants to be acknowledged under this number.
        id: Option<u64>,
        /// Its name.
        name: String,
        /// What it carries.
        arguments: Vec<Value>,
    },
    /// Acknowledges an event.
    Ack {
        /// Where.
        namespace: String,
        /// The event's number.
        id: u64,
        /// What the acknowledgement carries.
        arguments: Vec<Value>,
    },
    /// A namespace may not be joined.
    ConnectError {
        /// Which one.
        namespace: String,
        /// Why, usually `{"message": ..}`.
        data: Option<Value>,
    },
}

impl EnginePacket {
    /// Reads one text message.
    ///
    /// # Errors
    /// When it is not a packet; binary Socket.IO packets count as such.
    pub fn parse(text: &str) -> Result<Self, PacketError> {
        let mut characters = text.chars();
        let kind = characters.next();
        let rest = characters.as_str();
        match kind {
            Some('0') => {
                serde_json::from_str(rest).map(Self::Open).map_err(|_| PacketError::new("no handshake", text))
            }
            Some('1') => Ok(Self::Close),
            Some('2') => Ok(Self::Ping(rest.to_owned())),
            Some('3') => Ok(Self::Pong(rest.to_owned())),
            Some('4') => Packet::parse(rest).map(Self::Message),
            Some('5') => Ok(Self::Upgrade),
            Some('6') => Ok(Self::Noop),
            Some(_) | None => Err(PacketError::new("unknown type", text)),
        }
    }

    /// The text message.
    pub fn encode(&self) -> String {
        match self {
            Self::Open(handshake) => {
                format!("0{}", serde_json::json!(handshake))
            }
            Self::Close => "1".to_owned(),
            Self::Ping(text) => format!("2{text}"),
            Self::Pong(text) => format!("3{text}"),
            Self::Message(packet) => format!("4{}", packet.encode()),
            Self::Upgrade => "5".to_owned(),
            Self::Noop => "6".to_owned(),
        }
    }
}

impl Packet {
    /// An event with one string, as the chatroom sends them.
    pub fn event(name: &str, text: &str) -> Self {
        Self::Event {
            namespace: "/".to_owned(),
            id: None,
            name: name.to_owned(),
            arguments: vec![Value::String(text.to_owned())],
        }
    }

    fn parse(text: &str) -> Result<Self, PacketError> {
        let fault = |problem| PacketError::new(problem, text);
        let mut characters = text.chars();
        let kind = characters.next().ok_or_else(|| fault("empty message"))?;
        let (namespace, rest) = split_namespace(characters.as_str());
        let (id, rest) = split_number(rest);
        let data = match rest {
            "" => None,
            json => Some(serde_json::from_str::<Value>(json).map_err(|_| fault("no JSON"))?),
        };
        match (kind, data, id) {
            ('0', data, None) => Ok(Self::Connect { namespace, data }),
            ('1', None, None) => Ok(Self::Disconnect { namespace }),
            ('2', Some(Value::Array(mut arguments)), id) if !arguments.is_empty() => {
                match arguments.remove(0) {
                    Value::String(name) => Ok(Self::Event { namespace, id, name, arguments }),
                    Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
                        Err(fault("an event without a name"))
                    }
                }
            }
            ('3', Some(Value::Array(arguments)), Some(id)) => Ok(Self::Ack { namespace, id, arguments }),
            ('4', data, None) => Ok(Self::ConnectError { namespace, data }),
            ('5' | '6', ..) => Err(fault("binary packet")),
            _ => Err(fault("malformed")),
        }
    }

    fn encode(&self) -> String {
        let tail = |data: &Option<Value>| data.as_ref().map(Value::to_string).unwrap_or_default();
        match self {
            Self::Connect { namespace, data } => format!("0{}{}", prefix(namespace), tail(data)),
            Self::Disconnect { namespace } => format!("1{}", prefix(namespace)),
            Self::Event { namespace, id, name, arguments } => {
                let id = id.map(|id| id.to_string()).unwrap_or_default();
                let all: Vec<Value> =
                    std::iter::once(Value::String(name.clone())).chain(arguments.iter().cloned()).collect();
                format!("2{}{id}{}", prefix(namespace), Value::Array(all))
            }
            Self::Ack { namespace, id, arguments } => {
                format!("3{}{id}{}", prefix(namespace), Value::Array(arguments.clone()))
            }
            Self::ConnectError { namespace, data } => format!("4{}{}", prefix(namespace), tail(data)),
        }
    }
}

/// The main namespace is not written.
fn prefix(namespace: &str) -> String {
    if namespace == "/" { String::new() } else { format!("{namespace},") }
}

fn split_namespace(text: &str) -> (String, &str) {
    if !text.starts_with('/') {
        return ("/".to_owned(), text);
    }
    let (namespace, rest) = text.split_once(',').unwrap_or((text, ""));
    (namespace.to_owned(), rest)
}

fn split_number(text: &str) -> (Option<u64>, &str) {
    let end = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
    match text[..end].parse() {
        Ok(number) => (Some(number), &text[end..]),
        Err(_) => (None, text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn packets_as_the_documents_show_them() {
        let space = || "/".to_owned();
        for (text, packet) in [
            ("40", Packet::Connect { namespace: space(), data: None }),
            ("40{\"sid\":\"x\"}", Packet::Connect { namespace: space(), data: Some(json!({"sid": "x"})) }),
            ("41/admin,", Packet::Disconnect { namespace: "/admin".to_owned() }),
            ("42[\"message\",\"hi\"]", Packet::event("message", "hi")),
            (
                "42/admin,456[\"project:delete\",123]",
                Packet::Event {
                    namespace: "/admin".to_owned(),
                    id: Some(456),
                    name: "project:delete".to_owned(),
                    arguments: vec![json!(123)],
                },
            ),
            ("4312[]", Packet::Ack { namespace: space(), id: 12, arguments: Vec::new() }),
            (
                "44{\"message\":\"Not authorized\"}",
                Packet::ConnectError { namespace: space(), data: Some(json!({"message": "Not authorized"})) },
            ),
        ] {
            let packet = EnginePacket::Message(packet);
            assert_eq!(EnginePacket::parse(text).unwrap(), packet);
            assert_eq!(packet.encode(), text);
        }
        let text = "0{\"sid\":\"a\",\"upgrades\":[],\"pingInterval\":10000,\"pingTimeout\":10000,\"maxPayload\":1000000}";
        let EnginePacket::Open(handshake) = EnginePacket::parse(text).unwrap() else { panic!() };
        assert_eq!(handshake.silence(), Duration::from_secs(20));
        let open = EnginePacket::Open(handshake);
        assert_eq!(EnginePacket::parse(&open.encode()).unwrap(), open);
    }

    #[test]
    fn what_is_no_packet_is_an_error() {
        for text in ["", "9", "4", "42", "42[]", "42[1]", "42{", "451-[\"x\"]", "0nonsense", "43[]", "4112"] {
            assert!(EnginePacket::parse(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn events_come_back_as_they_went(name in ".{0,20}", text in ".{0,60}", id in any::<Option<u32>>()) {
            let packet = EnginePacket::Message(Packet::Event {
                namespace: "/".to_owned(), id: id.map(u64::from), name, arguments: vec![json!(text)],
            });
            prop_assert_eq!(EnginePacket::parse(&packet.encode()).unwrap(), packet);
        }

        #[test]
        fn no_text_panics(text in ".{0,60}") {
            let _ = EnginePacket::parse(&text);
        }
    }
}
