//! A place keys come from, ready to be asked, again and again.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use futures_util::future::BoxFuture;

use crate::cloud::credentials::error::SourceError;
use crate::cloud::credentials::external::{Program, RunProgram};
use crate::cloud::credentials::keys::{Keys, Session};
use crate::cloud::credentials::metadata::Instance;
use crate::cloud::credentials::oidc::Workload;
use crate::cloud::credentials::role::Role;
use crate::cloud::credentials::uri::CredentialsUri;

/// Somebody who is not there is noticed soon: most machines are no instances.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// A place keys come from.
#[derive(Debug)]
pub(super) enum Source {
    /// Keys that are known.
    Fixed(Keys),
    /// A role that the keys of another place assume.
    Role {
        /// Whose keys assume it.
        base: Box<Source>,
        /// The role.
        role: Role,
    },
    /// A role that a workload assumes with a token.
    Oidc(Workload),
    /// The role of the instance this runs on.
    Metadata(Instance),
    /// A service that gives keys.
    Uri(CredentialsUri),
    /// A program that prints them.
    Program(Program),
}

/// A place and its name for people, such as ``profile `work` (RamRoleArn acs:ram::1:role/deploy)``.
#[derive(Debug)]
pub(super) struct Origin {
    pub(super) source: Source,
    pub(super) name: String,
}

/// What places are asked with.
#[derive(Debug)]
pub(super) struct Tools {
    /// Goes through no proxy and follows no redirection. Made when a place is first asked: it reads the certificates
    /// of the machine.
    pub(super) http: LazyLock<reqwest::Client>,
    /// Starts programs.
    pub(super) run: Arc<dyn RunProgram>,
}

impl Tools {
    pub(super) fn new(run: Arc<dyn RunProgram>) -> Self {
        Self { http: LazyLock::new(client), run }
    }
}

fn client() -> reqwest::Client {
    reqwest::Client::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .user_agent(concat!("albatross/", env!("CARGO_PKG_VERSION")))
        .build()
        .expect("the TLS library starts")
}

impl Source {
    /// Asks for keys. Boxed, since a role asks the place that its own keys come from.
    pub(super) fn fetch<'a>(&'a self, tools: &'a Tools) -> BoxFuture<'a, Result<Session, SourceError>> {
        Box::pin(async move {
            match self {
                Self::Fixed(keys) => Ok(Session::lasting(keys.clone())),
                Self::Role { base, role } => role.assume(base.fetch(tools).await?.keys).await,
                Self::Oidc(workload) => workload.assume().await,
                Self::Metadata(instance) => instance.ask(&tools.http).await,
                Self::Uri(uri) => uri.ask(&tools.http).await,
                Self::Program(program) => program.ask(tools).await,
            }
        })
    }

    /// Whether asking again can give other keys.
    pub(super) fn is_renewable(&self) -> bool {
        match self {
            Self::Fixed(_) => false,
            Self::Role { .. } | Self::Oidc(_) | Self::Metadata(_) | Self::Uri(_) | Self::Program(_) => true,
        }
    }
}
