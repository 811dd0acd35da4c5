//! What the environment says: the only place that reads it.

use std::path::PathBuf;
use std::sync::Arc;

use crate::base::secret::Secret;
use crate::cli::external::Programs;
use crate::cloud::Product;
use crate::cloud::credentials::{CliProfile, Metadata, OidcVariables, Sources, StsAddress, Variables};
use crate::cloud::endpoint::Endpoint;

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

/// What kind of terminal we are in.
pub(super) fn terminal_kind() -> String {
    variable("TERM").unwrap_or_else(|| "dumb".to_owned())
}

/// Which language and signs are wanted: the first of these variables that says anything.
pub(super) fn locale() -> Option<String> {
    ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(variable)
}

/// The file that GitHub Actions shows as the summary of a step.
pub(super) fn step_summary() -> Option<PathBuf> {
    variable("GITHUB_STEP_SUMMARY").map(PathBuf::from)
}

/// Where the SSH agent listens.
pub(super) fn agent_socket() -> Option<PathBuf> {
    variable("SSH_AUTH_SOCK").map(PathBuf::from)
}

/// The host keys that the user knows.
pub(super) fn known_hosts() -> PathBuf {
    home().join(".ssh").join("known_hosts")
}

/// What a topology puts in for `${env:NAME}`.
pub(super) fn of_topology(name: &str) -> Option<String> {
    variable(name)
}

/// A secret in a variable that a topology names.
pub(super) fn secret_of_topology(name: &str) -> Option<Secret<String>> {
    variable(name).map(Secret::new)
}

/// Where the user's own SSH key for Albatross lives.
pub(super) fn configuration_folder() -> PathBuf {
    let base = variable("XDG_CONFIG_HOME").map_or_else(|| home().join(".config"), PathBuf::from);
    base.join("albatross")
}

/// Whether a switch is on: `true` in whatever case, as in the official libraries.
fn is_on(name: &str) -> bool {
    variable(name).is_some_and(|value| value.eq_ignore_ascii_case("true"))
}

/// What the credential chain reads; roles are asked for where the client's own calls to STS go.
pub(super) fn credential_sources(endpoint: &Endpoint) -> Sources {
    let secret = |name| variable(name).map(Secret::new);
    let path = |name| variable(name).map(PathBuf::from);
    let shared = home().join(".alibabacloud");
    Sources {
        variables: Variables {
            access_key_id: variable("ALIBABA_CLOUD_ACCESS_KEY_ID"),
            access_key_secret: secret("ALIBABA_CLOUD_ACCESS_KEY_SECRET"),
            security_token: secret("ALIBABA_CLOUD_SECURITY_TOKEN"),
        },
        oidc: OidcVariables {
            role_arn: variable("ALIBABA_CLOUD_ROLE_ARN"),
            provider_arn: variable("ALIBABA_CLOUD_OIDC_PROVIDER_ARN"),
            token_file: path("ALIBABA_CLOUD_OIDC_TOKEN_FILE"),
            session_name: variable("ALIBABA_CLOUD_ROLE_SESSION_NAME"),
        },
        profile: variable("ALIBABA_CLOUD_PROFILE"),
        cli_profile: CliProfile {
            disabled: is_on("ALIBABA_CLOUD_CLI_PROFILE_DISABLED"),
            file: path("ALIBABA_CLOUD_CONFIG_FILE")
                .unwrap_or_else(|| home().join(".aliyun").join("config.json")),
            named: variable("ALIBABA_CLOUD_CONFIG_FILE").is_some(),
        },
        credentials_files: match path("ALIBABA_CLOUD_CREDENTIALS_FILE") {
            Some(file) => vec![file],
            None => vec![shared.join("credentials"), shared.join("credentials.ini")],
        },
        credentials_file_named: variable("ALIBABA_CLOUD_CREDENTIALS_FILE").is_some(),
        metadata: Metadata {
            disabled: is_on("ALIBABA_CLOUD_ECS_METADATA_DISABLED"),
            token_required: is_on("ALIBABA_CLOUD_IMDSV1_DISABLED"),
            role: variable("ALIBABA_CLOUD_ECS_METADATA"),
            address: Metadata::ADDRESS.parse().expect("it is a URL"),
        },
        uri: secret("ALIBABA_CLOUD_CREDENTIALS_URI"),
        no_external: is_on("ALIBABA_CLOUD_DISABLE_EXTERNAL_PROCESS")
            || variable("ALIBABA_CLOUD_DISABLE_EXTERNAL_PROCESS").as_deref() == Some("1"),
        sts: StsAddress {
            overridden: None,
            endpoint: variable("ALIBABA_CLOUD_STS_ENDPOINT"),
            region: variable("ALIBABA_CLOUD_STS_REGION"),
            in_vpc: sts_in_vpc(),
        }
        .following(endpoint),
        run: Arc::new(Programs),
    }
}

/// Whether STS is asked at its host inside the VPC.
pub(super) fn sts_in_vpc() -> bool {
    is_on("ALIBABA_CLOUD_VPC_ENDPOINT_ENABLED")
}

/// The variable that gives a product another address, as Terraform's provider spells it.
pub(super) fn endpoint_variable(product: Product) -> String {
    format!("ALIBABA_CLOUD_ENDPOINT_{}", product.code().to_uppercase())
}

/// Another address for a product.
pub(super) fn endpoint_of(product: Product) -> Option<String> {
    variable(&endpoint_variable(product))
}

/// Where the crash harness wants this process to end.
#[cfg(feature = "crash-points")]
pub(super) fn arm_crash_points() {
    let list = variable("ALBATROSS_CRASH_POINTS_TO").map(PathBuf::from);
    crate::base::crash_point::armed::arm(variable("ALBATROSS_CRASH_POINT"), list);
}

/// A path as people write it, `~` included.
pub(super) fn expand_home(path: &std::path::Path) -> PathBuf {
    match path.strip_prefix("~") {
        Ok(rest) => home().join(rest),
        Err(_) => path.to_owned(),
    }
}
