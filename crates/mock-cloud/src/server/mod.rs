//! The running cloud: one listener, one world behind a lock, one task that moves time on.
//!
//! 1. [`serve`] starts the data plane, listens and prints the ready line;
//! 2. each connection is served by [`http`], which sends API calls to [`gateway`], those of object storage to [`oss`] and
//!    `/_mock/` to [`admin`];
//! 3. [`Cloud::keep_time`] wakes for the next event of the world and for news of the data plane;
//! 4. after every change the data plane is told what it should look like.
//!
//! Every region has an address of its own; all of them belong to one account and one world.
//!
//! It ends on SIGTERM, SIGINT, the shutdown endpoint, or when standard input closes; whichever comes first.

mod admin;
mod admin_gates;
mod call_log;
mod connection;
pub mod faults;
mod gateway;
mod history;
mod http;
mod mentions;
mod oss;
mod page;
mod sight;

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use serde_json::json;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::api::Strictness;
use crate::auth::Nonces;
use crate::gates::Gates;
use crate::plane::{HostKind, Plane, PlaneConfig};
use crate::world::cloud_assistant::Errand;
use crate::world::ids::digest;
use crate::world::pace::Pace;
use crate::world::{Moment, Settings, World};
use call_log::CallLog;
use faults::{Faults, Seeded, SeededPlane, Wish};
use history::History;

/// How a cloud is started.
#[derive(Debug, Clone)]
pub struct Options {
    /// Address of the API in the first region; further regions take a free port beside it.
    pub listen: SocketAddr,
    /// Kind of hosts.
    pub hosts: HostKind,
    /// Speed.
    pub pace: Pace,
    /// Decides ids and keys; random when absent.
    pub seed: Option<u64>,
    /// Regions with an address; each is the region of the calls to it that name none.
    pub regions: Vec<String>,
    /// Roles beside the one that is always there, with how many seconds their sessions may last.
    pub roles: Vec<(String, i64)>,
    /// What `iss` of an OIDC token has to be; the usual one when absent.
    pub oidc_issuer: Option<String>,
    /// What `aud` of an OIDC token has to be; the usual one when absent.
    pub oidc_client: Option<String>,
    /// Faults from the start.
    pub faults: Vec<Wish>,
    /// Faults that are drawn.
    pub seeded_faults: Option<Seeded>,
    /// Faults of the data plane that are drawn.
    pub seeded_plane_faults: Option<SeededPlane>,
    /// Folder for host roots and the call log.
    pub data: Option<PathBuf>,
    /// Domains of the account.
    pub domains: Vec<String>,
    /// When to end by itself.
    pub lifetime: Lifetime,
    /// What to do with unknown parameters.
    pub strictness: Strictness,
    /// Seconds by which the clock that signatures are held against is ahead of the machine's.
    pub clock_offset: i64,
}

impl Options {
    /// The first region.
    fn region(&self) -> &str {
        self.regions.first().map(String::as_str).unwrap_or_default()
    }

    /// Gives the account what it was asked to have.
    fn furnish(&self, world: &mut World) {
        for (name, session_seconds) in &self.roles {
            world.account.add_role(name, *session_seconds);
        }
        if let Some(issuer) = &self.oidc_issuer {
            world.account.provider.issuer.clone_from(issuer);
        }
        if let Some(client) = &self.oidc_client {
            world.account.provider.client_ids = vec![client.clone()];
        }
    }
}

/// When a cloud ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lifetime {
    /// On a signal or a call.
    UntilTold,
    /// Also when standard input closes.
    UntilInputCloses,
}

/// Why a cloud could not be started.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The data folder.
    #[error("the data folder {path} cannot be used")]
    Data {
        /// Which folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The API's address.
    #[error("{address} cannot be listened on")]
    Listen {
        /// Which address.
        address: SocketAddr,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Faults that this kind of hosts cannot have.
    #[error("the faults cannot be had: {0}")]
    Faults(String),
    /// The data plane.
    #[error("the data plane cannot be started")]
    Plane(#[source] std::io::Error),
    /// Signals or standard output.
    #[error("the process cannot talk to its starter")]
    Process(#[source] std::io::Error),
}

/// The running cloud.
#[derive(Debug)]
struct Cloud {
    state: Mutex<State>,
    plane: Plane,
    gates: Gates,
    log: CallLog,
    options: Options,
    seed: u64,
    /// Addresses by region.
    endpoints: BTreeMap<String, String>,
    admin_token: String,
    /// Milliseconds by which the world is ahead of the machine.
    ahead: AtomicI64,
    /// Wakes the time keeper: the next event may be sooner than it thinks.
    changed: Notify,
    /// Wakes the main task: it is time to end.
    stop: Notify,
}

/// What calls change.
#[derive(Debug)]
struct State {
    world: World,
    nonces: Nonces,
    faults: Faults,
    history: History,
    requests: u64,
    /// Revision of the world that the data plane was told of.
    told: Option<u64>,
}

/// Runs a cloud until it is told to stop.
///
/// # Errors
/// When it cannot be started; once it runs it ends without one.
pub async fn serve(options: Options) -> Result<(), ServeError> {
    let (data, temporary) = data_folder(&options)?;
    let data_error = |source| ServeError::Data { path: data.clone(), source };
    let log = CallLog::open(&data.join("calls.ndjson")).map_err(data_error)?;
    let listeners = listen(&options).await?;
    let gates = Gates::default();
    let config = PlaneConfig { hosts: options.hosts, data: data.clone(), gates: gates.clone() };
    let plane = Plane::start(config).await.map_err(ServeError::Plane)?;
    for wish in &options.faults {
        wish.check_with(&plane).await.map_err(ServeError::Faults)?;
    }
    let cloud = Arc::new(Cloud::new(options, (plane, gates), log, &listeners)?);
    let mut terminate = signal(SignalKind::terminate()).map_err(ServeError::Process)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(ServeError::Process)?;
    if cloud.options.lifetime == Lifetime::UntilInputCloses {
        watch_input(&cloud);
    }
    cloud.settle(&mut cloud.lock());
    cloud.print_ready_line().map_err(ServeError::Process)?;
    let mut accepting = JoinSet::new();
    for (region, listener) in listeners {
        accepting.spawn(http::accept(Arc::clone(&cloud), listener, region));
    }
    tokio::select! {
        () = cloud.keep_time() => {}
        () = cloud.stop.notified() => {}
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    cloud.plane.shutdown().await;
    drop(temporary);
    Ok(())
}

/// One listener a region, in the order they were given.
async fn listen(options: &Options) -> Result<Vec<(String, TcpListener)>, ServeError> {
    let mut listeners = Vec::new();
    for region in &options.regions {
        let port = if listeners.is_empty() { options.listen.port() } else { 0 };
        let address = SocketAddr::new(options.listen.ip(), port);
        let listener = TcpListener::bind(address).await;
        listeners.push((region.clone(), listener.map_err(|source| ServeError::Listen { address, source })?));
    }
    Ok(listeners)
}

/// The data folder, and what removes it at the end when it is a temporary one.
fn data_folder(options: &Options) -> Result<(PathBuf, Option<tempfile::TempDir>), ServeError> {
    use std::os::unix::fs::DirBuilderExt as _;
    if let Some(path) = &options.data {
        let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
        made.map_err(|source| ServeError::Data { path: path.clone(), source })?;
        return Ok((path.clone(), None));
    }
    let made = tempfile::Builder::new().prefix("mock-cloud-").tempdir();
    let folder = made.map_err(|source| ServeError::Data { path: std::env::temp_dir(), source })?;
    Ok((folder.path().to_owned(), Some(folder)))
}

/// A thread of its own: reading standard input cannot be cancelled, and must not keep the process alive.
fn watch_input(cloud: &Arc<Cloud>) {
    let cloud = Arc::clone(cloud);
    std::thread::spawn(move || {
        let mut buffer = [0; 256];
        while matches!(std::io::stdin().lock().read(&mut buffer), Ok(count) if count > 0) {}
        cloud.stop.notify_one();
    });
}

impl Cloud {
    fn new(
        options: Options,
        (plane, gates): (Plane, Gates),
        log: CallLog,
        listeners: &[(String, TcpListener)],
    ) -> Result<Self, ServeError> {
        let mut endpoints = BTreeMap::new();
        for (region, listener) in listeners {
            let address = listener.local_addr().map_err(ServeError::Process)?;
            endpoints.insert(region.clone(), format!("http://{address}"));
        }
        let seed = options.seed.unwrap_or_else(rand::random);
        let settings = Settings {
            region: options.region().to_owned(),
            pace: options.pace,
            seed,
            hosts: options.hosts,
            domains: options.domains.iter().map(|name| name.to_ascii_lowercase()).collect(),
        };
        let mut world = World::new(settings, now());
        options.furnish(&mut world);
        let state = State {
            world,
            nonces: Nonces::default(),
            faults: Faults::new(options.faults.clone(), options.seeded_faults, now()).drawing(
                options.seeded_plane_faults,
                options.hosts,
                now(),
            ),
            history: History::default(),
            requests: 0,
            told: None,
        };
        Ok(Self {
            state: Mutex::new(state),
            plane,
            gates,
            log,
            seed,
            endpoints,
            admin_token: hex::encode(&digest(seed, "admin token", "")[..16]),
            ahead: AtomicI64::new(0),
            changed: Notify::new(),
            stop: Notify::new(),
            options,
        })
    }

    /// The address of the first region.
    fn endpoint(&self) -> &str {
        self.endpoints.get(self.options.region()).map(String::as_str).unwrap_or_default()
    }

    /// The state, with the world moved on to now.
    fn lock(&self) -> MutexGuard<'_, State> {
        let mut state = self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        state.world.advance(self.now());
        state
    }

    /// Lets time pass for the world: until its next event, or until somebody has news.
    async fn keep_time(self: &Arc<Self>) {
        loop {
            let (due, fault) = {
                let mut state = self.lock();
                state.world.observe(&self.plane.status());
                self.settle(&mut state);
                (state.world.next_due(), state.faults.next(now()))
            };
            // Faults are of the machine's time, since what they do is.
            let waits = [due.map(|due| due - self.now()), fault.map(|fault| fault - now())];
            let wait = waits.into_iter().flatten().min().map_or(Duration::from_hours(1), |wait| {
                Duration::from_millis(u64::try_from(wait).unwrap_or(0).max(1))
            });
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.changed.notified() => {}
                () = self.plane.changed() => {}
            }
        }
    }

    /// What has to follow every change: due events, errands, news for the data plane.
    fn settle(self: &Arc<Self>, state: &mut State) {
        state.world.advance(self.now());
        for errand in std::mem::take(&mut state.world.errands) {
            tokio::spawn(Arc::clone(self).run(errand));
        }
        let State { world, faults, .. } = state;
        if faults.pass(world, now()) {
            world.touch();
        }
        self.tell_plane(state);
        let State { world, faults, history, .. } = state;
        history.keep(world, faults.longest_staleness());
    }

    /// Hands the data plane what it should look like, when something happened since it was told.
    fn tell_plane(&self, state: &mut State) {
        if state.told == Some(state.world.revision()) {
            return;
        }
        state.told = Some(state.world.revision());
        let mut desired = state.world.desired();
        for instance in desired.instances.values_mut() {
            let name = state.world.instances.get(&instance.id).map(|instance| instance.name.as_str());
            instance.refuses_ssh = name.is_some_and(|name| state.faults.refuses_ssh(name));
        }
        desired.troubles = state.faults.troubles(&state.world, now());
        self.plane.reconcile(desired);
    }

    /// Runs a script on its host and brings the result back.
    async fn run(self: Arc<Self>, errand: Errand) {
        let limit = Duration::from_secs(u64::try_from(errand.timeout_seconds).unwrap_or(60));
        let running = self.plane.run_command(&errand.instance, &errand.script);
        let result = tokio::select! {
            result = tokio::time::timeout(limit, running) => {
                result.unwrap_or_else(|_| Err("the script did not end within its timeout".to_owned()))
            }
            () = errand.stop.cancelled() => Err("the script was stopped".to_owned()),
        };
        self.lock().world.script_ended(&errand.invocation, &errand.instance, result);
    }

    /// The moment of the world.
    fn now(&self) -> Moment {
        now() + self.ahead.load(Ordering::Relaxed)
    }

    /// Lets this time pass at once.
    fn pass(self: &Arc<Self>, milliseconds: i64) {
        self.ahead.fetch_add(milliseconds, Ordering::Relaxed);
        self.settle(&mut self.lock());
        self.changed.notify_one();
    }

    /// The clock that signatures are held against.
    fn clock(&self) -> Moment {
        now() + self.options.clock_offset * 1_000
    }

    /// The same as the `Date` header of a reply, from which callers learn how far their own is off.
    fn date(&self) -> String {
        let clock = jiff::Timestamp::from_millisecond(self.clock()).unwrap_or_default();
        connection::http_date(clock)
    }

    fn console(&self) -> String {
        format!("{}/#token={}", self.endpoint(), self.admin_token)
    }

    fn hosts_word(&self) -> &'static str {
        match self.options.hosts {
            HostKind::None => "none",
            HostKind::Process => "process",
            HostKind::Machine => "machine",
        }
    }

    fn print_ready_line(&self) -> std::io::Result<()> {
        let account = self.lock().world.account.clone();
        let line = json!({
            "ready": true,
            "version": 1,
            "pid": std::process::id(),
            "endpoint": self.endpoint(),
            "endpoints": self.endpoints,
            "dns": self.plane.dns().to_string(),
            "console": self.console(),
            "admin_token": self.admin_token,
            "region": self.options.region(),
            "hosts": self.hosts_word(),
            "pace": self.options.pace.as_str(),
            "account": {
                "id": account.id,
                "access_key_id": account.access_key_id,
                "access_key_secret": account.access_key_secret.expose(),
            },
            "ram_user": {
                "name": account.user.name,
                "access_key_id": account.user.access_key_id,
                "access_key_secret": account.user.access_key_secret.expose(),
            },
            "roles": account.roles.keys().map(|name| account.role_arn(name)).collect::<Vec<_>>(),
            "oidc_provider": {
                "arn": account.provider_arn(),
                "issuer": account.provider.issuer,
                "client_ids": account.provider.client_ids,
            },
        });
        let mut output = std::io::stdout().lock();
        writeln!(output, "{line}")?;
        output.flush()
    }
}

/// The outer clock.
fn now() -> Moment {
    jiff::Timestamp::now().as_millisecond()
}
