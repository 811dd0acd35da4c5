//! One managed Redis instance: a task that keeps its `redis-server` as wanted, whatever happens to the process.
//!
//! What can be changed while it runs is; another number of restarts is another process over the same data. A process
//! that ends by itself is started again.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rand::RngCore;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::plane::host::process::{self, Launch, Running, Supervisor, outer_program};
use crate::plane::network::Network;
use crate::plane::redis::access::{self, Users};
use crate::plane::redis::control::{Control, Place};
use crate::plane::redis::door::Door;
use crate::plane::redis::settings::{self, ACCESS, CONFIGURATION};
use crate::plane::report::Changed;
use crate::plane::spec::Redis;
use crate::secret::Secret;

/// What could not be started is tried again after this.
const RETRY: Duration = Duration::from_secs(1);
/// How long a server may take to write down what it holds.
const STOP_LIMIT: Duration = Duration::from_secs(20);
const TERMINATE: i32 = 15;
const KILL: i32 = 9;

/// A server and its door; it ends with its files when it is told to.
pub(super) struct Server {
    pub(super) door: Arc<Door>,
    wish: watch::Sender<Option<Redis>>,
    in_force: Arc<Mutex<Option<u64>>>,
    task: tokio::sync::Mutex<Option<JoinHandle<()>>>,
}

impl Server {
    /// Begins to keep a server.
    pub(super) fn keep(
        folder: PathBuf,
        redis: Redis,
        (supervisor, network, changed): (Supervisor, Arc<Network>, Changed),
    ) -> Self {
        let (wish, wanted) = watch::channel(Some(redis));
        let door = Arc::new(Door::new(network));
        let in_force = Arc::new(Mutex::new(None));
        let keeper = Keeper {
            folder,
            supervisor,
            changed,
            door: Arc::clone(&door),
            in_force: Arc::clone(&in_force),
            password: own_password(),
        };
        let task = tokio::sync::Mutex::new(Some(tokio::spawn(keeper.run(wanted))));
        Self { door, wish, in_force, task }
    }

    /// It should be like this.
    pub(super) fn want(&self, redis: Redis) {
        self.wish.send_if_modified(|wish| {
            let is_new = wish.as_ref() != Some(&redis);
            if is_new {
                *wish = Some(redis);
            }
            is_new
        });
    }

    /// The revision that is in force, once it answers.
    pub(super) fn in_force(&self) -> Option<u64> {
        *self.in_force.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends it with what it holds, and waits for that.
    pub(super) async fn end(&self) {
        self.door.close();
        self.wish.send_replace(None);
        if let Some(task) = self.task.lock().await.take() {
            let _ = task.await;
        }
    }
}

/// A password that nobody else knows.
fn own_password() -> Secret {
    let mut bytes = [0; 32];
    rand::rng().fill_bytes(&mut bytes);
    Secret::new(hex::encode(bytes))
}

/// The task of a server.
struct Keeper {
    folder: PathBuf,
    supervisor: Supervisor,
    changed: Changed,
    door: Arc<Door>,
    in_force: Arc<Mutex<Option<u64>>>,
    password: Secret,
}

/// A process that answers.
struct Process {
    running: Running,
    control: Control,
    /// Which of its starts it is.
    restarts: u64,
}

impl Keeper {
    async fn run(self, mut wanted: watch::Receiver<Option<Redis>>) {
        let mut process: Option<Process> = None;
        loop {
            let wish = wanted.borrow_and_update().clone();
            let Some(redis) = wish else {
                self.stop(process, KILL).await;
                return self.remove_files().await;
            };
            self.door.allow(redis.allowed.clone());
            process = match self.follow(&redis, process).await {
                Ok(process) => Some(process),
                Err(error) => {
                    tracing::warn!(redis = redis.id, %error, "a managed Redis cannot be had");
                    self.show(None);
                    None
                }
            };
            let ended = async {
                match &mut process {
                    Some(process) => drop(process.running.end().await),
                    None => tokio::time::sleep(RETRY).await,
                }
            };
            tokio::select! {
                changed = wanted.changed() => if changed.is_err() { return self.stop(process, KILL).await },
                () = ended => {
                    if process.take().is_some() {
                        tracing::warn!(redis = redis.id, "a managed Redis ended by itself");
                        self.show(None);
                    }
                }
            }
        }
    }

    /// Brings the server to where it should be.
    async fn follow(&self, redis: &Redis, process: Option<Process>) -> io::Result<Process> {
        let users = access::users(redis, &self.password);
        let mut process = match process {
            Some(process) if process.restarts == redis.restarts => process,
            old => {
                self.stop(old, TERMINATE).await;
                self.start(redis, &users).await?
            }
        };
        process.control.apply(&settings::wanted(redis), &users).await?;
        self.show(Some(redis.revision));
        Ok(process)
    }

    async fn start(&self, redis: &Redis, users: &Users) -> io::Result<Process> {
        let program = outer_program("redis-server").ok_or_else(|| {
            io::Error::other("there is no redis-server on this computer: install the package redis-server")
        })?;
        let (folder, configuration, access) =
            (self.folder.clone(), settings::configuration(redis), access::file(users));
        let written = tokio::task::spawn_blocking(move || write(&folder, &configuration, &access));
        let place = Arc::new(written.await.map_err(io::Error::other)??);
        let launch = Launch {
            program,
            arguments: vec![CONFIGURATION.to_owned()],
            environment: std::collections::BTreeMap::new(),
            directory: self.folder.clone(),
        };
        let (mut running, mut printed) = process::start(&self.supervisor, launch).await?;
        // It writes into a file of its own; what it says before it has read that it should would fill the pipe.
        tokio::spawn(async move {
            let mut nowhere = tokio::io::sink();
            let _ = tokio::io::copy(&mut printed.stdout, &mut nowhere).await;
        });
        let control = tokio::select! {
            control = Control::connect(&place, &self.password) => control?,
            end = running.end() => {
                return Err(io::Error::other(format!("redis-server ended at once ({end:?}), see its log")));
            }
        };
        self.door.lead_to(Some(place));
        Ok(Process { running, control, restarts: redis.restarts })
    }

    /// Ends a process, gently when it is told so.
    async fn stop(&self, process: Option<Process>, signal: i32) {
        self.show(None);
        self.door.lead_to(None);
        let Some(mut process) = process else { return };
        process.running.signal(signal).await;
        if tokio::time::timeout(STOP_LIMIT, process.running.end()).await.is_err() {
            process.running.signal(KILL).await;
            process.running.end().await;
        }
    }

    async fn remove_files(&self) {
        let folder = self.folder.clone();
        let _ = tokio::task::spawn_blocking(move || std::fs::remove_dir_all(folder)).await;
    }

    fn show(&self, revision: Option<u64>) {
        *self.in_force.lock().unwrap_or_else(PoisonError::into_inner) = revision;
        self.changed.notify();
    }
}

/// Writes what a server reads at its start, for this user alone. A socket that is left would not be listened on.
fn write(folder: &Path, configuration: &str, access: &str) -> io::Result<Place> {
    use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    for (name, text) in [(CONFIGURATION, configuration), (ACCESS, access)] {
        let mut options = std::fs::OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(folder.join(name))?;
        io::Write::write_all(&mut file, text.as_bytes())?;
    }
    Place::open(folder)
}
