//! Error codes in the user's words: what a code means, why it happens, what to type or click next.
//!
//! The sentences are data, one table an area: [`access`] (keys, clock, permission, traffic), [`account`] (money,
//! identity, quotas), [`machines`], [`networks`], [`balancers`], [`names`], [`redis`], and [`families`] for codes
//! that have no words of their own. A code is looked up exactly first, then by family. [`documented`] knows which
//! actions give which code, [`handled`] which codes are met in another way than by showing or repeating.
//!
//! In `next`, `{DomainName|the domain}` stands for a parameter of the refused call, or for the words behind the bar
//! when the call has no such parameter.

mod access;
mod account;
mod balancers;
pub mod documented;
mod families;
pub mod handled;
mod machines;
mod names;
mod networks;
mod redis;
pub mod subject;

use crate::cloud::Product;
use crate::cloud::codes::pattern;
use crate::cloud::explain::subject::Subject;
use crate::cloud::permission;

/// What is said about a code, or about several that mean the same.
#[derive(Debug)]
pub struct Explanation {
    /// The codes. `*` stands for any text, so that one entry covers a family.
    pub codes: &'static [&'static str],
    /// One sentence: lower case, no full stop.
    pub means: &'static str,
    /// How one comes to meet it.
    pub why: &'static str,
    /// What to type or click next.
    pub next: &'static str,
}

/// An area and what is said about its codes.
#[derive(Debug)]
pub struct Area {
    /// Its name.
    pub name: &'static str,
    /// Its entries.
    pub entries: &'static [Explanation],
}

/// Codes with words of their own, area by area.
pub const AREAS: [Area; 7] = [
    Area { name: "Keys, clock, permission, traffic", entries: access::ENTRIES },
    Area { name: "Account, money, quotas", entries: account::ENTRIES },
    Area { name: "Instances, images, key pairs (ECS)", entries: machines::ENTRIES },
    Area { name: "VPC, vSwitches, security groups", entries: networks::ENTRIES },
    Area { name: "Load balancers (ALB)", entries: balancers::ENTRIES },
    Area { name: "Domains and records (Alidns)", entries: names::ENTRIES },
    Area { name: "Redis (R-kvstore)", entries: redis::ENTRIES },
];

/// What is said about a code itself.
pub fn exact(code: &str) -> Option<&'static Explanation> {
    AREAS.iter().flat_map(|area| area.entries).find(|entry| entry.codes.contains(&code))
}

/// What is said about the family a code belongs to.
pub fn family(code: &str) -> Option<&'static Explanation> {
    let areas = AREAS.iter().flat_map(|area| area.entries);
    areas.chain(families::ENTRIES).find(|entry| entry.codes.iter().any(|known| pattern::matches(known, code)))
}

/// What is said about a code, be it of its own or of its family.
pub fn find(code: &str) -> Option<&'static Explanation> {
    exact(code).or_else(|| family(code))
}

/// Codes of a user who lacks permission, as opposed to an account that lacks something.
pub fn is_missing_permission(code: &str) -> bool {
    matches!(code, "Forbidden" | "NoPermission" | "AuthorizationFailure")
        || ["Forbidden.RAM", "NoPermission."].iter().any(|family| code.starts_with(family))
}

/// What to do about a refused call, for the resource it was about.
pub fn hint(product: Product, action: &str, code: &str, subject: &Subject) -> Option<String> {
    let next = find(code)?.next;
    let needed = subject.permission().map_or_else(|| permission::of(product, action), ToOwned::to_owned);
    let told = subject.fill(next, &needed);
    Some(if exact(code).is_some() { format!("{told} (more: `albatross explain {code}`)") } else { told })
}

impl Explanation {
    /// What to do next when no call is at hand.
    pub fn next_in_general(&self) -> String {
        Subject::default().fill(self.next, "the RAM action of the call (such as `ecs:RunInstances`)")
    }
}

#[cfg(test)]
mod tests;
