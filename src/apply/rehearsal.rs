//! What a plan would do on each machine, in full, without doing any of it.
//!
//! Each step is gone through as if it were the only one: what an earlier one would change on the same machine is not
//! there yet. Machines are only read.

use futures_util::future::join_all;

use crate::apply::error::ApplyError;
use crate::apply::hosts::Place;
use crate::apply::provider::host::redis_settings;
use crate::apply::provider::{Known, Provider};
use crate::base::ids::InstanceName;
use crate::deploy::redis::Password;
use crate::deploy::rehearsal::{Deed, Work};
use crate::plan::action::Action;
use crate::plan::{Plan, Step};
use crate::resource::observed::{Observed, Output};
use crate::resource::spec::{HostSpec, RedisAccess, ReleaseSpec, Spec};
use crate::resource::{Kind, ResourceAddress};

/// What a step would do on its machine, or why nobody can tell.
pub struct Rehearsed {
    /// The step's resource.
    pub address: ResourceAddress,
    /// In order.
    pub deeds: Result<Vec<Deed>, Untold>,
}

/// Why nobody can tell beforehand what a step does on its machine.
pub enum Untold {
    /// It is made, or made anew, by the same plan.
    NoMachine,
    /// It could not be read.
    Unread(String),
    /// The work itself would be refused, or the machine does not answer.
    Refused(ApplyError),
}

/// Goes through all steps on machines.
pub async fn rehearse(provider: &Provider, plan: &Plan, observed: &Observed) -> Vec<Rehearsed> {
    let known = Known::from_observed(observed);
    let steps =
        plan.steps.iter().filter(|step| step.address.kind.is_on_host() && step.action != Action::Keep);
    let known = &known;
    let rehearsed = steps.map(|step| async move {
        let deeds = rehearse_step(provider, plan, step, known).await;
        Rehearsed { address: step.address.clone(), deeds }
    });
    join_all(rehearsed).await
}

async fn rehearse_step(
    provider: &Provider,
    plan: &Plan,
    step: &Step,
    known: &Known,
) -> Result<Vec<Deed>, Untold> {
    if let Action::Unknown(reason) = &step.action {
        return Err(Untold::Unread(reason.clone()));
    }
    let machine = step.address.on_same_machine(Kind::Instance);
    let is_new = plan.step(&machine).is_some_and(|step| step.action.makes_new());
    if is_new || known.output(&machine, Output::PrivateAddress).is_none() {
        return Err(Untold::NoMachine);
    }
    work(provider, step, known).await.map_err(Untold::Refused)
}

async fn work(provider: &Provider, step: &Step, known: &Known) -> Result<Vec<Deed>, ApplyError> {
    let on = |host| Place { host, known };
    match &step.spec {
        Some(Spec::Redis(spec)) => {
            let settings = redis_settings(spec, known)?;
            provider.hosts.rehearse(on(&spec.host), Work::Redis(&settings)).await
        }
        Some(Spec::Release(spec)) => release(provider, spec, known).await,
        Some(_) => Ok(Vec::new()),
        None => {
            let work = if step.address.kind == Kind::Redis { Work::RemoveRedis } else { Work::RemoveRelease };
            match leaving(step) {
                Some(host) => provider.hosts.rehearse(on(&host), work).await,
                None => Ok(Vec::new()),
            }
        }
    }
}

/// The machine of something that is to go, by the way that was observed.
fn leaving(step: &Step) -> Option<HostSpec> {
    let fields = &step.current.as_ref()?.fields;
    let route = fields.get("route")?.split(' ').map(InstanceName::new).collect();
    let user = fields.get("user").cloned().unwrap_or_default();
    Some(HostSpec { route, user, deposed: step.address.deposed.clone() })
}

async fn release(provider: &Provider, spec: &ReleaseSpec, known: &Known) -> Result<Vec<Deed>, ApplyError> {
    let aim = provider.aim(spec, known)?;
    let password = password(provider, spec, known).await;
    let work = Work::Release(aim.wanted(), &aim.settings, password.as_ref(), aim.rollout);
    provider.hosts.rehearse(Place { host: &spec.host, known }, work).await
}

/// The password of now, if there is one and it can be read: one that is not made yet is no failure.
async fn password(provider: &Provider, spec: &ReleaseSpec, known: &Known) -> Option<Password> {
    match &spec.redis {
        RedisAccess::OnHost { instance, route, .. } => {
            known.output(&ResourceAddress::new(Kind::Redis, instance), Output::Id)?;
            let host = HostSpec { route: route.clone(), user: spec.host.user.clone(), deposed: None };
            provider.hosts.redis_password(Place { host: &host, known }).await.ok()
        }
        RedisAccess::Managed(account) => {
            let digest = known.output(&ResourceAddress::only(Kind::RedisAccount), Output::Password)?;
            provider.password_on_nodes(account, &digest, known).await
        }
        RedisAccess::Absent => Some(Password::new(String::new())),
    }
}
