//! Walks a plan: as much at once as its order allows, until all is done, something fails, or somebody says stop.
//!
//! An operation starts when everything it waits for is done. After a failure or an interruption nothing new starts;
//! what is under way is let finish, since a half-done effect is worth less than a done one. The outcome says what was
//! done, what failed and what was not begun; the journal knows the same.

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::apply::error::ApplyError;
use crate::apply::event::Event;
use crate::apply::provider::Provider;
use crate::plan::action::Action;
use crate::plan::forecast::AT_ONCE;
use crate::plan::graph::{Cycle, Operation, Verb, operations};
use crate::plan::order::Order;
use crate::plan::walk::Walk;
use crate::plan::{Plan, Step};
use crate::resource::ResourceAddress;
use crate::resource::observed::Observation;

/// One operation that did not succeed.
#[derive(Debug)]
pub struct Failure {
    /// On which resource.
    pub address: ResourceAddress,
    /// What was tried.
    pub verb: Verb,
    /// Why it failed.
    pub error: ApplyError,
}

/// What became of a plan.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Done, in the order of finishing.
    pub done: Vec<(ResourceAddress, Verb)>,
    /// Failed.
    pub failed: Vec<Failure>,
    /// Left while the cloud is at work on it, since somebody said stop.
    pub under_way: Vec<(ResourceAddress, Verb)>,
    /// Not begun.
    pub not_begun: Vec<(ResourceAddress, Verb)>,
    /// Whether somebody said stop.
    pub interrupted: bool,
}

impl Outcome {
    /// Whether everything was done.
    pub fn is_complete(&self) -> bool {
        self.failed.is_empty() && self.under_way.is_empty() && self.not_begun.is_empty()
    }
}

/// Makes a plan true.
///
/// # Guarantees
/// Every effect is journalled before and after. Whatever the outcome, the same command can be run again.
///
/// # Errors
/// When the plan's steps wait for each other, which would be a fault of the planner.
pub async fn apply(plan: &Plan, provider: &Provider, stop: &CancellationToken) -> Result<Outcome, Cycle> {
    let (operations, steps) = (operations(plan)?, plan.by_address());
    let mut walk = Walk::over(&operations);
    let mut outcome = Outcome::default();
    let mut under_way = FuturesUnordered::new();
    loop {
        outcome.interrupted |= stop.is_cancelled();
        if outcome.failed.is_empty() && !outcome.interrupted {
            while under_way.len() < AT_ONCE {
                let Some(index) = walk.begin_next() else { break };
                let operation = &operations[index];
                let step = steps.get(&operation.step).copied();
                under_way.push(async move { (index, run(provider, operation, step).await) });
            }
        }
        let (index, result) = tokio::select! {
            finished = under_way.next() => match finished {
                Some(finished) => finished,
                None => break,
            },
            () = stop.cancelled(), if !outcome.interrupted => {
                outcome.interrupted = true;
                continue;
            }
        };
        let Operation { address, verb, .. } = &operations[index];
        match result {
            Ok(()) => {
                walk.done(index);
                outcome.done.push((address.clone(), *verb));
            }
            Err(ApplyError::Stopped { .. }) => outcome.under_way.push((address.clone(), *verb)),
            Err(error) => outcome.failed.push(Failure { address: address.clone(), verb: *verb, error }),
        }
    }
    outcome.not_begun =
        walk.not_begun().map(|index| (operations[index].address.clone(), operations[index].verb)).collect();
    Ok(outcome)
}

async fn run(provider: &Provider, operation: &Operation, step: Option<&Step>) -> Result<(), ApplyError> {
    let address = operation.address.clone();
    let missing = || ApplyError::Missing { address: operation.address.clone(), what: "step in the plan" };
    let step = step.ok_or_else(missing)?;
    let started = Instant::now();
    let word = word(operation.verb, &step.action);
    (provider.sink)(Event::Started { address: address.clone(), verb: operation.verb, word });
    let result = match (operation.verb, &step.current) {
        (Verb::Put, current) => put(provider, operation, step, current.as_ref()).await,
        (Verb::Delete, Some(current)) => delete(provider, &address, current).await.map(|()| None),
        (Verb::Delete, None) => Ok(None),
    };
    if matches!(&result, Err(ApplyError::Ssh(_) | ApplyError::Deploy(_))) {
        // A connection that failed is over; whoever comes next makes a new one.
        provider.hosts.forget().await;
    }
    let took = started.elapsed();
    let event = match &result {
        Ok(id) => Event::Finished { address, verb: operation.verb, id: id.clone(), took },
        Err(ApplyError::Stopped { condition, .. }) => Event::Left { address, condition, took },
        Err(_) => Event::Failed { address, took },
    };
    (provider.sink)(event);
    result.map(drop)
}

/// What is replaced by something that can stand beside it makes room for its name before anything is made.
async fn put(
    provider: &Provider,
    operation: &Operation,
    step: &Step,
    current: Option<&Observation>,
) -> Result<Option<String>, ApplyError> {
    if operation.order == Some(Order::NewFirst)
        && let Some(current) = current
    {
        check_ours(&step.address, current)?;
        provider.depose(&step.address, &current.id)?;
    }
    provider.put(step, operation.traffic).await.map(|id| Some(id.to_string()))
}

async fn delete(
    provider: &Provider,
    address: &ResourceAddress,
    current: &Observation,
) -> Result<(), ApplyError> {
    check_ours(address, current)?;
    provider.delete(address, current).await
}

/// No plan removes what is not ours; should one ever do, it stops here.
fn check_ours(address: &ResourceAddress, current: &Observation) -> Result<(), ApplyError> {
    if current.owner.may_be_removed() {
        return Ok(());
    }
    Err(ApplyError::NotOurs { address: address.clone(), id: current.id.to_string() })
}

fn word(verb: Verb, action: &Action) -> &'static str {
    match (verb, action) {
        (Verb::Delete, _) => "delete",
        (Verb::Put, Action::Update(_)) => "update",
        (Verb::Put, Action::Unknown(_)) => "check",
        (Verb::Put, Action::Create | Action::Replace(_) | Action::Delete | Action::Keep) => "create",
    }
}
