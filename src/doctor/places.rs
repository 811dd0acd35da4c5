//! Region and zones.

use std::collections::BTreeSet;

use crate::cloud::catalogue;
use crate::doctor::report::{CheckId, Finding};
use crate::doctor::visit::{Visit, listed, unanswered};

/// Whether the account can use the region.
pub(super) async fn region(visit: &Visit<'_>) -> Finding {
    let region = visit.topology().region.as_str();
    match catalogue::regions(visit.client).await {
        Ok(regions) if regions.iter().any(|known| known == region) => {
            Finding::ok(CheckId::Region, format!("{region} is open to the account"))
        }
        Ok(regions) => Finding::fail(
            CheckId::Region,
            format!("{region} is not among the {} regions of the account", regions.len()),
            format!("write one of these as `region`: {}", regions.join(", ")),
        ),
        Err(error) => unanswered(CheckId::Region, &error),
    }
}

/// Whether the zones exist, for machines and for load balancers.
pub(super) async fn zones(visit: &Visit<'_>) -> Vec<Finding> {
    let topology = visit.topology();
    let zone = |name| topology.vswitches.get(name).map(|vswitch| vswitch.zone.as_str());
    let machines: BTreeSet<&str> =
        topology.instances.values().filter_map(|instance| zone(&instance.vswitch)).collect();
    let balancer: BTreeSet<&str> = topology.load_balancer.vswitches.iter().filter_map(zone).collect();
    let mut findings = Vec::new();
    match catalogue::zones(visit.client).await {
        Ok(known) => findings.push(judge(&machines, &known, "machines")),
        Err(error) => findings.push(unanswered(CheckId::Zones, &error)),
    }
    if topology.load_balancer.existing.is_none() {
        match catalogue::balancer_zones(visit.client).await {
            Ok(known) => findings.push(judge(&balancer, &known, "load balancers")),
            Err(error) => findings.push(unanswered(CheckId::Zones, &error)),
        }
    }
    findings
}

fn judge(wanted: &BTreeSet<&str>, known: &[String], what: &str) -> Finding {
    let missing: Vec<&str> =
        wanted.iter().copied().filter(|zone| !known.iter().any(|known| known == zone)).collect();
    if missing.is_empty() {
        let verb = if wanted.len() == 1 { "has" } else { "have" };
        return Finding::ok(CheckId::Zones, format!("{} {verb} {what}", listed(wanted)));
    }
    Finding::fail(
        CheckId::Zones,
        format!("{} cannot have {what}", listed(missing)),
        format!("write one of these under `network.vswitches`: {}", known.join(", ")),
    )
}
