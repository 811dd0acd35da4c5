//! Several resources of one kind by one call.
//!
//! The call is journalled with each of them before it is sent, and what became of it with each right after. The cloud does
//! all of such a call or nothing. What it refuses for good is done one by one: so one that cannot be done keeps no other
//! from it, and the error is about that one.

use futures_util::future::try_join_all;
use serde_json::Value;

use super::balancer::server_id;
use super::network::{RuleText, rule_id};
use super::waits::{BOOT, CONFIGURE, SETTLE};
use super::{Provider, id_only};
use crate::apply::error::ApplyError;
use crate::base::ids::{ClientToken, CloudId};
use crate::cloud::call::Call;
use crate::cloud::{alb, ecs};
use crate::plan::Step;
use crate::plan::rollout::Traffic;
use crate::resource::observed::{Observation, Outputs};
use crate::resource::spec::{SecurityRuleSpec, ServerSpec, Spec};
use crate::resource::{Kind, ResourceAddress};

/// What became of several: the first ones are done, the next one failed if any did, and the others were not begun.
#[derive(Debug)]
pub struct Together {
    /// The ids of those that are done, as far as what is done leaves one.
    pub done: Vec<Option<CloudId>>,
    /// Why the next one failed.
    pub failed: Option<ApplyError>,
}

/// Something that is there and is to go.
pub type Going<'a> = (&'a ResourceAddress, &'a Observation);

impl Provider {
    /// Makes several of one kind, none of which is there.
    ///
    /// # Guarantees
    /// As [`Provider::put`], for each of them.
    pub async fn put_together(&self, steps: &[&Step]) -> Together {
        match self.put_by_one_call(steps).await {
            Ok(ids) => Together { done: ids.into_iter().map(Some).collect(), failed: None },
            Err(error) if is_refusal(&error) => {
                one_by_one(steps, async |step| self.put(step, Traffic::Stays).await.map(Some)).await
            }
            Err(error) => Together { done: Vec::new(), failed: Some(error) },
        }
    }

    /// Removes several of one kind and waits until they are gone.
    ///
    /// # Guarantees
    /// As [`Provider::delete`], for each of them.
    pub async fn delete_together(&self, going: &[Going<'_>]) -> Together {
        match self.delete_by_one_call(going).await {
            Ok(()) => Together { done: vec![None; going.len()], failed: None },
            Err(error) if is_refusal(&error) => {
                one_by_one(going, async |(address, current)| {
                    self.delete(address, current).await.map(|()| None)
                })
                .await
            }
            Err(error) => Together { done: Vec::new(), failed: Some(error) },
        }
    }

    async fn put_by_one_call(&self, steps: &[&Step]) -> Result<Vec<CloudId>, ApplyError> {
        let addresses: Vec<ResourceAddress> = steps.iter().map(|step| step.address.clone()).collect();
        // What the journal knew is not there any more: the next one is another generation, with tokens of its own.
        let gone: Vec<_> =
            addresses.iter().filter(|address| self.ledger.id(address).is_some()).cloned().collect();
        self.ledger.remove_all(gone)?;
        let mut rules: Vec<&SecurityRuleSpec> = Vec::new();
        let mut servers: Vec<&ServerSpec> = Vec::new();
        for step in steps {
            match &step.spec {
                Some(Spec::SecurityRule(spec)) => rules.push(spec),
                Some(Spec::Server(spec)) => servers.push(spec),
                _ => return Err(missing(&step.address, "call for several of its kind")),
            }
        }
        let ids = if servers.is_empty() {
            self.authorize_together(&addresses, &rules).await?
        } else {
            self.join_together(&addresses, &servers).await?
        };
        let mut ready = Vec::new();
        for (step, id) in steps.iter().zip(&ids) {
            let Some(spec) = &step.spec else { continue };
            self.known.learn(&step.address, id_only(id));
            let outputs: Outputs = id_only(id);
            ready.push((step.address.clone(), outputs, self.written(step, spec)));
        }
        self.ledger.ready_all(&ready)?;
        Ok(ids)
    }

    async fn authorize_together(
        &self,
        addresses: &[ResourceAddress],
        specs: &[&SecurityRuleSpec],
    ) -> Result<Vec<CloudId>, ApplyError> {
        let group = self.known.only(Kind::SecurityGroup)?;
        let texts = addresses.iter().zip(specs).map(|(address, spec)| self.rule_text(address, spec));
        let texts = texts.collect::<Result<Vec<RuleText>, ApplyError>>()?;
        let rules: Vec<ecs::Rule<'_>> = texts.iter().map(|text| text.rule(&group)).collect();
        let region = self.client.region();
        self.send_together(addresses, |token| ecs::authorize(region, &group, &rules, token)).await?;
        let ids = specs
            .iter()
            .zip(&texts)
            .map(|(spec, text)| rule_id(&group, (spec.flow.protocol(), &spec.flow.ports()), &text.source));
        let ids: Vec<CloudId> = ids.collect();
        self.ledger.accept_all(addresses.iter().zip(&ids))?;
        Ok(ids)
    }

    async fn join_together(
        &self,
        addresses: &[ResourceAddress],
        specs: &[&ServerSpec],
    ) -> Result<Vec<CloudId>, ApplyError> {
        let turn = self.one_server_at_a_time.lock().await;
        let group = self.known.only(Kind::ServerGroup)?;
        let machines = specs
            .iter()
            .map(|spec| self.known.id(&ResourceAddress::new(Kind::Instance, &spec.instance)))
            .collect::<Result<Vec<CloudId>, ApplyError>>()?;
        let servers: Vec<(&CloudId, u16)> =
            machines.iter().zip(specs).map(|(machine, spec)| (machine, spec.port)).collect();
        self.send_together(addresses, |token| alb::add_servers(&group, &servers, token)).await?;
        let ids: Vec<CloudId> =
            servers.iter().map(|(machine, port)| server_id(&group, machine, *port)).collect();
        self.ledger.accept_all(addresses.iter().zip(&ids))?;
        self.group_settled(&addresses[0], &group).await?;
        drop(turn);
        let is_meant =
            |one: &alb::NonNormalServer| servers.iter().any(|(machine, port)| one.is(machine, *port));
        self.server_healthy(&addresses[0], is_meant).await?;
        Ok(ids)
    }

    /// Journals a call for several, and sends it.
    async fn send_together(
        &self,
        addresses: &[ResourceAddress],
        build: impl FnOnce(&ClientToken) -> Call,
    ) -> Result<Value, ApplyError> {
        let call = self.ledger.intend_together(addresses, build).await?;
        match self.client.call_telling::<Value>(&call, &self.notice(&addresses[0])).await {
            Ok(reply) => Ok(reply),
            Err(error) => {
                // Whatever is there already is found out one by one.
                if error.is_final_refusal() {
                    self.ledger.refuse_all(addresses)?;
                }
                Err(error.into())
            }
        }
    }

    async fn delete_by_one_call(&self, going: &[Going<'_>]) -> Result<(), ApplyError> {
        let addresses: Vec<ResourceAddress> = going.iter().map(|(address, _)| (*address).clone()).collect();
        match addresses[0].kind {
            Kind::Instance => self.release_together(&addresses, going).await?,
            Kind::Server => self.leave_together(&addresses, going).await?,
            Kind::SecurityRule => self.revoke_together(&addresses, going).await?,
            Kind::Vpc
            | Kind::VSwitch
            | Kind::SecurityGroup
            | Kind::KeyPair
            | Kind::HostKey
            | Kind::Redis
            | Kind::RedisInstance
            | Kind::RedisAccount
            | Kind::LoadBalancer
            | Kind::ServerGroup
            | Kind::Release
            | Kind::Certificate
            | Kind::Listener
            | Kind::ListenerRule
            | Kind::Record => return Err(missing(&addresses[0], "call for several of its kind")),
        }
        for address in &addresses {
            self.known.forget(&self.known.place_of(address));
        }
        self.ledger.remove_all(addresses.iter().flat_map(ResourceAddress::with_what_it_takes))?;
        Ok(())
    }

    async fn release_together(
        &self,
        addresses: &[ResourceAddress],
        going: &[Going<'_>],
    ) -> Result<(), ApplyError> {
        let ids: Vec<&CloudId> = going.iter().map(|(_, current)| &current.id).collect();
        self.remove_together(addresses, &ecs::delete_instances(self.client.region(), &ids), BOOT).await?;
        let gone = going
            .iter()
            .map(|(address, current)| self.gone(&self.poller.instances, &current.id, address, BOOT));
        try_join_all(gone).await.map(drop)
    }

    async fn leave_together(
        &self,
        addresses: &[ResourceAddress],
        going: &[Going<'_>],
    ) -> Result<(), ApplyError> {
        let _turn = self.one_server_at_a_time.lock().await;
        let field = |current: &Observation, name: &str| current.fields.get(name).cloned().unwrap_or_default();
        let mut servers = Vec::new();
        for (address, current) in going {
            let port: u16 = field(current, "port").parse().map_err(|_| missing(address, "port"))?;
            servers.push((CloudId::new(field(current, "instance")), port));
        }
        let servers: Vec<(&CloudId, u16)> = servers.iter().map(|(id, port)| (id, *port)).collect();
        let group = CloudId::new(field(going[0].1, "group"));
        let kind = going[0].1.fields.get("server_type").map_or(alb::INSTANCE, String::as_str);
        self.remove_together(addresses, &alb::remove_servers(&group, kind, &servers), CONFIGURE).await?;
        self.group_settled(&addresses[0], &group).await
    }

    async fn revoke_together(
        &self,
        addresses: &[ResourceAddress],
        going: &[Going<'_>],
    ) -> Result<(), ApplyError> {
        let field = |current: &Observation, name: &str| current.fields.get(name).cloned().unwrap_or_default();
        let (group, region) = (CloudId::new(field(going[0].1, "group")), self.client.region());
        let ids: Vec<String> = going.iter().map(|(_, current)| field(current, "rule")).collect();
        let call = if ids.iter().any(String::is_empty) {
            let texts: Vec<RuleText> = going.iter().map(|(_, current)| RuleText::of_found(current)).collect();
            let rules: Vec<ecs::Rule<'_>> = texts.iter().map(|text| text.rule(&group)).collect();
            ecs::revoke_all(region, &group, &rules)
        } else {
            // Whatever somebody has made of them.
            ecs::revoke_by_ids(region, &group, &ids.iter().map(String::as_str).collect::<Vec<_>>())
        };
        self.remove_together(addresses, &call, SETTLE).await
    }
}

fn missing(address: &ResourceAddress, what: &'static str) -> ApplyError {
    ApplyError::Missing { address: address.clone(), what }
}

/// Whether the cloud has refused something for good, be it the call for several.
fn is_refusal(error: &ApplyError) -> bool {
    matches!(error, ApplyError::Cloud(error) if error.is_final_refusal())
}

/// Each in its turn, as long as none fails.
async fn one_by_one<T: Copy>(
    all: &[T],
    work: impl AsyncFn(T) -> Result<Option<CloudId>, ApplyError>,
) -> Together {
    let mut done = Vec::new();
    for one in all {
        match Box::pin(work(*one)).await {
            Ok(id) => done.push(id),
            Err(error) => return Together { done, failed: Some(error) },
        }
    }
    Together { done, failed: None }
}
