//! Everything the chain may read, as data.

use std::path::PathBuf;
use std::sync::Arc;

use reqwest::Url;

use crate::base::address::ServiceAddress;
use crate::base::ids::RegionId;
use crate::base::secret::Secret;
use crate::cloud::Product;
use crate::cloud::credentials::error::SourceError;
use crate::cloud::credentials::external::RunProgram;
use crate::cloud::endpoint::Endpoint;

/// What the chain reads. Nothing else of the environment has a part in it.
#[derive(Debug, Clone)]
pub struct Sources {
    /// Keys in variables.
    pub variables: Variables,
    /// A role for a workload with a token.
    pub oidc: OidcVariables,
    /// `ALIBABA_CLOUD_PROFILE`: the profile of the `aliyun` program, and the section of the credentials file.
    pub profile: Option<String>,
    /// The configuration of the `aliyun` program.
    pub cli_profile: CliProfile,
    /// Credentials files; the first that is there is read. `ALIBABA_CLOUD_CREDENTIALS_FILE`, else
    /// `~/.alibabacloud/credentials` as Go's library has it and `~/.alibabacloud/credentials.ini` as Python's.
    pub credentials_files: Vec<PathBuf>,
    /// A variable names the credentials file, which is then expected to be there.
    pub credentials_file_named: bool,
    /// The metadata service of an instance.
    pub metadata: Metadata,
    /// `ALIBABA_CLOUD_CREDENTIALS_URI`. It may hold a secret in its query.
    pub uri: Option<Secret<String>>,
    /// `ALIBABA_CLOUD_DISABLE_EXTERNAL_PROCESS`: no profile may start a program or ask a URI.
    pub no_external: bool,
    /// Where roles are asked for.
    pub sts: StsAddress,
    /// Starts the program of a profile of mode `External`.
    pub run: Arc<dyn RunProgram>,
}

/// Keys in variables.
#[derive(Debug, Clone, Default)]
pub struct Variables {
    /// `ALIBABA_CLOUD_ACCESS_KEY_ID`.
    pub access_key_id: Option<String>,
    /// `ALIBABA_CLOUD_ACCESS_KEY_SECRET`.
    pub access_key_secret: Option<Secret<String>>,
    /// `ALIBABA_CLOUD_SECURITY_TOKEN`.
    pub security_token: Option<Secret<String>>,
}

/// A role for a workload with a token. What a profile or section leaves out is taken from here too.
#[derive(Debug, Clone, Default)]
pub struct OidcVariables {
    /// `ALIBABA_CLOUD_ROLE_ARN`.
    pub role_arn: Option<String>,
    /// `ALIBABA_CLOUD_OIDC_PROVIDER_ARN`.
    pub provider_arn: Option<String>,
    /// `ALIBABA_CLOUD_OIDC_TOKEN_FILE`.
    pub token_file: Option<PathBuf>,
    /// `ALIBABA_CLOUD_ROLE_SESSION_NAME`.
    pub session_name: Option<String>,
}

/// The configuration of the `aliyun` program.
#[derive(Debug, Clone, Default)]
pub struct CliProfile {
    /// `ALIBABA_CLOUD_CLI_PROFILE_DISABLED`.
    pub disabled: bool,
    /// `ALIBABA_CLOUD_CONFIG_FILE`, else `~/.aliyun/config.json`.
    pub file: PathBuf,
    /// A variable names it, and it is then expected to be there.
    pub named: bool,
}

/// The metadata service of an instance.
#[derive(Debug, Clone)]
pub struct Metadata {
    /// `ALIBABA_CLOUD_ECS_METADATA_DISABLED`.
    pub disabled: bool,
    /// `ALIBABA_CLOUD_IMDSV1_DISABLED`: it is asked with a token or not at all.
    pub token_required: bool,
    /// `ALIBABA_CLOUD_ECS_METADATA`: name of the role; without it the service is asked.
    pub role: Option<String>,
    /// Where it answers.
    pub address: Url,
}

impl Metadata {
    /// The address every instance finds it at.
    pub const ADDRESS: &'static str = "http://100.100.100.200/";
}

/// Where roles are asked for.
#[derive(Debug, Clone, Default)]
pub struct StsAddress {
    /// The address all calls to STS go to, when one was given.
    pub overridden: Option<ServiceAddress>,
    /// `ALIBABA_CLOUD_STS_ENDPOINT`.
    pub endpoint: Option<String>,
    /// `ALIBABA_CLOUD_STS_REGION`.
    pub region: Option<String>,
    /// `ALIBABA_CLOUD_VPC_ENDPOINT_ENABLED`.
    pub in_vpc: bool,
}

impl StsAddress {
    /// Where a role is asked for whose profile says this of STS; what it says goes before the variables.
    ///
    /// As in the official libraries: the host of a region when one is named, otherwise the central one.
    pub(super) fn endpoint(&self, profile: &StsAddress) -> Result<Endpoint, SourceError> {
        if let Some(address) = &self.overridden {
            return Ok(Endpoint::one_address(address.clone()));
        }
        if let Some(text) = profile.endpoint.as_ref().or(self.endpoint.as_ref()) {
            return Ok(Endpoint::parse_override(text)?);
        }
        let prefix = if profile.in_vpc || self.in_vpc { "sts-vpc" } else { "sts" };
        match profile.region.as_ref().or(self.region.as_ref()) {
            Some(region) => Ok(Endpoint::parse_override(&format!("{prefix}.{region}.aliyuncs.com"))?),
            None => Ok(Endpoint::parse_override("sts.aliyuncs.com")?),
        }
    }

    /// As the client's calls have it.
    #[must_use]
    pub fn following(mut self, endpoint: &Endpoint) -> Self {
        self.overridden = endpoint.overridden(Product::Sts).cloned();
        self
    }
}

/// A region for a client of STS alone, whose calls do not say one.
pub(super) fn no_region() -> RegionId {
    RegionId::new("cn-hangzhou")
}
