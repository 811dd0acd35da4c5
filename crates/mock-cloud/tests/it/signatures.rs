//! Signatures that official clients made, each verified from the raw bytes of its request. All keys are made up.

use mock_cloud::auth::{Nonces, SignatureVersion, SignedRequest};
use mock_cloud::secret::Secret;
use mock_cloud::wire::ApiError;
use mock_cloud::wire::http::{Request, parse_head};
use serde::Deserialize;

#[derive(Debug, Deserialize)]
struct Vector {
    name: String,
    secret: String,
    /// As published, where it is.
    string_to_sign: Option<String>,
    raw: String,
}

fn vectors() -> Vec<Vector> {
    serde_json::from_str(include_str!("signatures.json")).unwrap()
}

/// A request out of its bytes, or nothing when they are not one.
fn request(raw: &[u8]) -> Option<SignedRequest> {
    let (head, length) = parse_head(raw).ok()??;
    Some(SignedRequest::new(Request { head, body: raw[length..].to_vec() }))
}

/// The moment a request claims for itself.
fn moment(request: &SignedRequest) -> i64 {
    let date = match request.version() {
        SignatureVersion::V3 => request.header("x-acs-date"),
        SignatureVersion::V1 => request.parameter("Timestamp"),
        SignatureVersion::None => panic!("not signed"),
    };
    date.unwrap().parse::<jiff::Timestamp>().unwrap().as_millisecond()
}

fn check(request: &SignedRequest, secret: &str, now: i64) -> Result<(), ApiError> {
    request.claim()?.check_signature(&Secret::new(secret), now)
}

fn key_id(request: &SignedRequest) -> Option<String> {
    request.claim().ok().map(|claim| claim.access_key_id)
}

#[test]
fn every_vector_and_every_capture_is_here() {
    let vectors = vectors();
    let captured = vectors.iter().filter(|vector| vector.name.starts_with("py-")).count();
    assert_eq!((captured, vectors.len() - captured), (18, 14));
}

#[test]
fn each_is_accepted_with_its_secret_and_refused_with_another() {
    for vector in vectors() {
        let request = request(vector.raw.as_bytes()).unwrap();
        let now = moment(&request);
        assert_eq!(check(&request, &vector.secret, now), Ok(()), "{}", vector.name);
        let refused = check(&request, "another", now).unwrap_err();
        assert_eq!(refused.code, "SignatureDoesNotMatch", "{}", vector.name);
        let signed = refused.message.split_once(':').unwrap().1;
        if let Some(published) = &vector.string_to_sign {
            assert_eq!(signed, published, "{}", vector.name);
        }
    }
}

/// Where a request may not be changed: its first line up to the version, the values of signed headers, the body.
fn signed_places(vector: &Vector) -> Vec<usize> {
    let raw = &vector.raw;
    let body = raw.find("\r\n\r\n").unwrap() + 4;
    let mut places: Vec<usize> = (0..raw.find(" HTTP/1.1").unwrap()).chain(body..raw.len()).collect();
    let signed =
        raw.split("SignedHeaders=").nth(1).and_then(|rest| rest.split(',').next()).unwrap_or_default();
    let mut start = 0;
    for line in raw[..body].split_inclusive("\r\n") {
        if let Some((name, value)) = line.trim_end().split_once(':') {
            let name_is_signed = signed.split(';').any(|own| own.eq_ignore_ascii_case(name));
            if name_is_signed || name.eq_ignore_ascii_case("authorization") {
                let first = start + name.len() + 1;
                places.extend(first..first + value.len());
            }
        }
        start += line.len();
    }
    places
}

#[test]
fn each_is_refused_when_one_byte_is_another() {
    for vector in vectors() {
        let good = request(vector.raw.as_bytes()).unwrap();
        let now = moment(&good);
        let places = signed_places(&vector);
        assert!(places.len() > 100, "{}", vector.name);
        for place in places {
            let mut raw = vector.raw.clone().into_bytes();
            raw[place] = if raw[place] == b'x' { b'y' } else { b'x' };
            // Some bytes mean the same in another form, as a plus and a %20: what is read has to differ.
            let Some(broken) = request(&raw).filter(|broken| *broken != good) else {
                continue;
            };
            // Another key has another secret.
            let is_same_key = key_id(&broken) == key_id(&good);
            let secret = if is_same_key { vector.secret.as_str() } else { "another" };
            let refused = check(&broken, secret, now);
            assert!(refused.is_err(), "{} at {place}: {}", vector.name, String::from_utf8_lossy(&raw));
        }
    }
}

#[test]
fn the_window_is_fifteen_minutes_to_both_sides() {
    for vector in vectors() {
        let request = request(vector.raw.as_bytes()).unwrap();
        let now = moment(&request);
        let at = |minutes: i64| check(&request, &vector.secret, now + minutes * 60_000);
        assert!(at(14).is_ok() && at(-14).is_ok(), "{}", vector.name);
        assert_eq!(at(16).unwrap_err().code, "InvalidTimeStamp.Expired");
        assert_eq!(at(-16).unwrap_err().code, "InvalidTimeStamp.Expired");
    }
}

#[test]
fn a_replayed_request_is_refused_until_its_time_stamp_is() {
    for vector in vectors() {
        let request = request(vector.raw.as_bytes()).unwrap();
        let (now, mut nonces) = (moment(&request), Nonces::default());
        let claim = request.claim().unwrap();
        assert_eq!(claim.use_nonce(&mut nonces, now), Ok(()));
        let again = claim.use_nonce(&mut nonces, now + 14 * 60_000).unwrap_err();
        assert_eq!(again.code, "SignatureNonceUsed", "{}", vector.name);
    }
}

#[test]
fn other_algorithms_are_refused_by_name() {
    let change = |from: &str, to: &str| {
        let vector = &vectors()[0];
        let raw = vector.raw.replace(from, to);
        request(raw.as_bytes()).unwrap().claim().unwrap_err().code
    };
    assert_eq!(change("ACS3-HMAC-SHA256", "ACS3-HMAC-SM3"), "InvalidSignatureMethod");
    assert_eq!(change("ACS3-HMAC-SHA256", "ACS3-RSA-SHA256"), "InvalidSignatureMethod");
    assert_eq!(change("authorization: ACS3", "x-acs-bearer-token: t\r\nother: "), "InvalidSignatureMethod");
    assert_eq!(change("SignedHeaders=host;", "SignedHeaders="), "IncompleteSignature");
    assert_eq!(change(",Signature=", ",Sig="), "IncompleteSignature");
    let old = vectors().into_iter().find(|vector| vector.name.starts_with("v1-")).unwrap();
    let sha256 = old.raw.replace("HMAC-SHA1", "HMAC-SHA256");
    assert_eq!(request(sha256.as_bytes()).unwrap().claim().unwrap_err().code, "InvalidSignatureMethod");
}
