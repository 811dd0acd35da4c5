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
        let greeted = greet(&mut connection, &self.address).await;
        let server = greeted.map_err(|trouble| self.hint(trouble))?;
        Ok((connection, server))
    }

    /// A server that wants TLS hangs up at the first word.
    fn hint(&self, trouble: Trouble) -> Trouble {
        if trouble.reason != Reason::Connection || self.address.tls.is_some() {
            return trouble;
        }
        let hint = "if this port of Redis has TLS, write rediss://";
        Trouble::new(trouble.reason, format!("{trouble} ({hint})"))
    }

    async fn connect(&self) -> Result<TcpStream, Trouble> {
        let mut addresses = self.resolve().await?;
        let first = self.attempts.fetch_add(1, Ordering::Relaxed) % addresses.len();
        addresses.rotate_left(first);
        race(addresses, self.address.port).await
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

/// The first connection that stands, to any of these.
async fn race(addresses: Vec<IpAddr>, port: u16) -> Result<TcpStream, Trouble> {
    let attempts = addresses.into_iter().zip(0_u32..).map(|(address, order)| {
        Box::pin(async move {
            sleep(STAGGER * order).await;
            open(SocketAddr::new(address, port)).await
        })
    });
    let (stream, _) = select_ok(attempts).await?;
    Ok(stream)
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

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn an_address_that_leads_nowhere_holds_up_nobody() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        // Nobody listens on the first; the second never answers, being reserved for documents.
        let addresses = ["127.0.0.2", "192.0.2.1", "127.0.0.1"].map(|address| address.parse().unwrap());
        let started = std::time::Instant::now();
        let stream = race(addresses.to_vec(), port).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), listener.local_addr().unwrap());
        assert!(started.elapsed() < PATIENCE, "took {:?}", started.elapsed());
    }

    #[tokio::test]
    async fn when_none_answers_the_address_is_told() {
        let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
        let trouble = race(vec!["127.0.0.1".parse().unwrap()], port).await.unwrap_err();
        assert_eq!(trouble.reason, Reason::Connection);
        assert!(
            trouble.sentence.starts_with(&format!("no connection to Redis at 127.0.0.1:{port}: ")),
            "{trouble}"
        );
    }
}
