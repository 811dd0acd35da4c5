//! Signatures that official clients made, verified from their bytes. All keys are made up.

use std::collections::BTreeMap;

use mock_cloud::auth::{AccessKey, Nonces, SignatureVersion, SignedRequest};
use mock_cloud::wire::encoding::decode_pairs;
use serde::Deserialize;

#[derive(Debug, Deserialize)]
struct Vector {
    name: String,
    secret: String,
    method: String,
    path: String,
    query: String,
    headers: BTreeMap<String, String>,
    body: String,
}

fn vectors() -> Vec<Vector> {
    serde_json::from_str(include_str!("signatures.json")).unwrap()
}

impl Vector {
    fn request(&self) -> SignedRequest {
        let form = self.headers.get("content-type").is_some_and(|kind| kind.contains("form"));
        SignedRequest {
            method: self.method.clone(),
            path: self.path.clone(),
            query: decode_pairs(&self.query),
            form: if form { decode_pairs(&self.body) } else { Vec::new() },
            headers: self.headers.clone().into_iter().collect(),
            body: self.body.clone().into_bytes(),
        }
    }
}

/// Key id and moment a request claims for itself.
fn claim(request: &SignedRequest) -> (String, i64) {
    let (id, date) = match request.version() {
        SignatureVersion::V3 => {
            let authorization = request.header("authorization").unwrap();
            let id = authorization.split("Credential=").nth(1).unwrap().split(',').next().unwrap();
            (id, request.header("x-acs-date").unwrap())
        }
        SignatureVersion::V1 => {
            (request.parameter("AccessKeyId").unwrap(), request.parameter("Timestamp").unwrap())
        }
        SignatureVersion::None => panic!("not signed"),
    };
    (id.to_owned(), date.parse::<jiff::Timestamp>().unwrap().as_millisecond())
}

#[test]
fn every_vector_is_accepted_with_its_secret_and_refused_with_another() {
    for vector in vectors() {
        let request = vector.request();
        let (id, moment) = claim(&request);
        let key = AccessKey { id: id.clone(), secret: vector.secret.clone() };
        let accepted = request.authenticate(&key, &mut Nonces::default(), moment);
        assert_eq!(accepted, Ok(()), "{}", vector.name);
        let other = AccessKey { id, secret: "another".to_owned() };
        let refused = request.authenticate(&other, &mut Nonces::default(), moment).unwrap_err();
        assert_eq!(refused.code, "SignatureDoesNotMatch", "{}", vector.name);
        assert!(refused.message.contains(':'), "an official client splits the message at its colon");
    }
}

#[test]
fn a_changed_parameter_breaks_the_signature() {
    for vector in vectors() {
        let mut request = vector.request();
        request.query.push(("Added".to_owned(), "1".to_owned()));
        let (id, moment) = claim(&request);
        let key = AccessKey { id, secret: vector.secret.clone() };
        let refused = request.authenticate(&key, &mut Nonces::default(), moment);
        assert!(refused.is_err(), "{}", vector.name);
    }
}

#[test]
fn the_window_is_fifteen_minutes_to_both_sides() {
    let vector = &vectors()[0];
    let request = vector.request();
    let (id, moment) = claim(&request);
    let key = AccessKey { id, secret: vector.secret.clone() };
    let at = |minutes: i64| request.authenticate(&key, &mut Nonces::default(), moment + minutes * 60_000);
    assert!(at(14).is_ok() && at(-14).is_ok());
    assert_eq!(at(16).unwrap_err().code, "InvalidTimeStamp.Expired");
    assert_eq!(at(-16).unwrap_err().code, "InvalidTimeStamp.Expired");
}
