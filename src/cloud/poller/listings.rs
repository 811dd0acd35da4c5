//! How each kind is read: which call, how many at once, and what names one of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::Listing;
use crate::base::ids::CloudId;
use crate::cloud::alb::{self, BackendServer, Listener, LoadBalancer, NonNormalServer, ServerGroup};
use crate::cloud::ecs::{self, Agent, Instance, InvocationResult};
use crate::cloud::error::CloudError;
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
    BackendServer: status,
    Listener: listener_status,
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
    /// Load balancers, without their zones.
    LoadBalancers,
    /// Server groups.
    ServerGroups,
    /// Servers in groups: one call a group.
    Servers,
    /// Listeners.
    Listeners,
    /// Servers that a listener sends no traffic to: one call a listener.
    Health,
}

/// Lists by the id that each item has.
macro_rules! by_id {
    ($($listing:ty, $item:ty, $usual:expr, $read:path, $id:ident;)*) => {
        $(impl Listing for $listing {
            type Key = CloudId;
            type Item = $item;
            const USUAL: Duration = $usual;

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
    Vpcs, Vpc, Duration::from_secs(5), vpc::vpcs_with_ids, vpc_id;
    Instances, Instance, Duration::from_secs(25), ecs::instances_with_ids, instance_id;
    Assistants, Agent, Duration::from_secs(10), ecs::agents, instance_id;
    LoadBalancers, LoadBalancer, Duration::from_secs(30), alb::load_balancers_with_ids, load_balancer_id;
    ServerGroups, ServerGroup, Duration::from_secs(8), alb::server_groups_with_ids, server_group_id;
    Listeners, Listener, Duration::from_secs(8), alb::listeners_with_ids, listener_id;
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
    const USUAL: Duration = Duration::from_secs(5);

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
    const USUAL: Duration = Duration::from_secs(2);

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
    const USUAL: Duration = Duration::from_mins(1);

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

/// A server in a group: group, instance and port name it.
pub type ServerKey = (CloudId, CloudId, u16);

impl Listing for Servers {
    type Key = ServerKey;
    type Item = BackendServer;
    const USUAL: Duration = Duration::from_secs(8);

    async fn read(
        &self,
        keys: &BTreeSet<ServerKey>,
    ) -> Result<BTreeMap<ServerKey, BackendServer>, CloudError> {
        let mut found = BTreeMap::new();
        for group in keys.iter().map(|(group, _, _)| group).collect::<BTreeSet<_>>() {
            let servers = match alb::servers(&self.client, group).await {
                Err(error) if error.is_absent() => Vec::new(),
                read => read?,
            };
            for server in servers {
                let key = (group.clone(), server.server_id.clone(), server.port);
                found.extend(keys.contains(&key).then_some((key, server)));
            }
        }
        Ok(found)
    }
}

impl Listing for Health {
    type Key = CloudId;
    type Item = Vec<NonNormalServer>;
    const USUAL: Duration = Duration::from_secs(5);

    async fn read(
        &self,
        keys: &BTreeSet<CloudId>,
    ) -> Result<BTreeMap<CloudId, Vec<NonNormalServer>>, CloudError> {
        let mut found = BTreeMap::new();
        for listener in keys {
            found.insert(listener.clone(), alb::unhealthy_servers(&self.client, listener).await?);
        }
        Ok(found)
    }
}
