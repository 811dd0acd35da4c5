//! Cloud Assistant: scripts that run on instances.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::plane::HostKind;
use crate::plane::spec::CommandResult;
use crate::world::event::Event;
use crate::world::ids::digest;
use crate::world::pace::Step;
use crate::world::{Moment, World};

/// A script to run on a real host; its result comes back through [`World::script_ended`].
#[derive(Debug, Clone)]
pub struct Errand {
    /// `t-...`.
    pub invocation: String,
    /// Where to run it.
    pub instance: String,
    /// Cancelled when a call stops it.
    pub stop: CancellationToken,
    /// What to run.
    pub script: String,
    /// Longest time it may take.
    pub timeout_seconds: i64,
}

/// One `RunCommand`.
#[derive(Debug, Clone, Serialize)]
pub struct Invocation {
    /// `t-...`.
    pub id: String,
    /// `c-...`.
    pub command: String,
    /// Name given by the caller.
    pub name: String,
    /// Base64 of the script as it was sent.
    #[serde(skip)]
    pub content: String,
    /// Decoded script.
    #[serde(skip)]
    pub script: String,
    /// `RunShellScript`.
    pub kind: String,
    /// Free text.
    pub description: String,
    /// Who runs it.
    pub user: String,
    /// Where it runs.
    pub folder: String,
    /// Seconds.
    pub timeout: i64,
    /// Results by instance.
    pub results: BTreeMap<String, InvocationResult>,
    /// Region it was made in.
    pub region: String,
    /// When it was made.
    pub created: Moment,
}

/// Result on one instance; running while there is no exit code and no error.
#[derive(Debug, Clone, Default, Serialize)]
pub struct InvocationResult {
    /// Exit code of the script.
    pub exit_code: Option<i32>,
    /// Standard output and error.
    #[serde(skip)]
    pub output: Vec<u8>,
    /// Why it could not run.
    pub error: Option<String>,
    /// When it ended.
    pub finished: Option<Moment>,
    /// When a call stopped it.
    pub stopped: Option<Moment>,
    /// Ends the script on its host.
    #[serde(skip)]
    pub stop: CancellationToken,
}

impl InvocationResult {
    /// Whether it is over.
    pub fn is_over(&self) -> bool {
        self.finished.is_some()
    }

    /// `Running`, `Success`, `Failed` or `Terminated`.
    pub fn status(&self) -> &'static str {
        match (self.finished, self.exit_code, &self.error) {
            (None, _, _) => "Running",
            _ if self.stopped.is_some() => "Terminated",
            (Some(_), Some(0), None) => "Success",
            (Some(_), _, _) => "Failed",
        }
    }

    /// Why it did not succeed.
    pub fn error_code(&self) -> &'static str {
        match (self.finished, self.exit_code, &self.error) {
            _ if self.stopped.is_some() => "ExecutionInterrupted",
            (_, _, Some(_)) => "ExecutionException",
            (Some(_), Some(code), None) if code != 0 => "ExitCodeNonzero",
            _ => "",
        }
    }
}

impl Invocation {
    /// `Running` until all are over, then `Finished`, `Stopped`, `Failed` or `PartialFailed`.
    pub fn status(&self) -> &'static str {
        let failed = self.results.values().filter(|result| result.status() == "Failed").count();
        if self.results.values().any(|result| !result.is_over()) {
            "Running"
        } else if self.results.values().any(|result| result.stopped.is_some()) {
            "Stopped"
        } else if failed == 0 {
            "Finished"
        } else if failed == self.results.len() {
            "Failed"
        } else {
            "PartialFailed"
        }
    }
}

impl World {
    /// Runs a new invocation on its instances: on the hosts when there are any, else as far as a control plane can.
    pub fn begin_invocation(&mut self, invocation: Invocation) {
        for (instance, result) in &invocation.results {
            match self.settings.hosts {
                HostKind::None => self.schedule(
                    Step::Script,
                    Event::ScriptAnswered { invocation: invocation.id.clone(), instance: instance.clone() },
                ),
                HostKind::Process | HostKind::Machine => self.errands.push(Errand {
                    invocation: invocation.id.clone(),
                    instance: instance.clone(),
                    stop: result.stop.clone(),
                    script: invocation.script.clone(),
                    timeout_seconds: invocation.timeout,
                }),
            }
        }
        self.invocations.insert(invocation.id.clone(), invocation);
    }

    /// Takes in how a script ended.
    pub fn script_ended(&mut self, invocation: &str, instance: &str, result: Result<CommandResult, String>) {
        let now = self.now;
        self.touch();
        let invocation = self.invocations.get_mut(invocation);
        let own = invocation.and_then(|invocation| invocation.results.get_mut(instance));
        if let Some(own) = own.filter(|own| !own.is_over()) {
            own.finished = Some(now);
            match result {
                Ok(result) => {
                    own.exit_code = Some(result.exit_code);
                    own.output = result.output;
                }
                Err(sentence) => own.error = Some(sentence),
            }
        }
    }

    /// Stops what still runs of an invocation on these instances.
    pub fn stop_invocation(&mut self, invocation: &str, instances: &[String]) {
        let now = self.now;
        let own = self.invocations.get_mut(invocation);
        for (instance, result) in own.into_iter().flat_map(|own| &mut own.results) {
            if instances.contains(instance) && !result.is_over() {
                (result.finished, result.stopped) = (Some(now), Some(now));
                result.stop.cancel();
            }
        }
    }

    /// Without hosts there is one file that can be read: the host key.
    pub(super) fn answer_script(&mut self, invocation: &str, instance: &str) {
        let Some(script) = self.invocations.get(invocation).map(|invocation| invocation.script.clone())
        else {
            return;
        };
        let result = if script.contains("/etc/ssh/ssh_host_ed25519_key.pub") {
            CommandResult { exit_code: 0, output: format!("{}\n", self.host_key(instance)).into_bytes() }
        } else {
            let sentence = "mock host: this cloud runs without hosts, only the SSH host key can be read\n";
            CommandResult { exit_code: 127, output: sentence.into() }
        };
        self.script_ended(invocation, instance, Ok(result));
    }

    /// A made-up ed25519 key in OpenSSH form.
    fn host_key(&self, instance: &str) -> String {
        let mut blob = Vec::new();
        for part in [b"ssh-ed25519".as_slice(), &digest(self.settings.seed, "host key", instance)] {
            blob.extend(u32::try_from(part.len()).unwrap_or_default().to_be_bytes());
            blob.extend(part);
        }
        format!("ssh-ed25519 {} root@{instance}", STANDARD.encode(blob))
    }
}
