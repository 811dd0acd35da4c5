//! A server behind a load balancer that tells what it saw, and does on request what servers do.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use futures_util::{SinkExt, StreamExt};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::header::HeaderValue;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;

type Body = UnsyncBoxBody<Bytes, Infallible>;

/// What one health check asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) host: String,
    pub(crate) version: String,
}

/// A server on a host: says its name, what it was asked with, and echoes upgraded bytes in upper case.
pub(crate) struct Backend {
    name: &'static str,
    pub(crate) is_healthy: AtomicBool,
    /// The last health check that arrived.
    pub(crate) checked: Mutex<Option<Asked>>,
    /// Health checks so far.
    pub(crate) checks: AtomicUsize,
    /// Connections so far, those of health checks included.
    connections: AtomicUsize,
    /// Requests to `/held` that wait now, and whether they may go on.
    pub(crate) held: watch::Sender<usize>,
    pub(crate) released: watch::Sender<bool>,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl Backend {
    pub(crate) async fn serve(name: &'static str, address: SocketAddr) -> Arc<Self> {
        Self::listen(name, address, None).await
    }

    /// The same over TLS.
    pub(crate) async fn serve_tls(
        name: &'static str,
        address: SocketAddr,
        acceptor: TlsAcceptor,
    ) -> Arc<Self> {
        Self::listen(name, address, Some(acceptor)).await
    }

    async fn listen(name: &'static str, address: SocketAddr, acceptor: Option<TlsAcceptor>) -> Arc<Self> {
        let backend = Arc::new(Self {
            name,
            is_healthy: AtomicBool::new(true),
            checked: Mutex::default(),
            checks: AtomicUsize::new(0),
            connections: AtomicUsize::new(0),
            held: watch::Sender::new(0),
            released: watch::Sender::new(false),
            task: Mutex::default(),
        });
        let listener = TcpListener::bind(address).await.unwrap();
        let served = Arc::clone(&backend);
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let backend = Arc::clone(&served);
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    match acceptor {
                        None => backend.converse(stream).await,
                        Some(acceptor) => {
                            if let Ok(stream) = acceptor.accept(stream).await {
                                backend.converse(stream).await;
                            }
                        }
                    }
                });
            }
        });
        *backend.task.lock().unwrap() = Some(task);
        backend
    }

    /// Gives its port back: the address may be that of another test's host soon.
    pub(crate) async fn stop(&self) {
        let task = self.task.lock().unwrap().take();
        if let Some(task) = task {
            task.abort();
            let _ = task.await;
        }
    }

    async fn converse(self: Arc<Self>, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        let number = self.connections.fetch_add(1, Ordering::Relaxed);
        let service = service_fn(move |request| Arc::clone(&self).answer(number, request));
        let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).with_upgrades().await;
    }

    async fn answer(
        self: Arc<Self>,
        connection: usize,
        mut request: Request<Incoming>,
    ) -> Result<Response<Body>, Infallible> {
        Ok(match request.uri().path() {
            "/healthz" => self.check(&request),
            "/never" => std::future::pending().await,
            "/held" => self.hold().await,
            "/socket" => upgrade(&mut request),
            "/websocket" => websocket(&mut request),
            "/echo" => Response::new(request.into_body().map_err(|error| panic!("{error}")).boxed_unsync()),
            "/drip" => drip(),
            "/connection" => page(connection.to_string()),
            "/seen" | "/s/een" => page(describe(&request)),
            "/large" => with("content-type", "text/plain; charset=utf-8", page("words ".repeat(2000))),
            "/picture" => with("content-type", "image/png", page("pixel ".repeat(2000))),
            "/set-cookie" => {
                with("set-cookie", "session=secret; Path=/; HttpOnly", page(self.name.to_owned()))
            }
            "/teapot" => with("x-kind", "pot", status(StatusCode::IM_A_TEAPOT)),
            _ => {
                let forwarded = request.headers().get("x-forwarded-for").map(|value| value.to_str().unwrap());
                page(format!("{} {}", self.name, forwarded.unwrap_or_default()))
            }
        })
    }

    fn check(&self, request: &Request<Incoming>) -> Response<Body> {
        let host = request.headers().get("host").map_or("", |host| host.to_str().unwrap());
        *self.checked.lock().unwrap() = Some(Asked {
            method: request.method().to_string(),
            target: request.uri().to_string(),
            host: host.to_owned(),
            version: format!("{:?}", request.version()),
        });
        self.checks.fetch_add(1, Ordering::Relaxed);
        let is_healthy = self.is_healthy.load(Ordering::Relaxed);
        if is_healthy { page(String::new()) } else { status(StatusCode::SERVICE_UNAVAILABLE) }
    }

    /// Waits until it is told to go on.
    async fn hold(&self) -> Response<Body> {
        self.held.send_modify(|held| *held += 1);
        let mut released = self.released.subscribe();
        let _ = released.wait_for(|released| *released).await;
        page("let go".to_owned())
    }

    /// Resolves when so many requests wait.
    pub(crate) async fn holds(&self, count: usize) {
        let mut held = self.held.subscribe();
        let wait = held.wait_for(|held| *held == count);
        tokio::time::timeout(crate::support::PATIENCE, wait).await.expect("they come").unwrap();
    }
}

fn page(text: String) -> Response<Body> {
    Response::new(Full::new(Bytes::from(text)).boxed_unsync())
}

fn status(status: StatusCode) -> Response<Body> {
    let mut response = page(String::new());
    *response.status_mut() = status;
    response
}

fn with(name: &'static str, value: &'static str, mut response: Response<Body>) -> Response<Body> {
    response.headers_mut().insert(name, HeaderValue::from_static(value));
    response
}

/// First line and headers of a request, a line each.
fn describe(request: &Request<Incoming>) -> String {
    let mut text = format!("{} {} {:?}\n", request.method(), request.uri(), request.version());
    for (name, value) in request.headers() {
        writeln!(text, "{name}: {}", value.to_str().unwrap()).unwrap();
    }
    text
}

fn upgrade(request: &mut Request<Incoming>) -> Response<Body> {
    let upgrade = hyper::upgrade::on(request);
    tokio::spawn(async move {
        let (mut read, mut write) = tokio::io::split(TokioIo::new(upgrade.await.unwrap()));
        let mut buffer = vec![0; 1024];
        while let Ok(length @ 1..) = read.read(&mut buffer).await {
            write.write_all(&buffer[..length].to_ascii_uppercase()).await.unwrap();
        }
    });
    let response = with("upgrade", "websocket", status(StatusCode::SWITCHING_PROTOCOLS));
    with("connection", "upgrade", response)
}

/// A WebSocket that sends every message back.
fn websocket(request: &mut Request<Incoming>) -> Response<Body> {
    let key = request.headers()["sec-websocket-key"].clone();
    let upgrade = hyper::upgrade::on(request);
    tokio::spawn(async move {
        let stream = TokioIo::new(upgrade.await.unwrap());
        let mut socket = WebSocketStream::from_raw_socket(stream, Role::Server, None).await;
        while let Some(Ok(message)) = socket.next().await {
            if message.is_text() || message.is_binary() {
                socket.send(message).await.unwrap();
            }
        }
    });
    let accept = HeaderValue::from_str(&derive_accept_key(key.as_bytes())).unwrap();
    let mut response = with("upgrade", "websocket", status(StatusCode::SWITCHING_PROTOCOLS));
    response.headers_mut().insert("sec-websocket-accept", accept);
    with("connection", "upgrade", response)
}

/// One part of a body, and never the next one.
fn drip() -> Response<Body> {
    let (sender, receiver) = tokio::sync::mpsc::channel::<Result<Frame<Bytes>, Infallible>>(1);
    tokio::spawn(async move {
        sender.send(Ok(Frame::data(Bytes::from_static(b"first")))).await.unwrap();
        sender.closed().await;
    });
    let stream = futures_util::stream::unfold(receiver, async |mut receiver| {
        receiver.recv().await.map(|frame| (frame, receiver))
    });
    Response::new(BodyExt::boxed_unsync(StreamBody::new(StreamExt::boxed(stream))))
}
