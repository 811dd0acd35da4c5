//! Faults that somebody asked for: of calls, by action and occurrence; of the data plane, for a time or until they are
//! taken back.
//!
//! They come from a file (`--faults FILE`), from the endpoint `/_mock/faults`, or are drawn from a seed
//! (`--fault-seed N`, and with `--plane-fault-every SECONDS` of the data plane too). File and endpoint take the same
//! list, as YAML or JSON:
//!
//! ```yaml
//! - action: Ecs.RunInstances     # an action, or a pattern: Alb.*, *
//!   occurrence: 2                # the first call it happens to, counted for each action from now on; default 1
//!   times: 3                     # how many calls in a row it happens to; default 1
//!   fault: {no_stock: {}}
//! - host: ecs01                  # an InstanceName; it need not be there yet
//!   fault: {refuse_ssh: {}}      # until {none: {}}
//! - host: ecs02                  # an InstanceName, an id or an address
//!   fault: {freeze: {}}          # see docs/faults.md for the others
//!   in: 5s                       # when it begins; default at once
//!   for: 10s                     # how long it lasts; default until it is lifted
//! - name: chat.example.com
//!   fault: {dns_stale: {}}
//! ```
//!
//! Each has a name, `f1` and so on; `DELETE /_mock/faults/f1` takes it back.
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
mod plane_fault;
mod seeded;
mod seeded_plane;
mod standing;
mod written;

pub(super) use fault::Fault;
pub use plan::{BadFaults, Wish, read};
pub use plane_fault::NAMES as PLANE_FAULTS;
pub(super) use plane_fault::PlaneFault;
pub use seeded::Seeded;
pub use seeded_plane::SeededPlane;
pub use standing::PlaneWish;
pub(super) use standing::fitting;

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use crate::api::Operation;
use crate::facts::Effect;
use crate::plane::HostKind;
use crate::plane::spec::Troubles;
use crate::world::{Moment, World};
use plan::Plan;
use standing::{Origin, Standing};

/// Faults that are still to come, or that last.
#[derive(Debug, Default)]
pub(super) struct Faults {
    /// By number: what people call `f1`.
    plans: BTreeMap<u64, Plan>,
    hosts_without_ssh: BTreeMap<String, u64>,
    standing: Standing,
    /// How many there were so far.
    number: u64,
    seeded: Option<Seeded>,
    drawing: Option<Drawing>,
    /// Calls of each action, for what is drawn.
    calls: BTreeMap<String, u64>,
}

/// Faults of the data plane that are drawn, one after the other.
#[derive(Debug)]
struct Drawing {
    seeded: SeededPlane,
    hosts: HostKind,
    /// The next one, and when it comes.
    next: (u64, Moment),
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
    pub(super) fn new(wishes: Vec<Wish>, seeded: Option<Seeded>, now: Moment) -> Self {
        let mut faults = Self { seeded, ..Self::default() };
        faults.add(wishes, now);
        faults
    }

    /// From now on faults of the data plane are drawn, too.
    #[must_use]
    pub(super) fn drawing(mut self, seeded: Option<SeededPlane>, hosts: HostKind, now: Moment) -> Self {
        let first = |seeded: SeededPlane| (1, now + span_of(seeded.pause(1)));
        self.drawing = seeded.map(|seeded| Drawing { seeded, hosts, next: first(seeded) });
        self
    }

    /// Takes all of them; what each is called.
    pub(super) fn add(&mut self, wishes: Vec<Wish>, now: Moment) -> Vec<String> {
        wishes.into_iter().map(|wish| self.add_one(wish, now)).collect()
    }

    fn add_one(&mut self, wish: Wish, now: Moment) -> String {
        self.number += 1;
        let number = self.number;
        match wish {
            Wish::Call(plan) => drop(self.plans.insert(number, plan)),
            Wish::Plane(wish) => self.standing.add(number, wish, Origin::Asked, now),
            Wish::Host { name, refuses_ssh: true } => drop(self.hosts_without_ssh.insert(name, number)),
            Wish::Host { name, refuses_ssh: false } => drop(self.hosts_without_ssh.remove(&name)),
        }
        name_of(number)
    }

    /// Takes one back; whether there was one of this name.
    pub(super) fn lift(&mut self, name: &str) -> bool {
        let Some(number) = name.strip_prefix('f').and_then(|number| number.parse::<u64>().ok()) else {
            return false;
        };
        let before = self.hosts_without_ssh.len();
        self.hosts_without_ssh.retain(|_, own| *own != number);
        self.plans.remove(&number).is_some()
            || self.standing.lift(number)
            || self.hosts_without_ssh.len() != before
    }

    /// Takes all of them back, the seeds too.
    pub(super) fn clear(&mut self) {
        *self = Self { number: self.number, ..Self::default() };
    }

    /// Whether a host's SSH port is closed.
    pub(super) fn refuses_ssh(&self, host: &str) -> bool {
        self.hosts_without_ssh.contains_key(host)
    }

    /// What is wrong on the data plane now.
    pub(super) fn troubles(&self, world: &World, now: Moment) -> Troubles {
        self.standing.troubles(world, now)
    }

    /// Lets time pass: faults begin, end and are drawn. Whether one did.
    pub(super) fn pass(&mut self, world: &World, now: Moment) -> bool {
        while let Some(wish) = self.drawing.as_mut().and_then(|drawing| drawing.draw(world, now)) {
            self.number += 1;
            self.standing.add(self.number, wish, Origin::Drawn, now);
        }
        self.standing.pass(now)
    }

    /// When the next one begins, ends or is drawn.
    pub(super) fn next(&self, now: Moment) -> Option<Moment> {
        let drawn = self.drawing.as_ref().map(|drawing| drawing.next.1);
        self.standing.next(now).into_iter().chain(drawn).min()
    }

    /// The fault of this call, if it has one.
    pub(super) fn take(&mut self, target: Target<'_>) -> Option<Fault> {
        let name = target.operation.to_string();
        let fitting =
            self.plans.values_mut().filter(|plan| plan.fits(&name) && plan.fault.can_happen_to(target));
        // Every plan counts the call, also when an earlier one makes it fail.
        let planned: Vec<Option<Fault>> = fitting.map(|plan| plan.count(&name)).collect();
        self.plans.retain(|_, plan| !plan.is_used_up());
        let drawn = self.seeded.and_then(|seeded| {
            let count = self.calls.entry(name.clone()).or_default();
            *count += 1;
            seeded.draw(&name, *count).filter(|fault| fault.can_happen_to(target))
        });
        planned.into_iter().flatten().next().or(drawn)
    }

    /// How far back a read may have to look, in milliseconds; 0 when none has to.
    pub(super) fn longest_staleness(&self) -> i64 {
        let planned = self.plans.values().map(|plan| plan.fault.staleness());
        let drawn = self.seeded.map_or(0, |_| seeded::LONGEST_STALENESS);
        planned.max().unwrap_or(0).max(drawn)
    }

    /// What is still to come or lasts, for people, each with its name.
    pub(super) fn pending(&self, world: &World, now: Moment) -> Value {
        let plans = self.plans.iter().map(|(number, plan)| (*number, plan.describe()));
        let closed = |(host, number): (&String, &u64)| {
            let described = json!({"host": host, "fault": "refuse_ssh", "settings": {}, "state": "in force"});
            (*number, described)
        };
        let closed = self.hosts_without_ssh.iter().map(closed);
        let all: BTreeMap<u64, Value> =
            plans.chain(closed).chain(self.standing.describe(world, now)).collect();
        let named = |(number, mut described): (u64, Value)| {
            described["id"] = json!(name_of(number));
            described
        };
        all.into_iter().map(named).collect()
    }
}

impl Drawing {
    /// The next fault, once it is due; a moment without hosts passes without one.
    fn draw(&mut self, world: &World, now: Moment) -> Option<PlaneWish> {
        while self.next.1 <= now {
            let (number, due) = self.next;
            self.next = (number + 1, due + span_of(self.seeded.pause(number + 1)).max(1));
            let mut hosts: Vec<String> = world.instances.values().map(|own| own.name.clone()).collect();
            hosts.sort();
            if let Some(wish) = self.seeded.fault(number, self.hosts, &hosts) {
                return Some(wish);
            }
        }
        None
    }
}

fn name_of(number: u64) -> String {
    format!("f{number}")
}

fn span_of(span: Duration) -> Moment {
    Moment::try_from(span.as_millis()).unwrap_or(Moment::MAX / 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(text: &str) -> Faults {
        Faults::new(read(text).unwrap(), None, 0)
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
        assert!(own.plans.is_empty());
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
