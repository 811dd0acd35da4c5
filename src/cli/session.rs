//! What every command with a topology begins with: read the file, find the cloud, open the state.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::apply::Provider;
use crate::apply::hosts::{AddressMapSource, HostKeySource, SshHosts};
use crate::apply::ledger::Ledger;
use crate::base::address_map::AddressMap;
use crate::base::certificate::Certificate;
use crate::base::diagnostic::Diagnostic;
use crate::base::ids::InstanceName;
use crate::cli::GlobalOptions;
use crate::cli::diff::{Diff, DiffArguments};
use crate::cli::exit::ExitStatus;
use crate::cli::failure::Failure;
use crate::cli::hooks::HookArguments;
use crate::cli::interrupt::Stop;
use crate::cli::local::LocalCloud;
use crate::cli::render::diagnostic;
use crate::cli::render::progress::Progress;
use crate::cli::stack::Guard;
use crate::cli::{
    app, certificate, endpoints, environment, existing, key, logins, node_program, saved, say, stack, typed,
    user_data,
};
use crate::cloud::credentials::{self, Credentials, Keys};
use crate::cloud::endpoint::Endpoint;
use crate::cloud::transport::Client;
use crate::deploy::Program;
use crate::plan;
use crate::plan::desired::{Brought, Desired, desired};
use crate::plan::saved::{Origin, is_saved_plan};
use crate::state::begun::Begun;
use crate::topology::model::Topology;
use crate::topology::references::Resolved;
use crate::topology::{self, LARGEST_FILE};

/// A topology that was read and found good.
#[derive(Debug)]
pub(super) struct Loaded {
    /// Where it was read.
    pub path: PathBuf,
    /// Its text, with everything put in.
    pub text: Resolved,
    /// What it says.
    pub topology: Topology,
    /// The certificate that it brings along.
    pub certificate: Option<Certificate>,
    /// The program of its app.
    pub app: Option<Program>,
    /// For whom it was planned, when it comes with a saved plan.
    pub origin: Option<Origin>,
}

/// Reads a topology and shows all that is wrong with it.
///
/// # Errors
/// With exit status 65 when it is invalid.
pub(super) fn load(options: &GlobalOptions, path: &Path) -> Result<Loaded, Failure> {
    let bytes = read(path)?;
    if is_saved_plan(&bytes) {
        return Err(saved::not_a_topology(path));
    }
    check(options, path, &bytes)
}

/// Shows all that is wrong with a topology, with what the command gives it.
///
/// # Errors
/// As [`load`].
pub(super) fn check(options: &GlobalOptions, path: &Path, bytes: &[u8]) -> Result<Loaded, Failure> {
    typed::remember(options, path);
    let inputs = options.inputs.read()?;
    let text = String::from_utf8_lossy(bytes);
    let (topology, text) =
        topology::load_with(bytes, &inputs).map_err(|findings| refuse(path, &text, &findings))?;
    with_files(path, text, topology)
}

/// The same of a text into which everything was put when it was saved.
///
/// # Errors
/// As [`load`].
pub(super) fn check_resolved(path: &Path, text: &str) -> Result<Loaded, Failure> {
    let topology = topology::load_resolved(text).map_err(|findings| refuse(path, text, &findings))?;
    with_files(path, Resolved::as_written(text), topology)
}

pub(super) fn refuse(path: &Path, text: &str, findings: &[Diagnostic]) -> Failure {
    diagnostic::print_all(&path.display().to_string(), text, findings);
    Failure::shown(ExitStatus::Invalid)
}

/// Reads what the topology names: keys, certificate and program.
fn with_files(path: &Path, text: Resolved, topology: Topology) -> Result<Loaded, Failure> {
    let refuse = |findings: &[Diagnostic]| refuse(path, text.written(), findings);
    let problems = key::check(&text, &topology);
    if !problems.is_empty() {
        return Err(refuse(&problems));
    }
    let certificate =
        certificate::load(path, &text, &topology).map_err(|diagnostic| refuse(&[*diagnostic]))?;
    let app = app::program(path, &text, &topology).map_err(|diagnostic| refuse(&[*diagnostic]))?;
    user_data::texts(path, &text, &topology).map_err(|diagnostic| refuse(&[*diagnostic]))?;
    Ok(Loaded { path: path.to_owned(), text, topology, certificate, app, origin: None })
}

/// Reads a topology or a saved plan, and one byte more than the largest has, so that a huge file is refused at once.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    use std::io::Read;
    let unreadable = |error: std::io::Error| {
        let error =
            anyhow::Error::new(error).context(format!("cannot read the topology `{}`", path.display()));
        Failure::new(
            ExitStatus::Usage,
            error,
            Some("give the path of a topology, such as examples/chatroom.yaml".to_owned()),
        )
    };
    let mut bytes = Vec::new();
    let mut file = std::fs::File::open(path).map_err(unreadable)?;
    let mut read_up_to = |limit: usize, bytes: &mut Vec<u8>| {
        let left = (limit + 1).saturating_sub(bytes.len()) as u64;
        file.by_ref().take(left).read_to_end(bytes).map_err(unreadable)
    };
    read_up_to(LARGEST_FILE, &mut bytes)?;
    if is_saved_plan(&bytes) {
        read_up_to(plan::saved::LARGEST_FILE, &mut bytes)?;
    }
    Ok(bytes)
}

/// Where a command's cloud is.
#[derive(Debug, Clone)]
pub(super) enum Target {
    /// A cloud on this machine.
    Local(Box<LocalCloud>),
    /// The real one, or an endpoint that was given.
    Remote,
}

/// How a command uses the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    /// It changes nothing, needs no lock, and compares no releases.
    Look,
    /// It changes nothing and needs no lock.
    Plan,
    /// It holds the lock for as long as it runs.
    Change,
    /// As that, but it deploys nothing.
    Remove,
}

/// Everything a command with a topology works with.
pub(super) struct Session {
    /// The topology.
    pub topology: Topology,
    /// The file it was read from, and its text.
    pub source: (PathBuf, Resolved),
    /// What it asks for.
    pub desired: Desired,
    /// The cloud and the machines.
    pub provider: Provider,
    /// The machines, for who needs a session of its own.
    pub hosts: Arc<SshHosts>,
    /// Where the cloud is.
    pub target: Target,
    /// Knows which saved plan was begun.
    pub begun: Begun,
    /// Id of the saved plan this command carries out.
    pub saved: Option<String>,
    /// Said when somebody says stop, or when the lock is lost.
    pub stop: Stop,
    /// Whether the hooks of the topology are run; only who says so runs them.
    pub runs_hooks: bool,
    /// How much a plan says of what is done on machines.
    pub diff: Diff,
    /// Shows what happens, where something does.
    pub progress: Option<Progress>,
    /// Whether this is a part of a command that has a last line of its own.
    pub is_part: bool,
    /// Where the state is that several people share.
    pub shared_in: Option<String>,
    /// Keeps other commands away.
    _lock: Option<Guard>,
}

/// Begins a command.
///
/// # Errors
/// When the keys, the cloud, the state or the node's binary are not usable.
pub(super) async fn begin(options: &GlobalOptions, loaded: Loaded, access: Use) -> Result<Session, Failure> {
    let target = target(options, &loaded.topology).await?;
    Box::pin(begin_at(options, loaded, access, target)).await
}

/// Begins a command in a cloud that is already chosen.
///
/// # Errors
/// As [`begin`].
pub(super) async fn begin_at(
    options: &GlobalOptions,
    loaded: Loaded,
    access: Use,
    target: Target,
) -> Result<Session, Failure> {
    let Loaded { path, text, mut topology, certificate, app: own_program, origin } = loaded;
    // Before anything is begun: somebody may be asked for a passphrase.
    let login = (key::identity(&topology, options).await?, logins::access(&topology)?);
    let pair = key::of_key_pair(&login.0)?;
    let stack = stack::find(options, &topology, &target).await?;
    if let Some(origin) = &origin {
        saved::check_cloud(origin, &stack.identity.account, &stack.identity.endpoint)?;
    }
    let found = Box::pin(existing::look_up(&stack.client, (&path, &text), &mut topology)).await?;
    if matches!(access, Use::Plan | Use::Change) {
        for words in &found {
            say::notice(words);
        }
    }
    let (lock, journal, stop) = match access {
        Use::Look | Use::Plan => (None, Box::pin(stack.read()).await?, Stop::never()),
        Use::Change | Use::Remove => {
            let stop = Stop::listen()?;
            let (lock, journal) = Box::pin(stack.lock(options, &stop)).await?;
            (Some(lock), journal, stop)
        }
    };
    let boot_limit = Duration::from_secs(options.boot_limit);
    let (identity, access_to_machines) = login;
    let by_cloud = access_to_machines.host_keys == HostKeySource::ControlPlane;
    let hosts = Arc::new(SshHosts::new(
        identity,
        access_to_machines,
        address_map(&target),
        boot_limit,
        stop.token().clone(),
    ));
    let told = user_data::texts(&path, &text, &topology)
        .map_err(|diagnostic| refuse(&path, text.written(), &[*diagnostic]))?;
    let digests = |(name, text): (&InstanceName, &String)| (name.clone(), user_data::digest(text));
    let brought = Brought {
        certificate: certificate.as_ref().map(|certificate| certificate.chain.digest.clone()),
        user_data: told.iter().map(digests).collect(),
    };
    let mut desired = desired(&topology, &pair, &brought);
    if !has_machines(&target).await? {
        desired = desired.without_hosts();
        say::notice("this cloud has no machines: Redis and releases are left out");
    }
    let (program, app_secrets) = match (access, own_program) {
        (Use::Look | Use::Remove, _) => (None, None),
        (Use::Plan | Use::Change, Some(program)) => (Some(program), app::secrets(&path, &topology)?),
        (Use::Plan | Use::Change, None) => (Some(node_program::load(options)?), None),
    };
    let ledger = Ledger::new(journal);
    let provider = Provider::new(stack.client, topology.stack.clone(), hosts.clone(), program, ledger)
        .with_app_secrets(app_secrets)
        .with_certificate(certificate)
        .with_user_data(told.into_values().map(|text| (user_data::digest(&text), text)).collect())
        .with_host_keys_by_cloud(by_cloud);
    let source = (path, text);
    let provider = provider.stopped_by(stop.token().clone());
    let begun = Begun::of(&stack.folder);
    Ok(Session {
        topology,
        source,
        desired,
        provider,
        hosts,
        target,
        begun,
        saved: None,
        stop,
        runs_hooks: false,
        diff: Diff::default(),
        progress: None,
        is_part: false,
        shared_in: stack.store.as_ref().map(|store| store.place().to_owned()),
        _lock: lock,
    })
}

impl Session {
    /// With the hooks of the topology, unless they are to be skipped.
    #[must_use]
    pub(super) fn with_hooks(mut self, arguments: HookArguments) -> Self {
        self.runs_hooks = !arguments.skip_hooks;
        self
    }

    /// With a plan that says this much of what is done on machines.
    #[must_use]
    pub(super) fn with_diff(mut self, arguments: DiffArguments) -> Self {
        self.diff = arguments.diff();
        self
    }

    /// As a part of a command that says itself what became of everything.
    #[must_use]
    pub(super) fn into_part(mut self) -> Self {
        self.is_part = true;
        self
    }

    /// Says what became of it.
    pub(super) fn conclude(&self, line: &str) {
        if !self.is_part || say::narrates() {
            say::outcome(line);
        }
    }

    /// With somebody who shows what happens.
    #[must_use]
    pub(super) fn with_progress(mut self) -> Self {
        let progress = Progress::new();
        self.provider = self.provider.with_sink(progress.sink());
        self.progress = Some(progress);
        self
    }
}

/// The cloud a command is for; the local one is started when none runs.
///
/// # Errors
/// When it cannot be started.
pub(super) async fn target(options: &GlobalOptions, topology: &Topology) -> Result<Target, Failure> {
    if !options.local {
        return Ok(Target::Remote);
    }
    let state = options.state_dir();
    if let Some(cloud) = LocalCloud::running(state).await {
        return Ok(Target::Local(Box::new(cloud)));
    }
    let cloud_options = crate::cli::local::CloudOptions {
        hosts: crate::cli::local::HostKind::Auto,
        pace: crate::cli::local::Pace::Brisk,
        seed: None,
    };
    let cloud = LocalCloud::start(state, &cloud_options, Some(topology.region.as_str())).await?;
    say::notice(&format!("started a local cloud at {}; `{}` ends it", cloud.endpoint, options.ends_cloud()));
    Ok(Target::Local(Box::new(cloud)))
}

/// A local cloud may be a control plane alone.
async fn has_machines(target: &Target) -> Result<bool, Failure> {
    match target {
        Target::Local(cloud) => Ok(cloud.status().await?.hosts_mode != "none"),
        Target::Remote => Ok(true),
    }
}

/// A client of that cloud.
///
/// # Errors
/// When no credentials are found, or the endpoint is none.
pub(super) async fn client(
    options: &GlobalOptions,
    topology: &Topology,
    target: &Target,
) -> Result<Client, Failure> {
    let region = topology.region.clone();
    match target {
        Target::Local(cloud) => {
            let keys = Keys::new(&cloud.account.access_key_id, cloud.secret(), None);
            let credentials = Credentials::fixed(keys, "local cloud");
            Ok(Client::new(credentials, Endpoint::parse_override(&cloud.endpoint)?, region))
        }
        Target::Remote => {
            let endpoint = endpoints::endpoint(options, topology)?;
            let sources = environment::credential_sources(&endpoint);
            Ok(Client::new(credentials::find(&sources).await?, endpoint, region))
        }
    }
}

fn address_map(target: &Target) -> AddressMapSource {
    match target.clone() {
        Target::Remote => Arc::new(|| Box::pin(async { AddressMap::Direct })),
        Target::Local(cloud) => Arc::new(move || {
            let cloud = cloud.clone();
            Box::pin(async move { cloud.address_map().await })
        }),
    }
}
