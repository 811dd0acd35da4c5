//! The local cloud: starts `mock-cloud`, finds one that runs, asks it how it is, ends it.
//!
//! A cloud that was started with `cloud up` is remembered in `<state folder>/local/cloud.json`, 0600, since it holds
//! the account's key. Each folder has its own, so two folders have two clouds.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::base::address_map::AddressMap;
use crate::base::durable;
use crate::base::retry::{Backoff, Deadline};
use crate::base::secret::Secret;
use crate::cli::exit::ExitStatus;
use crate::cli::failure::Failure;
use crate::cli::programs;
use crate::cloud::http;

/// How a local cloud is started.
#[derive(Debug, Clone, Args)]
pub(super) struct CloudOptions {
    /// What its instances are: machines of their own, processes of this machine, or nothing
    #[arg(long, value_enum, default_value_t = HostKind::Auto)]
    pub hosts: HostKind,
    /// How long things take: no time, a little, or as in the real cloud
    #[arg(long, value_enum, default_value_t = Pace::Brisk)]
    pub pace: Pace,
    /// Makes its ids and keys the same each time
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
}

/// What the instances of a local cloud are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum HostKind {
    /// Machines where root has built their image, else processes.
    Auto,
    /// Processes behind an embedded SSH server; needs no privileges.
    Process,
    /// Machines of their own, a Debian each; needs root and `mock-cloud image build`.
    Machine,
    /// Nothing: control plane only.
    None,
}

/// How long things take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Pace {
    /// No time.
    Instant,
    /// A fraction of a second each.
    Brisk,
    /// As in the real cloud.
    Real,
}

/// What a cloud says of itself when it is ready.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct LocalCloud {
    /// Its process.
    pub pid: u32,
    /// Where its API answers.
    pub endpoint: String,
    /// Where its DNS server answers.
    pub dns: SocketAddr,
    /// Its web page.
    pub console: String,
    /// Lets one ask for its status and end it.
    admin_token: String,
    /// The account.
    pub account: Account,
}

/// The account of a local cloud. Its secret opens nothing but that cloud, which lives on the loopback only.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Account {
    /// Its number.
    pub id: String,
    /// Its key.
    pub access_key_id: String,
    /// Its secret.
    pub access_key_secret: String,
}

/// What a cloud says of itself while it runs.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct CloudStatus {
    /// From addresses of the API to loopback ones.
    #[serde(default)]
    pub connect_to: Vec<Connection>,
    /// What its instances are: `machine`, `process`, `none`.
    #[serde(default)]
    pub(super) hosts_mode: String,
    /// How many resources there are.
    #[serde(default)]
    pub resources: u64,
    /// How many of each kind.
    #[serde(default)]
    pub resources_by_kind: BTreeMap<String, u64>,
    /// How often each action was called.
    #[serde(default)]
    pub calls: BTreeMap<String, u64>,
}

/// One way into a local cloud.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Connection {
    /// Address and port the API shows.
    pub from: SocketAddr,
    /// Address and port to connect to.
    pub to: SocketAddr,
}

impl LocalCloud {
    /// The cloud of a state folder, when one runs.
    pub(super) async fn running(state: &Path) -> Option<Self> {
        let text = fs::read(file(state)).ok()?;
        let cloud: Self = serde_json::from_slice(&text).ok()?;
        cloud.raw_status().await.ok()?;
        Some(cloud)
    }

    /// Starts a cloud that stays when this command ends.
    ///
    /// # Errors
    /// When one runs already, or it cannot be started.
    pub(super) async fn start(
        state: &Path,
        options: &CloudOptions,
        region: Option<&str>,
    ) -> Result<Self, Failure> {
        if let Some(cloud) = Self::running(state).await {
            return Err(Failure::saying(
                ExitStatus::Failed,
                format!("a local cloud runs already at {}", cloud.endpoint),
                "use it with --local, or end it with `albatross cloud down`",
            ));
        }
        let folder = state.join("local");
        durable::create_private_folder(&folder).map_err(cannot_start)?;
        let log = folder.join("mock-cloud.log");
        let errors = OpenOptions::new().create(true).append(true).mode(0o600).open(&log);
        let errors = errors.map_err(durable::FileError::new("open", &log)).map_err(cannot_start)?;
        let mut command = serve_command(options, region, &folder.join("data"))?;
        // A process group of its own, so that Ctrl-C in this terminal does not end it.
        command.stdin(Stdio::null()).stderr(errors).process_group(0);
        let (_child, cloud) = spawn(command, &log)?;
        let text =
            serde_json::to_vec_pretty(&cloud).map_err(|error| Failure::new(ExitStatus::Bug, error, None))?;
        durable::replace(&file(state), &text).map_err(cannot_start)?;
        Ok(cloud)
    }

    /// Starts a cloud that ends with this command, however that ends.
    ///
    /// # Errors
    /// When it cannot be started.
    pub(super) fn start_for_this_command(
        folder: &Path,
        options: &CloudOptions,
        region: Option<&str>,
    ) -> Result<(Child, Self), Failure> {
        let log = folder.join("mock-cloud.log");
        let errors =
            fs::File::create(&log).map_err(durable::FileError::new("create", &log)).map_err(cannot_start)?;
        let mut command = serve_command(options, region, &folder.join("data"))?;
        command.arg("--until-stdin-closes").stdin(Stdio::piped()).stderr(errors);
        // Ctrl-C in this terminal is for this command, which may still have to put something right.
        command.process_group(0);
        spawn(command, &log)
    }

    /// Its status as it says it.
    ///
    /// # Errors
    /// When it does not answer.
    pub(super) async fn raw_status(&self) -> Result<Value, Failure> {
        let answer =
            self.request(reqwest::Method::GET, "status").await.map_err(|error| self.silent(error))?;
        answer.json().await.map_err(|error| self.silent(error))
    }

    /// Its status.
    ///
    /// # Errors
    /// When it does not answer, or not as expected.
    pub(super) async fn status(&self) -> Result<CloudStatus, Failure> {
        serde_json::from_value(self.raw_status().await?)
            .map_err(|error| Failure::new(ExitStatus::Bug, error, None))
    }

    /// How the addresses of its API are reached now; nothing is reachable when it does not answer.
    pub(super) async fn address_map(&self) -> AddressMap {
        let connections = self.status().await.map(|status| status.connect_to).unwrap_or_default();
        AddressMap::Mapped(connections.into_iter().map(|one| (one.from, one.to)).collect())
    }

    /// The account's secret.
    pub(super) fn secret(&self) -> Secret<String> {
        Secret::new(self.account.access_key_secret.clone())
    }

    /// Ends the cloud of a state folder and waits until it is gone.
    ///
    /// # Errors
    /// When it does not end.
    pub(super) async fn stop(&self, state: &Path) -> Result<(), Failure> {
        // The answer may be cut off by its very success.
        let _ = self.request(reqwest::Method::POST, "shutdown").await;
        let deadline = Deadline::after(Duration::from_secs(20));
        let mut backoff = Backoff::new(Duration::from_millis(20), Duration::from_millis(500));
        let process = PathBuf::from(format!("/proc/{}", self.pid));
        while self.raw_status().await.is_ok() || process.exists() {
            if !backoff.wait(&deadline).await {
                return Err(Failure::saying(
                    ExitStatus::Failed,
                    format!("the local cloud (process {}) does not end", self.pid),
                    format!("end it with `kill {}`", self.pid),
                ));
            }
        }
        let path = file(state);
        fs::remove_file(&path).map_err(durable::FileError::new("remove", &path)).map_err(cannot_start)
    }

    /// Asks it for something beside its API, or tells it something, in JSON.
    ///
    /// # Errors
    /// When it does not answer, or says no: then with what it says.
    pub(super) async fn administer(
        &self,
        method: reqwest::Method,
        what: &str,
        body: Option<&Value>,
    ) -> Result<Value, Failure> {
        self.administer_text(method, what, body.map(Value::to_string)).await
    }

    /// The same with a body as it is.
    ///
    /// # Errors
    /// As [`LocalCloud::administer`].
    pub(super) async fn administer_text(
        &self,
        method: reqwest::Method,
        what: &str,
        body: Option<String>,
    ) -> Result<Value, Failure> {
        let send = async {
            let client = http::without_tls().timeout(Duration::from_mins(1)).build()?;
            let url = format!("{}/_mock/{what}", self.endpoint);
            let request = client.request(method, url).header("x-mock-token", &self.admin_token);
            let answer = request.body(body.unwrap_or_default()).send().await?;
            let is_done = answer.status().is_success();
            Ok((is_done, answer.json::<Value>().await?))
        };
        let (is_done, answer) =
            send.await.map_err(|error: reqwest::Error| self.silent(error.without_url()))?;
        if is_done {
            return Ok(answer);
        }
        let sentence = answer["error"].as_str().unwrap_or("the local cloud says no").to_owned();
        Err(Failure::saying(ExitStatus::Failed, sentence, "see docs/faults.md and `albatross cloud status`"))
    }

    async fn request(
        &self,
        method: reqwest::Method,
        what: &str,
    ) -> Result<reqwest::Response, reqwest::Error> {
        let client = http::without_tls().timeout(Duration::from_secs(10)).build()?;
        let url = format!("{}/_mock/{what}", self.endpoint);
        let answer = client.request(method, url).header("x-mock-token", &self.admin_token).send().await;
        answer.and_then(reqwest::Response::error_for_status).map_err(reqwest::Error::without_url)
    }

    fn silent(&self, error: reqwest::Error) -> Failure {
        let error = anyhow::Error::new(error)
            .context(format!("the local cloud at {} does not answer", self.endpoint));
        Failure::new(ExitStatus::Failed, error, Some("start one with `albatross cloud up`".to_owned()))
    }
}

fn file(state: &Path) -> PathBuf {
    state.join("local").join("cloud.json")
}

fn cannot_start(error: durable::FileError) -> Failure {
    Failure::new(ExitStatus::Failed, error, Some("choose another folder with --state-dir".to_owned()))
}

fn serve_command(options: &CloudOptions, region: Option<&str>, data: &Path) -> Result<Command, Failure> {
    let mut command = Command::new(programs::find("mock-cloud")?);
    command.args([
        "serve",
        "--strict",
        "--hosts",
        word(options.hosts).as_str(),
        "--pace",
        word(options.pace).as_str(),
    ]);
    if let Some(seed) = options.seed {
        command.args(["--seed", &seed.to_string()]);
    }
    if let Some(region) = region {
        command.args(["--region", region]);
    }
    command.arg("--data").arg(data).stdout(Stdio::piped());
    Ok(command)
}

/// The word of a choice on the command line, which is the same for both programs.
fn word(choice: impl ValueEnum) -> String {
    choice.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}

fn spawn(mut command: Command, log: &Path) -> Result<(Child, LocalCloud), Failure> {
    let hint = || Some(format!("see `{}`", log.display()));
    let mut child = command.spawn().map_err(|error| {
        Failure::new(ExitStatus::Failed, anyhow::Error::new(error).context("cannot start mock-cloud"), hint())
    })?;
    let mut line = String::new();
    let output = child.stdout.take();
    let read = output.map(|output| BufReader::new(output).read_line(&mut line));
    if let Ok(cloud) = serde_json::from_str(&line) {
        return Ok((child, cloud));
    }
    // It has ended, or will at once: what it wrote says why.
    let _ = (read, child.wait());
    let said = fs::read_to_string(log).unwrap_or_default();
    let last = said.trim().lines().last().unwrap_or("it said nothing").to_owned();
    Err(Failure::saying(
        ExitStatus::Failed,
        format!("the local cloud did not start: {last}"),
        hint().unwrap_or_default(),
    ))
}
