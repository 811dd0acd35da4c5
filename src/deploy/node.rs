//! A release of the chat node on a host, or of an app in its place: the same unit, folders and care.
//!
//! 1. Binary and host are compared: architecture, C library.
//! 2. The release's folder is filled, unless it already holds this binary. Whoever installs it hears now whether the
//!    node will be restarted, and may take its traffic away.
//! 3. What is in force is laid aside, and a timer on the host is set that puts it back, should nobody say in time that
//!    the other release is good.
//! 4. Environment and unit are put in place, the `current` link is flipped in one move, the unit restarted.
//! 5. The node must answer on `/readyz`, and go on doing so for a while. If it does not, the release before is put back
//!    and the error says so.
//! 6. A second link, `ready`, says last which release came to that, and the timer is stopped. The link goes before
//!    anything in force is changed.
//!
//! An observation believes a release when both links lead to it. A run that was cut, be it between the flip and the
//! restart, leaves one that is unfinished and is put in force again; nothing but time is lost.
//!
//! `install` has the order, `kept` the folders of releases, `ready` what a node answers, `revert` the timer,
//! `app` what differs for a server of anybody's own.

mod app;
mod install;
mod kept;
mod outage;
pub(super) mod ready;
mod revert;

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Duration;

use ipnet::Ipv4Net;
use minijinja::context;
use serde::{Deserialize, Serialize};

pub use self::app::App;
pub use self::install::{Outcome, Prepared, Rollout, Wanted, prepare};
use self::kept::Manifest;
pub use self::kept::{KeptRelease, Standing, releases};
pub use self::outage::{start_again, stop_for};
pub use self::ready::wait_until_ready;
use super::Note;
use super::command;
use super::error::DeployError;
use super::host::Host;
use super::inspect;
use super::program::Program;
use super::step::Step;
use super::template::{NODE_ENVIRONMENT, NODE_UNIT, render};
use super::unit::{self, Duty};
use crate::base::secret::Secret;
use crate::ssh::{Command, Output};

/// Its name to systemd.
pub const UNIT: &str = "chat-node.service";
/// Its unit.
pub const UNIT_FILE: &str = "/etc/systemd/system/chat-node.service";
/// Its settings, the password of Redis among them.
pub const ENVIRONMENT: &str = "/etc/albatross/chat-node.env";
pub(super) const BASE: &str = "/opt/albatross";
const RELEASES: &str = "/opt/albatross/releases";
pub(super) const CURRENT: &str = "/opt/albatross/current";
/// The program that runs.
pub const PROGRAM: &str = "/opt/albatross/current/chat-node";
/// What the release that runs says of itself.
const MANIFEST: &str = "/opt/albatross/current/manifest.json";
/// Leads to the release that became ready.
const READY: &str = "/opt/albatross/ready";
/// Follows the name of a release whose roll-out was cut.
const UNFINISHED: &str = " (unfinished)";

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
    /// What runs in place of the chat node; then most of the above is of no use.
    pub app: Option<App>,
}

impl Settings {
    /// The path that is answered when it is ready.
    pub(super) fn health_path(&self) -> &str {
        self.app.as_ref().map_or("/readyz", |app| app.health_path.as_str())
    }

    /// The app's secrets.
    pub(super) fn secrets(&self) -> impl Iterator<Item = (&String, &Secret<String>)> {
        self.app.iter().flat_map(|app| &app.secrets)
    }

    /// The same without what secrets are.
    fn without_secrets(&self) -> Self {
        Self { app: self.app.as_ref().map(App::without_secrets), ..self.clone() }
    }
}

/// The name of a release: 12 hex digits that stand for binary, unit and environment, the host's own name and address
/// left out, so that it is the same on all hosts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ReleaseId(String);

impl ReleaseId {
    /// What somebody wrote, when it can be one.
    pub fn parse(text: &str) -> Option<Self> {
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        (text.len() == inspect::DIGITS && text.bytes().all(is_digit)).then(|| Self(text.to_owned()))
    }

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
    /// The secrets of an app.
    pub secrets: BTreeMap<String, Secret<String>>,
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

/// The name of the release that these settings and this program make. The password is no part of it.
///
/// # Errors
/// When a setting has a character that its file gives a meaning to.
pub fn release_id(program: &Program, settings: &Settings) -> Result<ReleaseId, DeployError> {
    let anywhere = Settings {
        node_id: inspect::STAND_IN.to_owned(),
        address: Ipv4Addr::UNSPECIFIED,
        ..settings.without_secrets()
    };
    let texts = [&program.digest(), &unit_file(&anywhere)?, &environment(&anywhere, &inspect::stand_in())?];
    Ok(ReleaseId(inspect::digest_of_all(&texts.map(String::as_str))))
}

/// How many questions there are to see what is in force.
pub(super) const QUESTIONS: usize = 5;

/// What is asked to see what is in force.
pub(super) fn questions() -> [Command; QUESTIONS] {
    [
        kept::links(),
        command::print(MANIFEST),
        command::print(ENVIRONMENT),
        command::print(UNIT_FILE),
        command::sha256(PROGRAM),
    ]
}

/// What is in force, by what its unit does and by the answers.
pub(super) fn seen(duty: Duty, answers: &[Output; QUESTIONS]) -> Observed {
    let [links, manifest, environment, unit, program] = answers;
    let current = kept::current_of(links);
    let Duty { active, enabled } = duty;
    let release = current.as_ref().map(shown);
    if release.is_none() {
        let edited = Edited::default();
        let secrets = BTreeMap::new();
        return Observed { release, active, enabled: false, edited, password: None, secrets };
    }
    let manifest = inspect::found(manifest).and_then(|text| Manifest::parse(text.as_bytes()));
    let names = manifest.as_ref().map(|own| own.secrets.as_slice()).unwrap_or_default();
    let (environment, password, secrets) = match inspect::found(environment) {
        Some(text) => {
            let (text, password, secrets) = without_what_is_secret(&text, names);
            (Some(text), password, secrets)
        }
        None => (None, None, BTreeMap::new()),
    };
    let written = |file: fn(&Manifest) -> Option<&String>| manifest.as_ref().and_then(file);
    let edited = Edited {
        environment: inspect::is_edited(written(|own| own.environment.as_ref()), environment.as_ref()),
        unit: inspect::is_edited(written(|own| own.unit.as_ref()), inspect::found(unit).as_ref()),
        program: manifest.as_ref().is_some_and(|manifest| !is_program(program, &manifest.sha256)),
    };
    Observed { release, active, enabled, edited, password, secrets }
}

/// An environment with stand-ins, the password of Redis in it, and what its variables of these names are.
fn without_what_is_secret(
    environment: &str,
    names: &[String],
) -> (String, Option<Secret<String>>, BTreeMap<String, Secret<String>>) {
    let (plain, password) = inspect::without_password(environment);
    let (plain, secrets) = app::take_secrets(&plain, names);
    (plain, password, secrets)
}

/// Names of the variables of the release in force that nobody may read.
pub(super) async fn secrets_in_force(host: &impl Host) -> Result<Vec<String>, DeployError> {
    let manifest = host.read(MANIFEST).await?.and_then(|bytes| Manifest::parse(&bytes));
    Ok(manifest.map(|manifest| manifest.secrets).unwrap_or_default())
}

/// All that the node of a host was told and nobody may read: the password of Redis, and what an app's secrets are.
pub(super) async fn known_secrets(host: &impl Host) -> Result<Vec<Secret<String>>, DeployError> {
    let Some(environment) = inspect::text(host, ENVIRONMENT).await? else { return Ok(Vec::new()) };
    let names = secrets_in_force(host).await?;
    let (_, password, secrets) = without_what_is_secret(&environment, &names);
    Ok(password.into_iter().chain(secrets.into_values()).collect())
}

/// The name of a release, with a mark when nobody has seen it ready.
fn shown(current: &kept::Current) -> String {
    if current.is_ready { current.release.clone() } else { format!("{}{UNFINISHED}", current.release) }
}

fn program_of(release: &str) -> String {
    format!("{RELEASES}/{release}/chat-node")
}

/// Whether a file is the program with this digest.
async fn has_program(host: &impl Host, path: &str, sha256: &str) -> Result<bool, DeployError> {
    Ok(is_program(&host.run(command::sha256(path)).await?, sha256))
}

/// Whether a file is one of a program's builds: only the one for the host's processor could have become ready there.
async fn has_build(host: &impl Host, path: &str, program: &Program) -> Result<bool, DeployError> {
    let sum = host.run(command::sha256(path)).await?;
    Ok(program.builds().any(|build| is_program(&sum, &build.sha256)))
}

/// Whether a digest that a host took is this one.
fn is_program(sum: &Output, sha256: &str) -> bool {
    sum.status == 0 && sum.text().starts_with(sha256)
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
    revert::remove(host).await?;
    unit::remove(host, UNIT, UNIT_FILE).await?;
    host.check(command::remove_all(ENVIRONMENT)).await?;
    host.check(command::remove_all(READY)).await?;
    host.check(command::remove_all(CURRENT)).await?;
    Ok(())
}

/// The two files beside the binary.
#[derive(Clone, PartialEq, Eq)]
struct Files {
    environment: String,
    unit: String,
}

impl Files {
    /// The address and port that the node listens on with them.
    fn listens_on(&self) -> Option<String> {
        let value = |begins| self.environment.lines().find_map(|line| line.strip_prefix(begins));
        let of_app = || Some(format!("{}:{}", value("HOST=")?, value("PORT=")?));
        value("CHAT_NODE_LISTEN=").map(str::to_owned).or_else(of_app)
    }
}

fn environment(settings: &Settings, password: &Secret<String>) -> Result<String, DeployError> {
    if let Some(app) = &settings.app {
        return Ok(app.environment(settings, password));
    }
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
    if let Some(app) = &settings.app {
        return app.unit(settings);
    }
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
