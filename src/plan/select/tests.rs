//! One worked selection at a time, then the rules that hold for all of them.

use proptest::prelude::*;

use super::*;
use crate::plan::graph::{Verb, operations};
use crate::plan::make_destroy;
use crate::plan::tests::{CHATROOM, as_applied, desired_of, plan_of, topology};
use crate::resource::observed::Observed;

/// Changes of the example's text: settings, machines that come, go and move, networks with other names and ranges.
const CHANGES: [&[[&str; 2]]; 8] = [
    &[["idle_timeout: 60s", "idle_timeout: 90s"]],
    &[["ecs02: { vswitch: b", "ecs02: { vswitch: a"]],
    &[["ecs02: { vswitch: b", "ecs04: { vswitch: b"], ["on: [ecs01, ecs02]", "on: [ecs01, ecs04]"]],
    &[["ecs03: { vswitch: a", "ecs03: { vswitch: b"]],
    &[["    b: {", "    c: {"], ["vswitch: b", "vswitch: c"]],
    &[["vpc: { cidr: 192.168.0.0/16 }", "vpc: { cidr: 192.168.0.0/17 }"]],
    &[["host: \"@\"", "host: chat"]],
    &[["on: [ecs01, ecs02]", "on: [ecs01]"]],
];

fn selection(target: &[&str], exclude: &[&str]) -> Selection {
    let read = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
    Selection { target: read(target), exclude: read(exclude) }
}

fn select(plan: &Plan, target: &[&str], exclude: &[&str]) -> Plan {
    selection(target, exclude).of(plan.clone(), &Desired::default()).unwrap()
}

/// What is to be done, without what stays.
fn work(plan: &Plan) -> Vec<String> {
    let steps = plan.steps.iter().filter(|step| step.action != Action::Keep);
    steps.map(|step| step.address.to_string()).collect()
}

fn from_nothing() -> Plan {
    plan_of(&topology(CHATROOM), &Observed::default())
}

fn to_nothing() -> Plan {
    let topology = topology(CHATROOM);
    make_destroy(&topology.stack, &topology.region, &as_applied(&topology))
}

#[test]
fn a_machine_brings_its_network_and_nothing_that_stands_on_it() {
    let plan = select(&from_nothing(), &["instance.ecs01"], &[]);
    assert_eq!(
        work(&plan),
        ["vpc.main", "vswitch.a", "security_group.main", "key_pair.main", "instance.ecs01"]
    );
    assert_eq!(plan.left_out.len(), from_nothing().steps.len() - 5);
    assert_eq!((plan.summary().create, plan.summary().left_out), (5, plan.left_out.len()));
}

#[test]
fn what_is_left_out_takes_all_that_needs_it() {
    let plan = select(&from_nothing(), &[], &["server.ecs02"]);
    let left_out: Vec<String> = plan.left_out.iter().map(|step| step.address.to_string()).collect();
    assert_eq!(left_out, ["server.ecs02", "listener.main", "record.main"]);
}

#[test]
fn a_machine_goes_with_its_membership_and_the_service_goes_on() {
    let plan = select(&to_nothing(), &["instance.ecs01"], &[]);
    assert_eq!(work(&plan), ["server.ecs01", "release.ecs01", "host_key.ecs01", "instance.ecs01"]);
}

#[test]
fn a_vswitch_goes_with_what_is_in_it_and_no_other_machine() {
    let plan = select(&to_nothing(), &["vswitch.b"], &[]);
    let going = work(&plan);
    assert!(going.contains(&"instance.ecs02".to_owned()), "{going:?}");
    assert!(!going.contains(&"instance.ecs01".to_owned()), "{going:?}");
    assert!(!going.contains(&"vpc.main".to_owned()), "{going:?}");
}

#[test]
fn what_stays_keeps_what_it_stands_on() {
    let plan = select(&to_nothing(), &[], &["instance.ecs03"]);
    let stays: Vec<String> = plan.left_out.iter().map(|step| step.address.to_string()).collect();
    assert_eq!(stays, ["instance.ecs03", "key_pair.main", "security_group.main", "vswitch.a", "vpc.main"]);
}

#[test]
fn what_is_made_anew_takes_with_it_what_stood_on_it() {
    let before = as_applied(&topology(CHATROOM));
    let plan = plan_of(&topology(&CHATROOM.replace("ecs02: { vswitch: b", "ecs02: { vswitch: a")), &before);
    let chosen = work(&select(&plan, &["instance.ecs02"], &[]));
    for address in ["host_key.ecs02", "release.ecs02", "server.ecs02", "security_rule.redis-ecs02"] {
        assert!(chosen.contains(&address.to_owned()), "{address}: {chosen:?}");
    }
    let kept = select(&plan, &[], &["server.ecs02"]);
    assert!(!work(&kept).contains(&"instance.ecs02".to_owned()), "it would take the server's machine away");
}

#[test]
fn a_new_vswitch_takes_the_old_one_of_its_range_away_first() {
    let before = as_applied(&topology(CHATROOM));
    let text = CHATROOM.replace("    b: {", "    c: {").replace("vswitch: b", "vswitch: c");
    let plan = plan_of(&topology(&text), &before);
    assert!(work(&select(&plan, &["vswitch.c"], &[])).contains(&"vswitch.b".to_owned()));
    assert!(!work(&select(&plan, &[], &["vswitch.b"])).contains(&"vswitch.c".to_owned()));
}

#[test]
fn a_pattern_that_fits_nothing_is_refused_with_the_nearest() {
    let refused = |pattern| selection(&[pattern], &[]).of(from_nothing(), &Desired::default()).unwrap_err();
    assert_eq!(refused("instance.ecs1").nearest.as_deref(), Some("instance.ecs01"));
    assert_eq!(refused("record.*-west").nearest, Some("record.main".to_owned()));
    let gone = selection(&[], &["instance.ecs01"]);
    let nothing = Plan { steps: Vec::new(), ..from_nothing() };
    assert!(gone.of(nothing, &desired_of(&topology(CHATROOM))).is_ok(), "it is in the topology");
}

/// How a world and a plan for it come about: from one topology to another, with some resources missing, broken or
/// unreadable.
#[derive(Debug, Clone)]
struct Recipe {
    before: Vec<usize>,
    after: Vec<usize>,
    fates: Vec<u8>,
    destroy: bool,
}

fn recipes() -> impl Strategy<Value = Recipe> {
    let changes = || proptest::sample::subsequence((0..CHANGES.len()).collect::<Vec<_>>(), 0..4);
    let fates = proptest::collection::vec(0..12_u8, 40);
    (changes(), changes(), fates, any::<bool>()).prop_map(|(before, after, fates, destroy)| Recipe {
        before,
        after,
        fates,
        destroy,
    })
}

impl Recipe {
    /// None when one of the topologies is not valid.
    fn follow(&self) -> Option<(Observed, Plan)> {
        let load = |changes: &[usize]| {
            let pairs = changes.iter().flat_map(|change| CHANGES[*change]);
            let text = pairs.fold(CHATROOM.to_owned(), |text, [from, to]| text.replace(from, to));
            crate::topology::load(text.as_bytes()).ok()
        };
        let (before, after) = (load(&self.before)?, load(&self.after)?);
        let mut observed = as_applied(&before);
        for (address, fate) in observed.resources.clone().into_keys().zip(&self.fates) {
            match fate {
                0 => drop(observed.resources.remove(&address)),
                1 => drop(observed.tainted.insert(address)),
                2 if address.kind.is_on_host() => {
                    observed.resources.remove(&address);
                    observed.unknown.insert(address, "refused".to_owned());
                }
                _ => {}
            }
        }
        let plan = if self.destroy {
            make_destroy(&after.stack, &after.region, &observed)
        } else {
            plan_of(&after, &observed)
        };
        Some((observed, plan))
    }
}

/// Some addresses of a plan.
fn some(plan: &Plan, choice: &[prop::sample::Index]) -> Vec<Pattern> {
    let addresses: Vec<String> = plan.steps.iter().map(|step| step.address.to_string()).collect();
    let chosen = choice.iter().filter(|_| !addresses.is_empty());
    chosen.map(|index| index.get(&addresses).parse().unwrap()).collect()
}

/// Walks a plan in its order over what is there: whatever is made finds all it depends on, and what goes leaves nobody
/// behind who was in it.
fn assert_no_base_is_missing(observed: &Observed, plan: &Plan) -> Result<(), TestCaseError> {
    let mut there: BTreeSet<ResourceAddress> =
        observed.resources.keys().chain(observed.unknown.keys()).cloned().collect();
    let mut renewed: BTreeSet<ResourceAddress> = BTreeSet::new();
    for operation in operations(plan).expect("no cycle") {
        let step = plan.step(&operation.step).expect("a step");
        match operation.verb {
            Verb::Put => {
                for base in &step.depends_on {
                    prop_assert!(there.contains(base), "{} is made without {base}", step.address);
                }
                there.insert(step.address.clone());
                renewed.insert(step.address.clone());
            }
            Verb::Delete => {
                // What was made before the old one goes is there.
                if !renewed.contains(&step.address) {
                    there.remove(&step.address);
                }
                // What is on a machine has the machine's id, and nobody refers to it by that.
                if Kind::ON_MACHINES.contains(&step.address.kind) {
                    continue;
                }
                let id = step.current.as_ref().map(|current| current.id.as_str()).unwrap_or_default();
                for (address, found) in &observed.resources {
                    let refers = found.fields.values().any(|value| value.split(',').any(|one| one == id));
                    let stays = there.contains(address) && !renewed.contains(address);
                    let will_go =
                        plan.steps.iter().any(|one| one.address == *address && one.action != Action::Keep);
                    prop_assert!(
                        !(refers && stays && !will_go),
                        "{address} is left without {}",
                        step.address
                    );
                }
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_step_is_left_without_its_base(
        recipe in recipes(),
        target in proptest::collection::vec(any::<prop::sample::Index>(), 0..3),
        exclude in proptest::collection::vec(any::<prop::sample::Index>(), 0..3),
    ) {
        let Some((observed, plan)) = recipe.follow() else { return Err(TestCaseError::reject("not valid")) };
        let selection = Selection { target: some(&plan, &target), exclude: some(&plan, &exclude) };
        let selected = selection.of(plan.clone(), &Desired::default()).expect("they exist");
        // Nothing is invented or lost, and the order stays.
        prop_assert_eq!(selected.steps.len() + selected.left_out.len(), plan.steps.len());
        let mut rest = plan.steps.iter();
        prop_assert!(selected.steps.iter().all(|step| rest.any(|one| one == step)));
        // What was asked for is there, what was not is not.
        for step in &selected.steps {
            let excluded = selection.exclude.iter().any(|pattern| pattern.fits(&step.address));
            prop_assert!(!excluded || step.action == Action::Keep, "{}", step.address);
        }
        if selection.exclude.is_empty() {
            for step in &selected.left_out {
                prop_assert!(!selection.target.iter().any(|pattern| pattern.fits(&step.address)));
            }
        }
        assert_no_base_is_missing(&observed, &selected)?;
        // Selecting again leaves nothing more out.
        let again = selection.of(Plan { left_out: Vec::new(), ..selected.clone() }, &Desired::default());
        prop_assert!(again.map_or(true, |again| again.left_out.is_empty()));
    }

    /// One relation behind both: a step is gone when another is excluded exactly if it brings that one when targeted.
    #[test]
    fn exclude_mirrors_target(
        recipe in recipes(),
        one in any::<prop::sample::Index>(),
        other in any::<prop::sample::Index>(),
    ) {
        let Some((_, plan)) = recipe.follow() else { return Err(TestCaseError::reject("not valid")) };
        prop_assume!(plan.has_work());
        let work = work(&plan);
        let (one, other) = (one.get(&work), other.get(&work));
        let brought = self::work(&select(&plan, &[one], &[])).contains(other);
        let gone = !self::work(&select(&plan, &[], &[other])).contains(one);
        prop_assert_eq!(brought, gone, "{} and {}", one, other);
        // More asked for is more done, and all of a plan is the plan.
        let both = self::work(&select(&plan, &[one, other], &[]));
        prop_assert!(self::work(&select(&plan, &[one], &[])).iter().all(|address| both.contains(address)));
        let all: Vec<&str> = work.iter().map(String::as_str).collect();
        prop_assert_eq!(&select(&plan, &all, &[]), &plan);
        prop_assert_eq!(&select(&plan, &[], &[]), &plan);
    }
}
