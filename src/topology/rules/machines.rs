//! Rules of the machines: names, vSwitches, and how each is reached.

use std::collections::BTreeSet;

use crate::topology::findings::{Finding, Findings, below, nearest, one_of};
use crate::topology::places::{Path, path};
use crate::topology::rules::disks;
use crate::topology::schema::{Document, Instance, SpotForm};

/// Runs the rules of this file.
pub(super) fn check(document: &Document, findings: &mut Findings<'_>) {
    for (name, instance) in &document.instances {
        let place = below(&path("instances"), name);
        instance_name(name, &place, findings);
        vswitch(document, instance, &place, findings);
        reach(document, name, instance, &place, findings);
        disks::check(instance, &place, findings);
        price_limit(instance, &place, findings);
        image(instance, &place, findings);
    }
}

fn instance_name(name: &str, place: &Path, findings: &mut Findings<'_>) {
    let good = (2..=40).contains(&name.len())
        && name.starts_with(|letter: char| letter.is_ascii_lowercase())
        && !name.ends_with('-')
        && name.chars().all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-');
    if !good {
        findings.at_key(
            place,
            Finding {
                code: "instance-name",
                message: format!("`{name}` cannot be the name of an instance"),
                cause: "it is a host name too: 2 to 40 lower-case letters, digits and hyphens".to_owned(),
                help: "write for example `ecs01`".to_owned(),
            },
        );
    }
}

fn vswitch(document: &Document, instance: &Instance, place: &Path, findings: &mut Findings<'_>) {
    // Without one there is no vSwitch at all, or it was found already that none of those it names is there.
    let Some(name) = &instance.vswitch else { return };
    if !document.network.vswitches.contains_key(name) {
        findings.at_value(&below(place, "vswitch"), unknown_vswitch(document, name));
    }
}

/// The finding for a name that no vSwitch has.
pub(in crate::topology) fn unknown_vswitch(document: &Document, name: &str) -> Finding {
    let known = || document.network.vswitches.keys().map(String::as_str);
    Finding {
        code: "unknown-vswitch",
        message: format!("no vSwitch is called `{name}`"),
        cause: format!("there is {}", one_of(known())),
        help: suggestion(name, known(), "network.vswitches"),
    }
}

/// The most that the cloud takes for a limit.
const HIGHEST_PRICE: f64 = 999_999.0;

fn price_limit(instance: &Instance, place: &Path, findings: &mut Findings<'_>) {
    let Some(SpotForm::Limited(spot)) = &instance.spot else { return };
    let price = spot.price_limit;
    let decimals = price.to_string().split_once('.').map_or(0, |(_, decimals)| decimals.len());
    if !(price > 0.0 && price <= HIGHEST_PRICE && decimals <= 3) {
        findings.at_value(
            &below(&below(place, "spot"), "price_limit"),
            Finding {
                code: "spot-price",
                message: format!("{price} cannot be the most that an hour may cost"),
                cause: format!("a price is above 0, {HIGHEST_PRICE} at most, with three decimals at most"),
                help: "write for example `spot: { price_limit: 0.05 }`".to_owned(),
            },
        );
    }
}

/// What is in the names of images and families whose distributions have ended.
const PAST_THEIR_END: [(&str, &str); 5] = [
    ("centos_6", "CentOS 6"),
    ("centos_7", "CentOS 7"),
    ("aliyun_2", "Alibaba Cloud Linux 2"),
    ("alibaba_cloud_linux_2", "Alibaba Cloud Linux 2"),
    ("alinux_2", "Alibaba Cloud Linux 2"),
];

fn image(instance: &Instance, place: &Path, findings: &mut Findings<'_>) {
    let Some(image) = &instance.image else { return };
    let lower = image.to_ascii_lowercase();
    if let Some((_, distribution)) = PAST_THEIR_END.iter().find(|(part, _)| lower.contains(part)) {
        findings.at_value(
            &below(place, "image"),
            Finding {
                code: "image-past-its-end",
                message: format!("the packages of `{image}` are past their end"),
                cause: format!("{distribution} gets no updates, and its Redis (3.2) has no streams"),
                help: "leave `image` out for Alibaba Cloud Linux 3; Redis can be one of the cloud's: `redis: { tair: \
                       { class: tair.rdb.1g } }`"
                    .to_owned(),
            },
        );
    }
}

fn reach(document: &Document, name: &str, instance: &Instance, place: &Path, findings: &mut Findings<'_>) {
    match (&instance.access, &instance.via) {
        (Some(_), None) => {}
        (None, None) => findings.at_key(
            place,
            Finding {
                code: "unreachable",
                message: format!("instance `{name}` cannot be reached"),
                cause: "it says neither `access: public` nor `via`".to_owned(),
                help: "add `access: public`, or `via:` with the name of a public instance".to_owned(),
            },
        ),
        (Some(_), Some(_)) => findings.at_value(
            &below(place, "via"),
            Finding {
                code: "reached-twice",
                message: format!("instance `{name}` is reached in two ways"),
                cause: "it says both `access: public` and `via`".to_owned(),
                help: "keep one of the two".to_owned(),
            },
        ),
        (None, Some(via)) => jump_host(document, name, via, &below(place, "via"), findings),
    }
}

fn jump_host(document: &Document, name: &str, via: &str, place: &Path, findings: &mut Findings<'_>) {
    if !document.instances.contains_key(via) {
        // Nobody reaches a machine through itself.
        let others = document.instances.keys().map(String::as_str).filter(|other| *other != name);
        let help = suggestion(via, others, "instances");
        findings.at_value(place, Finding { help, ..unknown_instance(document, via) });
        return;
    }
    if let Some(cycle) = cycle_from(document, name) {
        findings.at_value(
            place,
            Finding {
                code: "unreachable",
                message: format!("instance `{name}` cannot be reached"),
                cause: format!("the way there goes in a circle: {}", cycle.join(" -> ")),
                help: "end the way at an instance with `access: public`".to_owned(),
            },
        );
    }
}

fn cycle_from(document: &Document, name: &str) -> Option<Vec<String>> {
    let mut way = vec![name.to_owned()];
    let mut seen = BTreeSet::from([name]);
    let mut current = name;
    while let Some(via) = document.instances.get(current).and_then(|instance| instance.via.as_deref()) {
        way.push(via.to_owned());
        if !seen.insert(via) {
            return Some(way);
        }
        current = via;
    }
    None
}

/// The finding for a name that no instance has.
pub(in crate::topology) fn unknown_instance(document: &Document, name: &str) -> Finding {
    let known = || document.instances.keys().map(String::as_str);
    Finding {
        code: "unknown-instance",
        message: format!("no instance is called `{name}`"),
        cause: format!("there is {}", one_of(known())),
        help: suggestion(name, known(), "instances"),
    }
}

fn suggestion<'n>(typed: &str, known: impl Iterator<Item = &'n str>, place: &str) -> String {
    match nearest(typed, known) {
        Some(name) => format!("did you mean `{name}`?"),
        None => format!("declare it under `{place}`, or use one that is there"),
    }
}
