//! Who signs: the official chain of places that keys come from, and keys that stay fresh.
//!
//! - [`Sources`] is all the chain may read, as data: the command line fills it in from the environment;
//! - [`find`] tries the links in the official order and takes the first that gives a key, as the official libraries
//!   for Go and Python do; every link that was passed over is kept with its reason;
//! - [`Credentials`] is what a client holds: it gives the key for the next call and renews it in time.
//!
//! One place of keys is one file: [`variables`], [`oidc`], [`cli_profile`], [`credentials_file`], [`metadata`],
//! [`uri`], [`external`], and [`role`] for a role that another key assumes.

mod ask;
mod cli_profile;
mod credentials_file;
mod error;
mod external;
mod issued;
mod keys;
mod link;
mod metadata;
mod oidc;
mod provider;
mod role;
mod source;
mod sources;
mod uri;
mod variables;

pub use error::{CredentialsError, PassedOver, SourceError};
pub use external::{RunFailure, RunProgram};
pub use keys::Keys;
pub use link::{Link, find};
pub use provider::Credentials;
pub use sources::{CliProfile, Metadata, OidcVariables, Sources, StsAddress, Variables};

#[cfg(test)]
mod tests;
