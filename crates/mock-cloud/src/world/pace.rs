//! How long things take.

use std::time::Duration;

use clap::ValueEnum;
use serde::Serialize;

/// Time between two health checks where nothing else takes any.
const LONGEST_INSTANT_INTERVAL: Duration = Duration::from_millis(50);

/// Speed of the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Pace {
    /// No delays, no lag, health checks one upon the other.
    Instant,
    /// A fiftieth of the real time.
    Brisk,
    /// About as long as the real cloud takes.
    Real,
}

/// A transition that takes its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Until lists show what was written.
    ListLag,
    /// VPC or vSwitch becomes available or goes.
    Network,
    /// Instance from Pending to Starting.
    InstanceAllocated,
    /// Instance from Starting to Running.
    InstanceBooted,
    /// Instance from Stopping to Stopped.
    InstanceStopped,
    /// Instance from released to gone.
    InstanceGone,
    /// Network interface of a gone instance.
    InterfaceReleased,
    /// ALB instance from Provisioning to Active.
    LoadBalancerMade,
    /// ALB instance from Configuring back to Active.
    LoadBalancerConfigured,
    /// ALB instance from Deleting to gone.
    LoadBalancerGone,
    /// What an ALB made by itself, after the ALB is gone.
    LeftoversGone,
    /// Listener settles.
    Listener,
    /// Server group settles.
    ServerGroup,
    /// Elastic IP address settles.
    ElasticIp,
    /// NAT gateway settles.
    NatGateway,
    /// Entry of a NAT gateway settles.
    SnatEntry,
    /// Redis instance from Creating to Normal.
    RedisMade,
    /// Redis instance from Changing back to Normal.
    RedisChanged,
    /// Redis instance from released to gone.
    RedisGone,
    /// Account of a Redis instance becomes available.
    RedisAccount,
    /// Cloud Assistant script of a control plane without hosts.
    Script,
}

impl Pace {
    /// Duration of a step.
    pub fn milliseconds(self, step: Step) -> i64 {
        match (self, step) {
            (Self::Instant, _) => 0,
            (Self::Brisk, step) => step.real_milliseconds() / 50,
            (Self::Real, step) => step.real_milliseconds(),
        }
    }

    /// Time between the health checks of a group that asks for this interval. Thresholds are kept at every pace.
    pub fn between_health_checks(self, interval: Duration) -> Duration {
        match self {
            Self::Instant => (interval / 20).min(LONGEST_INSTANT_INTERVAL),
            Self::Brisk | Self::Real => interval,
        }
    }

    /// The word of the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Instant => "instant",
            Self::Brisk => "brisk",
            Self::Real => "real",
        }
    }
}

impl Step {
    /// What is seen of the real cloud where somebody wrote it down, else a guess; the provenance says which.
    fn real_milliseconds(self) -> i64 {
        match self {
            Self::ListLag | Self::Script => 2_000,
            Self::Network | Self::InstanceAllocated | Self::ElasticIp | Self::SnatEntry => 5_000,
            Self::InstanceGone | Self::Listener | Self::ServerGroup | Self::LoadBalancerConfigured => 8_000,
            Self::InstanceBooted | Self::InterfaceReleased | Self::RedisChanged | Self::RedisAccount => {
                10_000
            }
            Self::InstanceStopped | Self::LoadBalancerGone => 20_000,
            Self::LoadBalancerMade | Self::RedisGone => 30_000,
            Self::LeftoversGone | Self::NatGateway => 60_000,
            Self::RedisMade => 240_000,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brisk_is_a_fiftieth_of_the_real_pace_and_instant_is_none() {
        for step in [Step::Network, Step::InstanceBooted, Step::LoadBalancerMade, Step::RedisMade] {
            assert_eq!(Pace::Brisk.milliseconds(step) * 50, Pace::Real.milliseconds(step));
            assert_eq!(Pace::Instant.milliseconds(step), 0);
        }
    }

    #[test]
    fn only_the_instant_pace_hurries_health_checks() {
        for (asked, instant) in [(1_000, 50), (2_000, 50), (600, 30), (50_000, 50)] {
            let asked = Duration::from_millis(asked);
            assert_eq!(Pace::Instant.between_health_checks(asked), Duration::from_millis(instant));
            assert_eq!(Pace::Brisk.between_health_checks(asked), asked);
            assert_eq!(Pace::Real.between_health_checks(asked), asked);
        }
    }

    #[test]
    fn the_real_pace_is_what_clients_have_seen() {
        let seconds =
            |steps: &[Step]| steps.iter().map(|step| Pace::Real.milliseconds(*step)).sum::<i64>() / 1_000;
        assert!((3..=6).contains(&seconds(&[Step::Network])), "VPCs and vSwitches");
        assert_eq!(seconds(&[Step::InstanceAllocated, Step::InstanceBooted]), 15, "an instance");
        assert!((5..=10).contains(&seconds(&[Step::InstanceGone])), "its release");
        assert!((8..=23).contains(&seconds(&[Step::InterfaceReleased])), "a vSwitch after its instances");
        assert!((60..=180).contains(&seconds(&[Step::NatGateway])), "a NAT gateway");
        assert!((180..=300).contains(&seconds(&[Step::RedisMade])), "Redis");
        let balancer = [Step::LoadBalancerMade, Step::ServerGroup, Step::Listener, Step::LoadBalancerGone];
        for step in balancer {
            assert!((5..=300).contains(&seconds(&[step])), "{step:?}: the provider waits from 5 s to 5 min");
        }
    }
}
