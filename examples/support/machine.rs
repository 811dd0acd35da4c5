//! On what a bench ran: figures of two machines are not worth comparing.

use std::process::Command;

use anyhow::{Context, Result};

/// `2 processors (AMD EPYC), Debian GNU/Linux 12 (bookworm)`.
pub(crate) fn machine() -> Result<String> {
    let processors = std::thread::available_parallelism()?;
    let cpu = std::fs::read_to_string("/proc/cpuinfo")?;
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("unknown");
    let system = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    let system = system.lines().find_map(|line| line.strip_prefix("PRETTY_NAME=")).unwrap_or("unknown");
    let model = model.trim_start_matches([' ', '\t', ':']);
    Ok(format!("{processors} processors ({model}), {}", system.trim_matches('"')))
}

/// A word of what a program says of its version, counted from nothing.
pub(crate) fn version(program: &str, word: usize) -> Result<String> {
    let output =
        Command::new(program).arg("--version").output().with_context(|| format!("{program} starts"))?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    Ok(said.split_whitespace().nth(word).unwrap_or("unknown").to_owned())
}
