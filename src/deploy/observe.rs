//! What is in force on a host, seen in one round trip.

use super::error::DeployError;
use super::host::Host;
use super::unit::Duty;
use super::{command, node, redis};
use crate::ssh::Output;

/// Reads what is in force of Redis and of the node.
///
/// # Errors
/// When the host cannot be asked.
pub async fn observe(host: &impl Host) -> Result<(redis::Observed, node::Observed), DeployError> {
    // Both units are asked for at once: each start of `systemctl` takes a host as long as all of its files do.
    let units = command::duties(&[redis::UNIT, node::UNIT]);
    let questions = [units].into_iter().chain(redis::questions()).chain(node::questions());
    let answers = host.look(questions.collect()).await?;
    let (of_units, of_files) = answers.split_at(1);
    let (of_redis, of_node) = of_files.split_at(redis::QUESTIONS);
    let [redis, node] = Duty::of_each(&of_units[0]);
    Ok((redis::seen(redis, whole(of_redis)), node::seen(node, whole(of_node))))
}

fn whole<const N: usize>(answers: &[Output]) -> &[Output; N] {
    answers.try_into().expect("a look has an answer to each question")
}
