//! The service manager of a host: units over real processes, as systemd runs them.
//!
//! 1. A definition is read when a unit is first named and again at `daemon-reload`, never in between.
//! 2. A start returns once the program was executed (or was not: status 203); with `Type=notify`, once it said that it
//!    is ready. Its `notify` socket and what is expected of it there are in `vigil`.
//! 3. One task a running unit waits for its end or for an order, and starts it again when the unit says so.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::plane::host::console::Console;
use crate::plane::host::journal::{Format, Journal};
use crate::plane::host::keeper::Keeper;
use crate::plane::host::machine::Machine;
use crate::plane::host::notify::Listener;
use crate::plane::host::process::{self, Printed, Running};
use crate::plane::host::unit::{Unit, environment_file};
use crate::plane::host::vigil::Vigil;
use crate::plane::spec;

/// Folders searched for unit files, the administrator's first.
const FOLDERS: &[&str] = &["/etc/systemd/system", "/usr/lib/systemd/system"];
/// In whose journal the host itself speaks; no unit can be called so.
const HOST: &str = "/";
/// Signals a unit is sent by their numbers, as the supervisor takes them.
pub(super) const SIGKILL: i32 = 9;
pub(super) const SIGCONT: i32 = 18;
pub(super) const SIGSTOP: i32 = 19;
/// `EXIT_EXEC`: what systemd reports when a program could not be executed.
const NOT_EXECUTED: i32 = 203;

/// What systemd calls the active state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Active {
    #[default]
    Inactive,
    /// Its program was executed, but has not said yet that it is ready.
    Starting,
    /// It is started again in a moment.
    Activating,
    Running,
    Deactivating,
    Failed,
}

impl Active {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Inactive => "inactive",
            Self::Starting | Self::Activating => "activating",
            Self::Running => "active",
            Self::Deactivating => "deactivating",
            Self::Failed => "failed",
        }
    }
}

/// What is known of a unit at a moment.
#[derive(Debug, Clone, Default)]
pub(crate) struct State {
    pub(crate) active: Active,
    pub(crate) pid: Option<u32>,
    pub(crate) restarts: u32,
    /// `success`, `exit-code`, `signal`, `protocol`, `timeout` or `watchdog`.
    pub(crate) result: &'static str,
    /// Status or signal of the last main process.
    pub(crate) status: i32,
}

impl State {
    /// systemd's finer state.
    pub(crate) fn sub_state(&self) -> &'static str {
        match self.active {
            Active::Inactive => "dead",
            Active::Starting => "start",
            Active::Activating => "auto-restart",
            Active::Running => "running",
            Active::Deactivating => "stop-sigterm",
            Active::Failed => "failed",
        }
    }
}

/// Why a job did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum JobError {
    /// There is no such unit file.
    NotFound,
    /// Its file cannot be used.
    BadSetting(String),
    /// It was started and failed.
    Failed,
}

/// A program that was executed, and what goes with it.
pub(super) struct Launched {
    pub(super) running: Running,
    pub(super) output: JoinSet<()>,
    pub(super) vigil: Vigil,
}

/// What a running unit is told.
pub(super) enum Order {
    Stop(oneshot::Sender<()>),
    /// The machine is switched off: no time to say goodbye.
    Kill(oneshot::Sender<()>),
    /// Its processes are sent a signal, and it is looked after as before.
    Signal(i32),
}

/// What is kept of a unit.
#[derive(Default)]
pub(super) struct Entry {
    definition: Option<Unit>,
    pub(super) state: State,
    journal: Arc<Mutex<Journal>>,
    pub(super) orders: Option<mpsc::Sender<Order>>,
    /// One job at a time, but for the time in which a start waits for its program to be ready.
    jobs: Arc<tokio::sync::Mutex<()>>,
    /// One start at a time, until the program is ready.
    starts: Arc<tokio::sync::Mutex<()>>,
    pub(super) recent_restarts: Vec<Instant>,
}

/// All units of a host that were ever named.
#[derive(Default)]
pub(crate) struct Services {
    entries: Mutex<BTreeMap<String, Entry>>,
    /// What the service manager says aloud.
    pub(crate) console: Console,
}

/// `chat-node` is short for `chat-node.service`.
pub(crate) fn full_name(unit: &str) -> String {
    if unit.contains('.') { unit.to_owned() } else { format!("{unit}.service") }
}

impl Services {
    pub(super) fn with<T>(&self, unit: &str, use_it: impl FnOnce(&mut Entry) -> T) -> T {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        use_it(entries.entry(unit.to_owned()).or_default())
    }

    /// Forgets all definitions, so that they are read again.
    pub(crate) fn reload(&self) {
        for entry in self.entries.lock().unwrap_or_else(PoisonError::into_inner).values_mut() {
            entry.definition = None;
        }
    }

    /// How a unit is, as far as it was ever started.
    pub(crate) fn state(&self, unit: &str) -> State {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.get(unit).map(|entry| entry.state.clone()).unwrap_or_default()
    }

    /// Clears a failure.
    pub(crate) fn reset(&self, unit: Option<&str>) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        for (name, entry) in entries.iter_mut() {
            if unit.is_none_or(|unit| unit == name) && entry.state.active == Active::Failed {
                entry.state = State::default();
                entry.recent_restarts.clear();
            }
        }
    }

    /// Lines of these units after this number, in the order in which they were said.
    pub(crate) fn said_by(
        &self,
        units: &[String],
        after: u64,
        host: &str,
        format: Format,
    ) -> Vec<(u64, String)> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        lines_of(units.iter().filter_map(|unit| entries.get(unit)), after, host, format)
    }

    /// What all units and the host itself said after this number, in the order in which they said it.
    pub(crate) fn said(&self, after: u64, host: &str) -> spec::Said {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let lines = lines_of(entries.values(), after, host, Format::Short);
        drop(entries);
        let place = lines.last().map_or(after, |(number, _)| *number).to_string();
        spec::Said { text: lines.into_iter().map(|(_, line)| line).collect(), place }
    }

    /// Says something in the name of the host itself, on its console and in its journal.
    pub(crate) fn announce(&self, message: &str) {
        let journal = self.with(HOST, |entry| Arc::clone(&entry.journal));
        journal.lock().unwrap_or_else(PoisonError::into_inner).add("systemd[1]", message);
        self.console.add(message);
    }

    /// Units that run or ran, for the status.
    pub(crate) fn processes(&self) -> Vec<spec::Process> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let known = entries.iter().filter(|(_, entry)| !entry.state.result.is_empty());
        known
            .map(|(unit, entry)| spec::Process {
                unit: unit.clone(),
                pid: entry.state.pid,
                state: entry.state.active.word().to_owned(),
            })
            .collect()
    }

    pub(super) fn note(&self, unit: &str, source: &str, message: &str) {
        tracing::debug!(unit, source, message, "journal");
        let journal = self.with(unit, |entry| Arc::clone(&entry.journal));
        journal.lock().unwrap_or_else(PoisonError::into_inner).add(source, message);
        if source == "systemd[1]" {
            self.console.add(message);
        }
    }
}

impl Machine {
    /// Where a unit's file is.
    pub(crate) fn unit_file(&self, unit: &str) -> Option<String> {
        if unit.contains('/') {
            return None;
        }
        FOLDERS.iter().map(|folder| format!("{folder}/{unit}")).find(|path| self.root.exists(path))
    }

    /// The definition of a unit: the one read before, else its file.
    pub(crate) fn unit(&self, unit: &str) -> Result<Unit, JobError> {
        if let Some(definition) = self.services.with(unit, |entry| entry.definition.clone()) {
            return Ok(definition);
        }
        let path = self.unit_file(unit).ok_or(JobError::NotFound)?;
        let text = self.root.read_text(&path).map_err(|_| JobError::NotFound)?;
        let definition = Unit::parse(&text).map_err(|error| {
            self.services.note(unit, "systemd[1]", &format!("{unit}: {error}"));
            JobError::BadSetting(error.to_string())
        })?;
        self.services.with(unit, |entry| entry.definition = Some(definition.clone()));
        Ok(definition)
    }

    /// Starts a unit unless it runs.
    pub(crate) async fn start_unit(self: &Arc<Self>, unit: &str) -> Result<(), JobError> {
        let starts = self.services.with(unit, |entry| Arc::clone(&entry.starts));
        let _start = starts.lock().await;
        let definition = self.unit(unit)?;
        if definition.is_one_shot {
            return self.run_once(unit, definition).await;
        }
        match self.begin_start(unit).await? {
            // A stop, or an end before it was ready, drops the other end.
            Some(started) => started.await.map_err(|_| JobError::Failed),
            None => Ok(()),
        }
    }

    /// Executes a unit's program unless it runs; what comes back tells when it has started.
    async fn begin_start(self: &Arc<Self>, unit: &str) -> Result<Option<oneshot::Receiver<()>>, JobError> {
        let jobs = self.services.with(unit, |entry| Arc::clone(&entry.jobs));
        let _job = jobs.lock().await;
        match self.services.state(unit).active {
            Active::Running => return Ok(None),
            Active::Activating | Active::Starting => self.order(unit, Order::Stop).await,
            Active::Inactive | Active::Deactivating | Active::Failed => {}
        }
        self.services.with(unit, |entry| {
            entry.state = State { active: Active::Activating, ..State::default() };
            entry.recent_restarts.clear();
        });
        match self.execute_unit(unit).await {
            Ok(launched) => {
                let (orders, inbox) = mpsc::channel(4);
                let (started, has_started) = oneshot::channel();
                self.services.with(unit, |entry| entry.orders = Some(orders.clone()));
                let keeper = Keeper {
                    machine: Arc::clone(self),
                    unit: unit.to_owned(),
                    inbox,
                    own: orders,
                    started: Some(started),
                };
                tokio::spawn(keeper.run(launched));
                Ok(Some(has_started))
            }
            Err(error) => {
                if self.services.state(unit).active == Active::Activating {
                    self.services.with(unit, |entry| entry.state = State::default());
                }
                self.changed.notify();
                Err(error)
            }
        }
    }

    /// Stops a unit and waits for that; a failed one stays failed.
    pub(crate) async fn stop_unit(self: &Arc<Self>, unit: &str) -> Result<(), JobError> {
        self.end_task(unit);
        let jobs = self.services.with(unit, |entry| Arc::clone(&entry.jobs));
        let _job = jobs.lock().await;
        let is_known = self.services.with(unit, |entry| entry.orders.is_some());
        if !is_known && self.unit_file(unit).is_none() {
            return Err(JobError::NotFound);
        }
        self.order(unit, Order::Stop).await;
        Ok(())
    }

    /// Kills everything that runs; used when the machine is switched off.
    pub(crate) async fn kill_units(self: &Arc<Self>) {
        self.end_tasks();
        let units: Vec<String> = {
            let entries = self.services.entries.lock().unwrap_or_else(PoisonError::into_inner);
            entries.keys().cloned().collect()
        };
        let mut ends = JoinSet::new();
        for unit in units {
            let machine = Arc::clone(self);
            ends.spawn(async move { machine.order(&unit, Order::Kill).await });
        }
        while ends.join_next().await.is_some() {}
        self.services.entries.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Sends a signal to the processes of a unit that runs; whatever comes of it comes as if they had sent it.
    pub(crate) async fn signal_unit(&self, unit: &str, signal: i32) {
        if let Some(orders) = self.services.with(unit, |entry| entry.orders.clone()) {
            let _ = orders.send(Order::Signal(signal)).await;
        }
    }

    async fn order(&self, unit: &str, order: impl FnOnce(oneshot::Sender<()>) -> Order) {
        let orders = self.services.with(unit, |entry| entry.orders.clone());
        let (done, is_done) = oneshot::channel();
        if let Some(orders) = orders
            && orders.send(order(done)).await.is_ok()
        {
            let _ = is_done.await;
        }
    }

    /// Runs what comes before the start, then the program itself.
    pub(super) async fn execute_unit(self: &Arc<Self>, unit: &str) -> Result<Launched, JobError> {
        let definition = self.unit(unit)?;
        self.services.note(unit, "systemd[1]", &format!("Starting {}...", title(unit, &definition)));
        for line in &definition.before_start {
            let outcome = self.run_quietly(&line.argv).await;
            if outcome.status != 0 && !line.may_fail {
                let text = String::from_utf8_lossy(&outcome.stderr).into_owned();
                self.services.note(unit, &line.argv.join(" "), text.trim_end());
                return Err(self.fail(unit, "exit-code", outcome.status, "Control process exited"));
            }
        }
        let mut vigil = Vigil::default();
        let launched = match self.unit_environment(&definition) {
            Ok(mut environment) => expect(&definition, &mut environment, &mut vigil)
                .and_then(|()| self.launch(&definition.start, &environment, &definition.working_directory)),
            Err(path) => {
                let message =
                    format!("{unit}: Failed to load environment files: {path}: No such file or directory");
                self.services.note(unit, "systemd[1]", &message);
                self.set_failed(unit, "resources", 0);
                return Err(JobError::Failed);
            }
        };
        let program = definition.start[0].clone();
        let started = match launched {
            Ok(launch) => process::start(&self.supervisor, launch).await,
            Err(error) => Err(error),
        };
        match started {
            Ok((running, printed)) => {
                self.services.with(unit, |entry| {
                    entry.state.active = Active::Starting;
                    entry.state.pid = Some(running.pid);
                });
                let output = self.capture(unit, &program, running.pid, printed);
                Ok(Launched { running, output, vigil })
            }
            Err(error) => {
                let reason = crate::plane::host::outcome::sentence(&error);
                let message = format!("{unit}: Failed at step EXEC spawning {program}: {reason}");
                self.services.note(unit, "systemd[1]", &message);
                Err(self.fail(unit, "exit-code", NOT_EXECUTED, "Main process exited"))
            }
        }
    }

    /// Records that a unit has started.
    pub(super) fn has_started(&self, unit: &str) {
        let title = self.unit(unit).map_or_else(|_| unit.to_owned(), |definition| title(unit, &definition));
        self.services.note(unit, "systemd[1]", &format!("Started {title}."));
        self.services.with(unit, |entry| {
            entry.state.active = Active::Running;
            entry.state.result = "success";
            entry.state.status = 0;
        });
        self.changed.notify();
    }

    /// The environment of a unit, or the path of a file that is missing.
    fn unit_environment(&self, definition: &Unit) -> Result<BTreeMap<String, String>, String> {
        let mut environment = definition.environment.clone();
        for (path, may_miss) in &definition.environment_files {
            match self.root.read_text(path) {
                Ok(text) => environment.extend(environment_file(&text)),
                Err(_) if *may_miss => {}
                Err(_) => return Err(path.clone()),
            }
        }
        Ok(environment)
    }

    fn fail(&self, unit: &str, result: &'static str, status: i32, what: &str) -> JobError {
        let word = if status == NOT_EXECUTED { "EXEC" } else { "FAILURE" };
        self.services.note(
            unit,
            "systemd[1]",
            &format!("{unit}: {what}, code=exited, status={status}/{word}"),
        );
        self.set_failed(unit, result, status);
        JobError::Failed
    }

    pub(super) fn set_failed(&self, unit: &str, result: &'static str, status: i32) {
        self.services.note(unit, "systemd[1]", &format!("{unit}: Failed with result '{result}'."));
        self.services.with(unit, |entry| {
            let restarts = entry.state.restarts;
            entry.state = State { active: Active::Failed, pid: None, restarts, result, status };
        });
        self.changed.notify();
    }

    /// Copies what a program prints into the journal.
    fn capture(&self, unit: &str, program: &str, pid: u32, printed: Printed) -> JoinSet<()> {
        let name = program.rsplit('/').next().unwrap_or(program);
        let source = format!("{name}[{pid}]");
        let journal = self.services.with(unit, |entry| Arc::clone(&entry.journal));
        let mut output = JoinSet::new();
        output.spawn(copy_lines(printed.stdout, source.clone(), Arc::clone(&journal)));
        output.spawn(copy_lines(printed.stderr, source, journal));
        output
    }
}

/// Opens the ear of a unit that notifies, and tells its program where it is.
fn expect(
    definition: &Unit,
    environment: &mut BTreeMap<String, String>,
    vigil: &mut Vigil,
) -> std::io::Result<()> {
    if !definition.notifies {
        return Ok(());
    }
    let listener = Listener::open()?;
    environment.insert("NOTIFY_SOCKET".to_owned(), listener.address());
    if let Some(limit) = definition.watchdog {
        environment.insert("WATCHDOG_USEC".to_owned(), limit.as_micros().to_string());
    }
    *vigil = Vigil::over(definition, listener);
    Ok(())
}

/// What these said after this number, in the order in which they said it.
fn lines_of<'e>(
    entries: impl Iterator<Item = &'e Entry>,
    after: u64,
    host: &str,
    format: Format,
) -> Vec<(u64, String)> {
    let mut lines = Vec::new();
    for entry in entries {
        let journal = entry.journal.lock().unwrap_or_else(PoisonError::into_inner);
        lines.extend(journal.after(after, host, format));
    }
    lines.sort();
    lines
}

fn title(unit: &str, definition: &Unit) -> String {
    if definition.description.is_empty() {
        unit.to_owned()
    } else {
        format!("{unit} - {}", definition.description)
    }
}

/// A line without an end would grow for ever: it is cut into pieces of this length.
const LONGEST_PIECE: u64 = 8 * 1024;

async fn copy_lines(stream: impl AsyncRead + Unpin, source: String, journal: Arc<Mutex<Journal>>) {
    let mut stream = BufReader::new(stream);
    let mut line = Vec::new();
    loop {
        line.clear();
        match (&mut stream).take(LONGEST_PIECE).read_until(b'\n', &mut line).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        let text = String::from_utf8_lossy(&line);
        journal
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .add(&source, text.trim_end_matches(['\n', '\r']));
    }
}
