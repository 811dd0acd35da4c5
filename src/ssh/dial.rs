//! From an address to a host that is verified and logged into: along the route, hop by hop.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::time::{Instant, timeout};

use super::error::SshError;
use super::key::Identity;
use super::link::{Link, Socket};
use super::route::{Limits, Route};
use super::tunnel;

/// A connected socket whose session is not set up yet, and what is needed for that.
pub(super) struct Dialled {
    socket: Socket,
    route: Route,
    identity: Identity,
    limits: Limits,
}

impl Dialled {
    pub(super) async fn dial(route: &Route, identity: &Identity, limits: &Limits) -> Result<Self, SshError> {
        let socket = match &route.via {
            None => Socket::Tcp(connect(route, limits).await?),
            Some(outer) => {
                Socket::Tunnel(Box::pin(open_tunnel(outer, identity, limits, route.address)).await?)
            }
        };
        Ok(Self { socket, route: route.clone(), identity: identity.clone(), limits: *limits })
    }

    /// Starts the thread that owns the link, logs in there, and leaves it to `work`. Returns once logged in.
    pub(super) async fn run<W, F>(self, work: W) -> Result<(), SshError>
    where
        W: FnOnce(Link, String) -> F + Send + 'static,
        F: Future<Output = ()>,
    {
        let (ready, logged_in) = oneshot::channel();
        let (host, limits) = (self.route.host.clone(), self.limits);
        let local = |source| SshError::Local { host: host.clone(), source };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(local)?;
        std::thread::Builder::new()
            .name(format!("ssh {host}"))
            .spawn(move || {
                runtime.block_on(async move {
                    let host = self.route.host.clone();
                    let (link, told) = match self.log_in().await {
                        Ok(link) => (Some(link), Ok(())),
                        Err(error) => (None, Err(error)),
                    };
                    // Where nobody waits any more, the link is dropped and with it the connection.
                    if let (Ok(()), Some(link)) = (ready.send(told), link) {
                        work(link, host).await;
                    }
                });
            })
            .map_err(local)?;
        // The thread keeps the limit by itself, but for one thing: libssh2 waits for an agent without looking up.
        let limit = limits.handshake + limits.connect;
        let told = timeout(limit, logged_in).await.map_err(|_| SshError::TimedOut {
            host: host.clone(),
            what: "the SSH handshake".to_owned(),
            after: limit,
        })?;
        told.map_err(|_| SshError::Local {
            host: host.clone(),
            source: io::Error::other("the session's thread ended"),
        })?
    }

    async fn log_in(self) -> Result<Link, SshError> {
        let host = self.route.host.clone();
        let mut link =
            Link::new(self.socket).map_err(|source| SshError::Local { host: host.clone(), source })?;
        let begun = Instant::now();
        match timeout(self.limits.handshake, link.log_in(&self.route, &self.identity)).await {
            Ok(done) => done.map(|()| link).map_err(|error| error.lasting(begun.elapsed())),
            Err(_) => Err(SshError::TimedOut {
                host,
                what: "the SSH handshake".to_owned(),
                after: self.limits.handshake,
            }),
        }
    }
}

/// Opens a connection from `route`'s host to `target`.
pub(super) async fn open_tunnel(
    route: &Route,
    identity: &Identity,
    limits: &Limits,
    target: SocketAddr,
) -> Result<std::os::unix::net::UnixStream, SshError> {
    let host = route.host.clone();
    let dialled = Dialled::dial(route, identity, limits).await?;
    let limit = limits.connect;
    let (ready, opened) = oneshot::channel();
    dialled
        .run(async move |link, host| {
            let opening = timeout(limit, tunnel::open(&link, &host, target)).await;
            let what = format!("connecting onwards to {target}");
            let opening = opening.unwrap_or(Err(SshError::TimedOut { host, what, after: limit }));
            let (ends, told) = match opening {
                Ok((channel, inside, outside)) => (Some((channel, inside)), Ok(outside)),
                Err(error) => (None, Err(error)),
            };
            if let (Ok(()), Some((channel, inside))) = (ready.send(told), ends) {
                tunnel::pump(&link, channel, inside).await;
            }
        })
        .await?;
    opened
        .await
        .map_err(|_| SshError::Local { host, source: io::Error::other("the session's thread ended") })?
}

async fn connect(route: &Route, limits: &Limits) -> Result<std::net::TcpStream, SshError> {
    let (host, address) = (route.host.clone(), route.address);
    let late = || timed_out_connecting(&host, address, limits.connect);
    let stream = timeout(limits.connect, TcpStream::connect(address)).await.map_err(|_| late())?;
    let stream = stream.map_err(|source| {
        let kind = source.kind();
        if kind == io::ErrorKind::TimedOut {
            late()
        } else if kind == io::ErrorKind::ConnectionRefused {
            SshError::Refused { host: host.clone(), address, source }
        } else {
            SshError::Unreachable { host: host.clone(), address, source }
        }
    })?;
    // Commands are small packets that wait for answers.
    stream
        .set_nodelay(true)
        .and_then(|()| stream.into_std())
        .map_err(|source| SshError::Local { host, source })
}

fn timed_out_connecting(host: &str, address: SocketAddr, after: Duration) -> SshError {
    SshError::TimedOut { host: host.to_owned(), what: format!("connecting to {address}"), after }
}
