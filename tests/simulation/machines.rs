//! The machines of the region, in memory: what Redis and the node need of them, in the steps in which it really gets
//! there. A command can end between any two.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Duration;

use albatross::apply::ApplyError;
use albatross::apply::hosts::{Hosts, NewRelease, OnHost, Place};
use albatross::base::ids::InstanceName;
use albatross::base::secret::Secret;
use albatross::deploy::redis::Password;
use albatross::deploy::rehearsal::{Deed, Work};
use albatross::deploy::{DeployError, Note, Trouble, node, redis};
use albatross::resource::Kind;
use albatross::resource::observed::Output;
use albatross::ssh::{SshError, Voucher};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::future::BoxFuture;
use mock_cloud::plane::spec::{CommandResult, Health, Host, HostState, Status};
use mock_cloud::world::instance::InstanceStatus;
use mock_cloud::world::{Moment, World};

use crate::draw;
use crate::region::{Region, State};

/// What is on one machine.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Machine {
    password: Option<String>,
    /// What Redis was last started with.
    redis: Option<redis::Settings>,
    redis_active: bool,
    /// What the machine says of Redis, written last.
    pub(crate) record: Option<String>,
    pub(crate) release: Option<Release>,
    node_active: bool,
}

/// A release that is in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Release {
    pub(crate) id: String,
    pub(crate) settings: node::Settings,
    password: String,
}

impl Machine {
    /// Redis, in a line.
    pub(crate) fn redis_words(&self) -> String {
        let Some(own) = &self.redis else { return "nothing runs".to_owned() };
        let active = if self.redis_active { "active" } else { "stopped" };
        format!("{} {} {:?} {active}", own.port, own.max_memory_megabytes, own.persistence)
    }

    /// The node, in a word.
    pub(crate) fn node_word(&self, machines: &Machines) -> &'static str {
        let Some(own) = self.release.as_ref().filter(|_| self.node_active) else { return "stopped" };
        let (host, port) = (&own.settings.redis_host, own.settings.redis_port);
        if machines.redis_answers(host, port, &own.password) { "serves" } else { "without Redis" }
    }
}

/// All machines by instance id.
#[derive(Debug)]
pub(crate) struct Machines {
    seed: u64,
    by_id: BTreeMap<String, Machine>,
    revision: u64,
}

impl Machines {
    /// None yet.
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed, by_id: BTreeMap::new(), revision: 0 }
    }

    /// What is on a machine.
    pub(crate) fn get(&self, id: &str) -> Option<&Machine> {
        self.by_id.get(id)
    }

    /// Grows with every change.
    pub(crate) fn revision(&self) -> u64 {
        self.revision
    }

    /// Whether a machine is not up yet: it will be, without anything happening.
    pub(crate) fn boot(world: &World) -> bool {
        world.instances.values().any(|instance| instance.status != InstanceStatus::Running)
    }

    fn machine(&mut self, id: &str) -> &mut Machine {
        self.revision += 1;
        self.by_id.entry(id.to_owned()).or_default()
    }

    /// What the region hears of its machines; what is on a released one is gone.
    pub(crate) fn status(&mut self, world: &World, now: Moment) -> Status {
        self.by_id.retain(|id, _| world.instances.contains_key(id));
        let boot = Moment::try_from(draw::within(self.seed, "boot", 0, 8_000)).unwrap_or(0);
        let hosts = world.instances.values().map(|instance| {
            let state = match instance.is_on() {
                true if now >= instance.started + boot => HostState::Ready,
                true => HostState::Booting,
                false => HostState::Off,
            };
            (
                instance.id.clone(),
                Host { state, processes: Vec::new(), started: None, console: String::new() },
            )
        });
        let health = world.listeners.values().filter_map(|listener| {
            let group = world.server_groups.get(&listener.server_group)?;
            let servers = group.servers.iter();
            let servers = servers.map(|server| (server.key(), self.health(&server.id, server.port)));
            Some((listener.id.clone(), servers.collect()))
        });
        Status { hosts: hosts.collect(), health: health.collect(), ..Status::default() }
    }

    fn health(&self, id: &str, port: u16) -> Health {
        let serves = |machine: &Machine| {
            machine.node_active && machine.release.as_ref().is_some_and(|own| own.settings.port == port)
        };
        if self.by_id.get(id).is_some_and(serves) {
            Health::Healthy
        } else {
            Health::Unhealthy("CONNECT_FAILED".to_owned())
        }
    }

    /// The Cloud Assistant is only asked for the host key.
    pub(crate) fn run_script(&self, id: &str, script: &str) -> Result<CommandResult, String> {
        if script.contains("ssh_host_ed25519_key.pub") {
            Ok(CommandResult { exit_code: 0, output: format!("{}\n", self.host_key(id)).into_bytes() })
        } else {
            Err(format!("a machine of the simulation does not know `{script}`"))
        }
    }

    fn host_key(&self, id: &str) -> String {
        let mut blob = Vec::new();
        for part in [b"ssh-ed25519".as_slice(), &[0; 32]] {
            blob.extend(u32::try_from(part.len()).expect("short").to_be_bytes());
            blob.extend(part);
        }
        let tail = draw::number(self.seed, id).to_be_bytes();
        let end = blob.len() - tail.len();
        blob[end..].copy_from_slice(&tail);
        format!("ssh-ed25519 {}", STANDARD.encode(blob))
    }

    /// Whether a node with this password finds Redis there.
    fn redis_answers(&self, host: &str, port: u16, password: &str) -> bool {
        self.by_id.values().any(|machine| {
            let is_it = |own: &redis::Settings| own.address.to_string() == host && own.port == port;
            let there = machine.redis.as_ref().is_some_and(is_it);
            there && machine.redis_active && machine.password.as_deref() == Some(password)
        })
    }
}

/// The machines as the engine reaches them.
#[derive(Debug, Clone)]
pub(crate) struct Fleet(pub(crate) Region);

impl Fleet {
    /// The machine meant, when every machine on the way runs and holds the pinned key.
    fn reach(&self, place: Place<'_>) -> Result<String, ApplyError> {
        let state = self.0.lock();
        let mut end = String::new();
        for (hop, machine) in place.known.route(place.host).into_iter().enumerate() {
            let name = &InstanceName::new(&machine.name);
            let output = |kind, output| place.known.output(&machine.on_same_machine(kind), output);
            let missing = |what| ApplyError::Missing { address: machine.clone(), what };
            let way = if hop == 0 { Output::PublicAddress } else { Output::PrivateAddress };
            let address = output(Kind::Instance, way).ok_or_else(|| missing("address"))?;
            let key = output(Kind::HostKey, Output::HostKey);
            let key = key.ok_or_else(|| SshError::NoHostKey {
                host: name.to_string(),
                address: std::net::SocketAddr::from(([10, 0, 0, 1], 22)),
                vouched_by: Voucher::ControlPlane,
                authority: false,
            })?;
            let there = state.world.instances.values().find(|instance| {
                let own = if hop == 0 { instance.public_address } else { Some(instance.private_address) };
                own.is_some_and(|own| own.to_string() == address)
            });
            let running = there.filter(|instance| instance.status == InstanceStatus::Running);
            end.clone_from(&running.ok_or_else(|| lost(name, "connecting"))?.id);
            if key != state.machines.host_key(&end) {
                let (expected, found) = (key, state.machines.host_key(&end));
                return Err(SshError::HostKeyChanged {
                    host: name.to_string(),
                    expected,
                    found,
                    vouched_by: Voucher::ControlPlane,
                }
                .into());
            }
        }
        Ok(end)
    }

    /// One step on a machine: takes its time, may lose the connection before or after it was done.
    async fn step(
        &self,
        place: Place<'_>,
        what: &str,
        work: impl FnOnce(&mut State, &str) + Send,
    ) -> Result<(), ApplyError> {
        let name = place.host.instance();
        let (fault, time) = {
            let mut state = self.0.lock();
            let fault = state.faults.of_step(&format!("{name}.{what}"));
            (fault, draw::within(state.world.settings.seed, &format!("{name} {what}"), 20, 3_000))
        };
        tokio::time::sleep(Duration::from_millis(time)).await;
        let id = self.reach(place)?;
        if fault == Some(false) {
            return Err(lost(name, what));
        }
        let ended = {
            let mut state = self.0.lock();
            let effect = self.0.effect(&mut state);
            if effect.is_some() {
                work(&mut state, &id);
            }
            effect != Some(false)
        };
        if ended {
            std::future::pending::<()>().await;
        }
        if fault == Some(true) { Err(lost(name, what)) } else { Ok(()) }
    }

    /// A machine that was just made is given time to answer.
    async fn login(&self, place: Place<'_>) -> Result<String, ApplyError> {
        for _ in 0..60 {
            match self.reach(place) {
                Err(ApplyError::Ssh(SshError::ConnectionLost { .. })) => {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
                done => return done,
            }
        }
        self.reach(place)
    }
}

fn lost(host: &InstanceName, what: &str) -> ApplyError {
    SshError::ConnectionLost { host: host.to_string(), what: what.to_owned(), after: None, source: None }
        .into()
}

impl Hosts for Fleet {
    fn operator_key(&self) -> String {
        "ssh-ed25519 AAAA".to_owned()
    }

    fn log_in<'a>(&'a self, place: Place<'a>) -> BoxFuture<'a, Result<(), ApplyError>> {
        Box::pin(async move { self.login(place).await.map(drop) })
    }

    /// Nobody asks here.
    fn rehearse<'a>(
        &'a self,
        _place: Place<'a>,
        _work: Work<'a>,
    ) -> BoxFuture<'a, Result<Vec<Deed>, ApplyError>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn observe<'a>(&'a self, place: Place<'a>) -> BoxFuture<'a, Result<OnHost, ApplyError>> {
        Box::pin(async move {
            tokio::time::sleep(Duration::from_millis(50)).await;
            let id = self.reach(place)?;
            let machine = self.0.lock().machines.get(&id).cloned().unwrap_or_default();
            Ok(OnHost {
                redis: redis::Observed {
                    password: machine.record.is_some().then_some(machine.password).flatten().map(Secret::new),
                    enabled: machine.record.is_some(),
                    fingerprint: machine.record,
                    active: machine.redis_active,
                    edited: redis::Edited::default(),
                },
                node: node::Observed {
                    enabled: machine.release.is_some(),
                    password: machine.release.as_ref().map(|release| Secret::new(release.password.clone())),
                    release: machine.release.map(|release| release.id),
                    active: machine.node_active,
                    edited: node::Edited::default(),
                    secrets: BTreeMap::new(),
                },
            })
        })
    }

    fn install_redis<'a>(
        &'a self,
        place: Place<'a>,
        settings: &'a redis::Settings,
        _note: &'a Note,
    ) -> BoxFuture<'a, Result<(), ApplyError>> {
        Box::pin(async move {
            let id = self.login(place).await?;
            let fingerprint = redis::fingerprint(settings)?;
            let done =
                self.0.lock().machines.get(&id).is_some_and(|machine| {
                    machine.redis_active && machine.record.as_ref() == Some(&fingerprint)
                });
            if done {
                return Ok(());
            }
            self.step(place, "password", |state, id| {
                let made = format!("{:x}", draw::number(state.now().unsigned_abs(), id));
                state.machines.machine(id).password.get_or_insert(made);
            })
            .await?;
            self.step(place, "redis", |state, id| {
                let machine = state.machines.machine(id);
                machine.redis = Some(settings.clone());
                machine.redis_active = true;
            })
            .await?;
            self.step(place, "record", |state, id| {
                state.machines.machine(id).record = Some(fingerprint.clone());
            })
            .await
        })
    }

    fn redis_password<'a>(&'a self, place: Place<'a>) -> BoxFuture<'a, Result<Password, ApplyError>> {
        Box::pin(async move {
            let id = self.login(place).await?;
            let host = place.host.instance().to_string();
            let stored = self.0.lock().machines.get(&id).and_then(|machine| machine.password.clone());
            let none = DeployError::NoPassword { host, path: "the password" };
            Ok(stored.map(Secret::new).ok_or(none)?)
        })
    }

    fn remove_redis<'a>(&'a self, place: Place<'a>) -> BoxFuture<'a, Result<(), ApplyError>> {
        Box::pin(async move {
            self.step(place, "redis stop", |state, id| {
                let machine = state.machines.machine(id);
                (machine.redis, machine.redis_active) = (None, false);
            })
            .await?;
            self.step(place, "record away", |state, id| state.machines.machine(id).record = None).await
        })
    }

    fn install_release<'a>(
        &'a self,
        place: Place<'a>,
        release: NewRelease<'a>,
        _note: &'a Note,
    ) -> BoxFuture<'a, Result<(), ApplyError>> {
        Box::pin(async move {
            let id = self.login(place).await?;
            let NewRelease { wanted, settings, password, lead_away, .. } = release;
            let id_of_release = match wanted {
                node::Wanted::Built(program) => node::release_id(program, settings)?.to_string(),
                node::Wanted::Kept(release) => release.to_string(),
            };
            let new = Release {
                id: id_of_release,
                settings: settings.clone(),
                password: password.expose().clone(),
            };
            let done = self
                .0
                .lock()
                .machines
                .get(&id)
                .is_some_and(|machine| machine.node_active && machine.release.as_ref() == Some(&new));
            if done {
                return Ok(());
            }
            self.step(place, "upload", |_, _| ()).await?;
            lead_away().await?;
            let previous = self.0.lock().machines.get(&id).and_then(|machine| machine.release.clone());
            self.step(place, "release", |state, id| {
                let machine = state.machines.machine(id);
                (machine.release, machine.node_active) = (Some(new.clone()), true);
            })
            .await?;
            let (host, port) = (&settings.redis_host, settings.redis_port);
            if self.0.lock().machines.redis_answers(host, port, password.expose()) {
                return Ok(());
            }
            let trouble =
                Box::new(Trouble { why: "Redis does not answer".to_owned(), journal: String::new() });
            Err(DeployError::RolledBack {
                host: place.host.instance().to_string(),
                release: new.id,
                previous: previous.map(|own| own.id).unwrap_or_default(),
                trouble,
            }
            .into())
        })
    }

    fn releases<'a>(&'a self, place: Place<'a>) -> BoxFuture<'a, Result<Vec<node::KeptRelease>, ApplyError>> {
        Box::pin(async move {
            self.reach(place)?;
            Ok(Vec::new())
        })
    }

    fn remove_release<'a>(&'a self, place: Place<'a>) -> BoxFuture<'a, Result<(), ApplyError>> {
        Box::pin(async move {
            self.step(place, "node away", |state, id| {
                let machine = state.machines.machine(id);
                (machine.release, machine.node_active) = (None, false);
            })
            .await
        })
    }

    fn node_is_ready<'a>(
        &'a self,
        place: Place<'a>,
        _listens: (Ipv4Addr, u16),
        _path: &'a str,
    ) -> BoxFuture<'a, Result<Result<(), String>, ApplyError>> {
        Box::pin(async move {
            let id = self.login(place).await?;
            let state = self.0.lock();
            let ready =
                state.machines.get(&id).and_then(|machine| machine.release.as_ref()).is_some_and(|own| {
                    let settings = &own.settings;
                    state.machines.redis_answers(&settings.redis_host, settings.redis_port, &own.password)
                });
            Ok(if ready { Ok(()) } else { Err("Redis does not answer".to_owned()) })
        })
    }

    fn forget(&self) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}
