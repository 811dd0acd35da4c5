//! What the environment says: the only place that reads it.

use std::path::PathBuf;

use crate::base::secret::Secret;
use crate::cloud::credentials::Sources;

/// A variable that is set and not empty.
#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the environment")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Folder of the executable that runs.
pub(super) fn executable_folder() -> Option<PathBuf> {
    Some(std::env::current_exe().ok()?.parent()?.to_owned())
}

/// Folders in which programs are looked for.
pub(super) fn search_path() -> Vec<PathBuf> {
    variable("PATH").map(|path| std::env::split_paths(&path).collect()).unwrap_or_default()
}

/// The user's home folder.
pub(super) fn home() -> PathBuf {
    variable("HOME").map_or_else(|| PathBuf::from("/"), PathBuf::from)
}

/// Where the user's own SSH key for Albatross lives.
pub(super) fn configuration_folder() -> PathBuf {
    let base = variable("XDG_CONFIG_HOME").map_or_else(|| home().join(".config"), PathBuf::from);
    base.join("albatross")
}

/// What the credential chain reads.
pub(super) fn credential_sources() -> Sources {
    Sources {
        access_key_id: variable("ALIBABA_CLOUD_ACCESS_KEY_ID"),
        access_key_secret: variable("ALIBABA_CLOUD_ACCESS_KEY_SECRET").map(Secret::new),
        security_token: variable("ALIBABA_CLOUD_SECURITY_TOKEN").map(Secret::new),
        profile: variable("ALIBABA_CLOUD_PROFILE"),
        profile_file: home().join(".aliyun").join("config.json"),
    }
}

/// A path as people write it, `~` included.
pub(super) fn expand_home(path: &std::path::Path) -> PathBuf {
    match path.strip_prefix("~") {
        Ok(rest) => home().join(rest),
        Err(_) => path.to_owned(),
    }
}
