//! A systemd unit as seen from outside: its state, its last words, and waiting for it.

use std::time::Duration;

use super::command;
use super::error::DeployError;
use super::host::Host;
use crate::base::secret::Secret;
use crate::ssh::Output;

/// How many of a unit's last lines an error carries.
pub(super) const TAIL: u32 = 12;

/// What systemd says about a unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct State {
    active: String,
    result: String,
    status: String,
    restarts: u32,
}

impl State {
    fn parse(text: &str) -> Self {
        let value = |name: &str| {
            text.lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix('='))
                .unwrap_or_default()
                .trim()
                .to_owned()
        };
        Self {
            active: value("ActiveState"),
            result: value("Result"),
            status: value("ExecMainStatus"),
            restarts: value("NRestarts").parse().unwrap_or(0),
        }
    }

    /// Whether waiting longer is of no use: it failed for good, or systemd has started it over and over.
    pub(super) fn is_hopeless(&self) -> bool {
        self.active == "failed" || self.restarts >= 3
    }

    /// Whether it runs.
    pub(super) fn is_active(&self) -> bool {
        self.active == "active"
    }

    /// How often systemd has started it again by itself.
    pub(super) fn restarts(&self) -> u32 {
        self.restarts
    }

    /// The state as part of a sentence.
    pub(super) fn words(&self) -> String {
        match (self.is_hopeless(), self.status.as_str()) {
            (true, "203") => "the program cannot be executed (status 203)".to_owned(),
            (true, status) if !status.is_empty() && status != "0" => {
                format!("the process ended with status {status}")
            }
            (true, _) => format!("the unit has failed ({})", self.result),
            (false, _) => {
                format!("the unit is {}", if self.active.is_empty() { "unknown" } else { &self.active })
            }
        }
    }
}

/// Whether a unit runs, and whether it starts with its host.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Duty {
    pub(super) active: bool,
    pub(super) enabled: bool,
}

impl Duty {
    /// Those of units that were asked for at once, in their order: one that is not told of neither runs nor starts.
    pub(super) fn of_each<const N: usize>(answer: &Output) -> [Self; N] {
        let text = answer.text();
        let mut told = text.split("\n\n").map(|lines| Self {
            active: lines.lines().any(|line| line == "ActiveState=active"),
            enabled: lines.lines().any(|line| line == "UnitFileState=enabled"),
        });
        std::array::from_fn(|_| told.next().unwrap_or_default())
    }
}

pub(super) async fn state(host: &impl Host, unit: &str) -> Result<State, DeployError> {
    Ok(State::parse(&host.run(command::state(unit)).await?.text()))
}

/// Whether the unit runs.
pub(super) async fn is_active(host: &impl Host, unit: &str) -> Result<bool, DeployError> {
    Ok(says_active(&host.run(command::systemctl("is-active", unit)).await?))
}

/// Whether that is what `is-active` answered.
pub(super) fn says_active(answer: &Output) -> bool {
    answer.text() == "active"
}

/// Starts the unit anew, whatever it was doing. How that went shows in its state, which says more than the status.
pub(super) async fn restart(host: &impl Host, unit: &str) -> Result<(), DeployError> {
    // A unit in a restart loop would otherwise keep its count of failures.
    host.run(command::systemctl("reset-failed", unit)).await?;
    host.run(command::systemctl("restart", unit)).await?;
    Ok(())
}

/// The unit's last lines, with secrets blotted out should a program ever print it.
pub(super) async fn last_words(host: &impl Host, unit: &str, secrets: &[Secret<String>]) -> String {
    let secrets = || secrets.iter().map(Secret::expose).filter(|secret| !secret.is_empty());
    match host.run(command::journal(unit, TAIL)).await {
        Ok(output) => secrets().fold(output.text(), |text, secret| text.replace(secret, "***")),
        // The journal explains another error; its own failure must not hide that one.
        Err(_) => String::new(),
    }
}

/// Who listens on a port of a host, in words; `None` when nobody does on the address or on all of them.
pub(super) async fn holder(
    host: &impl Host,
    address: &str,
    port: u16,
) -> Result<Option<String>, DeployError> {
    let listing = host.run(command::listeners(port)).await?.text();
    Ok(listing.lines().find_map(|line| holder_of(line, address, port)))
}

fn holder_of(line: &str, address: &str, port: u16) -> Option<String> {
    let mut fields = line.split_whitespace();
    let local = fields.nth(3)?;
    let (place, found) = local.rsplit_once(':')?;
    // An address may carry its interface: `127.0.0.53%lo`.
    let place = place.split('%').next().unwrap_or(place);
    let everywhere = ["0.0.0.0", "*", "[::]"].contains(&place);
    if found.parse() != Ok(port) || !(everywhere || place == address) {
        return None;
    }
    let process = fields.nth(1).unwrap_or_default();
    let name = process.split('"').nth(1);
    let pid = process.split("pid=").nth(1).and_then(|rest| rest.split([',', ')']).next());
    Some(match (name, pid) {
        (Some(name), Some(pid)) => format!("`{name}` (pid {pid})"),
        _ => format!("another process ({local})"),
    })
}

/// Stops a unit and takes it off the host.
pub(super) async fn remove(host: &impl Host, unit: &str, file: &str) -> Result<(), DeployError> {
    // Its status says no more than that there is no such unit any more, which is what is wanted.
    host.run(command::systemctl_disable_now(unit)).await?;
    host.check(command::remove_all(file)).await?;
    host.check(command::daemon_reload()).await?;
    Ok(())
}

/// The pause between two looks at a condition: short at first, since what starts is often there at once, and never
/// longer than a second. It doubles so that a slow host is not pestered.
pub(super) async fn pause(look: u32) {
    let doubled = Duration::from_millis(25) * 2_u32.pow(look.min(6));
    tokio::time::sleep(doubled.min(Duration::from_secs(1))).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_told_in_words() {
        let running = State::parse("ActiveState=active\nSubState=running\nResult=success\nNRestarts=0\n");
        assert!(!running.is_hopeless());
        assert_eq!(running.words(), "the unit is active");
        let absent = State::parse("ActiveState=failed\nResult=exit-code\nExecMainStatus=203\n");
        assert!(absent.is_hopeless());
        assert_eq!(absent.words(), "the program cannot be executed (status 203)");
        let looping =
            State::parse("ActiveState=activating\nResult=exit-code\nExecMainStatus=1\nNRestarts=4\n");
        assert_eq!(looping.words(), "the process ended with status 1");
    }

    #[test]
    fn what_units_do_is_told_of_each() {
        let told = |text: &str| {
            let answer = Output { status: 0, stdout: text.as_bytes().to_vec(), stderr: Vec::new() };
            Duty::of_each::<2>(&answer).map(|duty| (duty.active, duty.enabled))
        };
        let runs = "ActiveState=active\nUnitFileState=enabled\n";
        // As systemd 252 answers for a unit that it does not know.
        let unknown = "UnitFileState=\nActiveState=inactive\n";
        assert_eq!(told(&format!("{runs}\n{unknown}")), [(true, true), (false, false)]);
        assert_eq!(told(&format!("{unknown}\n{runs}")), [(false, false), (true, true)]);
        let other = "ActiveState=activating\nUnitFileState=enabled-runtime\n";
        assert_eq!(told(other), [(false, false), (false, false)]);
        assert_eq!(told(""), [(false, false), (false, false)]);
    }

    #[test]
    fn the_holder_of_a_port_is_found_among_the_listeners() {
        let line = r#"LISTEN 0 511 10.0.0.5:5000 0.0.0.0:* users:(("nginx",pid=812,fd=6))"#;
        assert_eq!(holder_of(line, "10.0.0.5", 5000).unwrap(), "`nginx` (pid 812)");
        assert_eq!(holder_of(line, "10.0.0.6", 5000), None);
        let line = "LISTEN 0 4096 *:5000 *:*";
        assert_eq!(holder_of(line, "10.0.0.5", 5000).unwrap(), "another process (*:5000)");
        assert_eq!(holder_of("LISTEN 0 128 127.0.0.53%lo:53 0.0.0.0:*", "10.0.0.5", 53), None);
    }
}
