//! One instance as a machine: a task that keeps it as wanted, whatever it does by itself.
//!
//! It boots, shuts down and goes beside all others. A start at another moment is another boot, also when nobody saw it
//! stopped in between. A machine that shuts itself down stays off until it is started again; one that reboots boots.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::plane::guest::booted::{Booted, Manner, Screen};
use crate::plane::guest::console::Console;
use crate::plane::guest::ordeal::Ordeal;
use crate::plane::guest::router::Router;
use crate::plane::guest::{Site, units};
use crate::plane::host::process::End;
use crate::plane::spec::{Conditions, Host, HostState, Instance, Power};

/// How long a machine may take until somebody can log in.
const BOOT_LIMIT: Duration = Duration::from_mins(1);
/// What did not boot is tried again after this.
const RETRY: Duration = Duration::from_secs(2);
/// What `systemd-nspawn` ends with when the machine wants to boot again.
const REBOOT: i32 = 133;

/// What is wanted of a machine.
#[derive(Clone)]
enum Wish {
    /// That it is there, like this.
    Have(Box<Instance>),
    /// That it is off, and its files stay.
    Leave,
    /// That it is gone with its files.
    Gone,
}

/// What others see of it.
#[derive(Default)]
pub(crate) struct Seen {
    state: Option<HostState>,
    console: Console,
    pub(crate) leader: Option<u32>,
    pub(crate) groups: Vec<PathBuf>,
    /// The start that is under way or over.
    started: Option<i64>,
}

/// A machine; ends with its files when it is told to.
pub(crate) struct Machine {
    wish: watch::Sender<Wish>,
    conditions: watch::Sender<Conditions>,
    /// Those that it was held to last.
    applied: watch::Receiver<Conditions>,
    seen: Arc<Mutex<Seen>>,
    task: JoinHandle<()>,
}

impl Machine {
    /// Begins to keep a machine.
    pub(crate) fn keep(site: Arc<Site>, router: Arc<Router>, instance: Instance) -> Self {
        let (wish, wanted) = watch::channel(Wish::Have(Box::new(instance.clone())));
        let seen = Arc::new(Mutex::new(Seen::default()));
        let folder = site.folder.join(&instance.id);
        let (conditions, held_to) = watch::channel(Conditions::default());
        let (applying, applied) = watch::channel(Conditions::default());
        tokio::spawn(Ordeal::new(folder.clone(), Arc::clone(&seen), applying).run(held_to));
        let keeper = Keeper { site, router, id: instance.id, folder, seen: Arc::clone(&seen), over: None };
        Self { wish, conditions, applied, seen, task: tokio::spawn(keeper.run(wanted)) }
    }

    /// It should be like this, and put up with that.
    pub(crate) fn want(&self, mut instance: Instance, conditions: Conditions) {
        if conditions.is_off {
            instance.power = Power::Off;
        }
        self.conditions.send_if_modified(|known| {
            let is_new = *known != conditions;
            if is_new {
                *known = conditions;
            }
            is_new
        });
        self.wish.send_if_modified(|wish| {
            let is_new = !matches!(wish, Wish::Have(known) if **known == instance);
            if is_new {
                *wish = Wish::Have(Box::new(instance));
            }
            is_new
        });
    }

    /// Cuts its power and removes its files; whether that is done.
    pub(crate) fn remove(&self) -> bool {
        if !matches!(*self.wish.borrow(), Wish::Gone) {
            self.wish.send_replace(Wish::Gone);
        }
        self.task.is_finished()
    }

    /// Cuts its power, and waits until it is off.
    pub(crate) async fn leave(self) {
        self.wish.send_replace(Wish::Leave);
        let _ = self.task.await;
    }

    /// How it is.
    pub(crate) fn report(&self) -> Host {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        Host {
            state: seen.state.clone().unwrap_or(HostState::Booting),
            processes: units::running(&seen.groups),
            started: seen.started,
            console: seen.console.text(),
        }
    }

    /// Waits until it is held to what is wrong with it, unless it is off.
    pub(crate) fn conditions_applied(&self) -> impl Future<Output = ()> + use<> {
        let (wanted, mut applied) = (self.conditions.borrow().clone(), self.applied.clone());
        let is_on = self.leader().is_some();
        async move {
            if is_on {
                // It ends with the machine, which then has nothing to put up with.
                let _ = applied.wait_for(|applied| *applied == wanted).await;
            }
        }
    }

    /// Its first process, when it runs and can be logged in to.
    pub(crate) fn leader(&self) -> Option<u32> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.leader.filter(|_| seen.state == Some(HostState::Ready))
    }
}

/// The task of a machine.
struct Keeper {
    site: Arc<Site>,
    router: Arc<Router>,
    id: String,
    folder: PathBuf,
    seen: Arc<Mutex<Seen>>,
    /// The start that ended by itself.
    over: Option<i64>,
}

/// What happened to a machine.
enum Happened {
    /// Something else is wanted.
    Wish,
    /// Somebody can log in.
    Ready,
    /// It ended by itself.
    Ended(End),
    /// It did not become ready.
    Late,
    /// It is time to try again.
    Retry,
}

impl Keeper {
    async fn run(mut self, mut wanted: watch::Receiver<Wish>) {
        let mut booted: Option<Booted> = None;
        loop {
            let is_forgotten = wanted.has_changed().is_err();
            let wish = if is_forgotten { Wish::Leave } else { wanted.borrow_and_update().clone() };
            booted = self.follow(&wish, booted).await;
            match wish {
                Wish::Have(_) => {}
                Wish::Leave => return,
                Wish::Gone => return self.remove_files().await,
            }
            let happened = self.watch(booted.as_mut(), &mut wanted).await;
            booted = self.take_in(happened, booted).await;
        }
    }

    /// Switches the machine on or off when that is what is wanted.
    async fn follow(&mut self, wish: &Wish, booted: Option<Booted>) -> Option<Booted> {
        match (wish, booted) {
            (Wish::Leave | Wish::Gone, booted) => {
                self.stop(booted, Manner::Cut).await;
                None
            }
            (Wish::Have(instance), booted) if instance.power == Power::Off => {
                self.over = None;
                self.stop(booted, Manner::Gentle).await;
                None
            }
            (Wish::Have(instance), Some(booted)) if booted.started == instance.started => Some(booted),
            (Wish::Have(instance), booted) => {
                self.stop(booted, Manner::Gentle).await;
                if self.over == Some(instance.started) { None } else { self.boot(instance).await }
            }
        }
    }

    async fn stop(&self, booted: Option<Booted>, manner: Manner) {
        if let Some(booted) = booted {
            // From now on it cannot be relied on.
            self.show(HostState::Off, None, Vec::new());
            booted.switch_off(manner).await;
            self.site.forget(&self.id);
        } else if !matches!(self.state(), Some(HostState::Failed(_))) {
            self.show(HostState::Off, None, Vec::new());
        }
    }

    async fn boot(&self, instance: &Instance) -> Option<Booted> {
        self.show(HostState::Booting, None, Vec::new());
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).started = Some(instance.started);
        match self.start(instance).await {
            Ok(booted) => {
                self.site.remember(&self.id, booted.pid(), booted.groups());
                Some(booted)
            }
            Err(error) => {
                self.fail(error.to_string());
                None
            }
        }
    }

    async fn start(&self, instance: &Instance) -> io::Result<Booted> {
        std::fs::create_dir_all(&self.folder)?;
        let (seen, changed) = (Arc::clone(&self.seen), self.site.changed.clone());
        let screen: Screen = Arc::new(move |bytes: &[u8]| {
            seen.lock().unwrap_or_else(PoisonError::into_inner).console.add(bytes);
            changed.notify();
        });
        Booted::start(&self.site, Arc::clone(&self.router), instance, &self.folder, screen).await
    }

    /// Waits until something happens to the machine, or something else is wanted.
    async fn watch(&self, booted: Option<&mut Booted>, wanted: &mut watch::Receiver<Wish>) -> Happened {
        let state = self.state();
        let Some(booted) = booted else {
            let has_failed = matches!(state, Some(HostState::Failed(_)));
            let patience = if has_failed { RETRY } else { Duration::MAX };
            let changed = tokio::time::timeout(patience, wanted.changed()).await;
            return if changed.is_err() { Happened::Retry } else { Happened::Wish };
        };
        let is_booting = state == Some(HostState::Booting);
        let knocker = booted.knocker();
        let deadline = Instant::now() + BOOT_LIMIT;
        tokio::select! {
            _ = wanted.changed() => Happened::Wish,
            end = booted.end() => Happened::Ended(end),
            () = knocker.answered(), if is_booting => Happened::Ready,
            () = tokio::time::sleep_until(deadline), if is_booting => Happened::Late,
        }
    }

    /// What follows from it.
    async fn take_in(&mut self, happened: Happened, booted: Option<Booted>) -> Option<Booted> {
        match (happened, booted) {
            (Happened::Wish | Happened::Retry, booted) => booted,
            (Happened::Ready, Some(booted)) => {
                let (leader, groups) = (*booted.leader.borrow(), booted.groups().to_vec());
                tracing::info!(instance = self.id, "a machine is ready");
                self.show(HostState::Ready, leader, groups);
                Some(booted)
            }
            (Happened::Ended(end), Some(booted)) => {
                let (started, was_ready) = (booted.started, self.state() == Some(HostState::Ready));
                self.stop(Some(booted), Manner::Cut).await;
                if end == End::Exited(REBOOT) {
                    tracing::info!(instance = self.id, "a machine boots again");
                } else if was_ready {
                    tracing::info!(instance = self.id, ?end, "a machine went off by itself");
                    self.over = Some(started);
                } else {
                    self.fail(format!("the machine ended while it booted ({end:?})"));
                }
                None
            }
            (Happened::Late, Some(booted)) => {
                self.stop(Some(booted), Manner::Cut).await;
                self.fail(format!("nobody can log in within {} s", BOOT_LIMIT.as_secs()));
                None
            }
            (Happened::Ready | Happened::Ended(_) | Happened::Late, None) => None,
        }
    }

    async fn remove_files(&self) {
        let folder = self.folder.clone();
        let removed = tokio::task::spawn_blocking(move || std::fs::remove_dir_all(folder)).await;
        if let Ok(Err(error)) = removed
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(instance = self.id, %error, "the files of a machine cannot be removed");
        }
        self.site.changed.notify();
    }

    fn state(&self) -> Option<HostState> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).state.clone()
    }

    fn fail(&self, reason: String) {
        tracing::warn!(instance = self.id, reason, "a machine does not boot");
        self.show(HostState::Failed(reason), None, Vec::new());
    }

    fn show(&self, state: HostState, leader: Option<u32>, groups: Vec<PathBuf>) {
        {
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            (seen.state, seen.leader, seen.groups) = (Some(state), leader, groups);
        }
        self.site.changed.notify();
    }
}
