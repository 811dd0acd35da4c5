//! Documented limits of ALB instances, by edition.

use crate::wire::ApiError;
use crate::world::World;
use crate::world::load_balancer::LoadBalancer;
use crate::world::server_group::ServerGroup;

/// What an ALB was bought as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Edition {
    /// `Basic`.
    Basic,
    /// `Standard` and `StandardWithWaf`: their limits are the same.
    Standard,
}

impl Edition {
    /// The edition of an ALB.
    pub(super) fn of(balancer: &LoadBalancer) -> Self {
        if balancer.edition == "Basic" { Self::Basic } else { Self::Standard }
    }

    /// Rules of one ALB.
    pub(super) fn rules(self) -> usize {
        match self {
            Self::Basic => 40,
            Self::Standard => 100,
        }
    }

    /// Values a rule compares with, and of these values with wildcards.
    pub(super) fn conditions(self) -> usize {
        match self {
            Self::Basic => 5,
            Self::Standard => 10,
        }
    }

    /// Actions of a rule.
    pub(super) fn actions(self) -> usize {
        match self {
            Self::Basic => 3,
            Self::Standard => 5,
        }
    }

    /// Servers of one ALB.
    pub(super) fn servers(self) -> usize {
        match self {
            Self::Basic => 200,
            Self::Standard => 1000,
        }
    }

    /// Certificates of one ALB beside the default ones.
    pub(super) fn additional_certificates(self) -> usize {
        match self {
            Self::Basic => 10,
            Self::Standard => 25,
        }
    }
}

/// Connection draining and slow start are not part of the Basic edition.
///
/// # Errors
/// `Mismatch.LoadBalancerEditionAndConnectionDrain`, `Mismatch.LoadBalancerEditionAndSlowStartEnable`.
pub(super) fn check_features(group: &ServerGroup, balancer: &LoadBalancer) -> Result<(), ApiError> {
    if Edition::of(balancer) != Edition::Basic {
        return Ok(());
    }
    let lacking = match (group.drain, group.slow_start) {
        (Some(_), _) => "ConnectionDrain",
        (None, Some(_)) => "SlowStartEnable",
        (None, None) => return Ok(()),
    };
    let message = format!("The Basic ALB {} cannot serve {}: {lacking}.", balancer.id, group.id);
    Err(ApiError::bad_request(format!("Mismatch.LoadBalancerEditionAnd{lacking}"), message))
}

/// Refuses servers that are added to a group, unless every ALB that uses it takes them.
///
/// # Errors
/// `ResourceQuotaExceeded.LoadBalancerServersNum`.
pub(super) fn check_added(world: &World, group: &ServerGroup, added: usize) -> Result<(), ApiError> {
    let balancers = world.balancers_of_group(&group.id);
    for balancer in balancers.into_iter().filter_map(|id| world.load_balancers.get(id)) {
        let limit = Edition::of(balancer).servers();
        let uses = world.uses_of_group(&balancer.id, &group.id);
        if world.servers_of_balancer(&balancer.id) + added * uses > limit {
            return Err(too_many_servers(balancer, limit));
        }
    }
    Ok(())
}

fn too_many_servers(balancer: &LoadBalancer, limit: usize) -> ApiError {
    let message = format!("The ALB instance {} takes {limit} servers.", balancer.id);
    ApiError::bad_request("ResourceQuotaExceeded.LoadBalancerServersNum", message)
}

/// Refuses to put more servers behind an ALB than it takes; each use of a group counts its servers.
///
/// # Errors
/// `ResourceQuotaExceeded.LoadBalancerServersNum`.
pub(super) fn check_servers(world: &World, balancer: &LoadBalancer, groups: &[&str]) -> Result<(), ApiError> {
    let added = groups.iter().filter_map(|id| world.server_groups.get(*id)).map(|group| group.servers.len());
    let limit = Edition::of(balancer).servers();
    if world.servers_of_balancer(&balancer.id) + added.sum::<usize>() <= limit {
        return Ok(());
    }
    Err(too_many_servers(balancer, limit))
}
