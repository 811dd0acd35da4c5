//! A cloud of a trial's own: started beside it, asked and gated through its admin paths, gone with it.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::programs::Programs;

/// How long anything in a cloud without time may take.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// A running `mock-cloud`.
#[derive(Debug)]
pub(crate) struct Cloud {
    /// Held for its standard input: the cloud ends when that closes.
    _child: Child,
    /// Its ready line, which `cloud.json` has too.
    pub(crate) ready: String,
    endpoint: String,
    token: String,
    http: reqwest::Client,
}

/// An effect as the cloud wrote it down.
#[derive(Debug, Clone, serde::Deserialize)]
pub(crate) struct Effect {
    pub(crate) key: String,
    pub(crate) occurrence: u64,
}

/// A gate that was asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Gate(u64);

impl Cloud {
    /// Starts one with its hosts and its call log in this folder.
    pub(crate) async fn start(programs: &Programs, folder: &Path) -> anyhow::Result<Self> {
        let errors = std::fs::File::create(folder.join("mock-cloud.log"))?;
        let mut child = Command::new(programs.mock_cloud())
            .args(["serve", "--strict", "--hosts", "process", "--pace", "instant", "--until-stdin-closes"])
            .arg("--data")
            .arg(folder.join("data"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(errors)
            .spawn()
            .context("mock-cloud does not start")?;
        let mut ready = String::new();
        let output = child.stdout.take().context("a pipe")?;
        tokio::time::timeout(PATIENCE, BufReader::new(output).read_line(&mut ready)).await??;
        let said: Value = serde_json::from_str(&ready).context("mock-cloud does not describe itself")?;
        let text = |name: &str| said[name].as_str().map(str::to_owned).with_context(|| format!("no {name}"));
        let http = reqwest::Client::builder().no_proxy().build()?;
        Ok(Self { _child: child, endpoint: text("endpoint")?, token: text("admin_token")?, ready, http })
    }

    pub(crate) async fn world(&self) -> anyhow::Result<Value> {
        self.json(Method::GET, "world", None).await
    }

    pub(crate) async fn status(&self) -> anyhow::Result<Value> {
        self.json(Method::GET, "status", None).await
    }

    /// Every call so far, oldest first.
    pub(crate) async fn calls(&self) -> anyhow::Result<Vec<Value>> {
        lines(&self.text(Method::GET, "calls", None).await?)
    }

    /// Every effect since the last count began.
    pub(crate) async fn effects(&self) -> anyhow::Result<Vec<Effect>> {
        lines(&self.text(Method::GET, "effects", None).await?)
    }

    /// Counts anew, and lets go what is held.
    pub(crate) async fn count_anew(&self) -> anyhow::Result<()> {
        self.text(Method::DELETE, "effects", None).await.map(drop)
    }

    /// Asks for a gate.
    pub(crate) async fn gate(&self, key: &str, occurrence: u64, moment: &str) -> anyhow::Result<Gate> {
        let wish = json!({"key": key, "occurrence": occurrence, "moment": moment});
        let answer = self.json(Method::POST, "gates", Some(wish)).await?;
        Ok(Gate(answer["gate"].as_u64().with_context(|| format!("no gate: {answer}"))?))
    }

    /// How far a gate is: answers once its effect is held or over, or after a while.
    pub(crate) async fn gate_state(&self, gate: Gate) -> anyhow::Result<String> {
        let answer = self.json(Method::GET, &format!("gates/{}?wait=1", gate.0), None).await?;
        Ok(answer["state"].as_str().unwrap_or_default().to_owned())
    }

    /// What is held is done, or never will be.
    pub(crate) async fn decide(&self, gate: Gate, then: &str) -> anyhow::Result<()> {
        self.text(Method::POST, &format!("gates/{}", gate.0), Some(json!({"then": then}))).await.map(drop)
    }

    /// Faults that meet calls from now on.
    pub(crate) async fn fail(&self, faults: Value) -> anyhow::Result<()> {
        self.text(Method::POST, "faults", Some(faults)).await.map(drop)
    }

    /// No fault meets a call any more.
    pub(crate) async fn fail_no_more(&self) -> anyhow::Result<()> {
        self.text(Method::DELETE, "faults", None).await.map(drop)
    }

    /// A page of a node.
    pub(crate) async fn page(&self, url: &str) -> anyhow::Result<(u16, String)> {
        let answer = self.http.get(url).timeout(PATIENCE).send().await?;
        Ok((answer.status().as_u16(), answer.text().await?))
    }

    /// Posts to a page of a node.
    pub(crate) async fn tell(&self, url: &str, text: &str) -> anyhow::Result<()> {
        self.http.post(url).body(text.to_owned()).timeout(PATIENCE).send().await?.error_for_status()?;
        Ok(())
    }

    async fn json(&self, method: Method, what: &str, body: Option<Value>) -> anyhow::Result<Value> {
        Ok(serde_json::from_str(&self.text(method, what, body).await?)?)
    }

    async fn text(&self, method: Method, what: &str, body: Option<Value>) -> anyhow::Result<String> {
        let url = format!("{}/_mock/{what}", self.endpoint);
        let request = self.http.request(method, url).header("x-mock-token", &self.token).timeout(PATIENCE);
        let request = body.iter().fold(request, |request, body| request.body(body.to_string()));
        let answer = request.send().await.with_context(|| format!("the cloud does not answer {what}"))?;
        let status = answer.status();
        let text = answer.text().await?;
        ensure!(status.is_success(), "the cloud answers {status} to {what}: {text}");
        Ok(text)
    }
}

fn lines<T: serde::de::DeserializeOwned>(text: &str) -> anyhow::Result<Vec<T>> {
    Ok(text.lines().map(serde_json::from_str).collect::<Result<_, _>>()?)
}
