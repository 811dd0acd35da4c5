//! A byte stream to the load balancer from a vantage point.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpSocket;
use tokio::time::timeout;

use super::scenario::{Scenario, Vantage};
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
}

/// Connects to the scenario's port at `address`, one of the load balancer's.
pub(super) async fn connect(
    scenario: &Scenario,
    vantage: &Vantage,
    address: IpAddr,
) -> Result<Box<dyn Stream>, ConnectError> {
    match vantage {
        Vantage::Local { bind } => {
            let target = scenario.address_map.resolve(address, scenario.port)?;
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
        Vantage::Ssh(session) => Ok(Box::new(session.tunnel(address, scenario.port).await?)),
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
