//! One run: a stack's life under the faults of its seed, judged after each act.
//!
//! An act is a command that is typed again until it has worked, as its user would. After at most four attempts under
//! faults one without any must do.

use std::collections::BTreeSet;
use std::time::Duration;

use albatross::apply::{ApplyError, Outcome};
use albatross::base::chance;
use albatross::cloud::error::CloudError;
use albatross::plan::Plan;
use albatross::plan::action::Action;
use albatross::plan::graph::operations;
use albatross::topology::model::{Instance, Topology};
use mock_cloud::world::World;

use crate::command::{Desk, Ended, Verb};
use crate::draw;
use crate::faults::Faults;
use crate::likeness::{self, Likeness};
use crate::region::{Logged, Region};
use crate::topologies::Choices;
use crate::{laws, others};

/// Attempts of an act that faults may strike.
const UNDER_FAULTS: u32 = 4;
/// How long lists may lag, and things that are removed may linger.
const LINGER: Duration = Duration::from_mins(3);
/// Age at which the cloud may have forgotten a token; the engine trusts one for half an hour.
const TOKENS_LAST: u64 = 31 * 60;

/// What came of a run.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// What was broken, when something was.
    pub(crate) broken: Option<String>,
    /// Faults that struck, by name.
    pub(crate) struck: Vec<String>,
    /// Calls that arrived.
    pub(crate) calls: usize,
    /// A digest of all that happened, the same whenever the run is repeated.
    pub(crate) trace: u64,
    /// Commands that were run.
    pub(crate) commands: u32,
    /// Plans and calls, when they are asked for.
    pub(crate) said: String,
}

/// Runs one seed; with `only`, under no other faults than these; with `TELL` set, aloud.
pub(crate) fn play(seed: u64, only: Option<BTreeSet<String>>) -> Report {
    chance::follow(seed);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.expect("a runtime without sockets");
    runtime.block_on(async {
        let folder = scratch();
        let region = Region::new(seed, Faults::of(seed, only));
        let desk = Desk { region: &region, state: folder.path() };
        let mut run =
            Run { seed, desk, commands: 0, aloud: std::env::var_os("TELL").is_some(), said: String::new() };
        let broken = run.live().await.err();
        let (commands, said) = (run.commands, run.said);
        let state = region.lock();
        Report {
            broken,
            struck: state.faults.struck().to_vec(),
            calls: state.log.len(),
            trace: state.trace,
            commands,
            said,
        }
    })
}

/// Memory where there is any: a journal is synced at each line.
fn scratch() -> tempfile::TempDir {
    let memory = std::path::Path::new("/dev/shm");
    let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    folder.expect("a folder for the journal")
}

struct Run<'r> {
    seed: u64,
    desk: Desk<'r>,
    commands: u32,
    /// Whether plans and calls are noted.
    aloud: bool,
    said: String,
}

impl Run<'_> {
    async fn live(&mut self) -> Result<(), String> {
        let region = self.desk.region.clone();
        others::settle_in(&mut region.lock().world);
        tokio::time::sleep(LINGER).await;
        let theirs = likeness::of_others(&region.lock().world);
        let census = region.lock().world.census();
        let first = Choices::of(self.seed);
        let second = first.changed(self.seed);
        if draw::happens(self.seed, "sold out", 30) {
            sell_out(&mut region.lock().world, &first.topology());
        }
        self.act(1, Verb::Apply, &first.topology(), &theirs).await?;
        if second != first {
            self.act(2, Verb::Apply, &second.topology(), &theirs).await?;
        }
        if draw::happens(self.seed, "regret", 25) {
            // A removal that may end in the middle, and then another command than the same again.
            self.once(4, Verb::Destroy, &second.topology()).await?;
            self.act(5, Verb::Apply, &second.topology(), &theirs).await?;
        }
        self.act(3, Verb::Destroy, &second.topology(), &theirs).await?;
        let left = region.lock().world.census();
        if left == census { Ok(()) } else { Err(format!("destroy leaves {left:?} of what was {census:?}")) }
    }

    /// One command, whatever comes of it.
    async fn once(&mut self, act: u32, verb: Verb, topology: &Topology) -> Result<(), String> {
        self.desk.region.lock().faults.enter(Some(format!("{act}.1")));
        let done = self.attempt(verb, topology).await;
        self.pause().await;
        done.map(drop).map_err(|why| format!("act {act} ({verb:?}): {why}"))
    }

    /// One command, as often as it takes.
    async fn act(
        &mut self,
        act: u32,
        verb: Verb,
        topology: &Topology,
        theirs: &Likeness,
    ) -> Result<(), String> {
        let region = self.desk.region.clone();
        for attempt in 1.. {
            let under_faults = attempt <= UNDER_FAULTS && !region.lock().faults.are_none();
            let place = under_faults.then(|| format!("{act}.{attempt}"));
            let named = format!("act {act} ({verb:?}), attempt {attempt}");
            region.lock().faults.enter(place);
            let done = self.attempt(verb, topology).await.map_err(|why| format!("{named}: {why}"))?;
            laws::others_are_untouched(&region.lock(), theirs).map_err(|why| format!("{named}: {why}"))?;
            self.pause().await;
            if done {
                break;
            }
        }
        region.lock().faults.enter(None);
        tokio::time::sleep(LINGER).await;
        self.judge(verb, topology).await.map_err(|why| format!("after act {act} ({verb:?}): {why}"))
    }

    /// Whether it worked.
    async fn attempt(&mut self, verb: Verb, topology: &Topology) -> Result<bool, String> {
        let region = self.desk.region.clone();
        self.commands += 1;
        let ending = region.lock().faults.crash();
        let before = region.lock().log.len();
        let ended = self.desk.run(verb, topology, ending).await;
        let calls = region.lock().log[before..].to_vec();
        laws::calls_are_bounded(&calls, topology)?;
        if let (true, Ended::Done(plan, _)) = (self.aloud, &ended) {
            self.said += &words_of(plan, &calls);
        }
        match ended {
            Ended::Crashed => {
                self.cut_journal();
                Ok(false)
            }
            Ended::Done(plan, outcome) if outcome.is_complete() => {
                if region.lock().faults.are_none() {
                    laws::calls_are_those_of_the_plan(&plan, &calls)?;
                }
                Ok(true)
            }
            Ended::Done(plan, outcome) => self.excuse(&plan, outcome),
            Ended::Failed(error) if self.is_excused(&error) => Ok(false),
            Ended::Failed(error) => Err(format!("it fails before there is a plan: {}", words(&error))),
        }
    }

    fn excuse(&self, plan: &Plan, outcome: Outcome) -> Result<bool, String> {
        match outcome.failed.iter().find(|failure| !self.is_excused(&failure.error)) {
            None if !outcome.failed.is_empty() => Ok(false),
            None => Err(format!(
                "it ends with {} of {} steps not begun",
                outcome.not_begun.len(),
                plan.steps.len()
            )),
            Some(failure) => {
                Err(format!("{:?} of {} fails: {}", failure.verb, failure.address, words(&failure.error)))
            }
        }
    }

    /// Whether a command may end with this. A connection to a machine that is lost does not come back by itself, and
    /// who is told that a thing is gone believes it; all else passes and has to be outlasted.
    fn is_excused(&self, error: &ApplyError) -> bool {
        let state = self.desk.region.lock();
        if let ApplyError::Cloud(error) = error {
            // A client that has never had an answer does not wait long for one.
            if error.code().is_none() && error.to_string().contains("no answer") {
                return !state.faults.are_none();
            }
            let gone = error.code().is_some_and(|code| code.contains("NotFound"));
            return state.faults.looked_back() && (gone || matches!(error, CloudError::Vanished { .. }));
        }
        matches!(error, ApplyError::Ssh(_)) && state.faults.may_lose_machines()
    }

    /// What was written since anything last changed outside may as well not have been.
    fn cut_journal(&self) {
        let path = self.desk.journal();
        let since = self.desk.region.lock().effect_at;
        let Ok(bytes) = std::fs::read(&path) else { return };
        let length = bytes.len() as u64;
        let question = format!("cut {}", self.commands);
        if since < length && draw::happens(self.seed, &question, 50) {
            let left = draw::within(self.seed, &format!("{question} at"), since, length);
            let left = usize::try_from(left).expect("journals are small");
            std::fs::write(&path, &bytes[..left]).expect("the journal can be written");
        }
    }

    /// Until the command is typed again; now and then the next day.
    async fn pause(&self) {
        let jump = self.desk.region.lock().faults.jump();
        let seconds = draw::within(self.seed, &format!("pause {}", self.commands), 0, 20);
        tokio::time::sleep(Duration::from_secs(jump.unwrap_or(seconds))).await;
        if jump.is_some_and(|jump| jump > TOKENS_LAST) {
            self.desk.region.lock().forget_tokens();
        }
    }

    async fn judge(&self, verb: Verb, topology: &Topology) -> Result<(), String> {
        let region = self.desk.region;
        let wanted = match verb {
            Verb::Apply => likeness::wanted(topology),
            Verb::Destroy => Likeness::new(),
        };
        laws::the_world_is(&likeness::of_stack(&region.lock()), &wanted)?;
        let before = region.lock().log.len();
        let plan = self.desk.plan(verb, topology).await.map_err(|error| words(&error))?;
        laws::plan_is_empty(&plan)?;
        laws::nothing_was_changed(&region.lock().log[before..])
    }
}

/// A plan and what came of it, in lines.
fn words_of(plan: &Plan, calls: &[Logged]) -> String {
    let steps = plan.steps.iter().filter(|step| step.action != Action::Keep);
    let steps =
        steps.map(|step| format!("{} {} {:?}", step.action.word(), step.address, step.action.changes()));
    let operations = operations(plan).into_iter().flatten().enumerate();
    let operations = operations
        .map(|(index, one)| format!("{index}: {:?} {} after {:?}", one.verb, one.address, one.after));
    let call = |call: &Logged| {
        let subject = call.subject.as_deref().unwrap_or_default();
        format!("{} {subject} {}", call.action, call.outcome)
    };
    let lines: Vec<String> = steps.chain(operations).chain(calls.iter().map(call)).collect();
    lines.join("\n") + "\n"
}

/// There is no stock of what the topology would rather have: it gets its second choice.
fn sell_out(world: &mut World, topology: &Topology) {
    let first = |machine: &Instance| {
        Some((topology.vswitches[&machine.vswitch].zone.to_string(), machine.types.first()?.clone()))
    };
    world.sold_out = topology.instances.values().filter_map(first).collect();
}

fn words(error: &dyn std::error::Error) -> String {
    error.to_string()
}
