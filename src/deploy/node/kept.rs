//! The releases that a host keeps: each a folder with its binary, its environment without the password, its unit, and
//! a manifest that says when it came and when it was last in force.

use serde::{Deserialize, Serialize};

use super::{BASE, CURRENT, READY, RELEASES, ReleaseId, Settings, environment, has_program, program_of};
use super::{Files, unit_file};
use crate::base::secret::Secret;
use crate::deploy::Note;
use crate::deploy::artifact::Artifact;
use crate::deploy::command;
use crate::deploy::error::DeployError;
use crate::deploy::host::Host;
use crate::deploy::inspect;
use crate::ssh::{Command, Output};

/// How many releases stay on a host, the current one included.
const KEPT: usize = 3;

/// What a release says of itself.
#[derive(Serialize, Deserialize)]
pub(super) struct Manifest {
    release: String,
    pub(super) sha256: String,
    architecture: String,
    installed: String,
    /// When it last became the one in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    in_force: Option<String>,
    /// Digest of the environment, the password left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) environment: Option<String>,
    /// Digest of the unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) unit: Option<String>,
    /// Names of variables that nobody may read: what they are is in no file of the release.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) secrets: Vec<String>,
}

impl Manifest {
    /// That of a release; none when there is none, or none that can be read.
    pub(super) async fn read(host: &impl Host, release: &str) -> Result<Option<Self>, DeployError> {
        Ok(Self::parse(&host.read(&path_of(release, "manifest.json")).await?.unwrap_or_default()))
    }

    /// What a file says, if it can be read.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }

    async fn write(&self, host: &impl Host) -> Result<(), DeployError> {
        let text = format!("{:#}\n", serde_json::json!(self));
        host.upload(&path_of(&self.release, "manifest.json"), text.into_bytes().into(), 0o644).await?;
        Ok(())
    }
}

fn path_of(release: &str, file: &str) -> String {
    format!("{RELEASES}/{release}/{file}")
}

/// Where `current` leads.
pub(super) struct Current {
    pub(super) release: String,
    /// Whether `ready` leads there too.
    pub(super) is_ready: bool,
}

/// The release in force, if there is one.
pub(super) async fn current(host: &impl Host) -> Result<Option<Current>, DeployError> {
    Ok(current_of(&host.run(links()).await?))
}

/// Asks where the links lead.
pub(super) fn links() -> Command {
    command::link_targets(&[CURRENT, READY])
}

/// The release in force, by where the links lead.
pub(super) fn current_of(links: &Output) -> Option<Current> {
    // A link that is not there has no line.
    let targets = links.text();
    let mut names = targets.lines().map(name_of);
    let release = names.next().filter(|name| !name.is_empty());
    let ready = names.next();
    release.map(|release| Current { is_ready: ready.as_ref() == Some(&release), release })
}

/// The release that a link leads to.
pub(super) fn name_of(target: &str) -> String {
    target.rsplit('/').next().unwrap_or_default().to_owned()
}

/// How a release stands on a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// It is in force.
    InForce,
    /// It was put in force, and nobody has seen it ready yet.
    Unfinished,
    /// It was in force before.
    Before,
    /// It was in force once.
    Kept,
    /// It never became ready here.
    NeverReady,
}

/// A release that a host keeps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeptRelease {
    /// Its name.
    pub release: ReleaseId,
    /// How it stands.
    pub standing: Standing,
    /// When it was brought, in UTC.
    pub installed: String,
    /// When it last became the one in force, in UTC.
    pub in_force_since: Option<String>,
    /// Whether all is there that it takes to put it in force again.
    pub is_whole: bool,
}

/// All releases of a host: the one in force first, then by when they were.
///
/// # Errors
/// When the host cannot be asked.
pub async fn releases(host: &impl Host) -> Result<Vec<KeptRelease>, DeployError> {
    let current = current(host).await?;
    let listing = host.run(command::names(RELEASES)).await?.text();
    let mut kept = Vec::new();
    for release in listing.lines().filter_map(ReleaseId::parse) {
        let Some(manifest) = Manifest::read(host, release.as_str()).await? else { continue };
        let is_whole = Files::kept(host, release.as_str(), &inspect::stand_in()).await?.is_some();
        let own = current.as_ref().filter(|current| current.release == release.as_str());
        let standing = match (own, &manifest.in_force) {
            (Some(current), _) if current.is_ready => Standing::InForce,
            (Some(_), _) => Standing::Unfinished,
            (None, Some(_)) => Standing::Kept,
            (None, None) => Standing::NeverReady,
        };
        let (installed, in_force_since) = (manifest.installed, manifest.in_force);
        kept.push(KeptRelease { release, standing, installed, in_force_since, is_whole });
    }
    // RFC 3339 in UTC sorts as text.
    kept.sort_by(|one, other| other.in_force_since.cmp(&one.in_force_since));
    if let Some(before) = kept.iter_mut().find(|one| one.standing == Standing::Kept) {
        before.standing = Standing::Before;
    }
    kept.sort_by_key(|one| one.standing);
    Ok(kept)
}

impl Files {
    /// Environment and unit of a release that is kept, with the password of now; none when the host has only its binary.
    pub(super) async fn kept(
        host: &impl Host,
        release: &str,
        password: &Secret<String>,
    ) -> Result<Option<Self>, DeployError> {
        let environment = inspect::text(host, &path_of(release, "chat-node.env")).await?;
        let unit = inspect::text(host, &path_of(release, "chat-node.service")).await?;
        let (Some(environment), Some(unit)) = (environment, unit) else { return Ok(None) };
        Ok(Some(Self { environment: inspect::with_password(&environment, password), unit }))
    }
}

/// Makes sure that the release's folder holds all that belongs to it. True when the binary had to be sent: what another
/// release of the host has is copied there, as behind a change of settings.
pub(super) async fn fill(
    host: &impl Host,
    artifact: &Artifact,
    (release, settings): (&ReleaseId, &Settings),
    note: &Note,
) -> Result<bool, DeployError> {
    let program = program_of(release.as_str());
    for path in [BASE, RELEASES, &format!("{RELEASES}/{release}")] {
        host.check(command::folder(path, "0755")).await?;
    }
    let is_sent = !has_program(host, &program, &artifact.sha256).await?
        && !copy(host, artifact, (release.as_str(), &program), note).await?;
    if is_sent {
        send(host, artifact, (release.as_str(), &program), note).await?;
    }
    let before = Manifest::read(host, release.as_str()).await?;
    let environment = environment(&settings.without_secrets(), &inspect::stand_in())?;
    let unit = unit_file(settings)?;
    let manifest = Manifest {
        release: release.to_string(),
        sha256: artifact.sha256.clone(),
        architecture: artifact.architecture.to_string(),
        installed: host.check(command::now()).await?.text(),
        in_force: before.and_then(|before| before.in_force),
        environment: Some(inspect::digest(&environment)),
        unit: Some(inspect::digest(&unit)),
        secrets: settings.secrets().map(|(name, _)| name.clone()).collect(),
    };
    for (file, text) in [("chat-node.env", environment), ("chat-node.service", unit)] {
        host.upload(&path_of(release.as_str(), file), text.into_bytes().into(), 0o644).await?;
    }
    manifest.write(host).await?;
    Ok(is_sent)
}

/// Copies the binary from another release of the host. False when none has it.
async fn copy(
    host: &impl Host,
    artifact: &Artifact,
    (release, program): (&str, &str),
    note: &Note,
) -> Result<bool, DeployError> {
    let listing = host.run(command::names(RELEASES)).await?.text();
    for other in listing.lines().filter(|other| *other != release) {
        let there = program_of(other);
        // By its content: what a manifest says may have been changed by hand.
        if has_program(host, &there, &artifact.sha256).await? {
            note(&format!("{}: release {release} has the binary of {other}, which is there", host.name()));
            host.check(command::copy_program(&there, program)).await?;
            return Ok(true);
        }
    }
    Ok(false)
}

/// Sends the binary, and says how much of it.
async fn send(
    host: &impl Host,
    artifact: &Artifact,
    (release, program): (&str, &str),
    note: &Note,
) -> Result<(), DeployError> {
    let packed = artifact.packed().await;
    let (whole, wire) = (artifact.bytes.len() / 1024, packed.len() / 1024);
    note(&format!("{}: sending release {release} ({whole} KiB, {wire} KiB compressed)", host.name()));
    let sent = host.send(&[], program, &packed, 0o755).await?;
    if sent.was_damaged {
        note(&format!("{}: what an earlier upload had left was damaged, so all of it was sent", host.name()));
    } else if sent.found > 0 {
        let (found, rest) = (sent.found / 1024, sent.sent / 1024);
        note(&format!(
            "{}: {found} KiB of it were there from an earlier upload, {rest} KiB were sent",
            host.name()
        ));
    }
    Ok(())
}

/// Writes down since when a release is in force.
pub(super) async fn is_in_force_now(host: &impl Host, release: &str) -> Result<(), DeployError> {
    if let Some(mut manifest) = Manifest::read(host, release).await? {
        manifest.in_force = Some(host.check(command::now()).await?.text());
        manifest.write(host).await?;
    }
    Ok(())
}

/// Removes releases beyond the newest few; the current one and the one before always stay.
pub(super) async fn prune(
    host: &impl Host,
    release: &str,
    previous: Option<&str>,
) -> Result<(), DeployError> {
    let listing = host.check(command::names(RELEASES)).await?.text();
    let mut others = Vec::new();
    for name in listing.lines().filter(|name| *name != release && Some(*name) != previous) {
        let manifest = Manifest::read(host, name).await?;
        // What was never in force goes first.
        others.push((manifest.map(|manifest| (manifest.in_force, manifest.installed)), name));
    }
    // RFC 3339 in UTC sorts as text.
    others.sort();
    let spare = KEPT - 1 - usize::from(previous.is_some_and(|previous| previous != release));
    for (_, name) in others.iter().rev().skip(spare) {
        host.check(command::remove_all(&format!("{RELEASES}/{name}"))).await?;
    }
    Ok(())
}
