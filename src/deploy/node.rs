//! A release of the chat node on a host.
//!
//! 1. Binary and host are compared: architecture, C library.
//! 2. The release's folder is filled, unless it already holds this binary.
//! 3. Environment and unit are put in place, the `current` link is flipped in one move, the unit restarted.
//! 4. The node must answer on `/readyz`. If it does not, the release before is put back and the error says so.
//! 5. A second link, `ready`, says last which release came to that. It goes before anything in force is changed.
//!
//! An observation believes a release when both links lead to it. A run that was cut, be it between the flip and the
//! restart, leaves one that is unfinished and is put in force again; nothing but time is lost.

use std::net::Ipv4Addr;
use std::time::Duration;

use ipnet::Ipv4Net;
use minijinja::context;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::Note;
use super::artifact::Artifact;
use super::command;
use super::error::{DeployError, Trouble};
use super::facts::facts;
use super::host::Host;
use super::inspect;
use super::redis::ensure_user;
use super::step::Step;
use super::template::{NODE_ENVIRONMENT, NODE_UNIT, render};
use super::unit;
use crate::base::secret::Secret;

/// Its name to systemd.
pub const UNIT: &str = "chat-node.service";
/// Its unit.
pub const UNIT_FILE: &str = "/etc/systemd/system/chat-node.service";
/// Its settings, the password of Redis among them.
pub const ENVIRONMENT: &str = "/etc/albatross/chat-node.env";
const BASE: &str = "/opt/albatross";
const RELEASES: &str = "/opt/albatross/releases";
const CURRENT: &str = "/opt/albatross/current";
/// The program that runs.
pub const PROGRAM: &str = "/opt/albatross/current/chat-node";
/// Leads to the release that became ready.
const READY: &str = "/opt/albatross/ready";
/// Follows the name of a release whose roll-out was cut.
const UNFINISHED: &str = " (unfinished)";
const NEXT: &str = "/opt/albatross/.current.new";
const USER: &str = "albatross";
/// How many releases stay on a host, the current one included.
const KEPT: usize = 3;
/// How long a started node may take until it is ready.
const PATIENCE: Duration = Duration::from_secs(30);

/// A chat node as the topology wants it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The name it shows in `X-Chat-Node`.
    pub node_id: String,
    /// The private address it listens on.
    pub address: Ipv4Addr,
    /// Its port.
    pub port: u16,
    /// Who it is to Redis; empty is the default user.
    pub redis_user: String,
    /// Where Redis is: an address or a name.
    pub redis_host: String,
    /// The port of Redis.
    pub redis_port: u16,
    /// How often it pings a client.
    pub ping_interval: Duration,
    /// How long a client may take to answer.
    pub ping_timeout: Duration,
    /// Origins a browser may come from besides the node's own; empty is the node's own rule.
    pub allowed_origins: Vec<String>,
    /// About how many bytes the stream in Redis may take.
    pub stream_bytes: u64,
    /// Networks of proxies whose word for their clients' addresses is taken.
    pub trusted_proxies: Vec<Ipv4Net>,
}

/// The name of a release: 12 hex digits that stand for binary, unit and environment.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ReleaseId(String);

impl ReleaseId {
    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for ReleaseId {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// The chat node as a host has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observed {
    /// The release that `current` leads to; it is marked when it was never seen ready.
    pub release: Option<String>,
    /// Whether its unit runs.
    pub active: bool,
    /// Whether its unit starts with the host.
    pub enabled: bool,
    /// What somebody has changed by hand.
    pub edited: Edited,
    /// The password with which it goes to Redis.
    pub password: Option<Secret<String>>,
}

/// Files that are not as they were written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Edited {
    /// [`ENVIRONMENT`], its password aside.
    pub environment: bool,
    /// [`UNIT_FILE`].
    pub unit: bool,
    /// [`PROGRAM`].
    pub program: bool,
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

#[derive(Serialize, Deserialize)]
struct Manifest {
    release: String,
    sha256: String,
    architecture: String,
    installed: String,
    /// Digest of the environment, the password left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    environment: Option<String>,
    /// Digest of the unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    unit: Option<String>,
}

/// The name of the release that these settings and this binary make. The password is no part of it.
///
/// # Errors
/// When a setting has a character that its file gives a meaning to.
pub fn release_id(artifact: &Artifact, settings: &Settings) -> Result<ReleaseId, DeployError> {
    let mut digest = Sha256::new();
    for text in [&artifact.sha256, &unit_file(settings)?, &environment(settings, &stand_in())?] {
        digest.update(text);
        digest.update([0]);
    }
    Ok(ReleaseId(hex::encode(digest.finalize())[..12].to_owned()))
}

/// Reads what is in force on a host.
///
/// # Errors
/// When the host cannot be asked.
pub async fn observe(host: &impl Host) -> Result<Observed, DeployError> {
    let current = current(host).await?;
    let active = unit::is_active(host, UNIT).await?;
    let release = current.as_ref().map(Current::shown);
    let Some(Current { release: name, .. }) = &current else {
        let edited = Edited::default();
        return Ok(Observed { release, active, enabled: false, edited, password: None });
    };
    let manifest = host.read(&format!("{RELEASES}/{name}/manifest.json")).await?.unwrap_or_default();
    let manifest = serde_json::from_slice::<Manifest>(&manifest).ok();
    let environment = inspect::text(host, ENVIRONMENT).await?;
    let (environment, password) = match environment.as_deref().map(inspect::without_password) {
        Some((text, password)) => (Some(text), password),
        None => (None, None),
    };
    let unit = inspect::text(host, UNIT_FILE).await?;
    let written = |file: fn(&Manifest) -> Option<&String>| manifest.as_ref().and_then(file);
    let edited = Edited {
        environment: inspect::is_edited(written(|own| own.environment.as_ref()), environment.as_ref()),
        unit: inspect::is_edited(written(|own| own.unit.as_ref()), unit.as_ref()),
        program: match &manifest {
            Some(manifest) => !has_program(host, &program_of(name), &manifest.sha256).await?,
            None => false,
        },
    };
    let enabled = inspect::is_enabled(host, UNIT).await?;
    Ok(Observed { release, active, enabled, edited, password })
}

fn stand_in() -> Secret<String> {
    Secret::new(inspect::STAND_IN.to_owned())
}

fn program_of(release: &str) -> String {
    format!("{RELEASES}/{release}/chat-node")
}

/// Whether a file is the program with this digest.
async fn has_program(host: &impl Host, path: &str, sha256: &str) -> Result<bool, DeployError> {
    let sum = host.run(command::sha256(path)).await?;
    Ok(sum.status == 0 && sum.text().starts_with(sha256))
}

/// Stops the node and takes it off the host; releases stay for a way back.
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
    host.check(command::remove_all(ENVIRONMENT)).await?;
    host.check(command::remove_all(READY)).await?;
    host.check(command::remove_all(CURRENT)).await?;
    Ok(())
}

/// Brings a host to a release.
///
/// # Guarantees
/// An unchanged host stays as it is. After an error the host runs the release it ran before, if there was one
/// ([`DeployError::RolledBack`]); the exception is [`DeployError::RollbackFailed`].
///
/// # Errors
/// Told apart by cause, with the unit's own last lines where it does not become ready.
pub async fn install(
    host: &impl Host,
    artifact: &Artifact,
    settings: &Settings,
    password: &Secret<String>,
    note: &Note,
) -> Result<Outcome, DeployError> {
    let step = Step::begin(host, note).await?;
    let done = install_in_step(&step, artifact, settings, password, note).await;
    step.end(done).await
}

async fn install_in_step(
    host: &impl Host,
    artifact: &Artifact,
    settings: &Settings,
    password: &Secret<String>,
    note: &Note,
) -> Result<Outcome, DeployError> {
    let release = release_id(artifact, settings)?;
    let wanted = Files { environment: environment(settings, password)?, unit: unit_file(settings)? };
    let before = Before::read(host).await?;
    if before.is(&release, &wanted)
        && unit::is_active(host, UNIT).await?
        && has_program(host, &program_of(&release.0), &artifact.sha256).await?
    {
        if !inspect::is_enabled(host, UNIT).await? {
            host.check(command::systemctl("enable", UNIT)).await?;
        }
        return Ok(Outcome::Unchanged);
    }
    facts(host).await?.accept(host.name(), artifact)?;
    ensure_user(host, USER).await?;
    let uploaded = fill_release(host, artifact, (&release, settings), note).await?;
    check_port(host, settings).await?;
    let change = Change { host, settings, secret: password.expose(), note };
    change.put_in_force(&release.0, &wanted).await?;
    if let Err(why) = change.wait_until_ready(&release.0).await? {
        return Err(change.go_back(release.0, before, why).await);
    }
    note(&format!("{}: release {release} is ready", host.name()));
    let previous = before.current.map(|current| current.release);
    prune(host, &release.0, previous.as_deref()).await?;
    Ok(Outcome::Installed { previous, uploaded })
}

/// The two files beside the binary.
#[derive(Clone, PartialEq, Eq)]
struct Files {
    environment: String,
    unit: String,
}

/// What was in force when we came.
struct Before {
    current: Option<Current>,
    files: Option<Files>,
}

impl Before {
    async fn read(host: &impl Host) -> Result<Self, DeployError> {
        let current = current(host).await?;
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        let files = match (host.read(ENVIRONMENT).await?, host.read(UNIT_FILE).await?) {
            (Some(environment), Some(unit)) => {
                Some(Files { environment: text(environment), unit: text(unit) })
            }
            _ => None,
        };
        Ok(Self { current, files })
    }

    fn is(&self, release: &ReleaseId, wanted: &Files) -> bool {
        let is_current =
            self.current.as_ref().is_some_and(|current| current.is_ready && current.release == release.0);
        is_current && self.files.as_ref() == Some(wanted)
    }
}

/// One change of what is in force.
struct Change<'a, H> {
    host: &'a H,
    settings: &'a Settings,
    secret: &'a str,
    note: &'a Note,
}

impl<H: Host> Change<'_, H> {
    async fn put_in_force(&self, release: &str, files: &Files) -> Result<(), DeployError> {
        (self.note)(&format!("{}: starting release {release}", self.host.name()));
        self.host.check(command::remove_all(READY)).await?;
        self.host.check(command::folder("/etc/albatross", "0755")).await?;
        self.host.upload(ENVIRONMENT, files.environment.as_bytes().into(), 0o600).await?;
        self.host.upload(UNIT_FILE, files.unit.as_bytes().into(), 0o644).await?;
        self.host.check(command::daemon_reload()).await?;
        self.host.check(command::systemctl("enable", UNIT)).await?;
        self.host.check(command::link(&format!("releases/{release}"), NEXT)).await?;
        self.host.check(command::replace(NEXT, CURRENT)).await?;
        unit::restart(self.host, UNIT).await
    }

    async fn wait_until_ready(&self, release: &str) -> Result<Result<(), String>, DeployError> {
        let ready = wait_until_ready(self.host, self.settings.address, self.settings.port).await?;
        if ready.is_ok() {
            self.host.check(command::link(&format!("releases/{release}"), READY)).await?;
        }
        Ok(ready)
    }

    /// Puts the release before back in force, or stops the unit where there was none.
    async fn go_back(&self, release: String, before: Before, why: String) -> DeployError {
        let journal = unit::last_words(self.host, UNIT, self.secret).await;
        let trouble = Box::new(Trouble { why, journal });
        let host = self.host.name().to_owned();
        let (previous, files) = match (before.current, before.files) {
            (Some(current), Some(files)) if current.release != release => (current.release, files),
            _ => {
                // The journal and the reason are worth more than a failure to stop.
                let _ = self.host.run(command::systemctl("stop", UNIT)).await;
                return DeployError::NotReady { host, release, trouble };
            }
        };
        (self.note)(&format!("{host}: going back to release {previous}"));
        let again = match self.put_in_force(&previous, &files).await {
            Ok(()) => self.wait_until_ready(&previous).await.unwrap_or_else(|error| Err(error.to_string())),
            Err(error) => Err(error.to_string()),
        };
        match again {
            Ok(()) => DeployError::RolledBack { host, release, previous, trouble },
            Err(again) => {
                DeployError::RollbackFailed { host, release, previous, trouble, again: again.into() }
            }
        }
    }
}

/// Looks until the node of a host is ready; the inner error is why it will not be.
///
/// # Errors
/// When the host cannot be asked.
pub async fn wait_until_ready(
    host: &impl Host,
    address: Ipv4Addr,
    port: u16,
) -> Result<Result<(), String>, DeployError> {
    let started = tokio::time::Instant::now();
    for look in 0.. {
        let answer = host.run(command::probe(address, port, "/readyz")).await?;
        let answer = Answer::read(&String::from_utf8_lossy(&answer.stdout), &answer.tail(1));
        if answer.is_ready() {
            return Ok(Ok(()));
        }
        let state = unit::state(host, UNIT).await?;
        if state.is_hopeless() {
            return Ok(Err(state.words()));
        }
        if started.elapsed() > PATIENCE {
            let seconds = PATIENCE.as_secs();
            return Ok(Err(format!("/readyz says {} after {seconds} s", answer.words())));
        }
        unit::pause(look).await;
    }
    unreachable!("the loop has no end of its own")
}

/// What a probe of the node came back with.
struct Answer {
    status: String,
    text: String,
}

impl Answer {
    /// The body, then on a line of its own the status; `000` without an answer.
    fn read(printed: &str, complaint: &str) -> Self {
        let (body, status) = printed.rsplit_once('\n').unwrap_or(("", printed));
        let body = body.lines().next().unwrap_or_default();
        let text = if status == "000" || status.is_empty() { complaint } else { body };
        Self { status: status.to_owned(), text: text.chars().take(200).collect() }
    }

    fn is_ready(&self) -> bool {
        self.status == "200"
    }

    fn words(&self) -> String {
        match (self.status.as_str(), self.text.as_str()) {
            ("" | "000", "") => "nothing".to_owned(),
            ("" | "000", text) => format!("nothing ({text})"),
            (status, "") => status.to_owned(),
            (status, text) => format!("{status} ({text})"),
        }
    }
}

/// Where `current` leads.
struct Current {
    release: String,
    /// Whether `ready` leads there too.
    is_ready: bool,
}

impl Current {
    fn shown(&self) -> String {
        if self.is_ready { self.release.clone() } else { format!("{}{UNFINISHED}", self.release) }
    }
}

async fn current(host: &impl Host) -> Result<Option<Current>, DeployError> {
    // A link that is not there has no line.
    let targets = host.run(command::link_targets(&[CURRENT, READY])).await?.text();
    let mut names = targets.lines().map(|target| target.rsplit('/').next().unwrap_or_default().to_owned());
    let release = names.next().filter(|name| !name.is_empty());
    let ready = names.next();
    Ok(release.map(|release| Current { is_ready: ready.as_ref() == Some(&release), release }))
}

/// Makes sure that the release's folder holds the binary. True when it had to be sent.
async fn fill_release(
    host: &impl Host,
    artifact: &Artifact,
    (release, settings): (&ReleaseId, &Settings),
    note: &Note,
) -> Result<bool, DeployError> {
    let folder = format!("{RELEASES}/{release}");
    let program = program_of(&release.0);
    for path in [BASE, RELEASES, &folder] {
        host.check(command::folder(path, "0755")).await?;
    }
    let is_missing = !has_program(host, &program, &artifact.sha256).await?;
    if is_missing {
        let kilobytes = artifact.bytes.len() / 1024;
        note(&format!("{}: sending release {release} ({kilobytes} KiB)", host.name()));
        host.upload(&program, artifact.bytes.clone(), 0o755).await?;
    }
    let manifest = Manifest {
        release: release.0.clone(),
        sha256: artifact.sha256.clone(),
        architecture: artifact.architecture.to_string(),
        installed: host.check(command::now()).await?.text(),
        environment: Some(inspect::digest(&environment(settings, &stand_in())?)),
        unit: Some(inspect::digest(&unit_file(settings)?)),
    };
    let text = format!("{:#}\n", serde_json::json!(manifest));
    host.upload(&format!("{folder}/manifest.json"), text.into_bytes().into(), 0o644).await?;
    Ok(is_missing)
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

/// Removes releases beyond the newest few; the current one and the one before always stay.
async fn prune(host: &impl Host, release: &str, previous: Option<&str>) -> Result<(), DeployError> {
    let listing = host.check(command::names(RELEASES)).await?.text();
    let mut others = Vec::new();
    for name in listing.lines().filter(|name| *name != release && Some(*name) != previous) {
        let manifest = host.read(&format!("{RELEASES}/{name}/manifest.json")).await?.unwrap_or_default();
        let installed = serde_json::from_slice::<Manifest>(&manifest).map(|manifest| manifest.installed);
        others.push((installed.unwrap_or_default(), name));
    }
    // RFC 3339 in UTC sorts as text.
    others.sort();
    let spare = KEPT - 1 - usize::from(previous.is_some_and(|previous| previous != release));
    for (_, name) in others.iter().rev().skip(spare) {
        host.check(command::remove_all(&format!("{RELEASES}/{name}"))).await?;
    }
    Ok(())
}

fn environment(settings: &Settings, password: &Secret<String>) -> Result<String, DeployError> {
    let values = context! {
        address => settings.address.to_string(),
        port => settings.port,
        redis_password => password.expose(),
        redis_user => &settings.redis_user,
        redis_host => &settings.redis_host,
        redis_port => settings.redis_port,
        node_id => &settings.node_id,
        stream_bytes => settings.stream_bytes,
        ping_interval => duration(settings.ping_interval),
        ping_timeout => duration(settings.ping_timeout),
        allowed_origins => &settings.allowed_origins,
        trusted_proxies => settings.trusted_proxies.iter().map(Ipv4Net::to_string).collect::<Vec<_>>(),
    };
    render(NODE_ENVIRONMENT, values)
}

fn unit_file(settings: &Settings) -> Result<String, DeployError> {
    render(NODE_UNIT, context! { node_id => &settings.node_id, port => settings.port })
}

/// A duration as the node reads it.
fn duration(duration: Duration) -> String {
    if duration.subsec_millis() == 0 {
        format!("{}s", duration.as_secs())
    } else {
        format!("{}ms", duration.as_millis())
    }
}
