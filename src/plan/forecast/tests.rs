//! Forecasts of the example: its calls, its critical path, and what is left of them when little changes.

use super::*;
use crate::base::ids::CloudId;
use crate::plan::action::Change;
use crate::plan::desired::{Brought, desired};
use crate::plan::{Action, make, make_destroy};
use crate::resource::Kind;
use crate::resource::observed::{Observation, Observed};

const CHATROOM: &str = include_str!("../../../examples/chatroom.yaml");

fn plan_from_nothing() -> Plan {
    let topology = crate::topology::load(CHATROOM.as_bytes()).expect("valid");
    let wanted = desired(&topology, "ssh-ed25519 AAAA test", &Brought::default());
    make(&topology.stack, &topology.region, &wanted, &Observed::default())
}

fn foretell(plan: &Plan) -> Forecast {
    forecast(plan).expect("no cycle")
}

fn of<'f>(forecast: &'f Forecast, address: &str) -> &'f Expected {
    forecast.operations.iter().find(|one| one.address.to_string() == address).expect("an operation")
}

/// The plan with nothing to do but this, to one resource.
fn only(address: &str, action: Action, status: &str) -> Plan {
    let mut plan = plan_from_nothing();
    for step in &mut plan.steps {
        let id = CloudId::new(format!("id-{}", step.address));
        step.current = Some(Observation::new(id).field("status", status));
        step.action = if step.address.to_string() == address { action.clone() } else { Action::Keep };
    }
    plan
}

fn change() -> Vec<Change> {
    vec![Change { field: "ttl", from: "600".to_owned(), to: "900".to_owned(), forces_replacement: false }]
}

#[test]
fn all_that_changes_something_is_foretold() {
    let forecast = foretell(&plan_from_nothing());
    // Three rules and two are made by one call each, and so are both servers.
    assert_eq!(forecast.changes(), 22);
    assert_eq!(of(&forecast, "server.ecs02").calls, [] as [&str; 0]);
    assert_eq!(of(&forecast, "server.ecs02").with, Some(ResourceAddress::new(Kind::Server, "ecs01")));
    assert_eq!(of(&forecast, "host_key.ecs01").calls, ["RunCommand", "TagResources"]);
    assert_eq!(of(&forecast, "record.main").calls, ["AddDomainRecord", "UpdateDomainRecordRemark"]);
    assert!(of(&forecast, "release.ecs01").calls.is_empty());
}

#[test]
fn the_critical_path_goes_through_the_machines() {
    let forecast = foretell(&plan_from_nothing());
    let path: Vec<String> =
        forecast.path.iter().map(|index| forecast.operations[*index].address.to_string()).collect();
    let expected = [
        "vpc.main",
        "vswitch.a",
        "instance.ecs03",
        "host_key.ecs03",
        "redis.ecs03",
        "release.ecs02",
        "server.ecs01",
        "listener.main",
        "record.main",
    ];
    assert_eq!(path, expected);
    let ends = forecast.operations.iter().map(Expected::ends).max();
    assert_eq!(Some(forecast.takes()), ends);
}

#[test]
fn nothing_begins_before_what_it_waits_for_and_turns_are_kept() {
    let plan = plan_from_nothing();
    let (forecast, order) = (foretell(&plan), operations(&plan).expect("no cycle"));
    for (one, operation) in forecast.operations.iter().zip(&order) {
        assert_eq!(one.address, operation.address);
        for before in &operation.after {
            assert!(forecast.operations[*before].ends() <= one.begins, "{}", one.address);
        }
    }
    let mut vswitches = ["vswitch.a", "vswitch.b"].map(|address| of(&forecast, address));
    vswitches.sort_by_key(|one| one.begins);
    assert_eq!(vswitches[1].begins, vswitches[0].ends());
}

#[test]
fn no_more_are_under_way_than_apply_has() {
    let forecast = foretell(&plan_from_nothing());
    for one in &forecast.operations {
        let under_way = |other: &&Expected| other.begins <= one.begins && other.ends() > one.begins;
        assert!(forecast.operations.iter().filter(under_way).count() <= AT_ONCE);
    }
}

#[test]
fn looks_are_shared_by_those_that_wait_for_the_same() {
    let forecast = foretell(&plan_from_nothing());
    let waits = forecast.operations.iter().flat_map(|one| &one.waits);
    let waits = waits.filter(|wait| wait.lane != Lane::Machine).count();
    assert!(forecast.calls() < READ_NOTHING + forecast.changes() + waits);
    assert!(forecast.calls() > READ_NOTHING + forecast.changes() + waits / 2);
}

#[test]
fn nothing_to_do_is_only_read() {
    let mut plan = plan_from_nothing();
    for step in &mut plan.steps {
        step.action = Action::Keep;
    }
    let forecast = foretell(&plan);
    assert_eq!((forecast.calls(), forecast.changes(), forecast.takes()), (READ_NOTHING, 0, Duration::ZERO));
    assert!(forecast.path.is_empty());
}

#[test]
fn a_change_in_place_has_the_calls_of_its_kind() {
    let cases = [
        ("listener.main", "idle_timeout", "Running", "UpdateListenerAttribute"),
        ("listener.main", "status", "Stopped", "StartListener"),
        ("server_group.main", "health_interval", "Available", "UpdateServerGroupAttribute"),
        ("server.ecs01", "weight", "", "UpdateServerGroupServersAttribute"),
        ("load_balancer.main", "name", "", "UpdateLoadBalancerAttribute"),
        ("vpc.main", "name", "", "ModifyVpcAttribute"),
        ("record.main", "ttl", "", "UpdateDomainRecord"),
        ("record.main", "status", "", "SetDomainRecordStatus"),
        ("record.main", "remark", "", "UpdateDomainRecordRemark"),
        ("instance.ecs01", "name", "Running", "ModifyInstanceAttribute"),
        ("instance.ecs01", "status", "Stopped", "StartInstances"),
        ("instance.ecs01", "status", "Stopping", "StartInstances"),
        ("instance.ecs01", "status", "Starting", ""),
        ("redis.ecs03", "configuration", "", ""),
    ];
    for (address, field, status, calls) in cases {
        let changes = change().into_iter().map(|change| Change { field, ..change }).collect();
        let forecast = foretell(&only(address, Action::Update(changes), status));
        assert_eq!(of(&forecast, address).calls.join(" "), calls, "{address} {field} {status}");
        assert_eq!(forecast.operations.len(), 1);
    }
}

#[test]
fn a_replacement_is_both_and_a_host_that_could_not_be_read_costs_no_call() {
    let forecast = foretell(&only("server.ecs01", Action::Replace(change()), ""));
    let calls: Vec<_> = forecast.operations.iter().flat_map(|one| one.calls.clone()).collect();
    assert_eq!(calls, ["AddServersToServerGroup", "RemoveServersFromServerGroup"]);
    let forecast = foretell(&only("release.ecs01", Action::Unknown("refused".to_owned()), ""));
    assert_eq!(forecast.changes(), 0);
    assert!(forecast.takes() > Duration::ZERO);
}

#[test]
fn what_was_there_before_is_neither_made_nor_waited_for() {
    let text = CHATROOM.replace("vpc: { cidr: 192.168.0.0/16 }", "vpc: { id: vpc-bp1 }");
    let topology = crate::topology::load(text.as_bytes()).expect("valid");
    let wanted = desired(&topology, "ssh-ed25519 AAAA test", &Brought::default());
    let plan = make(&topology.stack, &topology.region, &wanted, &Observed::default());
    let forecast = foretell(&plan);
    assert_eq!((of(&forecast, "vpc.main").calls.len(), of(&forecast, "vpc.main").waits.len()), (0, 0));
}

#[test]
fn everything_that_is_made_by_a_call_is_removed_by_one() {
    let made = foretell(&plan_from_nothing());
    let mut observed = Observed::default();
    for step in plan_from_nothing().steps {
        let id = CloudId::new(format!("id-{}", step.address));
        observed.resources.insert(step.address, Observation::new(id));
    }
    let plan = plan_from_nothing();
    let removed = foretell(&make_destroy(&plan.stack, &plan.region, &observed));
    for one in &removed.operations {
        let has_a_call = |one: &Expected| !one.calls.is_empty() || one.with.is_some();
        let is_made = has_a_call(of(&made, &one.address.to_string()));
        // A host key goes with its instance.
        assert_eq!(has_a_call(one), is_made && one.address.kind != Kind::HostKey, "{}", one.address);
    }
}
