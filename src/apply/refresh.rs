//! Reads what there is of a stack: from the cloud by tag and remark, from the hosts over SSH.
//!
//! 1. The lists of all kinds are asked for at once; each resource says by its tags which one it is.
//! 2. What the journal knows and no list shows is asked for by id for a short while: lists lag behind writes.
//! 3. Hosts that run and whose key is pinned are read over verified SSH, all at once. One that cannot be reached makes
//!    its resources unknown, never an error.
//!
//! Nothing is changed, in the cloud or on the hosts.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::join_all;

use crate::apply::error::ApplyError;
use crate::apply::hosts::Patience;
use crate::apply::provider::balancer::{load_balancer_outputs, server_id};
use crate::apply::provider::host::{node_settings, redis_settings};
use crate::apply::provider::machine::instance_outputs;
use crate::apply::provider::name::is_wanted;
use crate::apply::provider::network::rule_id;
use crate::apply::provider::{Known, Provider};
use crate::base::ids::CloudId;
use crate::base::retry::{Backoff, Deadline};
use crate::cloud::vpc::Selection;
use crate::cloud::{Tag, alb, dns, ecs, tag_value, vpc};
use crate::deploy::{node, redis};
use crate::plan::desired::{Desired, Resource};
use crate::resource::observed::{Observation, Observed, Output};
use crate::resource::ownership::{HOST_KEY_TAG, RESOURCE_TAG, STACK_TAG, remarked};
use crate::resource::phase::Phase;
use crate::resource::spec::{HostSpec, RecordSpec, Spec};
use crate::resource::{Kind, ResourceAddress};
use crate::state::Memory;

/// How long a list may lag behind what the journal knows for sure.
const LAG: Duration = Duration::from_secs(10);

/// Whether hosts are read too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// The cloud alone: destroy needs no host.
    Cloud,
    /// The cloud and the hosts.
    CloudAndHosts,
}

/// Reads what there is.
///
/// # Errors
/// When the cloud cannot be asked.
pub async fn refresh(provider: &Provider, desired: &Desired, depth: Depth) -> Result<Observed, ApplyError> {
    let memory = provider.ledger.memory();
    let deadline = Deadline::after(LAG);
    let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(1));
    let mut observed = loop {
        let observed = read_cloud(provider, desired, &memory).await?;
        if !is_missing_something(&memory, &observed) || !backoff.wait(&deadline).await {
            break observed;
        }
    };
    mark_tainted(&memory, &mut observed);
    if depth == Depth::CloudAndHosts {
        read_hosts(provider, desired, &mut observed).await;
    }
    Ok(observed)
}

/// Whether the journal is sure of something that no list shows.
fn is_missing_something(memory: &Memory, observed: &Observed) -> bool {
    memory.resources.iter().any(|(address, remembered)| {
        matches!(remembered.phase, Phase::Ready(_))
            && !address.kind.is_on_host()
            && !observed.resources.contains_key(address)
    })
}

fn mark_tainted(memory: &Memory, observed: &mut Observed) {
    for (address, remembered) in &memory.resources {
        if matches!(remembered.phase, Phase::Tainted(_)) && observed.resources.contains_key(address) {
            observed.tainted.insert(address.clone());
        }
    }
}

/// Reads one stack's resources from the cloud.
struct Reader<'a> {
    provider: &'a Provider,
    memory: &'a Memory,
    found: BTreeMap<ResourceAddress, Observation>,
}

async fn read_cloud(provider: &Provider, desired: &Desired, memory: &Memory) -> Result<Observed, ApplyError> {
    let (client, stack) = (&provider.client, provider.stack.as_str());
    let ours = || Selection::Tag(STACK_TAG, stack);
    let (vpcs, vswitches, groups, key_pairs, instances, balancers, server_groups) = tokio::try_join!(
        vpc::vpcs(client, ours()),
        vpc::vswitches(client, ours()),
        ecs::security_groups(client, ours()),
        ecs::key_pairs(client, ours()),
        ecs::instances(client, ours()),
        alb::load_balancers(client, STACK_TAG, stack),
        alb::server_groups(client, STACK_TAG, stack),
    )?;
    let mut reader = Reader { provider, memory, found: BTreeMap::new() };
    for found in vpcs {
        reader.add(&found.tags.tag, Observation::new(found.vpc_id).field("cidr", found.cidr_block));
    }
    for found in vswitches {
        let observation = Observation::new(found.v_switch_id)
            .field("vpc", found.vpc_id)
            .field("zone", found.zone_id)
            .field("cidr", found.cidr_block);
        reader.add(&found.tags.tag, observation);
    }
    for found in groups {
        reader.add(&found.tags.tag, Observation::new(found.security_group_id).field("vpc", found.vpc_id));
    }
    for found in key_pairs {
        reader.add(&found.tags.tag, Observation::new(CloudId::new(found.key_pair_name)));
    }
    for found in instances.iter().filter(|found| found.status != "Stopping") {
        reader.add_instance(found);
    }
    for found in server_groups {
        let observation = Observation::new(found.server_group_id)
            .field("vpc", found.vpc_id)
            .field("health_path", found.health_check_config.health_check_path);
        reader.add(&found.tags, observation);
    }
    for found in balancers {
        reader.add_load_balancer(&found.load_balancer_id).await?;
    }
    reader.add_existing(desired).await?;
    reader.add_rules().await?;
    reader.add_servers().await?;
    reader.add_listeners().await?;
    for resource in desired.resources.values() {
        if let Spec::Record(spec) = &resource.spec {
            reader.add_record(&resource.address, spec).await?;
        }
    }
    Ok(Observed { resources: reader.found, ..Observed::default() })
}

impl Reader<'_> {
    /// Adds a resource under the address in its tags. Of two with the same address the journal's is the one.
    fn add(&mut self, tags: &[Tag], observation: Observation) {
        let Some(address) = tag_value(tags, RESOURCE_TAG).and_then(|text| text.parse().ok()) else {
            return;
        };
        self.insert(address, observation);
    }

    fn insert(&mut self, address: ResourceAddress, observation: Observation) {
        let known = self.memory.id(&address);
        let is_known = |one: &Observation| known.as_ref() == Some(&one.id);
        match self.found.get(&address) {
            Some(other) if is_known(other) || !is_known(&observation) => {}
            Some(_) | None => {
                self.found.insert(address, observation);
            }
        }
    }

    fn id(&self, kind: Kind) -> Option<CloudId> {
        self.found.get(&ResourceAddress::only(kind)).map(|found| found.id.clone())
    }

    fn add_instance(&mut self, found: &ecs::Instance) {
        let outputs = instance_outputs(found);
        let exposure = if outputs.contains_key(&Output::PublicAddress) { "public" } else { "private" };
        let groups: Vec<&str> =
            found.security_group_ids.security_group_id.iter().map(CloudId::as_str).collect();
        let mut observation = Observation::new(found.instance_id.clone())
            .field("vswitch", &found.vpc_attributes.v_switch_id)
            .field("type", &found.instance_type)
            .field("exposure", exposure)
            .field("security_group", groups.join(","))
            .field("status", &found.status);
        observation.outputs = outputs;
        self.add(&found.tags.tag, observation);
        if let (Some(key), Some(address)) =
            (tag_value(&found.tags.tag, HOST_KEY_TAG), tag_value(&found.tags.tag, RESOURCE_TAG))
            && let Ok(instance) = address.parse::<ResourceAddress>()
        {
            let observation = Observation::new(found.instance_id.clone()).output(Output::HostKey, key);
            self.insert(ResourceAddress::new(Kind::HostKey, instance.name), observation);
        }
    }

    async fn add_load_balancer(&mut self, id: &CloudId) -> Result<(), ApplyError> {
        let Some(found) = alb::load_balancer(&self.provider.client, id).await? else {
            return Ok(());
        };
        let observation = load_balancer_observation(&found);
        self.insert(ResourceAddress::only(Kind::LoadBalancer), observation);
        Ok(())
    }

    /// What was named by id is read by id; it must be there.
    async fn add_existing(&mut self, desired: &Desired) -> Result<(), ApplyError> {
        let client = &self.provider.client;
        for (address, resource) in &desired.resources {
            let Some(id) = resource.spec.existing() else {
                continue;
            };
            let missing = || ApplyError::Missing {
                address: address.clone(),
                what: "resource with the id in the topology",
            };
            let observation = if address.kind == Kind::LoadBalancer {
                load_balancer_observation(&alb::load_balancer(client, id).await?.ok_or_else(missing)?)
            } else {
                let there = match address.kind {
                    Kind::Vpc => !vpc::vpcs(client, Selection::Id(id)).await?.is_empty(),
                    Kind::VSwitch => !vpc::vswitches(client, Selection::Id(id)).await?.is_empty(),
                    Kind::SecurityGroup => !ecs::security_groups(client, Selection::Id(id)).await?.is_empty(),
                    // Nothing else can be named by id.
                    Kind::LoadBalancer
                    | Kind::KeyPair
                    | Kind::Instance
                    | Kind::HostKey
                    | Kind::SecurityRule
                    | Kind::Redis
                    | Kind::ServerGroup
                    | Kind::Release
                    | Kind::Server
                    | Kind::Listener
                    | Kind::Record => false,
                };
                there.then(|| Observation::new(id.clone())).ok_or_else(missing)?
            };
            self.found.insert(address.clone(), observation.of_others());
        }
        Ok(())
    }

    async fn add_rules(&mut self) -> Result<(), ApplyError> {
        let Some(group) = self.id(Kind::SecurityGroup) else {
            return Ok(());
        };
        for rule in ecs::permissions(&self.provider.client, &group).await? {
            let Some(address) = remarked(&self.provider.stack, &rule.description) else {
                continue;
            };
            let port = rule.port_range.split('/').next().unwrap_or_default().to_owned();
            let id = rule_id(&group, port.parse().unwrap_or(0), &rule.source_cidr_ip);
            let source = with_prefix_length(&rule.source_cidr_ip);
            let observation =
                Observation::new(id).field("group", &group).field("port", port).field("from", source);
            self.insert(address, observation);
        }
        Ok(())
    }

    async fn add_servers(&mut self) -> Result<(), ApplyError> {
        let Some(group) = self.id(Kind::ServerGroup) else {
            return Ok(());
        };
        let names: BTreeMap<CloudId, String> = self
            .found
            .iter()
            .filter(|(address, _)| address.kind == Kind::Instance)
            .map(|(address, found)| (found.id.clone(), address.name.clone()))
            .collect();
        for server in alb::servers(&self.provider.client, &group).await? {
            // Servers that are not machines of this stack are none of ours.
            let Some(name) = names.get(&server.server_id).filter(|_| server.status != "Removing") else {
                continue;
            };
            let observation = Observation::new(server_id(&server.server_id, server.port))
                .field("group", &group)
                .field("instance", &server.server_id)
                .field("port", server.port);
            self.insert(ResourceAddress::new(Kind::Server, name), observation);
        }
        Ok(())
    }

    async fn add_listeners(&mut self) -> Result<(), ApplyError> {
        let Some(balancer) = self.id(Kind::LoadBalancer) else {
            return Ok(());
        };
        let client = &self.provider.client;
        for listed in alb::listeners(client, &balancer).await? {
            if tag_value(&listed.tags, STACK_TAG) != Some(self.provider.stack.as_str()) {
                continue;
            }
            let Some(found) = alb::listener(client, &listed.listener_id).await? else {
                continue;
            };
            let mut observation = Observation::new(found.listener_id.clone())
                .field("load_balancer", &balancer)
                .field("server_group", found.server_group().map(ToString::to_string).unwrap_or_default())
                .field("protocol", &found.listener_protocol)
                .field("port", found.listener_port)
                .field("idle_timeout", found.idle_timeout)
                .field("request_timeout", found.request_timeout);
            if let Some(certificate) = found.certificates.first() {
                observation = observation.field("certificate", &certificate.certificate_id);
            }
            self.add(&listed.tags, observation);
        }
        Ok(())
    }

    /// The record is ours by our journal, wherever it is, or by its remark; one that is there and as wanted is used
    /// but not owned.
    async fn add_record(&mut self, address: &ResourceAddress, spec: &RecordSpec) -> Result<(), ApplyError> {
        let client = &self.provider.client;
        if let Some(id) = self.memory.id(address)
            && let Some((domain, record)) = dns::record(client, &id).await?
        {
            self.insert(address.clone(), record_observation(&domain, &record));
            return Ok(());
        }
        let balancer = self.found.get(&ResourceAddress::only(Kind::LoadBalancer));
        let value =
            balancer.and_then(|found| found.outputs.get(&Output::DnsName)).cloned().unwrap_or_default();
        let intended = matches!(self.memory.phase(address), Phase::Intended(_));
        for record in dns::records(client, &spec.domain, &spec.host).await? {
            let marked = record.remark.as_deref().and_then(|remark| remarked(&self.provider.stack, remark));
            let observation = record_observation(&spec.domain, &record);
            if marked.as_ref() == Some(address) || (intended && is_wanted(&record, &value)) {
                self.insert(address.clone(), observation);
            } else if is_wanted(&record, &value) {
                self.insert(address.clone(), observation.of_others());
            }
        }
        Ok(())
    }
}

fn record_observation(domain: &str, record: &dns::Record) -> Observation {
    Observation::new(record.record_id.clone())
        .field("name", format!("{} {domain}", record.host))
        .field("value", record.value.trim_end_matches('.'))
        .field("ttl", record.ttl)
}

fn load_balancer_observation(found: &alb::LoadBalancer) -> Observation {
    let mut vswitches: Vec<&str> = found.zone_mappings.iter().map(|zone| zone.v_switch_id.as_str()).collect();
    vswitches.sort_unstable();
    let mut observation = Observation::new(found.load_balancer_id.clone())
        .field("vswitches", vswitches.join(","))
        .field("address_type", &found.address_type)
        .field("edition", &found.load_balancer_edition);
    observation.outputs = load_balancer_outputs(found);
    observation
}

/// The cloud may show a single address without its prefix.
fn with_prefix_length(range: &str) -> String {
    if range.contains('/') { range.to_owned() } else { format!("{range}/32") }
}

async fn read_hosts(provider: &Provider, desired: &Desired, observed: &mut Observed) {
    let known = Known::from_observed(observed);
    compute(provider, desired, &known, observed);
    let hosts = desired.resources.values().filter_map(|resource| resource.spec.host_key());
    let machines = hosts.filter(|host| is_readable(host, observed));
    let reads: Vec<_> = machines.map(|host| read_host(provider, host, &known)).collect();
    for (host, read) in join_all(reads).await {
        match read {
            Ok(resources) => observed.resources.extend(resources),
            Err(error) => {
                for resource in desired.resources.values().filter(|one| is_on(one, host)) {
                    observed.unknown.insert(resource.address.clone(), error.to_string());
                }
            }
        }
    }
}

/// What a release and Redis would be called, as far as the machines have addresses.
fn compute(provider: &Provider, desired: &Desired, known: &Known, observed: &mut Observed) {
    for resource in desired.resources.values() {
        if let Some((field, value)) = computed(provider, &resource.spec, known) {
            observed.computed.insert((resource.address.clone(), field), value);
        }
    }
}

fn computed(provider: &Provider, spec: &Spec, known: &Known) -> Option<(&'static str, String)> {
    if let Spec::Redis(spec) = spec {
        let settings = redis_settings(spec, known).ok()?;
        return Some(("configuration", redis::fingerprint(&settings).ok()?));
    }
    if let Spec::Release(spec) = spec {
        let settings = node_settings(spec, known).ok()?;
        let release = node::release_id(provider.artifact.as_ref()?, &settings).ok()?;
        return Some(("release", release.to_string()));
    }
    None
}

fn is_on(resource: &Resource, host: &HostSpec) -> bool {
    resource.address.kind.is_on_host() && resource.host() == Some(host.instance())
}

/// Every machine on the way must be there with its key pinned, and run.
fn is_readable(host: &HostSpec, observed: &Observed) -> bool {
    host.route.iter().all(|name| {
        let instance = observed.resources.get(&ResourceAddress::new(Kind::Instance, name));
        let running =
            instance.and_then(|found| found.fields.get("status")).is_some_and(|status| status == "Running");
        running && observed.resources.contains_key(&ResourceAddress::new(Kind::HostKey, name))
    })
}

type HostRead<'h> = (&'h HostSpec, Result<Vec<(ResourceAddress, Observation)>, ApplyError>);

async fn read_host<'h>(provider: &Provider, host: &'h HostSpec, known: &Known) -> HostRead<'h> {
    (host, observe_host(provider, host, known).await)
}

async fn observe_host(
    provider: &Provider,
    host: &HostSpec,
    known: &Known,
) -> Result<Vec<(ResourceAddress, Observation)>, ApplyError> {
    let name = host.instance();
    let session = provider.hosts.session(host, known, Patience::AtOnce).await?;
    let id = known.id(&ResourceAddress::new(Kind::Instance, name))?;
    let route: Vec<&str> = host.route.iter().map(crate::base::ids::InstanceName::as_str).collect();
    let observation = |active: bool| {
        Observation::new(id.clone())
            .field("service", if active { "active" } else { "not active" })
            .field("route", route.join(" "))
            .field("user", &host.user)
    };
    let mut found = Vec::new();
    let redis = redis::observe(session.as_ref()).await?;
    if let Some(fingerprint) = redis.fingerprint {
        let address = ResourceAddress::new(Kind::Redis, name);
        found.push((address, observation(redis.active).field("configuration", fingerprint)));
    }
    let node = node::observe(session.as_ref()).await?;
    if let Some(release) = node.release {
        let address = ResourceAddress::new(Kind::Release, name);
        found.push((address, observation(node.active).field("release", release)));
    }
    Ok(found)
}
