//! How a release comes in force on a host, and how the one before comes back.

use std::net::Ipv4Addr;
use std::time::Duration;

use super::app;
use super::kept::{Current, Manifest, current, fill, is_in_force_now, prune};
use super::ready::stay_ready;
use super::{
    CURRENT, ENVIRONMENT, Files, READY, ReleaseId, Settings, UNIT, UNIT_FILE, environment, has_build,
    program_of, release_id, revert, unit_file,
};
use crate::base::secret::Secret;
use crate::deploy::Note;
use crate::deploy::artifact::Artifact;
use crate::deploy::command;
use crate::deploy::error::{DeployError, Trouble};
use crate::deploy::facts::facts;
use crate::deploy::host::Host;
use crate::deploy::inspect;
use crate::deploy::program::Program;
use crate::deploy::redis::ensure_user;
use crate::deploy::step::Step;
use crate::deploy::unit;

/// Becomes `current` in one move.
const NEXT: &str = "/opt/albatross/.current.new";
const USER: &str = "albatross";

/// How much care a release is put in force with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rollout {
    /// How long it must have been ready before it counts.
    pub min_healthy_time: Duration,
    /// By when it must count.
    pub healthy_deadline: Duration,
    /// Whether the release before comes back where it does not.
    pub auto_revert: bool,
}

/// What is to be in force on a host.
#[derive(Debug, Clone, Copy)]
pub enum Wanted<'a> {
    /// A release of this program.
    Built(&'a Program),
    /// One that the host has kept.
    Kept(&'a ReleaseId),
}

/// What an installation did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The release was in force already; nothing was sent.
    Unchanged,
    /// The release is in force now.
    Installed {
        /// The release before.
        previous: Option<String>,
        /// Whether the binary had to be sent.
        uploaded: bool,
    },
}

/// What was in force before.
pub(super) struct Previous {
    pub(super) release: String,
    pub(super) files: Files,
}

/// A host that has everything it takes, and still runs what it ran.
pub struct Prepared<'h, H> {
    step: Step<'h, H>,
    work: Work,
}

/// What is to be done on a host that is prepared.
struct Work {
    release: String,
    files: Files,
    place: (Ipv4Addr, u16),
    health_path: String,
    /// What no journal may show.
    secrets: Vec<Secret<String>>,
    rollout: Rollout,
    previous: Option<Previous>,
    uploaded: bool,
    is_in_force: bool,
    note: Note,
}

/// Brings a host everything that a release needs, and changes nothing that is in force.
///
/// # Errors
/// Told apart by cause.
pub async fn prepare<'h, H: Host>(
    host: &'h H,
    (wanted, settings): (Wanted<'_>, &Settings),
    password: &Secret<String>,
    rollout: Rollout,
    note: &Note,
) -> Result<Prepared<'h, H>, DeployError> {
    let step = Step::begin(host, note).await?;
    match prepare_in_step(&step, (wanted, settings), password, rollout, note).await {
        Ok(work) => Ok(Prepared { step, work }),
        Err(error) => step.end(Err(error)).await,
    }
}

async fn prepare_in_step(
    host: &impl Host,
    (wanted, settings): (Wanted<'_>, &Settings),
    password: &Secret<String>,
    rollout: Rollout,
    note: &Note,
) -> Result<Work, DeployError> {
    let (release, files) = match wanted {
        Wanted::Built(program) => {
            let files = Files { environment: environment(settings, password)?, unit: unit_file(settings)? };
            (release_id(program, settings)?, files)
        }
        Wanted::Kept(release) => (release.clone(), kept(host, release, settings, password).await?),
    };
    let before = Before::read(host).await?;
    let mut work = Work {
        release: release.to_string(),
        is_in_force: before.is(&release, &files) && unit::is_active(host, UNIT).await?,
        files,
        place: (settings.address, settings.port),
        health_path: settings.health_path().to_owned(),
        secrets: settings.secrets().map(|(_, value)| value.clone()).chain([password.clone()]).collect(),
        rollout,
        previous: before.previous,
        uploaded: false,
        note: note.clone(),
    };
    if let Wanted::Built(program) = wanted {
        if work.is_in_force && has_build(host, &program_of(release.as_str()), program).await? {
            return Ok(work);
        }
        work.is_in_force = false;
        let facts = facts(host).await?;
        let artifact = program.for_host(facts.architecture);
        facts.accept(host.name(), artifact)?;
        facts.accept_size(host.name(), artifact)?;
        facts.note_clock(host.name(), note);
        accept_loader(host, artifact).await?;
        ensure_user(host, USER).await?;
        work.uploaded = fill(host, artifact, (&release, settings), note).await?;
    }
    check_port(host, settings).await?;
    Ok(work)
}

/// Environment and unit of a release that the host has kept. It must listen where the load balancer looks for it.
async fn kept(
    host: &impl Host,
    release: &ReleaseId,
    settings: &Settings,
    password: &Secret<String>,
) -> Result<Files, DeployError> {
    let (name, release) = (host.name().to_owned(), release.to_string());
    let Some(mut files) = Files::kept(host, &release, password).await? else {
        return Err(DeployError::NotKept { host: name, release });
    };
    let names = Manifest::read(host, &release).await?.map(|own| own.secrets).unwrap_or_default();
    if !names.is_empty() {
        let current = inspect::text(host, ENVIRONMENT).await?.unwrap_or_default();
        files.environment =
            app::with_secrets_of(&files.environment, &names, &current).map_err(|variable| {
                DeployError::SecretGone { host: name.clone(), release: release.clone(), variable }
            })?;
    }
    let place = format!("{}:{}", settings.address, settings.port);
    match files.listens_on() {
        Some(found) if found == place => Ok(files),
        found => {
            let found = found.unwrap_or_default();
            Err(DeployError::ListensElsewhere { host: name, release, found, place })
        }
    }
}

/// A program that needs a loader other than that of its processor's usual C library needs it on the host. Of the usual
/// one the version says more.
async fn accept_loader(host: &impl Host, artifact: &Artifact) -> Result<(), DeployError> {
    let Some(loader) = artifact.loader.as_deref() else { return Ok(()) };
    let is_usual = loader == artifact.architecture.usual_loader() && artifact.glibc_needed.is_some();
    if is_usual || host.run(command::is_executable(loader)).await?.status == 0 {
        return Ok(());
    }
    Err(DeployError::NoLoader { host: host.name().to_owned(), loader: loader.to_owned() })
}

/// While our own unit runs the port is its own; otherwise nobody may hold it.
async fn check_port(host: &impl Host, settings: &Settings) -> Result<(), DeployError> {
    if unit::is_active(host, UNIT).await? {
        return Ok(());
    }
    match unit::holder(host, &settings.address.to_string(), settings.port).await? {
        None => Ok(()),
        Some(holder) => {
            Err(DeployError::PortInUse { host: host.name().to_owned(), port: settings.port, holder })
        }
    }
}

impl<H: Host> Prepared<'_, H> {
    /// Whether the node is going to be away for a moment.
    pub fn restarts(&self) -> bool {
        !self.work.is_in_force
    }

    /// Leaves everything as it is.
    pub async fn leave(self) {
        // Nothing was done that could have failed.
        let _ = self.step.end(Ok(())).await;
    }

    /// Puts the release in force.
    ///
    /// # Guarantees
    /// An unchanged host stays as it is. After an error the host runs the release it ran before, if there was one and
    /// it shall come back ([`DeployError::RolledBack`]); the exception is [`DeployError::RollbackFailed`]. When this
    /// program dies on the way, the host puts that release back by itself.
    ///
    /// # Errors
    /// Told apart by cause, with the unit's own last lines where it does not become ready.
    pub async fn put_in_force(self) -> Result<Outcome, DeployError> {
        let Self { step, work } = self;
        let done = work.put_in_force(&step).await;
        step.end(done).await
    }
}

/// What was in force when we came.
struct Before {
    current: Option<Current>,
    files: Option<Files>,
    /// What to go back to: what was last seen ready, when a later change of it was cut.
    previous: Option<Previous>,
}

impl Before {
    async fn read(host: &impl Host) -> Result<Self, DeployError> {
        let laid_aside = revert::laid_aside(host).await?;
        if laid_aside.is_some() {
            revert::disarm(host).await?;
        }
        let current = current(host).await?;
        let environment = inspect::text(host, ENVIRONMENT).await?;
        let unit = inspect::text(host, UNIT_FILE).await?;
        let files = environment.zip(unit).map(|(environment, unit)| Files { environment, unit });
        let in_force = || {
            let (current, files) = (current.as_ref()?, files.as_ref()?);
            Some(Previous { release: current.release.clone(), files: files.clone() })
        };
        let previous = laid_aside.or_else(in_force);
        Ok(Self { current, files, previous })
    }

    fn is(&self, release: &ReleaseId, wanted: &Files) -> bool {
        let is_current = self
            .current
            .as_ref()
            .is_some_and(|current| current.is_ready && current.release == release.as_str());
        is_current && self.files.as_ref() == Some(wanted)
    }
}

impl Work {
    async fn put_in_force(self, host: &impl Host) -> Result<Outcome, DeployError> {
        if self.is_in_force {
            if !inspect::is_enabled(host, UNIT).await? {
                host.check(command::systemctl("enable", UNIT)).await?;
            }
            revert::confirm_if_laid_aside(host).await?;
            return Ok(Outcome::Unchanged);
        }
        let healthy_time = self.previous.as_ref().map_or(Duration::ZERO, |_| self.rollout.min_healthy_time);
        if let Some(previous) = self.way_back().filter(|_| self.rollout.auto_revert) {
            revert::arm(host, previous, self.rollout.healthy_deadline).await?;
        }
        self.flip(host, &self.release, &self.files).await?;
        if let Err(why) = self.settle(host, &self.release, healthy_time).await? {
            return Err(self.give_up(host, why).await);
        }
        (self.note)(&format!("{}: release {} is ready", host.name(), self.release));
        let previous = self.previous.map(|previous| previous.release);
        prune(host, &self.release, previous.as_deref()).await?;
        Ok(Outcome::Installed { previous, uploaded: self.uploaded })
    }

    /// What comes back if this release turns out bad: another one that was in force.
    fn way_back(&self) -> Option<&Previous> {
        self.previous.as_ref().filter(|previous| previous.release != self.release)
    }

    /// Changes what is in force, and starts it.
    async fn flip(&self, host: &impl Host, release: &str, files: &Files) -> Result<(), DeployError> {
        (self.note)(&format!("{}: starting release {release}", host.name()));
        host.check(command::remove_all(READY)).await?;
        host.check(command::folder("/etc/albatross", "0755")).await?;
        host.upload(ENVIRONMENT, files.environment.as_bytes().into(), 0o600).await?;
        host.upload(UNIT_FILE, files.unit.as_bytes().into(), 0o644).await?;
        host.check(command::daemon_reload()).await?;
        host.check(command::systemctl("enable", UNIT)).await?;
        host.check(command::link(&format!("releases/{release}"), NEXT)).await?;
        host.check(command::replace(NEXT, CURRENT)).await?;
        unit::restart(host, UNIT).await
    }

    /// Waits until what is in force is good, and says so on the host; the inner error is why it will not be.
    async fn settle(
        &self,
        host: &impl Host,
        release: &str,
        healthy_time: Duration,
    ) -> Result<Result<(), String>, DeployError> {
        let ready =
            stay_ready(host, (self.place, &self.health_path), healthy_time, self.rollout.healthy_deadline)
                .await?;
        if ready.is_ok() {
            is_in_force_now(host, release).await?;
            // Whoever believes the link below must not be surprised by the timer.
            revert::confirm_if_laid_aside(host).await?;
            host.check(command::link(&format!("releases/{release}"), READY)).await?;
        }
        Ok(ready)
    }

    /// Puts the release before back in force, or stops the unit where there was none. Where none shall come back, the
    /// other one stays to be looked at.
    async fn give_up(self, host: &impl Host, why: String) -> DeployError {
        let journal = unit::last_words(host, UNIT, &self.secrets).await;
        let trouble = Box::new(Trouble { why, journal });
        let name = host.name().to_owned();
        let release = self.release.clone();
        let Some(way_back) = self.way_back() else {
            // The journal and the reason are worth more than a failure to stop.
            let _ = host.run(command::systemctl("stop", UNIT)).await;
            return DeployError::NotReady { host: name, release, trouble };
        };
        let previous = way_back.release.clone();
        if !self.rollout.auto_revert {
            return DeployError::LeftUnready { host: name, release, previous, trouble };
        }
        let again = match self.go_back(host, way_back).await {
            Ok(Ok(())) => return DeployError::RolledBack { host: name, release, previous, trouble },
            Ok(Err(again)) => again,
            Err(error) => error.to_string(),
        };
        DeployError::RollbackFailed { host: name, release, previous, trouble, again: again.into() }
    }

    async fn go_back(
        &self,
        host: &impl Host,
        previous: &Previous,
    ) -> Result<Result<(), String>, DeployError> {
        (self.note)(&format!("{}: going back to release {}", host.name(), previous.release));
        revert::restart(host).await?;
        self.flip(host, &previous.release, &previous.files).await?;
        self.settle(host, &previous.release, Duration::ZERO).await
    }
}
