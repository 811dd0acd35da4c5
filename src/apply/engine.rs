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
use crate::apply::provider::{Going, Provider, Together};
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
    let mut left_over = Vec::new();
    loop {
        outcome.interrupted |= stop.is_cancelled();
        if outcome.failed.is_empty() && !outcome.interrupted {
            while under_way.len() < AT_ONCE {
                let Some(members) = walk.begin_next() else { break };
                let first = members.start;
                let work: Vec<Work<'_>> = operations[members]
                    .iter()
                    .map(|operation| (operation, steps.get(&operation.step).copied()))
                    .collect();
                under_way.push(async move { (first, run(provider, &work).await) });
            }
        }
        let (first, results) = tokio::select! {
            finished = under_way.next() => match finished {
                Some(finished) => finished,
                None => break,
            },
            () = stop.cancelled(), if !outcome.interrupted => {
                outcome.interrupted = true;
                continue;
            }
        };
        let mut is_done = true;
        for (operation, result) in operations[first..].iter().zip(results) {
            let one = (operation.address.clone(), operation.verb);
            is_done &= matches!(result, Some(Ok(())));
            match result {
                Some(Ok(())) => outcome.done.push(one),
                Some(Err(ApplyError::Stopped { .. })) => outcome.under_way.push(one),
                Some(Err(error)) => outcome.failed.push(Failure { address: one.0, verb: one.1, error }),
                None => left_over.push(one),
            }
        }
        if is_done {
            walk.done(first);
        }
    }
    let not_begun = walk.not_begun().map(|index| (operations[index].address.clone(), operations[index].verb));
    outcome.not_begun = left_over.into_iter().chain(not_begun).collect();
    Ok(outcome)
}

/// An operation with its step.
type Work<'p> = (&'p Operation, Option<&'p Step>);

/// Does what one call does; none of those that were left since an earlier one failed.
async fn run(provider: &Provider, company: &[Work<'_>]) -> Vec<Option<Result<(), ApplyError>>> {
    if let [(operation, step)] = company {
        return vec![Some(run_one(provider, operation, *step).await)];
    }
    let started = Instant::now();
    for (operation, step) in company {
        let word = step.map_or("", |step| word(operation.verb, &step.action));
        let (address, verb) = (operation.address.clone(), operation.verb);
        (provider.sink)(Event::Started { address, verb, word });
    }
    let Together { done, failed } = run_together(provider, company).await;
    let took = started.elapsed();
    let mut told = done.into_iter().map(Ok).chain(failed.map(Err));
    let results = company.iter().map(|(operation, _)| {
        let (address, verb) = (operation.address.clone(), operation.verb);
        let result = told.next();
        (provider.sink)(match &result {
            Some(Ok(id)) => Event::Finished { address, verb, id: id.as_ref().map(ToString::to_string), took },
            Some(Err(ApplyError::Stopped { condition, .. })) => Event::Left { address, condition, took },
            Some(Err(_)) | None => Event::Failed { address, took },
        });
        result.map(|result| result.map(drop))
    });
    results.collect()
}

async fn run_together(provider: &Provider, work: &[Work<'_>]) -> Together {
    let steps: Option<Vec<&Step>> = work.iter().map(|(_, step)| *step).collect();
    let Some((steps, (operation, _))) = steps.zip(work.first()) else {
        let address = work.first().map(|(operation, _)| operation.address.clone());
        let failed = address.map(|address| ApplyError::Missing { address, what: "step in the plan" });
        return Together { done: Vec::new(), failed };
    };
    if operation.verb == Verb::Put {
        return provider.put_together(&steps).await;
    }
    let going: Vec<Going<'_>> =
        steps.iter().filter_map(|step| Some((&step.address, step.current.as_ref()?))).collect();
    match going.iter().try_for_each(|(address, current)| check_ours(address, current)) {
        Ok(()) => provider.delete_together(&going).await,
        Err(error) => Together { done: Vec::new(), failed: Some(error) },
    }
}

async fn run_one(provider: &Provider, operation: &Operation, step: Option<&Step>) -> Result<(), ApplyError> {
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
