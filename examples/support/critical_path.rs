//! What a stretch of the cloud's own logs says: how many calls, how many it takes at least, and how long the cloud and
//! its machines took along the longest chain of what waits for each other.
//!
//! Nothing here is from the program that made the calls. A call that changes something can begin when all that it names
//! is ready; what it sets in motion is ready when the cloud's transitions say so, counted from the call. What is
//! removed waits for the removal of everything that was made on it. What is done on a machine takes as long as the
//! machine says, one command or file after another, and a node starts when Redis does. Everything else is free to go at
//! once: the program, connections, the network and the disk take no time in this figure.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// What a session on a machine holds from its beginning to its end: no work by itself.
const LOCK: &str = "flock -n /run/albatross.lock";
/// What keeps Redis running on its machine, and the first that needs it on another.
const REDIS: &str = "albatross-redis";
const NODE_START: &str = "systemctl restart chat-node.service";
/// Milliseconds between what a call does and the moment in its line.
const LOGGED_WITHIN: i64 = 3;

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

/// The cloud's logs up to the end of a command: calls, transitions, and effects, which tell of the work on machines.
#[derive(Debug)]
pub(crate) struct Logs {
    pub(crate) calls: Vec<Value>,
    pub(crate) transitions: Vec<Value>,
    pub(crate) effects: Vec<Value>,
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

/// A command or a file on a machine.
struct Work<'v> {
    machine: &'v str,
    what: &'v str,
    since: i64,
    at: i64,
}

fn work(line: &Value) -> Option<Work<'_>> {
    let is_on_machine = matches!(line["kind"].as_str(), Some("command" | "upload"));
    let mut words = line["key"].as_str().filter(|_| is_on_machine)?.splitn(3, ' ').skip(1);
    let (machine, what) = (words.next()?, words.next()?);
    let work = Work { machine, what, since: line["since"].as_i64()?, at: line["at"].as_i64()? };
    (!what.starts_with(LOCK)).then_some(work)
}

fn listed<'v>(call: &'v Value, how: &str) -> impl Iterator<Item = &'v str> {
    call["resources"][how].as_array().into_iter().flatten().filter_map(Value::as_str)
}

fn ids_of(call: &Value) -> BTreeSet<&str> {
    listed(call, "named").chain(listed(call, "shown")).collect()
}

fn moment(call: &Value) -> i64 {
    call["moment"].as_i64().unwrap_or_default()
}

/// What takes its turn in the chains.
enum Turn<'v> {
    Call(usize),
    Work(Work<'v>),
}

/// Milliseconds of the longest chain in the calls from this one on. The logs are whole: what was made earlier says what
/// stands on what.
pub(crate) fn critical_path(logs: &Logs, from: usize) -> i64 {
    let Some(began) = logs.calls.get(from).map(moment) else { return 0 };
    let calls = logs.calls.iter().enumerate().skip(from).filter(|(_, call)| is_change(call));
    let calls = calls.map(|(index, call)| (moment(call), Turn::Call(index)));
    let works = logs.effects.iter().filter_map(work).filter(|work| work.since >= began);
    let works = works.map(|work| (work.since, Turn::Work(work)));
    let mut turns: Vec<(i64, Turn<'_>)> = calls.chain(works).collect();
    turns.sort_by_key(|(moment, _)| *moment);
    let mut chains = Chains::new(logs, from, began);
    for (_, turn) in turns {
        match turn {
            Turn::Call(index) => chains.call(index, &logs.calls[index]),
            Turn::Work(work) => chains.work(&work),
        }
    }
    chains.ready.values().copied().max().unwrap_or(0)
}

/// When each is ready, in milliseconds of the chains.
struct Chains<'v> {
    ready: BTreeMap<&'v str, i64>,
    durations: BTreeMap<usize, BTreeMap<&'v str, i64>>,
    bases: BTreeMap<&'v str, Vec<&'v str>>,
    instances: BTreeMap<&'v str, &'v str>,
    /// What is over on each machine: when it was, and when it would have been.
    over: BTreeMap<&'v str, Vec<(i64, i64)>>,
    /// A VPC makes and removes one vSwitch at a time.
    vswitches: i64,
    redis: i64,
}

impl<'v> Chains<'v> {
    fn new(logs: &'v Logs, from: usize, began: i64) -> Self {
        let bases = bases(&logs.calls);
        let of_now = logs.transitions.iter().filter_map(transition).filter(|one| one.since >= began);
        let durations = durations(&logs.calls, from, &of_now.collect::<Vec<_>>());
        let made = logs.calls.iter().filter(|call| is_change(call) && action(call) == "RunInstances");
        let named = made.filter_map(|call| Some((call["parameters"]["InstanceName"].as_str()?, call)));
        let instances =
            named.filter_map(|(name, call)| Some((name, listed(call, "shown").next()?))).collect();
        let (ready, over) = (BTreeMap::new(), BTreeMap::new());
        Self { ready, durations, bases, instances, over, vswitches: 0, redis: 0 }
    }

    fn ready(&self, ids: impl Iterator<Item = &'v str>) -> i64 {
        ids.filter_map(|id| self.ready.get(id)).copied().max().unwrap_or(0)
    }

    fn call(&mut self, index: usize, call: &'v Value) {
        let ids = ids_of(call);
        let mut begins = self.ready(ids.iter().copied());
        if action(call).starts_with("Delete") {
            let standing = ids.iter().flat_map(|id| self.bases.get(id).into_iter().flatten().copied());
            begins = begins.max(self.ready(standing));
        }
        let is_of_vswitch = action(call).ends_with("VSwitch");
        if is_of_vswitch {
            begins = begins.max(self.vswitches);
        }
        let mut ends = begins;
        for (id, takes) in self.durations.get(&index).into_iter().flatten() {
            ends = ends.max(begins + takes);
            self.ready.insert(id, begins + takes);
        }
        if is_of_vswitch {
            self.vswitches = ends;
        }
        for id in ids {
            self.ready.entry(id).or_insert(begins);
        }
    }

    fn work(&mut self, work: &Work<'v>) {
        let Some(instance) = self.instances.get(work.machine).copied() else { return };
        let over = self.over.get(work.machine).into_iter().flatten();
        let before = over.filter(|(at, _)| *at <= work.since).map(|(_, ended)| *ended).max();
        let mut begins = self.ready(std::iter::once(instance)).max(before.unwrap_or(0));
        if work.what.ends_with(NODE_START) {
            begins = begins.max(self.redis);
        }
        let ends = begins + work.at - work.since;
        self.over.entry(work.machine).or_default().push((work.at, ends));
        let ready = self.ready.entry(instance).or_default();
        *ready = ends.max(*ready);
        if work.what.contains(REDIS) {
            self.redis = self.redis.max(ends);
        }
    }
}

/// What was made on what: the makers of each resource named the others.
fn bases(log: &[Value]) -> BTreeMap<&str, Vec<&str>> {
    let mut bases: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for call in log.iter().filter(|call| is_change(call)) {
        for made in listed(call, "shown") {
            for base in listed(call, "named") {
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
    let mut of_call: BTreeMap<usize, BTreeMap<&str, i64>> = BTreeMap::new();
    // For each that is over: its id, when, the call it belongs to, and when that chain began.
    let mut over: Vec<(&str, i64, usize, i64)> = Vec::new();
    // A job is the same change under another name, and nobody waits for the end of an interface but who needs it gone.
    for one in transitions.iter().filter(|one| !matches!(one.name, "job_finished" | "interface_gone")) {
        let follows = over.iter().rev().find(|(id, at, ..)| *at == one.since && one.ids.contains(id));
        let (call, began) = if one.name == "servers_healthy" {
            let Some(call) = cause_of_health(log, from, one) else { continue };
            (call, moment(&log[call]))
        } else if let Some((_, _, call, began)) = follows {
            (*call, *began)
        } else {
            let is_cause = |index: &usize| {
                is_change(&log[*index]) && one.ids.iter().any(|id| ids_of(&log[*index]).contains(id))
            };
            let nearest = |index: &usize| moment(&log[*index]).abs_diff(one.since);
            let Some(call) = (from..log.len()).filter(is_cause).min_by_key(nearest) else { continue };
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

/// Servers begin to be probed after the last change of their listener or of its group before they were seen unwell.
fn cause_of_health(log: &[Value], from: usize, health: &Transition<'_>) -> Option<usize> {
    let is_maker = |call: &&Value| {
        is_change(call) && health.ids.iter().any(|id| listed(call, "shown").any(|made| made == *id))
    };
    let maker = log.iter().find(is_maker)?;
    let groups = listed(maker, "named").filter(|id| id.starts_with("sgp-"));
    let subjects: BTreeSet<&str> = health.ids.iter().copied().chain(groups).collect();
    let is_cause = |index: &usize| {
        let call = &log[*index];
        is_change(call)
            && moment(call) <= health.since + LOGGED_WITHIN
            && !ids_of(call).is_disjoint(&subjects)
    };
    (from..log.len()).rev().find(is_cause)
}
