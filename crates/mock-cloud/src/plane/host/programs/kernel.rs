//! Programs that set up the kernel: sysctl, systemd-tmpfiles. A process host has no kernel of its own, so nothing is
//! set: files are read, and what is not understood in them is refused, as the programs themselves would.

use std::fmt::Write as _;

use crate::plane::host::machine::Machine;
use crate::plane::host::outcome::{Outcome, sentence};
use crate::plane::host::programs::options::Options;

/// Takes over the settings of a file.
pub(crate) fn sysctl(machine: &Machine, arguments: &[String]) -> Outcome {
    let options = match Options::read("sysctl", arguments, &["--quiet"], &["--load"]) {
        Ok(options) => options,
        Err(refusal) => return refusal,
    };
    let Some(path) = options.value("--load") else {
        return Outcome::refused(format!("sysctl {}", arguments.join(" ")));
    };
    let lines = match lines(machine, "sysctl", path) {
        Ok(lines) => lines,
        Err(failure) => return failure,
    };
    let mut printed = String::new();
    for line in lines {
        let Some((name, value)) = line.split_once('=') else {
            return Outcome::failed(1, format!("sysctl: {path}: syntax error in `{line}`"));
        };
        if !options.has("--quiet") {
            let _ = writeln!(printed, "{} = {}", name.trim(), value.trim());
        }
    }
    Outcome::printed(printed)
}

/// Makes what a file says; only writing into the kernel's own files is understood.
pub(crate) fn tmpfiles(machine: &Machine, arguments: &[String]) -> Outcome {
    let options = match Options::read("systemd-tmpfiles", arguments, &["--create"], &[]) {
        Ok(options) => options,
        Err(refusal) => return refusal,
    };
    let [path] = options.operands.as_slice() else {
        return Outcome::refused(format!("systemd-tmpfiles {}", arguments.join(" ")));
    };
    let lines = match lines(machine, "systemd-tmpfiles", path) {
        Ok(lines) => lines,
        Err(failure) => return failure,
    };
    let is_understood = |line: &String| {
        let words: Vec<&str> = line.split_whitespace().collect();
        matches!(words.as_slice(), ["w" | "w!", path, "-", "-", "-", "-", _] if path.starts_with("/sys/"))
    };
    match lines.iter().find(|line| !is_understood(line)) {
        Some(line) => Outcome::refused(format!("a line of systemd-tmpfiles: {line}")),
        None => Outcome::done(),
    }
}

/// The lines of a file that say something.
fn lines(machine: &Machine, program: &str, path: &str) -> Result<Vec<String>, Outcome> {
    let text = machine.root.read_text(path);
    let text = text.map_err(|error| {
        Outcome::failed(1, format!("{program}: cannot open \"{path}\": {}", sentence(&error)))
    })?;
    let says = |line: &&str| !line.is_empty() && !line.starts_with(['#', ';']);
    Ok(text.lines().map(str::trim).filter(says).map(str::to_owned).collect())
}
