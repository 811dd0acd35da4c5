//! `--connect-to HOST:PORT:ADDRESS[:PORT]`: where to connect in place of what the DNS says.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

/// One that was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ConnectTo {
    /// Whose name it is.
    pub(super) host: String,
    /// The port that is meant.
    pub(super) port: u16,
    /// Where to connect.
    pub(super) target: SocketAddr,
}

impl FromStr for ConnectTo {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "write HOST:PORT:ADDRESS or HOST:PORT:ADDRESS:PORT, IPv6 in brackets".to_owned();
        let (host, rest) = text.split_once(':').ok_or_else(wrong)?;
        let (port, place) = rest.split_once(':').ok_or_else(wrong)?;
        let port: u16 = port.parse().ok().filter(|port| *port != 0).ok_or_else(wrong)?;
        let alone = place.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(place);
        let target = match alone.parse::<IpAddr>() {
            Ok(address) => SocketAddr::new(address, port),
            Err(_) => place.parse().map_err(|_| wrong())?,
        };
        if host.is_empty() || target.port() == 0 {
            return Err(wrong());
        }
        Ok(Self { host: host.to_ascii_lowercase(), port, target })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_and_a_port_go_to_an_address_and_perhaps_another_port() {
        let target = |text: &str| text.parse::<ConnectTo>().map(|found| found.target.to_string());
        assert_eq!(target("example.com:5000:127.0.0.1"), Ok("127.0.0.1:5000".to_owned()));
        assert_eq!(target("example.com:443:127.0.0.1:8443"), Ok("127.0.0.1:8443".to_owned()));
        assert_eq!(target("example.com:443:[::1]:8443"), Ok("[::1]:8443".to_owned()));
        assert_eq!(target("example.com:443:[::1]"), Ok("[::1]:443".to_owned()));
        for wrong in [
            "example.com",
            "example.com:443",
            "example.com:0:127.0.0.1",
            ":443:127.0.0.1",
            "a:1:b",
            "a:1:127.0.0.1:0",
        ] {
            assert!(wrong.parse::<ConnectTo>().is_err(), "{wrong}");
        }
    }
}
