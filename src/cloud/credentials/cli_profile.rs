//! Third link: the profiles of the `aliyun` program, in `~/.aliyun/config.json`.
//!
//! A profile's region and endpoint have no part in this: the topology says where a stack is.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Deserializer};

use crate::base::secret::Secret;
use crate::cloud::credentials::error::SourceError;
use crate::cloud::credentials::external::Program;
use crate::cloud::credentials::keys::Keys;
use crate::cloud::credentials::role::RoleText;
use crate::cloud::credentials::source::{Origin, Source};
use crate::cloud::credentials::sources::{Sources, StsAddress};
use crate::cloud::credentials::{metadata, oidc, uri};

/// The profile that is meant when the file names no current one.
const DEFAULT_PROFILE: &str = "default";
const KNOWN_MODES: &str =
    "AK, StsToken, RamRoleArn, EcsRamRole, OIDC, ChainableRamRoleArn, External and CredentialsURI";

#[derive(Deserialize)]
struct ProfileFile {
    #[serde(default)]
    current: String,
    #[serde(default)]
    profiles: Vec<Profile>,
}

/// One profile, with the fields that have a part in credentials.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Profile {
    pub(super) name: String,
    pub(super) mode: String,
    #[serde(deserialize_with = "filled")]
    access_key_id: Option<String>,
    #[serde(deserialize_with = "filled_secret")]
    access_key_secret: Option<Secret<String>>,
    #[serde(deserialize_with = "filled_secret")]
    sts_token: Option<Secret<String>>,
    #[serde(deserialize_with = "filled")]
    sts_region: Option<String>,
    #[serde(deserialize_with = "filled")]
    sts_endpoint: Option<String>,
    enable_vpc: bool,
    #[serde(deserialize_with = "filled")]
    ram_role_name: Option<String>,
    #[serde(deserialize_with = "filled")]
    ram_role_arn: Option<String>,
    #[serde(deserialize_with = "filled")]
    ram_session_name: Option<String>,
    expired_seconds: Option<u32>,
    #[serde(deserialize_with = "filled")]
    policy: Option<String>,
    #[serde(deserialize_with = "filled")]
    external_id: Option<String>,
    #[serde(rename = "source_profile", deserialize_with = "filled")]
    base: Option<String>,
    #[serde(deserialize_with = "filled_secret")]
    process_command: Option<Secret<String>>,
    #[serde(deserialize_with = "filled_secret")]
    credentials_uri: Option<Secret<String>>,
    #[serde(deserialize_with = "filled")]
    oidc_provider_arn: Option<String>,
    #[serde(deserialize_with = "filled")]
    oidc_token_file: Option<PathBuf>,
    /// When the key ends; only a program of mode External says it.
    #[serde(deserialize_with = "filled")]
    pub(super) expiration: Option<String>,
}

/// A text, unless it is empty: so the `aliyun` program writes fields that were never filled in.
fn filled<'de, D: Deserializer<'de>, T: From<String>>(reader: D) -> Result<Option<T>, D::Error> {
    let text = Option::<String>::deserialize(reader)?;
    Ok(text.filter(|text| !text.is_empty()).map(T::from))
}

/// The same for a secret.
fn filled_secret<'de, D: Deserializer<'de>>(reader: D) -> Result<Option<Secret<String>>, D::Error> {
    Ok(filled(reader)?.map(Secret::new))
}

/// The place that the chosen profile names.
pub(super) fn origin(sources: &Sources) -> Result<Origin, SourceError> {
    if sources.cli_profile.disabled {
        return Err(SourceError::SwitchedOff { variable: "ALIBABA_CLOUD_CLI_PROFILE_DISABLED" });
    }
    let path = &sources.cli_profile.file;
    let file = read(path)?;
    let current = Some(&file.current).filter(|current| !current.is_empty());
    let name = sources.profile.as_ref().or(current).map_or(DEFAULT_PROFILE, String::as_str);
    let reader = Reader { path, profiles: &file.profiles, sources };
    let (source, detail) = reader.source_of(name, &mut Vec::new())?;
    Ok(Origin { source, name: format!("profile `{name}` ({detail})") })
}

fn read(path: &Path) -> Result<ProfileFile, SourceError> {
    let text = match std::fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(SourceError::NoFile { path: path.to_owned() });
        }
        Err(error) => return Err(SourceError::Unreadable { path: path.to_owned(), error }),
    };
    // What the reader says may repeat a value; its place is enough.
    serde_json::from_slice(&text).map_err(|error| SourceError::Malformed {
        path: path.to_owned(),
        line: error.line(),
        column: error.column(),
    })
}

struct Reader<'a> {
    path: &'a Path,
    profiles: &'a [Profile],
    sources: &'a Sources,
}

impl Reader<'_> {
    /// The place a profile names, and a word about it. `seen` has the profiles that wait for this one.
    fn source_of(&self, name: &str, seen: &mut Vec<String>) -> Result<(Source, String), SourceError> {
        if seen.iter().any(|one| one == name) {
            return Err(SourceError::Circle { profile: name.to_owned() });
        }
        seen.push(name.to_owned());
        let profile = self.profiles.iter().find(|profile| profile.name == name).ok_or_else(|| {
            SourceError::NoProfile { path: self.path.to_owned(), subject: format!("profile `{name}`") }
        })?;
        match Mode::of(profile)? {
            Mode::ChainableRamRoleArn => {
                let base = required(profile, "source_profile", profile.base.as_ref())?;
                let (base, _) = self.source_of(base, seen)?;
                assumed(profile, base, self.sources)
            }
            Mode::External => external(profile, self.sources),
            Mode::Alone(mode) => alone(profile, mode, self.sources),
        }
    }
}

/// The place that a profile names which a program printed: it can lead neither to a program nor to another profile.
pub(super) fn source_of_printed(profile: &Profile, sources: &Sources) -> Result<Source, SourceError> {
    match Mode::of(profile)? {
        Mode::ChainableRamRoleArn | Mode::External => Err(unsupported(
            profile,
            "which a program cannot print; AK, StsToken and RamRoleArn are understood",
        )),
        Mode::Alone(mode) => alone(profile, mode, sources).map(|(source, _)| source),
    }
}

/// How a profile gets its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// By itself.
    Alone(Alone),
    /// From another profile, whose key assumes a role.
    ChainableRamRoleArn,
    /// From a program.
    External,
}

/// How a profile gets its key that needs no other profile and no program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Alone {
    Ak,
    StsToken,
    RamRoleArn,
    EcsRamRole,
    Oidc,
    CredentialsUri,
}

impl Mode {
    /// As written, in whatever case; one that is left out follows from the fields, as in the `aliyun` program.
    fn of(profile: &Profile) -> Result<Self, SourceError> {
        match profile.mode.to_ascii_lowercase().as_str() {
            "ak" => Ok(Self::Alone(Alone::Ak)),
            "ststoken" => Ok(Self::Alone(Alone::StsToken)),
            "ramrolearn" => Ok(Self::Alone(Alone::RamRoleArn)),
            "ecsramrole" => Ok(Self::Alone(Alone::EcsRamRole)),
            "oidc" => Ok(Self::Alone(Alone::Oidc)),
            "chainableramrolearn" => Ok(Self::ChainableRamRoleArn),
            "external" => Ok(Self::External),
            "credentialsuri" => Ok(Self::Alone(Alone::CredentialsUri)),
            "" => Ok(Self::by_fields(profile)),
            "cloudsso" | "oauth" => {
                Err(unsupported(profile, "which needs a browser to sign in; use StsToken or RamRoleArn"))
            }
            "bearertoken" | "anonymous" => {
                Err(unsupported(profile, "which signs no calls; use AK or StsToken"))
            }
            "rsakeypair" => Err(unsupported(profile, "which is withdrawn; use AK or RamRoleArn")),
            "ramrolearnwithrolename" => {
                let why =
                    "which is withdrawn; use ChainableRamRoleArn with a source profile of mode EcsRamRole";
                Err(unsupported(profile, why))
            }
            _ => Err(SourceError::UnknownMode { subject: subject(profile), known: KNOWN_MODES }),
        }
    }

    fn by_fields(profile: &Profile) -> Self {
        let has_key = profile.access_key_id.as_ref().is_some();
        if has_key && profile.sts_token.is_some() {
            Self::Alone(Alone::StsToken)
        } else if has_key && profile.ram_role_arn.as_ref().is_some() {
            Self::Alone(Alone::RamRoleArn)
        } else if !has_key && profile.ram_role_name.as_ref().is_some() {
            Self::Alone(Alone::EcsRamRole)
        } else if !has_key && profile.process_command.is_some() {
            Self::External
        } else if !has_key && profile.oidc_token_file.is_some() {
            Self::Alone(Alone::Oidc)
        } else {
            Self::Alone(Alone::Ak)
        }
    }
}

/// A place that needs no other profile and no program.
fn alone(profile: &Profile, mode: Alone, sources: &Sources) -> Result<(Source, String), SourceError> {
    match mode {
        Alone::Ak => Ok((Source::Fixed(keys(profile, None)?), "AK".to_owned())),
        Alone::StsToken => {
            let token = required(profile, "sts_token", profile.sts_token.as_ref())?;
            Ok((Source::Fixed(keys(profile, Some(token.clone()))?), "StsToken".to_owned()))
        }
        Alone::RamRoleArn => {
            let base = Source::Fixed(keys(profile, profile.sts_token.clone())?);
            assumed(profile, base, sources)
        }
        Alone::EcsRamRole => {
            let role = profile.ram_role_name.clone();
            Ok((metadata::origin(&sources.metadata, role)?.source, "EcsRamRole".to_owned()))
        }
        Alone::Oidc => {
            let (provider, token) = (profile.oidc_provider_arn.clone(), profile.oidc_token_file.clone());
            let source = oidc::source(role_text(profile), provider, token, &subject(profile), sources)?;
            Ok((source, with_arn("OIDC", profile)))
        }
        Alone::CredentialsUri => {
            if sources.no_external {
                return Err(SourceError::SwitchedOff { variable: "ALIBABA_CLOUD_DISABLE_EXTERNAL_PROCESS" });
            }
            let uri = profile.credentials_uri.as_ref().or(sources.uri.as_ref());
            let uri = required(profile, "credentials_uri", uri)?;
            let origin = uri::origin(uri, &subject(profile), "credentials_uri")?;
            Ok((origin.source, format!("CredentialsURI, {}", origin.name)))
        }
    }
}

fn external(profile: &Profile, sources: &Sources) -> Result<(Source, String), SourceError> {
    if sources.no_external {
        return Err(SourceError::SwitchedOff { variable: "ALIBABA_CLOUD_DISABLE_EXTERNAL_PROCESS" });
    }
    let command = required(profile, "process_command", profile.process_command.as_ref())?;
    let program = Program::new(&subject(profile), command, sources)?;
    let detail = format!("External, {}", program.name());
    Ok((Source::Program(program), detail))
}

fn assumed(profile: &Profile, base: Source, sources: &Sources) -> Result<(Source, String), SourceError> {
    let role = role_text(profile).role(&subject(profile), "ram_role_arn", sources)?;
    let detail = format!("{} {}", mode_name(profile), role.session.arn);
    Ok((Source::Role { base: Box::new(base), role }, detail))
}

fn mode_name(profile: &Profile) -> &str {
    if profile.mode.is_empty() { "RamRoleArn" } else { &profile.mode }
}

fn with_arn(mode: &str, profile: &Profile) -> String {
    profile.ram_role_arn.as_ref().map_or(mode.to_owned(), |arn| format!("{mode} {arn}"))
}

fn role_text(profile: &Profile) -> RoleText {
    RoleText {
        arn: profile.ram_role_arn.clone(),
        session_name: profile.ram_session_name.clone(),
        duration: profile.expired_seconds,
        policy: profile.policy.clone(),
        external_id: profile.external_id.clone(),
        sts: StsAddress {
            overridden: None,
            endpoint: profile.sts_endpoint.clone(),
            region: profile.sts_region.clone(),
            in_vpc: profile.enable_vpc,
        },
    }
}

fn keys(profile: &Profile, token: Option<Secret<String>>) -> Result<Keys, SourceError> {
    let id = required(profile, "access_key_id", profile.access_key_id.as_ref())?;
    let secret = required(profile, "access_key_secret", profile.access_key_secret.as_ref())?;
    Ok(Keys::new(id, secret.clone(), token))
}

fn required<'v, T>(
    profile: &Profile,
    field: &'static str,
    value: Option<&'v T>,
) -> Result<&'v T, SourceError> {
    value.ok_or_else(|| SourceError::Incomplete { subject: subject(profile), field })
}

fn subject(profile: &Profile) -> String {
    format!("profile `{}`", profile.name)
}

fn unsupported(profile: &Profile, why: &'static str) -> SourceError {
    SourceError::Unsupported { subject: subject(profile), mode: profile.mode.clone(), why }
}
