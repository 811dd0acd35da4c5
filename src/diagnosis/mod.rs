//! Layer 4: finds out why a verification failed, by asking the cloud and the hosts.
//!
//! 1. A [`Subject`] says what there is to ask: ids, addresses, what the topology wants, and who opens SSH sessions;
//! 2. `cloud` and `hosts` ask all of it at once and within [`LIMIT`], into [`facts::Facts`]: plain data, in which what
//!    could not be asked has the reason in its place;
//! 3. `suspects` has a question for each layer to these facts, and `judge` says in which order they are asked after a
//!    certain check. Both are pure.
//!
//! Nothing is changed anywhere, and nothing that cannot be asked is an error.

mod cloud;
mod evidence;
mod facts;
mod hosts;
mod judge;
mod subject;
mod suspects;
#[cfg(test)]
mod tests;

use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::sync::Mutex;

pub use subject::{Door, ListenerSubject, NodeSubject, RedisSubject, RuleSubject, Subject, Wanted};

use crate::verify::{Failed, Inquirer, Inquiry};
use facts::Facts;

/// How long all questions may take together. Clients of the verification wait meanwhile, and a node cuts one that
/// does not answer its pings for twice as long.
const LIMIT: Duration = Duration::from_secs(8);

/// Asks when the first check fails, and keeps what it heard for the others once that has explained something.
pub struct Inspector<'a> {
    subject: Subject<'a>,
    heard: Mutex<Option<Facts>>,
}

impl<'a> Inspector<'a> {
    /// Who looks into failures of this.
    pub fn new(subject: Subject<'a>) -> Self {
        Self { subject, heard: Mutex::default() }
    }

    async fn ask(&self) -> Facts {
        let (cloud, hosts) = tokio::join!(cloud::ask(&self.subject), hosts::ask(&self.subject));
        Facts { cloud, hosts }
    }
}

impl Inquirer for Inspector<'_> {
    fn inquire<'b>(&'b self, failed: Failed<'b>) -> BoxFuture<'b, Inquiry> {
        Box::pin(async move {
            let mut heard = self.heard.lock().await;
            let facts = match heard.take() {
                Some(facts) => facts,
                None => self.ask().await,
            };
            let found = judge::judge(&self.subject.wanted, &facts, failed);
            let mut evidence = evidence::of(&facts);
            if let [_, others @ ..] = found.as_slice()
                && !others.is_empty()
            {
                let others: Vec<String> =
                    others.iter().map(|one| format!("{}: {}", one.layer, one.cause)).collect();
                evidence.insert("layer.also".to_owned(), others.join("; "));
            }
            let diagnosis = found.into_iter().next();
            // What explained nothing may have been asked before the fault was there to see.
            *heard = diagnosis.is_some().then_some(facts);
            Inquiry { diagnosis, evidence }
        })
    }
}
