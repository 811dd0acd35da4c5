//! A client as the old ones are: V1 signatures, requests written byte by byte, so that they may be as long or as wrong
//! as they like.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::{Cloud, Signer, fresh_nonce, now, percent};

/// What came back.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Reply {
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("{} {}", self.head, self.body))
    }
}

/// Sends these bytes on a connection of their own, and reads until it closes.
pub(crate) async fn send(endpoint: &str, bytes: &[u8]) -> Reply {
    let mut stream = TcpStream::connect(endpoint.trim_start_matches("http://")).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no head in {answer:?}"));
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Reply { status, head: head.to_owned(), body: body.to_owned() }
}

/// Query of a signed call; protocol parameters are added to these.
pub(crate) fn signed_query(signer: &Signer, method: &str, parameters: &[(&str, &str)]) -> String {
    let (date, nonce) = (now(), fresh_nonce());
    let mut pairs = vec![
        ("AccessKeyId", signer.key_id.as_str()),
        ("SignatureMethod", "HMAC-SHA1"),
        ("SignatureNonce", &nonce),
        ("SignatureVersion", "1.0"),
        ("Timestamp", &date),
    ];
    pairs.extend(signer.security_token.iter().map(|token| ("SecurityToken", token.as_str())));
    pairs.extend(parameters);
    pairs.sort_unstable();
    let encoded = pairs.iter().map(|(name, value)| format!("{}={}", percent(name), percent(value)));
    let query = encoded.collect::<Vec<_>>().join("&");
    let mut code = Hmac::<sha1::Sha1>::new_from_slice(format!("{}&", signer.secret).as_bytes()).unwrap();
    code.update(format!("{method}&%2F&{}", percent(&query)).as_bytes());
    let signature = STANDARD.encode(code.finalize().into_bytes());
    format!("{query}&Signature={}", percent(&signature))
}

/// A signed call, everything in the query.
pub(crate) async fn call(cloud: &Cloud, method: &str, parameters: &[(&str, &str)]) -> Reply {
    let query = signed_query(&cloud.signer(), method, parameters);
    let request = format!("{method} /?{query} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    send(cloud.endpoint(), request.as_bytes()).await
}
