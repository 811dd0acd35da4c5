//! The running cloud: one listener, one world behind a lock, one task that moves time on.
//!
//! 1. [`serve`] starts the data plane, listens and prints the ready line;
//! 2. each connection is served by [`http`], which sends API calls to [`gateway`] and `/_mock/` to [`admin`];
//! 3. [`Cloud::keep_time`] wakes for the next event of the world and for news of the data plane;
//! 4. after every change the data plane is told what it should look like.
//!
//! It ends on SIGTERM, SIGINT, the shutdown endpoint, or when standard input closes; whichever comes first.

mod admin;
mod call_log;
mod faults;
mod gateway;
mod http;

use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use hyper::header::HeaderValue;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;

use crate::api::Strictness;
use crate::auth::{AccessKey, Nonces};
use crate::plane::spec::Desired;
use crate::plane::{HostKind, Plane, PlaneConfig};
use crate::world::cloud_assistant::Errand;
use crate::world::ids::digest;
use crate::world::pace::Pace;
use crate::world::{Moment, Settings, World};
use call_log::CallLog;
use faults::Faults;

/// How a cloud is started.
#[derive(Debug, Clone)]
pub struct Options {
    /// Address of the API.
    pub listen: SocketAddr,
    /// Kind of hosts.
    pub hosts: HostKind,
    /// Speed.
    pub pace: Pace,
    /// Decides ids and keys; random when absent.
    pub seed: Option<u64>,
    /// Region of calls that name none.
    pub region: String,
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
    log: CallLog,
    options: Options,
    seed: u64,
    endpoint: String,
    admin_token: String,
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
    requests: u64,
    told: Option<Desired>,
}

/// Runs a cloud until it is told to stop.
///
/// # Errors
/// When it cannot be started; once it runs it ends without one.
pub async fn serve(options: Options) -> Result<(), ServeError> {
    let (data, temporary) = data_folder(&options)?;
    let data_error = |source| ServeError::Data { path: data.clone(), source };
    let log = CallLog::open(&data.join("calls.ndjson")).map_err(data_error)?;
    let listener = TcpListener::bind(options.listen)
        .await
        .map_err(|source| ServeError::Listen { address: options.listen, source })?;
    let address = listener.local_addr().map_err(ServeError::Process)?;
    let plane = Plane::start(PlaneConfig { hosts: options.hosts, data: data.clone() }).await;
    let cloud = Arc::new(Cloud::new(options, plane.map_err(ServeError::Plane)?, log, address));
    let mut terminate = signal(SignalKind::terminate()).map_err(ServeError::Process)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(ServeError::Process)?;
    if cloud.options.lifetime == Lifetime::UntilInputCloses {
        watch_input(&cloud);
    }
    cloud.tell_plane(&mut cloud.lock());
    cloud.print_ready_line().map_err(ServeError::Process)?;
    tokio::select! {
        () = http::accept(Arc::clone(&cloud), listener) => {}
        () = cloud.keep_time() => {}
        () = cloud.stop.notified() => {}
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    cloud.plane.shutdown().await;
    drop(temporary);
    Ok(())
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
    fn new(options: Options, plane: Plane, log: CallLog, address: SocketAddr) -> Self {
        let seed = options.seed.unwrap_or_else(rand::random);
        let settings = Settings {
            region: options.region.clone(),
            pace: options.pace,
            seed,
            hosts: options.hosts,
            domains: options.domains.iter().map(|name| name.to_ascii_lowercase()).collect(),
        };
        let state = State {
            world: World::new(settings, now()),
            nonces: Nonces::default(),
            faults: Faults::default(),
            requests: 0,
            told: None,
        };
        Self {
            state: Mutex::new(state),
            plane,
            log,
            seed,
            endpoint: format!("http://{address}"),
            admin_token: hex::encode(&digest(seed, "admin token", "")[..16]),
            changed: Notify::new(),
            stop: Notify::new(),
            options,
        }
    }

    /// The state, with the world moved on to now.
    fn lock(&self) -> MutexGuard<'_, State> {
        let mut state = self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        state.world.advance(now());
        state
    }

    /// Lets time pass for the world: until its next event, or until somebody has news.
    async fn keep_time(self: &Arc<Self>) {
        loop {
            let due = {
                let mut state = self.lock();
                state.world.observe(&self.plane.status());
                self.settle(&mut state);
                state.world.next_due()
            };
            let wait = due.map_or(Duration::from_hours(1), |due| {
                Duration::from_millis(u64::try_from(due - now()).unwrap_or(0).max(1))
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
        state.world.advance(now());
        for errand in std::mem::take(&mut state.world.errands) {
            tokio::spawn(Arc::clone(self).run(errand));
        }
        self.tell_plane(state);
    }

    fn tell_plane(&self, state: &mut State) {
        let mut desired = state.world.desired();
        for instance in desired.instances.values_mut() {
            let name = state.world.instances.get(&instance.id).map(|instance| instance.name.as_str());
            instance.refuses_ssh = name.is_some_and(|name| state.faults.refuses_ssh(name));
        }
        if state.told.as_ref() != Some(&desired) {
            state.told = Some(desired.clone());
            self.plane.reconcile(desired);
        }
    }

    /// Runs a script on its host and brings the result back.
    async fn run(self: Arc<Self>, errand: Errand) {
        let limit = Duration::from_secs(u64::try_from(errand.timeout_seconds).unwrap_or(60));
        let running = self.plane.run_command(&errand.instance, &errand.script);
        let result = tokio::time::timeout(limit, running).await;
        let result = result.unwrap_or_else(|_| Err("the script did not end within its timeout".to_owned()));
        self.lock().world.script_ended(&errand.invocation, &errand.instance, result);
    }

    /// The clock that signatures are held against.
    fn clock(&self) -> Moment {
        now() + self.options.clock_offset * 1_000
    }

    /// The same as the `Date` header of a reply, from which callers learn how far their own is off.
    fn date(&self) -> HeaderValue {
        let clock = jiff::Timestamp::from_millisecond(self.clock()).unwrap_or_default();
        let date = clock.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
        HeaderValue::from_str(&date).unwrap_or_else(|_| HeaderValue::from_static("unknown"))
    }

    fn access_key(state: &State) -> AccessKey {
        let account = &state.world.account;
        AccessKey { id: account.access_key_id.clone(), secret: account.access_key_secret.clone() }
    }

    fn console(&self) -> String {
        format!("{}/_mock/console?token={}", self.endpoint, self.admin_token)
    }

    fn hosts_word(&self) -> &'static str {
        match self.options.hosts {
            HostKind::None => "none",
            HostKind::Process => "process",
        }
    }

    fn print_ready_line(&self) -> std::io::Result<()> {
        let account = self.lock().world.account.clone();
        let line = json!({
            "ready": true,
            "version": 1,
            "pid": std::process::id(),
            "endpoint": self.endpoint,
            "dns": self.plane.dns().to_string(),
            "console": self.console(),
            "admin_token": self.admin_token,
            "region": self.options.region,
            "hosts": self.hosts_word(),
            "pace": self.options.pace.as_str(),
            "account": {
                "id": account.id,
                "access_key_id": account.access_key_id,
                "access_key_secret": account.access_key_secret,
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
