//! Domains of the account and their records.

use serde::Serialize;

use crate::world::ids::digest;
use crate::world::{Moment, World};

/// One domain.
#[derive(Debug, Clone, Serialize)]
pub struct Domain {
    /// `example.com`.
    pub name: String,
    /// UUID.
    pub id: String,
    /// When it was added.
    pub created: Moment,
    /// Its name servers.
    pub name_servers: Vec<String>,
}

impl Domain {
    /// A domain the account has owned since before.
    pub fn new(name: &str, now: Moment, seed: u64) -> Self {
        let id = crate::world::ids::uuid(&digest(seed, "domain", name)).to_lowercase();
        let name_servers = vec!["dns1.hichina.com".to_owned(), "dns2.hichina.com".to_owned()];
        Self { name: name.to_ascii_lowercase(), id, created: now, name_servers }
    }
}

/// One record.
#[derive(Debug, Clone, Serialize)]
pub struct DomainRecord {
    /// A decimal text.
    pub id: String,
    /// Domain it belongs to.
    pub domain: String,
    /// Host part, `@` for the domain itself.
    pub host: String,
    /// Upper case.
    pub kind: String,
    /// As given.
    pub value: String,
    /// Seconds.
    pub ttl: i64,
    /// For MX.
    pub priority: Option<i64>,
    /// `default` and others.
    pub line: String,
    /// Served or not.
    pub enabled: bool,
    /// Free text.
    pub remark: String,
    /// When it was made.
    pub created: Moment,
    /// When it was changed.
    pub updated: Moment,
}

impl DomainRecord {
    /// The name it answers for.
    pub fn full_name(&self) -> String {
        if self.host == "@" { self.domain.clone() } else { format!("{}.{}", self.host, self.domain) }
    }
}

impl World {
    /// Records of a domain.
    pub fn records_of<'a>(&'a self, domain: &'a str) -> impl Iterator<Item = &'a DomainRecord> {
        self.records.values().filter(move |record| record.domain == domain)
    }
}
