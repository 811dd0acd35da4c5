//! Object storage over HTTP, by a signer that shares no code with the one under test.

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use crate::support::{Cloud, Signer, percent};

/// What a request is made of, beside what every one has.
#[derive(Default)]
struct Asked<'a> {
    method: &'a str,
    path: &'a str,
    query: &'a str,
    headers: &'a [(&'a str, &'a str)],
    body: &'a str,
}

struct Answer {
    status: u16,
    headers: reqwest::header::HeaderMap,
    text: String,
}

impl Answer {
    #[track_caller]
    fn refused(&self, status: u16, code: &str) {
        assert_eq!(self.status, status, "{}", self.text);
        assert!(self.text.contains(&format!("<Code>{code}</Code>")), "{}", self.text);
    }
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    let mut code = Hmac::<Sha256>::new_from_slice(key).unwrap();
    code.update(text.as_bytes());
    code.finalize().into_bytes().to_vec()
}

async fn ask_as(cloud: &Cloud, signer: &Signer, region: &str, asked: Asked<'_>) -> Answer {
    let Asked { method, path, query, headers, body } = asked;
    let date =
        signer.date.clone().unwrap_or_else(|| jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string());
    let day = &date[..8];
    let mut carried = vec![("x-oss-content-sha256", "UNSIGNED-PAYLOAD"), ("x-oss-date", date.as_str())];
    carried.extend(signer.security_token.as_deref().map(|token| ("x-oss-security-token", token)));
    carried.extend(headers);
    carried.sort_unstable();
    let lines = carried.iter().fold(String::new(), |lines, (name, value)| lines + name + ":" + value + "\n");
    let encoded: Vec<String> = path.split('/').map(percent).collect();
    let encoded = encoded.join("/");
    let canonical = format!("{method}\n{encoded}\n{query}\n{lines}\n\nUNSIGNED-PAYLOAD");
    let scope = format!("{day}/{region}/oss/aliyun_v4_request");
    let text = format!("OSS4-HMAC-SHA256\n{date}\n{scope}\n{}", hex::encode(Sha256::digest(canonical)));
    let key = [day, region, "oss", "aliyun_v4_request"]
        .iter()
        .fold(format!("aliyun_v4{}", signer.secret).into_bytes(), |key, part| mac(&key, part));
    let signature = hex::encode(mac(&key, &text));
    let mark = if query.is_empty() { "" } else { "?" };
    let url = format!("{}{encoded}{mark}{query}", cloud.endpoint());
    let credential = format!("{}/{scope}", signer.key_id);
    let mut request = reqwest::Client::new()
        .request(method.parse().unwrap(), url)
        .header("authorization", format!("OSS4-HMAC-SHA256 Credential={credential}, Signature={signature}"));
    for (name, value) in carried {
        request = request.header(name, value);
    }
    let answer = request.body(body.to_owned()).send().await.unwrap();
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    Answer { status, headers, text: answer.text().await.unwrap() }
}

async fn ask(cloud: &Cloud, asked: Asked<'_>) -> Answer {
    ask_as(cloud, &cloud.signer(), "cn-hangzhou", asked).await
}

async fn put(cloud: &Cloud, path: &str, body: &str, headers: &[(&str, &str)]) -> Answer {
    ask(cloud, Asked { method: "PUT", path, headers, body, ..Asked::default() }).await
}

async fn get(cloud: &Cloud, path: &str, query: &str) -> Answer {
    ask(cloud, Asked { method: "GET", path, query, ..Asked::default() }).await
}

const FORBID: (&str, &str) = ("x-oss-forbid-overwrite", "true");

#[tokio::test]
async fn an_object_is_made_once_where_that_is_asked_for() {
    let cloud = Cloud::instant();
    get(&cloud, "/team/lock/1", "").await.refused(404, "NoSuchBucket");
    assert_eq!(put(&cloud, "/team/", "", &[]).await.status, 200);
    get(&cloud, "/team/lock/1", "").await.refused(404, "NoSuchKey");
    assert_eq!(put(&cloud, "/team/lock/1", "ada", &[FORBID]).await.status, 200);
    put(&cloud, "/team/lock/1", "ben", &[FORBID]).await.refused(409, "FileAlreadyExists");
    let read = get(&cloud, "/team/lock/1", "").await;
    assert_eq!((read.status, read.text.as_str()), (200, "ada"));
    for name in ["etag", "last-modified", "x-oss-request-id", "x-oss-object-type"] {
        assert!(read.headers.contains_key(name), "{name}");
    }
    // Otherwise the last one counts.
    assert_eq!(put(&cloud, "/team/lock/1", "ben", &[]).await.status, 200);
    assert_eq!(get(&cloud, "/team/lock/1", "").await.text, "ben");
}

#[tokio::test]
async fn of_many_at_once_one_makes_it() {
    let cloud = Cloud::instant();
    put(&cloud, "/team/", "", &[]).await;
    let tries = (0..16).map(|number| {
        let cloud = &cloud;
        async move { put(cloud, "/team/lock/1", &number.to_string(), &[FORBID]).await.status }
    });
    let mut statuses = futures_util::future::join_all(tries).await;
    statuses.sort_unstable();
    assert_eq!((statuses[0], statuses.iter().filter(|status| **status == 409).count()), (200, 15));
}

#[tokio::test]
async fn versions_take_that_away() {
    let cloud = Cloud::instant();
    put(&cloud, "/team/", "", &[]).await;
    let asked = || get(&cloud, "/team/", "versioning");
    assert!(!asked().await.text.contains("Status"));
    for status in ["Enabled", "Suspended"] {
        let body = format!("<VersioningConfiguration><Status>{status}</Status></VersioningConfiguration>");
        let set =
            Asked { method: "PUT", path: "/team/", query: "versioning", body: &body, ..Asked::default() };
        assert_eq!(ask(&cloud, set).await.status, 200);
        assert!(asked().await.text.contains(&format!("<Status>{status}</Status>")));
        for text in ["ada", "ben"] {
            let made = put(&cloud, "/team/lock/1", text, &[FORBID]).await;
            assert_eq!((made.status, made.headers.contains_key("x-oss-version-id")), (200, true));
        }
        assert_eq!(get(&cloud, "/team/lock/1", "").await.text, "ben");
    }
}

#[tokio::test]
async fn signatures_times_tokens_and_regions_are_held_against_the_request() {
    let cloud = Cloud::start(&["--pace", "instant", "--region", "cn-hangzhou", "--region", "cn-shanghai"]);
    put(&cloud, "/team/", "", &[]).await;
    let signer = cloud.signer();
    let asked = || Asked { method: "GET", path: "/team/", query: "versioning", ..Asked::default() };
    let wrong = Signer { secret: "wrong".to_owned(), ..signer.clone() };
    ask_as(&cloud, &wrong, "cn-hangzhou", asked()).await.refused(403, "SignatureDoesNotMatch");
    let unknown = Signer { key_id: "nobody".to_owned(), ..signer.clone() };
    ask_as(&cloud, &unknown, "cn-hangzhou", asked()).await.refused(403, "InvalidAccessKeyId");
    let late = Signer { date: Some("20200101T000000Z".to_owned()), ..signer.clone() };
    ask_as(&cloud, &late, "cn-hangzhou", asked()).await.refused(403, "RequestTimeTooSkewed");
    let odd = Signer { security_token: Some("CAISabc".to_owned()), ..signer.clone() };
    ask_as(&cloud, &odd, "cn-hangzhou", asked()).await.refused(403, "InvalidSecurityToken");
    ask_as(&cloud, &signer, "cn-beijing", asked()).await.refused(400, "InvalidArgument");
    let elsewhere = cloud.at(cloud.ready["endpoints"]["cn-shanghai"].as_str().unwrap());
    ask_as(&elsewhere, &signer, "cn-shanghai", asked()).await.refused(403, "AccessDenied");
    let unsigned = reqwest::Client::new().get(format!("{}/team/x", cloud.endpoint()));
    let old = unsigned.header("authorization", "OSS key:signature").send().await.unwrap();
    assert_eq!(old.status().as_u16(), 403);
}

#[tokio::test]
async fn faults_gates_and_the_log_know_it() {
    let cloud = Cloud::instant();
    put(&cloud, "/team/", "", &[]).await;
    let lost = r#"[{"action": "Oss.PutObject", "fault": {"lost_reply": {}}},
                   {"action": "Oss.PutObject", "occurrence": 2, "fault": {"error": {"status": 403, "code": "AccessDenied"}}}]"#;
    assert_eq!(cloud.post_admin("/_mock/faults", lost).await.status, 200);
    let signer = cloud.signer();
    let first = tokio::time::timeout(std::time::Duration::from_secs(20), async {
        tokio::spawn(lost_put(cloud.endpoint().to_owned(), signer)).await
    });
    assert!(first.await.unwrap().is_err(), "there is no answer");
    assert_eq!(get(&cloud, "/team/a", "").await.text, "one", "and it was done");
    put(&cloud, "/team/a", "two", &[]).await.refused(403, "AccessDenied");
    let log = cloud.log().await;
    for part in [
        "\"operation\":\"Oss.PutObject\"",
        "\"key\":\"a\"",
        "\"signature\":\"OSS\"",
        "\"fault\":\"lost_reply\"",
    ] {
        assert!(log.contains(part), "{part}: {log}");
    }
    assert!(!log.contains("one"), "what is in an object is nobody's business");
    assert_eq!(cloud.resources().await, 0);
}

/// Panics when there is no answer.
async fn lost_put(endpoint: String, signer: Signer) {
    let ready = serde_json::json!({
        "endpoint": endpoint,
        "account": {"access_key_id": signer.key_id, "access_key_secret": signer.secret},
    });
    let cloud = Cloud::seen(ready);
    put(&cloud, "/team/a", "one", &[]).await;
}
