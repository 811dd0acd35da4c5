//! Waiting for the cloud: every wait has a resource, a condition and a deadline, and says how it goes.

use std::slice;
use std::time::Duration;

use super::{Provider, id_only};
use crate::apply::error::ApplyError;
use crate::apply::event::Event;
use crate::apply::recover::is_settled;
use crate::base::ids::CloudId;
use crate::cloud::call::Call;
use crate::cloud::error::CloudError;
use crate::cloud::poller::{HasState, Lane, Listing, REMOVAL};
use crate::cloud::wait::{Condition, Look, Waiting};
use crate::resource::observed::Outputs;
use crate::resource::phase::Phase;
use crate::resource::{Kind, ResourceAddress};
use crate::state::journal::Purpose;

/// How long a network may take to settle.
pub(super) const SETTLE: Duration = Duration::from_mins(2);
/// How long a server group or a listener may take.
pub(super) const CONFIGURE: Duration = Duration::from_mins(3);
/// How long an instance may take to run, or to be gone.
pub(super) const BOOT: Duration = Duration::from_mins(5);
/// States that no resource comes back from.
const BROKEN: [&str; 1] = ["CreateFailed"];
/// How long an answer under way may take once somebody has said stop.
const LAST_ANSWER: Duration = Duration::from_secs(10);

/// What is waited for, and on whose behalf.
#[derive(Debug, Clone, Copy)]
pub(super) struct Goal<'a> {
    /// The resource that is worked on.
    pub(super) address: &'a ResourceAddress,
    /// What is waited for, as a noun; a state by its own name.
    pub(super) condition: &'static str,
    /// How long that may take.
    pub(super) deadline: Duration,
}

impl Provider {
    /// Waits until a resource is as it is used, and says what others need to know of it.
    pub(crate) async fn ready(&self, address: &ResourceAddress, id: &CloudId) -> Result<Outputs, ApplyError> {
        let goal = |condition, deadline| Goal { address, condition, deadline };
        let lanes = &self.poller;
        match address.kind {
            Kind::Instance => return self.instance_running(address, id).await,
            Kind::LoadBalancer => return self.load_balancer_active(address, id).await,
            Kind::Certificate => return self.certificate_named(address, id).await,
            Kind::RedisInstance => return self.redis_normal(address, id).await,
            Kind::Vpc => self.in_state(&lanes.vpcs, id, goal("Available", SETTLE)).await?,
            Kind::VSwitch => self.in_state(&lanes.vswitches, id, goal("Available", SETTLE)).await?,
            Kind::ServerGroup => {
                self.in_state(&lanes.server_groups, id, goal("Available", CONFIGURE)).await?;
            }
            Kind::Listener => self.in_state(&lanes.listeners, id, goal("Running", CONFIGURE)).await?,
            Kind::ListenerRule => self.in_state(&lanes.rules, id, goal("Available", CONFIGURE)).await?,
            // These are ready when they are made.
            Kind::SecurityGroup
            | Kind::KeyPair
            | Kind::HostKey
            | Kind::SecurityRule
            | Kind::Redis
            | Kind::RedisAccount
            | Kind::Release
            | Kind::Server
            | Kind::Record => {}
        }
        Ok(id_only(id))
    }

    /// Waits until something is in the state that the goal names. When somebody says stop, only what the next command
    /// waits for again is left: what has an id and was never seen ready.
    pub(super) async fn in_state<L>(
        &self,
        lane: &Lane<L>,
        key: &L::Key,
        goal: Goal<'_>,
    ) -> Result<(), ApplyError>
    where
        L: Listing<Item: HasState>,
    {
        let judge = |found: Option<&L::Item>| judge_state(found, goal.condition, |_| ());
        let wait = self.until(lane, key, goal, judge);
        if is_settled(goal.address.kind) && matches!(self.ledger.phase(goal.address), Phase::Accepted(_)) {
            self.until_stopped(goal, wait).await
        } else {
            Ok(wait.await?)
        }
    }

    /// Waits until something is not there any more.
    pub(super) async fn gone<L>(
        &self,
        lane: &Lane<L>,
        key: &L::Key,
        address: &ResourceAddress,
        deadline: Duration,
    ) -> Result<(), ApplyError>
    where
        L: Listing<Item: HasState>,
    {
        let goal = Goal { address, condition: REMOVAL, deadline };
        let judge = |found: Option<&L::Item>| {
            found.map_or(Look::Done(()), |still_there| Look::NotYet(still_there.state().to_owned()))
        };
        self.until_stopped(goal, self.until(lane, key, goal, judge)).await
    }

    /// A wait that the next command can go on with: it is left when somebody says stop.
    pub(super) async fn until_stopped<T>(
        &self,
        goal: Goal<'_>,
        wait: impl Future<Output = Result<T, CloudError>>,
    ) -> Result<T, ApplyError> {
        let Goal { address, condition, .. } = goal;
        tokio::select! {
            biased;
            done = wait => Ok(done?),
            () = self.stop.cancelled() => Err(ApplyError::Stopped { address: address.clone(), condition }),
        }
    }

    /// Waits until what is seen of something is judged to be done, and says how it goes.
    pub(super) async fn until<L: Listing, T>(
        &self,
        lane: &Lane<L>,
        key: &L::Key,
        goal: Goal<'_>,
        judge: impl Fn(Option<&L::Item>) -> Look<T>,
    ) -> Result<T, CloudError> {
        let subject = goal.address.to_string();
        let notice = self.notice(goal.address);
        let Goal { condition: name, deadline, .. } = goal;
        lane.until(key, Condition { subject: &subject, name, deadline, notice: &notice }, judge).await
    }

    /// Journals a deleting call, and sends it until what still uses the resource has left it. Once somebody has said
    /// stop only the answer under way is waited for: the next command sends it again.
    pub(super) async fn remove(
        &self,
        address: &ResourceAddress,
        call: &Call,
        deadline: Duration,
    ) -> Result<(), ApplyError> {
        let addresses = slice::from_ref(address);
        self.ledger.announce_together(addresses, Purpose::Remove, call).await?;
        let notice = self.notice(address);
        self.removed(addresses, self.client.delete(call, deadline, &notice)).await
    }

    /// The same of several by one call: that one of them is absent says nothing of the others.
    pub(super) async fn remove_together(
        &self,
        addresses: &[ResourceAddress],
        call: &Call,
        deadline: Duration,
    ) -> Result<(), ApplyError> {
        self.ledger.announce_together(addresses, Purpose::Remove, call).await?;
        let notice = self.notice(&addresses[0]);
        self.removed(addresses, self.client.delete_all(call, deadline, &notice)).await
    }

    /// Waits for the answer to a deleting call, and journals what it was.
    async fn removed(
        &self,
        addresses: &[ResourceAddress],
        answer: impl Future<Output = Result<(), CloudError>>,
    ) -> Result<(), ApplyError> {
        let last_answer = async {
            self.stop.cancelled().await;
            tokio::time::sleep(LAST_ANSWER).await;
        };
        let answer = tokio::select! {
            biased;
            answer = answer => answer,
            () = last_answer => {
                return Err(ApplyError::Stopped { address: addresses[0].clone(), condition: REMOVAL });
            }
        };
        if answer.as_ref().is_err_and(CloudError::is_final_refusal) {
            self.ledger.answered_all(addresses)?;
        }
        Ok(answer?)
    }

    /// Whoever shows what happens hears how a wait goes.
    pub(super) fn notice(&self, address: &ResourceAddress) -> impl Fn(&Waiting<'_>) + Send + Sync + use<> {
        let (sink, address) = (self.sink.clone(), address.clone());
        move |waiting: &Waiting<'_>| {
            sink(Event::Waiting {
                address: address.clone(),
                condition: waiting.condition,
                state: waiting.state.to_owned(),
                waited: waiting.waited,
            });
        }
    }
}

/// Done in one state, never in a broken one.
pub(super) fn judge_state<I: HasState, T>(
    found: Option<&I>,
    wanted: &str,
    done: impl Fn(&I) -> T,
) -> Look<T> {
    match found {
        Some(found) if found.state() == wanted => Look::Done(done(found)),
        Some(found) if BROKEN.contains(&found.state()) => Look::Never(found.state().to_owned()),
        Some(found) => Look::NotYet(found.state().to_owned()),
        None => Look::Absent,
    }
}
