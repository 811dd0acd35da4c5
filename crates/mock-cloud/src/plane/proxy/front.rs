//! One socket of a load balancer and the client connections on it.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use hyper::header::HeaderValue;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use crate::plane::proxy::forward::forward;
use crate::plane::proxy::lanes::Lanes;
use crate::plane::proxy::setting::{Live, Setting, current};
use crate::plane::spec::ListenerProtocol;
use crate::plane::stream::{Activity, Guarded};

/// Requests that one HTTP/2 connection may have open.
const STREAMS: u32 = 128;

/// The connection that requests of a client come on.
pub(super) struct Client {
    pub(super) peer: SocketAddr,
    /// Its address, as headers tell it.
    pub(super) address: HeaderValue,
    pub(super) live: Live,
    pub(super) activity: Arc<Activity>,
    /// Cancelled when the listener closes.
    pub(super) cut: CancellationToken,
}

impl Client {
    pub(super) fn idle(&self) -> Duration {
        current(&self.live).listener.idle_timeout
    }
}

/// An open listener on one address.
pub(super) struct Front {
    socket: SocketAddr,
    live: Live,
    cut: CancellationToken,
}

impl Front {
    /// Binds and starts to serve.
    pub(super) async fn open(
        socket: SocketAddr,
        setting: Arc<Setting>,
        lanes: Arc<Lanes>,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind(socket).await?;
        let front = Self { socket, live: Arc::new(RwLock::new(setting)), cut: CancellationToken::new() };
        tokio::spawn(accept(listener, lanes, Arc::clone(&front.live), front.cut.clone()));
        Ok(front)
    }

    pub(super) fn socket(&self) -> SocketAddr {
        self.socket
    }

    /// The port of the API.
    pub(super) fn port(&self) -> u16 {
        current(&self.live).listener.port
    }

    /// From now on requests are treated like this.
    pub(super) fn change(&self, setting: Arc<Setting>) {
        *self.live.write().unwrap_or_else(PoisonError::into_inner) = setting;
    }

    /// Stops listening and cuts its connections.
    pub(super) fn close(&self) {
        self.cut.cancel();
    }
}

async fn accept(listener: TcpListener, lanes: Arc<Lanes>, live: Live, cut: CancellationToken) {
    let accept = async || {
        let (stream, peer) = listener.accept().await?;
        Ok((stream.into_std()?, peer))
    };
    loop {
        let (live, own) = (Arc::clone(&live), cut.child_token());
        tokio::select! {
            () = cut.cancelled() => return,
            accepted = accept() => match accepted {
                Ok((stream, peer)) => lanes.carry(stream, move |stream| converse(stream, peer, live, own)),
                Err(error) => {
                    let error: io::Error = error;
                    tracing::warn!(%error, "accepting a connection failed");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
    }
}

/// One client connection, plain or TLS.
async fn converse(stream: TcpStream, peer: SocketAddr, live: Live, cut: CancellationToken) {
    let _ = stream.set_nodelay(true);
    let Ok(address) = HeaderValue::from_str(&peer.ip().to_string()) else { return };
    let activity = Activity::new();
    let stream = Guarded::watched(stream, Arc::clone(&activity));
    let setting = current(&live);
    let client = Arc::new(Client { peer, address, live, activity, cut: cut.clone() });
    let talk = async {
        match (&setting.listener.protocol, &setting.tls) {
            (ListenerProtocol::Http, _) => serve_http1(stream, client).await,
            (ListenerProtocol::Https(_), Some(acceptor)) => serve_tls(stream, acceptor, client).await,
            (ListenerProtocol::Https(_), None) => {}
        }
    };
    tokio::select! {
        () = talk => {}
        () = cut.cancelled() => {}
    }
}

async fn serve_tls(stream: Guarded<TcpStream>, acceptor: &TlsAcceptor, client: Arc<Client>) {
    match tokio::time::timeout(client.idle(), acceptor.accept(stream)).await {
        Ok(Ok(stream)) if stream.get_ref().1.alpn_protocol() == Some(b"h2") => {
            serve_http2(stream, client).await;
        }
        Ok(Ok(stream)) => serve_http1(stream, client).await,
        Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
        Err(_) => tracing::debug!("a TLS handshake took too long"),
    }
}

async fn serve_http1(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, client: Arc<Client>) {
    let own = Arc::clone(&client);
    let service = service_fn(move |request| {
        let client = Arc::clone(&own);
        async move { Ok::<_, Infallible>(forward(client, request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(None)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    while_in_use(connection, &client).await;
}

async fn serve_http2(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, client: Arc<Client>) {
    let own = Arc::clone(&client);
    let service = service_fn(move |request| {
        let client = Arc::clone(&own);
        async move { Ok::<_, Infallible>(forward(client, request).await) }
    });
    let connection = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .serve_connection(TokioIo::new(stream), service);
    while_in_use(connection, &client).await;
}

/// Until the client ends it, or nothing happens for too long.
async fn while_in_use(connection: impl Future<Output = hyper::Result<()>>, client: &Client) {
    tokio::select! {
        ended = connection => {
            if let Err(error) = ended {
                tracing::debug!(%error, "a client connection ended");
            }
        }
        () = client.activity.silent_for(|| client.idle()) => {}
    }
}
