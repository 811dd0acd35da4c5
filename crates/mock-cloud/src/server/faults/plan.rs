//! Faults as they are written down: the list of a file or of the endpoint, read and checked.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use serde_yaml::{Location, Spanned};

use crate::facts::facts;
use crate::oss;
use crate::plane::spec::Conditions;
use crate::plane::{HostKind, Plane};
use crate::server::faults::standing::{self, PlaneWish};
use crate::server::faults::written::Written;
use crate::server::faults::{Fault, PlaneFault, plane_fault};
use crate::world::World;
use crate::world::instance::Instance;

/// One fault that was asked for.
#[derive(Debug, Clone)]
pub enum Wish {
    /// Of calls.
    Call(Plan),
    /// Of the data plane.
    Plane(PlaneWish),
    /// Of a host.
    Host {
        /// Its `InstanceName`.
        name: String,
        /// Whether nothing listens on its SSH port from now on.
        refuses_ssh: bool,
    },
}

impl Wish {
    /// Whether the hosts it is for can have it, as far as they are there.
    ///
    /// # Errors
    /// A sentence that says which host cannot.
    pub(in crate::server) fn check_in(&self, world: &World, hosts: HostKind) -> Result<(), String> {
        let Self::Plane(PlaneWish { target, fault, .. }) = self else { return Ok(()) };
        let is_of_ssh = matches!(fault, PlaneFault::SshCut { .. } | PlaneFault::SshSlow { .. });
        if hosts != HostKind::Machine || !is_of_ssh {
            return Ok(());
        }
        let is_hidden = |instance: &&Instance| {
            instance.public_address.is_none() && world.eip_of_instance(&instance.id).is_none()
        };
        match standing::fitting(world, target).find(is_hidden) {
            Some(_) => Err(format!(
                "{} cannot be had of {target}: it has no public address, and SSH from host to host stays in the VPC",
                fault.word()
            )),
            None => Ok(()),
        }
    }

    /// Whether a data plane can do it.
    ///
    /// # Errors
    /// A sentence that says which fault it cannot do, and why.
    pub async fn check_with(&self, plane: &Plane) -> Result<(), String> {
        let Self::Plane(wish) = self else { return Ok(()) };
        let cannot = match &wish.fault {
            PlaneFault::DnsStale {} => None,
            PlaneFault::NetworkCut { .. } => plane.cannot_cut(),
            fault @ (PlaneFault::Reboot {}
            | PlaneFault::Freeze {}
            | PlaneFault::DiskFull {}
            | PlaneFault::SshCut { .. }
            | PlaneFault::SshSlow { .. }
            | PlaneFault::RedisStop {}
            | PlaneFault::NodeKill {}
            | PlaneFault::NetworkLoss { .. }
            | PlaneFault::NetworkDelay { .. }
            | PlaneFault::Unhealthy {}) => {
                let mut conditions = Conditions::default();
                fault.worsen(&mut conditions);
                plane.cannot(&conditions).await
            }
        };
        cannot.map_or(Ok(()), |reason| Err(format!("{} cannot be had here: {reason}", wish.fault.word())))
    }
}

/// Why a list of faults cannot be taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{line}:{column}: {reason}")]
pub struct BadFaults {
    /// Where, counted from 1.
    pub line: u64,
    /// Where in the line, counted from 1.
    pub column: u64,
    /// What is wrong, and what would be right.
    pub reason: String,
}

/// A fault of calls.
#[derive(Debug, Clone)]
pub struct Plan {
    pattern: String,
    occurrence: u64,
    times: u64,
    pub(super) fault: Fault,
    /// Calls since the fault was asked for, of each action that fits.
    seen: BTreeMap<String, u64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    action: Option<Spanned<String>>,
    host: Option<Spanned<String>>,
    name: Option<Spanned<String>>,
    r#in: Option<Spanned<String>>,
    r#for: Option<Spanned<String>>,
    occurrence: Option<Spanned<u64>>,
    times: Option<Spanned<u64>>,
    fault: Spanned<Written>,
}

/// Reads a list of faults, YAML or JSON.
///
/// # Errors
/// The first thing that is wrong, with its place.
pub fn read(text: &str) -> Result<Vec<Wish>, BadFaults> {
    let mut options = serde_yaml::Options::default();
    options.with_snippet = false;
    let entries: Vec<Spanned<Entry>> = serde_yaml::from_str_with_options(text, options).map_err(|error| {
        let plain = error.without_snippet();
        let reason = plain.to_string();
        bad(plain.location().unwrap_or(Location::UNKNOWN), reason)
    })?;
    entries.into_iter().map(|entry| wish(entry.referenced, entry.value)).collect()
}

/// How long a fault of the data plane may last, and may be waited for.
const LONGEST: Duration = Duration::from_hours(24);

fn wish(place: Location, entry: Entry) -> Result<Wish, BadFaults> {
    let at = entry.fault.referenced;
    if let Written::Plane(fault) = &entry.fault.value {
        let fault = fault.clone();
        return plane_wish(place, entry, fault).map(Wish::Plane);
    }
    if let Some(span) = entry.r#in.as_ref().or(entry.r#for.as_ref()) {
        let reason = "`in` and `for` are of faults of the data plane: calls have `occurrence` and `times`";
        return Err(bad(span.referenced, reason.to_owned()));
    }
    match (entry.action, entry.host.or(entry.name), entry.fault.value) {
        (Some(action), None, Written::Call(fault)) => {
            check_pattern(&action.value).map_err(|reason| bad(action.referenced, reason))?;
            fault.check().map_err(|reason| bad(at, reason))?;
            Ok(Wish::Call(Plan {
                pattern: action.value,
                occurrence: positive("occurrence", entry.occurrence)?,
                times: positive("times", entry.times)?,
                fault,
                seen: BTreeMap::new(),
            }))
        }
        (None, Some(host), Written::Host { refuses_ssh }) => Ok(Wish::Host { name: host.value, refuses_ssh }),
        (Some(_), None, Written::Host { .. }) => Err(bad(
            at,
            "refuse_ssh and none are faults of a host: give `host` instead of `action`".to_owned(),
        )),
        (None, Some(_), Written::Call(_)) => {
            let own = plane_fault::NAMES.join(", ");
            Err(bad(at, format!("a host has only the faults refuse_ssh, none, {own}")))
        }
        (_, _, Written::Plane(_)) => Err(bad(at, "a fault of the data plane is read before".to_owned())),
        (Some(_), Some(_), _) | (None, None, _) => {
            Err(bad(place, "a fault needs either `action` or `host`".to_owned()))
        }
    }
}

fn plane_wish(place: Location, entry: Entry, fault: PlaneFault) -> Result<PlaneWish, BadFaults> {
    if let Some(number) = entry.occurrence.as_ref().or(entry.times.as_ref()) {
        let reason = "`occurrence` and `times` are of faults of calls: this one has `in` and `for`";
        return Err(bad(number.referenced, reason.to_owned()));
    }
    fault.check().map_err(|reason| bad(entry.fault.referenced, reason))?;
    let target = match (entry.action, entry.host, entry.name) {
        (None, Some(host), None) if !fault.is_of_name() => host.value,
        (None, None, Some(name)) if fault.is_of_name() => name.value,
        _ => {
            let key = if fault.is_of_name() { "name" } else { "host" };
            return Err(bad(place, format!("a {} needs `{key}` and nothing else of the kind", fault.word())));
        }
    };
    Ok(PlaneWish {
        begins_in: span(entry.r#in)?.unwrap_or_default(),
        lasts: span(entry.r#for)?.or(fault.usual()),
        target,
        fault,
    })
}

fn span(text: Option<Spanned<String>>) -> Result<Option<Duration>, BadFaults> {
    let read = |text: Spanned<String>| {
        plane_fault::span(&text.value, LONGEST).map_err(|reason| bad(text.referenced, reason))
    };
    text.map(read).transpose()
}

fn positive(name: &str, number: Option<Spanned<u64>>) -> Result<u64, BadFaults> {
    match number {
        None => Ok(1),
        Some(number) if number.value > 0 => Ok(number.value),
        Some(number) => Err(bad(number.referenced, format!("{name} is counted from 1"))),
    }
}

/// A name that fits no action would never happen, and its author would not notice.
fn check_pattern(pattern: &str) -> Result<(), String> {
    let of_storage = |action: &&str| fits(pattern, &format!("{}.{action}", oss::PRODUCT));
    if facts().names().any(|name| fits(pattern, name)) || oss::ACTIONS.iter().any(of_storage) {
        return Ok(());
    }
    let action = pattern.rsplit('.').next().unwrap_or(pattern);
    let near =
        facts().names().find(|name| name.to_lowercase().ends_with(&format!(".{}", action.to_lowercase())));
    let hint = near.map_or_else(
        || "actions are written as Ecs.RunInstances, patterns as Alb.* or *".to_owned(),
        |near| format!("did you mean {near}?"),
    );
    Err(format!("no action is called {pattern}; {hint}"))
}

fn bad(place: Location, reason: String) -> BadFaults {
    BadFaults { line: place.line().max(1), column: place.column().max(1), reason }
}

/// Whether a name fits a pattern in which `*` stands for any text.
fn fits(pattern: &str, name: &str) -> bool {
    let Some((before, after)) = pattern.split_once('*') else {
        return pattern == name;
    };
    let Some(rest) = name.strip_prefix(before) else {
        return false;
    };
    rest.char_indices().map(|(index, _)| index).chain([rest.len()]).any(|start| fits(after, &rest[start..]))
}

impl Plan {
    pub(super) fn fits(&self, name: &str) -> bool {
        fits(&self.pattern, name)
    }

    /// Counts a call, and answers the fault when it is one of those it happens to.
    pub(super) fn count(&mut self, name: &str) -> Option<Fault> {
        let seen = self.seen.entry(name.to_owned()).or_default();
        *seen += 1;
        let due = self.occurrence..self.occurrence.saturating_add(self.times);
        due.contains(seen).then(|| self.fault.clone())
    }

    /// A pattern may always meet an action it has not met yet.
    pub(super) fn is_used_up(&self) -> bool {
        let last = self.occurrence.saturating_add(self.times) - 1;
        !self.pattern.contains('*') && self.seen.values().any(|seen| *seen >= last)
    }

    pub(super) fn describe(&self) -> Value {
        json!({
            "action": self.pattern,
            "occurrence": self.occurrence,
            "times": self.times,
            "fault": self.fault.word(),
            "seen": self.seen,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        read(text).unwrap_err().to_string()
    }

    #[test]
    fn yaml_and_json_say_the_same() {
        let yaml =
            "- action: Ecs.RunInstances\n  occurrence: 2\n  fault:\n    slow_reply: {milliseconds: 5}\n";
        let json =
            r#"[{"action":"Ecs.RunInstances","occurrence":2,"fault":{"slow_reply":{"milliseconds":5}}}]"#;
        for text in [yaml, json] {
            let wishes = read(text).unwrap();
            let [Wish::Call(plan)] = wishes.as_slice() else { panic!("one fault of calls") };
            assert_eq!((plan.occurrence, plan.times), (2, 1));
            assert_eq!(plan.fault, Fault::SlowReply { milliseconds: 5 });
        }
        let host = read(r#"[{"host":"ecs01","fault":{"refuse_ssh":{}}}]"#).unwrap();
        assert!(matches!(host.as_slice(), [Wish::Host { refuses_ssh: true, .. }]));
    }

    #[test]
    fn a_mistake_has_its_place_and_a_hint() {
        let wrong = "- action: Vpc.CreateVpc\n  fault: {throttle: {}}\n- action: Ecs.CreateVpc\n  fault: {throttle: {}}\n";
        assert_eq!(error(wrong), "3:11: no action is called Ecs.CreateVpc; did you mean Vpc.CreateVpc?");
        let zero = "- action: Vpc.CreateVpc\n  occurrence: 0\n  fault: {throttle: {}}\n";
        assert_eq!(error(zero), "2:15: occurrence is counted from 1");
        assert!(error("- fault: {throttle: {}}\n").starts_with("1:3: a fault needs either"));
        assert!(error("- host: a\n  fault: {throttle: {}}\n").starts_with("2:10: a host has only"));
        let nameless = error("- host: a\n  fault: {dns_stale: {}}\n");
        assert_eq!(nameless, "1:3: a dns_stale needs `name` and nothing else of the kind");
        let endless = error("- host: a\n  fault: {freeze: {}}\n  for: ever\n");
        assert!(endless.starts_with("3:8: `ever` is no span of time: write 250ms"), "{endless}");
        let counted = error("- host: a\n  fault: {freeze: {}}\n  times: 2\n");
        assert!(counted.starts_with("3:10: `occurrence` and `times` are of faults of calls"), "{counted}");
        let timed = error("- action: '*'\n  fault: {throttle: {}}\n  for: 2s\n");
        assert!(timed.starts_with("3:8: `in` and `for` are of faults of the data plane"), "{timed}");
        let lossy = error("- host: a\n  fault: {network_loss: {percent: 0}}\n");
        assert!(lossy.starts_with("2:10: `percent` of a network_loss is 1 to 100"), "{lossy}");
        assert!(
            error("- action: '*'\n  fault: {explode: {}}\n").starts_with("2:"),
            "{}",
            error("- action: '*'\n  fault: {explode: {}}\n")
        );
        assert!(error("- action: '*'\n  fault: {error: {status: 200, code: A}}\n").contains("400 to 599"));
        let long_ago = error("- action: '*'\n  fault: {stale_read: {milliseconds: 60001}}\n");
        assert_eq!(long_ago, "2:10: a stale_read looks back 60000 milliseconds at most, not 60001");
        assert!(error("- action: [\n").starts_with('2') || error("- action: [\n").starts_with('1'));
    }

    #[test]
    fn a_star_stands_for_any_text() {
        assert!(fits("*", "Ecs.RunInstances") && fits("Ecs.*", "Ecs.RunInstances"));
        assert!(
            fits("*.Describe*s", "Vpc.DescribeVpcs") && !fits("*.Describe*s", "Vpc.DescribeVpcAttribute")
        );
        assert!(!fits("Ecs.*", "Vpc.CreateVpc") && !fits("Ecs.Run", "Ecs.RunInstances"));
    }
}
