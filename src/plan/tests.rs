//! Plans of the example, from nothing, from all, and from what changed.

mod order;

use super::action::AFTER_APPLY;
use super::desired::{NODES_BY_ADDRESS, Resource};
use super::graph::{Verb, operations};
use super::*;
use crate::base::ids::CloudId;
use crate::resource::observed::Output;
use crate::resource::spec::Wanted;
use crate::topology::model::Topology;

pub(super) const CHATROOM: &str = include_str!("../../examples/chatroom.yaml");

pub(super) fn topology(text: &str) -> Topology {
    crate::topology::load(text.as_bytes()).expect("valid")
}

pub(super) fn desired_of(topology: &Topology) -> Desired {
    desired::desired(topology, "ssh-ed25519 AAAA test", &desired::Brought::default())
}

pub(super) fn plan_of(topology: &Topology, observed: &Observed) -> Plan {
    make(&topology.stack, &topology.region, &desired_of(topology), observed)
}

/// The world as an apply leaves it.
pub(super) fn as_applied(topology: &Topology) -> Observed {
    let mut observed = Observed::default();
    for (address, resource) in desired_of(topology).resources {
        // What is on a machine has the machine's id.
        let on_machine = Kind::ON_MACHINES.contains(&address.kind);
        let named = if on_machine { address.on_same_machine(Kind::Instance) } else { address.clone() };
        let mut observation = Observation::new(CloudId::new(format!("id-{named}")))
            .output(Output::PrivateAddress, format!("10.0.0.{}", observed.resources.len()))
            .output(Output::DnsName, "alb.example")
            .output(Output::CertificateId, format!("id-{named}"));
        for (field, wanted) in resource.spec.wanted() {
            let value = match wanted {
                Wanted::Exactly(value) => value,
                Wanted::OneOf(values) => values[0].clone(),
                Wanted::Computed => {
                    observed.computed.insert((address.clone(), field), "abc".to_owned());
                    "abc".to_owned()
                }
                Wanted::Outputs(addresses, output) => {
                    let mut values: Vec<_> = addresses
                        .iter()
                        .map(|one| observed.resources[one].outputs[&output].clone())
                        .collect();
                    values.sort();
                    if output == Output::PrivateAddress {
                        format!("{}/32", values[0])
                    } else {
                        values.join(",")
                    }
                }
            };
            observation = observation.field(field, value);
        }
        observed.resources.insert(address, observation);
    }
    observed
}

/// The world as an apply of another topology leaves it: what is there keeps its ids.
pub(super) fn applied(topology: &Topology, before: &Observed) -> Observed {
    let mut observed = as_applied(topology);
    for (address, found) in &mut observed.resources {
        if let Some(known) = before.resources.get(address) {
            found.outputs.clone_from(&known.outputs);
        }
    }
    observed
}

fn changed(plan: &Plan) -> Vec<(String, &'static str)> {
    let changed = plan.steps.iter().filter(|step| step.action != Action::Keep);
    changed.map(|step| (step.address.to_string(), step.action.word())).collect()
}

#[track_caller]
fn assert_order(plan: &Plan, before: &str, after: &str) {
    let order = operations(plan).expect("no cycle");
    let position = |text: &str| {
        let (verb, address) = text.split_once(' ').expect("verb and address");
        let verb = if verb == "put" { Verb::Put } else { Verb::Delete };
        order.iter().position(|one| one.verb == verb && one.step.to_string() == address).expect(text)
    };
    assert!(position(before) < position(after), "{before} must come before {after}");
}

#[test]
fn from_nothing_everything_is_created() {
    let topology = topology(CHATROOM);
    let plan = plan_of(&topology, &Observed::default());
    assert_eq!(plan.summary().create, plan.steps.len());
    assert_order(&plan, "put vpc.main", "put vswitch.a");
    assert_order(&plan, "put instance.ecs01", "put security_rule.redis-ecs01");
    assert_order(&plan, "put redis.ecs03", "put release.ecs01");
    assert_order(&plan, "put release.ecs02", "put server.ecs02");
    assert_order(&plan, "put server.ecs01", "put listener.main");
    assert_order(&plan, "put listener.main", "put record.main");
}

#[test]
fn the_ports_of_public_machines_are_opened_and_no_others() {
    let text = CHATROOM.replace("ssh:\n", "ssh:\n  port: 2222\n").replace(
        "ecs02: { vswitch: b, access: public }",
        "ecs02: { vswitch: b, access: public, ssh: { port: 2022 } }",
    );
    let text = text
        .replace("ecs03: { vswitch: a, via: ecs01 }", "ecs03: { vswitch: a, via: ecs01, ssh: { port: 23 } }");
    let desired = desired_of(&topology(&text));
    let rules: Vec<&str> = desired
        .resources
        .keys()
        .map(|one| one.name.as_str())
        .filter(|name| name.starts_with("ssh-"))
        .collect();
    assert_eq!(rules, ["ssh-2022-203.0.113.0-24", "ssh-2222-203.0.113.0-24"]);
}

#[test]
fn the_load_balancer_does_not_wait_for_the_hosts() {
    let plan = plan_of(&topology(CHATROOM), &Observed::default());
    let order = operations(&plan).unwrap();
    let balancer = order.iter().find(|one| one.address.kind == Kind::LoadBalancer).unwrap();
    let kinds: Vec<Kind> = balancer.after.iter().map(|index| order[*index].address.kind).collect();
    assert_eq!(kinds, [Kind::Vpc, Kind::VSwitch, Kind::VSwitch]);
}

#[test]
fn after_an_apply_nothing_changes() {
    let topology = topology(CHATROOM);
    let plan = plan_of(&topology, &as_applied(&topology));
    assert_eq!(changed(&plan), []);
    assert!(!plan.has_work());
}

#[test]
fn a_longer_timeout_is_an_update_in_place() {
    let before = as_applied(&topology(CHATROOM));
    let plan = plan_of(&topology(&CHATROOM.replace("idle_timeout: 60s", "idle_timeout: 90s")), &before);
    assert_eq!(changed(&plan), [("listener.main".to_owned(), "update")]);
    let change =
        &plan.steps.iter().find(|step| step.address.kind == Kind::Listener).unwrap().action.changes()[0];
    assert_eq!((change.field, change.from.as_str(), change.to.as_str()), ("idle_timeout", "60", "90"));
}

const SECURE: &str = include_str!("../../examples/chatroom-https.yaml");

fn reasons(plan: &Plan, address: &str) -> Vec<Option<&'static str>> {
    let step = plan.step(&address.parse().unwrap()).unwrap();
    let changes = step.action.changes().iter();
    changes.map(|change| change.reason(step.address.kind)).collect()
}

#[test]
fn another_certificate_is_uploaded_before_the_listener_takes_it_and_the_old_one_goes() {
    let before = as_applied(&topology(SECURE));
    let after = topology(&SECURE.replace("self_signed: true", "file: chain.pem, key: key.pem"));
    let plan = plan_of(&after, &before);
    let expected = [("certificate.main", "replace"), ("listener.main", "update")];
    assert_eq!(changed(&plan), expected.map(|(address, word)| (address.to_owned(), word)));
    assert_eq!(reasons(&plan, "certificate.main"), [Some("a certificate cannot be changed")]);
    assert_order(&plan, "put certificate.main", "put listener.main");
    assert_order(&plan, "put listener.main", "delete certificate.main");
}

#[test]
fn one_that_was_made_is_made_anew_in_time_and_nobody_is_blamed() {
    let mut before = as_applied(&topology(SECURE));
    let certificate = ResourceAddress::only(Kind::Certificate);
    let applied = before.resources[&certificate].clone();
    let applied =
        crate::resource::observed::Applied { id: applied.id, fields: applied.fields, expired: None };
    before.applied.insert(certificate.clone(), applied);
    let ending = before.resources.get_mut(&certificate).unwrap();
    ending.fields.insert("validity".to_owned(), "ending".to_owned());
    let plan = plan_of(&topology(SECURE), &before);
    let soon = "it ends soon, and a certificate cannot be made longer";
    assert_eq!(reasons(&plan, "certificate.main"), [Some(soon)]);
    assert!(plan.drift.is_empty(), "{:?}", plan.drift);
}

#[test]
fn a_redirect_stands_before_the_name_leads_there_and_goes_by_itself() {
    let plan = plan_of(&topology(SECURE), &Observed::default());
    assert_order(&plan, "put listener.redirect", "put listener_rule.redirect");
    assert_order(&plan, "put listener_rule.redirect", "put record.main");
    let without = SECURE.replace("  redirect_from: 80 ", "  #");
    let plan = plan_of(&topology(&without), &as_applied(&topology(SECURE)));
    let expected = [("listener_rule.redirect", "delete"), ("listener.redirect", "delete")];
    assert_eq!(changed(&plan), expected.map(|(address, word)| (address.to_owned(), word)));
    assert_order(&plan, "delete listener_rule.redirect", "delete listener.redirect");
}

#[test]
fn a_machine_in_another_vswitch_is_replaced_with_what_stands_on_it() {
    let before = as_applied(&topology(CHATROOM));
    let plan = plan_of(&topology(&CHATROOM.replace("ecs02: { vswitch: b", "ecs02: { vswitch: a")), &before);
    let expected = [
        ("security_rule.redis-ecs02", "replace"),
        ("instance.ecs02", "replace"),
        ("host_key.ecs02", "replace"),
        ("release.ecs02", "replace"),
        ("server.ecs02", "replace"),
    ];
    let mut found = changed(&plan);
    found.sort();
    let mut expected: Vec<_> = expected.map(|(address, word)| (address.to_owned(), word)).into();
    expected.sort();
    assert_eq!(found, expected);
    assert_order(&plan, "put instance.ecs02", "put release.ecs02");
    assert_order(&plan, "put release.ecs02", "put server.ecs02");
    assert_order(&plan, "put server.ecs02", "delete server.ecs02");
    assert_order(&plan, "delete server.ecs02", "delete release.ecs02");
    assert_order(&plan, "delete release.ecs02", "delete instance.ecs02");
}

#[test]
fn a_node_that_is_no_longer_wanted_leaves_the_group_first() {
    let before = as_applied(&topology(CHATROOM));
    let plan = plan_of(&topology(&CHATROOM.replace("on: [ecs01, ecs02]", "on: [ecs01]")), &before);
    let expected = ["server.ecs02", "release.ecs02", "security_rule.redis-ecs02"];
    assert_eq!(changed(&plan), expected.map(|address| (address.to_owned(), "delete")));
    assert_order(&plan, "delete server.ecs02", "delete release.ecs02");
}

#[test]
fn destroy_goes_backwards_and_keeps_what_is_not_ours() {
    let topology = topology(CHATROOM);
    let mut before = as_applied(&topology);
    let vpc = before.resources.get_mut(&ResourceAddress::only(Kind::Vpc)).unwrap();
    *vpc = vpc.clone().of_others();
    let plan = make_destroy(&topology.stack, &topology.region, &before);
    assert_eq!(plan.summary().delete, before.resources.len() - 1);
    assert_order(&plan, "delete record.main", "delete listener.main");
    assert_order(&plan, "delete listener.main", "delete server_group.main");
    assert_order(&plan, "delete load_balancer.main", "delete vswitch.a");
    assert_order(&plan, "delete instance.ecs01", "delete security_group.main");
    for machine in ["ecs01", "ecs02", "ecs03"] {
        let machine = format!("delete instance.{machine}");
        assert_order(&plan, &machine, "delete security_rule.ssh-203.0.113.0-24");
    }
}

#[test]
fn a_host_that_cannot_be_read_is_unknown_and_no_change() {
    let topology = topology(CHATROOM);
    let mut before = as_applied(&topology);
    let address = ResourceAddress::new(Kind::Release, "ecs01");
    before.unknown.insert(address.clone(), "connection refused".to_owned());
    let plan = plan_of(&topology, &before);
    assert_eq!(changed(&plan), [(address.to_string(), "unknown until apply")]);
    assert!(plan.has_work() && !plan.has_changes());
}

#[test]
fn what_stands_on_something_new_says_that_nobody_knows_yet() {
    let topology = topology(CHATROOM);
    let mut before = as_applied(&topology);
    before.resources.remove(&ResourceAddress::only(Kind::LoadBalancer));
    let plan = plan_of(&topology, &before);
    let record = plan.steps.iter().find(|step| step.address.kind == Kind::Record).unwrap();
    assert_eq!(record.action.changes()[0].to, AFTER_APPLY);
}

#[test]
fn what_a_resource_refers_to_is_there_before_it() {
    for wanted in [desired_of(&topology(CHATROOM)), desired_of(&topology(CHATROOM)).without_hosts()] {
        for resource in wanted.resources.values() {
            for (field, value) in resource.spec.wanted() {
                let Wanted::Outputs(addresses, _) = value else { continue };
                for address in addresses {
                    assert!(
                        resource.depends_on.contains(&address),
                        "{}: {field} needs {address}",
                        resource.address
                    );
                }
            }
        }
    }
}

#[test]
fn another_redis_machine_makes_other_releases() {
    let before = as_applied(&topology(CHATROOM));
    let plan = plan_of(&topology(&CHATROOM.replace("ecs03: { vswitch: a", "ecs03: { vswitch: b")), &before);
    let found = changed(&plan);
    for (address, word) in
        [("instance.ecs03", "replace"), ("redis.ecs03", "replace"), ("release.ecs01", "update")]
    {
        assert!(found.contains(&(address.to_owned(), word)), "{address} {word}: {found:?}");
    }
    assert_order(&plan, "put redis.ecs03", "put release.ecs02");
}

#[test]
fn releases_that_are_running_are_replaced_one_after_another() {
    let topology = topology(CHATROOM);
    let mut before = as_applied(&topology);
    for name in ["ecs01", "ecs02"] {
        before.computed.insert((ResourceAddress::new(Kind::Release, name), "release"), "new".to_owned());
    }
    let plan = plan_of(&topology, &before);
    let order = operations(&plan).unwrap();
    let second = order.iter().find(|one| one.address.name == "ecs02").unwrap();
    assert_eq!(
        second.after.iter().map(|index| order[*index].address.name.as_str()).collect::<Vec<_>>(),
        ["ecs01"]
    );
    let fresh = operations(&plan_of(&topology, &Observed::default())).unwrap();
    let second =
        fresh.iter().find(|one| one.address == ResourceAddress::new(Kind::Release, "ecs02")).unwrap();
    assert!(
        second.after.iter().all(|index| fresh[*index].address.kind != Kind::Release),
        "new ones need not wait"
    );
}

#[test]
fn a_renamed_vswitch_makes_room_first() {
    let before = as_applied(&topology(CHATROOM));
    let text = CHATROOM.replace("    b: {", "    c: {").replace("vswitch: b", "vswitch: c");
    let plan = plan_of(&topology(&text), &before);
    assert_order(&plan, "delete instance.ecs02", "delete vswitch.b");
    assert_order(&plan, "delete vswitch.b", "put vswitch.c");
}

/// The rules of the group that let anybody to Redis.
fn doors_to_redis(nodes: usize) -> Vec<String> {
    let mut text = CHATROOM.to_owned();
    let web: Vec<String> = (0..nodes.div_ceil(100)).map(|number| format!("web{number}")).collect();
    let declared = web.iter().enumerate().map(|(number, name)| {
        let count = (nodes - number * 100).min(100);
        format!("  {name}: {{ count: {count}, via: ecs01 }}\n")
    });
    text = text.replace("\nredis:", &format!("{}\nredis:", declared.collect::<String>()));
    text = text.replace("on: [ecs01, ecs02]", &format!("on: [{}]", web.join(", ")));
    let wanted = desired_of(&topology(&text)).resources;
    let rules = wanted.keys().filter(|address| address.kind == Kind::SecurityRule);
    let doors: Vec<String> =
        rules.map(|address| address.name.clone()).filter(|name| name.starts_with("redis-")).collect();
    let is_waited_for = |release: &Resource| {
        let before = release.depends_on.iter().filter(|address| address.kind == Kind::SecurityRule);
        before.filter(|address| doors.contains(&address.name)).count() == 1
    };
    assert!(wanted.values().filter(|one| one.address.kind == Kind::Release).all(is_waited_for));
    doors
}

#[test]
fn very_many_nodes_are_let_to_redis_by_the_vswitches_they_are_in() {
    assert_eq!(doors_to_redis(NODES_BY_ADDRESS).len(), NODES_BY_ADDRESS);
    assert_eq!(doors_to_redis(NODES_BY_ADDRESS + 1), ["redis-from-a", "redis-from-b"]);
}
