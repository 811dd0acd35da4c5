//! What a stretch of the cloud's own call log says: how many calls, how many it takes at least, and how long the cloud
//! itself took along the longest chain of what waits for each other.
//!
//! Nothing here is from the program that made the calls. A call that changes something can begin when all that it names
//! is ready; what it sets in motion is ready when the cloud's transitions say so, counted from the call. What is
//! removed waits for the removal of everything that was made on it. Everything else is free to go at once: machines,
//! the program, the network and the disk take no time in this figure.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// Observations of a state that each action needs at least: one for each change of state that the next step, or the end
/// of the command, waits for.
const WAITED_FOR: [(&str, usize); 17] = [
    ("CreateVpc", 1),
    ("CreateVSwitch", 1),
    ("RunInstances", 1),
    ("StartInstance", 1),
    // The Cloud Assistant answers; the command is over.
    ("RunCommand", 2),
    ("CreateLoadBalancer", 1),
    ("CreateServerGroup", 1),
    ("UpdateServerGroupAttribute", 1),
    ("AddServersToServerGroup", 1),
    ("RemoveServersFromServerGroup", 1),
    // It runs; its servers are healthy.
    ("CreateListener", 2),
    ("UpdateListenerAttribute", 2),
    ("DeleteListener", 1),
    // It is gone; what it had made is gone.
    ("DeleteLoadBalancer", 2),
    ("DeleteInstances", 1),
    ("DeleteVSwitch", 1),
    ("DeleteVpc", 1),
];

/// Counts of one command.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Counts {
    /// Calls before the first that changes something: what there is, and who asks.
    pub(crate) read_first: usize,
    /// Calls that changed something.
    pub(crate) changes: usize,
    /// All other calls: looks, refused attempts, a last look around.
    pub(crate) others: usize,
    /// Changes, and one observation for each change of state that is waited for.
    pub(crate) minimum: usize,
}

fn action(call: &Value) -> &str {
    call["operation"].as_str().and_then(|name| name.split('.').nth(1)).unwrap_or_default()
}

fn is_change(call: &Value) -> bool {
    call["effect"] == "change" && call["status"] == 200
}

/// Counts a command's calls.
pub(crate) fn counts(log: &[Value]) -> Counts {
    let read_first = log.iter().position(is_change).unwrap_or(log.len());
    let changes: Vec<&str> = log.iter().filter(|call| is_change(call)).map(action).collect();
    let observations =
        |name: &&str| WAITED_FOR.iter().find(|(known, _)| known == name).map_or(0, |row| row.1);
    Counts {
        read_first,
        changes: changes.len(),
        others: log.len() - read_first - changes.len(),
        minimum: changes.len() + changes.iter().map(observations).sum::<usize>(),
    }
}

/// A transition, with what it is of.
struct Transition<'v> {
    name: &'v str,
    ids: Vec<&'v str>,
    since: i64,
    at: i64,
}

fn transition(line: &Value) -> Option<Transition<'_>> {
    let (name, of) = line["what"].as_object()?.iter().next()?;
    let ids = match of {
        Value::String(id) => vec![id.as_str()],
        Value::Object(fields) => fields.values().filter_map(Value::as_str).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => Vec::new(),
    };
    Some(Transition { name, ids, since: line["since"].as_i64()?, at: line["at"].as_i64()? })
}

fn ids_of(call: &Value) -> BTreeSet<&str> {
    let resources = &call["resources"];
    let listed = [&resources["named"], &resources["shown"]].into_iter().filter_map(Value::as_array).flatten();
    listed.filter_map(Value::as_str).collect()
}

/// Milliseconds of the longest chain in the calls from this one on. The log is whole: what was made earlier says what
/// stands on what.
pub(crate) fn critical_path(log: &[Value], from: usize, transitions: &[Value]) -> i64 {
    let transitions: Vec<Transition<'_>> = transitions.iter().filter_map(transition).collect();
    let durations = durations(log, from, &transitions);
    let bases = bases(log);
    let mut ready: BTreeMap<&str, i64> = BTreeMap::new();
    let mut turns: BTreeMap<&str, i64> = BTreeMap::new();
    for (index, call) in log.iter().enumerate().skip(from).filter(|(_, call)| is_change(call)) {
        let named = ids_of(call);
        let standing: Vec<&str> = if action(call).starts_with("Delete") {
            named.iter().flat_map(|id| bases.get(id).into_iter().flatten().copied()).collect()
        } else {
            Vec::new()
        };
        let mut begins =
            named.iter().chain(&standing).filter_map(|id| ready.get(id)).copied().max().unwrap_or(0);
        // A VPC makes and removes one vSwitch at a time.
        let turn = action(call).ends_with("VSwitch").then_some("vSwitches");
        begins = begins.max(turn.and_then(|turn| turns.get(turn)).copied().unwrap_or(0));
        let mut ends = begins;
        for (id, takes) in durations.get(&index).into_iter().flatten() {
            ends = ends.max(begins + takes);
            ready.insert(id, begins + takes);
        }
        for id in ids_of(call) {
            ready.entry(id).or_insert(begins);
        }
        turn.map(|turn| turns.insert(turn, ends));
    }
    ready.values().copied().max().unwrap_or(0)
}

/// What was made on what: the makers of each resource named the others.
fn bases(log: &[Value]) -> BTreeMap<&str, Vec<&str>> {
    let mut bases: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for call in log.iter().filter(|call| is_change(call)) {
        let shown = call["resources"]["shown"].as_array().into_iter().flatten().filter_map(Value::as_str);
        for made in shown {
            for base in call["resources"]["named"].as_array().into_iter().flatten().filter_map(Value::as_str)
            {
                bases.entry(base).or_default().push(made);
            }
        }
    }
    bases
}

/// How long each call's effects took, by what they are effects on. A transition belongs to the call that set it in
/// motion, or to the one that the transition before it belongs to.
fn durations<'v>(
    log: &'v [Value],
    from: usize,
    transitions: &[Transition<'v>],
) -> BTreeMap<usize, BTreeMap<&'v str, i64>> {
    let moment = |index: usize| log[index]["moment"].as_i64().unwrap_or_default();
    let mut of_call: BTreeMap<usize, BTreeMap<&str, i64>> = BTreeMap::new();
    // For each that is over: its id, when, the call it belongs to, and when that chain began.
    let mut over: Vec<(&str, i64, usize, i64)> = Vec::new();
    // A job is the same change under another name, and nobody waits for the end of an interface but who needs it gone.
    for one in transitions.iter().filter(|one| !matches!(one.name, "job_finished" | "interface_gone")) {
        let follows = over.iter().rev().find(|(id, at, ..)| *at == one.since && one.ids.contains(id));
        let (call, began) = if let Some((_, _, call, began)) = follows {
            (*call, *began)
        } else {
            let is_cause = |index: &usize| {
                is_change(&log[*index])
                    && !ids_of(&log[*index]).is_disjoint(&one.ids.iter().copied().collect())
            };
            let nearest =
                (from..log.len()).filter(is_cause).min_by_key(|index| moment(*index).abs_diff(one.since));
            let Some(call) = nearest else { continue };
            (call, one.since)
        };
        for id in &one.ids {
            over.push((*id, one.at, call, began));
            let takes = of_call.entry(call).or_default().entry(*id).or_default();
            *takes = (*takes).max(one.at - began);
        }
    }
    of_call
}
