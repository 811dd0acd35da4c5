//! The key pair that signs, from the first links of the official chain: environment, then the CLI's profile.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::base::secret::Secret;

/// An access key, and a token when it is a temporary one.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// Public part.
    pub access_key_id: String,
    /// Secret part.
    pub access_key_secret: Secret<String>,
    /// Token of a temporary key.
    pub security_token: Option<Secret<String>>,
    /// Where they were found, for messages.
    pub source: String,
}

/// No usable credentials.
#[derive(Debug, thiserror::Error)]
pub enum CredentialsError {
    /// Neither the environment nor a profile has any.
    #[error("no access key was found: the environment has none and there is no `{}`", path.display())]
    Missing {
        /// The CLI's configuration file.
        path: PathBuf,
    },
    /// The CLI's file cannot be read.
    #[error("cannot read the profiles of `{}`", path.display())]
    Unreadable {
        /// The CLI's configuration file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The profile is not there.
    #[error("`{}` has no profile `{profile}`", path.display())]
    NoProfile {
        /// The CLI's configuration file.
        path: PathBuf,
        /// The profile asked for.
        profile: String,
    },
    /// The profile has a mode that is not understood.
    #[error("profile `{profile}` has mode `{mode}`; AK and StsToken are understood")]
    UnknownMode {
        /// The profile.
        profile: String,
        /// Its mode.
        mode: String,
    },
    /// The profile lacks its key.
    #[error("profile `{profile}` has no access key")]
    Incomplete {
        /// The profile.
        profile: String,
    },
}

impl CredentialsError {
    /// What to type next.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Missing { .. } => {
                "set ALIBABA_CLOUD_ACCESS_KEY_ID and ALIBABA_CLOUD_ACCESS_KEY_SECRET, or run `aliyun configure`; \
                 with `--local` no account is needed"
                    .to_owned()
            }
            Self::Unreadable { .. } | Self::UnknownMode { .. } | Self::Incomplete { .. } => {
                "run `aliyun configure --mode AK`".to_owned()
            }
            Self::NoProfile { .. } => "run `aliyun configure list` to see the profiles".to_owned(),
        })
    }
}

/// What the chain reads; the command line fills it in from the environment.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// `ALIBABA_CLOUD_ACCESS_KEY_ID`.
    pub access_key_id: Option<String>,
    /// `ALIBABA_CLOUD_ACCESS_KEY_SECRET`.
    pub access_key_secret: Option<Secret<String>>,
    /// `ALIBABA_CLOUD_SECURITY_TOKEN`.
    pub security_token: Option<Secret<String>>,
    /// `ALIBABA_CLOUD_PROFILE`.
    pub profile: Option<String>,
    /// The CLI's file, `~/.aliyun/config.json`.
    pub profile_file: PathBuf,
}

/// The first credentials the chain finds.
///
/// # Errors
/// When there are none, or the profile cannot be used.
pub fn find(sources: &Sources) -> Result<Credentials, CredentialsError> {
    if let (Some(id), Some(secret)) = (&sources.access_key_id, &sources.access_key_secret) {
        return Ok(Credentials {
            access_key_id: id.clone(),
            access_key_secret: secret.clone(),
            security_token: sources.security_token.clone(),
            source: "environment".to_owned(),
        });
    }
    from_profile(&sources.profile_file, sources.profile.as_deref())
}

#[derive(Deserialize)]
struct ProfileFile {
    #[serde(default)]
    current: String,
    #[serde(default)]
    profiles: Vec<Profile>,
}

#[derive(Deserialize)]
struct Profile {
    name: String,
    #[serde(default)]
    mode: String,
    #[serde(default)]
    access_key_id: String,
    access_key_secret: Option<Secret<String>>,
    sts_token: Option<Secret<String>>,
}

fn from_profile(path: &Path, wanted: Option<&str>) -> Result<Credentials, CredentialsError> {
    let path = path.to_owned();
    let text = match std::fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(CredentialsError::Missing { path });
        }
        Err(error) => {
            return Err(CredentialsError::Unreadable { path, source: Box::new(error) });
        }
    };
    let file: ProfileFile = serde_json::from_slice(&text)
        .map_err(|error| CredentialsError::Unreadable { path: path.clone(), source: Box::new(error) })?;
    let name = wanted.unwrap_or(&file.current).to_owned();
    let profile = file
        .profiles
        .into_iter()
        .find(|profile| profile.name == name)
        .ok_or(CredentialsError::NoProfile { path, profile: name })?;
    profile.into_credentials()
}

impl Profile {
    fn into_credentials(self) -> Result<Credentials, CredentialsError> {
        let profile = self.name;
        let security_token = match self.mode.as_str() {
            "AK" | "" => None,
            "StsToken" => self.sts_token,
            _ => {
                return Err(CredentialsError::UnknownMode { profile, mode: self.mode });
            }
        };
        let Some(access_key_secret) = self.access_key_secret.filter(|_| !self.access_key_id.is_empty())
        else {
            return Err(CredentialsError::Incomplete { profile });
        };
        Ok(Credentials {
            access_key_id: self.access_key_id,
            access_key_secret,
            security_token,
            source: format!("profile `{profile}`"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile_file(text: &str) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.json");
        std::fs::write(&path, text).unwrap();
        (folder, path)
    }

    const FILE: &str = r#"{"current": "work", "profiles": [
        {"name": "work", "mode": "AK", "access_key_id": "id1", "access_key_secret": "s1"},
        {"name": "token", "mode": "StsToken", "access_key_id": "id2", "access_key_secret": "s2", "sts_token": "t2"},
        {"name": "role", "mode": "RamRoleArn", "access_key_id": "id3", "access_key_secret": "s3"}]}"#;

    #[test]
    fn the_environment_comes_first_then_the_profile() {
        let (_folder, profile_file) = profile_file(FILE);
        let mut sources = Sources { profile_file, ..Sources::default() };
        assert_eq!(find(&sources).unwrap().access_key_id, "id1");
        sources.profile = Some("token".to_owned());
        assert_eq!(find(&sources).unwrap().security_token, Some(Secret::new("t2".to_owned())));
        sources.access_key_id = Some("environment".to_owned());
        sources.access_key_secret = Some(Secret::new("s".to_owned()));
        assert_eq!(find(&sources).unwrap().access_key_id, "environment");
    }

    #[test]
    fn what_cannot_be_used_is_said() {
        let (_folder, profile_file) = profile_file(FILE);
        let profile = |name: &str| Sources {
            profile: Some(name.to_owned()),
            profile_file: profile_file.clone(),
            ..Sources::default()
        };
        assert!(matches!(find(&profile("role")), Err(CredentialsError::UnknownMode { .. })));
        assert!(matches!(find(&profile("none")), Err(CredentialsError::NoProfile { .. })));
        let missing = Sources { profile_file: "/nonexistent/config.json".into(), ..Sources::default() };
        assert!(matches!(find(&missing), Err(CredentialsError::Missing { .. })));
    }
}
