//! What happens by itself, after its time.

use serde::Serialize;

use crate::world::World;

/// Something due at a moment. An event whose resource has moved on since is without effect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// A VPC becomes available.
    VpcAvailable(String),
    /// A VPC is gone.
    VpcGone(String),
    /// A vSwitch becomes available.
    VSwitchAvailable(String),
    /// A vSwitch is gone.
    VSwitchGone(String),
    /// Pending is over.
    InstanceAllocated(String),
    /// Booting has taken its time.
    InstanceBooted(String),
    /// Stopping is over.
    InstanceStopped(String),
    /// The time of an instance is over.
    InstanceExpired(String),
    /// A released instance is gone.
    InstanceGone(String),
    /// The interface of a gone instance is gone too.
    InterfaceGone(String),
    /// An ALB is Active.
    LoadBalancerSettled(String),
    /// An ALB is gone.
    LoadBalancerGone(String),
    /// What an ALB had made is gone too.
    LeftoversGone(String),
    /// A listener reaches its next state, or is gone.
    ListenerSettled(String),
    /// A rule is Available, or gone.
    RuleSettled(String),
    /// An address reaches its next state, or is gone.
    EipSettled(String),
    /// A NAT gateway is Available, or gone.
    NatGatewaySettled(String),
    /// An entry of a NAT gateway is Available, or gone.
    SnatEntrySettled(String),
    /// A server group is Available, or gone.
    ServerGroupSettled(String),
    /// A job succeeded.
    JobFinished(String),
    /// A Redis instance is ready, or its change is over.
    RedisSettled(String),
    /// A deleted Redis instance is gone.
    RedisGone(String),
    /// An account of a Redis instance can be used.
    RedisAccountReady {
        /// `r-...`.
        instance: String,
        /// Its name.
        account: String,
    },
    /// A script was answered without a host.
    ScriptAnswered {
        /// `t-...`.
        invocation: String,
        /// `i-...`.
        instance: String,
    },
}

impl World {
    pub(super) fn apply(&mut self, event: Event) {
        match event {
            Event::VpcAvailable(id) => self.vpc_available(&id),
            Event::VpcGone(id) => drop(self.vpcs.remove(&id)),
            Event::VSwitchAvailable(id) => self.vswitch_available(&id),
            Event::VSwitchGone(id) => drop(self.vswitches.remove(&id)),
            Event::InstanceAllocated(id) => self.instance_allocated(&id),
            Event::InstanceBooted(id) => self.instance_booted(&id),
            Event::InstanceStopped(id) => self.instance_stopped(&id),
            Event::InstanceExpired(id) => self.instance_expired(&id),
            Event::InstanceGone(id) => self.instance_gone(&id),
            Event::InterfaceGone(id) => drop(self.network_interfaces.remove(&id)),
            Event::LoadBalancerSettled(id) => self.load_balancer_settled(&id),
            Event::LoadBalancerGone(id) => self.load_balancer_gone(&id),
            Event::LeftoversGone(id) => self.leftovers_gone(&id),
            Event::ListenerSettled(id) => self.listener_settled(&id),
            Event::RuleSettled(id) => self.rule_settled(&id),
            Event::EipSettled(id) => self.eip_settled(&id),
            Event::NatGatewaySettled(id) => self.nat_gateway_settled(&id),
            Event::SnatEntrySettled(id) => self.snat_entry_settled(&id),
            Event::ServerGroupSettled(id) => self.server_group_settled(&id),
            Event::JobFinished(id) => self.job_finished(&id),
            Event::RedisSettled(id) => self.redis_settled(&id),
            Event::RedisGone(id) => drop(self.redis_instances.remove(&id)),
            Event::RedisAccountReady { instance, account } => self.redis_account_ready(&instance, &account),
            Event::ScriptAnswered { invocation, instance } => self.answer_script(&invocation, &instance),
        }
    }
}
