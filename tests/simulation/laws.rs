//! What must hold, whatever goes wrong.

use std::collections::BTreeMap;

use albatross::plan::Plan;
use albatross::plan::action::Action;
use albatross::plan::forecast::forecast;
use albatross::plan::graph::{Operation, Verb, operations};
use albatross::plan::rollout::Traffic;
use albatross::resource::Kind;
use albatross::topology::model::Topology;

use crate::likeness::{self, Likeness};
use crate::region::{Logged, State};

/// Calls a command may make for each resource of a topology, waiting and faults included.
const CALLS_FOR_EACH: usize = 40;

/// The world is what the topology says: nothing is missing, double, orphaned or different.
pub(crate) fn the_world_is(found: &Likeness, wanted: &Likeness) -> Result<(), String> {
    let mut wrong = Vec::new();
    for (name, line) in wanted {
        match found.get(name) {
            None => wrong.push(format!("{name} is missing")),
            Some(own) if own != line => wrong.push(format!("{name} is `{own}`, not `{line}`")),
            Some(_) => {}
        }
    }
    let surplus = found.iter().filter(|(name, _)| !wanted.contains_key(*name));
    wrong.extend(surplus.map(|(name, line)| format!("{name} is too many: `{line}`")));
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("; ")) }
}

/// What others own is as it was.
pub(crate) fn others_are_untouched(state: &State, before: &Likeness) -> Result<(), String> {
    let now = likeness::of_others(&state.world);
    if now == *before {
        return Ok(());
    }
    let changed: Vec<&String> = before.keys().filter(|id| now.get(*id) != before.get(*id)).collect();
    Err(format!("what others own is not as it was: {changed:?}"))
}

/// Nothing is left to do.
pub(crate) fn plan_is_empty(plan: &Plan) -> Result<(), String> {
    let left: Vec<String> = plan
        .steps
        .iter()
        .filter(|step| step.action != Action::Keep)
        .map(|step| format!("{} {} {:?}", step.action.word(), step.address, step.action.changes()))
        .collect();
    if left.is_empty() { Ok(()) } else { Err(format!("the next plan would {}", left.join("; "))) }
}

/// Looking changes nothing.
pub(crate) fn nothing_was_changed(calls: &[Logged]) -> Result<(), String> {
    let changing: Vec<&str> =
        calls.iter().filter(|call| call.changes).map(|call| call.action.as_str()).collect();
    if changing.is_empty() { Ok(()) } else { Err(format!("a plan called {}", changing.join(", "))) }
}

/// No command asks without end.
pub(crate) fn calls_are_bounded(calls: &[Logged], topology: &Topology) -> Result<(), String> {
    let most = CALLS_FOR_EACH * (likeness::wanted(topology).len() + 1);
    if calls.len() <= most { Ok(()) } else { Err(format!("{} calls, more than {most}", calls.len())) }
}

/// Whether a call takes the server of a node out of its group, or puts it back, while the node's release is changed.
fn leads_away(operation: &Operation, call: &Logged) -> bool {
    let server = operation.address.on_same_machine(Kind::Server).to_string();
    let moves = ["RemoveServersFromServerGroup", "AddServersToServerGroup"];
    operation.traffic == Traffic::LedAway
        && operation.verb == Verb::Put
        && call.subject.as_deref() == Some(server.as_str())
        && moves.iter().any(|action| call.action.ends_with(action))
}

/// With nothing going wrong, each step makes the calls that are foretold of it, in their order, each once; nothing else
/// is called; and none before those its step waits for.
pub(crate) fn calls_are_those_of_the_plan(plan: &Plan, calls: &[Logged]) -> Result<(), String> {
    let operations = operations(plan).map_err(|cycle| cycle.to_string())?;
    let forecast = forecast(plan).map_err(|cycle| cycle.to_string())?;
    // Where the calls of each operation begin and end.
    let mut spans = vec![None; operations.len()];
    let mut made: BTreeMap<usize, Vec<&str>> = BTreeMap::new();
    for (place, call) in calls.iter().enumerate().filter(|(_, call)| call.changes && call.outcome == "ok") {
        let subject = call.subject.as_deref().unwrap_or_default();
        let removes = ["Delete", "Remove", "Revoke"].iter().any(|word| call.action.contains(word));
        let verb = if removes { Verb::Delete } else { Verb::Put };
        // What is deposed keeps the marks of the address it had.
        let own = |one: &Operation| one.verb == verb && one.address.successor().to_string() == subject;
        let index =
            operations.iter().position(|one| leads_away(one, call)).or(operations.iter().position(own));
        let index =
            index.ok_or_else(|| format!("{} on `{subject}` is in no step of the plan", call.action))?;
        does_all_of_its_own(&operations, index, call)?;
        let (first, _) = spans[index].unwrap_or((place, place));
        for (span, _) in spans[index..].iter_mut().zip(&operations[index..]).take(members(&operations, index))
        {
            *span = Some((first, place));
        }
        made.entry(index).or_default().push(call.action.split('.').next_back().unwrap_or_default());
    }
    for (index, operation) in operations.iter().enumerate() {
        let expected = &forecast.operations[index].calls;
        let made = made.remove(&index).unwrap_or_default();
        if made != *expected && !(made.is_empty() && may_be_in_use_again(operation)) {
            let verb = operation.verb;
            return Err(format!("{verb:?} of {} called {made:?}, not {expected:?}", operation.address));
        }
        for before in &operation.after {
            if let (Some((first, _)), Some((_, last))) = (spans[index], spans[*before])
                && first < last
            {
                let earlier = &operations[*before].address;
                return Err(format!("{} was begun before {earlier} was done", operation.address));
            }
        }
    }
    Ok(())
}

/// How many operations one call does, of which this is the first.
fn members(operations: &[Operation], first: usize) -> usize {
    1 + operations[first + 1..].iter().take_while(|operation| operation.with == Some(first)).count()
}

/// A call for several is about all that the plan has it do, and nothing else.
fn does_all_of_its_own(operations: &[Operation], first: usize, call: &Logged) -> Result<(), String> {
    let Some(subjects) = call.subjects.as_ref().filter(|_| operations[first].traffic == Traffic::Stays)
    else {
        return Ok(());
    };
    let own = operations[first..].iter().take(members(operations, first));
    let own: Vec<String> = own.map(|operation| operation.address.successor().to_string()).collect();
    if *subjects == own { Ok(()) } else { Err(format!("{} is about {subjects:?}, not {own:?}", call.action)) }
}

/// A rule has no id but what it says. A machine that is made after the old one is gone may get its address, and then the
/// rule that lets it in is the old one.
fn may_be_in_use_again(operation: &Operation) -> bool {
    operation.verb == Verb::Delete
        && operation.address.kind == Kind::SecurityRule
        && operation.address.is_deposed()
}
