//! Security groups as rules of the VPC's router, in the words of `nft`.
//!
//! 1. What is forwarded between machines is judged, and what the router itself sends in somebody else's name: as a
//!    load balancer, or as somebody from outside. What it sends as itself is not.
//! 2. What belongs to a connection that was let through once is let through, and what was judged before it came late.
//! 3. Each machine has a chain: the rules of all its groups, the lowest priority first and drop before accept, then
//!    the other members of its normal groups. Everything else is dropped.
//!
//! What goes out is not restricted: no call of the emulated API restricts it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use crate::plane::guest::lateness;
use crate::plane::spec::{Inside, Instance, Policy, Rule, SecurityGroup, Source, Traffic};

/// Somebody from outside, when no rule has anybody else in mind (RFC 5737).
pub(crate) const SOMEBODY: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 1);
/// Name of the table.
const TABLE: &str = "security_groups";

/// The machines of one VPC and the groups they are in.
pub(crate) struct Firewall<'a> {
    pub(crate) instances: Vec<&'a Instance>,
    pub(crate) groups: &'a BTreeMap<String, SecurityGroup>,
}

impl Firewall<'_> {
    /// The whole table, which replaces the one there is at once; `strangers` are those in whose name the router sends.
    pub(crate) fn ruleset(&self, strangers: &BTreeSet<Ipv4Addr>) -> String {
        let mut chains = String::new();
        let mut judge = String::from("    ct state established,related accept\n");
        for (number, instance) in self.instances.iter().enumerate() {
            let _ = writeln!(judge, "    ip daddr {} goto machine_{number}", instance.private_address);
            let _ = writeln!(chains, "  chain machine_{number} {{\n{}  }}", self.chain(instance));
        }
        let strangers: Vec<String> = strangers.iter().map(ToString::to_string).collect();
        let sent = if strangers.is_empty() {
            String::new()
        } else {
            format!("    ip saddr {{ {} }} goto judge\n", strangers.join(", "))
        };
        format!(
            "table ip {TABLE}\ndelete table ip {TABLE}\ntable ip {TABLE} {{\n{chains}  chain judge {{\n{judge}    \
             drop\n  }}\n  chain forwarded {{\n    type filter hook forward priority filter; policy drop;\n    iifname \
             \"{}*\" accept\n    goto judge\n  }}\n  chain sent {{\n    type filter hook output priority filter; policy \
             accept;\n{sent}  }}\n}}\n",
            lateness::DEVICE
        )
    }

    /// What a machine lets in.
    fn chain(&self, instance: &Instance) -> String {
        let mut chain = String::new();
        if instance.refuses_ssh {
            chain.push_str("    tcp dport 22 reject with tcp reset\n");
        }
        for rule in self.rules(instance) {
            let what = matched(&rule.traffic);
            let verdict = match rule.policy {
                Policy::Accept => "accept",
                Policy::Drop => "drop",
            };
            for source in self.addresses(&rule.source) {
                let _ = writeln!(chain, "    ip saddr {source} {what}{verdict}");
            }
        }
        let open = instance
            .security_groups
            .iter()
            .filter(|id| self.groups.get(*id).is_some_and(|group| group.inside == Inside::Open));
        for source in open.flat_map(|id| self.members(id)) {
            let _ = writeln!(chain, "    ip saddr {source} accept");
        }
        chain.push_str("    drop\n");
        chain
    }

    /// The rules of all its groups, in the order in which they decide.
    fn rules(&self, instance: &Instance) -> Vec<&Rule> {
        let groups = instance.security_groups.iter().filter_map(|id| self.groups.get(id));
        let mut rules: Vec<&Rule> = groups.flat_map(|group| &group.rules).collect();
        rules.sort_by_key(|rule| (rule.priority, rule.policy));
        rules
    }

    fn addresses(&self, source: &Source) -> Vec<Ipv4Net> {
        match source {
            Source::Addresses(addresses) => vec![addresses.trunc()],
            Source::Group(group) => self.members(group).map(Ipv4Net::from).collect(),
        }
    }

    fn members<'a>(&'a self, group: &'a str) -> impl Iterator<Item = Ipv4Addr> + 'a {
        let is_in = move |instance: &&&Instance| instance.security_groups.iter().any(|own| own == group);
        self.instances.iter().filter(is_in).map(|instance| instance.private_address)
    }

    /// Who comes from outside to a TCP port of a machine: somebody the rules let in, if they let anybody in.
    ///
    /// A person may be anywhere, so it is asked whether anybody out there is admitted, not whether one address is.
    pub(crate) fn visitor(&self, instance: &Instance, port: u16) -> Ipv4Addr {
        let admits = |rule: &&Rule| rule.policy == Policy::Accept && covers(&rule.traffic, port);
        let sources = self.rules(instance).into_iter().filter(admits).filter_map(|rule| match &rule.source {
            Source::Addresses(addresses) => Some(*addresses),
            Source::Group(_) => None,
        });
        let outside = sources.filter_map(|addresses| {
            let first = addresses.hosts().next()?;
            if addresses.contains(&SOMEBODY) {
                return Some(SOMEBODY);
            }
            (!first.is_private() && !first.is_loopback()).then_some(first)
        });
        outside.into_iter().next().unwrap_or(SOMEBODY)
    }

    /// TCP ports that somebody opened by name: ranges of at most as many as these, so that no whole range is served.
    pub(crate) fn opened(&self, instance: &Instance, most: u16) -> BTreeSet<u16> {
        let named = self.rules(instance).into_iter().filter(|rule| rule.policy == Policy::Accept);
        let ranges = named.filter_map(|rule| match &rule.traffic {
            Traffic::Tcp(ports) if ports.end() - ports.start() < most => Some(ports.clone()),
            Traffic::Tcp(_) | Traffic::All | Traffic::Udp(_) | Traffic::Icmp | Traffic::Gre => None,
        });
        ranges.flatten().collect()
    }
}

fn covers(traffic: &Traffic, port: u16) -> bool {
    match traffic {
        Traffic::All => true,
        Traffic::Tcp(ports) => ports.contains(&port),
        Traffic::Udp(_) | Traffic::Icmp | Traffic::Gre => false,
    }
}

/// The match of a rule, with a space behind it unless everything matches.
fn matched(traffic: &Traffic) -> String {
    match traffic {
        Traffic::All => String::new(),
        Traffic::Tcp(ports) => format!("tcp dport {}-{} ", ports.start(), ports.end()),
        Traffic::Udp(ports) => format!("udp dport {}-{} ", ports.start(), ports.end()),
        Traffic::Icmp => "ip protocol icmp ".to_owned(),
        Traffic::Gre => "ip protocol gre ".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plane::spec::Power;

    fn instance(last: u8, groups: &[&str]) -> Instance {
        Instance {
            id: format!("i-{last}"),
            host_name: String::new(),
            image: String::new(),
            vpc: "vpc-1".to_owned(),
            subnet: "192.168.0.0/24".parse().unwrap(),
            private_address: Ipv4Addr::new(192, 168, 0, last),
            security_groups: groups.iter().map(|group| (*group).to_owned()).collect(),
            memory: 0,
            started: 0,
            public_address: None,
            authorized_keys: Vec::new(),
            user_data: None,
            power: Power::On,
            refuses_ssh: false,
        }
    }

    fn rule(priority: i64, policy: Policy, traffic: Traffic, source: Source) -> Rule {
        Rule { priority, policy, traffic, source }
    }

    fn from(addresses: &str) -> Source {
        Source::Addresses(addresses.parse().unwrap())
    }

    fn groups(rules: Vec<Rule>) -> BTreeMap<String, SecurityGroup> {
        let nodes = SecurityGroup { inside: Inside::Open, rules };
        let closed = SecurityGroup { inside: Inside::Closed, rules: Vec::new() };
        BTreeMap::from([("sg-nodes".to_owned(), nodes), ("sg-closed".to_owned(), closed)])
    }

    #[test]
    fn the_lowest_priority_decides_drop_before_accept_and_then_the_own_group() {
        let groups = groups(vec![
            rule(1, Policy::Accept, Traffic::Tcp(22..=22), from("0.0.0.0/0")),
            rule(1, Policy::Drop, Traffic::Tcp(22..=22), from("203.0.113.9/32")),
            rule(2, Policy::Accept, Traffic::All, Source::Group("sg-closed".to_owned())),
            rule(1, Policy::Accept, Traffic::Icmp, from("192.168.0.5/24")),
        ]);
        let (one, two, three) = (
            instance(1, &["sg-nodes"]),
            instance(2, &["sg-closed"]),
            instance(3, &["sg-nodes", "sg-closed"]),
        );
        let firewall = Firewall { instances: vec![&one, &two, &three], groups: &groups };
        assert_eq!(
            firewall.chain(&one).lines().map(str::trim).collect::<Vec<_>>(),
            [
                "ip saddr 203.0.113.9/32 tcp dport 22-22 drop",
                "ip saddr 0.0.0.0/0 tcp dport 22-22 accept",
                "ip saddr 192.168.0.0/24 ip protocol icmp accept",
                "ip saddr 192.168.0.2/32 accept",
                "ip saddr 192.168.0.3/32 accept",
                "ip saddr 192.168.0.1 accept",
                "ip saddr 192.168.0.3 accept",
                "drop",
            ]
        );
        assert_eq!(
            firewall.chain(&two),
            "    drop\n",
            "members of an enterprise group admit nobody by themselves"
        );
        let all = firewall.ruleset(&BTreeSet::from([SOMEBODY]));
        assert!(all.contains("ip saddr { 203.0.113.1 } goto judge"), "{all}");
        assert!(all.contains("ip daddr 192.168.0.3 goto machine_2"), "{all}");
    }

    #[test]
    fn who_comes_from_outside_is_whom_the_rules_admit() {
        let cases = [
            ("0.0.0.0/0", SOMEBODY),
            ("203.0.113.0/24", SOMEBODY),
            ("198.51.100.7/32", Ipv4Addr::new(198, 51, 100, 7)),
            ("198.51.100.0/24", Ipv4Addr::new(198, 51, 100, 1)),
            ("192.168.0.0/16", SOMEBODY),
        ];
        for (admitted, expected) in cases {
            let groups = groups(vec![rule(1, Policy::Accept, Traffic::Tcp(20..=30), from(admitted))]);
            let one = instance(1, &["sg-nodes"]);
            let firewall = Firewall { instances: vec![&one], groups: &groups };
            assert_eq!(firewall.visitor(&one, 22), expected, "{admitted}");
            assert_eq!(firewall.visitor(&one, 80), SOMEBODY, "{admitted} is not for port 80");
            assert_eq!(firewall.opened(&one, 11).len(), 11);
            assert!(firewall.opened(&one, 10).is_empty());
        }
    }
}
