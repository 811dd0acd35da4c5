//! Reads one stack's resources from the cloud: by tag, by remark, and by the ids that the journal or the topology has.
//!
//! What one call tells of a resource whose id is known is not asked for by a list before: a plan of a stack that is as
//! it shall be takes few calls, however many machines it has.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::try_join_all;

use super::observations::{
    of_certificate, of_instance, of_key_pair, of_listener, of_listener_rule, of_load_balancer, of_record,
    of_redis_account, of_redis_instance, of_rule, of_security_group, of_server, of_server_group, of_vpc,
    of_vswitch, with_disks,
};
use super::placing::Found;
use super::{foreign, lookup};
use crate::apply::error::ApplyError;
use crate::apply::provider::Provider;
use crate::apply::provider::name::is_wanted;
use crate::base::ids::CloudId;
use crate::cloud::disks::Disk;
use crate::cloud::transport::Client;
use crate::cloud::vpc::Selection;
use crate::cloud::{Tag, alb, alb_rules, disks, dns, ecs, redis, tag_value, vpc};
use crate::plan::desired::Desired;
use crate::resource::observed::{Foreign, Observation, Observed, Output, Owner};
use crate::resource::ownership::{
    GENERATION_TAG, HOST_KEY_TAG, OF_OPERATOR, RESOURCE_TAG, STACK_TAG, remarked,
};
use crate::resource::phase::Phase;
use crate::resource::spec::{RecordSpec, Spec};
use crate::resource::tags::{self, NO_TAG, shown};
use crate::resource::{Kind, ResourceAddress};
use crate::state::Memory;

/// What was found so far.
struct Reader<'a> {
    provider: &'a Provider,
    memory: &'a Memory,
    desired: &'a Desired,
    found: Found<'a>,
    host_keys: BTreeMap<CloudId, String>,
    /// By the id of their instance.
    disks: BTreeMap<String, Vec<Disk>>,
    foreign: Vec<Foreign>,
    /// Accounts of managed Redis.
    accounts: Vec<Observation>,
    /// Rules of security groups that were read with their group.
    rules: BTreeMap<CloudId, Vec<ecs::Permission>>,
}

/// Reads what the cloud has of a stack.
pub(super) async fn read(
    provider: &Provider,
    desired: &Desired,
    memory: &Memory,
) -> Result<Observed, ApplyError> {
    let (client, stack) = (&provider.client, provider.stack.as_str());
    let ours = || Selection::Tag(STACK_TAG, stack);
    let mut reader = Reader {
        provider,
        memory,
        desired,
        found: Found::new(memory),
        host_keys: BTreeMap::new(),
        disks: BTreeMap::new(),
        foreign: Vec::new(),
        accounts: Vec::new(),
        rules: BTreeMap::new(),
    };
    let (vpcs, vswitches, key_pairs, instances, disks, server_groups, groups, balancers, caches) = tokio::try_join!(
        lookup::wrapped(vpc::vpcs(client, ours())),
        lookup::wrapped(vpc::vswitches(client, ours())),
        lookup::wrapped(ecs::key_pairs(client, ours())),
        lookup::wrapped(ecs::instances(client, ours())),
        disks_of_known_instances(client, memory, stack),
        lookup::wrapped(alb::server_groups(client, STACK_TAG, stack)),
        lookup::security_groups(client, (desired, memory), stack),
        lookup::load_balancers(client, memory, stack),
        lookup::redis_instances(client, (desired, memory), stack),
    )?;
    let disks = match disks {
        None if !instances.is_empty() => disks::disks(client, STACK_TAG, stack).await?,
        known => known.unwrap_or_default(),
    };
    for disk in disks {
        reader.disks.entry(disk.instance_id.clone()).or_default().push(disk);
    }
    for found in &vpcs {
        reader.add(&found.tags.tag, of_vpc(found));
    }
    for found in &vswitches {
        reader.add(&found.tags.tag, of_vswitch(found));
    }
    for found in &key_pairs {
        reader.add(&found.tags.tag, of_key_pair(found));
    }
    for found in &server_groups {
        reader.add(&found.tags, of_server_group(found));
    }
    for found in groups {
        let observation = of_security_group(&found.item);
        reader.add_at(found.address, &found.item.tags.tag, observation);
        if let Some(rules) = found.rules {
            reader.rules.insert(found.item.security_group_id, rules);
        }
    }
    for (address, found) in &balancers {
        reader.add_at(address.clone(), &found.tags, of_load_balancer(found));
    }
    for found in &caches {
        reader.add_redis(found).await?;
    }
    if reader.concerns(Kind::Certificate) {
        for found in lookup::certificates(client, memory, &provider.stack).await? {
            reader.add(&found.tags, of_certificate(&found));
        }
    }
    let later = [Kind::Instance, Kind::Listener, Kind::ListenerRule];
    reader.add_remembered(|kind| !later.contains(&kind)).await?;
    reader.add_existing().await?;
    for found in &instances {
        reader.add_instance(found);
    }
    reader.add_remembered(|kind| kind == Kind::Instance).await?;
    reader.add_host_keys();
    reader.add_accounts();
    reader.add_rest().await?;
    Ok(Observed { resources: reader.found.resources, foreign: reader.foreign, ..Observed::default() })
}

/// Asked for beside everything else when there are instances to have them; none when nobody knows that yet.
async fn disks_of_known_instances(
    client: &Client,
    memory: &Memory,
    stack: &str,
) -> Result<Option<Vec<Disk>>, ApplyError> {
    if memory.ids(Kind::Instance).is_empty() {
        return Ok(None);
    }
    Ok(Some(disks::disks(client, STACK_TAG, stack).await?))
}

impl Reader<'_> {
    /// Adds a resource under the address in its tags. Of two with the same address the journal's is the one.
    fn add(&mut self, tags: &[Tag], observation: Observation) {
        self.add_at(None, tags, observation);
    }

    /// Adds a resource under an address that is known, or else under the one in its tags.
    fn add_at(&mut self, address: Option<ResourceAddress>, tags: &[Tag], observation: Observation) {
        let tagged = || tag_value(tags, RESOURCE_TAG).and_then(|text| text.parse().ok());
        if let Some(address) = address.or_else(tagged) {
            let observation = self.with_user_tags(&address, tags, observation);
            self.found.insert(address, with_generation(tags, observation));
        }
    }

    /// With the tags that the topology has, or that the journal says the stack has set; others are nobody's business.
    fn with_user_tags(
        &self,
        address: &ResourceAddress,
        there: &[Tag],
        observation: Observation,
    ) -> Observation {
        if address.is_deposed() {
            return observation;
        }
        let keys = user_tags(address, self.desired, self.memory);
        keys.into_iter().fold(observation, |observation, key| {
            let value = tag_value(there, &key).map_or_else(|| NO_TAG.to_owned(), shown);
            observation.field(tags::field(&key), value)
        })
    }

    /// Whether the topology or the journal has any of a kind: else the service that has them is not asked.
    fn concerns(&self, kind: Kind) -> bool {
        let mut known = self.desired.resources.keys().chain(self.memory.resources.keys());
        known.any(|address| address.kind == kind)
    }

    fn id(&self, kind: Kind) -> Option<CloudId> {
        self.found.get(&ResourceAddress::only(kind)).map(|found| found.id.clone())
    }

    /// Whether the stack has made the one of a kind: what others put into anything else is their own business.
    fn is_ours(&self, kind: Kind) -> bool {
        self.found.get(&ResourceAddress::only(kind)).is_some_and(|found| found.owner == Owner::Stack)
    }

    fn add_foreign(&mut self, foreign: Foreign) {
        if self.is_ours(foreign.container.kind) {
            self.foreign.push(foreign);
        }
    }

    fn add_instance(&mut self, found: &ecs::Instance) {
        let address = tag_value(&found.tags.tag, RESOURCE_TAG).and_then(|text| text.parse().ok());
        if let Some(address) = address {
            self.insert_instance(address, found);
        }
    }

    fn insert_instance(&mut self, address: ResourceAddress, found: &ecs::Instance) {
        // Where the cloud's word counts, what an operator knows is no pin.
        let by_cloud = self.provider.host_keys_by_cloud;
        let pin = tag_value(&found.tags.tag, HOST_KEY_TAG).filter(|pin| !by_cloud || *pin != OF_OPERATOR);
        if let Some(key) = pin {
            self.host_keys.insert(found.instance_id.clone(), key.to_owned());
        }
        let mut observation = of_instance(found, self.id(Kind::SecurityGroup).as_ref());
        if let Some(disks) = self.disks.get(found.instance_id.as_str()) {
            let wanted = self.desired.resources.get(&address).map(|one| &one.spec);
            observation = with_disks(observation, disks, wanted);
        }
        let observation = self.with_user_tags(&address, &found.tags.tag, observation);
        self.found.insert(address, with_generation(&found.tags.tag, observation));
    }

    /// A managed Redis with its account. Of a deposed one the account is deposed too.
    async fn add_redis(&mut self, found: &redis::Instance) -> Result<(), ApplyError> {
        let Some(address) = tag_value(&found.tags.tag, RESOURCE_TAG).and_then(|text| text.parse().ok())
        else {
            return Ok(());
        };
        let client = &self.provider.client;
        let allowed = redis::allow_list(client, &found.instance_id).await?;
        let observation = of_redis_instance(found, &allowed);
        let observation = self.with_user_tags(&address, &found.tags.tag, observation);
        let observation = with_generation(&found.tags.tag, observation);
        self.found.insert(address, observation);
        let Some(name) = self.account_name() else { return Ok(()) };
        if let Some(account) = redis::account(client, &found.instance_id, &name).await? {
            self.accounts.push(of_redis_account(found, &account));
        }
        Ok(())
    }

    /// What the nodes' account is called, as the topology or the journal has it.
    fn account_name(&self) -> Option<String> {
        let address = ResourceAddress::only(Kind::RedisAccount);
        let wanted = self.desired.resources.get(&address).and_then(|one| one.spec.account());
        let wanted = wanted.map(|spec| spec.name.clone());
        let known = || self.memory.id(&address)?.as_str().split_once(':').map(|(_, name)| name.to_owned());
        wanted.or_else(known)
    }

    /// An account is where its instance is, once all instances are in their places.
    fn add_accounts(&mut self) {
        for account in std::mem::take(&mut self.accounts) {
            let instances = self.found.all(Kind::RedisInstance);
            let own = |id: &CloudId| account.fields.get("instance").map(String::as_str) == Some(id.as_str());
            let Some((container, _)) = instances.into_iter().find(|(_, id)| own(id)) else { continue };
            let address = ResourceAddress::only(Kind::RedisAccount);
            self.found.insert(inside(&container, address, &account), account);
        }
    }

    /// A host key is where its machine is, once all machines are in their places.
    fn add_host_keys(&mut self) {
        for (machine, id) in self.found.all(Kind::Instance) {
            let owner = self.found.get(&machine).map_or(Owner::Stack, |found| found.owner);
            if let Some(key) = self.host_keys.get(&id) {
                let observation = Observation::new(id).field("key", key).output(Output::HostKey, key);
                self.found.resources.insert(machine.on_same_machine(Kind::HostKey), observation.of(owner));
            }
        }
    }

    /// What the journal knows and no list shows is read by id.
    async fn add_remembered(&mut self, kinds: impl Fn(Kind) -> bool) -> Result<(), ApplyError> {
        let missing = self.memory.resources.iter().filter_map(|(address, remembered)| {
            let id = remembered.phase.id().filter(|_| kinds(address.kind))?;
            let is_found = self.found.get(address).is_some_and(|found| found.id == *id);
            (!is_found).then(|| (address.clone(), id.clone()))
        });
        let missing: Vec<(ResourceAddress, CloudId)> = missing.collect();
        let (instances, others): (Vec<_>, Vec<_>) =
            missing.into_iter().partition(|(address, _)| address.kind == Kind::Instance);
        let ids: Vec<CloudId> = instances.iter().map(|(_, id)| id.clone()).collect();
        for found in ecs::instances_with_ids(&self.provider.client, &ids).await? {
            for (address, _) in instances.iter().filter(|(_, id)| *id == found.instance_id) {
                self.insert_instance(address.clone(), &found);
            }
        }
        for (address, id) in others {
            if let Some(observation) = lookup::by_id(&self.provider.client, address.kind, &id).await? {
                self.found.insert(address, observation);
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
            let found = lookup::by_id(&self.provider.client, address.kind, id).await?.ok_or_else(missing)?;
            if let Spec::VSwitch(spec) = &resource.spec {
                lookup::check_vswitch(address, spec, &found)?;
            }
            self.found.resources.insert(address.clone(), found.of_others());
        }
        Ok(())
    }

    /// What is found only through other resources: rules, servers, listeners, the record.
    async fn add_rest(&mut self) -> Result<(), ApplyError> {
        let client = &self.provider.client;
        let groups = self.found.all(Kind::SecurityGroup);
        let pools = self.found.all(Kind::ServerGroup);
        let balancers = self.found.all(Kind::LoadBalancer);
        let known = groups.iter().map(|(_, id)| (id, self.rules.remove(id))).collect::<Vec<_>>();
        let (rules, servers, listeners) = tokio::try_join!(
            try_join_all(known.into_iter().map(|(id, known)| lookup::rules(client, id, known))),
            try_join_all(pools.iter().map(|(_, id)| lookup::servers(client, id))),
            try_join_all(balancers.iter().map(|(_, id)| lookup::listeners(client, id))),
        )?;
        for (group, rules) in groups.iter().zip(&rules) {
            self.add_rules(group, rules);
        }
        for (group, servers) in pools.iter().zip(&servers) {
            self.add_servers(group, servers);
        }
        for (balancer, listeners) in balancers.iter().zip(&listeners) {
            self.add_listeners(&balancer.0, listeners);
        }
        if self.concerns(Kind::ListenerRule) {
            let balancers = balancers.iter().map(|(_, id)| lookup::listener_rules(client, id));
            self.add_listener_rules(&try_join_all(balancers).await?.concat());
        }
        self.add_remembered(|kind| matches!(kind, Kind::Listener | Kind::ListenerRule)).await?;
        for resource in self.desired.resources.values() {
            if let Spec::Record(spec) = &resource.spec {
                self.add_record(&resource.address, spec).await?;
            }
        }
        Ok(())
    }

    fn add_rules(&mut self, (container, group): &(ResourceAddress, CloudId), rules: &[ecs::Permission]) {
        let mut others = Vec::new();
        let mut ours = Vec::new();
        for rule in rules {
            let observation = of_rule(group, rule);
            match remarked(&self.provider.stack, &rule.description) {
                Some(address) => ours.push((address, observation)),
                None => others.push((rule, observation)),
            }
        }
        // What a rule says counts more than what it is called: another part of the topology may ask for the same now.
        ours.sort_by_cached_key(|(called, observation)| {
            let is_it = self.fulfils(observation, called);
            (!is_it, !is_it && self.asked_for(observation).is_none())
        });
        for (called, observation) in ours {
            let is_it = self.fulfils(&observation, &called);
            let another = self.asked_for(&observation).filter(|_| !is_it);
            let rank = u32::from(is_it || another.is_some());
            let address = another.unwrap_or(called);
            self.found.insert_ranked(inside(container, address, &observation), rank, observation);
        }
        for (rule, observation) in others.into_iter().filter(|_| !container.is_deposed()) {
            match self.asked_for(&observation) {
                // Whoever made it keeps it: it is as it shall be.
                Some(address) => {
                    let owner =
                        if self.memory.id(&address).is_some() { Owner::Adopted } else { Owner::Other };
                    // And keeps their description.
                    let observation = self.with_own_description(&address, observation);
                    self.found.resources.insert(address, observation.of(owner));
                }
                None => self.add_foreign(foreign::rule(rule, observation)),
            }
        }
    }

    fn with_own_description(&self, address: &ResourceAddress, observation: Observation) -> Observation {
        match self.desired.resources.get(address).map(|one| &one.spec) {
            Some(Spec::SecurityRule(spec)) => observation.field("description", &spec.description),
            _ => observation,
        }
    }

    /// The rule of the topology that a rule of somebody else fulfils, when the stack has none for it.
    fn asked_for(&self, rule: &Observation) -> Option<ResourceAddress> {
        let mut addresses = self.desired.resources.keys().filter(|address| !self.found.contains(address));
        addresses.find(|address| self.fulfils(rule, address)).cloned()
    }

    /// Whether a rule is what the topology asks for; the address of a machine is the one the machine has now.
    fn fulfils(&self, rule: &Observation, address: &ResourceAddress) -> bool {
        let Some(Spec::SecurityRule(spec)) = self.desired.resources.get(address).map(|one| &one.spec) else {
            return false;
        };
        let from = spec
            .from
            .source(|machine| self.found.get(machine)?.outputs.get(&Output::PrivateAddress).cloned());
        let field = |name: &str| rule.fields.get(name).map_or("", String::as_str);
        from.as_deref() == Some(field("from"))
            && field("port") == spec.flow.ports()
            && (field("protocol"), field("policy"), field("priority"))
                == (spec.flow.protocol(), "accept", "1")
    }

    fn add_servers(
        &mut self,
        (container, group): &(ResourceAddress, CloudId),
        servers: &[alb::BackendServer],
    ) {
        let machines: BTreeMap<CloudId, ResourceAddress> =
            self.found.all(Kind::Instance).into_iter().map(|(address, id)| (id, address)).collect();
        for server in servers.iter().filter(|server| server.status != "Removing") {
            let observation = of_server(group, server);
            let machine = machines.get(&server.server_id);
            let address = machine.map(|machine| ResourceAddress::new(Kind::Server, &machine.name));
            match address.filter(|address| self.is_membership_of_ours(address)) {
                Some(address) => {
                    // Of two of one machine the one on the wanted port stays.
                    let rank = u32::from(self.is_on_its_port(server, &address));
                    let address =
                        machine.map_or(address.clone(), |machine| inside(machine, address, &observation));
                    self.found.insert_ranked(inside(container, address, &observation), rank, observation);
                }
                None if container.is_deposed() => {}
                None => self.add_foreign(foreign::server(server, observation)),
            }
        }
    }

    fn is_on_its_port(&self, server: &alb::BackendServer, address: &ResourceAddress) -> bool {
        let wanted = self.desired.resources.get(address).map(|one| &one.spec);
        matches!(wanted, Some(Spec::Server(spec)) if spec.port == server.port)
    }

    /// A membership carries no mark. A machine that stays and shall not be in the group was put there by others,
    /// unless the journal says that it was us, or there is no journal that could say so.
    fn is_membership_of_ours(&self, address: &ResourceAddress) -> bool {
        let machine = ResourceAddress::new(Kind::Instance, &address.name);
        let group = ResourceAddress::only(Kind::ServerGroup);
        self.desired.resources.contains_key(address)
            || !self.desired.resources.contains_key(&machine)
            || self.memory.id(address).is_some()
            || self.memory.id(&group).is_none()
    }

    fn add_listeners(&mut self, container: &ResourceAddress, listeners: &[alb::Listener]) {
        for found in listeners {
            let observation = with_generation(&found.tags, of_listener(found));
            match self.ours(&found.listener_id, &found.tags) {
                Some(address) => self.found.insert(inside(container, address, &observation), observation),
                None if container.is_deposed() => {}
                None => self.add_foreign(foreign::listener(found, observation)),
            }
        }
    }

    /// Rules in listeners of ours that carry our tag, or that the journal knows.
    fn add_listener_rules(&mut self, rules: &[alb_rules::Rule]) {
        let listeners: BTreeMap<CloudId, ResourceAddress> =
            self.found.all(Kind::Listener).into_iter().map(|(address, id)| (id, address)).collect();
        for found in rules.iter().filter(|found| found.rule_status != "Deleting") {
            let Some(container) = listeners.get(&found.listener_id) else { continue };
            let observation = with_generation(&found.tags, of_listener_rule(found));
            if let Some(address) = self.ours(&found.rule_id, &found.tags) {
                self.found.insert(inside(container, address, &observation), observation);
            }
        }
    }

    /// The address of something in a load balancer: by its tags when they name this stack, else by the journal.
    fn ours(&self, id: &CloudId, tags: &[Tag]) -> Option<ResourceAddress> {
        let is_of_stack = tag_value(tags, STACK_TAG) == Some(self.provider.stack.as_str());
        let tagged = tag_value(tags, RESOURCE_TAG).filter(|_| is_of_stack).and_then(|text| text.parse().ok());
        let known = || {
            let mut all = self.memory.resources.iter();
            all.find(|(_, remembered)| remembered.phase.id() == Some(id)).map(|(address, _)| address.clone())
        };
        tagged.or_else(known)
    }

    /// The record is ours by our journal, wherever it is, or by its remark; one that is there and as wanted is used
    /// but not owned.
    async fn add_record(&mut self, address: &ResourceAddress, spec: &RecordSpec) -> Result<(), ApplyError> {
        let client = &self.provider.client;
        for (remembered, id) in self.memory.ids(Kind::Record) {
            if let Some((domain, record)) = dns::record(client, &id).await? {
                let is_adopted = self.memory.resources.get(&remembered).is_some_and(|one| one.adopted);
                let observation = of_record(&domain, &record);
                // What was adopted keeps its remark.
                let observation =
                    if is_adopted { observation.field("remark", &spec.remark) } else { observation };
                self.found.insert(remembered, observation);
            }
        }
        if self.found.contains(address) {
            return Ok(());
        }
        let deposed = self.found.all(Kind::Record);
        let balancer = self.found.get(&ResourceAddress::only(Kind::LoadBalancer));
        let value =
            balancer.and_then(|found| found.outputs.get(&Output::DnsName)).cloned().unwrap_or_default();
        let intended = matches!(self.memory.phase(address), Phase::Intended(_));
        for record in dns::records(client, &spec.domain, &spec.host).await? {
            if deposed.iter().any(|(_, id)| *id == record.record_id) {
                continue;
            }
            let marked = record.remark.as_ref() == Some(&spec.remark);
            let observation = of_record(&spec.domain, &record);
            if marked || (intended && is_wanted(&record, &value)) {
                self.found.insert(address.clone(), observation);
            } else if is_wanted(&record, &value) {
                // Whoever made it keeps it, and keeps their remark.
                self.found.insert(address.clone(), observation.field("remark", &spec.remark).of_others());
            }
        }
        Ok(())
    }
}

/// The keys of a resource's tags that count.
pub(super) fn user_tags(address: &ResourceAddress, desired: &Desired, memory: &Memory) -> BTreeSet<String> {
    let wanted = desired.resources.get(address).into_iter().flat_map(|one| one.tags.keys().cloned());
    let left = memory.resources.get(address).into_iter();
    wanted.chain(left.flat_map(|one| tags::keys(&one.fields))).collect()
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
