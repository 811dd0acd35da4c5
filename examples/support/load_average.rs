//! How much else a machine has to do while a bench runs.

use anyhow::Result;

/// The average of the last minute.
pub(crate) fn load_average() -> Result<String> {
    let text = std::fs::read_to_string("/proc/loadavg")?;
    Ok(text.split_whitespace().next().unwrap_or("unknown").to_owned())
}
