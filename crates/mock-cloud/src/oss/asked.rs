//! What a request asks for.

use crate::facts::Effect;
use crate::wire::encoding::{decode, decode_pairs};
use crate::wire::http::Head;

/// What is emulated.
pub const ACTIONS: &[&str] = &[
    "DeleteBucket",
    "DeleteObject",
    "GetBucketVersioning",
    "GetObject",
    "HeadObject",
    "ListObjectsV2",
    "PutBucket",
    "PutBucketVersioning",
    "PutObject",
];

/// An operation, and on what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The operation as the documentation calls it; [`Asked::UNKNOWN`] when it is none of those.
    pub action: &'static str,
    /// The bucket; empty when none is named.
    pub bucket: String,
    /// The key of the object; empty when none is named.
    pub key: String,
    /// Decoded pairs of the query.
    pub query: Vec<(String, String)>,
}

impl Asked {
    /// What nobody has emulated.
    pub const UNKNOWN: &'static str = "Unknown";

    /// Of a request.
    pub fn of(head: &Head) -> Self {
        // A plus is a plus in a path.
        let path = decode(&head.path.replace('+', "%2B"));
        let path = path.strip_prefix('/').unwrap_or(&path);
        let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
        let query = decode_pairs(&head.query);
        let (bucket, key) = (bucket.to_owned(), key.to_owned());
        let action = action(&head.method, !bucket.is_empty(), !key.is_empty(), &query);
        Self { action, bucket, key, query }
    }

    /// Whether it changes something.
    pub fn effect(&self) -> Effect {
        if self.action.starts_with("Put") || self.action.starts_with("Delete") {
            Effect::Change
        } else {
            Effect::Read
        }
    }

    /// A parameter of the query.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }
}

fn action(method: &str, has_bucket: bool, has_key: bool, query: &[(String, String)]) -> &'static str {
    let asks_for = |name: &str| query.iter().any(|(own, _)| own == name);
    let is_plain = query.is_empty();
    match (method, has_bucket, has_key) {
        ("PUT", true, true) if is_plain => "PutObject",
        ("GET", true, true) if is_plain => "GetObject",
        ("HEAD", true, true) if is_plain => "HeadObject",
        ("DELETE", true, true) if is_plain => "DeleteObject",
        ("PUT", true, false) if asks_for("versioning") => "PutBucketVersioning",
        ("GET", true, false) if asks_for("versioning") => "GetBucketVersioning",
        ("GET", true, false) if asks_for("list-type") => "ListObjectsV2",
        ("PUT", true, false) if is_plain => "PutBucket",
        ("DELETE", true, false) if is_plain => "DeleteBucket",
        _ => Asked::UNKNOWN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::http::parse_head;

    fn asked(line: &str) -> Asked {
        let text = format!("{line} HTTP/1.1\r\nHost: h\r\n\r\n");
        Asked::of(&parse_head(text.as_bytes()).unwrap().unwrap().0)
    }

    #[test]
    fn path_and_query_say_what_is_meant() {
        let put = asked("PUT /team/a%20b/c+d");
        assert_eq!((put.action, put.bucket.as_str(), put.key.as_str()), ("PutObject", "team", "a b/c+d"));
        for (line, action) in [
            ("PUT /team", "PutBucket"),
            ("PUT /team/?versioning", "PutBucketVersioning"),
            ("GET /team/?versioning", "GetBucketVersioning"),
            ("GET /team?list-type=2&prefix=a", "ListObjectsV2"),
            ("GET /team/a?uploads", Asked::UNKNOWN),
            ("GET /", Asked::UNKNOWN),
            ("POST /team/a", Asked::UNKNOWN),
        ] {
            assert_eq!(asked(line).action, action, "{line}");
        }
    }

    #[test]
    fn every_action_is_reached_by_some_request() {
        let lines = [
            "DELETE /b",
            "DELETE /b/k",
            "GET /b/?versioning",
            "GET /b/k",
            "HEAD /b/k",
            "GET /b/?list-type=2",
            "PUT /b/",
            "PUT /b/?versioning",
            "PUT /b/k",
        ];
        assert_eq!(lines.map(|line| asked(line).action), ACTIONS);
    }
}
