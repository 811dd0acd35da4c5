//! Load balancer, server group, its servers and the listener.

use std::time::Duration;

use super::{Provider, id_only};
use crate::apply::error::ApplyError;
use crate::base::ids::CloudId;
use crate::cloud::alb::{self, HealthCheck, ListenerSettings, NewLoadBalancer, NewServerGroup};
use crate::cloud::ecs;
use crate::cloud::error::CloudError;
use crate::cloud::wait::{Condition, Look, until, until_gone, until_status};
use crate::resource::observed::{Observation, Output, Outputs};
use crate::resource::ownership::console_name;
use crate::resource::spec::{ListenerSpec, LoadBalancerSpec, ServerGroupSpec, ServerSpec, Source};
use crate::resource::{Kind, ResourceAddress};

/// How long a load balancer may take; the real ones take one to two minutes.
const PROVISION: Duration = Duration::from_mins(10);
/// How long a group or listener may take.
const CONFIGURE: Duration = Duration::from_mins(3);
/// How long servers may take to be found healthy: interval times threshold, and some.
const HEALTHY: Duration = Duration::from_mins(1);

impl Provider {
    pub(super) async fn put_load_balancer(
        &self,
        address: &ResourceAddress,
        spec: &LoadBalancerSpec,
    ) -> Result<Outputs, ApplyError> {
        let id = match &spec.source {
            Source::Existing(id) => id.clone(),
            Source::Created => self.create_load_balancer(address, spec).await?,
        };
        self.load_balancer_active(address, &id).await
    }

    async fn create_load_balancer(
        &self,
        address: &ResourceAddress,
        spec: &LoadBalancerSpec,
    ) -> Result<CloudId, ApplyError> {
        let (name, resource) = (console_name(&self.stack, address), address.to_string());
        let vpc = self.known.only(Kind::Vpc)?;
        let zone = |(zone, vswitch): &(String, ResourceAddress)| Ok((zone.clone(), self.known.id(vswitch)?));
        let zones = spec.zones.iter().map(zone).collect::<Result<Vec<_>, ApplyError>>()?;
        let new = NewLoadBalancer {
            name: &name,
            vpc: &vpc,
            address_type: spec.address_type,
            edition: spec.edition,
            zones: &zones,
            tags: &self.tags(&resource),
        };
        let region = self.client.region();
        self.create(address, |token| alb::create_load_balancer(region, &new, token)).await
    }

    /// Waits until a load balancer takes listeners, and learns its name.
    pub(crate) async fn load_balancer_active(
        &self,
        address: &ResourceAddress,
        id: &CloudId,
    ) -> Result<Outputs, ApplyError> {
        let subject = address.to_string();
        let condition = Condition { subject: &subject, name: "active", deadline: PROVISION };
        let look = || async {
            Ok(match alb::load_balancer(&self.client, id).await? {
                Some(found) if found.load_balancer_status == "Active" => Look::Done(found),
                Some(found) if found.load_balancer_status == "CreateFailed" => {
                    Look::Never(found.load_balancer_status)
                }
                Some(found) => Look::NotYet(found.load_balancer_status),
                None => Look::Absent,
            })
        };
        Ok(load_balancer_outputs(&until(condition, look).await?))
    }

    pub(super) async fn delete_load_balancer(
        &self,
        address: &ResourceAddress,
        id: &CloudId,
    ) -> Result<(), ApplyError> {
        self.client.delete(&alb::delete_load_balancer(id), PROVISION).await?;
        let status = async || {
            let found = alb::load_balancer(&self.client, id).await?;
            Ok(found.map(|found| found.load_balancer_status))
        };
        until_gone(&address.to_string(), PROVISION, status).await?;
        self.interfaces_gone(id).await
    }

    /// What a load balancer made for itself in the VPC goes a little after it.
    async fn interfaces_gone(&self, id: &CloudId) -> Result<(), ApplyError> {
        let Ok(vpc) = self.known.only(Kind::Vpc) else { return Ok(()) };
        let condition = Condition { subject: "the VPC", name: "free of its interfaces", deadline: PROVISION };
        let look = || async {
            let interfaces = ecs::network_interfaces(&self.client, &vpc).await?;
            let of_it = interfaces.iter().filter(|one| one.description.contains(id.as_str())).count();
            Ok(if of_it == 0 { Look::Done(()) } else { Look::NotYet(format!("holding {of_it} of them")) })
        };
        Ok(until(condition, look).await?)
    }

    pub(super) async fn put_server_group(
        &self,
        address: &ResourceAddress,
        spec: &ServerGroupSpec,
        current: Option<&Observation>,
    ) -> Result<Outputs, ApplyError> {
        let health = HealthCheck { path: spec.health_path, interval: Duration::from_secs(1), threshold: 2 };
        let id = if let Some(current) = current {
            self.change(address, |token| alb::update_server_group(&current.id, health, token)).await?;
            current.id.clone()
        } else {
            let (name, resource) = (console_name(&self.stack, address), address.to_string());
            let vpc = self.known.only(Kind::Vpc)?;
            let new = NewServerGroup { name: &name, vpc: &vpc, health, tags: &self.tags(&resource) };
            let region = self.client.region();
            self.create(address, |token| alb::create_server_group(region, &new, token)).await?
        };
        self.server_group_available(address, &id).await?;
        Ok(id_only(&id))
    }

    pub(crate) async fn server_group_available(
        &self,
        address: &ResourceAddress,
        id: &CloudId,
    ) -> Result<(), ApplyError> {
        let subject = address.to_string();
        let condition = Condition { subject: &subject, name: "available", deadline: CONFIGURE };
        let status = async || {
            let found = alb::server_group(&self.client, id).await?;
            Ok(found.map(|found| found.server_group_status))
        };
        Ok(until_status(condition, "Available", status).await?)
    }

    pub(super) async fn delete_server_group(&self, id: &CloudId) -> Result<(), ApplyError> {
        Ok(self.client.delete(&alb::delete_server_group(id), CONFIGURE).await?)
    }

    pub(super) async fn put_server(
        &self,
        address: &ResourceAddress,
        spec: &ServerSpec,
    ) -> Result<Outputs, ApplyError> {
        let _turn = self.one_server_at_a_time.lock().await;
        let group = self.known.only(Kind::ServerGroup)?;
        let instance = self.known.id(&ResourceAddress::new(Kind::Instance, &spec.instance))?;
        match self.change(address, |token| alb::add_server(&group, &instance, spec.port, token)).await {
            Ok(()) => {}
            // It is in the group already: a reply that was lost, or a list that lagged.
            Err(ApplyError::Cloud(error)) if is_member_already(error.code()) => {}
            Err(error) => return Err(error),
        }
        let id = server_id(&instance, spec.port);
        self.ledger.accept(address, &id)?;
        let subject = address.to_string();
        let condition = Condition { subject: &subject, name: "available", deadline: CONFIGURE };
        let status = async || self.server_status(&group, &instance, spec.port).await;
        until_status(condition, "Available", status).await?;
        self.server_group_available(&ResourceAddress::only(Kind::ServerGroup), &group).await?;
        Ok(id_only(&id))
    }

    pub(super) async fn delete_server(
        &self,
        address: &ResourceAddress,
        current: &Observation,
    ) -> Result<(), ApplyError> {
        let _turn = self.one_server_at_a_time.lock().await;
        let field = |name| current.fields.get(name).cloned().unwrap_or_default();
        let missing = || ApplyError::Missing { address: address.clone(), what: "port" };
        let port = field("port").parse().map_err(|_| missing())?;
        let (group, instance) = (CloudId::new(field("group")), CloudId::new(field("instance")));
        self.client.delete(&alb::remove_server(&group, &instance, port), CONFIGURE).await?;
        let status = async || self.server_status(&group, &instance, port).await;
        until_gone(&address.to_string(), CONFIGURE, status).await?;
        self.server_group_available(&ResourceAddress::only(Kind::ServerGroup), &group).await
    }

    async fn server_status(
        &self,
        group: &CloudId,
        instance: &CloudId,
        port: u16,
    ) -> Result<Option<String>, CloudError> {
        let servers = alb::servers(&self.client, group).await?;
        let found = servers.into_iter().find(|one| one.server_id == *instance && one.port == port);
        Ok(found.map(|server| server.status))
    }

    async fn listener_status(&self, id: &CloudId) -> Result<Option<String>, CloudError> {
        Ok(alb::listener(&self.client, id).await?.map(|found| found.listener_status))
    }

    pub(super) async fn put_listener(
        &self,
        address: &ResourceAddress,
        spec: &ListenerSpec,
        current: Option<&Observation>,
    ) -> Result<Outputs, ApplyError> {
        let group = self.known.only(Kind::ServerGroup)?;
        let description = console_name(&self.stack, address);
        let settings = ListenerSettings {
            server_group: &group,
            idle_timeout: spec.idle_timeout,
            request_timeout: spec.request_timeout,
            certificate: spec.certificate.as_deref(),
            description: &description,
        };
        let id = if let Some(current) = current {
            self.change(address, |token| alb::update_listener(&current.id, &settings, token)).await?;
            current.id.clone()
        } else {
            let resource = address.to_string();
            let (balancer, on) = (self.known.only(Kind::LoadBalancer)?, (spec.protocol, spec.port));
            let build =
                |token: &_| alb::create_listener(&balancer, on, &settings, &self.tags(&resource), token);
            self.create(address, build).await?
        };
        self.listener_running(address, &id).await?;
        self.servers_healthy(address, &id).await?;
        Ok(id_only(&id))
    }

    pub(crate) async fn listener_running(
        &self,
        address: &ResourceAddress,
        id: &CloudId,
    ) -> Result<(), ApplyError> {
        let subject = address.to_string();
        let condition = Condition { subject: &subject, name: "running", deadline: CONFIGURE };
        Ok(until_status(condition, "Running", async || self.listener_status(id).await).await?)
    }

    /// An empty list of servers without traffic means that all have some.
    async fn servers_healthy(&self, address: &ResourceAddress, id: &CloudId) -> Result<(), ApplyError> {
        self.note(address, "waiting until the load balancer finds its servers healthy");
        let condition = Condition { subject: "the server group", name: "healthy", deadline: HEALTHY };
        let look = || async {
            let servers = alb::unhealthy_servers(&self.client, id).await?;
            let words = servers
                .iter()
                .map(|one| format!("{} ({} {})", one.server_id, one.status, one.reason.reason_code));
            let words: Vec<String> = words.collect();
            Ok(if words.is_empty() { Look::Done(()) } else { Look::NotYet(words.join(", ")) })
        };
        match until(condition, look).await {
            Ok(()) => Ok(()),
            Err(CloudError::TimedOut { last, .. }) => Err(ApplyError::Unhealthy { servers: last }),
            Err(error) => Err(error.into()),
        }
    }

    pub(super) async fn delete_listener(
        &self,
        address: &ResourceAddress,
        id: &CloudId,
    ) -> Result<(), ApplyError> {
        self.client.delete(&alb::delete_listener(id), CONFIGURE).await?;
        let status = async || self.listener_status(id).await;
        Ok(until_gone(&address.to_string(), CONFIGURE, status).await?)
    }
}

fn is_member_already(code: Option<&str>) -> bool {
    matches!(code, Some("Conflict.BackendServer" | "ResourceAlreadyExist.BackendServer"))
}

/// A membership has no id of its own: server and port name it.
pub(crate) fn server_id(instance: &CloudId, port: u16) -> CloudId {
    CloudId::new(format!("{instance}:{port}"))
}

/// What others need to know of a load balancer.
pub(crate) fn load_balancer_outputs(found: &alb::LoadBalancer) -> Outputs {
    let mut outputs = id_only(&found.load_balancer_id);
    outputs.insert(Output::DnsName, found.dns_name.clone());
    let mut addresses = found.zone_mappings.iter().flat_map(|zone| &zone.load_balancer_addresses);
    if let Some(first) = addresses.find(|one| !one.address.is_empty()) {
        outputs.insert(Output::PublicAddress, first.address.clone());
    }
    outputs
}
