//! Signatures against `vectors.json`: requests as the official Python SDK signs them, the first of them printed in the
//! public documentation of signature V3. All keys are made up.

use serde::Deserialize;

use super::*;

#[derive(Deserialize)]
struct Vector {
    name: String,
    access_key_id: String,
    access_key_secret: String,
    method: String,
    path: String,
    query: BTreeMap<String, String>,
    headers: BTreeMap<String, String>,
    body: String,
    canonical_request: Vec<String>,
    string_to_sign: Vec<String>,
    authorization: String,
}

#[test]
fn every_vector_is_signed_as_the_official_sdk_does() {
    let vectors: Vec<Vector> = serde_json::from_str(include_str!("vectors.json")).unwrap();
    assert_eq!(vectors.len(), 8);
    for vector in vectors {
        let name = &vector.name;
        let request = Request {
            method: &vector.method,
            path: &vector.path,
            query: &vector.query,
            headers: &vector.headers,
            body: vector.body.as_bytes(),
        };
        assert_eq!(body_hash(request.body), vector.headers["x-acs-content-sha256"], "{name}");
        assert_eq!(canonical_request(&request), vector.canonical_request.join("\n"), "{name}");
        assert_eq!(string_to_sign(&request), vector.string_to_sign.join("\n"), "{name}");
        let header = authorization(&request, &vector.access_key_id, &vector.access_key_secret);
        assert_eq!(header, vector.authorization, "{name}");
    }
}

#[test]
fn the_headers_that_go_and_typescript_sign_are_signed() {
    for name in ["host", "content-type", "x-acs-date", "x-acs-security-token", "x-acs-accesskey-id"] {
        assert!(must_be_signed(name), "{name}");
    }
    for name in ["accept", "user-agent", "authorization", "x-request-id"] {
        assert!(!must_be_signed(name), "{name}");
    }
}

#[test]
fn the_query_is_sorted_by_byte_and_encoded() {
    let pairs = [("Tag.2", "b c"), ("Tag.10", "*~"), ("Tag.1", ""), ("name", "é/=")];
    let query = pairs.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
    assert_eq!(canonical_query(&query), "Tag.1=&Tag.10=%2A~&Tag.2=b%20c&name=%C3%A9%2F%3D");
}
