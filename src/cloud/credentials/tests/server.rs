//! A small HTTP server on a port of its own that answers as a test tells it to, and remembers what it was asked.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// A request as it came.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) method: String,
    /// With its query.
    pub(super) path: String,
    /// With lower-case names.
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: String,
}

impl Asked {
    /// A field of the form body, decoded.
    pub(super) fn form(&self, field: &str) -> Option<String> {
        let url = reqwest::Url::parse(&format!("http://form/?{}", self.body)).unwrap();
        url.query_pairs().find(|(name, _)| name == field).map(|(_, value)| value.into_owned())
    }
}

/// What is answered.
pub(super) enum Reply {
    /// A status and a body.
    Text(u16, String),
    /// The connection stays open, and nothing comes.
    Never,
}

/// What a service answers, and a part of the reason it is passed over for.
pub(super) type Refused = (fn() -> Reply, &'static str);

/// Status 200 with this body.
pub(super) fn ok(body: impl ToString) -> Reply {
    Reply::Text(200, body.to_string())
}

/// This status with a body that says nothing.
pub(super) fn status(status: u16) -> Reply {
    Reply::Text(status, "no".to_owned())
}

/// A server that ends with the test.
pub(super) struct Server {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
    task: JoinHandle<()>,
}

impl Server {
    /// Answers each request so.
    pub(super) async fn start(answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (remembered, answer) = (Arc::clone(&asked), Arc::new(answer));
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&remembered), Arc::clone(&answer)));
            }
        });
        Self { address, asked, task }
    }

    /// An address of it.
    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}/{path}", self.address)
    }

    /// All requests so far.
    pub(super) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(
    mut stream: TcpStream,
    remembered: Arc<Mutex<Vec<Asked>>>,
    answer: Arc<impl Fn(&Asked) -> Reply>,
) {
    let Some(asked) = read(&mut stream).await else { return };
    remembered.lock().unwrap().push(asked.clone());
    match answer(&asked) {
        Reply::Text(status, body) => {
            let location = if status == 302 { "location: /elsewhere\r\n" } else { "" };
            let length = body.len();
            let text = format!(
                "HTTP/1.1 {status} Said\r\n{location}content-length: {length}\r\nconnection: close\r\n\r\n{body}"
            );
            // The other side may have gone: that is its test's affair.
            let _ = stream.write_all(text.as_bytes()).await;
        }
        Reply::Never => std::future::pending().await,
    }
}

async fn read(stream: &mut TcpStream) -> Option<Asked> {
    let mut bytes = Vec::new();
    loop {
        let mut part = [0; 4096];
        let count = stream.read(&mut part).await.ok().filter(|count| *count > 0)?;
        bytes.extend_from_slice(&part[..count]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let mut lines = head.lines();
        let (method, rest) = lines.next()?.split_once(' ')?;
        let headers: BTreeMap<String, String> = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        let length = headers.get("content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
        if body.len() >= length {
            let path = rest.split(' ').next()?.to_owned();
            return Some(Asked { method: method.to_owned(), path, headers, body: body.to_owned() });
        }
    }
}
