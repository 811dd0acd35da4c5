//! Faults that somebody asked for: of calls, by action and occurrence; of hosts, until they are taken back.
//!
//! They come from a file (`--faults FILE`), from the endpoint `/_mock/faults`, or are drawn from a seed
//! (`--fault-seed N`). File and endpoint take the same list, as YAML or JSON:
//!
//! ```yaml
//! - action: Ecs.RunInstances     # an action, or a pattern: Alb.*, *
//!   occurrence: 2                # the first call it happens to, counted for each action from now on; default 1
//!   times: 3                     # how many calls in a row it happens to; default 1
//!   fault: {no_stock: {}}
//! - host: ecs01                  # an InstanceName; it need not be there yet
//!   fault: {refuse_ssh: {}}      # until {none: {}}
//! ```
//!
//! | Fault of a call | Does |
//! |---|---|
//! | `throttle: {retry_after: 200}` | refuses with `Throttling.User` and `x-acs-retry-after` (milliseconds, default 200) |
//! | `server_error: {status: 500, after_commit: false}` | answers 500 to 599 (default 500); with `after_commit` the call is done |
//! | `slow_reply: {milliseconds: N}` | done, answered late; meanwhile the same client token is in progress |
//! | `lost_reply: {}` | done, the connection closes without an answer |
//! | `stale_read: {milliseconds: N}` | a read answers as the world was N ms before, at most 60,000 |
//! | `no_stock: {}` | refuses with `OperationDenied.NoStock`; the refusal sticks to its client token |
//! | `partial_amount: {amount: N}` | `RunInstances` makes N instances when `MinAmount` allows it, else there is no stock |
//! | `quota: {}` | refuses what makes a resource with the code of its quota; the refusal sticks to its client token |
//! | `expire_token: {}` | the session of a temporary key ends with this call |
//! | `error: {status: N, code: C}` | refuses with this |

mod fault;
mod plan;
mod seeded;
mod written;

pub(super) use fault::Fault;
pub use plan::{BadFaults, Wish, read};
pub use seeded::Seeded;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::api::Operation;
use crate::facts::Effect;
use plan::Plan;

/// Faults that are still to come.
#[derive(Debug, Default)]
pub(super) struct Faults {
    plans: Vec<Plan>,
    hosts_without_ssh: BTreeSet<String>,
    seeded: Option<Seeded>,
    /// Calls of each action, for what is drawn.
    calls: BTreeMap<String, u64>,
}

/// What a fault has to know of the call it may happen to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Target<'a> {
    /// Which action.
    pub(super) operation: &'a Operation,
    /// What it does.
    pub(super) effect: Effect,
    /// Whether it is signed with a temporary key.
    pub(super) temporary_key: bool,
}

impl Faults {
    pub(super) fn new(wishes: Vec<Wish>, seeded: Option<Seeded>) -> Self {
        let mut faults = Self { seeded, ..Self::default() };
        faults.add(wishes);
        faults
    }

    pub(super) fn add(&mut self, wishes: Vec<Wish>) {
        for wish in wishes {
            match wish {
                Wish::Call(plan) => self.plans.push(plan),
                Wish::Host { name, refuses_ssh: true } => {
                    self.hosts_without_ssh.insert(name);
                }
                Wish::Host { name, refuses_ssh: false } => {
                    self.hosts_without_ssh.remove(&name);
                }
            }
        }
    }

    /// Takes all of them back, the seed too.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Whether a host's SSH port is closed.
    pub(super) fn refuses_ssh(&self, host: &str) -> bool {
        self.hosts_without_ssh.contains(host)
    }

    /// The fault of this call, if it has one.
    pub(super) fn take(&mut self, target: Target<'_>) -> Option<Fault> {
        let name = target.operation.to_string();
        let fitting =
            self.plans.iter_mut().filter(|plan| plan.fits(&name) && plan.fault.can_happen_to(target));
        // Every plan counts the call, also when an earlier one makes it fail.
        let planned: Vec<Option<Fault>> = fitting.map(|plan| plan.count(&name)).collect();
        self.plans.retain(|plan| !plan.is_used_up());
        let drawn = self.seeded.and_then(|seeded| {
            let count = self.calls.entry(name.clone()).or_default();
            *count += 1;
            seeded.draw(&name, *count).filter(|fault| fault.can_happen_to(target))
        });
        planned.into_iter().flatten().next().or(drawn)
    }

    /// How far back a read may have to look, in milliseconds; 0 when none has to.
    pub(super) fn longest_staleness(&self) -> i64 {
        let planned = self.plans.iter().map(|plan| plan.fault.staleness());
        let drawn = self.seeded.map_or(0, |_| seeded::LONGEST_STALENESS);
        planned.max().unwrap_or(0).max(drawn)
    }

    /// What is still to come, for people.
    pub(super) fn pending(&self) -> Value {
        let plans = self.plans.iter().map(Plan::describe);
        let hosts = self.hosts_without_ssh.iter().map(|host| json!({"host": host, "fault": "refuse_ssh"}));
        json!(plans.chain(hosts).collect::<Vec<_>>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(text: &str) -> Faults {
        Faults::new(read(text).unwrap(), None)
    }

    fn take(faults: &mut Faults, name: &str) -> Option<Fault> {
        let (product, action) = name.split_once('.').unwrap();
        let operation = Operation { product: product.to_owned(), action: action.to_owned() };
        let effect = crate::facts::facts().effect(product, action).unwrap();
        faults.take(Target { operation: &operation, effect, temporary_key: false })
    }

    #[test]
    fn a_fault_happens_to_the_occurrences_it_names() {
        let mut own = faults("- {action: Vpc.CreateVpc, occurrence: 2, times: 2, fault: {lost_reply: {}}}");
        let seen: Vec<bool> = (0..5).map(|_| take(&mut own, "Vpc.CreateVpc").is_some()).collect();
        assert_eq!(seen, [false, true, true, false, false]);
        assert_eq!(take(&mut own, "Vpc.DeleteVpc"), None);
        assert_eq!(own.pending(), json!([]));
    }

    #[test]
    fn a_pattern_counts_each_action_for_itself() {
        let mut own = faults("- {action: 'Vpc.*', occurrence: 2, fault: {throttle: {}}}");
        assert_eq!(take(&mut own, "Vpc.CreateVpc"), None);
        assert_eq!(take(&mut own, "Vpc.DescribeVpcs"), None);
        assert_eq!(take(&mut own, "Ecs.DescribeInstances"), None);
        assert!(take(&mut own, "Vpc.DescribeVpcs").is_some());
        assert!(take(&mut own, "Vpc.CreateVpc").is_some());
        assert_eq!(take(&mut own, "Vpc.CreateVpc"), None);
    }

    #[test]
    fn a_stale_read_waits_for_a_read() {
        let mut own = faults("- {action: '*', fault: {stale_read: {milliseconds: 300}}}");
        assert_eq!(own.longest_staleness(), 300);
        assert_eq!(take(&mut own, "Vpc.CreateVpc"), None);
        assert_eq!(take(&mut own, "Sts.AssumeRole"), None, "a session begins now or never");
        assert_eq!(take(&mut own, "Sts.AssumeRoleWithOIDC"), None);
        assert!(take(&mut own, "Vpc.DescribeVpcs").is_some());
    }
}
