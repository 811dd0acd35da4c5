//! Packets of Socket.IO 5: a type, attachments, a namespace, an id, JSON; and the bytes that follow a binary one.
//!
//! `<type>[<attachments>-][<namespace>,][<id>][<JSON>]`, as in `2["message","hello"]` or
//! `51-/files,7["upload",{"_placeholder":true,"num":0}]`.

use std::borrow::Cow;

use bytes::Bytes;
use serde_json::{Map, Value};
use thiserror::Error;

use crate::engine_io::{Encoded, TextPacket};

/// The namespace everybody means who names none.
pub const MAIN: &str = "/";
/// Longest name of a namespace, in bytes.
const LONGEST_NAMESPACE: usize = 128;
/// Most attachments of a packet.
const MOST_ATTACHMENTS: usize = 10;
/// Names of events that mean something else to one of the sides.
const RESERVED: [&str; 6] =
    ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"];

/// What a client sent is no packet. It cannot be known what the client meant, so its connection ends.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
pub enum BadPacket {
    /// Nothing, or a type nobody knows.
    #[error("unknown packet type")]
    UnknownType,
    /// A binary packet without a count of attachments, or with too many.
    #[error("illegal attachments")]
    IllegalAttachments,
    /// A namespace whose name is too long.
    #[error("illegal namespace")]
    IllegalNamespace,
    /// An id that is too large, or missing where one must be.
    #[error("illegal id")]
    IllegalId,
    /// JSON that is none, or not what the type of packet carries.
    #[error("invalid payload")]
    InvalidPayload,
    /// Text while attachments are awaited, or bytes while none are.
    #[error("attachments out of place")]
    OutOfPlace,
}

/// The values of an event or an acknowledgement. Where one holds bytes, the values have a placeholder with a number,
/// and the bytes are the attachment of that number.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Arguments {
    /// The values.
    pub values: Vec<Value>,
    /// The bytes.
    pub attachments: Vec<Bytes>,
}

impl<V: Into<Value>> From<Vec<V>> for Arguments {
    fn from(values: Vec<V>) -> Self {
        Self { values: values.into_iter().map(Into::into).collect(), attachments: Vec::new() }
    }
}

/// An event of a client.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Its name; numbers are taken as their text.
    pub name: String,
    /// What it carries.
    pub arguments: Arguments,
}

/// What a packet says.
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    /// The client wants to join, with what it says about itself.
    Connect(Option<Map<String, Value>>),
    /// The client leaves.
    Disconnect,
    /// An event, with an id when it wants an answer.
    Event(Option<u64>, Event),
    /// The answer to an event of the server.
    Acknowledgement(u64, Arguments),
    /// A refusal; only servers send it.
    ConnectError,
}

/// A whole packet.
#[derive(Debug, Clone, PartialEq)]
pub struct Packet<'a> {
    /// Where it belongs.
    pub namespace: Cow<'a, str>,
    /// What it says.
    pub content: Content,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Connect,
    Disconnect,
    Event,
    Acknowledgement,
    ConnectError,
    BinaryEvent,
    BinaryAcknowledgement,
}

impl Kind {
    fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            b'0' => Some(Self::Connect),
            b'1' => Some(Self::Disconnect),
            b'2' => Some(Self::Event),
            b'3' => Some(Self::Acknowledgement),
            b'4' => Some(Self::ConnectError),
            b'5' => Some(Self::BinaryEvent),
            b'6' => Some(Self::BinaryAcknowledgement),
            _ => None,
        }
    }

    fn is_binary(self) -> bool {
        matches!(self, Self::BinaryEvent | Self::BinaryAcknowledgement)
    }
}

/// Puts packets together from messages: a text, and for a binary packet its attachments behind it.
#[derive(Debug, Default)]
pub struct Decoder {
    incomplete: Option<Box<Incomplete>>,
}

/// A binary packet whose attachments are not all there. It is kept as it came: the values in it would take many times
/// that.
#[derive(Debug)]
struct Incomplete {
    text: Box<str>,
    attachments: Vec<Bytes>,
    missing: usize,
}

impl Decoder {
    /// Takes a text. `None` when attachments are to follow.
    pub fn text<'a>(&mut self, text: &'a str) -> Result<Option<Packet<'a>>, BadPacket> {
        if self.incomplete.is_some() {
            return Err(BadPacket::OutOfPlace);
        }
        let (packet, missing) = parse(text)?;
        if missing == 0 {
            return Ok(Some(packet));
        }
        self.incomplete = Some(Box::new(Incomplete { text: text.into(), attachments: Vec::new(), missing }));
        Ok(None)
    }

    /// Takes an attachment. `None` when more are to follow.
    pub fn binary(&mut self, bytes: &[u8]) -> Result<Option<Packet<'static>>, BadPacket> {
        let mut incomplete = self.incomplete.take().ok_or(BadPacket::OutOfPlace)?;
        incomplete.attachments.push(Bytes::copy_from_slice(bytes));
        incomplete.missing -= 1;
        if incomplete.missing == 0 {
            return incomplete.complete().map(Some);
        }
        self.incomplete = Some(incomplete);
        Ok(None)
    }
}

impl Incomplete {
    fn complete(self) -> Result<Packet<'static>, BadPacket> {
        let (packet, _) = parse(&self.text)?;
        let namespace = Cow::Owned(packet.namespace.into_owned());
        let mut content = packet.content;
        if let Content::Event(_, Event { arguments, .. }) | Content::Acknowledgement(_, arguments) =
            &mut content
        {
            arguments.attachments = self.attachments;
        }
        Ok(Packet { namespace, content })
    }
}

/// Reads the text of a packet, and says how many attachments belong to it.
fn parse(text: &str) -> Result<(Packet<'_>, usize), BadPacket> {
    let kind = text.bytes().next().and_then(Kind::from_byte).ok_or(BadPacket::UnknownType)?;
    let mut rest = &text[1..];
    let mut attachments = 0;
    if kind.is_binary() {
        let (count, behind) = rest.split_once('-').ok_or(BadPacket::IllegalAttachments)?;
        let is_number = !count.is_empty() && count.bytes().all(|byte| byte.is_ascii_digit());
        attachments = count.parse().ok().filter(|_| is_number).ok_or(BadPacket::IllegalAttachments)?;
        if attachments > MOST_ATTACHMENTS {
            return Err(BadPacket::IllegalAttachments);
        }
        rest = behind;
    }
    let mut namespace = MAIN;
    if rest.starts_with('/') {
        (namespace, rest) = rest.split_once(',').unwrap_or((rest, ""));
        // It is repeated to the client, and is none of ours.
        if namespace.len() > LONGEST_NAMESPACE {
            return Err(BadPacket::IllegalNamespace);
        }
    }
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let (id, json) = rest.split_at(digits);
    let id = if id.is_empty() { None } else { Some(id.parse().map_err(|_| BadPacket::IllegalId)?) };
    let content = content(kind, id, json, attachments)?;
    Ok((Packet { namespace: Cow::Borrowed(namespace), content }, attachments))
}

fn content(kind: Kind, id: Option<u64>, json: &str, attachments: usize) -> Result<Content, BadPacket> {
    match kind {
        Kind::Connect if json.is_empty() => Ok(Content::Connect(None)),
        Kind::Connect => match read(json)? {
            Value::Object(auth) => Ok(Content::Connect(Some(auth))),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                Err(BadPacket::InvalidPayload)
            }
        },
        Kind::Disconnect if json.is_empty() => Ok(Content::Disconnect),
        Kind::Disconnect => Err(BadPacket::InvalidPayload),
        Kind::ConnectError => Ok(Content::ConnectError),
        Kind::Event | Kind::BinaryEvent => {
            let mut values = list(json, attachments)?;
            if values.is_empty() {
                return Err(BadPacket::InvalidPayload);
            }
            let name = match values.remove(0) {
                Value::String(name) if !RESERVED.contains(&name.as_str()) => name,
                Value::Number(name) => name.to_string(),
                Value::Null | Value::Bool(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => {
                    return Err(BadPacket::InvalidPayload);
                }
            };
            Ok(Content::Event(id, Event { name, arguments: Arguments { values, attachments: Vec::new() } }))
        }
        Kind::Acknowledgement | Kind::BinaryAcknowledgement => {
            let values = list(json, attachments)?;
            let id = id.ok_or(BadPacket::IllegalId)?;
            Ok(Content::Acknowledgement(id, Arguments { values, attachments: Vec::new() }))
        }
    }
}

fn list(json: &str, attachments: usize) -> Result<Vec<Value>, BadPacket> {
    let Value::Array(values) = read(json)? else {
        return Err(BadPacket::InvalidPayload);
    };
    if attachments > 0 && !values.iter().all(|value| placeholders_fit(value, attachments)) {
        return Err(BadPacket::IllegalAttachments);
    }
    Ok(values)
}

fn read(json: &str) -> Result<Value, BadPacket> {
    serde_json::from_str(json).map_err(|_| BadPacket::InvalidPayload)
}

/// Whether every placeholder has an attachment. The reader of JSON has bounded the depth.
fn placeholders_fit(value: &Value, attachments: usize) -> bool {
    match value {
        Value::Array(values) => values.iter().all(|value| placeholders_fit(value, attachments)),
        Value::Object(fields) if fields.get("_placeholder") == Some(&Value::Bool(true)) => {
            let number = fields.get("num").and_then(Value::as_u64);
            number.is_some_and(|number| number < attachments as u64)
        }
        Value::Object(fields) => fields.values().all(|value| placeholders_fit(value, attachments)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
    }
}

/// The answer to a client that may join.
pub fn connect(namespace: &str, payload: &Value) -> Encoded {
    let mut packet = begin("0", namespace);
    packet.push_json(payload);
    packet.finish()
}

/// The answer to a client that may not.
pub fn connect_error(namespace: &str, message: &str) -> Encoded {
    let mut packet = begin("4", namespace);
    packet.push_json(&serde_json::json!({ "message": message }));
    packet.finish()
}

/// The end of a client's stay.
pub fn disconnect(namespace: &str) -> Encoded {
    begin("1", namespace).finish()
}

/// An event, and its attachments behind it.
pub fn event(namespace: &str, id: Option<u64>, name: &str, arguments: &Arguments) -> Vec<Encoded> {
    let mut packet = begin_with(arguments, "2", "5", namespace);
    if let Some(id) = id {
        packet.push_json(&id);
    }
    packet.push_str("[");
    packet.push_json(&name);
    for value in &arguments.values {
        packet.push_str(",");
        packet.push_json(value);
    }
    packet.push_str("]");
    with_attachments(packet, arguments)
}

/// The answer to an event, and its attachments behind it.
pub fn acknowledgement(namespace: &str, id: u64, arguments: &Arguments) -> Vec<Encoded> {
    let mut packet = begin_with(arguments, "3", "6", namespace);
    packet.push_json(&id);
    packet.push_json(&arguments.values);
    with_attachments(packet, arguments)
}

/// An event of the main namespace that carries texts only, as broadcasts do.
pub fn texts(name: &str, texts: &[&str]) -> Encoded {
    let mut packet = begin("2", MAIN);
    packet.push_str("[");
    packet.push_json(&name);
    for text in texts {
        packet.push_str(",");
        packet.push_json(text);
    }
    packet.push_str("]");
    packet.finish()
}

fn begin(kind: &str, namespace: &str) -> TextPacket {
    let mut packet = TextPacket::message();
    packet.push_str(kind);
    push_namespace(&mut packet, namespace);
    packet
}

fn begin_with(arguments: &Arguments, plain: &str, binary: &str, namespace: &str) -> TextPacket {
    if arguments.attachments.is_empty() {
        return begin(plain, namespace);
    }
    let mut packet = TextPacket::message();
    packet.push_str(binary);
    packet.push_json(&arguments.attachments.len());
    packet.push_str("-");
    push_namespace(&mut packet, namespace);
    packet
}

fn push_namespace(packet: &mut TextPacket, namespace: &str) {
    if namespace != MAIN {
        packet.push_str(namespace);
        packet.push_str(",");
    }
}

fn with_attachments(packet: TextPacket, arguments: &Arguments) -> Vec<Encoded> {
    let attachments = arguments.attachments.iter().map(|bytes| Encoded::binary(bytes));
    std::iter::once(packet.finish()).chain(attachments).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn event_of(name: &str, values: Value) -> Event {
        let Value::Array(values) = values else { panic!("not a list") };
        Event { name: name.to_owned(), arguments: values.into() }
    }

    #[test]
    fn every_type_of_packet_is_read() {
        let auth = json!({"token": "123"}).as_object().cloned();
        let table = [
            ("0", "/", Content::Connect(None)),
            ("0{}", "/", Content::Connect(Some(Map::new()))),
            (r#"0{"token":"123"}"#, "/", Content::Connect(auth.clone())),
            ("0/custom,", "/custom", Content::Connect(None)),
            ("0/custom", "/custom", Content::Connect(None)),
            (r#"0/custom,{"token":"123"}"#, "/custom", Content::Connect(auth)),
            ("1", "/", Content::Disconnect),
            ("1/custom,", "/custom", Content::Disconnect),
            (r#"2["message","hello"]"#, "/", Content::Event(None, event_of("message", json!(["hello"])))),
            (r#"2/a,12["b"]"#, "/a", Content::Event(Some(12), event_of("b", json!([])))),
            ("2[7,1]", "/", Content::Event(None, event_of("7", json!([1])))),
            ("313[]", "/", Content::Acknowledgement(13, Arguments::default())),
            (r#"3/a,0["x"]"#, "/a", Content::Acknowledgement(0, vec!["x"].into())),
            (r#"4{"message":"no"}"#, "/", Content::ConnectError),
            (r#"50-["none"]"#, "/", Content::Event(None, event_of("none", json!([])))),
        ];
        for (text, namespace, content) in table {
            let expected = Packet { namespace: Cow::Borrowed(namespace), content };
            assert_eq!(Decoder::default().text(text), Ok(Some(expected)), "{text}");
        }
    }

    #[test]
    fn what_is_no_packet_is_refused() {
        let table = [
            ("", BadPacket::UnknownType),
            ("abc", BadPacket::UnknownType),
            ("7", BadPacket::UnknownType),
            ("0[]", BadPacket::InvalidPayload),
            ("0\"x\"", BadPacket::InvalidPayload),
            ("1{}", BadPacket::InvalidPayload),
            ("2", BadPacket::InvalidPayload),
            ("2{}", BadPacket::InvalidPayload),
            ("2[]", BadPacket::InvalidPayload),
            ("2[null]", BadPacket::InvalidPayload),
            (r#"2["disconnect"]"#, BadPacket::InvalidPayload),
            (r#"2abc["a"]"#, BadPacket::InvalidPayload),
            (r#"2["a""#, BadPacket::InvalidPayload),
            (r#"299999999999999999999["a"]"#, BadPacket::IllegalId),
            ("3[]", BadPacket::IllegalId),
            ("31{}", BadPacket::InvalidPayload),
            (r#"5["a"]"#, BadPacket::IllegalAttachments),
            (r#"5-["a"]"#, BadPacket::IllegalAttachments),
            (r#"5+1-["a"]"#, BadPacket::IllegalAttachments),
            (r#"511-["a"]"#, BadPacket::IllegalAttachments),
            (r#"51-["a",{"_placeholder":true,"num":1}]"#, BadPacket::IllegalAttachments),
            (r#"51-["a",[{"_placeholder":true}]]"#, BadPacket::IllegalAttachments),
        ];
        for (text, expected) in table {
            assert_eq!(Decoder::default().text(text), Err(expected), "{text}");
        }
        let long = format!("0/{},", "a".repeat(LONGEST_NAMESPACE));
        assert_eq!(Decoder::default().text(&long), Err(BadPacket::IllegalNamespace));
    }

    #[test]
    fn attachments_are_put_to_their_packet_and_back() {
        let text = r#"52-/a,7["up",{"_placeholder":true,"num":0},{"deep":[{"_placeholder":true,"num":1}]}]"#;
        let mut decoder = Decoder::default();
        assert_eq!(decoder.text(text), Ok(None));
        assert_eq!(decoder.binary(&[1, 2]), Ok(None));
        let packet = decoder.binary(&[3]).unwrap().unwrap();
        let Content::Event(Some(7), event) = packet.content else { panic!("{packet:?}") };
        assert_eq!(event.arguments.attachments, [&[1, 2][..], &[3][..]]);

        let encoded = super::event("/a", Some(7), "up", &event.arguments);
        let expected: [&[u8]; 3] = [&[b"4", text.as_bytes()].concat(), &[1, 2], &[3]];
        assert!(encoded.iter().map(Encoded::packet).eq(expected), "{encoded:?}");
        let encoded = acknowledgement("/", 7, &event.arguments);
        assert!(encoded[0].packet().starts_with(b"462-7[{"), "{encoded:?}");
    }

    #[test]
    fn attachments_out_of_place_are_refused() {
        assert_eq!(Decoder::default().binary(&[1]), Err(BadPacket::OutOfPlace));
        let mut decoder = Decoder::default();
        assert_eq!(decoder.text(r#"51-["a",{"_placeholder":true,"num":0}]"#), Ok(None));
        assert_eq!(decoder.text(r#"2["b"]"#), Err(BadPacket::OutOfPlace));
    }

    #[test]
    fn packets_of_the_server_are_written() {
        let written = |packet: Encoded| String::from_utf8(packet.packet().to_vec()).unwrap();
        assert_eq!(written(connect("/", &json!({"sid": "x"}))), r#"40{"sid":"x"}"#);
        assert_eq!(written(connect("/a", &json!({"sid": "x"}))), r#"40/a,{"sid":"x"}"#);
        assert_eq!(written(connect_error("/a", "no")), r#"44/a,{"message":"no"}"#);
        assert_eq!(written(disconnect("/")), "41");
        assert_eq!(written(disconnect("/a")), "41/a,");
        assert_eq!(written(texts("message", &["a\"b", "1-2"])), r#"42["message","a\"b","1-2"]"#);
        let mut plain = event("/", None, "e", &vec![1].into());
        assert_eq!((plain.len(), written(plain.remove(0))), (1, r#"42["e",1]"#.to_owned()));
        let mut answer = acknowledgement("/a", 3, &Arguments::default());
        assert_eq!(written(answer.remove(0)), "43/a,3[]");
    }
}
