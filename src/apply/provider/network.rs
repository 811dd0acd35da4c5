//! VPC, vSwitches, security group and rules.

use std::time::Duration;

use super::waits::SETTLE;
use super::{Provider, id_only};
use crate::apply::error::ApplyError;
use crate::base::ids::CloudId;
use crate::cloud::vpc::NewVSwitch;
use crate::cloud::{ecs, vpc};
use crate::plan::Step;
use crate::resource::observed::{Observation, Output, Outputs};
use crate::resource::ownership::console_name;
use crate::resource::spec::{SecurityGroupSpec, SecurityRuleSpec, Source, VSwitchSpec, VpcSpec};
use crate::resource::{Kind, ResourceAddress};

/// How long what an ALB made for itself, and instances, may take to leave a network.
const LEAVE: Duration = Duration::from_mins(10);

impl Provider {
    pub(super) async fn put_vpc(
        &self,
        step: &Step,
        spec: &VpcSpec,
        current: Option<&Observation>,
    ) -> Result<Outputs, ApplyError> {
        let address = &step.address;
        let id = match (&spec.source, current) {
            (Source::Existing(id), _) => return Ok(id_only(id)),
            (Source::Created, Some(current)) => {
                let name = console_name(&self.stack, address);
                let region = self.client.region();
                self.change(address, |_| vpc::rename_vpc(region, &current.id, &name)).await?;
                current.id.clone()
            }
            (Source::Created, None) => {
                let (name, marks) = (console_name(&self.stack, address), self.marks_of(step));
                let cidr = spec.cidr.map(|cidr| cidr.to_string()).unwrap_or_default();
                let region = self.client.region();
                self.create(address, |token| vpc::create_vpc(region, &name, &cidr, &self.tags(&marks), token))
                    .await?
            }
        };
        self.ready(address, &id).await
    }

    pub(super) async fn put_vswitch(&self, step: &Step, spec: &VSwitchSpec) -> Result<Outputs, ApplyError> {
        let address = &step.address;
        if let Source::Existing(id) = &spec.source {
            return Ok(id_only(id));
        }
        let _turn = self.one_vswitch_at_a_time.lock().await;
        let (name, marks) = (console_name(&self.stack, address), self.marks_of(step));
        let cidr = spec.cidr.to_string();
        let vpc_id = self.known.only(Kind::Vpc)?;
        let new =
            NewVSwitch { name: &name, vpc: &vpc_id, zone: &spec.zone, cidr: &cidr, tags: &self.tags(&marks) };
        let region = self.client.region();
        let id = self.create(address, |token| vpc::create_vswitch(region, &new, token)).await?;
        self.ready(address, &id).await
    }

    pub(super) async fn put_security_group(
        &self,
        step: &Step,
        spec: &SecurityGroupSpec,
    ) -> Result<Outputs, ApplyError> {
        let address = &step.address;
        if let Source::Existing(id) = &spec.source {
            return Ok(id_only(id));
        }
        let (name, marks) = (console_name(&self.stack, address), self.marks_of(step));
        let vpc_id = self.known.only(Kind::Vpc)?;
        let region = self.client.region();
        let build = |token: &_| ecs::create_security_group(region, &name, &vpc_id, &self.tags(&marks), token);
        let id = self.create(address, build).await?;
        Ok(id_only(&id))
    }

    /// A rule that lets the right ones in is changed where it is: what it is called, and what others have made of it.
    pub(super) async fn put_security_rule(
        &self,
        address: &ResourceAddress,
        spec: &SecurityRuleSpec,
        current: Option<&Observation>,
    ) -> Result<Outputs, ApplyError> {
        let group = self.known.only(Kind::SecurityGroup)?;
        let text = self.rule_text(address, spec)?;
        let (rule, region) = (text.rule(&group), self.client.region());
        if let Some(there) = current.and_then(rule_in_cloud) {
            self.mark(address, ecs::modify(region, there, &rule)).await?;
        } else {
            let build = |token: &_| ecs::authorize(region, &group, std::slice::from_ref(&rule), token);
            self.change(address, build).await?;
        }
        let id = rule_id(&group, (spec.flow.protocol(), &spec.flow.ports()), &text.source);
        self.ledger.accept(address, &id)?;
        Ok(id_only(&id))
    }

    /// What a rule says, now that the machines it names have addresses.
    pub(super) fn rule_text(
        &self,
        address: &ResourceAddress,
        spec: &SecurityRuleSpec,
    ) -> Result<RuleText, ApplyError> {
        let source = spec.from.source(|machine| self.known.output(machine, Output::PrivateAddress));
        let source = source.ok_or_else(|| ApplyError::Missing {
            address: spec.from.machine().unwrap_or_else(|| address.clone()),
            what: "private address",
        })?;
        Ok(RuleText {
            protocol: spec.flow.protocol().to_owned(),
            ports: spec.flow.port_range(),
            source,
            description: spec.description.clone(),
        })
    }

    pub(super) async fn delete_security_rule(
        &self,
        address: &ResourceAddress,
        current: &Observation,
    ) -> Result<(), ApplyError> {
        if self.is_in_use_again(address, &current.id) {
            return Ok(());
        }
        let field = |name| current.fields.get(name).cloned().unwrap_or_default();
        let (group, region) = (CloudId::new(field("group")), self.client.region());
        if let Some(rule) = rule_in_cloud(current) {
            // Whatever somebody has made of it.
            return self.remove(address, &ecs::revoke_by_ids(region, &group, &[rule]), SETTLE).await;
        }
        let text = RuleText::of_found(current);
        self.remove(address, &ecs::revoke(region, &text.rule(&group)), SETTLE).await
    }

    pub(super) async fn delete_vpc(&self, address: &ResourceAddress, id: &CloudId) -> Result<(), ApplyError> {
        self.remove(address, &vpc::delete_vpc(self.client.region(), id), LEAVE).await?;
        self.gone(&self.poller.vpcs, id, address, SETTLE).await
    }

    pub(super) async fn delete_vswitch(
        &self,
        address: &ResourceAddress,
        id: &CloudId,
    ) -> Result<(), ApplyError> {
        let _turn = self.one_vswitch_at_a_time.lock().await;
        self.remove(address, &vpc::delete_vswitch(self.client.region(), id), LEAVE).await?;
        self.gone(&self.poller.vswitches, id, address, SETTLE).await
    }

    pub(super) async fn delete_security_group(
        &self,
        address: &ResourceAddress,
        id: &CloudId,
    ) -> Result<(), ApplyError> {
        self.remove(address, &ecs::delete_security_group(self.client.region(), id), LEAVE).await
    }
}

/// What the cloud calls a rule; none in journals that did not write it down.
fn rule_in_cloud(current: &Observation) -> Option<&str> {
    current.fields.get("rule").map(String::as_str).filter(|rule| !rule.is_empty())
}

/// What a rule says.
#[derive(Debug)]
pub(super) struct RuleText {
    protocol: String,
    ports: String,
    pub(super) source: String,
    description: String,
}

impl RuleText {
    /// Of a rule that is there.
    pub(super) fn of_found(found: &Observation) -> Self {
        let field = |name| found.fields.get(name).cloned().unwrap_or_default();
        let (protocol, port) = (field("protocol"), field("port"));
        Self {
            // The journal of an earlier version has no word on it.
            protocol: if protocol.is_empty() { "tcp".to_owned() } else { protocol },
            ports: if port.contains('/') { port } else { format!("{port}/{port}") },
            source: field("from"),
            description: String::new(),
        }
    }

    /// The same as a call takes it.
    pub(super) fn rule<'t>(&'t self, group: &'t CloudId) -> ecs::Rule<'t> {
        ecs::Rule {
            group,
            protocol: &self.protocol,
            ports: &self.ports,
            source: &self.source,
            description: &self.description,
        }
    }
}

/// A rule has no id of its own here: group, protocol unless it is TCP, port and source name it.
pub(crate) fn rule_id(group: &CloudId, (protocol, port): (&str, &str), source: &str) -> CloudId {
    // The cloud may show a single address without its prefix.
    let prefix = if source.is_empty() || source.contains('/') { "" } else { "/32" };
    let protocol = if protocol == "tcp" { String::new() } else { format!("{protocol}:") };
    CloudId::new(format!("{group}:{protocol}{port}:{source}{prefix}"))
}
