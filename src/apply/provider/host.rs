//! What lives on machines: Redis and releases of the chat node.

use std::net::Ipv4Addr;
use std::sync::Arc;

use super::{Known, Provider, id_only};
use crate::apply::error::ApplyError;
use crate::apply::event::Event;
use crate::apply::hosts::Place;
use crate::base::ids::InstanceName;
use crate::base::secret::Secret;
use crate::deploy::{Note, Program, node, redis};
use crate::resource::observed::{Observation, Output, Outputs};
use crate::resource::spec::{AppSpec, HostSpec, Persistence, RedisAccess, RedisSpec, ReleaseSpec, Spec};
use crate::resource::{Kind, ResourceAddress};

/// Field of what is on a machine that the topology does not have any more.
pub(crate) const MACHINE_GOES: &str = "machine_goes";

impl Provider {
    pub(super) async fn put_redis(
        &self,
        address: &ResourceAddress,
        spec: &RedisSpec,
        current: Option<&Observation>,
    ) -> Result<Outputs, ApplyError> {
        let settings = redis_settings(spec, &self.known)?;
        self.let_in(address, &spec.host).await?;
        self.ledger.intend_on_host(address).await?;
        self.hosts.install_redis(self.place(&spec.host), &settings, &self.notes(address)).await?;
        if current.is_some() {
            self.nodes_are_back(address, spec).await?;
        }
        self.on_host_ready(address, spec.host.instance())
    }

    /// Nodes that ran before Redis was changed find it again by themselves; the change is done when they have. Another
    /// Redis they find when their releases follow.
    async fn nodes_are_back(&self, address: &ResourceAddress, spec: &RedisSpec) -> Result<(), ApplyError> {
        for host in &spec.nodes {
            let release = ResourceAddress::new(Kind::Release, host.instance());
            if self.known.output(&release, Output::Id).is_none() {
                continue;
            }
            self.note(address, format!("waiting until the node on {} has found it again", host.instance()));
            let node = private_address(host.instance(), &self.known);
            let ready = async {
                self.hosts.node_is_ready(self.place(host), (node?, spec.node_port), &spec.node_health).await
            };
            // Its machine, or one on the way there, may be made anew just now: then its release follows.
            let ready = ready.await.unwrap_or_else(|error| Err(error.to_string()));
            if let Err(why) = ready {
                self.note(address, format!("the node on {} has not: {why}", host.instance()));
            }
        }
        Ok(())
    }

    pub(super) async fn delete_redis(
        &self,
        address: &ResourceAddress,
        current: &Observation,
    ) -> Result<(), ApplyError> {
        let Some(host) = self.host_of(address, current) else { return Ok(()) };
        self.ledger.announce_on_host(address).await?;
        let removed = self.hosts.remove_redis(self.place(&host)).await;
        self.unless_its_machine_goes(address, current, removed)
    }

    pub(super) async fn delete_release(
        &self,
        address: &ResourceAddress,
        current: &Observation,
    ) -> Result<(), ApplyError> {
        let Some(host) = self.host_of(address, current) else { return Ok(()) };
        self.ledger.announce_on_host(address).await?;
        let removed = self.hosts.remove_release(self.place(&host)).await;
        self.unless_its_machine_goes(address, current, removed)
    }

    /// What cannot be stopped on a machine that goes anyway ends with the machine.
    fn unless_its_machine_goes(
        &self,
        address: &ResourceAddress,
        current: &Observation,
        removed: Result<(), ApplyError>,
    ) -> Result<(), ApplyError> {
        match removed {
            Err(error) if address.is_deposed() || current.fields.contains_key(MACHINE_GOES) => {
                self.note(address, format!("not stopped, it ends with its machine: {error}"));
                Ok(())
            }
            done => done,
        }
    }

    /// The machine of something that is to go; none when the machine goes too.
    fn host_of(&self, address: &ResourceAddress, current: &Observation) -> Option<HostSpec> {
        let route = current.fields.get("route")?;
        let user = current.fields.get("user").cloned().unwrap_or_default();
        self.note(address, "stopping");
        let route = route.split(' ').map(InstanceName::new).collect();
        Some(HostSpec { route, user, deposed: address.deposed.clone() })
    }

    pub(super) fn place<'a>(&'a self, host: &'a HostSpec) -> Place<'a> {
        Place { host, known: &self.known }
    }

    /// What is on a machine is named by the machine's id: on another machine it is another one.
    pub(super) fn on_host_ready(
        &self,
        address: &ResourceAddress,
        instance: &InstanceName,
    ) -> Result<Outputs, ApplyError> {
        let id = self.known.id(&ResourceAddress::new(Kind::Instance, instance))?;
        self.ledger.accept(address, &id)?;
        Ok(id_only(&id))
    }

    pub(super) fn notes(&self, address: &ResourceAddress) -> Note {
        let (sink, address) = (self.sink.clone(), address.clone());
        Arc::new(move |text: &str| {
            let text = text.to_owned();
            sink(Event::Noted { address: address.clone(), text });
        })
    }
}

/// What Redis shall be, once its machine has an address.
///
/// # Errors
/// When the machine has none yet.
pub(crate) fn redis_settings(spec: &RedisSpec, known: &Known) -> Result<redis::Settings, ApplyError> {
    Ok(redis::Settings {
        address: private_address(spec.host.instance(), known)?,
        port: spec.port,
        max_memory_megabytes: spec.max_memory,
        persistence: match spec.persistence {
            Persistence::None => redis::Persistence::None,
            Persistence::AppendOnly => redis::Persistence::AppendOnly,
        },
    })
}

/// Bytes of a megabyte as Redis counts them.
const MEGABYTE: u64 = 1024 * 1024;
/// Part of Redis' memory that the stream may take: what is left is for sessions, clients and Redis itself.
const STREAM_SHARE: u64 = 4;

/// What a node shall be, once the machines have addresses.
///
/// # Errors
/// When one of them has none yet.
pub(crate) fn node_settings(spec: &ReleaseSpec, known: &Known) -> Result<node::Settings, ApplyError> {
    let (redis_user, redis_host, memory) = match &spec.redis {
        RedisAccess::OnHost { instance, memory, .. } => {
            (String::new(), private_address(instance, known)?.to_string(), u64::from(*memory))
        }
        RedisAccess::Managed(account) => {
            let (host, memory) = managed_redis(known)?;
            (account.name.clone(), host, memory)
        }
        RedisAccess::Absent => (String::new(), String::new(), 0),
    };
    Ok(node::Settings {
        node_id: spec.host.instance().to_string(),
        address: private_address(spec.host.instance(), known)?,
        port: spec.port,
        redis_user,
        redis_host,
        redis_port: spec.redis_port,
        stream_bytes: memory * MEGABYTE / STREAM_SHARE,
        ping_interval: spec.ping_interval,
        ping_timeout: spec.ping_timeout,
        allowed_origins: spec.allowed_origins.clone(),
        trusted_proxies: spec.trusted_proxies.clone(),
        app: spec.app.as_deref().map(app),
    })
}

/// An app without what its secrets are.
fn app(spec: &AppSpec) -> node::App {
    let unknown = |name: &String| (name.clone(), Secret::new(String::new()));
    node::App {
        args: spec.args.clone(),
        env: spec.env.clone(),
        secrets: spec.secrets.iter().map(unknown).collect(),
        health_path: spec.health_path.clone(),
    }
}

impl Provider {
    /// What a node shall be, its secrets included.
    ///
    /// # Errors
    /// When a machine has no address yet, or a secret is not there.
    pub(crate) fn settings_of_node(
        &self,
        spec: &ReleaseSpec,
        known: &Known,
    ) -> Result<node::Settings, ApplyError> {
        let mut settings = node_settings(spec, known)?;
        for (name, value) in settings.app.iter_mut().flat_map(|app| &mut app.secrets) {
            let given = self.app_secrets.as_ref().and_then(|given| given.get(name));
            let missing =
                || ApplyError::Missing { address: spec.host.address(Kind::Release), what: "secret" };
            *value = given.ok_or_else(missing)?.clone();
        }
        Ok(settings)
    }
}

/// The field of a host's resource that follows from its settings and files, once the machines have addresses.
pub(crate) fn computed(
    program: Option<&Program>,
    spec: &Spec,
    known: &Known,
) -> Option<(&'static str, String)> {
    if let Spec::Redis(spec) = spec {
        let settings = redis_settings(spec, known).ok()?;
        return Some(("configuration", redis::fingerprint(&settings).ok()?));
    }
    if let Spec::Release(spec) = spec {
        if let Some(kept) = &spec.kept {
            return Some(("release", kept.clone()));
        }
        let settings = node_settings(spec, known).ok()?;
        let release = node::release_id(program?, &settings).ok()?;
        return Some(("release", release.to_string()));
    }
    None
}

/// The name of the managed Redis, and its megabytes.
fn managed_redis(known: &Known) -> Result<(String, u64), ApplyError> {
    let address = ResourceAddress::only(Kind::RedisInstance);
    let missing = |what| ApplyError::Missing { address: address.clone(), what };
    let name = known.output(&address, Output::DnsName).ok_or_else(|| missing("name"))?;
    let memory = known.output(&address, Output::Memory).and_then(|text| text.parse().ok());
    Ok((name, memory.ok_or_else(|| missing("size"))?))
}

fn private_address(instance: &InstanceName, known: &Known) -> Result<Ipv4Addr, ApplyError> {
    let address = ResourceAddress::new(Kind::Instance, instance);
    let text = known.output(&address, Output::PrivateAddress);
    let missing = ApplyError::Missing { address, what: "private address" };
    text.and_then(|text| text.parse().ok()).ok_or(missing)
}
