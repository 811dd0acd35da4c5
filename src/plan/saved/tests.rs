//! Saved plans are read back as they were, or refused; what has changed since is found, and told from progress.

use super::*;
use crate::plan::tests::{CHATROOM, applied, as_applied, desired_of, plan_of, topology};
use crate::resource::observed::Observation;
use crate::resource::{Kind, ResourceAddress};

const LONGER: [&str; 2] = ["idle_timeout: 60s", "idle_timeout: 90s"];

fn saved(plan: Plan, observed: Observed) -> SavedPlan {
    SavedPlan {
        program: "1.2.3".to_owned(),
        made: Timestamp::UNIX_EPOCH,
        origin: Origin {
            account: "1234".to_owned(),
            endpoint: "http://127.0.0.1:1".to_owned(),
            lineage: Some("abc".to_owned()),
            sequence: 7,
            node: None,
        },
        topology: Source { path: "chatroom.yaml".to_owned(), text: CHATROOM.to_owned(), given: Vec::new() },
        options: Options::default(),
        plan,
        fingerprint: fingerprint(&observed),
        observed,
    }
}

/// A plan with steps of every action, saved.
fn example() -> SavedPlan {
    let mut observed = as_applied(&topology(CHATROOM));
    observed.resources.remove(&ResourceAddress::only(Kind::Record));
    observed.unknown.insert(ResourceAddress::new(Kind::Release, "ecs01"), "refused".to_owned());
    let text = CHATROOM.replace(LONGER[0], LONGER[1]).replace("ecs02: { vswitch: b", "ecs04: { vswitch: b");
    let text = text.replace("on: [ecs01, ecs02]", "on: [ecs01, ecs04]");
    saved(plan_of(&topology(&text), &observed), observed)
}

/// An update of the listener, saved, with the topology it is of.
fn update() -> SavedPlan {
    let observed = as_applied(&topology(CHATROOM));
    saved(plan_of(&topology(&CHATROOM.replace(LONGER[0], LONGER[1])), &observed), observed)
}

fn again(observed: &Observed) -> Plan {
    plan_of(&topology(&CHATROOM.replace(LONGER[0], LONGER[1])), observed)
}

fn shown(differences: &[Difference]) -> Vec<String> {
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let line = |one: &Difference| {
        format!("{} {}: {} | {}", one.subject, one.field, text(&one.planned), text(&one.now))
    };
    differences.iter().map(line).collect()
}

#[test]
fn a_saved_plan_is_read_back_as_it_was() {
    let saved = example();
    let actions: std::collections::BTreeSet<&str> =
        saved.plan.steps.iter().map(|step| step.action.word()).collect();
    assert!(actions.len() >= 5, "{actions:?}");
    let text = saved.encode();
    assert!(is_saved_plan(text.as_bytes()));
    assert_eq!(SavedPlan::decode(text.as_bytes()).unwrap(), saved);
}

#[test]
fn every_changed_byte_is_found() {
    let text = update().encode().into_bytes();
    let first = text.iter().position(|byte| *byte == b'\n').unwrap();
    let places = (MARK.len()..first + 200).chain((first..text.len()).step_by(97));
    for place in places {
        let mut edited = text.clone();
        edited[place] ^= 1;
        assert!(SavedPlan::decode(&edited).is_err(), "byte {place}");
    }
    for length in (MARK.len()..text.len()).step_by(101) {
        let cut = SavedPlan::decode(&text[..length]);
        assert!(matches!(cut, Err(SavedPlanError::Damaged)), "cut at {length}");
    }
}

#[test]
fn a_newer_format_is_not_called_damage() {
    let text = update().encode().replacen(" 1 ", " 2 ", 1);
    assert!(matches!(SavedPlan::decode(text.as_bytes()), Err(SavedPlanError::Newer { version: 2 })));
}

#[test]
fn in_the_same_world_nothing_differs() {
    let saved = example();
    let mut observed = saved.observed.clone();
    // Another reason for the same.
    observed.unknown.values_mut().for_each(|reason| *reason = "timed out".to_owned());
    let mut plan = saved.plan.clone();
    for step in plan.steps.iter_mut().filter(|step| matches!(step.action, Action::Unknown(_))) {
        step.action = Action::Unknown("timed out".to_owned());
    }
    assert_eq!(saved.stale(&plan, &observed, false), []);
    assert_eq!(fingerprint(&observed), saved.fingerprint);
}

#[test]
fn what_somebody_changed_is_named_with_both_values() {
    let saved = update();
    let mut observed = saved.observed.clone();
    let listener = observed.resources.get_mut(&ResourceAddress::only(Kind::Listener)).unwrap();
    *listener = listener.clone().field("idle_timeout", 75);
    let found = saved.stale(&again(&observed), &observed, false);
    assert_eq!(shown(&found), ["listener.main idle_timeout: 60 -> 90 | 75 -> 90"]);
}

#[test]
fn what_came_or_went_is_one_thing_and_not_each_of_its_fields() {
    let saved = update();
    let mut observed = saved.observed.clone();
    observed.resources.remove(&ResourceAddress::only(Kind::Record));
    let found = saved.stale(&again(&observed), &observed, false);
    assert_eq!(shown(&found), ["record.main action: keep | create", "record.main id: id-record.main | "]);
}

#[test]
fn a_change_that_no_step_is_about_is_found() {
    let saved = update();
    let mut observed = saved.observed.clone();
    let other = ResourceAddress::new(Kind::Server, "stranger");
    observed.resources.insert(other, Observation::new(crate::base::ids::CloudId::new("i-1")).of_others());
    assert!(!saved.stale(&again(&observed), &observed, false).is_empty());
    let mut observed = saved.observed.clone();
    let vpc = observed.resources.get_mut(&ResourceAddress::only(Kind::Vpc)).unwrap();
    *vpc = vpc.clone().field("description", "by hand");
    assert_eq!(
        shown(&saved.stale(&again(&observed), &observed, false)),
        ["vpc.main description:  | by hand"]
    );
}

#[test]
fn another_wish_is_found_by_its_field() {
    let saved = saved(plan_of(&topology(CHATROOM), &Observed::default()), Observed::default());
    let text = CHATROOM.replace("ttl: 600", "ttl: 60").replace(LONGER[0], LONGER[1]);
    let plan = plan_of(&topology(&text), &Observed::default());
    let found = shown(&saved.stale(&plan, &Observed::default(), false));
    assert!(found.contains(&"listener.main wanted idle_timeout: 60 | 90".to_owned()), "{found:?}");
}

#[test]
fn what_the_plan_did_itself_is_progress() {
    let wanted = topology(CHATROOM);
    let saved = saved(plan_of(&wanted, &Observed::default()), Observed::default());
    let whole = as_applied(&wanted);
    // Cut short after any number of steps.
    for done in 0..whole.resources.len() {
        let mut observed = whole.clone();
        observed.resources = whole.resources.clone().into_iter().take(done).collect();
        let there = observed.resources.clone();
        observed.computed.retain(|(address, _), _| there.contains_key(address));
        let plan = plan_of(&wanted, &observed);
        assert_eq!(saved.stale(&plan, &observed, true), [], "{done} done");
        assert_eq!(saved.stale(&plan, &observed, false).is_empty(), done == 0, "{done} done");
    }
}

#[test]
fn what_others_did_is_no_progress() {
    let saved = update();
    let mut observed = saved.observed.clone();
    let listener = observed.resources.get_mut(&ResourceAddress::only(Kind::Listener)).unwrap();
    *listener = listener.clone().field("idle_timeout", 75);
    assert!(!saved.stale(&again(&observed), &observed, true).is_empty(), "another value than was shown");
    let done = applied(&topology(&CHATROOM.replace(LONGER[0], LONGER[1])), &saved.observed);
    assert_eq!(saved.stale(&again(&done), &done, true), [], "done by the plan");
    observed = done;
    observed.resources.remove(&ResourceAddress::new(Kind::Server, "ecs01"));
    assert!(!saved.stale(&again(&observed), &observed, true).is_empty(), "a step nobody has looked at");
}

#[test]
fn a_removal_goes_on_but_removes_nothing_else() {
    let wanted = topology(CHATROOM);
    let observed = as_applied(&wanted);
    let destroy = |observed: &Observed| crate::plan::make_destroy(&wanted.stack, &wanted.region, observed);
    let saved = saved(destroy(&observed), observed.clone());
    let mut left = observed.clone();
    left.resources.retain(|address, _| address.kind < Kind::LoadBalancer);
    assert_eq!(saved.stale(&destroy(&left), &left, true), []);
    let other = Observation::new(crate::base::ids::CloudId::new("i-other"));
    left.resources.insert(ResourceAddress::new(Kind::Instance, "ecs01"), other);
    assert!(!saved.stale(&destroy(&left), &left, true).is_empty(), "another machine of that name");
    assert!(desired_of(&wanted).resources.len() > left.resources.len());
}
