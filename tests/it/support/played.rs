//! A played API: a real socket, and answers that a test makes up call by call.

use std::sync::{Arc, Mutex};

use albatross::base::ids::RegionId;
use albatross::base::secret::Secret;
use albatross::cloud::credentials::{Credentials, Keys};
use albatross::cloud::endpoint::Endpoint;
use albatross::cloud::transport::Client;
use reqwest::Url;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// One call as it came.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) action: String,
    pub(crate) nonce: String,
    /// The query as it was sent, and the body.
    pub(crate) parameters: String,
}

/// What is answered.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    /// HTTP status, wait asked for in milliseconds, and body.
    Reply(u16, Option<u64>, String),
    /// The connection closes without an answer.
    Lost,
}

impl Answer {
    pub(crate) fn success() -> Self {
        Self::Reply(200, None, "{\"RequestId\":\"0\"}".to_owned())
    }

    pub(crate) fn refusal(status: u16, code: &str) -> Self {
        Self::Reply(status, None, format!("{{\"RequestId\":\"0\",\"Code\":\"{code}\",\"Message\":\"no\"}}"))
    }

    pub(crate) fn asking_to_wait(self, milliseconds: u64) -> Self {
        match self {
            Self::Reply(status, _, body) => Self::Reply(status, Some(milliseconds), body),
            Self::Lost => Self::Lost,
        }
    }
}

/// An API on the loopback, for as long as the runtime that began it.
pub(crate) struct PlayedApi {
    endpoint: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl PlayedApi {
    /// Begins to answer; the number of the call begins with one.
    pub(crate) async fn begin(answer: impl Fn(usize, &Asked) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (answer, calls) = (Arc::new(answer), asked.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (answer, calls) = (answer.clone(), calls.clone());
                tokio::spawn(async move {
                    // A client that goes away ends its connection, not the test.
                    let _ = converse(stream, |asked| {
                        let mut calls = calls.lock().expect("no test panics here");
                        calls.push(asked.clone());
                        answer(calls.len(), asked)
                    })
                    .await;
                });
            }
        });
        Self { endpoint, asked }
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().expect("no test panics here").clone()
    }

    pub(crate) fn client(&self) -> Client {
        client_of(&self.endpoint)
    }
}

/// A client with made-up keys.
pub(crate) fn client_of(endpoint: &str) -> Client {
    let keys = Keys::new("playedAccessKeyId".to_owned(), Secret::new("played-secret".to_owned()), None);
    let credentials = Credentials::fixed(keys, "test");
    let endpoint = Endpoint::parse_override(endpoint).expect("an address on the loopback");
    Client::new(credentials, endpoint, RegionId::new("cn-hangzhou"))
}

/// Answers the calls of one connection one after another.
async fn converse(stream: TcpStream, answer: impl Fn(&Asked) -> Answer) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    while let Some(asked) = read_call(&mut stream).await? {
        let Answer::Reply(status, wait, body) = answer(&asked) else { return Ok(()) };
        let wait = wait.map(|wait| format!("x-acs-retry-after: {wait}\r\n")).unwrap_or_default();
        let head = format!("HTTP/1.1 {status} Played\r\n{wait}content-length: {}\r\n\r\n", body.len());
        stream.write_all(head.as_bytes()).await?;
        stream.write_all(body.as_bytes()).await?;
        stream.flush().await?;
    }
    Ok(())
}

async fn read_call(stream: &mut BufReader<TcpStream>) -> std::io::Result<Option<Asked>> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(None);
        }
        if line.trim().is_empty() {
            break;
        }
        lines.push(line.trim().to_owned());
    }
    let header = |name: &str| {
        let found = lines.iter().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        found.map(|value| value.trim().to_owned()).unwrap_or_default()
    };
    let mut body = vec![0; header("content-length").parse().unwrap_or(0)];
    stream.read_exact(&mut body).await?;
    let path = lines.first().and_then(|line| line.split(' ').nth(1)).unwrap_or("/").to_owned();
    let url = Url::parse(&format!("http://played{path}")).expect("a path");
    let parameters = format!("{}&{}", url.query().unwrap_or_default(), String::from_utf8_lossy(&body));
    Ok(Some(Asked { action: header("x-acs-action"), nonce: header("x-acs-signature-nonce"), parameters }))
}
