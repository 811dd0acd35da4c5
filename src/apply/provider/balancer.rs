//! Load balancer, server group, its servers and the listener.

use std::time::Duration;

use super::waits::{CONFIGURE, Goal, judge_state};
use super::{Provider, id_only};
use crate::apply::error::ApplyError;
use crate::base::ids::CloudId;
use crate::cloud::alb::{self, HealthCheck, ListenerSettings, NewLoadBalancer, NewServerGroup};
use crate::cloud::codes;
use crate::cloud::error::CloudError;
use crate::cloud::wait::{Look, UNSEEN};
use crate::plan::Step;
use crate::plan::action::Action;
use crate::resource::observed::{Observation, Output, Outputs, Owner};
use crate::resource::ownership::console_name;
use crate::resource::settings::{
    HEALTH_INTERVAL, HEALTH_THRESHOLD, HEALTH_TIMEOUT, STICKY_SECONDS, TLS_POLICY, WEIGHT,
};
use crate::resource::spec::{
    ListenerCertificate, ListenerSpec, LoadBalancerSpec, ServerGroupSpec, ServerSpec, Source,
};
use crate::resource::{Kind, ResourceAddress};

/// How long a load balancer may take; the real ones take one to two minutes.
const PROVISION: Duration = Duration::from_mins(10);
/// How long servers may take to be found healthy: interval times threshold, and some.
const HEALTHY: Duration = Duration::from_mins(1);

impl Provider {
    pub(super) async fn put_load_balancer(
        &self,
        step: &Step,
        spec: &LoadBalancerSpec,
        current: Option<&Observation>,
    ) -> Result<Outputs, ApplyError> {
        let address = &step.address;
        let id = match (&spec.source, current) {
            (Source::Existing(id), _) => id.clone(),
            (Source::Created, Some(current)) => {
                let name = console_name(&self.stack, address);
                self.change(address, |token| alb::rename_load_balancer(&current.id, &name, token)).await?;
                current.id.clone()
            }
            (Source::Created, None) => self.create_load_balancer(step, spec).await?,
        };
        self.load_balancer_active(address, &id).await
    }

    async fn create_load_balancer(
        &self,
        step: &Step,
        spec: &LoadBalancerSpec,
    ) -> Result<CloudId, ApplyError> {
        let address = &step.address;
        let (name, marks) = (console_name(&self.stack, address), self.marks_of(step));
        let vpc = self.known.only(Kind::Vpc)?;
        let zone = |(zone, vswitch): &(String, ResourceAddress)| Ok((zone.clone(), self.known.id(vswitch)?));
        let zones = spec.zones.iter().map(zone).collect::<Result<Vec<_>, ApplyError>>()?;
        let new = NewLoadBalancer {
            name: &name,
            vpc: &vpc,
            address_type: spec.address_type,
            edition: spec.edition,
            zones: &zones,
            tags: &self.tags(&marks),
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
        let goal = Goal { address, condition: "Active", deadline: PROVISION };
        let judge =
            |found: Option<&alb::LoadBalancer>| judge_state(found, goal.condition, load_balancer_outputs);
        self.until_stopped(goal, self.until(&self.poller.load_balancers, id, goal, judge)).await
    }

    pub(super) async fn delete_load_balancer(
        &self,
        address: &ResourceAddress,
        id: &CloudId,
    ) -> Result<(), ApplyError> {
        self.remove(address, &alb::delete_load_balancer(id), PROVISION).await?;
        self.gone(&self.poller.load_balancers, id, address, PROVISION).await?;
        self.interfaces_gone(address, id).await
    }

    /// What a load balancer made for itself in its VPC, be it a deposed one, goes a little after it.
    async fn interfaces_gone(&self, address: &ResourceAddress, id: &CloudId) -> Result<(), ApplyError> {
        let condition = "the removal of its network interfaces";
        let goal = Goal { address, condition, deadline: PROVISION };
        let judge =
            |left: Option<&usize>| left.map_or(Look::Done(()), |left| Look::NotYet(format!("{left} left")));
        for vpc in self.known.all(Kind::Vpc) {
            let key = (self.known.id(&vpc)?, id.clone());
            self.until_stopped(goal, self.until(&self.poller.interfaces, &key, goal, judge)).await?;
        }
        Ok(())
    }

    pub(super) async fn put_server_group(
        &self,
        step: &Step,
        spec: &ServerGroupSpec,
        current: Option<&Observation>,
    ) -> Result<Outputs, ApplyError> {
        let address = &step.address;
        let health = HealthCheck {
            path: &spec.health_path,
            interval: HEALTH_INTERVAL,
            timeout: HEALTH_TIMEOUT,
            threshold: HEALTH_THRESHOLD,
            sticky_seconds: STICKY_SECONDS,
        };
        let id = if let Some(current) = current {
            let name = Some(console_name(&self.stack, address)).filter(|_| current.owner != Owner::Adopted);
            let build = |token: &_| alb::update_server_group(&current.id, name.as_deref(), health, token);
            self.change(address, build).await?;
            current.id.clone()
        } else {
            let (name, marks) = (console_name(&self.stack, address), self.marks_of(step));
            let vpc = self.known.only(Kind::Vpc)?;
            let new = NewServerGroup { name: &name, vpc: &vpc, health, tags: &self.tags(&marks) };
            let region = self.client.region();
            self.create(address, |token| alb::create_server_group(region, &new, token)).await?
        };
        self.ready(address, &id).await
    }

    pub(super) async fn delete_server_group(
        &self,
        address: &ResourceAddress,
        id: &CloudId,
    ) -> Result<(), ApplyError> {
        self.remove(address, &alb::delete_server_group(id), CONFIGURE).await
    }

    pub(super) async fn put_server(
        &self,
        address: &ResourceAddress,
        spec: &ServerSpec,
        current: Option<&Observation>,
    ) -> Result<Outputs, ApplyError> {
        let turn = self.one_server_at_a_time.lock().await;
        let group = self.known.only(Kind::ServerGroup)?;
        let instance = self.known.id(&ResourceAddress::new(Kind::Instance, &spec.instance))?;
        let build = |token: &_| match current {
            Some(_) => alb::weigh_server(&group, &instance, spec.port, WEIGHT, token),
            None => alb::add_server(&group, &instance, spec.port, token),
        };
        match self.change(address, build).await {
            Ok(()) => {}
            // It is in the group already: a reply that was lost, or a list that lagged.
            Err(ApplyError::Cloud(error)) if codes::SERVER_IS_MEMBER.have(error.code()) => {}
            Err(error) => return Err(error),
        }
        let id = server_id(&group, &instance, spec.port);
        self.ledger.accept(address, &id)?;
        self.group_settled(address, &group).await?;
        drop(turn);
        self.server_healthy(address, |one| one.is(&instance, spec.port)).await?;
        Ok(id_only(&id))
    }

    /// Waits until a server gets traffic, so that the one it takes the place of, or the next to be restarted, can go. A
    /// listener that is not there yet waits for its servers itself.
    pub(super) async fn server_healthy(
        &self,
        address: &ResourceAddress,
        is_meant: impl Fn(&alb::NonNormalServer) -> bool,
    ) -> Result<(), ApplyError> {
        let listener = ResourceAddress::only(Kind::Listener);
        match self.known.output(&listener, Output::Id).map(CloudId::new) {
            // One that goes meanwhile has a successor, which waits for its servers.
            Some(listener) => self.healthy(address, &listener, Look::Done(()), is_meant).await,
            None => Ok(()),
        }
    }

    pub(super) async fn delete_server(
        &self,
        address: &ResourceAddress,
        current: &Observation,
    ) -> Result<(), ApplyError> {
        let _turn = self.one_server_at_a_time.lock().await;
        if self.is_in_use_again(address, &current.id) {
            return Ok(());
        }
        let field = |name| current.fields.get(name).cloned().unwrap_or_default();
        let missing = || ApplyError::Missing { address: address.clone(), what: "port" };
        let port = field("port").parse().map_err(|_| missing())?;
        let (group, instance) = (CloudId::new(field("group")), CloudId::new(field("instance")));
        let kind = current.fields.get("server_type").map_or(alb::INSTANCE, String::as_str);
        self.remove(address, &alb::remove_server(&group, kind, &instance, port), CONFIGURE).await?;
        self.group_settled(address, &group).await
    }

    /// After a change of its servers a group takes no other one for a moment. It does again when they have come or gone.
    pub(super) async fn group_settled(
        &self,
        address: &ResourceAddress,
        group: &CloudId,
    ) -> Result<(), ApplyError> {
        let goal = Goal { address, condition: "its group to be Available", deadline: CONFIGURE };
        let judge = |found: Option<&alb::ServerGroup>| judge_state(found, "Available", |_| ());
        Ok(self.until(&self.poller.server_groups, group, goal, judge).await?)
    }

    pub(super) async fn put_listener(
        &self,
        address: &ResourceAddress,
        spec: &ListenerSpec,
        (current, action): (Option<&Observation>, &Action),
    ) -> Result<Outputs, ApplyError> {
        let group = self.known.only(Kind::ServerGroup)?;
        let description = console_name(&self.stack, address);
        let certificate = self.certificate_of(spec)?;
        let settings = ListenerSettings {
            server_group: &group,
            idle_timeout: spec.idle_timeout,
            request_timeout: spec.request_timeout,
            secure: certificate.as_deref().map(|certificate| (certificate, TLS_POLICY)),
            description: &description,
        };
        let id = if let Some(current) = current {
            self.update_listener(address, (current, action), &settings).await?;
            current.id.clone()
        } else {
            let marks = self.marks(address);
            let (balancer, on) = (self.known.only(Kind::LoadBalancer)?, (spec.protocol, spec.port));
            let build = |token: &_| alb::create_listener(&balancer, on, &settings, &self.tags(&marks), token);
            self.create(address, build).await?
        };
        self.ready(address, &id).await?;
        self.healthy(address, &id, Look::Absent, |_| true).await?;
        Ok(id_only(&id))
    }

    /// What ALB calls the certificate of a listener: as the service has said it, or as the topology does.
    fn certificate_of(&self, spec: &ListenerSpec) -> Result<Option<String>, ApplyError> {
        let own = || {
            let address = ResourceAddress::only(Kind::Certificate);
            let known = self.known.output(&address, Output::CertificateId);
            known.ok_or(ApplyError::Missing { address, what: "identifier" })
        };
        let of = |certificate: &ListenerCertificate| match certificate {
            ListenerCertificate::Named(id) => Ok(id.clone()),
            ListenerCertificate::Own => own(),
        };
        spec.certificate.as_ref().map(of).transpose()
    }

    /// One that somebody has stopped is started again.
    async fn update_listener(
        &self,
        address: &ResourceAddress,
        (current, action): (&Observation, &Action),
        settings: &ListenerSettings<'_>,
    ) -> Result<(), ApplyError> {
        if action.changes_beside("status") {
            self.change(address, |token| alb::update_listener(&current.id, settings, token)).await?;
        }
        if action.changes_field("status") {
            self.change(address, |token| alb::start_listener(&current.id, token)).await?;
        }
        Ok(())
    }

    /// Waits until the servers that are meant get traffic. An empty list of servers without traffic means that all
    /// have some; what to think of a listener that is not there is said by who asks.
    async fn healthy(
        &self,
        address: &ResourceAddress,
        id: &CloudId,
        absent: Look<()>,
        is_meant: impl Fn(&alb::NonNormalServer) -> bool,
    ) -> Result<(), ApplyError> {
        let goal = Goal { address, condition: "healthy servers", deadline: HEALTHY };
        let judge = |found: Option<&Vec<alb::NonNormalServer>>| {
            let Some(servers) = found else { return absent.clone() };
            let words = servers
                .iter()
                .filter(|one| is_meant(one))
                .map(|one| format!("{} ({} {})", one.server_id, one.status, one.reason.reason_code))
                .collect::<Vec<String>>();
            if words.is_empty() { Look::Done(()) } else { Look::NotYet(words.join(", ")) }
        };
        match self.until(&self.poller.health, id, goal, judge).await {
            Ok(()) => Ok(()),
            Err(CloudError::TimedOut { last, .. }) if last != UNSEEN => {
                Err(ApplyError::Unhealthy { servers: last })
            }
            Err(error) => Err(error.into()),
        }
    }

    pub(super) async fn delete_listener(
        &self,
        address: &ResourceAddress,
        id: &CloudId,
    ) -> Result<(), ApplyError> {
        self.remove(address, &alb::delete_listener(id), CONFIGURE).await?;
        self.gone(&self.poller.listeners, id, address, CONFIGURE).await
    }
}

/// A membership has no id of its own: group, server and port name it.
pub(crate) fn server_id(group: &CloudId, instance: &CloudId, port: u16) -> CloudId {
    CloudId::new(format!("{group}:{instance}:{port}"))
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
