//! What the engine wants done on machines, whoever does it.
//!
//! [`SshHosts`] is how it is really done. The trait is at the level of what is wanted, not of commands and files, so
//! that something else can stand in for whole machines.

mod access;
mod pool;
mod ssh;

use std::net::Ipv4Addr;

use futures_util::future::BoxFuture;

pub use access::{Access, HostKeySource, Login};
pub use ssh::{AddressMapSource, SshHosts};

use crate::apply::error::ApplyError;
use crate::apply::provider::Known;
use crate::deploy::redis::Password;
use crate::deploy::rehearsal::{Deed, Work};
use crate::deploy::{Note, node, redis};
use crate::resource::spec::HostSpec;

/// How patient a login is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patience {
    /// A machine that does not answer is reported at once: planning.
    AtOnce,
    /// A machine that does not answer yet is given time to boot: applying.
    WhileItBoots,
}

/// A machine and all that is known of the way to it.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// The machine, and through which others it is reached.
    pub host: &'a HostSpec,
    /// Addresses and host keys along the way.
    pub known: &'a Known,
}

/// What is in force on a machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OnHost {
    /// Redis.
    pub redis: redis::Observed,
    /// The chat node.
    pub node: node::Observed,
}

/// Leads the traffic of a node away. Called once, when the machine has all it takes and the node is about to stop.
pub type LeadAway<'a> = &'a (dyn Fn() -> BoxFuture<'a, Result<(), ApplyError>> + Send + Sync);

/// A release that is to be put in force.
#[derive(Clone, Copy)]
pub struct NewRelease<'a> {
    /// Where it comes from.
    pub wanted: node::Wanted<'a>,
    /// How it shall run.
    pub settings: &'a node::Settings,
    /// What it opens Redis with.
    pub password: &'a Password,
    /// With how much care.
    pub rollout: node::Rollout,
    /// What comes before a restart, and not where there is none.
    pub lead_away: LeadAway<'a>,
}

/// The machines of a stack. Every step finds out whether it is done already, so each may be done again.
///
/// # Errors
/// When a machine cannot be reached, is not the one whose key is pinned, or says no.
pub trait Hosts: Send + Sync {
    /// The public key with which machines are logged into.
    fn operator_key(&self) -> String;

    /// Logs in; a machine that still boots is waited for.
    fn log_in<'a>(&'a self, place: Place<'a>) -> BoxFuture<'a, Result<(), ApplyError>>;

    /// Reads what is in force; a machine that does not answer is an error at once.
    fn observe<'a>(&'a self, place: Place<'a>) -> BoxFuture<'a, Result<OnHost, ApplyError>>;

    /// Brings Redis to settings; a machine that still boots is waited for.
    fn install_redis<'a>(
        &'a self,
        place: Place<'a>,
        settings: &'a redis::Settings,
        note: &'a Note,
    ) -> BoxFuture<'a, Result<(), ApplyError>>;

    /// Reads the password that Redis was given; a machine that still boots is waited for.
    fn redis_password<'a>(&'a self, place: Place<'a>) -> BoxFuture<'a, Result<Password, ApplyError>>;

    /// Stops Redis and takes it out of the start-up.
    fn remove_redis<'a>(&'a self, place: Place<'a>) -> BoxFuture<'a, Result<(), ApplyError>>;

    /// Brings a machine to a release; one that still boots is waited for.
    fn install_release<'a>(
        &'a self,
        place: Place<'a>,
        release: NewRelease<'a>,
        note: &'a Note,
    ) -> BoxFuture<'a, Result<(), ApplyError>>;

    /// Reads which releases a machine keeps; a machine that does not answer is an error at once.
    fn releases<'a>(&'a self, place: Place<'a>) -> BoxFuture<'a, Result<Vec<node::KeptRelease>, ApplyError>>;

    /// Says what a piece of work would do on a machine, and does nothing; one that does not answer is an error at once.
    fn rehearse<'a>(
        &'a self,
        place: Place<'a>,
        work: Work<'a>,
    ) -> BoxFuture<'a, Result<Vec<Deed>, ApplyError>>;

    /// Stops the node and takes it off the machine.
    fn remove_release<'a>(&'a self, place: Place<'a>) -> BoxFuture<'a, Result<(), ApplyError>>;

    /// Waits until the node there answers on a path that it is ready; the inner error says why it will not be.
    fn node_is_ready<'a>(
        &'a self,
        place: Place<'a>,
        listens: (Ipv4Addr, u16),
        path: &'a str,
    ) -> BoxFuture<'a, Result<Result<(), String>, ApplyError>>;

    /// Forgets every connection: the machines may be other ones from now on.
    fn forget(&self) -> BoxFuture<'_, ()>;
}
