//! Reads one stack's resources from the cloud: by tag, by remark, and by the ids that the journal or the topology has.

use std::collections::BTreeMap;

use crate::apply::error::ApplyError;
use crate::apply::provider::Provider;
use crate::apply::provider::balancer::{load_balancer_outputs, server_id};
use crate::apply::provider::machine::instance_outputs;
use crate::apply::provider::name::is_wanted;
use crate::apply::provider::network::rule_id;
use crate::apply::refresh::placing::Found;
use crate::base::ids::CloudId;
use crate::cloud::transport::Client;
use crate::cloud::vpc::Selection;
use crate::cloud::{Tag, alb, disks, dns, ecs, tag_value, vpc};
use crate::plan::desired::Desired;
use crate::resource::observed::{Observation, Observed, Output};
use crate::resource::ownership::{
    GENERATION_TAG, HOST_KEY_TAG, IMAGE_TAG, RESOURCE_TAG, STACK_TAG, remarked, tagged_image,
};
use crate::resource::phase::Phase;
use crate::resource::spec::{Peer, RecordSpec, Spec, VSwitchSpec};
use crate::resource::{Kind, ResourceAddress};
use crate::state::Memory;

/// What was found so far.
struct Reader<'a> {
    provider: &'a Provider,
    memory: &'a Memory,
    desired: &'a Desired,
    found: Found<'a>,
    host_keys: BTreeMap<CloudId, String>,
    disks: BTreeMap<CloudId, u32>,
}

/// Reads what the cloud has of a stack.
pub(super) async fn read(
    provider: &Provider,
    desired: &Desired,
    memory: &Memory,
) -> Result<Observed, ApplyError> {
    let (client, stack) = (&provider.client, provider.stack.as_str());
    let ours = || Selection::Tag(STACK_TAG, stack);
    let (vpcs, vswitches, groups, key_pairs, instances, disks, balancers, server_groups) = tokio::try_join!(
        vpc::vpcs(client, ours()),
        vpc::vswitches(client, ours()),
        ecs::security_groups(client, ours()),
        ecs::key_pairs(client, ours()),
        ecs::instances(client, ours()),
        disks::system_disks(client, STACK_TAG, stack),
        alb::load_balancers(client, STACK_TAG, stack),
        alb::server_groups(client, STACK_TAG, stack),
    )?;
    let disks = disks.into_iter().map(|disk| (disk.instance_id, disk.size)).collect();
    let (found, host_keys) = (Found::new(memory), BTreeMap::new());
    let mut reader = Reader { provider, memory, desired, found, host_keys, disks };
    for found in &vpcs {
        reader.add(&found.tags.tag, vpc_observation(found));
    }
    for found in &vswitches {
        reader.add(&found.tags.tag, vswitch_observation(found));
    }
    for found in &groups {
        reader.add(&found.tags.tag, group_observation(found));
    }
    for found in &key_pairs {
        reader.add(&found.tags.tag, Observation::new(CloudId::new(&found.key_pair_name)));
    }
    for found in &server_groups {
        reader.add(&found.tags, server_group_observation(found));
    }
    for listed in &balancers {
        // Only this call tells the zones.
        if let Some(found) = alb::load_balancer(client, &listed.load_balancer_id).await? {
            reader.add(&listed.tags, load_balancer_observation(&found));
        }
    }
    reader.add_remembered().await?;
    reader.add_existing().await?;
    for found in &instances {
        reader.add_instance(found);
    }
    reader.add_listeners().await?;
    reader.add_remembered().await?;
    reader.add_host_keys();
    reader.add_rules().await?;
    reader.add_servers().await?;
    for resource in desired.resources.values() {
        if let Spec::Record(spec) = &resource.spec {
            reader.add_record(&resource.address, spec).await?;
        }
    }
    Ok(Observed { resources: reader.found.resources, ..Observed::default() })
}

impl Reader<'_> {
    /// Adds a resource under the address in its tags.
    fn add(&mut self, tags: &[Tag], observation: Observation) {
        if let Some(address) = tagged_address(tags) {
            self.found.insert(address, with_generation(tags, observation));
        }
    }

    /// Everything of a kind: the one of the topology, and deposed ones.
    fn all(&self, kind: Kind) -> Vec<(ResourceAddress, CloudId)> {
        let found = self.found.resources.iter().filter(|(address, _)| address.kind == kind);
        found.map(|(address, found)| (address.clone(), found.id.clone())).collect()
    }

    fn id(&self, kind: Kind) -> Option<CloudId> {
        self.found.get(&ResourceAddress::only(kind)).map(|found| found.id.clone())
    }

    fn add_instance(&mut self, found: &ecs::Instance) {
        if let Some(address) = tagged_address(&found.tags.tag) {
            self.insert_instance(address, found);
        }
    }

    fn insert_instance(&mut self, address: ResourceAddress, found: &ecs::Instance) {
        if let Some(key) = tag_value(&found.tags.tag, HOST_KEY_TAG) {
            self.host_keys.insert(found.instance_id.clone(), key.to_owned());
        }
        let mut observation = instance_observation(found, self.id(Kind::SecurityGroup).as_ref());
        if let Some(size) = self.disks.get(&found.instance_id) {
            observation = observation.field("disk", size);
        }
        self.found.insert(address, with_generation(&found.tags.tag, observation));
    }

    /// A host key is where its machine is, once all machines are in their places.
    fn add_host_keys(&mut self) {
        for (machine, id) in self.all(Kind::Instance) {
            if let Some(key) = self.host_keys.get(&id) {
                let observation = Observation::new(id).output(Output::HostKey, key);
                self.found.resources.insert(machine.on_same_machine(Kind::HostKey), observation);
            }
        }
    }

    /// What the journal knows and no list shows is read by id.
    async fn add_remembered(&mut self) -> Result<(), ApplyError> {
        let client = self.provider.client.clone();
        for (address, remembered) in &self.memory.resources {
            let is_found = |id: &CloudId| self.found.get(address).is_some_and(|found| found.id == *id);
            let Some(id) = remembered.phase.id().filter(|id| !is_found(id)) else {
                continue;
            };
            if address.kind == Kind::Instance {
                for found in ecs::instances(&client, Selection::Id(id)).await? {
                    self.insert_instance(address.clone(), &found);
                }
            } else if let Some(observation) = by_id(&client, address.kind, id).await? {
                self.found.insert(address.clone(), observation);
            }
        }
        Ok(())
    }

    /// What was named by id is read by id; it must be there, be as the topology says, and not stand where the stack
    /// has made one of its own.
    async fn add_existing(&mut self) -> Result<(), ApplyError> {
        for (address, resource) in &self.desired.resources {
            let Some(id) = resource.spec.existing() else { continue };
            let what = "resource with the id in the topology";
            let missing = || ApplyError::Missing { address: address.clone(), what };
            if let Some(made) = self.found.get(address).filter(|made| made.id != *id) {
                let (named, made) = (id.to_string(), made.id.to_string());
                return Err(ApplyError::MadeBefore { address: address.clone(), named, made });
            }
            let found = by_id(&self.provider.client, address.kind, id).await?.ok_or_else(missing)?;
            if let Spec::VSwitch(spec) = &resource.spec {
                check_vswitch(address, spec, &found)?;
            }
            self.found.resources.insert(address.clone(), found.of_others());
        }
        Ok(())
    }

    async fn add_rules(&mut self) -> Result<(), ApplyError> {
        for (container, group) in self.all(Kind::SecurityGroup) {
            for rule in ecs::permissions(&self.provider.client, &group).await? {
                let Some(address) = remarked(&self.provider.stack, &rule.description) else {
                    continue;
                };
                let port = rule.port_range.split('/').next().unwrap_or_default().to_owned();
                let id = rule_id(&group, port.parse().unwrap_or(0), &rule.source_cidr_ip);
                let source = with_prefix_length(&rule.source_cidr_ip);
                let rank = u32::from(self.is_wanted_rule(&address, &port, &source));
                let observation =
                    Observation::new(id).field("group", &group).field("port", port).field("from", source);
                self.found.insert_ranked(inside(&container, address, &observation), rank, observation);
            }
        }
        Ok(())
    }

    /// Whether a rule is as the topology says; the address of a machine is the one the machine has now.
    fn is_wanted_rule(&self, address: &ResourceAddress, port: &str, source: &str) -> bool {
        let Some(Spec::SecurityRule(spec)) = self.desired.resources.get(address).map(|one| &one.spec) else {
            return false;
        };
        let wanted = match &spec.from {
            Peer::Range(range) => Some(range.to_string()),
            Peer::Instance(name) => {
                let machine = self.found.get(&ResourceAddress::new(Kind::Instance, name));
                let address = machine.and_then(|machine| machine.outputs.get(&Output::PrivateAddress));
                address.map(|address| with_prefix_length(address))
            }
        };
        port == spec.port.to_string() && wanted.as_deref() == Some(source)
    }

    async fn add_servers(&mut self) -> Result<(), ApplyError> {
        let machines: BTreeMap<CloudId, ResourceAddress> =
            self.all(Kind::Instance).into_iter().map(|(address, id)| (id, address)).collect();
        for (container, group) in self.all(Kind::ServerGroup) {
            for server in alb::servers(&self.provider.client, &group).await? {
                // Servers that are not machines of this stack are none of ours.
                let machine = machines.get(&server.server_id).filter(|_| server.status != "Removing");
                let Some(machine) = machine else { continue };
                let observation = Observation::new(server_id(&group, &server.server_id, server.port))
                    .field("group", &group)
                    .field("instance", &server.server_id)
                    .field("port", server.port);
                let address = ResourceAddress::new(Kind::Server, &machine.name);
                let spec = self.desired.resources.get(&address).map(|one| &one.spec);
                let wanted = matches!(spec, Some(Spec::Server(spec)) if spec.port == server.port);
                let address = inside(&container, inside(machine, address, &observation), &observation);
                self.found.insert_ranked(address, u32::from(wanted), observation);
            }
        }
        Ok(())
    }

    async fn add_listeners(&mut self) -> Result<(), ApplyError> {
        let client = self.provider.client.clone();
        for (container, balancer) in self.all(Kind::LoadBalancer) {
            for listed in alb::listeners(&client, &balancer).await? {
                if tag_value(&listed.tags, STACK_TAG) != Some(self.provider.stack.as_str()) {
                    continue;
                }
                let Some(address) = tagged_address(&listed.tags) else { continue };
                // Only this call tells the certificates.
                if let Some(found) = alb::listener(&client, &listed.listener_id).await? {
                    let observation = with_generation(&listed.tags, listener_observation(&found));
                    self.found.insert(inside(&container, address, &observation), observation);
                }
            }
        }
        Ok(())
    }

    /// The record is ours by our journal, wherever it is, or by its remark; one that is there and as wanted is used
    /// but not owned.
    async fn add_record(&mut self, address: &ResourceAddress, spec: &RecordSpec) -> Result<(), ApplyError> {
        let client = self.provider.client.clone();
        for (remembered, id) in self.memory.ids(Kind::Record) {
            if let Some((domain, record)) = dns::record(&client, &id).await? {
                self.found.insert(remembered, record_observation(&domain, &record));
            }
        }
        if self.found.get(address).is_some() {
            return Ok(());
        }
        let deposed = self.all(Kind::Record);
        let balancer = self.found.get(&ResourceAddress::only(Kind::LoadBalancer));
        let value =
            balancer.and_then(|found| found.outputs.get(&Output::DnsName)).cloned().unwrap_or_default();
        let intended = matches!(self.memory.phase(address), Phase::Intended(_));
        for record in dns::records(&client, &spec.domain, &spec.host).await? {
            if deposed.iter().any(|(_, id)| *id == record.record_id) {
                continue;
            }
            let marked = record.remark.as_ref() == Some(&spec.remark);
            let observation = record_observation(&spec.domain, &record);
            if marked || (intended && is_wanted(&record, &value)) {
                self.found.insert(address.clone(), observation);
            } else if is_wanted(&record, &value) {
                // Whoever made it keeps it, and keeps their remark.
                let theirs = observation.field("remark", &spec.remark).of_others();
                self.found.insert(address.clone(), theirs);
            }
        }
        Ok(())
    }
}

fn tagged_address(tags: &[Tag]) -> Option<ResourceAddress> {
    tag_value(tags, RESOURCE_TAG)?.parse().ok()
}

fn with_generation(tags: &[Tag], observation: Observation) -> Observation {
    match tag_value(tags, GENERATION_TAG) {
        Some(generation) => observation.output(Output::Generation, generation),
        None => observation,
    }
}

/// What is inside of something deposed is deposed itself.
fn inside(container: &ResourceAddress, address: ResourceAddress, found: &Observation) -> ResourceAddress {
    if container.is_deposed() { address.deposed(&found.id) } else { address }
}

fn record_observation(domain: &str, record: &dns::Record) -> Observation {
    Observation::new(record.record_id.clone())
        .field("name", format!("{} {domain}", record.host))
        .field("value", record.value.trim_end_matches('.'))
        .field("ttl", record.ttl)
        .field("remark", record.remark.clone().unwrap_or_default())
}

/// Reads one resource of the control plane by its id; none when it is not there, or its kind has no id of its own.
async fn by_id(client: &Client, kind: Kind, id: &CloudId) -> Result<Option<Observation>, ApplyError> {
    let one = || Selection::Id(id);
    Ok(match kind {
        Kind::Vpc => vpc::vpcs(client, one()).await?.first().map(vpc_observation),
        Kind::VSwitch => vpc::vswitches(client, one()).await?.first().map(vswitch_observation),
        Kind::SecurityGroup => ecs::security_groups(client, one()).await?.first().map(group_observation),
        Kind::LoadBalancer => alb::load_balancer(client, id).await?.as_ref().map(load_balancer_observation),
        Kind::ServerGroup => {
            let found = alb::server_groups_with_ids(client, std::slice::from_ref(id)).await?;
            found.first().map(server_group_observation)
        }
        Kind::Listener => alb::listener(client, id).await?.as_ref().map(listener_observation),
        Kind::KeyPair
        | Kind::Instance
        | Kind::HostKey
        | Kind::SecurityRule
        | Kind::Redis
        | Kind::Release
        | Kind::Server
        | Kind::Record => None,
    })
}

fn check_vswitch(
    address: &ResourceAddress,
    spec: &VSwitchSpec,
    found: &Observation,
) -> Result<(), ApplyError> {
    let field = |name| found.fields.get(name).cloned().unwrap_or_default();
    let theirs = format!("{} in {}", field("cidr"), field("zone"));
    let ours = format!("{} in {}", spec.cidr, spec.zone);
    if theirs == ours {
        return Ok(());
    }
    Err(ApplyError::Mismatch { address: address.clone(), theirs, ours })
}

fn vpc_observation(found: &vpc::Vpc) -> Observation {
    Observation::new(found.vpc_id.clone()).field("cidr", &found.cidr_block)
}

fn vswitch_observation(found: &vpc::VSwitch) -> Observation {
    Observation::new(found.v_switch_id.clone())
        .field("vpc", &found.vpc_id)
        .field("zone", &found.zone_id)
        .field("cidr", &found.cidr_block)
}

fn group_observation(found: &ecs::SecurityGroup) -> Observation {
    Observation::new(found.security_group_id.clone()).field("vpc", &found.vpc_id)
}

/// Groups beside the stack's own are nobody's business here.
fn instance_observation(found: &ecs::Instance, own_group: Option<&CloudId>) -> Observation {
    let outputs = instance_outputs(found);
    let exposure = if outputs.contains_key(&Output::PublicAddress) { "public" } else { "private" };
    let groups = &found.security_group_ids.security_group_id;
    let group = own_group.filter(|own| groups.contains(own)).or_else(|| groups.first());
    let mut observation = Observation::new(found.instance_id.clone())
        .field("vswitch", &found.vpc_attributes.v_switch_id)
        .field("type", &found.instance_type)
        .field("exposure", exposure)
        .field("security_group", group.map(ToString::to_string).unwrap_or_default())
        .field("status", &found.status)
        .field("image_id", &found.image_id);
    if let Some(family) = tag_value(&found.tags.tag, IMAGE_TAG).and_then(tagged_image) {
        observation = observation.field("image", family);
    }
    observation.outputs = outputs;
    observation
}

fn server_group_observation(found: &alb::ServerGroup) -> Observation {
    Observation::new(found.server_group_id.clone())
        .field("vpc", &found.vpc_id)
        .field("health_path", &found.health_check_config.health_check_path)
}

fn listener_observation(found: &alb::Listener) -> Observation {
    let observation = Observation::new(found.listener_id.clone())
        .field("load_balancer", &found.load_balancer_id)
        .field("server_group", found.server_group().map(ToString::to_string).unwrap_or_default())
        .field("protocol", &found.listener_protocol)
        .field("port", found.listener_port)
        .field("idle_timeout", found.idle_timeout)
        .field("request_timeout", found.request_timeout);
    match found.certificates.first() {
        Some(certificate) => observation.field("certificate", &certificate.certificate_id),
        None => observation,
    }
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
