//! Programs of the service manager: systemctl and journalctl.

use std::sync::Arc;
use std::time::Duration;

use crate::plane::host::journal::Format;
use crate::plane::host::machine::Machine;
use crate::plane::host::outcome::{Outcome, sentence};
use crate::plane::host::programs::call::{Call, Live};
use crate::plane::host::programs::options::Options;
use crate::plane::host::root::Last;
use crate::plane::host::service::{Active, JobError, full_name};

pub(crate) async fn systemctl(machine: &Arc<Machine>, call: Call) -> Outcome {
    let flags = ["--now", "--no-pager", "--quiet", "-q"];
    let options = match Options::read("systemctl", &call.argv, &flags, &["--property", "-p"]) {
        Ok(options) => options,
        Err(refusal) => return refusal,
    };
    let Some((verb, units)) = options.operands.split_first() else {
        return Outcome::refused("systemctl without a verb");
    };
    let units: Vec<String> = units.iter().map(|unit| full_name(unit)).collect();
    match verb.as_str() {
        "daemon-reload" => {
            machine.services.reload();
            return Outcome::done();
        }
        "reset-failed" => {
            match units.as_slice() {
                [] => machine.services.reset(None),
                units => units.iter().for_each(|unit| machine.services.reset(Some(unit))),
            }
            return Outcome::done();
        }
        _ if units.is_empty() => return Outcome::failed(1, "Too few arguments."),
        _ => {}
    }
    let mut outcome = Outcome::done();
    for (place, unit) in units.iter().enumerate() {
        if verb == "show" && place > 0 {
            outcome.and(Outcome::printed("\n"));
        }
        outcome.and(match verb.as_str() {
            "start" => start(machine, unit).await,
            "stop" => stop(machine, unit).await,
            "restart" => restart(machine, unit).await,
            "reload" => reload(machine, unit),
            "enable" => {
                let mut enabled = enable(machine, unit);
                if enabled.status == 0 && options.has("--now") {
                    enabled.and(start(machine, unit).await);
                }
                enabled
            }
            "disable" => {
                let mut disabled = disable(machine, unit);
                if disabled.status == 0 && options.has("--now") {
                    disabled.and(stop(machine, unit).await);
                }
                disabled
            }
            "is-active" => is_active(machine, unit),
            "is-enabled" => is_enabled(machine, unit),
            "status" => status(machine, unit),
            "show" => show(machine, unit, options.value("--property").or(options.value("-p"))),
            other => return Outcome::refused(format!("systemctl {other}")),
        });
    }
    if options.has("--quiet") || options.has("-q") {
        outcome.stdout.clear();
    }
    outcome
}

fn job_failed(verb: &str, unit: &str, error: &JobError) -> Outcome {
    match error {
        JobError::NotFound => Outcome::failed(5, format!("Failed to {verb} {unit}: Unit {unit} not found.")),
        JobError::BadSetting(reason) => Outcome::failed(
            1,
            format!(
                "Failed to {verb} {unit}: Unit {unit} has a bad unit file setting.\n{reason}\n\
                 See system logs and 'systemctl status {unit}' for details."
            ),
        ),
        JobError::Failed => Outcome::failed(
            1,
            format!(
                "Job for {unit} failed because the control process exited with error code.\n\
                 See \"systemctl status {unit}\" and \"journalctl -xeu {unit}\" for details."
            ),
        ),
    }
}

async fn start(machine: &Arc<Machine>, unit: &str) -> Outcome {
    let started = if is_timer(unit) { machine.start_timer(unit) } else { machine.start_unit(unit).await };
    match started {
        Ok(()) => Outcome::done(),
        Err(error) => job_failed("start", unit, &error),
    }
}

async fn stop(machine: &Arc<Machine>, unit: &str) -> Outcome {
    match machine.stop_unit(unit).await {
        Ok(()) => Outcome::done(),
        Err(_) => Outcome::failed(5, format!("Failed to stop {unit}: Unit {unit} not loaded.")),
    }
}

fn is_timer(unit: &str) -> bool {
    std::path::Path::new(unit).extension().is_some_and(|kind| kind == "timer")
}

async fn restart(machine: &Arc<Machine>, unit: &str) -> Outcome {
    if !is_timer(unit)
        && let Err(error) = machine.unit(unit)
    {
        return job_failed("restart", unit, &error);
    }
    let _ = machine.stop_unit(unit).await;
    start(machine, unit).await
}

fn reload(machine: &Machine, unit: &str) -> Outcome {
    match machine.unit(unit) {
        Ok(_) => Outcome::failed(
            1,
            format!("Failed to reload {unit}: Job type reload is not applicable for unit {unit}."),
        ),
        Err(error) => job_failed("reload", unit, &error),
    }
}

/// The links that make a unit start at boot.
fn wants(machine: &Machine, unit: &str) -> Vec<String> {
    let targets = machine.unit(unit).map(|unit| unit.wanted_by).unwrap_or_default();
    targets.iter().map(|target| format!("/etc/systemd/system/{target}.wants/{unit}")).collect()
}

fn enable(machine: &Machine, unit: &str) -> Outcome {
    let Some(path) = machine.unit_file(unit) else {
        return Outcome::failed(1, format!("Failed to enable unit: Unit file {unit} does not exist."));
    };
    // As systemd does, an enable reads unit files again.
    machine.services.reload();
    let mut outcome = Outcome::done();
    for link in wants(machine, unit) {
        let folder = link.rsplit_once('/').map_or("/", |(folder, _)| folder);
        let made = machine.root.make_folders(folder, 0o755).and_then(|()| {
            let place = machine.root.place(&link, Last::Keep)?;
            if place.stat().is_ok() {
                return Ok(false);
            }
            place.link_to(&path).map(|()| true)
        });
        match made {
            Ok(true) => outcome.stderr.extend(format!("Created symlink {link} → {path}.\n").bytes()),
            Ok(false) => {}
            Err(error) => {
                outcome.and(Outcome::failed(1, format!("Failed to enable unit: {}", sentence(&error))));
            }
        }
    }
    outcome
}

fn disable(machine: &Machine, unit: &str) -> Outcome {
    if machine.unit_file(unit).is_none() {
        return Outcome::failed(1, format!("Failed to disable unit: Unit file {unit} does not exist."));
    }
    let mut outcome = Outcome::done();
    for link in wants(machine, unit) {
        if machine.root.place(&link, Last::Keep).is_ok_and(|place| place.remove_file().is_ok()) {
            outcome.stderr.extend(format!("Removed \"{link}\".\n").bytes());
        }
    }
    outcome
}

fn is_enabled(machine: &Machine, unit: &str) -> Outcome {
    if machine.unit_file(unit).is_none() {
        return Outcome::failed(
            1,
            format!("Failed to get unit file state for {unit}: No such file or directory"),
        );
    }
    let links = wants(machine, unit);
    if links.is_empty() {
        return Outcome::printed("static\n");
    }
    let is_linked =
        |link: &String| machine.root.place(link, Last::Keep).is_ok_and(|place| place.stat().is_ok());
    if links.iter().any(is_linked) {
        return Outcome::printed("enabled\n");
    }
    Outcome { status: 1, ..Outcome::printed("disabled\n") }
}

fn is_active(machine: &Machine, unit: &str) -> Outcome {
    let active = machine.services.state(unit).active;
    let status = match active {
        Active::Running => 0,
        Active::Inactive if machine.unit_file(unit).is_none() => 4,
        Active::Inactive | Active::Starting | Active::Activating | Active::Deactivating | Active::Failed => 3,
    };
    Outcome { status, ..Outcome::printed(format!("{}\n", active.word())) }
}

fn status(machine: &Machine, unit: &str) -> Outcome {
    let Some(path) = machine.unit_file(unit) else {
        return Outcome::failed(4, format!("Unit {unit} could not be found."));
    };
    let state = machine.services.state(unit);
    let description = machine.unit(unit).map(|unit| unit.description).unwrap_or_default();
    let mut text = format!("● {unit} - {description}\n     Loaded: loaded ({path})\n");
    text.extend([format!("     Active: {} ({})", state.active.word(), state.sub_state())]);
    if state.active == Active::Failed {
        text.extend([format!(" (Result: {})", state.result)]);
    }
    text.push('\n');
    if let Some(pid) = state.pid {
        text.extend([format!("   Main PID: {pid}\n")]);
    }
    text.push('\n');
    let units = [unit.to_owned()];
    let said = machine.services.said_by(&units, 0, &machine.host_name(), Format::Short);
    text.push_str(&last_lines(said, 10));
    let code = if state.active == Active::Running { 0 } else { 3 };
    Outcome { status: code, ..Outcome::printed(text) }
}

fn last_lines(mut said: Vec<(u64, String)>, count: usize) -> String {
    said.split_off(said.len().saturating_sub(count)).into_iter().map(|(_, line)| line).collect()
}

fn show(machine: &Machine, unit: &str, properties: Option<&str>) -> Outcome {
    let Some(properties) = properties else {
        return Outcome::refused("systemctl show without --property");
    };
    let state = machine.services.state(unit);
    let is_loaded = machine.unit_file(unit).is_some();
    let mut text = String::new();
    for property in properties.split(',') {
        let value = match property {
            "Id" => unit.to_owned(),
            "LoadState" => if is_loaded { "loaded" } else { "not-found" }.to_owned(),
            "ActiveState" => state.active.word().to_owned(),
            "SubState" => state.sub_state().to_owned(),
            "MainPID" => state.pid.unwrap_or(0).to_string(),
            "NRestarts" => state.restarts.to_string(),
            "Result" => if state.result.is_empty() { "success" } else { state.result }.to_owned(),
            "ExecMainStatus" => state.status.to_string(),
            "UnitFileState" => {
                String::from_utf8_lossy(&is_enabled(machine, unit).stdout).trim_end().to_owned()
            }
            other => return Outcome::refused(format!("systemctl show --property={other}")),
        };
        text.extend([format!("{property}={value}\n")]);
    }
    Outcome::printed(text)
}

/// How often there is a look at what units have said since.
const LOOK: Duration = Duration::from_millis(50);

/// With `-f` it goes on until nobody is there any more.
pub(crate) async fn journalctl(machine: &Arc<Machine>, call: Call) -> Outcome {
    let (units, rest) = units_of(&call.argv);
    let options = match Options::read("journalctl", &rest, &["--no-pager", "-f"], &["-n", "-o"]) {
        Ok(options) => options,
        Err(refusal) => return refusal,
    };
    if units.is_empty() {
        return Outcome::refused("journalctl without -u");
    }
    let format = match options.value("-o") {
        None | Some("short") => Format::Short,
        Some("cat") => Format::Cat,
        Some(other) => return Outcome::refused(format!("journalctl -o {other}")),
    };
    let count = match options.value("-n").map(str::parse::<usize>) {
        None => usize::MAX,
        Some(Ok(count)) => count,
        Some(Err(_)) => return Outcome::refused("journalctl -n with other than a number"),
    };
    let said = machine.services.said_by(&units, 0, &machine.host_name(), format);
    let last = said.last().map_or(0, |(number, _)| *number);
    let text = last_lines(said, count);
    match (options.has("-f"), &call.caller.live) {
        (true, Some(live)) => {
            let _ = live.send(text.into_bytes());
            let follows = follow(machine, &units, last, format, live);
            call.caller.gone.run_until_cancelled(follows).await;
            Outcome::status(130)
        }
        (true, None) => Outcome::refused("journalctl -f where nobody reads it as it comes"),
        (false, _) => Outcome::printed(if text.is_empty() { "-- No entries --\n".to_owned() } else { text }),
    }
}

async fn follow(machine: &Machine, units: &[String], mut last: u64, format: Format, live: &Live) {
    loop {
        for (number, line) in machine.services.said_by(units, last, &machine.host_name(), format) {
            last = number;
            let _ = live.send(line.into_bytes());
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// The units that are asked for, and the other arguments.
fn units_of(arguments: &[String]) -> (Vec<String>, Vec<String>) {
    let (mut units, mut rest) = (Vec::new(), Vec::new());
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        match (word.as_str(), word.strip_prefix("-u").or_else(|| word.strip_prefix("--unit="))) {
            ("-u" | "--unit", _) => units.extend(words.next().map(|unit| full_name(unit))),
            (_, Some(unit)) => units.push(full_name(unit)),
            (_, None) => rest.push(word.clone()),
        }
    }
    (units, rest)
}
