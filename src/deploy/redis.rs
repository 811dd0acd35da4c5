//! Redis on a host: the distribution's package under a unit and a configuration of our own.
//!
//! 1. The package, when the program is missing; the distribution's own unit is switched off.
//! 2. A password, made on the host once and kept in a file that only root reads.
//! 3. What Redis asks of the kernel (`kernel.rs`).
//! 4. Configuration and unit from templates; the unit is started and must answer a PING that knows the password.
//! 5. The fingerprint of what is in force, last: an interrupted run leaves the old one or none, and is done again.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Note;
use super::artifact::version;
use super::command;
use super::error::DeployError;
use super::facts::{PackageManager, facts};
use super::host::Host;
use super::inspect;
use super::kernel;
use super::step::Step;
use super::unit::{self, Duty};
use crate::base::secret::Secret;
use crate::ssh::{Command, Output};

mod configuration;

use configuration::{Access, configuration, password_digest, unit_file};
pub use configuration::{Persistence, Settings, fingerprint};

/// Its name to systemd.
pub const UNIT: &str = "albatross-redis.service";
/// Its unit.
pub const UNIT_FILE: &str = "/etc/systemd/system/albatross-redis.service";
/// Its configuration.
pub const CONFIGURATION: &str = "/etc/albatross/redis.conf";
pub(super) const PASSWORD: &str = "/etc/albatross/redis.password";
const RECORD: &str = "/etc/albatross/redis.json";
const DATA: &str = "/var/lib/albatross-redis";
const USER: &str = "redis";
/// Bytes of randomness in a password.
const PASSWORD_BYTES: usize = 32;
/// How long a started Redis may take to answer; loading its data counts.
const PATIENCE: Duration = Duration::from_secs(30);

/// The Redis password of a stack.
pub type Password = Secret<String>;

/// Redis as a host has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observed {
    /// Fingerprint of the settings in force.
    pub fingerprint: Option<String>,
    /// Whether its unit runs.
    pub active: bool,
    /// Whether its unit starts with the host.
    pub enabled: bool,
    /// What somebody has changed by hand.
    pub edited: Edited,
    /// The password it was given.
    pub password: Option<Password>,
}

/// Files that are not as they were written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Edited {
    /// [`CONFIGURATION`].
    pub configuration: bool,
    /// [`UNIT_FILE`].
    pub unit: bool,
}

#[derive(Serialize, Deserialize)]
struct Record {
    fingerprint: String,
    /// Digest of the configuration, the password left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    configuration: Option<String>,
    /// Digest of the unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    unit: Option<String>,
}

/// How many questions there are to see what is in force.
pub(super) const QUESTIONS: usize = 4;

/// What is asked to see what is in force.
pub(super) fn questions() -> [Command; QUESTIONS] {
    [
        command::print(RECORD),
        command::print(PASSWORD),
        command::print(CONFIGURATION),
        command::print(UNIT_FILE),
    ]
}

/// What is in force, by what its unit does and by the answers.
pub(super) fn seen(duty: Duty, answers: &[Output; QUESTIONS]) -> Observed {
    let [record, password, configuration, unit] = answers;
    let Duty { active, enabled } = duty;
    // A record that cannot be read counts as none: the steps are then done again.
    let record = inspect::found(record).and_then(|text| serde_json::from_str::<Record>(&text).ok());
    let Some(record) = record else {
        let edited = Edited::default();
        return Observed { fingerprint: None, active, enabled: false, edited, password: None };
    };
    let password = inspect::found(password).and_then(|text| as_password(&text));
    let configuration = inspect::found(configuration).map(|text| match &password {
        Some(password) => text
            .replace(password.expose(), inspect::STAND_IN)
            .replace(&password_digest(password), &password_digest(&inspect::stand_in())),
        None => text,
    });
    let edited = Edited {
        configuration: inspect::is_edited(record.configuration.as_ref(), configuration.as_ref()),
        unit: inspect::is_edited(record.unit.as_ref(), inspect::found(unit).as_ref()),
    };
    Observed { fingerprint: Some(record.fingerprint), active, enabled, edited, password }
}

/// Reads the password that Redis on this host was given.
///
/// # Errors
/// When there is none, or the host cannot be asked.
pub async fn read_password(host: &impl Host) -> Result<Password, DeployError> {
    stored_password(host)
        .await?
        .ok_or_else(|| DeployError::NoPassword { host: host.name().to_owned(), path: PASSWORD })
}

/// Stops Redis and takes it out of the host's start-up. Its data and password stay: removing them is the host's end.
///
/// # Errors
/// When the host cannot be asked.
pub async fn remove(host: &impl Host, note: &Note) -> Result<(), DeployError> {
    let step = Step::begin(host, note).await?;
    let done = remove_in_step(&step).await;
    step.end(done).await
}

async fn remove_in_step(host: &impl Host) -> Result<(), DeployError> {
    unit::remove(host, UNIT, UNIT_FILE).await?;
    kernel::forget(host).await?;
    host.check(command::remove_all(RECORD)).await?;
    Ok(())
}

/// Brings Redis on a host to the settings and gives its password.
///
/// # Guarantees
/// Run again after an interruption at any point, it goes on from there; data and password are kept.
///
/// # Errors
/// Told apart by cause, with Redis's own last lines where it does not start.
pub async fn install(host: &impl Host, settings: &Settings, note: &Note) -> Result<Password, DeployError> {
    let step = Step::begin(host, note).await?;
    let done = install_in_step(&step, settings, note).await;
    step.end(done).await
}

async fn install_in_step(
    host: &impl Host,
    settings: &Settings,
    note: &Note,
) -> Result<Password, DeployError> {
    let access = install_package(host, settings, note).await?;
    kernel::tune(host, note).await?;
    host.check(command::folder("/etc/albatross", "0755")).await?;
    let password = ensure_password(host, note).await?;
    ensure_user(host, USER).await?;
    host.check(command::owned_folder(DATA, "0750", USER)).await?;
    note(&format!("{}: configuring Redis on {}:{}", host.name(), settings.address, settings.port));
    put_files(host, settings, &password, access).await?;
    start(host, settings, &password, note).await?;
    let record = Record {
        fingerprint: fingerprint(settings)?,
        configuration: Some(inspect::digest(&configuration(settings, &inspect::stand_in(), access)?)),
        unit: Some(inspect::digest(&unit_file()?)),
    };
    let text = serde_json::json!(record).to_string();
    host.upload(RECORD, text.into_bytes().into(), 0o644).await?;
    Ok(password)
}

/// Creates a user without a home or a shell unless there is one.
pub(super) async fn ensure_user(host: &impl Host, name: &str) -> Result<(), DeployError> {
    if host.run(command::user(name)).await?.status != 0 {
        host.check(command::add_user(name)).await?;
    }
    Ok(())
}

async fn install_package(host: &impl Host, settings: &Settings, note: &Note) -> Result<Access, DeployError> {
    let facts = facts(host).await?;
    facts.accept_memory(host.name(), settings.max_memory_megabytes.into())?;
    facts.note_clock(host.name(), note);
    let (packages, own_unit) = match facts.package_manager {
        PackageManager::Apt => (["redis-server", "openssl"], "redis-server.service"),
        PackageManager::Dnf => (["redis", "openssl"], "redis.service"),
    };
    if host.run(command::is_executable("/usr/bin/redis-server")).await?.status != 0 {
        super::package::install(host, &facts, &packages, note).await?;
    }
    // It may never have been there; if it still runs after this, the start below names it.
    host.run(command::systemctl_disable_now(own_unit)).await?;
    let said = host.check(command::redis_version()).await?.text();
    let number = said.split_whitespace().find_map(|word| word.strip_prefix("v=")).unwrap_or_default();
    version(number).and_then(Access::of).ok_or_else(|| DeployError::RedisTooOld {
        host: host.name().to_owned(),
        found: if number.is_empty() { &said } else { number }.to_owned(),
    })
}

pub(super) async fn stored_password(host: &impl Host) -> Result<Option<Password>, DeployError> {
    let bytes = host.read(PASSWORD).await?.unwrap_or_default();
    Ok(as_password(&String::from_utf8_lossy(&bytes)))
}

fn as_password(text: &str) -> Option<Password> {
    let text = text.trim();
    is_password(text).then(|| Secret::new(text.to_owned()))
}

fn is_password(text: &str) -> bool {
    text.len() == 2 * PASSWORD_BYTES && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

async fn ensure_password(host: &impl Host, note: &Note) -> Result<Password, DeployError> {
    if let Some(password) = stored_password(host).await? {
        return Ok(password);
    }
    note(&format!("{}: making a Redis password", host.name()));
    let text = host.check(command::random_hex(PASSWORD_BYTES)).await?.text();
    if !is_password(&text) {
        return Err(DeployError::PasswordNotMade { host: host.name().to_owned() });
    }
    host.upload(PASSWORD, text.clone().into_bytes().into(), 0o600).await?;
    Ok(Secret::new(text))
}

async fn put_files(
    host: &impl Host,
    settings: &Settings,
    password: &Password,
    access: Access,
) -> Result<(), DeployError> {
    let configuration: Arc<[u8]> = configuration(settings, password, access)?.into_bytes().into();
    host.upload(CONFIGURATION, configuration, 0o640).await?;
    host.check(command::chown("root:redis", CONFIGURATION)).await?;
    host.upload(UNIT_FILE, unit_file()?.into_bytes().into(), 0o644).await?;
    host.check(command::daemon_reload()).await?;
    host.check(command::systemctl("enable", UNIT)).await?;
    Ok(())
}

async fn start(
    host: &impl Host,
    settings: &Settings,
    password: &Password,
    note: &Note,
) -> Result<(), DeployError> {
    if !unit::is_active(host, UNIT).await? {
        let holder = unit::holder(host, &settings.address.to_string(), settings.port).await?;
        if let Some(holder) = holder {
            return Err(DeployError::PortInUse { host: host.name().to_owned(), port: settings.port, holder });
        }
    }
    note(&format!("{}: starting Redis", host.name()));
    unit::restart(host, UNIT).await?;
    let started = tokio::time::Instant::now();
    for look in 0.. {
        let ping = host.run(command::redis_ping(settings.address, settings.port, password.expose())).await?;
        if ping.text().lines().any(|line| line.trim() == "PONG") {
            return Ok(());
        }
        let state = unit::state(host, UNIT).await?;
        let is_late = started.elapsed() > PATIENCE;
        if state.is_hopeless() || is_late {
            let why = if state.is_hopeless() {
                state.words()
            } else {
                format!("{} but does not answer PING within {} s", state.words(), PATIENCE.as_secs())
            };
            return Err(not_started(host, settings, password, why).await);
        }
        unit::pause(look).await;
    }
    unreachable!("the loop has no end of its own")
}

async fn not_started(host: &impl Host, settings: &Settings, password: &Password, why: String) -> DeployError {
    let journal = unit::last_words(host, UNIT, std::slice::from_ref(password)).await;
    let name = host.name().to_owned();
    if journal.contains("Address already in use") {
        let address = settings.address.to_string();
        let holder = unit::holder(host, &address, settings.port).await.ok().flatten();
        let holder = holder.unwrap_or_else(|| "another process".to_owned());
        return DeployError::PortInUse { host: name, port: settings.port, holder };
    }
    DeployError::RedisNotStarted { host: name, why, journal }
}
