//! What it takes to make, change and remove each kind of resource.
//!
//! Every kind follows one pattern: the call is journalled and sent, the id journalled, the condition waited for, the
//! outcome journalled. A kind's own file says only what differs. What can be sent twice is safe by its client token;
//! the rest (a key pair, a DNS record, what is on a host) is looked at before it is written.

pub(super) mod balancer;
mod deposed;
mod disks;
pub(super) mod front;
pub(super) mod host;
mod letting;
pub(super) mod machine;
pub(super) mod name;
pub(super) mod network;
pub(super) mod redis;
mod rollout;
mod tags;
mod together;
mod waits;
mod written;

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

pub use self::together::{Going, Together};
use crate::apply::error::ApplyError;
use crate::apply::event::{Event, Sink};
use crate::apply::hosts::Hosts;
use crate::apply::ledger::Ledger;
use crate::base::certificate::Certificate;
use crate::base::clock;
use crate::base::ids::{ClientToken, CloudId, StackName};
use crate::base::secret::Secret;
use crate::cloud::call::Call;
use crate::cloud::codes;
use crate::cloud::error::CloudError;
use crate::cloud::poller::Poller;
use crate::cloud::transport::Client;
use crate::deploy::Program;
use crate::plan::Step;
use crate::plan::rollout::Traffic;
use crate::resource::observed::{Observation, Observed, Output, Outputs};
use crate::resource::spec::Spec;
use crate::resource::{Kind, ResourceAddress};
use crate::state::journal::Purpose;

/// What is known of the resources while a plan is made true: what was observed, and what was made since.
#[derive(Debug, Default)]
pub struct Known {
    outputs: RwLock<BTreeMap<ResourceAddress, Outputs>>,
}

impl Known {
    /// What was observed.
    pub fn from_observed(observed: &Observed) -> Self {
        let outputs = observed.resources.iter();
        let outputs = outputs.map(|(address, found)| (address.clone(), found.outputs.clone())).collect();
        Self { outputs: RwLock::new(outputs) }
    }

    /// Forgets what was known and takes over what another knows.
    pub fn replace(&self, other: Self) {
        let other = other.outputs.into_inner().unwrap_or_else(PoisonError::into_inner);
        *self.outputs.write().unwrap_or_else(PoisonError::into_inner) = other;
    }

    /// An output of a resource.
    pub fn output(&self, address: &ResourceAddress, output: Output) -> Option<String> {
        let outputs = self.outputs.read().unwrap_or_else(PoisonError::into_inner);
        outputs.get(address)?.get(&output).cloned()
    }

    /// All that is known.
    pub fn all_outputs(&self) -> BTreeMap<ResourceAddress, Outputs> {
        self.outputs.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The id of a resource.
    ///
    /// # Errors
    /// When it has none.
    pub fn id(&self, address: &ResourceAddress) -> Result<CloudId, ApplyError> {
        let id = self.output(address, Output::Id).map(CloudId::new);
        id.ok_or_else(|| ApplyError::Missing { address: address.clone(), what: "id" })
    }

    /// The id of a resource that a stack has one of.
    ///
    /// # Errors
    /// When it has none.
    pub fn only(&self, kind: Kind) -> Result<CloudId, ApplyError> {
        self.id(&ResourceAddress::only(kind))
    }

    fn learn(&self, address: &ResourceAddress, outputs: Outputs) {
        let mut all = self.outputs.write().unwrap_or_else(PoisonError::into_inner);
        all.entry(address.clone()).or_default().extend(outputs);
    }

    fn forget(&self, address: &ResourceAddress) {
        self.outputs.write().unwrap_or_else(PoisonError::into_inner).remove(address);
    }
}

/// Makes, changes and removes the resources of one stack.
pub struct Provider {
    /// The cloud.
    pub client: Client,
    /// Looks for all who wait for the cloud.
    pub poller: Poller,
    /// The stack.
    pub stack: StackName,
    /// The machines.
    pub hosts: Arc<dyn Hosts>,
    /// The chat node or the app, in its builds; none when nothing will be deployed.
    pub program: Option<Program>,
    /// The app's secrets by variable; none when nothing will be deployed.
    pub app_secrets: Option<BTreeMap<String, Secret<String>>>,
    /// The certificate that the topology brings along.
    pub certificate: Option<Certificate>,
    /// What instances are told at their first start, by its digest.
    pub user_data: BTreeMap<String, String>,
    /// Whether the cloud is asked for host keys; else the operator knows them.
    pub host_keys_by_cloud: bool,
    /// What is known.
    pub known: Known,
    /// The journal.
    pub ledger: Ledger,
    /// Who shows what happens.
    pub sink: Sink,
    /// Cancelled when somebody says stop: waits for the cloud that the next command can go on with end then.
    pub stop: CancellationToken,
    /// A VPC refuses to make two vSwitches at once.
    one_vswitch_at_a_time: Mutex<()>,
    /// A server group refuses two changes at once.
    one_server_at_a_time: Mutex<()>,
    /// Passwords that this command has set or read, by their digests.
    passwords: redis::Passwords,
}

impl Provider {
    /// Of a stack in a cloud.
    pub fn new(
        client: Client,
        stack: StackName,
        hosts: Arc<dyn Hosts>,
        program: Option<Program>,
        ledger: Ledger,
    ) -> Self {
        Self {
            poller: Poller::new(&client),
            client,
            stack,
            hosts,
            program,
            app_secrets: None,
            certificate: None,
            user_data: BTreeMap::new(),
            host_keys_by_cloud: true,
            known: Known::default(),
            ledger,
            sink: Arc::new(|_| ()),
            stop: CancellationToken::new(),
            one_vswitch_at_a_time: Mutex::new(()),
            one_server_at_a_time: Mutex::new(()),
            passwords: redis::Passwords::default(),
        }
    }

    /// With somebody who shows what happens.
    #[must_use]
    pub fn with_sink(mut self, sink: Sink) -> Self {
        self.sink = sink;
        self
    }

    /// With the secrets of the topology's app.
    #[must_use]
    pub fn with_app_secrets(mut self, secrets: Option<BTreeMap<String, Secret<String>>>) -> Self {
        self.app_secrets = secrets;
        self
    }

    /// With the certificate that the topology brings along.
    #[must_use]
    pub fn with_certificate(mut self, certificate: Option<Certificate>) -> Self {
        self.certificate = certificate;
        self
    }

    /// With what instances are told at their first start, by its digest.
    #[must_use]
    pub fn with_user_data(mut self, user_data: BTreeMap<String, String>) -> Self {
        self.user_data = user_data;
        self
    }

    /// With somebody else than the cloud whose word on host keys counts.
    #[must_use]
    pub fn with_host_keys_by_cloud(mut self, is_asked: bool) -> Self {
        self.host_keys_by_cloud = is_asked;
        self
    }

    /// Now by the cloud's clock, as far as it has told it: that is what decides when something is over.
    pub(crate) fn now_there(&self) -> Timestamp {
        let skew = SignedDuration::from_secs(self.client.clock_skew().unwrap_or(0));
        clock::now().saturating_add(skew).unwrap_or_else(|_| clock::now())
    }

    /// With somebody who may say stop.
    #[must_use]
    pub fn stopped_by(mut self, stop: CancellationToken) -> Self {
        self.stop = stop;
        self
    }

    /// Makes a resource, or makes it as its spec says; a node may be without traffic meanwhile.
    ///
    /// # Guarantees
    /// When this returns the resource is ready and the journal says so. When it fails, or the program ends in the
    /// middle, the journal says what was tried, and the same again neither doubles nor loses anything.
    ///
    /// # Errors
    /// What the cloud or the host said.
    pub async fn put(&self, step: &Step, traffic: Traffic) -> Result<CloudId, ApplyError> {
        let missing = || ApplyError::Missing { address: step.address.clone(), what: "spec" };
        let spec = step.spec.as_ref().ok_or_else(missing)?;
        let address = &step.address;
        if step.action.makes_new() && self.ledger.id(address).is_some() {
            // What the journal knew is not there any more: the next one is another generation, with tokens of its own.
            self.ledger.remove(address)?;
        }
        // What is made anew is made as if nothing were there.
        let current = step.current.as_ref().filter(|_| !step.action.makes_new());
        if let Some(current) = current.filter(|_| self.ledger.id(address).is_none()) {
            // Found by its tags, not known to this journal: from now on it is.
            self.ledger.accept(address, &current.id)?;
        }
        self.begin_tags(step)?;
        let outputs = match current.filter(|_| step.action.changes_tags_alone()) {
            Some(current) => current.outputs.clone(),
            None => self.put_itself(step, spec, (current, traffic)).await?,
        };
        self.known.learn(address, outputs.clone());
        let id = self.known.id(address)?;
        self.settle_tags(step, &id).await?;
        self.ledger.ready(address, &outputs, &self.written(step, spec))?;
        Ok(id)
    }

    /// All of it but the tags of what is there.
    async fn put_itself(
        &self,
        step: &Step,
        spec: &Spec,
        (current, traffic): (Option<&Observation>, Traffic),
    ) -> Result<Outputs, ApplyError> {
        let address = &step.address;
        Ok(match (spec, current) {
            (Spec::Vpc(spec), current) => self.put_vpc(step, spec, current).await?,
            (Spec::VSwitch(spec), _) => self.put_vswitch(step, spec).await?,
            (Spec::SecurityGroup(spec), _) => self.put_security_group(step, spec).await?,
            (Spec::SecurityRule(spec), current) => self.put_security_rule(address, spec, current).await?,
            (Spec::KeyPair(spec), _) => self.put_key_pair(step, spec).await?,
            (Spec::Instance(_), Some(current)) => self.update_instance(step, current).await?,
            (Spec::Instance(spec), None) => self.create_instance(step, spec).await?,
            (Spec::HostKey(spec), _) => self.put_host_key(address, spec).await?,
            (Spec::Redis(spec), current) => self.put_redis(address, spec, current).await?,
            (Spec::RedisInstance(spec), current) => self.put_redis_instance(step, spec, current).await?,
            (Spec::RedisAccount(spec), _) => self.put_redis_account(address, spec).await?,
            (Spec::LoadBalancer(spec), current) => self.put_load_balancer(step, spec, current).await?,
            (Spec::ServerGroup(spec), current) => self.put_server_group(step, spec, current).await?,
            (Spec::Release(spec), current) => self.put_release(address, spec, (current, traffic)).await?,
            (Spec::Server(spec), current) => self.put_server(address, spec, current).await?,
            (Spec::Certificate(spec), current) => self.put_certificate(address, spec, current).await?,
            (Spec::ListenerRule(spec), current) => self.put_listener_rule(address, spec, current).await?,
            (Spec::Listener(spec), current) => {
                self.put_listener(address, spec, (current, &step.action)).await?
            }
            (Spec::Record(spec), current) => self.put_record(address, spec, (current, &step.action)).await?,
        })
    }

    /// Removes a resource and waits until it is gone.
    ///
    /// # Errors
    /// What the cloud or the host said.
    pub async fn delete(&self, address: &ResourceAddress, current: &Observation) -> Result<(), ApplyError> {
        match address.kind {
            Kind::Vpc => self.delete_vpc(address, &current.id).await?,
            Kind::VSwitch => self.delete_vswitch(address, &current.id).await?,
            Kind::SecurityGroup => self.delete_security_group(address, &current.id).await?,
            Kind::SecurityRule => self.delete_security_rule(address, current).await?,
            Kind::KeyPair => self.delete_key_pair(address, &current.id).await?,
            Kind::Instance => self.delete_instance(address, &current.id).await?,
            // A host key is a tag of its instance, an account a part of it; both go with it.
            Kind::HostKey | Kind::RedisAccount => {}
            Kind::Redis => self.delete_redis(address, current).await?,
            Kind::RedisInstance => self.delete_redis_instance(address, &current.id).await?,
            Kind::LoadBalancer => self.delete_load_balancer(address, &current.id).await?,
            Kind::ServerGroup => self.delete_server_group(address, &current.id).await?,
            Kind::Release => self.delete_release(address, current).await?,
            Kind::Server => self.delete_server(address, current).await?,
            Kind::Certificate => self.delete_certificate(address, &current.id).await?,
            Kind::Listener => self.delete_listener(address, &current.id).await?,
            Kind::ListenerRule => self.delete_listener_rule(address, &current.id).await?,
            Kind::Record => self.delete_record(address, &current.id).await?,
        }
        self.known.forget(&self.known.place_of(address));
        for gone in address.with_what_it_takes() {
            self.ledger.remove(&gone)?;
        }
        Ok(())
    }

    /// Journals a creating call, sends it, journals the id.
    async fn create(
        &self,
        address: &ResourceAddress,
        build: impl FnOnce(&ClientToken) -> Call,
    ) -> Result<CloudId, ApplyError> {
        let call = self.ledger.intend(address, build).await?;
        let reply = self.send(address, &call).await?;
        let id = created_id(address, &reply).ok_or_else(|| ApplyError::Missing {
            address: address.clone(),
            what: "id in the cloud's answer",
        })?;
        self.ledger.accept(address, &id)?;
        Ok(id)
    }

    /// Journals a changing call and sends it; the id stays.
    async fn change(
        &self,
        address: &ResourceAddress,
        build: impl FnOnce(&ClientToken) -> Call,
    ) -> Result<(), ApplyError> {
        let call = self.ledger.intend(address, build).await?;
        self.send(address, &call).await.map(drop)
    }

    async fn send(&self, address: &ResourceAddress, call: &Call) -> Result<Value, ApplyError> {
        match self.client.call_telling::<Value>(call, &self.notice(address)).await {
            Ok(reply) => Ok(reply),
            Err(error) => {
                // A refusal is stored with its token: the next try needs a new one. Without an answer nobody knows. Nor
                // when the answer is that it is there: an earlier one may have been lost.
                if error.is_final_refusal() && !codes::is_there(error.code()) {
                    self.ledger.refuse(address)?;
                }
                Err(error.into())
            }
        }
    }

    /// Journals a call that writes a tag or a remark, sends it, journals that it was answered.
    async fn mark(&self, address: &ResourceAddress, call: Call) -> Result<(), ApplyError> {
        let call = self.ledger.announce(address, Purpose::Mark, call).await?;
        let answer = self.client.call_telling::<Value>(&call, &self.notice(address)).await;
        if answer.as_ref().err().is_none_or(CloudError::is_final_refusal) {
            self.ledger.answered(address)?;
        }
        Ok(answer.map(drop)?)
    }

    fn note(&self, address: &ResourceAddress, text: impl Into<String>) {
        (self.sink)(Event::Noted { address: address.clone(), text: text.into() });
    }
}

/// Outputs of a resource that others know by its id only.
fn id_only(id: &CloudId) -> Outputs {
    Outputs::from([(Output::Id, id.to_string())])
}

/// The id in an answer to a creating call.
pub(super) fn created_id(address: &ResourceAddress, reply: &Value) -> Option<CloudId> {
    let field = match address.kind {
        Kind::Vpc => "VpcId",
        Kind::VSwitch => "VSwitchId",
        Kind::SecurityGroup => "SecurityGroupId",
        Kind::KeyPair => "KeyPairName",
        Kind::Instance => return crate::cloud::ecs::first_instance_id(reply),
        Kind::HostKey => "InvokeId",
        Kind::RedisInstance => "InstanceId",
        Kind::LoadBalancer => "LoadBalancerId",
        Kind::ServerGroup => "ServerGroupId",
        // A number, where all others are texts.
        Kind::Certificate => return reply.get("CertId")?.as_i64().map(|id| CloudId::new(id.to_string())),
        Kind::Listener => "ListenerId",
        Kind::ListenerRule => "RuleId",
        Kind::Record => "RecordId",
        Kind::SecurityRule | Kind::Redis | Kind::RedisAccount | Kind::Release | Kind::Server => return None,
    };
    reply.get(field).and_then(Value::as_str).map(CloudId::new)
}
