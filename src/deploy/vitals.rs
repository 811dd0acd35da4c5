//! How what we put on a host is doing, at one look: for who asks why something does not work.

use std::net::Ipv4Addr;

use super::error::DeployError;
use super::host::Host;
use super::node::{self, ready};
use super::redis;
use super::unit;
use crate::base::secret::Secret;

/// How a unit is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vitals {
    /// Its name.
    pub unit: &'static str,
    /// Whether it runs.
    pub is_active: bool,
    /// Its state as part of a sentence.
    pub state: String,
    /// Its last lines, no secrets in them.
    pub last_words: String,
}

/// How the chat node of a host is doing.
///
/// # Errors
/// When the host cannot be asked.
pub async fn node(host: &impl Host) -> Result<Vitals, DeployError> {
    vitals(host, node::UNIT, &node::known_secrets(host).await?).await
}

/// How Redis on a host is doing.
///
/// # Errors
/// When the host cannot be asked.
pub async fn redis(host: &impl Host) -> Result<Vitals, DeployError> {
    let password = redis::stored_password(host).await?;
    vitals(host, redis::UNIT, password.as_slice()).await
}

async fn vitals(
    host: &impl Host,
    unit: &'static str,
    secrets: &[Secret<String>],
) -> Result<Vitals, DeployError> {
    let state = unit::state(host, unit).await?;
    let last_words = unit::last_words(host, unit, secrets).await;
    Ok(Vitals { unit, is_active: state.is_active(), state: state.words(), last_words })
}

/// What the node of a host says of itself when it is asked once; the inner error is why it is not ready.
///
/// # Errors
/// When the host cannot be asked.
pub async fn readiness(
    host: &impl Host,
    (address, port): (Ipv4Addr, u16),
    path: &str,
) -> Result<Result<(), String>, DeployError> {
    ready::ask(host, (address, port), path).await
}
