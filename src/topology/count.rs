//! One declaration for several machines: `web: { count: 3 }` is `web-1`, `web-2` and `web-3`, spread over vSwitches.
//!
//! A machine's vSwitch follows from its number alone. So another count makes or removes machines at the end, and leaves
//! the others as they are.

use std::collections::{BTreeMap, BTreeSet};

use crate::topology::findings::{Finding, Findings, below};
use crate::topology::model::Vantage;
use crate::topology::places::{Path, path};
use crate::topology::rules::machines::unknown_vswitch;
use crate::topology::schema::{Document, Instance};

/// Machines that one declaration may make.
const MOST: i64 = 100;

/// The machines of each declaration with a count, by its name.
type Members = BTreeMap<String, Vec<String>>;

/// Puts each machine in the place of its declaration, and all of them where that is named.
pub(super) fn expand(document: &mut Document, findings: &mut Findings<'_>) {
    let declared = std::mem::take(&mut document.instances);
    let taken: BTreeSet<String> = declared.keys().cloned().collect();
    let mut members = Members::new();
    for (name, instance) in declared {
        let place = below(&path("instances"), &name);
        let homes = homes(document, &instance, &place, findings);
        let machine = |number: usize| {
            let home = homes.get(number % homes.len().max(1)).cloned();
            let declared = name.clone();
            Instance { declared, vswitch: home, vswitches: Vec::new(), count: None, ..instance.clone() }
        };
        let Some(count) = instance.count else {
            let only = machine(0);
            document.instances.insert(name, only);
            continue;
        };
        let names: Vec<String> =
            (1..=checked(count, &place, findings)).map(|number| format!("{name}-{number}")).collect();
        for (number, member) in names.iter().enumerate() {
            if taken.contains(member) {
                findings.at_key(&place, taken_name(&name, member));
            }
            findings.follow(below(&path("instances"), member), place.clone());
            document.instances.insert(member.clone(), machine(number));
        }
        members.insert(name, names);
    }
    if !members.is_empty() {
        nodes(document, &members, findings);
        single_places(document, &members, findings);
    }
}

fn checked(count: i64, place: &Path, findings: &mut Findings<'_>) -> i64 {
    if (1..=MOST).contains(&count) {
        return count;
    }
    findings.at_value(
        &below(place, "count"),
        Finding {
            code: "instance-count",
            message: format!("there cannot be {count} instances of one kind"),
            cause: format!("1 to {MOST}"),
            help: "write for example `count: 3`; without a machine of it, remove the declaration".to_owned(),
        },
    );
    1
}

fn taken_name(name: &str, member: &str) -> Finding {
    Finding {
        code: "instance-twice",
        message: format!("two instances are called `{member}`"),
        cause: format!("one of them is of `{name}`, whose machines are numbered"),
        help: "give one of the two declarations another name".to_owned(),
    }
}

/// The vSwitches that the machines of a declaration take in turn: those that it names, else one in each zone.
fn homes(document: &Document, instance: &Instance, place: &Path, findings: &mut Findings<'_>) -> Vec<String> {
    let known = &document.network.vswitches;
    match (&instance.vswitch, instance.vswitches.is_empty()) {
        (Some(_), false) => {
            findings.at_key(
                &below(place, "vswitches"),
                Finding {
                    code: "vswitch-twice",
                    message: "where these instances are is said twice".to_owned(),
                    cause: "it says both `vswitch` and `vswitches`".to_owned(),
                    help: "keep one of the two".to_owned(),
                },
            );
            instance.vswitch.iter().cloned().collect()
        }
        (Some(home), true) => vec![home.clone()],
        (None, false) => {
            for (index, name) in instance.vswitches.iter().enumerate() {
                if !known.contains_key(name) {
                    let place = below(&below(place, "vswitches"), index);
                    findings.at_value(&place, unknown_vswitch(document, name));
                }
            }
            instance.vswitches.iter().filter(|name| known.contains_key(*name)).cloned().collect()
        }
        (None, true) => {
            let mut zones = BTreeSet::new();
            let first_of_zone = known.iter().filter(|(_, vswitch)| zones.insert(&vswitch.zone));
            first_of_zone.map(|(name, _)| name.clone()).collect()
        }
    }
}

fn nodes(document: &mut Document, members: &Members, findings: &mut Findings<'_>) {
    let place = path("node.on");
    let mut on = Vec::new();
    for (index, name) in document.node.on.iter().enumerate() {
        let one = std::slice::from_ref(name);
        for machine in members.get(name).map_or(one, Vec::as_slice) {
            findings.follow(below(&place, on.len()), below(&place, index));
            on.push(machine.clone());
        }
    }
    document.node.on = on;
}

/// Where one machine is meant, a declaration of one is as good as its machine.
fn single_places(document: &mut Document, members: &Members, findings: &mut Findings<'_>) {
    let mut one_of = |name: &str, place: &Path| -> Option<String> {
        let machines = members.get(name)?;
        if machines.len() > 1 {
            findings.at_value(place, several(name, machines));
        }
        machines.first().cloned()
    };
    if let Some(on) = &mut document.redis.on {
        *on = one_of(on, &path("redis.on")).unwrap_or_else(|| on.clone());
    }
    for (name, instance) in &mut document.instances {
        let place = below(&below(&path("instances"), name), "via");
        if let Some(via) = &mut instance.via {
            *via = one_of(via, &place).unwrap_or_else(|| via.clone());
        }
    }
    for (index, text) in document.verify.vantages.iter_mut().enumerate() {
        let Some(Vantage::Ssh(name)) = Vantage::parse(text) else { continue };
        if let Some(machine) = one_of(name.as_str(), &below(&path("verify.vantages"), index)) {
            *text = format!("ssh:{machine}");
        }
    }
}

fn several(name: &str, machines: &[String]) -> Finding {
    Finding {
        code: "several-instances",
        message: format!("`{name}` is {} instances, and one is meant here", machines.len()),
        cause: format!("its `count` is {}", machines.len()),
        help: format!("write one of them, such as `{}`", machines[0]),
    }
}
