//! Ways from one process host to another, so that they can be cut.
//!
//! What runs on a process host connects to others by addresses in its arguments and its environment. Each of those that
//! names a port of another host is given the address of a relay instead, which is of this pair of hosts alone. The
//! relay comes from the host's own address, as a machine would.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::plane::probe::connect;
use crate::plane::strain::{self, Strain};

/// How long the other side may take to answer.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);

/// Two hosts, in order.
type Pair = (Ipv4Addr, Ipv4Addr);

/// All ways between the hosts of a region. Dropping it ends them.
#[derive(Debug)]
pub(crate) struct Links {
    inner: Mutex<Inner>,
    end: CancellationToken,
    _ends: DropGuard,
}

#[derive(Debug, Default)]
struct Inner {
    /// Where a host finds a port of another one.
    open: BTreeMap<(Ipv4Addr, SocketAddrV4), SocketAddrV4>,
    strains: BTreeMap<Pair, watch::Sender<Strain>>,
    cuts: BTreeSet<Pair>,
}

fn pair(one: Ipv4Addr, other: Ipv4Addr) -> Pair {
    (one.min(other), one.max(other))
}

impl Links {
    pub(crate) fn new() -> Self {
        let end = CancellationToken::new();
        Self { inner: Mutex::default(), _ends: end.clone().drop_guard(), end }
    }

    /// From now on these do not reach each other, and all others do.
    pub(crate) fn cut(&self, cuts: BTreeSet<Pair>) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        for (pair, strain) in &inner.strains {
            strain.send_replace(held(cuts.contains(pair)));
        }
        inner.cuts = cuts;
    }

    /// Waits until two hosts reach each other.
    pub(crate) async fn passable(&self, one: Ipv4Addr, other: Ipv4Addr) {
        let mut strain = self.strain(pair(one, other));
        // Its sender is ours, so it does not end.
        let _ = strain.wait_for(|strain| !strain.is_held).await;
    }

    /// Where `own` finds a port of another host; `near` is the address that is theirs alone.
    ///
    /// # Errors
    /// It cannot be listened there.
    pub(crate) fn open(
        &self,
        own: Ipv4Addr,
        target: SocketAddrV4,
        near: Ipv4Addr,
    ) -> io::Result<SocketAddrV4> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = inner.open.get(&(own, target)) {
            return Ok(*place);
        }
        let place = SocketAddrV4::new(near, target.port());
        let listener = std::net::TcpListener::bind(place)?;
        listener.set_nonblocking(true)?;
        let listener = TcpListener::from_std(listener)?;
        inner.open.insert((own, target), place);
        drop(inner);
        let link = Link { own, target, strain: self.strain(pair(own, *target.ip())) };
        tokio::spawn(self.end.clone().run_until_cancelled_owned(accept(listener, link, self.end.clone())));
        Ok(place)
    }

    fn strain(&self, pair: Pair) -> watch::Receiver<Strain> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let now = held(inner.cuts.contains(&pair));
        inner.strains.entry(pair).or_insert_with(|| watch::Sender::new(now)).subscribe()
    }
}

fn held(is_held: bool) -> Strain {
    Strain { is_held, ..Strain::default() }
}

/// One way.
#[derive(Clone)]
struct Link {
    own: Ipv4Addr,
    target: SocketAddrV4,
    strain: watch::Receiver<Strain>,
}

async fn accept(listener: TcpListener, link: Link, end: CancellationToken) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let carry = link.clone().carry(stream);
                tokio::spawn(end.clone().run_until_cancelled_owned(carry));
            }
            Err(error) => {
                tracing::warn!(%error, "a way between two hosts cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

impl Link {
    async fn carry(mut self, mut stream: TcpStream) {
        let _ = stream.set_nodelay(true);
        if self.strain.wait_for(|strain| !strain.is_held).await.is_err() {
            return;
        }
        let target = SocketAddr::V4(self.target);
        let connected = tokio::time::timeout(CONNECT_LIMIT, connect(target, Some(self.own))).await;
        let failed = match connected {
            Ok(Ok(server)) => strain::carry(&mut stream, server, self.strain).await.err(),
            Ok(Err(error)) => Some(error),
            Err(_) => Some(io::ErrorKind::TimedOut.into()),
        };
        if let Some(error) = failed {
            tracing::debug!(%target, %error, "a connection between two hosts failed");
            let _ = stream.set_zero_linger();
        }
    }
}
