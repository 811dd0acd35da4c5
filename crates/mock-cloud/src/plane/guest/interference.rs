//! What faults do to packets: connections between two machines are dropped, a share of a machine's packets is lost.
//!
//! Both are a table of the VPC's router, in front of the security groups; it also judges what the router itself sends
//! and hears, so that nothing from outside gets around it. What comes late is in `lateness.rs`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::Ipv4Addr;
use std::time::Duration;

use crate::plane::guest::lateness;
use crate::plane::spec::Desired;

/// Name of the table.
const TABLE: &str = "troubles";

/// The whole table of a VPC, which replaces the one there is at once; it is empty when nothing is wrong.
pub(crate) fn ruleset(desired: &Desired, vpc: &str) -> String {
    let address = |id: &str| {
        let instance = desired.instances.get(id).filter(|instance| instance.vpc == vpc)?;
        Some(instance.private_address)
    };
    let mut rules = format!("    iifname \"{}*\" return\n", lateness::DEVICE);
    let cuts = desired.troubles.cuts.iter();
    for (one, other) in cuts.filter_map(|(one, other)| Some((address(one)?, address(other)?))) {
        let _ = writeln!(rules, "    ip saddr {one} ip daddr {other} drop");
        let _ = writeln!(rules, "    ip saddr {other} ip daddr {one} drop");
    }
    let losses = desired.troubles.instances.iter();
    for (own, percent) in losses.filter_map(|(id, conditions)| Some((address(id)?, conditions.loss?))) {
        let _ = writeln!(rules, "    ip saddr {own} numgen random mod 100 < {percent} drop");
        let _ = writeln!(rules, "    ip daddr {own} numgen random mod 100 < {percent} drop");
    }
    let hook = |name: &str, hook: &str| {
        format!(
            "  chain {name} {{\n    type filter hook {hook} priority -10; policy accept;\n    jump judge\n  }}\n"
        )
    };
    let hooks = [hook("forwarded", "forward"), hook("sent", "output"), hook("heard", "input")].concat();
    format!(
        "table ip {TABLE}\ndelete table ip {TABLE}\ntable ip {TABLE} {{\n  chain judge {{\n{rules}  }}\n{hooks}}}\n"
    )
}

/// How late what comes to each machine of a VPC comes, by address.
pub(crate) fn delays(desired: &Desired, vpc: &str) -> BTreeMap<Ipv4Addr, Duration> {
    let own = desired.instances.values().filter(|instance| instance.vpc == vpc);
    own.filter_map(|instance| Some((instance.private_address, desired.troubles.of(&instance.id).delay?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plane::spec::Conditions;

    #[test]
    fn nothing_wrong_is_an_empty_table_and_a_cut_is_both_ways() {
        let mut desired = Desired::default();
        assert!(!ruleset(&desired, "vpc-1").contains("drop"));
        desired.troubles.cuts.insert(("i-1".to_owned(), "i-2".to_owned()));
        let lossy = Conditions { loss: Some(7), ..Conditions::default() };
        desired.troubles.instances.insert("i-1".to_owned(), lossy);
        assert!(!ruleset(&desired, "vpc-1").contains("drop"), "neither of them is there");
    }
}
