//! How each kind is read: which call, how many at once, and what names one of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use super::{Listing, NORMAL_AGAIN, REMOVAL};
use crate::base::ids::CloudId;
use crate::base::usual::{self, Usual};
use crate::cloud::alb::{self, Listener, LoadBalancer, NonNormalServer, ServerGroup};
use crate::cloud::alb_rules::{self, Rule};
use crate::cloud::cas::{self, Certificate};
use crate::cloud::ecs::{self, Agent, Instance, InvocationResult};
use crate::cloud::error::CloudError;
use crate::cloud::redis::{self, Account, Instance as RedisInstance};
use crate::cloud::transport::Client;
use crate::cloud::vpc::{self, Selection, VSwitch, Vpc};

/// What says by itself how far it is.
pub trait HasState {
    /// `Pending`, `Running`, ...
    fn state(&self) -> &str;
}

macro_rules! has_state {
    ($($item:ty: $field:ident),* $(,)?) => {
        $(impl HasState for $item {
            fn state(&self) -> &str {
                &self.$field
            }
        })*
    };
}

has_state! {
    Vpc: status,
    VSwitch: status,
    Instance: status,
    InvocationResult: invoke_record_status,
    LoadBalancer: load_balancer_status,
    ServerGroup: server_group_status,
    Listener: listener_status,
    Rule: rule_status,
    RedisInstance: instance_status,
    Account: account_status,
}

impl HasState for Agent {
    fn state(&self) -> &str {
        if self.is_online() { "online" } else { "offline" }
    }
}

macro_rules! of_a_client {
    ($($(#[$doc:meta])* $listing:ident),* $(,)?) => {
        $($(#[$doc])*
        #[derive(Debug)]
        pub struct $listing {
            client: Client,
        }

        impl $listing {
            pub(super) fn new(client: &Client) -> Self {
                Self { client: client.clone() }
            }
        })*
    };
}

of_a_client! {
    /// VPCs.
    Vpcs,
    /// Instances.
    Instances,
    /// The Cloud Assistants of instances.
    Assistants,
    /// Commands on instances: one call each, since the list of all of an account's commands has no end.
    Invocations,
    /// Network interfaces that a resource has in a VPC: how many there still are.
    Interfaces,
    /// Load balancers, with their zones and addresses, which no list tells: one call each.
    LoadBalancers,
    /// Server groups.
    ServerGroups,
    /// Listeners.
    Listeners,
    /// Rules of listeners.
    Rules,
    /// Certificates, with what ALB calls them, which no list of all is asked for: one call each.
    Certificates,
    /// Managed Redis instances.
    RedisInstances,
    /// Accounts of managed Redis instances: one call each.
    RedisAccounts,
    /// Servers that a listener sends no traffic to: one call a listener.
    Health,
}

/// Lists by the id that each item has.
macro_rules! by_id {
    ($($listing:ty, $item:ty, $usual:expr, $read:path, $id:ident;)*) => {
        $(impl Listing for $listing {
            type Key = CloudId;
            type Item = $item;

            fn usual(condition: &str) -> Usual {
                $usual(condition)
            }

            async fn read(
                &self,
                keys: &BTreeSet<CloudId>,
            ) -> Result<BTreeMap<CloudId, $item>, CloudError> {
                let ids: Vec<CloudId> = keys.iter().cloned().collect();
                let found = $read(&self.client, &ids).await?;
                Ok(found.into_iter().map(|item| (item.$id.clone(), item)).collect())
            }
        })*
    };
}

by_id! {
    Vpcs, Vpc, |_| usual::VPC, vpc::vpcs_with_ids, vpc_id;
    Instances, Instance, usual_of_instances, ecs::instances_with_ids, instance_id;
    ServerGroups, ServerGroup, |_| usual::SERVER_GROUP, alb::server_groups_with_ids, server_group_id;
    Listeners, Listener, |_| usual::LISTENER, alb::listeners_with_ids, listener_id;
    Rules, Rule, |_| usual::LISTENER, alb_rules::rules_with_ids, rule_id;
    RedisInstances, RedisInstance, usual_of_redis, redis::instances_with_ids, instance_id;
}

fn usual_of_instances(condition: &str) -> Usual {
    match condition {
        REMOVAL => usual::INSTANCE_GONE,
        "Stopped" => usual::INSTANCE_STOPPED,
        _ => usual::INSTANCE_RUNNING,
    }
}

/// A change of what runs, by contrast, is spoken of as `Normal again`.
fn usual_of_redis(condition: &str) -> Usual {
    match condition {
        REMOVAL => usual::REDIS_GONE,
        NORMAL_AGAIN => usual::REDIS_CHANGED,
        _ => usual::REDIS_NORMAL,
    }
}

impl Listing for RedisAccounts {
    /// Instance, and name.
    type Key = (CloudId, String);
    type Item = Account;

    fn usual(_: &str) -> Usual {
        usual::REDIS_ACCOUNT
    }

    async fn read(
        &self,
        keys: &BTreeSet<(CloudId, String)>,
    ) -> Result<BTreeMap<(CloudId, String), Account>, CloudError> {
        let mut found = BTreeMap::new();
        for key in keys {
            found.extend(redis::account(&self.client, &key.0, &key.1).await?.map(|one| (key.clone(), one)));
        }
        Ok(found)
    }
}

impl Listing for Assistants {
    type Key = CloudId;
    type Item = Agent;
    const MAY_HOLD: bool = true;

    fn usual(_: &str) -> Usual {
        usual::ASSISTANT
    }

    async fn read(&self, keys: &BTreeSet<CloudId>) -> Result<BTreeMap<CloudId, Agent>, CloudError> {
        let ids: Vec<CloudId> = keys.iter().cloned().collect();
        let found = ecs::agents(&self.client, &ids).await?;
        Ok(found.into_iter().map(|agent| (agent.instance_id.clone(), agent)).collect())
    }
}

impl Listing for LoadBalancers {
    type Key = CloudId;
    type Item = LoadBalancer;

    fn usual(condition: &str) -> Usual {
        if condition == REMOVAL { usual::LOAD_BALANCER_GONE } else { usual::LOAD_BALANCER_ACTIVE }
    }

    async fn read(&self, keys: &BTreeSet<CloudId>) -> Result<BTreeMap<CloudId, LoadBalancer>, CloudError> {
        let mut found = BTreeMap::new();
        for id in keys {
            found.extend(alb::load_balancer(&self.client, id).await?.map(|one| (id.clone(), one)));
        }
        Ok(found)
    }
}

/// vSwitches. The list takes one id, or a VPC: several are read as what their VPC has, which each tells of itself.
#[derive(Debug)]
pub struct VSwitches {
    client: Client,
    vpcs: Mutex<BTreeMap<CloudId, CloudId>>,
}

impl VSwitches {
    pub(super) fn new(client: &Client) -> Self {
        Self { client: client.clone(), vpcs: Mutex::default() }
    }

    fn vpc_of(&self, id: &CloudId) -> Option<CloudId> {
        self.vpcs.lock().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }

    fn learn(&self, found: &VSwitch) {
        let mut vpcs = self.vpcs.lock().unwrap_or_else(PoisonError::into_inner);
        vpcs.insert(found.v_switch_id.clone(), found.vpc_id.clone());
    }
}

impl Listing for VSwitches {
    type Key = CloudId;
    type Item = VSwitch;

    fn usual(_: &str) -> Usual {
        usual::VSWITCH
    }

    async fn read(&self, keys: &BTreeSet<CloudId>) -> Result<BTreeMap<CloudId, VSwitch>, CloudError> {
        let mut found = BTreeMap::new();
        let mut left = keys.clone();
        while let Some(id) = left.pop_first() {
            let vpc = self.vpc_of(&id).filter(|_| !left.is_empty());
            let listed = match vpc {
                Some(vpc) => vpc::vswitches_of(&self.client, &vpc).await?,
                None => vpc::vswitches(&self.client, Selection::Id(&id)).await?,
            };
            for one in listed.into_iter().filter(|one| keys.contains(&one.v_switch_id)) {
                self.learn(&one);
                left.remove(&one.v_switch_id);
                found.insert(one.v_switch_id.clone(), one);
            }
        }
        Ok(found)
    }
}

impl Listing for Invocations {
    type Key = CloudId;
    type Item = InvocationResult;

    fn usual(_: &str) -> Usual {
        usual::INVOCATION
    }

    async fn read(
        &self,
        keys: &BTreeSet<CloudId>,
    ) -> Result<BTreeMap<CloudId, InvocationResult>, CloudError> {
        let mut found = BTreeMap::new();
        for id in keys {
            if let Some(result) = ecs::invocation_result(&self.client, id.as_str()).await? {
                found.insert(id.clone(), result);
            }
        }
        Ok(found)
    }
}

impl Listing for Interfaces {
    /// VPC, and who has them.
    type Key = (CloudId, CloudId);
    type Item = usize;

    fn usual(_: &str) -> Usual {
        usual::INTERFACES_GONE
    }

    async fn read(
        &self,
        keys: &BTreeSet<(CloudId, CloudId)>,
    ) -> Result<BTreeMap<(CloudId, CloudId), usize>, CloudError> {
        let mut found = BTreeMap::new();
        for vpc in keys.iter().map(|(vpc, _)| vpc).collect::<BTreeSet<_>>() {
            let interfaces = ecs::network_interfaces(&self.client, vpc).await?;
            for key in keys.iter().filter(|(of, _)| of == vpc) {
                let its = interfaces.iter().filter(|one| one.description.contains(key.1.as_str())).count();
                found.extend((its > 0).then(|| (key.clone(), its)));
            }
        }
        Ok(found)
    }
}

impl Listing for Certificates {
    type Key = CloudId;
    type Item = Certificate;
    const MAY_HOLD: bool = true;

    fn usual(_: &str) -> Usual {
        usual::CERTIFICATE
    }

    async fn read(&self, keys: &BTreeSet<CloudId>) -> Result<BTreeMap<CloudId, Certificate>, CloudError> {
        let mut found = BTreeMap::new();
        for id in keys {
            found.extend(cas::certificate_if_there(&self.client, id).await?.map(|one| (id.clone(), one)));
        }
        Ok(found)
    }
}

impl Listing for Health {
    type Key = CloudId;
    type Item = Vec<NonNormalServer>;
    const MAY_HOLD: bool = true;

    fn usual(_: &str) -> Usual {
        usual::HEALTHY
    }

    async fn read(
        &self,
        keys: &BTreeSet<CloudId>,
    ) -> Result<BTreeMap<CloudId, Vec<NonNormalServer>>, CloudError> {
        let mut found = BTreeMap::new();
        for listener in keys {
            if let Some(servers) = alb::unhealthy_servers(&self.client, listener).await? {
                found.insert(listener.clone(), servers);
            }
        }
        Ok(found)
    }
}
