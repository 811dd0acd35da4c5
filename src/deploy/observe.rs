//! What is in force on a host, seen in one round trip.

use super::error::DeployError;
use super::host::Host;
use super::{node, redis};
use crate::ssh::Output;

/// Reads what is in force of Redis and of the node.
///
/// # Errors
/// When the host cannot be asked.
pub async fn observe(host: &impl Host) -> Result<(redis::Observed, node::Observed), DeployError> {
    let answers = host.look(redis::questions().into_iter().chain(node::questions()).collect()).await?;
    let (of_redis, of_node) = answers.split_at(redis::QUESTIONS);
    Ok((redis::seen(whole(of_redis)), node::seen(whole(of_node))))
}

fn whole<const N: usize>(answers: &[Output]) -> &[Output; N] {
    answers.try_into().expect("a look has an answer to each question")
}
