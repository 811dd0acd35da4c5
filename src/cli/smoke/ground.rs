//! Where the controls are tried: a stack in a local cloud, and a list of what has to be undone.
//!
//! What undoes an effect is noted before the effect is made, and crossed off when it is undone. So an error in the
//! middle, or somebody who says stop, leaves nothing broken.

use std::time::Duration;

use serde_json::{Value, json};

use super::attempt::Stagehand;
use super::breakage;
use super::control::Control;
use crate::apply::hosts::Patience;
use crate::base::ids::{ClientToken, CloudId};
use crate::base::retry::{Backoff, Deadline};
use crate::cli::exit::ExitStatus;
use crate::cli::failure::Failure;
use crate::cli::local::LocalCloud;
use crate::cli::session::Session;
use crate::cli::{say, ssh, verify};
use crate::cloud::alb;
use crate::cloud::call::Call;
use crate::resource::Kind;
use crate::ssh::Command;
use crate::verify::Check;

/// How long the cloud may take to carry out one change, and to see what became of it.
const CHANGE: Duration = Duration::from_mins(1);

/// What puts something back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Undo {
    /// A call of the cloud.
    Call(Box<Call>),
    /// A unit of a host is started.
    Start {
        /// The host, by its name in the topology.
        host: String,
        /// The unit.
        unit: &'static str,
    },
    /// A fault of the local cloud is lifted.
    Lift(String),
}

/// A stack in a local cloud.
pub(super) struct Ground<'a> {
    pub(super) session: &'a Session,
    pub(super) cloud: &'a LocalCloud,
    undo: Vec<Undo>,
}

impl<'a> Ground<'a> {
    /// The stack of a session that knows the outputs of its resources.
    pub(super) fn new(session: &'a Session, cloud: &'a LocalCloud) -> Self {
        Self { session, cloud, undo: Vec::new() }
    }

    /// Notes what will undo what comes next.
    pub(super) fn note(&mut self, undo: Undo) {
        self.undo.push(undo);
    }

    /// Undoes one of them before its time.
    pub(super) async fn undo_now(&mut self, undo: &Undo) -> Result<(), Failure> {
        self.carry_out(undo).await?;
        self.undo.retain(|noted| noted != undo);
        Ok(())
    }

    /// A call whose answer says nothing that is needed.
    pub(super) async fn call(&self, call: &Call) -> Result<Value, Failure> {
        Ok(self.session.provider.client.call(call).await?)
    }

    /// `systemctl VERB UNIT` on a host, as a person would.
    pub(super) async fn systemctl(&self, host: &str, verb: &str, unit: &str) -> Result<(), Failure> {
        let (hosts, known) = (&self.session.hosts, &self.session.provider.known);
        let there = ssh::find(self.session, host)?;
        let login = hosts.session(there, known, Patience::WhileItBoots).await?;
        login.check(Command::new("systemctl").args([verb, unit])).await.map(drop).map_err(ssh::failed)
    }

    /// Asks the local cloud for a fault, which is lifted in the end.
    pub(super) async fn fault(&mut self, fault: &Value) -> Result<(), Failure> {
        let answer = self.cloud.administer(reqwest::Method::POST, "faults", Some(&json!([fault]))).await?;
        let ids = answer["ids"].as_array().into_iter().flatten().filter_map(Value::as_str);
        self.undo.extend(ids.map(|id| Undo::Lift(id.to_owned())));
        Ok(())
    }

    /// Waits until listener and server group have taken in what they were told.
    pub(super) async fn until_configured(&self) -> Result<(), Failure> {
        self.until("listener and server group to take in a change", async || {
            let client = &self.session.provider.client;
            let listener = alb::listener(client, &self.listener()?).await?;
            let group = alb::server_groups_with_ids(client, &[self.server_group()?]).await?;
            Ok(listener.is_some_and(|listener| listener.listener_status == "Running")
                && group.iter().all(|group| group.server_group_status == "Available"))
        })
        .await
    }

    /// Waits until so much is true of the servers that get no traffic: whether there are any.
    pub(super) async fn until_servers_are_away(&self, wanted: bool) -> Result<(), Failure> {
        let what = if wanted { "the load balancer to miss a node" } else { "all nodes to be well" };
        self.until(what, async || {
            let found = alb::unhealthy_servers(&self.session.provider.client, &self.listener()?).await?;
            Ok(found.is_some_and(|servers| servers.is_empty() != wanted))
        })
        .await
    }

    async fn until(&self, what: &str, holds: impl AsyncFn() -> Result<bool, Failure>) -> Result<(), Failure> {
        let deadline = Deadline::after(CHANGE);
        let mut backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(1));
        while !holds().await? {
            if !backoff.wait(&deadline).await {
                let time = CHANGE.as_secs();
                return Err(Failure::saying(
                    ExitStatus::Failed,
                    format!("waited {time} s for {what}"),
                    "run again with --keep, and look at it with `albatross cloud status`",
                ));
            }
        }
        Ok(())
    }

    pub(super) fn listener(&self) -> Result<CloudId, Failure> {
        Ok(self.session.provider.known.only(Kind::Listener)?)
    }

    pub(super) fn server_group(&self) -> Result<CloudId, Failure> {
        Ok(self.session.provider.known.only(Kind::ServerGroup)?)
    }

    async fn carry_out(&self, undo: &Undo) -> Result<(), Failure> {
        match undo {
            Undo::Call(call) => self.call(call).await.map(drop),
            Undo::Start { host, unit } => self.systemctl(host, "start", unit).await,
            Undo::Lift(fault) => {
                let what = format!("faults/{fault}");
                self.cloud.administer(reqwest::Method::DELETE, &what, None).await.map(drop)
            }
        }
    }
}

impl Stagehand for Ground<'_> {
    async fn take_away(&mut self, control: Control) -> Result<String, Failure> {
        let done = breakage::make(self, control).await?;
        say::narrate(|| say::on_stderr(&format!("  .. {}: {done}", control.name())));
        Ok(done)
    }

    async fn put_back(&mut self) -> Result<(), Failure> {
        let was_away = !self.undo.is_empty();
        let mut first = None;
        while let Some(undo) = self.undo.pop() {
            // What comes later is put back whatever becomes of this one.
            if let Err(failure) = self.carry_out(&undo).await {
                first = first.or(Some(failure));
            }
            if let Err(failure) = self.until_configured().await {
                first = first.or(Some(failure));
            }
        }
        match first {
            Some(failure) => Err(failure),
            None if was_away => self.until_servers_are_away(false).await,
            None => Ok(()),
        }
    }

    async fn first_failure(&self, is_quick: bool) -> Result<Option<Check>, Failure> {
        verify::first_failure(self.session, is_quick).await
    }
}

/// A token that no other call has.
pub(super) fn token() -> ClientToken {
    ClientToken::new(format!("{:032x}", rand::random::<u128>()))
}
