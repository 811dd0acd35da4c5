//! Answers: XML, the content of an object, or nothing but headers.

use quick_xml::escape::escape;

use crate::wire::ApiError;
use crate::world::bucket::Object;

/// How every XML document begins.
const DECLARATION: &str = r#"<?xml version="1.0" encoding="UTF-8"?>"#;

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// What the body is.
    pub content_type: &'static str,
    /// Headers beside those that every answer has.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// When the object was written that this is about, in milliseconds since 1970.
    pub modified: Option<i64>,
}

impl Reply {
    pub(super) fn empty(status: u16) -> Self {
        Self {
            status,
            content_type: "application/xml",
            headers: Vec::new(),
            body: Vec::new(),
            modified: None,
        }
    }

    pub(super) fn xml(root: &str, inside: &str) -> Self {
        let body = format!("{DECLARATION}\n<{root}>{inside}</{root}>").into_bytes();
        Self { body, ..Self::empty(200) }
    }

    pub(super) fn content(body: Vec<u8>) -> Self {
        Self { content_type: "application/octet-stream", body, ..Self::empty(200) }
    }

    pub(super) fn with_object(mut self, object: &Object) -> Self {
        self.headers.push(("etag", format!("\"{}\"", object.etag)));
        self.headers.push(("x-oss-object-type", "Normal".to_owned()));
        self.headers.extend(object.version.clone().map(|version| ("x-oss-version-id", version)));
        self.modified = Some(object.modified);
        self
    }
}

/// A refusal.
pub fn refusal(error: &ApiError, request_id: &str, host: &str) -> Reply {
    let ApiError { status, code, message } = error;
    let inside = format!(
        "<Code>{}</Code><Message>{}</Message><RequestId>{request_id}</RequestId><HostId>{}</HostId>",
        escape(code.as_str()),
        escape(message.as_str()),
        escape(host)
    );
    Reply { status: *status, ..Reply::xml("Error", &inside) }
}
