//! How addresses the cloud shows are reached from here.
//!
//! In a real region an address is reached as it is. A local cloud shows the addresses of a virtual network and
//! hands out a map to loopback ones; there an address that is not in the map is an error, never a connection to
//! somebody else's network.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

/// From the cloud's addresses to those that can be connected to.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum AddressMap {
    /// Addresses are used as they are.
    #[default]
    Direct,
    /// Only what is listed can be reached.
    Mapped(BTreeMap<SocketAddr, SocketAddr>),
}

/// An address that the map does not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{address} is not reachable from outside the local cloud")]
pub struct Unmapped {
    /// The address asked for.
    pub address: SocketAddr,
}

impl AddressMap {
    /// Where to connect to reach `address:port`.
    ///
    /// # Errors
    /// [`Unmapped`] when a map is in force and does not have the address.
    pub fn resolve(&self, address: IpAddr, port: u16) -> Result<SocketAddr, Unmapped> {
        let address = SocketAddr::new(address, port);
        match self {
            Self::Direct => Ok(address),
            Self::Mapped(map) => map.get(&address).copied().ok_or(Unmapped { address }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_outside_the_map_is_an_error() {
        let shown: SocketAddr = "198.18.0.5:22".parse().unwrap();
        let real: SocketAddr = "127.64.1.1:10022".parse().unwrap();
        let map = AddressMap::Mapped(BTreeMap::from([(shown, real)]));
        assert_eq!(map.resolve(shown.ip(), 22), Ok(real));
        assert!(map.resolve(shown.ip(), 23).is_err());
        assert_eq!(AddressMap::Direct.resolve(shown.ip(), 23).map(|found| found.port()), Ok(23));
    }
}
