//! What a rule of a security group lets in: a protocol, with its ports where it has some.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What is let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Flow {
    /// TCP to these ports.
    Tcp(Ports),
    /// UDP to these ports.
    Udp(Ports),
    /// ICMP, `ping` among it.
    Icmp,
    /// Everything.
    All,
}

/// Ports in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Ports {
    /// The first.
    pub first: u16,
    /// The last; the same for a single one.
    pub last: u16,
}

impl Flow {
    /// TCP to one port.
    pub fn tcp(port: u16) -> Self {
        Self::Tcp(Ports { first: port, last: port })
    }

    /// The protocol, as the cloud writes it.
    pub fn protocol(self) -> &'static str {
        match self {
            Self::Tcp(_) => "tcp",
            Self::Udp(_) => "udp",
            Self::Icmp => "icmp",
            Self::All => "all",
        }
    }

    /// The ports, as the cloud writes them: `22/22`, and `-1/-1` for what has none.
    pub fn port_range(self) -> String {
        match self.numbers() {
            Some(Ports { first, last }) => format!("{first}/{last}"),
            None => "-1/-1".to_owned(),
        }
    }

    /// The ports, as they are compared: a single one by its number.
    pub fn ports(self) -> String {
        match self.numbers() {
            Some(Ports { first, last }) if first == last => first.to_string(),
            Some(_) | None => self.port_range(),
        }
    }

    /// The one port that TCP is let in to.
    pub fn single_tcp_port(self) -> Option<u16> {
        match self {
            Self::Tcp(Ports { first, last }) if first == last => Some(first),
            Self::Tcp(_) | Self::Udp(_) | Self::Icmp | Self::All => None,
        }
    }

    /// As a part of a name: `tcp-8000-8100`, `icmp`.
    pub fn name(self) -> String {
        self.to_string().replace(' ', "-")
    }

    fn numbers(self) -> Option<Ports> {
        match self {
            Self::Tcp(ports) | Self::Udp(ports) => Some(ports),
            Self::Icmp | Self::All => None,
        }
    }
}

impl fmt::Display for Flow {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.protocol())?;
        match self.numbers() {
            None => Ok(()),
            Some(Ports { first, last }) if first == last => write!(formatter, " {first}"),
            Some(Ports { first, last }) => write!(formatter, " {first}-{last}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flow_is_written_in_each_way() {
        let range = Flow::Udp(Ports { first: 8000, last: 8100 });
        let all = [Flow::tcp(22), range, Flow::Icmp, Flow::All];
        assert_eq!(all.map(|one| one.to_string()), ["tcp 22", "udp 8000-8100", "icmp", "all"]);
        assert_eq!(all.map(Flow::ports), ["22", "8000/8100", "-1/-1", "-1/-1"]);
        assert_eq!(all.map(Flow::port_range), ["22/22", "8000/8100", "-1/-1", "-1/-1"]);
        assert_eq!(all.map(Flow::name), ["tcp-22", "udp-8000-8100", "icmp", "all"]);
        assert_eq!(all.map(Flow::single_tcp_port), [Some(22), None, None, None]);
    }
}
