//! Farewells for sessions whose node is gone, or had nobody to say it for: every node looks for those overdue, once a
//! second.
//!
//! Only while it is certain that the others could have refreshed theirs: Redis takes writes, and has done so for longer
//! than they take to be back. Two nodes may write the same farewell: both carry the same key, and readers drop the second.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use tokio::time::Instant;

use super::connection::Connection;
use super::connectivity::Side;
use super::keys::{EXPIRING, RECOVERY, began, forget, identity, orphans, overdue, recalled};
use super::sessions::{Keeper, Rest};
use super::trouble::Trouble;
use super::{Audience, PATIENCE, SessionId};

/// Most of those overdue taken at once.
const MOST: usize = 100;
/// After which time an unconfirmed farewell is written again.
const CONFIRMATION: Duration = Duration::from_mins(1);

/// Sessions whose farewell is under way.
#[derive(Debug, Default)]
pub(super) struct Mourned(HashMap<SessionId, (Rest, Instant)>);

impl Mourned {
    pub(super) fn insert(&mut self, rest: Rest) {
        self.0.insert(rest.session.pid, (rest, Instant::now()));
    }

    fn contains(&self, pid: SessionId) -> bool {
        self.0.contains_key(&pid)
    }

    /// Forgets those whose farewell should have been confirmed by now.
    fn forget_unconfirmed(&mut self) {
        self.0.retain(|_, (_, since)| since.elapsed() < CONFIRMATION);
    }

    /// Takes the one whose farewell was said, or was not.
    pub(super) fn remove(&mut self, pid: SessionId) -> Option<Rest> {
        self.0.remove(&pid).map(|(rest, _)| rest)
    }
}

impl<A: Audience> Keeper<A> {
    /// Says farewell for sessions that nobody refreshes any longer, or finds out whether that may be done again.
    pub(super) async fn sweep(&mut self, connection: &mut Connection) -> Result<(), Trouble> {
        if !self.shared.connectivity.is_up(Side::Sessions) {
            return self.recover(connection).await;
        }
        if self.is_quiet() {
            return Ok(());
        }
        let now = self.time(connection).await?;
        let due = orphans(connection.call(overdue(now, MOST), EXPIRING, PATIENCE).await?);
        if due.is_empty() {
            return Ok(());
        }
        // Those of ours were not refreshed in time; they will be.
        let here = self.shared.audience.presences();
        let here: HashSet<SessionId> = here.into_iter().map(|presence| presence.session.pid).collect();
        self.mourned.forget_unconfirmed();
        for pid in due {
            if !here.contains(&pid) && !self.mourned.contains(pid) {
                self.mourn(connection, pid).await?;
            }
        }
        Ok(())
    }

    async fn mourn(&mut self, connection: &mut Connection, pid: SessionId) -> Result<(), Trouble> {
        let found = connection.call(identity(&pid), RECOVERY, PATIENCE).await?.into_array();
        if let (Some(session), Some(began)) = (recalled(pid, &found), began(&found)) {
            let rest = Rest { session, began };
            if rest.session.username.is_some() && self.shared.history.said(&rest.once()).is_none() {
                self.say_farewell(&rest, Some(pid));
                self.mourned.insert(rest);
                return Ok(());
            }
        }
        // Nobody knows its name any more, or whoever was quicker has not yet removed it.
        self.write(connection, &[forget(&pid)]).await?;
        Ok(())
    }
}
