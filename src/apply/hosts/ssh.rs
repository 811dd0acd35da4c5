//! Verified SSH sessions to the machines of a stack, one each, made when first needed.
//!
//! At most as many machines are worked on at once as there is [`ROOM`] for, and no more sessions are kept open. One to a
//! machine behind others takes a connection to each of these beside its own.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio_util::sync::CancellationToken;

use crate::apply::error::ApplyError;
use crate::apply::hosts::access::Access;
use crate::apply::hosts::pool::{Lease, Pool, Room, Way};
use crate::apply::hosts::{Hosts, NewRelease, OnHost, Patience, Place};
use crate::apply::provider::Known;
use crate::base::address_map::AddressMap;
use crate::base::retry::{Backoff, Deadline};
use crate::deploy::redis::Password;
use crate::deploy::rehearsal::{Deed, Work, rehearse};
use crate::deploy::{Note, node, observe, redis};
use crate::resource::Kind;
use crate::resource::spec::HostSpec;
use crate::ssh::{Identity, Limits, Route, Session, SshError, Sudo};

/// Machines that are worked on at once. A session has a handful of open files, of which a program may have a thousand; and
/// an OpenSSH server turns some away when more than ten are about to log in (`MaxStartups`).
const ROOM: Room = Room { all: 64, behind_a_door: 10 };

/// Tells how addresses are reached now: a local cloud's map grows with every machine it makes.
pub type AddressMapSource = Arc<dyn Fn() -> BoxFuture<'static, AddressMap> + Send + Sync>;

/// Sessions to the machines of a stack.
pub struct SshHosts {
    identity: Identity,
    access: Access,
    address_map: AddressMapSource,
    boot_limit: Duration,
    stop: CancellationToken,
    sessions: Pool<Session>,
}

impl SshHosts {
    /// Of an operator, reached through a map; a machine that was just made may take `boot_limit` until it answers,
    /// unless somebody says stop.
    pub fn new(
        identity: Identity,
        access: Access,
        address_map: AddressMapSource,
        boot_limit: Duration,
        stop: CancellationToken,
    ) -> Self {
        Self { identity, access, address_map, boot_limit, stop, sessions: Pool::new(ROOM) }
    }

    /// How addresses are reached from here, now.
    pub async fn address_map(&self) -> AddressMap {
        (self.address_map)().await
    }

    /// A session to a machine of its own, for who keeps it.
    ///
    /// # Errors
    /// When the way is not known, a host key is not the right one, or the machine does not answer.
    pub async fn session(
        &self,
        host: &HostSpec,
        known: &Known,
        patience: Patience,
    ) -> Result<Arc<Session>, ApplyError> {
        let route = self.way(Place { host, known }, patience).await?;
        self.open(host, &route, patience).await.map(Arc::new)
    }

    /// A session of who logs in, for whom sudo is no matter: it works where sudo does not.
    ///
    /// # Errors
    /// As [`SshHosts::session`].
    pub async fn user_session(&self, host: &HostSpec, known: &Known) -> Result<Arc<Session>, ApplyError> {
        let route = self.way(Place { host, known }, Patience::AtOnce).await?;
        let route = Route { sudo: Sudo::No, ..route };
        self.open(host, &route, Patience::AtOnce).await.map(Arc::new)
    }

    /// The way to a machine. In a local cloud one that is off is on no map until it is back.
    async fn way(&self, Place { host, known }: Place<'_>, patience: Patience) -> Result<Route, ApplyError> {
        let deadline = Deadline::after(self.boot_limit);
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(3));
        loop {
            match self.access.route(host, known, &self.address_map().await) {
                Err(ApplyError::Unmapped(error)) if patience == Patience::WhileItBoots => tokio::select! {
                    biased;
                    () = self.stop.cancelled() => return Err(stopped(host)),
                    again = backoff.wait(&deadline) => if !again { return Err(error.into()) }
                },
                route => return route,
            }
        }
    }

    async fn open(&self, host: &HostSpec, route: &Route, patience: Patience) -> Result<Session, ApplyError> {
        self.connect(route, patience).await?.ok_or_else(|| stopped(host))
    }

    /// None when somebody said stop while the machine booted.
    async fn connect(&self, route: &Route, patience: Patience) -> Result<Option<Session>, SshError> {
        let deadline = Deadline::after(self.boot_limit);
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(3));
        loop {
            match Session::connect(route, &self.identity, &Limits::default()).await {
                Err(error)
                    if patience == Patience::WhileItBoots && error.may_pass() && !deadline.passed() =>
                {
                    tracing::debug!(host = route.host, %error, "trying again");
                    tokio::select! {
                        biased;
                        () = self.stop.cancelled() => return Ok(None),
                        again = backoff.wait(&deadline) => if !again { return Err(error) }
                    }
                }
                done => return done.map(Some),
            }
        }
    }

    /// A session for one piece of work, once it is its turn. What tells one way from another is all of it: names,
    /// addresses and keys.
    async fn at(&self, place: Place<'_>, patience: Patience) -> Result<Lease<'_, Session>, ApplyError> {
        let route = self.way(place, patience).await?;
        let way = Way { door: route.door().to_string(), whole: format!("{route:?}") };
        self.sessions.lease(&way, || self.open(place.host, &route, patience)).await
    }
}

impl Hosts for SshHosts {
    fn operator_key(&self) -> String {
        self.identity.public_line().to_owned()
    }

    fn log_in<'a>(&'a self, place: Place<'a>) -> BoxFuture<'a, Result<(), ApplyError>> {
        Box::pin(async move { self.at(place, Patience::WhileItBoots).await.map(drop) })
    }

    fn observe<'a>(&'a self, place: Place<'a>) -> BoxFuture<'a, Result<OnHost, ApplyError>> {
        Box::pin(async move {
            let session = self.at(place, Patience::AtOnce).await?;
            let (redis, node) = observe(&*session).await?;
            Ok(OnHost { redis, node })
        })
    }

    fn install_redis<'a>(
        &'a self,
        place: Place<'a>,
        settings: &'a redis::Settings,
        note: &'a Note,
    ) -> BoxFuture<'a, Result<(), ApplyError>> {
        Box::pin(async move {
            let session = self.at(place, Patience::WhileItBoots).await?;
            redis::install(&*session, settings, note).await?;
            Ok(())
        })
    }

    fn redis_password<'a>(&'a self, place: Place<'a>) -> BoxFuture<'a, Result<Password, ApplyError>> {
        Box::pin(async move {
            let session = self.at(place, Patience::WhileItBoots).await?;
            Ok(redis::read_password(&*session).await?)
        })
    }

    fn remove_redis<'a>(&'a self, place: Place<'a>) -> BoxFuture<'a, Result<(), ApplyError>> {
        Box::pin(async move {
            let session = self.at(place, Patience::AtOnce).await?;
            Ok(redis::remove(&*session, &logged()).await?)
        })
    }

    fn install_release<'a>(
        &'a self,
        place: Place<'a>,
        release: NewRelease<'a>,
        note: &'a Note,
    ) -> BoxFuture<'a, Result<(), ApplyError>> {
        Box::pin(async move {
            let session = self.at(place, Patience::WhileItBoots).await?;
            let NewRelease { wanted, settings, password, rollout, lead_away } = release;
            let prepared = node::prepare(&*session, (wanted, settings), password, rollout, note).await?;
            if prepared.restarts()
                && let Err(error) = lead_away().await
            {
                prepared.leave().await;
                return Err(error);
            }
            prepared.put_in_force().await?;
            Ok(())
        })
    }

    fn releases<'a>(&'a self, place: Place<'a>) -> BoxFuture<'a, Result<Vec<node::KeptRelease>, ApplyError>> {
        Box::pin(async move {
            let session = self.at(place, Patience::AtOnce).await?;
            Ok(node::releases(&*session).await?)
        })
    }

    fn rehearse<'a>(
        &'a self,
        place: Place<'a>,
        work: Work<'a>,
    ) -> BoxFuture<'a, Result<Vec<Deed>, ApplyError>> {
        Box::pin(async move {
            let session = self.at(place, Patience::AtOnce).await?;
            Ok(rehearse(&*session, work).await?)
        })
    }

    fn remove_release<'a>(&'a self, place: Place<'a>) -> BoxFuture<'a, Result<(), ApplyError>> {
        Box::pin(async move {
            let session = self.at(place, Patience::AtOnce).await?;
            Ok(node::remove(&*session, &logged()).await?)
        })
    }

    fn node_is_ready<'a>(
        &'a self,
        place: Place<'a>,
        listens: (Ipv4Addr, u16),
        path: &'a str,
    ) -> BoxFuture<'a, Result<Result<(), String>, ApplyError>> {
        Box::pin(async move {
            let session = self.at(place, Patience::AtOnce).await?;
            Ok(node::wait_until_ready(&*session, listens, path).await?)
        })
    }

    fn forget(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.sessions.forget())
    }
}

/// Somebody said stop before a machine was logged into.
fn stopped(host: &HostSpec) -> ApplyError {
    ApplyError::Stopped { address: host.address(Kind::Instance), condition: "an SSH login" }
}

/// A removal has one step, which its caller tells; what it waits for is for the log.
fn logged() -> Note {
    Arc::new(|text: &str| tracing::info!("{text}"))
}
