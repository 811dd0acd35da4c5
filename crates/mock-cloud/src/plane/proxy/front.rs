//! One socket of a load balancer and the client connections on it.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, PoisonError, RwLock};

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_util::sync::CancellationToken;

use crate::plane::proxy::forward::{Client, forward};
use crate::plane::proxy::group::Group;
use crate::plane::spec::{Listener, ListenerProtocol};
use crate::plane::stream::{Activity, Guarded};

/// What a listener does now.
pub(super) struct Setting {
    /// The load balancer's own name, in lower case.
    pub(super) dns_name: String,
    pub(super) listener: Listener,
    pub(super) group: Arc<Group>,
}

/// The settings of a listener, readable by its connections at any time.
pub(super) type Live = Arc<RwLock<Arc<Setting>>>;

/// The settings as they are now.
pub(super) fn current(live: &Live) -> Arc<Setting> {
    Arc::clone(&live.read().unwrap_or_else(PoisonError::into_inner))
}

/// An open listener on one address.
pub(super) struct Front {
    socket: SocketAddr,
    live: Live,
    cut: CancellationToken,
}

impl Front {
    /// Binds and starts to serve.
    pub(super) async fn open(socket: SocketAddr, setting: Setting) -> io::Result<Self> {
        let listener = TcpListener::bind(socket).await?;
        let front =
            Self { socket, live: Arc::new(RwLock::new(Arc::new(setting))), cut: CancellationToken::new() };
        tokio::spawn(accept(listener, Arc::clone(&front.live), front.cut.clone()));
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
    pub(super) fn change(&self, setting: Setting) {
        *self.live.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(setting);
    }

    /// Stops listening and cuts its connections.
    pub(super) fn close(&self) {
        self.cut.cancel();
    }
}

async fn accept(listener: TcpListener, live: Live, cut: CancellationToken) {
    loop {
        tokio::select! {
            () = cut.cancelled() => return,
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => drop(tokio::spawn(converse(stream, peer, Arc::clone(&live), cut.child_token()))),
                Err(error) => {
                    tracing::warn!(%error, "accepting a connection failed");
                    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                }
            }
        }
    }
}

/// One client connection, plain or TLS.
async fn converse(stream: TcpStream, peer: SocketAddr, live: Live, cut: CancellationToken) {
    let _ = stream.set_nodelay(true);
    let activity = Activity::new();
    let client = Client {
        peer: peer.ip(),
        live: Arc::clone(&live),
        activity: Arc::clone(&activity),
        cut: cut.clone(),
    };
    let stream = Guarded::new(stream, activity, cut);
    match &current(&live).listener.protocol {
        ListenerProtocol::Http => serve(stream, client).await,
        ListenerProtocol::Https { chain, key } => match acceptor(chain, key.expose()) {
            Ok(acceptor) => {
                let idle = client.idle();
                match tokio::time::timeout(idle, acceptor.accept(stream)).await {
                    Ok(Ok(stream)) => serve(stream, client).await,
                    Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
                    Err(_) => tracing::debug!("a TLS handshake took too long"),
                }
            }
            Err(error) => tracing::warn!(%error, "a certificate cannot be used"),
        },
    }
}

async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, client: Client) {
    let activity = Arc::clone(&client.activity);
    let live = Arc::clone(&client.live);
    let service = service_fn(move |request| {
        let client = client.clone();
        async move { Ok::<_, Infallible>(forward(client, request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(None)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    tokio::select! {
        ended = connection => {
            if let Err(error) = ended {
                tracing::debug!(%error, "a client connection ended");
            }
        }
        () = activity.silent_for(|| current(&live).listener.idle_timeout) => {}
    }
}

/// TLS with a certificate and key in PEM.
fn acceptor(chain: &str, key: &str) -> io::Result<TlsAcceptor> {
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(chain.as_bytes())
        .collect::<Result<_, _>>()
        .map_err(io::Error::other)?;
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(io::Error::other)?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(io::Error::other)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}
