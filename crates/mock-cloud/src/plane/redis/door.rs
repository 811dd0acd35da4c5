//! What the hosts connect to: listeners that let in whom the allow list names, and carry bytes both ways.
//!
//! Whoever is not let in gets a connection all the same, and an error for everything they say. The list is asked
//! when somebody comes; those who are in stay.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use ipnet::Ipv4Net;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::plane::network::Network;
use crate::plane::redis::control::Place;

/// How long somebody who is not let in may stay silent.
const PATIENCE: Duration = Duration::from_secs(10);

/// Who comes by an entrance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Visitor {
    /// This host, whatever the outer machine says.
    Host(Ipv4Addr),
    /// The host whose address on the outer machine it is.
    ByAddress,
}

/// The door of one server.
pub(super) struct Door {
    hall: Arc<Hall>,
    open: Mutex<BTreeMap<SocketAddr, Entrance>>,
}

/// One listener.
struct Entrance {
    visitor: Visitor,
    _end: DropGuard,
}

/// What is behind every entrance of a door.
struct Hall {
    network: Arc<Network>,
    allowed: RwLock<Vec<Ipv4Net>>,
    place: Mutex<Option<Arc<Place>>>,
}

impl Door {
    pub(super) fn new(network: Arc<Network>) -> Self {
        let hall = Hall { network, allowed: RwLock::default(), place: Mutex::default() };
        Self { hall: Arc::new(hall), open: Mutex::default() }
    }

    /// Lets in whom these ranges name, from now on.
    pub(super) fn allow(&self, allowed: Vec<Ipv4Net>) {
        *self.hall.allowed.write().unwrap_or_else(PoisonError::into_inner) = allowed;
    }

    /// Leads to the server in this place, or nowhere.
    pub(super) fn lead_to(&self, place: Option<Arc<Place>>) {
        *self.hall.place.lock().unwrap_or_else(PoisonError::into_inner) = place;
    }

    /// Makes the entrances as wanted; whether they are now.
    pub(super) async fn reconcile(&self, wanted: &BTreeMap<SocketAddr, Visitor>) -> bool {
        let missing: Vec<(SocketAddr, Visitor)> = {
            let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
            open.retain(|address, entrance| wanted.get(address) == Some(&entrance.visitor));
            wanted.iter().filter(|(own, _)| !open.contains_key(own)).map(|(own, who)| (*own, *who)).collect()
        };
        let mut is_complete = true;
        for (address, visitor) in missing {
            if let Err(error) = self.open(address, visitor).await {
                tracing::warn!(%address, %error, "a managed Redis cannot be served");
                is_complete = false;
            }
        }
        is_complete
    }

    async fn open(&self, address: SocketAddr, visitor: Visitor) -> io::Result<()> {
        let listener = TcpListener::bind(address).await?;
        let end = CancellationToken::new();
        tokio::spawn(accept(listener, visitor, Arc::clone(&self.hall), end.clone()));
        let entrance = Entrance { visitor, _end: end.drop_guard() };
        self.open.lock().unwrap_or_else(PoisonError::into_inner).insert(address, entrance);
        Ok(())
    }

    /// Closes every entrance, and ends who came by them.
    pub(super) fn close(&self) {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

async fn accept(listener: TcpListener, visitor: Visitor, hall: Arc<Hall>, end: CancellationToken) {
    loop {
        tokio::select! {
            () = end.cancelled() => return,
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    let (hall, end) = (Arc::clone(&hall), end.clone());
                    tokio::spawn(async move { end.run_until_cancelled(hall.receive(stream, peer, visitor)).await });
                }
                Err(error) => {
                    tracing::warn!(%error, "a managed Redis cannot accept a connection");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
    }
}

impl Hall {
    async fn receive(&self, mut stream: TcpStream, peer: SocketAddr, visitor: Visitor) {
        let _ = stream.set_nodelay(true);
        let from = match (visitor, peer.ip()) {
            (Visitor::Host(address), _) => Some(address),
            (Visitor::ByAddress, IpAddr::V4(outer)) => self.network.inner_address(outer),
            (Visitor::ByAddress, IpAddr::V6(_)) => None,
        };
        let done = match from.filter(|from| self.lets_in(*from)) {
            Some(_) => self.lead_in(&mut stream).await,
            None => refuse(&mut stream, from.map_or(peer.ip(), IpAddr::V4), peer.port()).await,
        };
        if let Err(error) = done {
            tracing::debug!(%peer, %error, "a connection to a managed Redis ended");
            let _ = stream.set_zero_linger();
        }
    }

    fn lets_in(&self, from: Ipv4Addr) -> bool {
        let allowed = self.allowed.read().unwrap_or_else(PoisonError::into_inner);
        allowed.iter().any(|range| range.contains(&from))
    }

    async fn lead_in(&self, stream: &mut TcpStream) -> io::Result<()> {
        let place = self.place.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let place = place.ok_or(io::ErrorKind::ConnectionRefused)?;
        let mut server = UnixStream::connect(place.socket()).await?;
        tokio::io::copy_bidirectional(stream, &mut server).await.map(drop)
    }
}

/// Answers everything somebody says with the same error, until they hang up or have been here for too long.
async fn refuse(stream: &mut TcpStream, from: IpAddr, port: u16) -> io::Result<()> {
    let error = format!("-ERR illegal address: {from}:{port}\r\n");
    let answered = async {
        let mut heard = [0; 1024];
        loop {
            let length = stream.read(&mut heard).await?;
            if length == 0 {
                return Ok(());
            }
            stream.write_all(error.repeat(commands(&heard[..length])).as_bytes()).await?;
        }
    };
    tokio::time::timeout(PATIENCE, answered).await.map_err(|_| io::ErrorKind::TimedOut)?
}

/// How many commands there are in what was said: a client may say several at once, and wants an answer to each.
fn commands(heard: &[u8]) -> usize {
    let lines = heard.split(|byte| *byte == b'\n');
    lines.filter(|line| line.starts_with(b"*")).count().max(1)
}
