//! HTTP: what is accepted, and that everything else gets an answer an API client can read.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::old_client::{call, send, signed_query};
use crate::support::Cloud;

const VPCS: [(&str, &str); 3] =
    [("Action", "DescribeVpcs"), ("Version", "2016-04-28"), ("RegionId", "cn-hangzhou")];

#[tokio::test]
async fn get_post_and_head_are_answered() {
    let cloud = Cloud::instant();
    for method in ["GET", "POST", "HEAD"] {
        let reply = call(&cloud, method, &VPCS).await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        assert!(reply.head.contains("x-acs-request-id: "), "{}", reply.head);
        assert_eq!(reply.body.is_empty(), method == "HEAD", "{}", reply.body);
    }
}

#[tokio::test]
async fn parameters_may_be_in_the_form_as_well() {
    let cloud = Cloud::instant();
    let signed = signed_query(&cloud.signer(), "POST", &VPCS);
    let (query, form) = signed.split_at(signed.find("&RegionId").unwrap());
    let form = form.trim_start_matches('&');
    let kind = "Content-Type: application/x-www-form-urlencoded; charset=utf-8\r\n";
    let length = form.len();
    let head = format!("POST /?{query} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n{kind}");
    let request = format!("{head}Content-Length: {length}\r\n\r\n{form}");
    assert_eq!(send(cloud.endpoint(), request.as_bytes()).await.status, 200);
    let chunked = format!("{head}Transfer-Encoding: chunked\r\n\r\n{length:x}\r\n{form}\r\n0\r\n\r\n");
    let replayed = send(cloud.endpoint(), chunked.as_bytes()).await;
    assert!(
        replayed.body.contains("SignatureNonceUsed"),
        "the chunks are read as the form was: {}",
        replayed.body
    );
}

#[tokio::test]
async fn a_request_line_may_hold_certificates_and_scripts() {
    let cloud = Cloud::start(&["--pace", "instant"]);
    let text = "-----BEGIN CERTIFICATE-----\n+/=".repeat(8_000);
    let parameters = [VPCS[0], VPCS[1], VPCS[2], ("Format", "json"), ("Unknown", text.as_str())];
    assert!(text.len() > 200_000);
    let reply = call(&cloud, "POST", &parameters).await;
    assert_eq!((reply.status, reply.json()["TotalCount"].as_u64()), (200, Some(0)), "{}", reply.body);
}

#[tokio::test]
async fn what_is_not_a_call_gets_an_answer_with_a_code() {
    let cloud = Cloud::instant();
    let endless = format!("GET /?{} ", "a".repeat(2_000_000));
    let cases = [
        ("rubbish\r\n\r\n", 400, "Mock.MalformedHttp"),
        ("GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n", 400, "Mock.MalformedHttp"),
        ("POST / HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n", 413, "Mock.BodyTooLong"),
        (&endless, 431, "Mock.HeadTooLong"),
        ("PUT / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", 400, "UnsupportedHTTPMethod"),
        ("GET /clusters HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", 404, "InvalidAction.NotFound"),
    ];
    for (bytes, status, code) in cases {
        let reply =
            tokio::time::timeout(Duration::from_secs(20), send(cloud.endpoint(), bytes.as_bytes())).await;
        let reply = reply.unwrap();
        let body = reply.json();
        assert_eq!((reply.status, body["Code"].as_str()), (status, Some(code)), "{}", reply.body);
        for name in ["RequestId", "HostId", "Message"] {
            assert!(body[name].as_str().is_some_and(|text| !text.is_empty()), "{name} in {}", reply.body);
        }
    }
}

#[tokio::test]
async fn a_connection_serves_one_request_after_the_other() {
    let cloud = Cloud::instant();
    let address = cloud.endpoint().trim_start_matches("http://");
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let mut requests = String::new();
    for last in [false, false, true] {
        let query = signed_query(&cloud.signer(), "GET", &VPCS);
        let close = if last { "Connection: close\r\n" } else { "" };
        requests.extend(["GET /?", &query, " HTTP/1.1\r\nHost: h\r\n", close, "\r\n"]);
    }
    stream.write_all(requests.as_bytes()).await.unwrap();
    let mut answers = String::new();
    stream.read_to_string(&mut answers).await.unwrap();
    assert_eq!(answers.matches("HTTP/1.1 200 OK").count(), 3, "{answers}");
    assert_eq!(answers.matches("connection: close").count(), 1, "{answers}");
}
