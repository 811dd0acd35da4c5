//! Why a check failed: who verifies from outside can be told by somebody who may ask the cloud and the hosts.
//!
//! A check sees what a client sees, and guesses. Where somebody is asked, what was found takes the guess's place in
//! the sentence, and all that was seen becomes evidence.

use std::collections::BTreeMap;
use std::fmt;

use futures_util::future::BoxFuture;

use super::check::{CheckId, Finding};

/// How a guess begins in a sentence; it goes to the sentence's end.
pub(super) const GUESS: &str = "likely layer: ";

/// The part of the service that a failure comes from, from the name inwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Layer {
    /// The record of the name.
    Dns,
    /// Who is asked for the domain.
    Delegation,
    /// Requests to a mainland region for a domain without an ICP filing.
    Filing,
    /// The certificate.
    Tls,
    /// The load balancer and its listener.
    Listener,
    /// Which servers get traffic.
    ServerGroup,
    /// What the load balancer's health checks find.
    Health,
    /// A host, or the node on it.
    Node,
    /// Redis.
    Redis,
    /// The ways between them.
    Network,
}

impl fmt::Display for Layer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Dns => "DNS",
            Self::Delegation => "delegation",
            Self::Filing => "ICP filing",
            Self::Tls => "TLS",
            Self::Listener => "listener",
            Self::ServerGroup => "server group",
            Self::Health => "health checks",
            Self::Node => "node",
            Self::Redis => "Redis",
            Self::Network => "network",
        })
    }
}

/// Where a failure comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnosis {
    /// The part that is to blame.
    pub layer: Layer,
    /// What is wrong there.
    pub cause: String,
    /// What to type next.
    pub next: String,
}

/// A check that failed.
#[derive(Debug, Clone, Copy)]
pub struct Failed<'a> {
    /// Which one.
    pub check: CheckId,
    /// What it saw.
    pub evidence: &'a BTreeMap<String, String>,
}

/// What was found out about a failure.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inquiry {
    /// Where it comes from, if that was found.
    pub diagnosis: Option<Diagnosis>,
    /// All that was asked, and what could not be asked.
    pub evidence: BTreeMap<String, String>,
}

/// Finds out why a check failed.
pub trait Inquirer: Sync {
    /// Asks whoever knows; what cannot be asked is evidence, too.
    fn inquire<'a>(&'a self, failed: Failed<'a>) -> BoxFuture<'a, Inquiry>;
}

impl Finding {
    /// With what was found out about it.
    #[must_use]
    pub(super) fn explained(mut self, inquiry: Inquiry) -> Self {
        self.evidence.extend(inquiry.evidence);
        let Some(Diagnosis { layer, cause, next }) = inquiry.diagnosis else {
            return self.with("layer", "not found: what was asked is as it should be");
        };
        self.sentence = format!("{}; layer: {layer}, {cause}", without_guess(&self.sentence));
        self.with("layer", layer).hint(next)
    }
}

fn without_guess(sentence: &str) -> &str {
    let seen = sentence.split_once(GUESS).map_or(sentence, |(seen, _)| seen);
    seen.trim_end_matches([' ', ';', ':'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_found_takes_the_place_of_what_was_guessed() {
        let guessed = || Finding::new("expected a, but b; likely layer: Redis, or else").hint("look");
        let evidence: BTreeMap<_, _> = [("asked.listener".to_owned(), "Stopped".to_owned())].into();
        let cause = "listener.main is Stopped".to_owned();
        let diagnosis = Some(Diagnosis { layer: Layer::Listener, cause, next: "start it".to_owned() });
        let found = guessed().explained(Inquiry { diagnosis, evidence: evidence.clone() });
        assert_eq!(found.sentence, "expected a, but b; layer: listener, listener.main is Stopped");
        assert_eq!((found.hint.as_deref(), found.evidence["layer"].as_str()), (Some("start it"), "listener"));
        assert_eq!(found.evidence["asked.listener"], "Stopped");

        let nothing = guessed().explained(Inquiry { diagnosis: None, evidence });
        assert_eq!(nothing.sentence, guessed().sentence);
        assert_eq!(nothing.hint.as_deref(), Some("look"));
        assert!(nothing.evidence["layer"].starts_with("not found"));
    }
}
