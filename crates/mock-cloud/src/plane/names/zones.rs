//! The records the DNS server answers from, and how a question is answered.
//!
//! 1. The zone of a name is the longest domain of ours that it ends in; other names are refused.
//! 2. A record of the type asked answers; else a CNAME does, and is followed as far as its target is ours.
//! 3. A CNAME at the apex stands beside SOA and NS, as Alidns serves it.
//! 4. A stale name is answered, with all it leads to, as it was when it became stale.
//! 5. A name without records that has none below is NXDOMAIN; otherwise the answer is empty, with the SOA.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::str::FromStr;
use std::sync::{Arc, PoisonError, RwLock};

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::rdata::{A, AAAA, CNAME, MX, NS, SOA, TXT};
use hickory_proto::rr::{Name, RData, Record, RecordType};

use crate::plane::spec;

/// Domains of load balancers' own names.
const BALANCER_DOMAINS: &[&str] = &["alb.aliyuncsslb.com", "alb.aliyuncsslbintl.com"];
/// Domain of the names of managed Redis instances.
const REDIS_DOMAIN: &str = "redis.rds.aliyuncs.com";
/// Seconds an address of a load balancer or a managed Redis may be kept.
const ADDRESS_TTL: u32 = 60;
const NAME_SERVERS: &[&str] = &["dns1.hichina.com.", "dns2.hichina.com."];
const SOA_TTL: u32 = 600;
/// CNAMEs followed before it counts as a loop.
const LONGEST_CHAIN: usize = 8;

/// What is answered.
pub(crate) struct Answer {
    pub(crate) code: ResponseCode,
    pub(crate) is_authoritative: bool,
    pub(crate) records: Vec<Record>,
    pub(crate) authority: Vec<Record>,
}

impl Answer {
    pub(crate) fn code(code: ResponseCode) -> Self {
        Self { code, is_authoritative: false, records: Vec::new(), authority: Vec::new() }
    }
}

/// All zones; replaced as a whole.
#[derive(Default)]
pub(crate) struct Zones {
    content: RwLock<Arc<Content>>,
    /// What is answered for names that are stale.
    stale: RwLock<BTreeMap<String, Arc<Content>>>,
}

#[derive(Default)]
struct Content {
    domains: BTreeSet<String>,
    /// Records by lower case name without the final dot.
    records: BTreeMap<String, Vec<(u32, RData)>>,
}

/// Lower case, no final dot.
fn plain(name: &str) -> String {
    name.trim_end_matches('.').to_ascii_lowercase()
}

fn absolute(name: &str) -> Option<Name> {
    Name::from_ascii(format!("{}.", plain(name))).ok()
}

impl Zones {
    /// Replaces every record. A name that becomes stale keeps what was answered before.
    pub(crate) fn replace(&self, desired: &spec::Desired) {
        self.keep_stale(&desired.troubles.stale_names);
        let mut content = Content::default();
        content.domains.extend(BALANCER_DOMAINS.iter().map(|domain| (*domain).to_owned()));
        content.domains.insert(REDIS_DOMAIN.to_owned());
        for (domain, records) in &desired.domains {
            let domain = plain(domain);
            for record in records {
                let name = if record.host == "@" {
                    domain.clone()
                } else {
                    format!("{}.{domain}", plain(&record.host))
                };
                if let Some(data) = data(record) {
                    content.records.entry(name).or_default().push((record.ttl, data));
                } else {
                    tracing::warn!(name, kind = record.kind, "a DNS record cannot be served");
                }
            }
            content.domains.insert(domain);
        }
        for balancer in desired.load_balancers.values() {
            let addresses = balancer.addresses.iter().map(|address| (ADDRESS_TTL, RData::A(A(*address))));
            content.records.entry(plain(&balancer.dns_name)).or_default().extend(addresses);
        }
        for redis in desired.redis.values() {
            let address = (ADDRESS_TTL, RData::A(A(redis.private_address)));
            content.records.entry(plain(&redis.domain)).or_default().push(address);
        }
        *self.content.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(content);
    }

    fn keep_stale(&self, names: &BTreeSet<String>) {
        let mut stale = self.stale.write().unwrap_or_else(PoisonError::into_inner);
        stale.retain(|name, _| names.contains(name));
        for name in names {
            stale.entry(name.clone()).or_insert_with(|| self.now());
        }
    }

    fn now(&self) -> Arc<Content> {
        Arc::clone(&self.content.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Answers a question.
    pub(crate) fn look_up(&self, name: &str, kind: RecordType) -> Answer {
        let name = plain(name);
        let stale = self.stale.read().unwrap_or_else(PoisonError::into_inner).get(&name).cloned();
        stale.unwrap_or_else(|| self.now()).look_up(&name, kind)
    }

    /// The first address of a name, through CNAMEs.
    pub(crate) fn address(&self, name: &str) -> Option<Ipv4Addr> {
        self.look_up(name, RecordType::A)
            .records
            .iter()
            .find_map(|record| if let RData::A(address) = &record.data { Some(address.0) } else { None })
    }
}

impl Content {
    fn zone(&self, name: &str) -> Option<&str> {
        let ends_in = |domain: &&String| {
            name == domain.as_str()
                || name.strip_suffix(domain.as_str()).is_some_and(|rest| rest.ends_with('.'))
        };
        self.domains.iter().filter(ends_in).max_by_key(|domain| domain.len()).map(String::as_str)
    }

    /// Records of a name, or those of the wildcard that stands for it.
    fn records(&self, name: &str, zone: &str) -> Option<&Vec<(u32, RData)>> {
        if let Some(records) = self.records.get(name) {
            return Some(records);
        }
        if self.has_names_below(name) {
            return None;
        }
        let mut above = name.split_once('.').map(|(_, above)| above);
        while let Some(parent) = above.filter(|parent| parent.len() >= zone.len()) {
            if let Some(records) = self.records.get(&format!("*.{parent}")) {
                return Some(records);
            }
            if self.records.contains_key(parent) || self.has_names_below(parent) {
                return None;
            }
            above = parent.split_once('.').map(|(_, above)| above);
        }
        None
    }

    fn has_names_below(&self, name: &str) -> bool {
        let below = format!(".{name}");
        self.records.keys().any(|known| known.ends_with(&below))
    }

    fn look_up(&self, name: &str, kind: RecordType) -> Answer {
        let Some(zone) = self.zone(name) else {
            return Answer::code(ResponseCode::Refused);
        };
        let mut answer = Answer { is_authoritative: true, ..Answer::code(ResponseCode::NoError) };
        answer.records = self.apex(name, zone, kind);
        if answer.records.is_empty() {
            self.follow(name.to_owned(), kind, &mut answer);
        }
        if answer.records.is_empty() {
            answer.authority.extend(soa(zone));
        }
        answer
    }

    /// What every zone has at its top.
    fn apex(&self, name: &str, zone: &str, kind: RecordType) -> Vec<Record> {
        let is_own = self
            .records
            .get(name)
            .is_some_and(|records| records.iter().any(|(_, data)| data.record_type() == kind));
        if name != zone {
            return Vec::new();
        }
        if kind == RecordType::SOA {
            return soa(zone).into_iter().collect();
        }
        if kind == RecordType::NS && !is_own {
            let server = |server: &&str| record(zone, SOA_TTL, RData::NS(NS(absolute(server)?)));
            return NAME_SERVERS.iter().filter_map(server).collect();
        }
        Vec::new()
    }

    /// Collects the records of a name and, through CNAMEs, those of its target.
    fn follow(&self, mut name: String, kind: RecordType, answer: &mut Answer) {
        for _ in 0..LONGEST_CHAIN {
            let Some(zone) = self.zone(&name) else { return };
            let Some(records) = self.records(&name, zone) else {
                if name != zone && !self.has_names_below(&name) {
                    answer.code = ResponseCode::NXDomain;
                }
                return;
            };
            let found =
                records.iter().filter(|(_, data)| kind == RecordType::ANY || data.record_type() == kind);
            let before = answer.records.len();
            answer.records.extend(found.filter_map(|(ttl, data)| record(&name, *ttl, data.clone())));
            if answer.records.len() > before {
                return;
            }
            let alias = records.iter().find_map(|(ttl, data)| {
                if let RData::CNAME(target) = data { Some((*ttl, target)) } else { None }
            });
            let Some((ttl, target)) = alias else { return };
            answer.records.extend(record(&name, ttl, RData::CNAME(target.clone())));
            name = plain(&target.0.to_string());
        }
    }
}

fn record(name: &str, ttl: u32, data: RData) -> Option<Record> {
    Some(Record::from_rdata(absolute(name)?, ttl, data))
}

fn soa(zone: &str) -> Option<Record> {
    let master = absolute(NAME_SERVERS[0])?;
    let mail = absolute("hostmaster.hichina.com")?;
    record(zone, SOA_TTL, RData::SOA(SOA::new(master, mail, 1, 3600, 1200, 86_400, 600)))
}

/// The data of a record as the API has it.
fn data(record: &spec::Record) -> Option<RData> {
    let value = record.value.trim();
    Some(match record.kind.to_ascii_uppercase().as_str() {
        "A" => RData::A(A(value.parse().ok()?)),
        "AAAA" => RData::AAAA(AAAA(value.parse().ok()?)),
        "CNAME" => RData::CNAME(CNAME(absolute(value)?)),
        "NS" => RData::NS(NS(absolute(value)?)),
        "TXT" => RData::TXT(TXT::new(vec![value.trim_matches('"').to_owned()])),
        "MX" => match value.split_once(' ') {
            Some((preference, exchange)) => {
                RData::MX(MX::new(u16::from_str(preference).ok()?, absolute(exchange)?))
            }
            None => RData::MX(MX::new(10, absolute(value)?)),
        },
        "SRV" => {
            let (before, target) = value.rsplit_once(char::is_whitespace)?;
            RData::try_from_str(RecordType::SRV, &format!("{before} {}.", plain(target))).ok()?
        }
        kind @ ("CAA" | "SVCB" | "HTTPS") => {
            RData::try_from_str(RecordType::from_str(kind).ok()?, value).ok()?
        }
        // What leads browsers on is an address of servers that only the real cloud has.
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zones() -> Zones {
        let record = |host: &str, kind: &str, value: &str| spec::Record {
            host: host.to_owned(),
            kind: kind.to_owned(),
            value: value.to_owned(),
            ttl: 600,
        };
        let balancer = spec::LoadBalancer {
            id: "alb-1".to_owned(),
            vpc: "vpc-1".to_owned(),
            sources: Vec::new(),
            dns_name: "alb-1.cn-hangzhou.alb.aliyuncsslb.com".to_owned(),
            addresses: vec!["198.18.0.1".parse().unwrap(), "198.18.0.2".parse().unwrap()],
            listeners: BTreeMap::new(),
            server_groups: BTreeMap::new(),
        };
        let records = vec![
            record("@", "CNAME", "alb-1.cn-hangzhou.alb.aliyuncsslb.com"),
            record("_ws._tcp", "SRV", "5 10 5000 chat.example.com"),
            record("issuer", "CAA", "0 issue \"ca.example.org\""),
            record("service", "HTTPS", "1 . alpn=h2"),
            record("service", "SVCB", "1 chat.example.com. port=5000"),
            record("www", "CNAME", "example.com."),
            record("other", "CNAME", "elsewhere.test"),
            record("a.b", "A", "1.2.3.4"),
            record("*.wild", "A", "5.6.7.8"),
            record("loop", "CNAME", "loop.example.com"),
        ];
        let zones = Zones::default();
        zones.replace(&spec::Desired {
            domains: BTreeMap::from([("example.com".to_owned(), records)]),
            load_balancers: BTreeMap::from([("alb-1".to_owned(), balancer)]),
            ..spec::Desired::default()
        });
        zones
    }

    #[test]
    fn answers() {
        let zones = zones();
        let cases = [
            ("example.com.", RecordType::A, ResponseCode::NoError, 3),
            ("EXAMPLE.com.", RecordType::CNAME, ResponseCode::NoError, 1),
            ("example.com.", RecordType::TXT, ResponseCode::NoError, 1),
            ("example.com.", RecordType::SOA, ResponseCode::NoError, 1),
            ("example.com.", RecordType::NS, ResponseCode::NoError, 2),
            ("www.example.com.", RecordType::A, ResponseCode::NoError, 4),
            ("other.example.com.", RecordType::A, ResponseCode::NoError, 1),
            ("a.b.example.com.", RecordType::A, ResponseCode::NoError, 1),
            ("b.example.com.", RecordType::A, ResponseCode::NoError, 0),
            ("a.b.example.com.", RecordType::TXT, ResponseCode::NoError, 0),
            ("x.wild.example.com.", RecordType::A, ResponseCode::NoError, 1),
            ("nothing.example.com.", RecordType::A, ResponseCode::NXDomain, 0),
            ("loop.example.com.", RecordType::A, ResponseCode::NoError, LONGEST_CHAIN),
            ("alb-1.cn-hangzhou.alb.aliyuncsslb.com.", RecordType::A, ResponseCode::NoError, 2),
            ("alb-2.cn-hangzhou.alb.aliyuncsslb.com.", RecordType::A, ResponseCode::NXDomain, 0),
            ("_ws._tcp.example.com.", RecordType::SRV, ResponseCode::NoError, 1),
            ("issuer.example.com.", RecordType::CAA, ResponseCode::NoError, 1),
            ("service.example.com.", RecordType::HTTPS, ResponseCode::NoError, 1),
            ("service.example.com.", RecordType::SVCB, ResponseCode::NoError, 1),
            ("example.org.", RecordType::A, ResponseCode::Refused, 0),
            ("notexample.com.", RecordType::A, ResponseCode::Refused, 0),
        ];
        for (name, kind, code, count) in cases {
            let answer = zones.look_up(name, kind);
            assert_eq!((answer.code, answer.records.len()), (code, count), "{name} {kind}");
        }
        assert_eq!(zones.address("www.example.com"), Some("198.18.0.1".parse().unwrap()));
    }

    #[test]
    fn a_stale_name_is_answered_as_it_was_until_it_is_not_stale_any_more() {
        let record = |value: &str| spec::Record {
            host: "chat".to_owned(),
            kind: "A".to_owned(),
            value: value.to_owned(),
            ttl: 600,
        };
        let mut desired = spec::Desired::default();
        let zones = Zones::default();
        let mut serve = |value: &str, stale: &[&str]| {
            desired.domains.insert("example.com".to_owned(), vec![record(value)]);
            desired.troubles.stale_names = stale.iter().map(|name| (*name).to_owned()).collect();
            zones.replace(&desired);
            zones.address("chat.example.com").map(|address| address.to_string())
        };
        assert_eq!(serve("1.1.1.1", &[]).as_deref(), Some("1.1.1.1"));
        assert_eq!(serve("1.1.1.1", &["chat.example.com"]).as_deref(), Some("1.1.1.1"));
        assert_eq!(serve("2.2.2.2", &["chat.example.com"]).as_deref(), Some("1.1.1.1"));
        assert_eq!(serve("3.3.3.3", &["www.example.com"]).as_deref(), Some("3.3.3.3"));
    }
}
