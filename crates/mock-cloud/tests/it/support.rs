//! A running mock-cloud and a small client of its own.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::replies;

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Cloud {
    /// Absent for another address of a cloud that is there already.
    child: Option<Child>,
    pub(crate) ready: Value,
}

/// One answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Value,
    pub(crate) text: String,
}

/// What a request is signed with.
#[derive(Debug, Clone)]
pub(crate) struct Signer {
    pub(crate) key_id: String,
    pub(crate) secret: String,
    pub(crate) date: Option<String>,
    pub(crate) nonce: Option<String>,
    /// Goes with a temporary key.
    pub(crate) security_token: Option<String>,
}

impl Drop for Cloud {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            drop(child.stdin.take());
            drop(child.wait());
        }
    }
}

impl Answer {
    pub(crate) fn code(&self) -> &str {
        self.body["Code"].as_str().unwrap_or_default()
    }

    #[track_caller]
    pub(crate) fn good(self) -> Value {
        assert_eq!(self.status, 200, "{}", self.text);
        self.body
    }

    #[track_caller]
    pub(crate) fn refused(self, status: u16, code: &str) {
        assert_eq!((self.status, self.code()), (status, code), "{}", self.text);
    }
}

impl Cloud {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        Self::start_with("none", arguments)
    }

    /// With instances of this kind.
    pub(crate) fn start_with(hosts: &str, arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_mock-cloud"))
            .args(["serve", "--hosts", hosts, "--until-stdin-closes", "--seed", "7"])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { child: Some(child), ready: serde_json::from_str(&line).unwrap() }
    }

    pub(crate) fn instant() -> Self {
        Self::start(&["--pace", "instant", "--strict"])
    }

    pub(crate) fn child(&mut self) -> &mut Child {
        self.child.as_mut().unwrap()
    }

    /// A cloud that somebody else has started.
    pub(crate) fn seen(ready: Value) -> Self {
        Self { child: None, ready }
    }

    /// The same cloud at another address.
    pub(crate) fn at(&self, endpoint: &str) -> Self {
        let mut ready = self.ready.clone();
        ready["endpoint"] = endpoint.into();
        Self { child: None, ready }
    }

    /// Waits until the log holds so many calls of this action.
    pub(crate) async fn wait_for_calls(&self, name: &str, count: usize) {
        let (begun, wanted) = (Instant::now(), format!("\"operation\":\"{name}\","));
        while self.log().await.matches(&wanted).count() < count {
            assert!(begun.elapsed() < PATIENCE, "nobody calls {name}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// The call log.
    pub(crate) async fn log(&self) -> String {
        let token = self.ready["admin_token"].as_str().unwrap();
        let log = reqwest::get(format!("{}/_mock/calls?token={token}", self.endpoint())).await.unwrap();
        log.text().await.unwrap()
    }

    pub(crate) fn endpoint(&self) -> &str {
        self.ready["endpoint"].as_str().unwrap()
    }

    pub(crate) fn signer(&self) -> Signer {
        let account = &self.ready["account"];
        let text = |name: &str| account[name].as_str().unwrap().to_owned();
        Signer {
            key_id: text("access_key_id"),
            secret: text("access_key_secret"),
            date: None,
            nonce: None,
            security_token: None,
        }
    }

    /// Calls `Product.Action` with query parameters.
    pub(crate) async fn call(&self, name: &str, parameters: &[(&str, &str)]) -> Answer {
        self.signed(&self.signer(), name, parameters, &[]).await.unwrap()
    }

    /// Calls with a form body beside the query, as official clients do for servers of a group.
    pub(crate) async fn call_with_form(
        &self,
        name: &str,
        query: &[(&str, &str)],
        form: &[(&str, &str)],
    ) -> Answer {
        self.signed(&self.signer(), name, query, form).await.unwrap()
    }

    /// Repeats a call until it is not refused with one of these codes any more.
    pub(crate) async fn call_until_settled(
        &self,
        name: &str,
        parameters: &[(&str, &str)],
        codes: &[&str],
    ) -> Value {
        let begun = Instant::now();
        loop {
            let answer = self.call(name, parameters).await;
            if !codes.iter().any(|code| answer.code().starts_with(code)) {
                return answer.good();
            }
            assert!(begun.elapsed() < PATIENCE, "{name} is still refused: {}", answer.text);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Repeats a read until it looks as wanted.
    pub(crate) async fn wait(
        &self,
        name: &str,
        parameters: &[(&str, &str)],
        wanted: fn(&Value) -> bool,
    ) -> Value {
        let begun = Instant::now();
        loop {
            let answer = self.call(name, parameters).await;
            if answer.status == 200 && wanted(&answer.body) {
                return answer.body;
            }
            assert!(begun.elapsed() < PATIENCE, "{name} does not settle: {}", answer.text);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub(crate) async fn signed(
        &self,
        signer: &Signer,
        name: &str,
        query: &[(&str, &str)],
        form: &[(&str, &str)],
    ) -> reqwest::Result<Answer> {
        let (product, action) = name.split_once('.').unwrap();
        let host = self.endpoint().trim_start_matches("http://").to_owned();
        let (query, body) = (canonical(query), canonical(form));
        let date = signer.date.clone().unwrap_or_else(now);
        let nonce = signer.nonce.clone().unwrap_or_else(fresh_nonce);
        let hash = hex::encode(Sha256::digest(&body));
        let mut headers = vec![
            ("host", host.as_str()),
            ("x-acs-action", action),
            ("x-acs-content-sha256", &hash),
            ("x-acs-date", &date),
            ("x-acs-signature-nonce", &nonce),
            ("x-acs-version", version_of(product)),
        ];
        if let Some(token) = &signer.security_token {
            headers.insert(4, ("x-acs-security-token", token));
        }
        let names = headers.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";");
        let lines: Vec<String> = headers.iter().map(|(name, value)| format!("{name}:{value}")).collect();
        let block = lines.join("\n") + "\n";
        let canonical = format!("POST\n/\n{query}\n{block}\n{names}\n{hash}");
        let to_sign = format!("ACS3-HMAC-SHA256\n{}", hex::encode(Sha256::digest(canonical)));
        let mut code = Hmac::<Sha256>::new_from_slice(signer.secret.as_bytes()).unwrap();
        code.update(to_sign.as_bytes());
        let signature = hex::encode(code.finalize().into_bytes());
        let authorization = format!(
            "ACS3-HMAC-SHA256 Credential={},SignedHeaders={names},Signature={signature}",
            signer.key_id
        );
        let mut request = reqwest::Client::new()
            .post(format!("{}/?{query}", self.endpoint()))
            .header("authorization", authorization)
            .header("content-type", "application/x-www-form-urlencoded");
        for (name, value) in &headers[1..] {
            request = request.header(*name, *value);
        }
        let answer = read(request.body(body).send().await?).await?;
        if answer.status == 200 {
            replies::check(name, &answer.body);
        }
        Ok(answer)
    }

    pub(crate) async fn admin(&self, path: &str) -> Value {
        serde_json::from_str(&self.read_admin(path).await).unwrap()
    }

    /// What an admin endpoint answers, as text.
    pub(crate) async fn read_admin(&self, path: &str) -> String {
        let request = reqwest::Client::new().get(format!("{}{path}", self.endpoint()));
        let token = self.ready["admin_token"].as_str().unwrap();
        let answer = read(request.header("x-mock-token", token).send().await.unwrap()).await.unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.text
    }

    pub(crate) async fn post_admin(&self, path: &str, body: &str) -> Answer {
        let request = reqwest::Client::new().post(format!("{}{path}", self.endpoint()));
        let token = self.ready["admin_token"].as_str().unwrap();
        let sent = request.header("x-mock-token", token).body(body.to_owned()).send().await.unwrap();
        read(sent).await.unwrap()
    }

    pub(crate) async fn delete_admin(&self, path: &str) {
        let request = reqwest::Client::new().delete(format!("{}{path}", self.endpoint()));
        let token = self.ready["admin_token"].as_str().unwrap();
        let answer = read(request.header("x-mock-token", token).send().await.unwrap()).await.unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text);
    }

    pub(crate) async fn resources(&self) -> u64 {
        self.admin("/_mock/status").await["resources"].as_u64().unwrap()
    }
}

pub(crate) async fn read(response: reqwest::Response) -> reqwest::Result<Answer> {
    let status = response.status().as_u16();
    let text = response.text().await?;
    Ok(Answer { status, body: serde_json::from_str(&text).unwrap_or_default(), text })
}

pub(crate) fn now() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

pub(crate) fn fresh_nonce() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    format!("{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

pub(crate) fn percent(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    let one = |byte: u8| {
        if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }
    };
    text.bytes().map(one).collect()
}

fn canonical(pairs: &[(&str, &str)]) -> String {
    let mut sorted = pairs.to_vec();
    sorted.sort_unstable();
    let encoded = sorted.iter().map(|(name, value)| format!("{}={}", percent(name), percent(value)));
    encoded.collect::<Vec<_>>().join("&")
}

fn version_of(product: &str) -> &'static str {
    match product {
        "Ecs" => "2014-05-26",
        "Vpc" => "2016-04-28",
        "Alb" => "2020-06-16",
        "Alidns" => "2015-01-09",
        "Sts" => "2015-04-01",
        "R-kvstore" => "2015-01-01",
        "cas" => "2020-04-07",
        _ => "1999-01-01",
    }
}
