//! Verified SSH sessions to the machines of a stack, one each, made when first needed.
//!
//! A session's way is worked out from what is known of the machines: the public address of the first on the route,
//! the private addresses of the others, and the pinned host key of each.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::sync::{Mutex, OnceCell};

use tokio_util::sync::CancellationToken;

use crate::apply::error::ApplyError;
use crate::apply::hosts::{Hosts, NewRelease, OnHost, Patience, Place};
use crate::apply::provider::Known;
use crate::base::address_map::AddressMap;
use crate::base::retry::{Backoff, Deadline};
use crate::deploy::redis::Password;
use crate::deploy::{Note, node, redis};
use crate::resource::observed::Output;
use crate::resource::spec::HostSpec;
use crate::resource::{Kind, ResourceAddress};
use crate::ssh::{HostKey, Identity, Limits, Route, Session, SshError};

/// Tells how addresses are reached now: a local cloud's map grows with every machine it makes.
pub type AddressMapSource = Arc<dyn Fn() -> BoxFuture<'static, AddressMap> + Send + Sync>;

/// Sessions to the machines of a stack.
pub struct SshHosts {
    identity: Identity,
    address_map: AddressMapSource,
    boot_limit: Duration,
    stop: CancellationToken,
    sessions: Mutex<BTreeMap<Way, Arc<OnceCell<Arc<Session>>>>>,
}

/// What tells one way from another: names, addresses and keys along it.
type Way = String;

impl SshHosts {
    /// Of an operator, reached through a map; a machine that was just made may take `boot_limit` until it answers,
    /// unless somebody says stop.
    pub fn new(
        identity: Identity,
        address_map: AddressMapSource,
        boot_limit: Duration,
        stop: CancellationToken,
    ) -> Self {
        Self { identity, address_map, boot_limit, stop, sessions: Mutex::new(BTreeMap::new()) }
    }

    /// The operator's public key.
    pub fn public_key(&self) -> &str {
        self.identity.public_line()
    }

    /// How addresses are reached from here, now.
    pub async fn address_map(&self) -> AddressMap {
        (self.address_map)().await
    }

    /// A session to a machine.
    ///
    /// # Errors
    /// When the way is not known, a host key is not the pinned one, or the machine does not answer.
    pub async fn session(
        &self,
        host: &HostSpec,
        known: &Known,
        patience: Patience,
    ) -> Result<Arc<Session>, ApplyError> {
        let route = route(host, known, &self.address_map().await)?;
        let cell = self.sessions.lock().await.entry(format!("{route:?}")).or_default().clone();
        let connect = || async {
            let stopped =
                || ApplyError::Stopped { address: host.address(Kind::Instance), condition: "an SSH login" };
            let session = self.connect(&route, patience).await?.ok_or_else(stopped)?;
            Ok::<_, ApplyError>(Arc::new(session))
        };
        cell.get_or_try_init(connect).await.cloned()
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

    async fn at(&self, place: Place<'_>, patience: Patience) -> Result<Arc<Session>, ApplyError> {
        self.session(place.host, place.known, patience).await
    }
}

impl Hosts for SshHosts {
    fn observe<'a>(&'a self, place: Place<'a>) -> BoxFuture<'a, Result<OnHost, ApplyError>> {
        Box::pin(async move {
            let session = self.at(place, Patience::AtOnce).await?;
            let redis = redis::observe(session.as_ref()).await?;
            Ok(OnHost { redis, node: node::observe(session.as_ref()).await? })
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
            redis::install(session.as_ref(), settings, note).await?;
            Ok(())
        })
    }

    fn redis_password<'a>(&'a self, place: Place<'a>) -> BoxFuture<'a, Result<Password, ApplyError>> {
        Box::pin(async move {
            let session = self.at(place, Patience::WhileItBoots).await?;
            Ok(redis::read_password(session.as_ref()).await?)
        })
    }

    fn remove_redis<'a>(&'a self, place: Place<'a>) -> BoxFuture<'a, Result<(), ApplyError>> {
        Box::pin(async move {
            let session = self.at(place, Patience::AtOnce).await?;
            Ok(redis::remove(session.as_ref(), &logged()).await?)
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
            let prepared =
                node::prepare(session.as_ref(), (wanted, settings), password, rollout, note).await?;
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
            Ok(node::releases(session.as_ref()).await?)
        })
    }

    fn remove_release<'a>(&'a self, place: Place<'a>) -> BoxFuture<'a, Result<(), ApplyError>> {
        Box::pin(async move {
            let session = self.at(place, Patience::AtOnce).await?;
            Ok(node::remove(session.as_ref(), &logged()).await?)
        })
    }

    fn node_is_ready<'a>(
        &'a self,
        place: Place<'a>,
        address: Ipv4Addr,
        port: u16,
    ) -> BoxFuture<'a, Result<Result<(), String>, ApplyError>> {
        Box::pin(async move {
            let session = self.at(place, Patience::AtOnce).await?;
            Ok(node::wait_until_ready(session.as_ref(), address, port).await?)
        })
    }

    fn forget(&self) -> BoxFuture<'_, ()> {
        Box::pin(async { self.sessions.lock().await.clear() })
    }
}

/// A removal has one step, which its caller tells; what it waits for is for the log.
fn logged() -> Note {
    Arc::new(|text: &str| tracing::info!("{text}"))
}

fn route(host: &HostSpec, known: &Known, address_map: &AddressMap) -> Result<Route, ApplyError> {
    let mut via: Option<Box<Route>> = None;
    for machine in known.route(host) {
        let address = match via {
            None => {
                let public = address_of(known, &machine, Output::PublicAddress, "public address")?;
                address_map.resolve(public, 22)?
            }
            Some(_) => {
                SocketAddr::new(address_of(known, &machine, Output::PrivateAddress, "private address")?, 22)
            }
        };
        let host_keys = vec![host_key(known, &machine)?];
        let user = host.user.clone();
        via = Some(Box::new(Route { host: machine.name, address, user, host_keys, via }));
    }
    let missing = || ApplyError::Missing { address: ResourceAddress::only(Kind::Instance), what: "route" };
    via.map(|route| *route).ok_or_else(missing)
}

fn address_of(
    known: &Known,
    machine: &ResourceAddress,
    output: Output,
    what: &'static str,
) -> Result<IpAddr, ApplyError> {
    let text = known.output(machine, output);
    let address = machine.clone();
    text.and_then(|text| text.parse().ok()).ok_or(ApplyError::Missing { address, what })
}

fn host_key(known: &Known, machine: &ResourceAddress) -> Result<HostKey, ApplyError> {
    let line = known
        .output(&machine.on_same_machine(Kind::HostKey), Output::HostKey)
        .ok_or_else(|| SshError::NoHostKey { host: machine.name.clone() })?;
    HostKey::parse(&line)
        .map_err(|error| ApplyError::HostKey { instance: machine.name.clone(), why: error.to_string() })
}
