//! A byte stream to the load balancer from a vantage point.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpSocket;
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::ServerName;

use super::scenario::{Scenario, Vantage};
use super::tls::Tls;
use crate::base::address_map::Unmapped;
use crate::ssh::SshError;

/// Any connected stream.
pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin + Send + std::fmt::Debug {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send + std::fmt::Debug> Stream for S {}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConnectError {
    #[error("{0}")]
    Unmapped(#[from] Unmapped),
    #[error("{address} refuses the connection")]
    Refused { address: SocketAddr },
    #[error("{address} cannot be reached ({source})")]
    Unreachable { address: SocketAddr, source: io::Error },
    #[error("no connection to {address} within {:.1} s", .after.as_secs_f64())]
    TimedOut { address: SocketAddr, after: Duration },
    #[error("{0}")]
    Tunnel(#[from] SshError),
    #[error("the TLS handshake failed ({0})")]
    Tls(tokio_rustls::rustls::Error),
    #[error("the TLS handshake was broken off ({0})")]
    BrokenOff(io::Error),
    #[error("the TLS handshake took longer than {:.1} s", .0.as_secs_f64())]
    Unshaken(Duration),
}

/// Connects to the scenario's port at `address`, one of the load balancer's; over TLS where the scenario has it.
pub(super) async fn connect(
    scenario: &Scenario,
    vantage: &Vantage,
    address: IpAddr,
) -> Result<Box<dyn Stream>, ConnectError> {
    let stream = connect_plain(scenario, vantage, (address, scenario.port)).await?;
    match &scenario.tls {
        Some(tls) => Ok(Box::new(secure(scenario, tls, stream).await?)),
        None => Ok(stream),
    }
}

/// Speaks TLS on a connection to the scenario's host.
pub(super) async fn secure(
    scenario: &Scenario,
    tls: &Tls,
    stream: Box<dyn Stream>,
) -> Result<TlsStream<Box<dyn Stream>>, ConnectError> {
    let name = ServerName::try_from(scenario.host.clone())
        .map_err(|error| ConnectError::BrokenOff(io::Error::new(io::ErrorKind::InvalidInput, error)))?;
    let shaken = timeout(scenario.deadline, tls.connector().connect(name, stream)).await;
    shaken.map_err(|_| ConnectError::Unshaken(scenario.deadline))?.map_err(|error| {
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<tokio_rustls::rustls::Error>());
        match inner {
            Some(refused) => ConnectError::Tls(refused.clone()),
            None => ConnectError::BrokenOff(error),
        }
    })
}

/// Connects to a port at one of the load balancer's addresses.
pub(super) async fn connect_plain(
    scenario: &Scenario,
    vantage: &Vantage,
    (address, port): (IpAddr, u16),
) -> Result<Box<dyn Stream>, ConnectError> {
    let instead = scenario.connect_to.get(&port).copied();
    match vantage {
        Vantage::Local { bind } => {
            let target = match instead {
                Some(target) => target,
                None => scenario.address_map.resolve(address, port)?,
            };
            let stream = timeout(scenario.deadline, dial(*bind, target)).await;
            let after = scenario.deadline;
            let stream = stream.map_err(|_| ConnectError::TimedOut { address: target, after })?;
            match stream {
                Ok(stream) => Ok(Box::new(stream)),
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                    Err(ConnectError::Refused { address: target })
                }
                Err(source) => Err(ConnectError::Unreachable { address: target, source }),
            }
        }
        // The host is inside the region, where addresses are what they are.
        Vantage::Ssh { session, .. } => {
            let target = instead.unwrap_or(SocketAddr::new(address, port));
            Ok(Box::new(session.tunnel(target.ip(), target.port()).await?))
        }
    }
}

async fn dial(bind: Option<IpAddr>, target: SocketAddr) -> io::Result<tokio::net::TcpStream> {
    let socket = if target.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    if let Some(address) = bind {
        socket.bind(SocketAddr::new(address, 0))?;
    }
    let stream = socket.connect(target).await?;
    // Latency is part of the evidence.
    stream.set_nodelay(true)?;
    Ok(stream)
}
