//! A service for the credential chain: gives keys at a URI, is the metadata service of an instance, and STS.
//!
//! What it answers names where it came from: `ROLE-of-KEY` is the key of a role that was asked for with a key. Who
//! asks it for the caller's identity is noted and refused, so a command ends there. `tests/conformance/node` has the
//! same service for the official library; the table of cases says what it answers.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use serde_json::{Value, json};

const METADATA: &str = "/latest/meta-data/ram/security-credentials/";

/// The key a request was signed with, and whether a token went with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Signed {
    pub(crate) key: String,
    pub(crate) token: bool,
}

/// A running service.
pub(crate) struct KeyService {
    address: SocketAddr,
    signed: Arc<Mutex<Vec<Signed>>>,
    stopped: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl KeyService {
    /// Starts one; `metadata` says how the instance it speaks for behaves.
    pub(crate) fn start(metadata: Option<Value>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let signed = Arc::new(Mutex::new(Vec::new()));
        let stopped = Arc::new(AtomicBool::new(false));
        let (noted, told) = (Arc::clone(&signed), Arc::clone(&stopped));
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if told.load(Ordering::SeqCst) {
                    return;
                }
                if let Some(request) = Request::read(&stream) {
                    noted.lock().expect("nobody panicked").extend(request.caller());
                    request.answer(metadata.as_ref(), stream);
                }
            }
        });
        Self { address, signed, stopped, thread: Some(thread) }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Who asked for the caller's identity, in order.
    pub(crate) fn signed(&self) -> Vec<Signed> {
        self.signed.lock().expect("nobody panicked").clone()
    }
}

impl Drop for KeyService {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::SeqCst);
        // A connection wakes the thread, which waits for one.
        drop(TcpStream::connect(self.address));
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

struct Request {
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    fields: Vec<(String, String)>,
}

impl Request {
    fn read(stream: &TcpStream) -> Option<Self> {
        let mut reader = BufReader::new(stream);
        let mut lines = reader.by_ref().lines().map_while(Result::ok).take_while(|line| !line.is_empty());
        let first = lines.next()?;
        let headers: Vec<(String, String)> = lines
            .filter_map(|line| {
                line.split_once(": ").map(|(name, value)| (name.to_lowercase(), value.to_owned()))
            })
            .collect();
        let length = headers.iter().find(|(name, _)| name == "content-length");
        let mut body = vec![0; length.map_or(0, |(_, value)| value.parse().expect("a length"))];
        reader.read_exact(&mut body).ok()?;
        let mut words = first.split(' ');
        let (method, target) = (words.next()?.to_owned(), words.next()?);
        let url = reqwest::Url::parse(&format!("http://service{target}")).ok()?;
        let body = reqwest::Url::parse(&format!("http://form/?{}", String::from_utf8(body).ok()?)).ok()?;
        let fields = url.query_pairs().chain(body.query_pairs());
        let fields = fields.map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
        Some(Self { method, path: url.path().to_owned(), headers, fields })
    }

    fn header(&self, wanted: &str) -> Option<&str> {
        self.headers.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str())
    }

    fn field(&self, wanted: &str) -> &str {
        self.fields.iter().find(|(name, _)| name == wanted).map_or("", |(_, value)| value.as_str())
    }

    fn action(&self) -> &str {
        self.header("x-acs-action").unwrap_or_else(|| self.field("Action"))
    }

    /// The key that signed this.
    fn key(&self) -> &str {
        let (_, rest) =
            self.header("authorization").unwrap_or_default().split_once("Credential=").unwrap_or_default();
        rest.split(',').next().unwrap_or_default()
    }

    fn caller(&self) -> Option<Signed> {
        let token = self.header("x-acs-security-token");
        (self.action() == "GetCallerIdentity")
            .then(|| Signed { key: self.key().to_owned(), token: token.is_some() })
    }

    fn answer(&self, metadata: Option<&Value>, mut stream: TcpStream) {
        let (status, body) = self.decide(metadata);
        let head = "Content-Type: application/json\r\nConnection: close";
        let reply =
            format!("HTTP/1.1 {status} Decided\r\n{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        // Who asked may have gone.
        drop(stream.write_all(reply.as_bytes()));
    }

    fn decide(&self, metadata: Option<&Value>) -> (u16, String) {
        if self.path == "/garbled" {
            return (200, "these are no keys".to_owned());
        }
        if let Some(name) = self.path.strip_prefix("/keys/") {
            return (200, key(name).to_string());
        }
        if let Some(metadata) = metadata {
            if self.path == "/latest/api/token" {
                return self.token(metadata);
            }
            if let Some(role) = self.path.strip_prefix(METADATA) {
                return self.role(role, metadata);
            }
        }
        let role = self.field("RoleArn").rsplit('/').next().unwrap_or_default();
        let issued = |base: &str| json!({"RequestId": "1", "Credentials": key(&format!("{role}-of-{base}"))});
        match self.action() {
            "AssumeRole" => (200, issued(self.key()).to_string()),
            "AssumeRoleWithOIDC" => (200, issued(self.field("OIDCToken").trim()).to_string()),
            _ => (403, json!({"RequestId": "1", "Code": "Forbidden.RAM", "Message": "enough"}).to_string()),
        }
    }

    fn token(&self, metadata: &Value) -> (u16, String) {
        let asked = self.method == "PUT" && self.header("x-aliyun-ecs-metadata-token-ttl-seconds").is_some();
        if asked && metadata["token"] != "refused" {
            (200, "metadata-token".to_owned())
        } else {
            (404, String::new())
        }
    }

    fn role(&self, role: &str, metadata: &Value) -> (u16, String) {
        match self.header("x-aliyun-ecs-metadata-token") {
            Some("metadata-token") => {}
            None if metadata["token"] != "required" => {}
            Some(_) | None => return (403, "a token is needed".to_owned()),
        }
        if role.is_empty() {
            return (200, metadata["role"].as_str().expect("a role").to_owned());
        }
        (200, key(&format!("{role}-of-machine")).to_string())
    }
}

fn key(name: &str) -> Value {
    let end =
        jiff::Timestamp::now().checked_add(jiff::SignedDuration::from_hours(1)).expect("no end of time");
    json!({
        "Code": "Success",
        "AccessKeyId": name,
        "AccessKeySecret": "secret",
        "SecurityToken": format!("{name}-token"),
        "Expiration": end.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
    })
}
