//! From an address to a connection that has been greeted: name, TCP, TLS, protocol version, login, database, age.
//!
//! Names are resolved here and not by the C library, whose resolver a statically linked program cannot use, and anew
//! each time: after a failover the same name may lead elsewhere. All addresses of a name are tried, each a moment
//! after the one before, beginning with another one at every attempt; so one that leads nowhere holds up nobody.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::select_ok;
use hickory_resolver::TokioResolver;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::PATIENCE;
use super::address::RedisAddress;
use super::connection::Connection;
use super::greeting::{Server, greet};
use super::tls;
use super::trouble::{Reason, Trouble};

/// How long resolving a name may take.
const RESOLVING: Duration = Duration::from_secs(3);
/// How much later than the one before an address is tried.
const STAGGER: Duration = Duration::from_millis(250);

/// Makes connections to one Redis.
#[derive(Debug)]
pub(super) struct Dialer {
    address: RedisAddress,
    attempts: AtomicUsize,
}

impl Dialer {
    /// Nothing is connected yet.
    pub(super) fn new(address: RedisAddress) -> Self {
        Self { address, attempts: AtomicUsize::new(0) }
    }

    /// A connection that is logged in, to a server that can do what we need.
    pub(super) async fn dial(&self) -> Result<(Connection, Server), Trouble> {
        let stream = self.connect().await?;
        let mut connection = match &self.address.tls {
            None => Connection::over(stream),
            Some(settings) => {
                let securing = tls::secure(settings.clone(), &self.address.host, stream);
                let safe =
                    timeout(PATIENCE, securing).await.unwrap_or_else(|_| Err(Trouble::silence(PATIENCE)));
                Connection::over(safe?)
            }
        };
        let server = greet(&mut connection, &self.address).await?;
        Ok((connection, server))
    }

    async fn connect(&self) -> Result<TcpStream, Trouble> {
        let mut addresses = self.resolve().await?;
        let first = self.attempts.fetch_add(1, Ordering::Relaxed) % addresses.len();
        addresses.rotate_left(first);
        let attempts = addresses.into_iter().zip(0_u32..).map(|(address, order)| {
            let address = SocketAddr::new(address, self.address.port);
            Box::pin(async move {
                sleep(STAGGER * order).await;
                open(address).await
            })
        });
        let (stream, _) = select_ok(attempts).await?;
        Ok(stream)
    }

    async fn resolve(&self) -> Result<Vec<IpAddr>, Trouble> {
        let host = &self.address.host;
        if let Ok(address) = host.parse() {
            return Ok(vec![address]);
        }
        let unknown = |why: String| Trouble::new(Reason::Name, format!("`{host}` has no address: {why}"));
        // Made anew, so that a changed /etc/resolv.conf or /etc/hosts is seen.
        let resolver = TokioResolver::builder_tokio().and_then(|mut builder| {
            builder.options_mut().cache_size = 0;
            builder.build()
        });
        let resolver = resolver.map_err(|error| unknown(error.to_string()))?;
        let found = timeout(RESOLVING, resolver.lookup_ip(host.as_str())).await;
        let found = found.map_err(|_| unknown("the name servers do not answer".to_owned()))?;
        let addresses: Vec<IpAddr> = found.map_err(|error| unknown(error.to_string()))?.iter().collect();
        if addresses.is_empty() {
            Err(unknown("the name exists without one".to_owned()))
        } else {
            Ok(addresses)
        }
    }
}

async fn open(address: SocketAddr) -> Result<TcpStream, Trouble> {
    let unreachable =
        |why: String| Trouble::new(Reason::Connection, format!("no connection to Redis at {address}: {why}"));
    let connecting = timeout(PATIENCE, TcpStream::connect(address)).await;
    let stream = connecting
        .map_err(|_| unreachable(format!("no answer in {} s", PATIENCE.as_secs())))?
        .map_err(|error| unreachable(error.to_string()))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}
