//! Rules of the network: ranges, zones, and who may log in.

use ipnet::Ipv4Net;

use crate::topology::admission;
use crate::topology::findings::{Finding, Findings, below};
use crate::topology::places::{Path, path};
use crate::topology::resolve::{DEFAULT_VPC, admitted, parse_range};
use crate::topology::rules::is_region;
use crate::topology::schema::Document;

/// Runs the rules of this file.
pub(super) fn check(document: &Document, findings: &mut Findings<'_>) {
    vpc_range(document, findings);
    zones(document, findings);
    vswitch_ranges(document, findings);
    overlaps(document, findings);
    allow_from(document, findings);
    allow(document, findings);
}

/// Rules in words: the word that is wrong is shown.
fn allow(document: &Document, findings: &mut Findings<'_>) {
    let instances = admitted(document);
    for (index, text) in document.network.security_group.allow.iter().enumerate() {
        let Err(wrong) = admission::parse(text, &instances) else { continue };
        let finding = Finding {
            code: "security-rule",
            message: format!("`{text}` is no rule"),
            cause: wrong.cause,
            help: wrong.help,
        };
        findings.at_part(&below(&path("network.security_group.allow"), index), (text, wrong.bytes), finding);
    }
}

/// Ranges the cloud keeps for itself or that mean something else everywhere.
const RESERVED: [&str; 5] = ["0.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4"];

fn overlaps_with(range: Ipv4Net, taken: &str) -> bool {
    parse_range(taken).is_some_and(|taken| taken.contains(&range) || range.contains(&taken))
}

fn vpc_range(document: &Document, findings: &mut Findings<'_>) {
    let Some(text) = &document.network.vpc.cidr else {
        return;
    };
    let good = parse_range(text).is_some_and(|range| {
        (8..=28).contains(&range.prefix_len()) && !RESERVED.iter().any(|taken| overlaps_with(range, taken))
    });
    if !good {
        findings.at_value(
            &path("network.vpc.cidr"),
            Finding {
                code: "cidr",
                message: format!("`{text}` cannot be the range of a VPC"),
                cause: "an IPv4 range of /8 to /28 with no bits set after the prefix, and no reserved one"
                    .to_owned(),
                help: format!("write for example `cidr: {DEFAULT_VPC}`"),
            },
        );
    }
}

fn zones(document: &Document, findings: &mut Findings<'_>) {
    let network = &document.network;
    if network.zones.is_empty() && network.vswitches.is_empty() {
        findings.at_key(
            &path("network"),
            Finding {
                code: "no-vswitch",
                message: "the network has no vSwitch".to_owned(),
                cause: "neither `zones` nor `vswitches` is written here".to_owned(),
                help: format!("add `zones: [{0}-h, {0}-i]` with two zones of your region", document.region),
            },
        );
    }
    for (index, zone) in network.zones.iter().enumerate() {
        zone_in_region(document, zone, &below(&path("network.zones"), index), findings);
    }
    for (name, vswitch) in
        network.vswitches.iter().filter(|(_, vswitch)| !network.zones.contains(&vswitch.zone))
    {
        let place = below(&below(&path("network.vswitches"), name), "zone");
        zone_in_region(document, &vswitch.zone, &place, findings);
    }
}

/// A zone is its region, a hyphen in most regions, and one letter: `cn-hangzhou-h`, `ap-southeast-1a`.
fn zone_in_region(document: &Document, zone: &str, place: &Path, findings: &mut Findings<'_>) {
    let region = &document.region;
    if !is_region(region) {
        return;
    }
    let letter = zone.strip_prefix(region.as_str()).map(|rest| rest.strip_prefix('-').unwrap_or(rest));
    if letter.is_some_and(|letter| letter.len() == 1 && letter.chars().all(|one| one.is_ascii_lowercase())) {
        return;
    }
    findings.at_value(
        place,
        Finding {
            code: "zone-outside-region",
            message: format!("zone `{zone}` is not in region `{region}`"),
            cause: format!("the zones of `{region}` begin with its name"),
            help: format!("write for example `{region}-h`, or change `region`"),
        },
    );
}

fn vswitch_ranges(document: &Document, findings: &mut Findings<'_>) {
    let network = &document.network;
    // The range of an existing VPC is known only to the cloud, unless it is written here too.
    let vpc = match (&network.vpc.id, &network.vpc.cidr) {
        (Some(_), None) => None,
        (_, cidr) => parse_range(cidr.as_deref().unwrap_or(DEFAULT_VPC)),
    };
    for (name, vswitch) in &network.vswitches {
        let place = below(&below(&path("network.vswitches"), name), "cidr");
        let text = &vswitch.cidr;
        let Some(range) = parse_range(text).filter(|range| (16..=29).contains(&range.prefix_len())) else {
            findings.at_value(
                &place,
                Finding {
                    code: "cidr",
                    message: format!("`{text}` cannot be the range of a vSwitch"),
                    cause: "an IPv4 range of /16 to /29 with no bits set after the prefix".to_owned(),
                    help: "write for example `cidr: 192.168.0.0/24`".to_owned(),
                },
            );
            continue;
        };
        if let Some(vpc) = vpc.filter(|vpc| !vpc.contains(&range)) {
            findings.at_value(
                &place,
                Finding {
                    code: "cidr-outside-vpc",
                    message: format!("`{range}` of vSwitch `{name}` is outside the VPC"),
                    cause: format!("the VPC has {vpc}"),
                    help: format!("choose a range inside {vpc}, or widen `network.vpc.cidr`"),
                },
            );
        }
    }
}

fn overlaps(document: &Document, findings: &mut Findings<'_>) {
    let ranges: Vec<(&String, Ipv4Net)> = document
        .network
        .vswitches
        .iter()
        .filter_map(|(name, vswitch)| Some((name, parse_range(&vswitch.cidr)?)))
        .collect();
    for (index, (name, range)) in ranges.iter().enumerate() {
        let earlier =
            ranges[..index].iter().find(|(_, other)| range.contains(other) || other.contains(range));
        let Some((other_name, other)) = earlier else {
            continue;
        };
        findings.at_value(
            &below(&below(&path("network.vswitches"), name), "cidr"),
            Finding {
                code: "cidr-overlap",
                message: format!("vSwitches `{other_name}` and `{name}` overlap"),
                cause: format!("{range} and {other} share addresses"),
                help: "give each vSwitch a range of its own".to_owned(),
            },
        );
    }
}

fn allow_from(document: &Document, findings: &mut Findings<'_>) {
    if document.ssh.allow_from.is_empty() {
        findings.at_key(
            &path("ssh.allow_from"),
            Finding {
                code: "ssh-allow-from",
                message: "nobody may log in".to_owned(),
                cause: "`ssh.allow_from` is empty, and releases travel over SSH".to_owned(),
                help: "write the address you come from, for example `allow_from: [203.0.113.7]`".to_owned(),
            },
        );
    }
    for (index, text) in document.ssh.allow_from.iter().enumerate() {
        if parse_range(text).is_none() {
            findings.at_value(
                &below(&path("ssh.allow_from"), index),
                Finding {
                    code: "cidr",
                    message: format!("`{text}` is not an address range"),
                    cause: "an IPv4 address, or a range with no bits set after the prefix".to_owned(),
                    help: "write for example `203.0.113.7` or `203.0.113.0/24`".to_owned(),
                },
            );
        }
    }
}
