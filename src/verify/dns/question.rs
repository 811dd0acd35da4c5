//! One question to one DNS server, and what it knows: an alias, addresses, nothing, or that it does not answer.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::proto::rr::{RData, RecordType};
use tokio::time::timeout;

use crate::base::resolver::{name_servers, plain, records, resolver};

/// The port of DNS.
const PORT: u16 = 53;

/// A server that can be asked.
pub(super) struct Server {
    pub(super) name: String,
    /// Its address; none is whatever the system asks.
    pub(super) address: Option<SocketAddr>,
    resolver: TokioResolver,
}

/// What a server knows about a name.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Answer {
    Alias {
        target: String,
        ttl: u32,
        addresses: Vec<IpAddr>,
    },
    /// No alias, but addresses of its own.
    Addresses(Vec<IpAddr>),
    Nothing,
    Unanswered(String),
}

impl Server {
    /// One at an address, or whatever the system asks.
    pub(super) fn at(name: String, address: Option<SocketAddr>) -> Result<Self, String> {
        let resolver =
            resolver(address).map_err(|error| format!("the resolver cannot be set up: {error}"))?;
        Ok(Self { name, address, resolver })
    }

    /// The servers that are asked for a zone, as this one knows them, each at all of its addresses.
    pub(super) async fn authorities(&self, zone: &str) -> Result<Vec<Self>, String> {
        let mut servers = Vec::new();
        for name in name_servers(&self.resolver, zone).await? {
            let found = records(&self.resolver, &format!("{name}."), RecordType::A).await?;
            let address = found.into_iter().find_map(|(data, _)| data.ip_addr());
            let address = address.ok_or_else(|| format!("{name} has no address"))?;
            servers.push(Self::at(name, Some(SocketAddr::new(address, PORT)))?);
        }
        Ok(servers)
    }

    /// Asks for an alias, and where it leads to.
    pub(super) async fn ask(&self, host: &str, deadline: Duration) -> Answer {
        let late = |_| Answer::Unanswered(format!("no answer within {:.1} s", deadline.as_secs_f64()));
        timeout(deadline, self.look_up(host)).await.unwrap_or_else(late)
    }

    async fn look_up(&self, host: &str) -> Answer {
        // A last dot keeps search domains out of it.
        let name = format!("{}.", plain(host));
        let alias = match records(&self.resolver, &name, RecordType::CNAME).await {
            Ok(records) => records.into_iter().find_map(|(data, ttl)| {
                let RData::CNAME(target) = data else { return None };
                Some((target.0.to_string(), ttl))
            }),
            Err(why) => return Answer::Unanswered(why),
        };
        let question = alias.as_ref().map_or(name, |(target, _)| target.clone());
        let addresses = match records(&self.resolver, &question, RecordType::A).await {
            Ok(records) => records.into_iter().filter_map(|(data, _)| data.ip_addr()).collect::<Vec<_>>(),
            Err(why) => return Answer::Unanswered(why),
        };
        match alias {
            Some((target, ttl)) => Answer::Alias { target, ttl, addresses },
            None if addresses.is_empty() => Answer::Nothing,
            None => Answer::Addresses(addresses),
        }
    }

    /// Asks for the alias alone: a zone's own server knows nothing of what it leads to.
    pub(super) async fn ask_alias(&self, host: &str, deadline: Duration) -> Answer {
        let name = format!("{}.", plain(host));
        let asked = timeout(deadline, records(&self.resolver, &name, RecordType::CNAME)).await;
        let found = match asked {
            Ok(Ok(records)) => records,
            Ok(Err(why)) => return Answer::Unanswered(why),
            Err(_) => return Answer::Unanswered(format!("no answer within {:.1} s", deadline.as_secs_f64())),
        };
        let alias = found.into_iter().find_map(|(data, ttl)| {
            let RData::CNAME(target) = data else { return None };
            Some(Answer::Alias { target: target.0.to_string(), ttl, addresses: Vec::new() })
        });
        match alias {
            Some(alias) => alias,
            // It may have addresses of its own in place of an alias.
            None => self.ask(host, deadline).await,
        }
    }
}

impl Answer {
    /// Whether it is an alias of this.
    pub(super) fn leads_to(&self, wanted: &str) -> bool {
        matches!(self, Self::Alias { target, .. } if plain(target) == plain(wanted))
    }

    /// As evidence.
    pub(super) fn words(&self) -> String {
        match self {
            Self::Alias { target, ttl, .. } => format!("CNAME {}, TTL {ttl} s", plain(target)),
            Self::Addresses(addresses) => format!("A {}", listed(addresses)),
            Self::Nothing => "no such name".to_owned(),
            Self::Unanswered(why) => format!("no answer: {why}"),
        }
    }

    pub(super) fn into_addresses(self) -> Vec<IpAddr> {
        match self {
            Self::Alias { addresses, .. } | Self::Addresses(addresses) => addresses,
            Self::Nothing | Self::Unanswered(_) => Vec::new(),
        }
    }
}

pub(super) fn listed(addresses: &[IpAddr]) -> String {
    let list: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    list.join(" and ")
}
