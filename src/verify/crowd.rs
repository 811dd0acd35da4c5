//! `nodes.all`: clients come until each node of the group has one, and as many more as are wanted on some of them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use tokio::time::Instant;

use super::check::{Finding, Verdict};
use super::clients::Person;
use super::scenario::Scenario;

/// How many connections one on a certain node, or on another one, may take: a load balancer need not take turns.
pub(super) const ATTEMPTS: usize = 24;

/// The clients that came, by node.
#[derive(Debug, Default)]
pub(super) struct Crowd {
    by_node: BTreeMap<String, Vec<Person>>,
    attempts: usize,
}

/// Where clients come to.
pub(super) struct Place<'a> {
    pub(super) scenario: &'a Scenario,
    pub(super) addresses: &'a [IpAddr],
    /// Part of each name, so that a busy room confuses nobody.
    pub(super) nonce: &'a str,
}

impl Crowd {
    /// Lets clients come until each of these nodes has as many as it should; those it has no use for leave at once.
    ///
    /// # Errors
    /// When one does not get in, or too many came without it.
    pub(super) async fn gather(
        &mut self,
        place: &Place<'_>,
        wanted: &BTreeMap<String, usize>,
    ) -> Result<(), String> {
        let scenario = place.scenario;
        let missing = |crowd: &Self| -> usize {
            wanted.iter().map(|(node, count)| count.saturating_sub(crowd.on(node))).sum()
        };
        let most = self.attempts + ATTEMPTS * missing(self).max(1);
        let started = Instant::now();
        while missing(self) > 0 {
            if self.attempts >= most || started.elapsed() > scenario.deadline {
                let short = wanted.iter().filter(|(node, count)| self.on(node) < **count);
                let short: Vec<&str> = short.map(|(node, _)| node.as_str()).collect();
                return Err(format!("{} connections led too seldom to {}", self.attempts, short.join(", ")));
            }
            let vantage = &scenario.sources[self.attempts % scenario.sources.len()];
            let address = place.addresses[self.attempts % place.addresses.len()];
            let name = format!("c{}-{}", self.attempts, place.nonce);
            self.attempts += 1;
            let person = Person::arrive(scenario, vantage, address, name).await?;
            if wanted.get(&person.node).is_some_and(|count| self.on(&person.node) < *count) {
                self.by_node.entry(person.node.clone()).or_default().push(person);
            } else {
                person.leave().await;
            }
        }
        Ok(())
    }

    fn on(&self, node: &str) -> usize {
        self.by_node.get(node).map_or(0, Vec::len)
    }

    /// Those on a node, to talk.
    pub(super) fn take(&mut self, node: &str) -> Vec<Person> {
        self.by_node.remove(node).unwrap_or_default()
    }

    /// Lets all of them leave.
    pub(super) async fn disperse(self) {
        for person in self.by_node.into_values().flatten() {
            person.leave().await;
        }
    }
}

/// `nodes.all`: whether each node answers; those where somebody is already count.
pub(super) async fn check(place: &Place<'_>, met: [&str; 2]) -> Verdict {
    let expected: BTreeSet<&str> = place.scenario.nodes.iter().map(String::as_str).collect();
    let new = expected.iter().filter(|node| !met.contains(node));
    let wanted: BTreeMap<String, usize> = new.map(|node| ((*node).to_owned(), 1)).collect();
    let list = place.scenario.nodes.join(", ");
    let mut crowd = Crowd::default();
    let gathered = crowd.gather(place, &wanted).await;
    let attempts = crowd.attempts;
    crowd.disperse().await;
    gathered.map_err(|why| {
        Finding::new(format!(
            "expected an answer of each node of {list}, but {why}; likely layer: the server group (a server that is \
             unhealthy, has no weight or is not in it)"
        ))
        .with("attempts", attempts)
        .hint("`albatross status FILE` shows the group's servers and their health")
    })?;
    Ok(Finding::new(format!("each node answers: {list}"))
        .with("nodes", expected.len())
        .with("attempts", attempts))
}
