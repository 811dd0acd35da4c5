//! What is served: sessions under one path, pages beside it, and on every answer the name of the node.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue, RETRY_AFTER, USER_AGENT};
use http::{HeaderMap, HeaderName, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;

use super::occupancy::{Full as NoPlace, Occupancy, Taking};
use super::origin::{Origins, Verdict};
use super::proxies::{self, Proxies};
use crate::engine_io::{Body, Engine, Refusal, Visitor};
use crate::metrics::Counter;

/// Names the node on every response, so that one can see where a balancer led.
pub const NODE_HEADER: HeaderName = HeaderName::from_static("x-chat-node");

/// Characters that are kept of what a client calls its program.
const USER_AGENT_LENGTH: usize = 128;

/// How a request came here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// From whoever asks.
    Direct,
    /// Through a proxy, which says so; whoever asks may be anybody.
    Forwarded,
}

/// What is answered beside the sessions.
pub trait Pages: std::fmt::Debug + Send + Sync {
    /// The page of a path; `None` when there is none that way. It is asked for with GET or HEAD.
    fn page(&self, path: &str, way: Way) -> Option<Response<Body>>;
}

/// A server without its socket.
#[derive(Debug)]
pub struct Site {
    /// The sessions.
    pub engine: Engine,
    /// Their path, with a slash at its end.
    pub path: &'static str,
    /// Everything else.
    pub pages: Arc<dyn Pages>,
    /// The value of `X-Chat-Node`.
    pub node: HeaderValue,
    /// Whose pages may open sessions.
    pub origins: Origins,
    /// Whose word is taken for where clients are.
    pub proxies: Proxies,
    /// The sessions there may be.
    pub sessions: Arc<Occupancy>,
    /// The connections that speak HTTP there may be.
    pub connections: Arc<Occupancy>,
    /// How long a new connection may take to ask for something.
    pub handshake_timeout: Duration,
    /// How long a connection may take no byte.
    pub write_stall: Duration,
    /// Set once, when no new session is to be opened.
    pub draining: Arc<AtomicBool>,
    /// What is counted.
    pub counts: Arc<Counts>,
}

/// What a site counts.
#[derive(Debug, Default)]
pub struct Counts {
    /// Connections and sessions refused because there were too many in all.
    pub full: Counter,
    /// Those refused because there were too many from their address.
    pub full_address: Counter,
    /// Connections that asked for nothing in time.
    pub silent: Counter,
    /// Sessions refused while draining.
    pub draining: Counter,
}

impl Site {
    /// A place for a new connection, or the answer that tells of none.
    pub(super) fn admit_connection(&self, peer: IpAddr) -> Result<Taking, String> {
        let entered = if self.proxies.trust(peer) {
            self.connections.enter_for_many()
        } else {
            self.connections.enter(peer)
        };
        entered.map_err(|full| {
            let (status, text) = self.count_full(full);
            let node = self.node.to_str().unwrap_or_default();
            format!(
                "HTTP/1.1 {status}\r\n{NODE_HEADER}: {node}\r\nretry-after: 1\r\nconnection: close\r\n\
                 content-length: {}\r\n\r\n{text}",
                text.len()
            )
        })
    }

    /// Answers a request.
    pub(super) async fn respond(&self, request: Request<Incoming>, peer: IpAddr) -> Response<Body> {
        let path = request.uri().path();
        let mut response = if path == self.path || path == self.path.trim_end_matches('/') {
            self.session(request, peer).await
        } else {
            self.page(request.method(), path, proxies::way(request.headers()))
        };
        response.headers_mut().insert(NODE_HEADER, self.node.clone());
        response
    }

    fn page(&self, method: &Method, path: &str, way: Way) -> Response<Body> {
        match self.pages.page(path, way) {
            None => plain(StatusCode::NOT_FOUND, "there is nothing here\n"),
            Some(page) if method == Method::GET || method == Method::HEAD => page,
            Some(_) => {
                let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, "ask with GET\n");
                response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
                response
            }
        }
    }

    async fn session(&self, request: Request<Incoming>, peer: IpAddr) -> Response<Body> {
        let verdict = self.origins.judge(request.headers());
        let mut response = if Verdict::is_preflight(&request) {
            verdict.preflight()
        } else if verdict == Verdict::Refused {
            self.engine.refuse(Refusal::Forbidden)
        } else {
            self.admitted(request, peer).await
        };
        verdict.mark(response.headers_mut(), &NODE_HEADER);
        response
    }

    async fn admitted(&self, request: Request<Incoming>, peer: IpAddr) -> Response<Body> {
        let visitor = Visitor {
            address: self.proxies.client(peer, request.headers()),
            user_agent: user_agent(request.headers()),
        };
        if !Engine::is_handshake(&request) {
            return self.engine.handle(request, visitor, None).await;
        }
        if self.draining.load(Ordering::Acquire) {
            self.counts.draining.increment();
            return later(StatusCode::SERVICE_UNAVAILABLE, "draining\n");
        }
        match self.sessions.enter(visitor.address) {
            Ok(place) => self.engine.handle(request, visitor, Some(Box::new(place))).await,
            Err(full) => {
                let (status, text) = self.count_full(full);
                later(status, text)
            }
        }
    }

    fn count_full(&self, full: NoPlace) -> (StatusCode, &'static str) {
        match full {
            NoPlace::InAll => {
                self.counts.full.increment();
                (StatusCode::SERVICE_UNAVAILABLE, "too many connections\n")
            }
            NoPlace::Address => {
                self.counts.full_address.increment();
                (StatusCode::TOO_MANY_REQUESTS, "too many connections from this address\n")
            }
        }
    }
}

fn user_agent(headers: &HeaderMap) -> Option<Box<str>> {
    let text = headers.get(USER_AGENT)?.to_str().ok()?;
    // Visible ASCII, so that it can be cut anywhere.
    Some(text[..text.len().min(USER_AGENT_LENGTH)].into())
}

/// A refusal that does not hold for ever.
fn later(status: StatusCode, text: &'static str) -> Response<Body> {
    let mut response = plain(status, text);
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

/// A short text.
pub fn plain(status: StatusCode, text: impl Into<Bytes>) -> Response<Body> {
    let mut response = Response::new(Full::new(text.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
