//! How many machines the kernel lets boot: each systemd watches files by several inotify instances, of which all of root's
//! processes have 128 together unless the kernel was told otherwise. So about twenty machines start.

use std::path::Path;

use anyhow::{Context, Result};

const LIMIT: &str = "/proc/sys/fs/inotify/max_user_instances";
/// What a machine takes, and more.
const EACH: usize = 16;
/// What the outer machine's own programs take.
const OTHERS: usize = 256;

/// The limit that is enough for some machines. Dropping it brings back the one before.
pub(crate) struct Raised {
    before: Option<String>,
}

impl Raised {
    /// Raises it, where it is lower.
    pub(crate) fn for_machines(count: usize) -> Result<Self> {
        let before = std::fs::read_to_string(LIMIT)?;
        let needed = count * EACH + OTHERS;
        if before.trim().parse::<usize>().context("a number")? >= needed {
            return Ok(Self { before: None });
        }
        std::fs::write(Path::new(LIMIT), needed.to_string())
            .with_context(|| format!("{LIMIT} can be written"))?;
        Ok(Self { before: Some(before) })
    }
}

impl Drop for Raised {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            // It is no harm where it stays.
            let _ = std::fs::write(LIMIT, before);
        }
    }
}
