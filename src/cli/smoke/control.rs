//! The negative controls: what smoke breaks, and the check at which verify has to notice.
//!
//! A proof that cannot fail proves nothing. Each control takes away one thing that the chatroom needs; verify must then
//! fail, first at the named check, and pass again when the thing is back.

use crate::cli::scenario;
use crate::topology::model::{Protocol, RedisPlace, Topology};
use crate::verify::CheckId;

/// One thing that is taken away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Control {
    /// Redis is stopped on its host.
    RedisStopped,
    /// One node is stopped.
    NodeDown,
    /// The server group no longer leads a client back to its node.
    StickyOff,
    /// The listener shows a certificate for another name.
    CertificateWrong,
    /// The name is answered as it was before it was changed.
    NameStale,
    /// The listener cuts silent clients off before the node's ping comes.
    ListenerHasty,
    /// The security group lets nobody reach Redis.
    RedisPortClosed,
}

impl Control {
    /// All of them, in the order they are tried.
    pub(super) const ALL: [Self; 7] = [
        Self::RedisStopped,
        Self::NodeDown,
        Self::StickyOff,
        Self::CertificateWrong,
        Self::NameStale,
        Self::ListenerHasty,
        Self::RedisPortClosed,
    ];

    /// The name people and reports use.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::RedisStopped => "redis.stopped",
            Self::NodeDown => "node.down",
            Self::StickyOff => "sticky.off",
            Self::CertificateWrong => "certificate.wrong",
            Self::NameStale => "name.stale",
            Self::ListenerHasty => "listener.hasty",
            Self::RedisPortClosed => "redis.port_closed",
        }
    }

    /// The check at which verify has to fail first. With two nodes, one of which is down, no two clients sit on two.
    pub(super) fn check(self, topology: &Topology) -> CheckId {
        match self {
            Self::RedisStopped | Self::RedisPortClosed => CheckId::MessageAToB,
            Self::NodeDown if topology.node.on.len() > 2 => CheckId::NodesAll,
            Self::NodeDown => CheckId::NodesDiffer,
            Self::StickyOff => CheckId::PollingSticky,
            Self::CertificateWrong => CheckId::TlsValid,
            Self::NameStale => CheckId::DnsCname,
            Self::ListenerHasty => CheckId::IdleSurvives,
        }
    }

    /// Whether the checks that do not take longer than the listener's timeouts are enough to notice.
    pub(super) fn is_quick(self) -> bool {
        self != Self::ListenerHasty
    }

    /// Why it does not apply to a topology on such hosts, if it does not.
    pub(super) fn unfit(self, topology: &Topology, hosts: &str) -> Option<String> {
        let is_managed = matches!(topology.redis.place, RedisPlace::Managed(_));
        let check = self.check(topology);
        if !scenario::service(&topology.verify.service).checks().contains(&check) {
            return Some(format!("a service of this kind is not asked {check}"));
        }
        match self {
            Self::RedisStopped if is_managed => {
                Some("the cloud runs this Redis, and nobody can stop it there".to_owned())
            }
            Self::RedisPortClosed if is_managed => {
                Some("no rule of the security group leads to a managed Redis".to_owned())
            }
            Self::RedisPortClosed if hosts != "machine" => {
                Some(format!("on {hosts} hosts no security group is enforced"))
            }
            Self::RedisPortClosed if topology.security_group.is_some() => {
                Some("the security group is not the stack's".to_owned())
            }
            Self::CertificateWrong if topology.load_balancer.listener.protocol != Protocol::Https => {
                Some("the listener speaks plain HTTP".to_owned())
            }
            Self::ListenerHasty if topology.node.ping_interval.count() < 2 => {
                Some("the node pings each second, and no listener is less patient than that".to_owned())
            }
            Self::RedisStopped
            | Self::NodeDown
            | Self::StickyOff
            | Self::CertificateWrong
            | Self::NameStale
            | Self::ListenerHasty
            | Self::RedisPortClosed => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unfit(topology: &str, hosts: &str) -> Vec<&'static str> {
        let topology = crate::topology::load(topology.as_bytes()).unwrap();
        let unfit = Control::ALL.into_iter().filter(|control| control.unfit(&topology, hosts).is_some());
        unfit.map(Control::name).collect()
    }

    #[test]
    fn what_cannot_be_taken_away_is_named() {
        let plain = include_str!("../../../examples/chatroom.yaml");
        assert_eq!(unfit(plain, "machine"), ["certificate.wrong"]);
        assert_eq!(unfit(plain, "process"), ["certificate.wrong", "redis.port_closed"]);
        let secure = include_str!("../../../examples/chatroom-https.yaml");
        assert_eq!(unfit(secure, "machine"), Vec::<&str>::new());
        let managed = include_str!("../../../examples/chatroom-tair.yaml");
        assert_eq!(unfit(managed, "machine"), ["redis.stopped", "certificate.wrong", "redis.port_closed"]);
        let hasty = plain.replace("  port: 5000\n\nload", "  port: 5000\n  ping_interval: 1s\n\nload");
        assert!(unfit(&hasty, "machine").contains(&"listener.hasty"), "{hasty}");
    }

    #[test]
    fn of_two_nodes_one_is_missed_by_the_pair_and_of_three_by_the_crowd() {
        let mut topology = crate::topology::load(include_bytes!("../../../examples/chatroom.yaml")).unwrap();
        assert_eq!(Control::NodeDown.check(&topology), CheckId::NodesDiffer);
        topology.node.on.push(crate::base::ids::InstanceName::new("ecs04"));
        assert_eq!(Control::NodeDown.check(&topology), CheckId::NodesAll);
    }
}
