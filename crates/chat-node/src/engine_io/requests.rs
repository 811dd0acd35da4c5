//! From an HTTP request to a session: the handshake, its refusals, and the requests of sessions there are.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::encoded::Encoded;
use super::polling::{self, Misuse, Posting};
use super::registry::Registry;
use super::session::{Attempt, Permit, Receiver, Session, Settings, Transport, Visitor};
use super::upgrade::Upgrading;
use super::websocket::{connection, handshake};

/// The body of every answer.
pub type Body = Full<Bytes>;

/// The layer above: takes each new session.
pub trait Application: std::fmt::Debug + Send + Sync {
    /// Called before the client is told that its session is open.
    fn open(&self, session: &Arc<Session>) -> Arc<dyn Receiver>;
}

/// Why a request is refused, with the codes and texts of the protocol's reference server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Neither polling nor WebSocket.
    UnknownTransport,
    /// No session of that id, or no longer.
    UnknownSession,
    /// A session is opened with GET only.
    BadHandshakeMethod,
    /// What cannot be made sense of.
    BadRequest,
    /// A page of another site.
    Forbidden,
    /// Another version of the protocol.
    UnsupportedProtocol,
}

impl Refusal {
    /// Every refusal, for metrics.
    pub const ALL: [Self; 6] = [
        Self::UnknownTransport,
        Self::UnknownSession,
        Self::BadHandshakeMethod,
        Self::BadRequest,
        Self::Forbidden,
        Self::UnsupportedProtocol,
    ];

    /// The text clients read.
    pub fn message(self) -> &'static str {
        match self {
            Self::UnknownTransport => "Transport unknown",
            Self::UnknownSession => "Session ID unknown",
            Self::BadHandshakeMethod => "Bad handshake method",
            Self::BadRequest => "Bad request",
            Self::Forbidden => "Forbidden",
            Self::UnsupportedProtocol => "Unsupported protocol version",
        }
    }

    /// The value of a metric's label.
    pub fn label(self) -> &'static str {
        match self {
            Self::UnknownTransport => "unknown_transport",
            Self::UnknownSession => "unknown_session",
            Self::BadHandshakeMethod => "bad_handshake_method",
            Self::BadRequest => "bad_request",
            Self::Forbidden => "forbidden",
            Self::UnsupportedProtocol => "unsupported_protocol",
        }
    }

    /// The answer.
    pub fn response(self) -> Response<Body> {
        let status = if self == Self::Forbidden { StatusCode::FORBIDDEN } else { StatusCode::BAD_REQUEST };
        let body = format!("{{\"code\":{},\"message\":\"{}\"}}", self as u8, self.message());
        answer(status, "application/json", body)
    }
}

impl From<Misuse> for Refusal {
    fn from(misuse: Misuse) -> Self {
        match misuse {
            Misuse::Over => Self::UnknownSession,
            Misuse::BadRequest => Self::BadRequest,
        }
    }
}

/// What a request asks for.
struct Query<'a> {
    transport: Transport,
    sid: Option<&'a str>,
    is_current: bool,
}

impl<'a> Query<'a> {
    fn parse(query: &'a str) -> Result<Self, Refusal> {
        let get = |name| {
            query
                .split('&')
                .filter_map(|pair| pair.split_once('='))
                .find(|(key, _)| *key == name)
                .map(|(_, value)| value)
        };
        let transport = match get("transport") {
            Some("polling") => NEW_POLLING,
            Some("websocket") => Transport::WebSocket,
            _ => return Err(Refusal::UnknownTransport),
        };
        Ok(Self { transport, sid: get("sid"), is_current: get("EIO") == Some("4") })
    }
}

/// A session that was just opened by polling.
const NEW_POLLING: Transport = Transport::Polling { polled: false, posting: false, attempt: Attempt::None };

/// An Engine.IO server without its socket.
#[derive(Debug)]
pub struct Engine {
    settings: Arc<Settings>,
    registry: Arc<Registry>,
    application: Arc<dyn Application>,
}

impl Engine {
    /// A server without sessions.
    pub fn new(settings: Settings, application: Arc<dyn Application>) -> Self {
        Self { settings: Arc::new(settings), registry: Arc::default(), application }
    }

    /// The sessions.
    pub fn registry(&self) -> &Arc<Registry> {
        &self.registry
    }

    /// Whether a request would open a session if it were answered.
    pub fn is_handshake<B>(request: &Request<B>) -> bool {
        let query = request.uri().query().unwrap_or_default();
        !query.split('&').any(|pair| pair.starts_with("sid="))
    }

    /// The answer to a request that is not heard.
    pub fn refuse(&self, refusal: Refusal) -> Response<Body> {
        self.registry.counts.refused(refusal);
        refusal.response()
    }

    /// Answers a request. The permit is that of the session, should it open one.
    pub async fn handle(
        &self,
        request: Request<Incoming>,
        visitor: Visitor,
        permit: Permit,
    ) -> Response<Body> {
        let query = request.uri().query().unwrap_or_default().to_owned();
        let outcome = match Query::parse(&query) {
            Ok(Query { transport, sid: Some(sid), .. }) => match self.registry.get(sid) {
                Some(session) => self.of_session(request, transport, session).await,
                None => Err(Refusal::UnknownSession),
            },
            Ok(query) => self.open(request, &query, visitor, permit),
            Err(refusal) => Err(refusal),
        };
        outcome.unwrap_or_else(|refusal| self.refuse(refusal))
    }

    fn open(
        &self,
        request: Request<Incoming>,
        query: &Query<'_>,
        visitor: Visitor,
        permit: Permit,
    ) -> Result<Response<Body>, Refusal> {
        if request.method() != Method::GET {
            return Err(Refusal::BadHandshakeMethod);
        }
        if !query.is_current {
            return Err(Refusal::UnsupportedProtocol);
        }
        match query.transport {
            Transport::Polling { .. } => Ok(self.open_polling(visitor, permit)),
            Transport::WebSocket => {
                let response = handshake::accept(&request).ok_or(Refusal::BadRequest)?;
                self.open_websocket(request, visitor, permit);
                Ok(response)
            }
        }
    }

    fn open_polling(&self, visitor: Visitor, permit: Permit) -> Response<Body> {
        let session = Arc::new(Session::new(self.settings.clone(), visitor, NEW_POLLING));
        let tenure = self.registry.enter(&session, permit);
        session.attach(self.application.open(&session));
        self.registry.counts.opened_polling.increment();
        tokio::spawn(polling::drive(tenure));
        let open = super::encoded::encode_payload([&self.greeting(&session, &["websocket"])]);
        payload(open)
    }

    fn open_websocket(&self, request: Request<Incoming>, visitor: Visitor, permit: Permit) {
        let (settings, registry, application) =
            (self.settings.clone(), self.registry.clone(), self.application.clone());
        let session = Arc::new(Session::new(settings, visitor, Transport::WebSocket));
        let greeting = self.greeting(&session, &[]);
        tokio::spawn(async move {
            let Some((stream, first)) = take_over(request).await else {
                return;
            };
            session.send_always(greeting);
            let tenure = registry.enter(&session, permit);
            session.attach(application.open(&session));
            registry.counts.opened_websocket.increment();
            // A task of its own: this one is as large as what came before, and would stay so.
            tokio::spawn(connection::carry(stream, first, tenure));
        });
    }

    fn greeting(&self, session: &Session, upgrades: &[&str]) -> Encoded {
        let settings = serde_json::json!({
            "sid": session.id().as_str(),
            "upgrades": upgrades,
            "pingInterval": milliseconds(self.settings.ping_interval),
            "pingTimeout": milliseconds(self.settings.ping_timeout),
            "maxPayload": self.settings.max_payload,
        });
        Encoded::open(&settings.to_string())
    }

    async fn of_session(
        &self,
        request: Request<Incoming>,
        transport: Transport,
        session: Arc<Session>,
    ) -> Result<Response<Body>, Refusal> {
        match (transport, request.method()) {
            (Transport::WebSocket, _) => {
                let response = handshake::accept(&request).ok_or(Refusal::BadRequest)?;
                let upgrading = Upgrading::begin(session).ok_or(Refusal::BadRequest)?;
                let registry = self.registry.clone();
                tokio::spawn(async move {
                    if let Some((stream, first)) = take_over(request).await {
                        tokio::spawn(connection::probe(stream, first, upgrading, registry));
                    }
                });
                Ok(response)
            }
            (Transport::Polling { .. }, &Method::GET) => {
                Ok(payload(polling::poll(&session, &self.registry.counts).await?))
            }
            (Transport::Polling { .. }, &Method::POST) => self.post(request, &session).await,
            (Transport::Polling { .. }, _) => Err(Refusal::BadRequest),
        }
    }

    async fn post(
        &self,
        request: Request<Incoming>,
        session: &Arc<Session>,
    ) -> Result<Response<Body>, Refusal> {
        let mut posting = Posting::begin(session)?;
        // Version 3 sent bytes that way; here they are base64 in a text.
        if request.headers().get(CONTENT_TYPE).is_some_and(|kind| kind == "application/octet-stream") {
            return Err(Refusal::BadRequest);
        }
        let body = gather(Limited::new(request.into_body(), self.settings.max_payload));
        let Ok(body) = timeout(self.settings.upgrade_timeout, body).await else {
            return Ok(answer(
                StatusCode::REQUEST_TIMEOUT,
                "text/plain",
                "the body did not arrive in time\n",
            ));
        };
        posting.complete = true;
        match body {
            Ok(body) => {
                posting.take(&body, &self.registry.counts)?;
                // This type keeps old browsers from offering the answer as a download.
                Ok(answer(StatusCode::OK, "text/html", "ok"))
            }
            Err(error) if error.is::<LengthLimitError>() => {
                Ok(answer(StatusCode::PAYLOAD_TOO_LARGE, "text/plain", "the body is too large\n"))
            }
            Err(_) => {
                posting.complete = false;
                Err(Refusal::BadRequest)
            }
        }
    }
}

/// A whole body in one piece: kept as they came, chunks of one byte would take many times their size.
async fn gather(mut body: Limited<Incoming>) -> Result<BytesMut, Box<dyn std::error::Error + Send + Sync>> {
    let mut gathered = BytesMut::new();
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame?.into_data() {
            gathered.extend_from_slice(&data);
        }
    }
    Ok(gathered)
}

/// Takes the raw connection out of the HTTP server, with what arrived on it already.
async fn take_over(mut request: Request<Incoming>) -> Option<(TcpStream, Bytes)> {
    let upgrading = hyper::upgrade::on(&mut request);
    drop(request);
    let upgraded = upgrading.await.inspect_err(|error| tracing::debug!(%error, "an upgrade failed")).ok()?;
    let parts = upgraded.downcast::<TokioIo<crate::http::stall::Stalling<TcpStream>>>().ok()?;
    Some((parts.io.into_inner().into_inner(), parts.read_buf))
}

fn milliseconds(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn payload(payload: String) -> Response<Body> {
    answer(StatusCode::OK, "text/plain; charset=UTF-8", payload)
}

fn answer(status: StatusCode, kind: &'static str, body: impl Into<Bytes>) -> Response<Body> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn refusals_are_those_of_the_reference_server() {
        let table = [
            (Refusal::UnknownTransport, 400, r#"{"code":0,"message":"Transport unknown"}"#),
            (Refusal::UnknownSession, 400, r#"{"code":1,"message":"Session ID unknown"}"#),
            (Refusal::BadHandshakeMethod, 400, r#"{"code":2,"message":"Bad handshake method"}"#),
            (Refusal::BadRequest, 400, r#"{"code":3,"message":"Bad request"}"#),
            (Refusal::Forbidden, 403, r#"{"code":4,"message":"Forbidden"}"#),
            (Refusal::UnsupportedProtocol, 400, r#"{"code":5,"message":"Unsupported protocol version"}"#),
        ];
        for (refusal, status, body) in table {
            let response = refusal.response();
            assert_eq!(response.status(), status);
            assert_eq!(response.headers()["content-type"], "application/json");
            assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), body);
        }
    }

    #[test]
    fn queries_are_read_in_any_order() {
        let query =
            Query::parse("t=x&sid=abc&EIO=4&transport=polling").map(|query| (query.sid, query.is_current));
        assert_eq!(query.ok(), Some((Some("abc"), true)));
        for refused in ["", "EIO=4", "EIO=4&transport=abc", "EIO=4&transport"] {
            assert_eq!(Query::parse(refused).err(), Some(Refusal::UnknownTransport), "{refused}");
        }
        assert!(!Query::parse("transport=websocket&EIO=abc").unwrap().is_current);
    }
}
