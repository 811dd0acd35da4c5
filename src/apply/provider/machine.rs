//! Key pair, instances and their host keys.

use std::time::Duration;

use sha2::{Digest, Sha256};

use super::waits::{BOOT, Goal, judge_state};
use super::{Provider, id_only};
use crate::apply::error::ApplyError;
use crate::base::expiry::{self, NEVER};
use crate::base::ids::CloudId;
use crate::base::retry::{Backoff, Deadline};
use crate::cloud::codes;
use crate::cloud::ecs::{self, NewInstance};
use crate::cloud::error::CloudError;
use crate::cloud::poller::HasState;
use crate::cloud::wait::Look;
use crate::plan::Step;
use crate::resource::observed::{Fields, Observation, Output, Outputs};
use crate::resource::ownership::{
    EXPIRES_TAG, HOST_KEY_TAG, IMAGE_TAG, OF_OPERATOR, USER_DATA_TAG, image_tag,
};
use crate::resource::spec::{EXPIRES, HostSpec, InstanceSpec, KeyPairSpec, Spec};
use crate::resource::{Kind, ResourceAddress};
use crate::ssh::HostKey;

/// How long the Cloud Assistant may take to answer after that, and a script that it was given.
const ASSISTANT: Duration = Duration::from_mins(3);
/// How long reading the host key is tried again.
const HOST_KEY: Duration = Duration::from_mins(1);
/// Prints the host key; `cat` is all it takes, so that it means the same everywhere.
const READ_HOST_KEY: &str = "cat /etc/ssh/ssh_host_ed25519_key.pub";

impl Provider {
    /// It has no client token; its name, made from the key, is unique and says whether it is there.
    pub(super) async fn put_key_pair(&self, step: &Step, spec: &KeyPairSpec) -> Result<Outputs, ApplyError> {
        let address = &step.address;
        let digest = hex::encode(Sha256::digest(&spec.public_key));
        let name = format!("albatross-{}-{}", self.stack, &digest[..8]);
        let id = CloudId::new(&name);
        let marks = self.marks_of(step);
        let region = self.client.region();
        let build = |_: &_| ecs::import_key_pair(region, &name, &spec.public_key, &self.tags(&marks));
        match self.change(address, build).await {
            Ok(()) => {}
            // A reply that was lost: the name says that it is this very key.
            Err(ApplyError::Cloud(error)) if codes::KEY_PAIR_IS_THERE.have(error.code()) => {}
            Err(error) => return Err(error),
        }
        self.ledger.accept(address, &id)?;
        Ok(id_only(&id))
    }

    pub(super) async fn delete_key_pair(
        &self,
        address: &ResourceAddress,
        id: &CloudId,
    ) -> Result<(), ApplyError> {
        self.remove(address, &ecs::delete_key_pair(self.client.region(), id), BOOT).await
    }

    pub(super) async fn create_instance(
        &self,
        step: &Step,
        spec: &InstanceSpec,
    ) -> Result<Outputs, ApplyError> {
        let id = self.run_first_available_type(step, spec).await?;
        self.instance_running(&step.address, &id).await
    }

    /// Tries the types in order, each with a token of its own; only a lack of stock moves on to the next, or a market that
    /// asks more than a spot instance may cost.
    async fn run_first_available_type(
        &self,
        step: &Step,
        spec: &InstanceSpec,
    ) -> Result<CloudId, ApplyError> {
        let address = &step.address;
        let vswitch = self.known.id(&spec.vswitch)?;
        let security_group = self.known.only(Kind::SecurityGroup)?;
        let key_pair = self.known.only(Kind::KeyPair)?;
        let marks = self.marks_of(step);
        let image = image_tag(&spec.image);
        let mut tags = self.tags(&marks);
        tags.push((IMAGE_TAG, &image));
        let user_data = self.user_data_for(address, spec)?;
        tags.extend(spec.user_data.as_deref().map(|digest| (USER_DATA_TAG, digest)));
        let release = spec.expires.map(|time| expiry::end(self.now_there(), time));
        let note = spec.expires.zip(release).map(|(time, end)| expiry::note(time, end));
        tags.extend(note.as_deref().map(|note| (EXPIRES_TAG, note)));
        let release = release.map(expiry::asked);
        let mut refusal = ApplyError::Missing { address: address.clone(), what: "instance type" };
        for instance_type in &spec.types {
            let new = NewInstance {
                name: &address.name,
                instance_type,
                image_family: &spec.image,
                disk: spec.disk,
                disk_options: &spec.disk_options,
                data_disks: &spec.data_disks,
                vswitch: &vswitch,
                security_group: &security_group,
                key_pair: key_pair.as_str(),
                bandwidth: spec.exposure.bandwidth(),
                spot: &spec.spot,
                release_time: release.as_deref(),
                user_data,
                tags: &tags,
            };
            let region = self.client.region();
            match self.create(address, |token| ecs::run_instance(region, &new, token)).await {
                Err(ApplyError::Cloud(error)) if codes::NOT_SOLD_HERE.have(error.code()) => {
                    self.note(address, format!("{instance_type} is out of stock"));
                    refusal = error.into();
                }
                Err(ApplyError::Cloud(error)) if codes::SPOT_TOO_DEAR.have(error.code()) => {
                    self.note(address, format!("the market asks more for {instance_type} than its limit"));
                    refusal = error.into();
                }
                Ok(id) => {
                    let chosen = Fields::from([("type".to_owned(), instance_type.clone())]);
                    self.ledger.learn(address, &Outputs::new(), &chosen)?;
                    return Ok(id);
                }
                Err(error) => return Err(error),
            }
        }
        Err(refusal)
    }

    fn user_data_for(
        &self,
        address: &ResourceAddress,
        spec: &InstanceSpec,
    ) -> Result<Option<&str>, ApplyError> {
        let Some(digest) = &spec.user_data else { return Ok(None) };
        let text = self.user_data.get(digest).map(|text| Some(text.as_str()));
        text.ok_or_else(|| ApplyError::Missing { address: address.clone(), what: "user data" })
    }

    /// Waits until an instance runs, and learns its addresses.
    pub(crate) async fn instance_running(
        &self,
        address: &ResourceAddress,
        id: &CloudId,
    ) -> Result<Outputs, ApplyError> {
        let goal = Goal { address, condition: "Running", deadline: BOOT };
        let judge = |found: Option<&ecs::Instance>| judge_state(found, goal.condition, instance_outputs);
        self.until_stopped(goal, self.until(&self.poller.instances, id, goal, judge)).await
    }

    /// Gives an instance that is there its name and its security group back, starts it, and changes its disks.
    pub(super) async fn update_instance(
        &self,
        step: &Step,
        current: &Observation,
    ) -> Result<Outputs, ApplyError> {
        let address = &step.address;
        let field = |name: &str| current.fields.get(name).map_or("", String::as_str);
        let own_group = self.known.only(Kind::SecurityGroup)?;
        let is_named = matches!(field("name"), "") || field("name") == address.name;
        let is_guarded = field("security_group") == own_group.as_str();
        if !is_named || !is_guarded {
            // What others have added stays.
            let others = field("security_groups").split(',').filter(|group| !group.is_empty());
            let groups: Vec<&str> = if is_guarded {
                Vec::new()
            } else {
                others.filter(|group| *group != own_group.as_str()).chain([own_group.as_str()]).collect()
            };
            let name = (!is_named).then_some(address.name.as_str());
            self.change(address, |_| ecs::modify_instance(&current.id, name, &groups)).await?;
        }
        let mut outputs = self.start_instance(address, current).await?;
        self.settle_disks(step, &current.id).await?;
        if let (true, Some(Spec::Instance(spec))) = (step.action.changes_field(EXPIRES), &step.spec) {
            let end = self.settle_expiry(address, &current.id, spec.expires).await?;
            outputs.insert(Output::ReleaseTime, end);
        }
        Ok(outputs)
    }

    /// Sets when an instance goes by itself, from now on, or takes that back. The tag goes first: a command that ends
    /// in between leaves a moment that is not the tag's, and the next one sets both again.
    async fn settle_expiry(
        &self,
        address: &ResourceAddress,
        id: &CloudId,
        time: Option<Duration>,
    ) -> Result<String, ApplyError> {
        let region = self.client.region();
        let end = time.map(|time| (time, expiry::end(self.now_there(), time)));
        if let Some((time, end)) = end {
            let note = expiry::note(time, end);
            self.mark(address, ecs::tag_instance(region, id, &[(EXPIRES_TAG, &note)])).await?;
        }
        let asked = end.map(|(_, end)| expiry::asked(end));
        self.change(address, |_| ecs::release_at(region, id, asked.as_deref())).await?;
        Ok(end.map_or_else(|| NEVER.to_owned(), |(_, end)| expiry::told(end)))
    }

    /// An instance that is there but stopped, or about to be.
    async fn start_instance(
        &self,
        address: &ResourceAddress,
        current: &Observation,
    ) -> Result<Outputs, ApplyError> {
        let status = current.fields.get("status").map_or("", String::as_str);
        if status == "Stopping" {
            let goal = Goal { address, condition: "Stopped", deadline: BOOT };
            self.in_state(&self.poller.instances, &current.id, goal).await?;
        }
        if matches!(status, "Stopping" | "Stopped") {
            let region = self.client.region();
            match self.change(address, |_| ecs::start_instance(region, &current.id)).await {
                // Somebody else, or an earlier try whose answer was lost, has started it.
                Err(ApplyError::Cloud(error)) if codes::NOT_STOPPED.have(error.code()) => {}
                done => done?,
            }
        }
        self.instance_running(address, &current.id).await
    }

    pub(super) async fn delete_instance(
        &self,
        address: &ResourceAddress,
        id: &CloudId,
    ) -> Result<(), ApplyError> {
        self.remove(address, &ecs::delete_instances(self.client.region(), &[id]), BOOT).await?;
        self.gone(&self.poller.instances, id, address, BOOT).await
    }

    /// Reads the SSH host key through the Cloud Assistant, the cloud's own authenticated channel, and pins it as a tag
    /// of the instance, where every operator finds it. Reading twice does no harm.
    pub(super) async fn put_host_key(
        &self,
        address: &ResourceAddress,
        spec: &HostSpec,
    ) -> Result<Outputs, ApplyError> {
        let instance = self.known.id(&ResourceAddress::new(Kind::Instance, spec.instance()))?;
        let key = if self.host_keys_by_cloud {
            self.assistant_ready(address, &instance).await?;
            self.read_host_key_patiently(address, spec, &instance).await?.to_string()
        } else {
            OF_OPERATOR.to_owned()
        };
        let region = self.client.region();
        let tag = ecs::tag_instance(region, &instance, &[(HOST_KEY_TAG, &key)]);
        self.mark(address, tag).await?;
        self.ledger.accept(address, &instance)?;
        let mut outputs = id_only(&instance);
        outputs.insert(Output::HostKey, key);
        Ok(outputs)
    }

    async fn assistant_ready(&self, address: &ResourceAddress, instance: &CloudId) -> Result<(), ApplyError> {
        let goal = Goal { address, condition: "the Cloud Assistant", deadline: ASSISTANT };
        let judge = |found: Option<&ecs::Agent>| judge_state(found, "online", |_| ());
        // Nothing has been begun yet: the next command waits again.
        self.until_stopped(goal, self.until(&self.poller.assistants, instance, goal, judge)).await
    }

    /// The agent may be online before the key has been made. A reading that failed is refused in the journal, so that
    /// the next one has a token of its own and is not answered with the old result.
    async fn read_host_key_patiently(
        &self,
        address: &ResourceAddress,
        spec: &HostSpec,
        instance: &CloudId,
    ) -> Result<HostKey, ApplyError> {
        let deadline = Deadline::after(HOST_KEY);
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(10));
        loop {
            let error = match self.read_host_key(address, spec, instance).await {
                Ok(key) => return Ok(key),
                Err(error) => error,
            };
            let harmless =
                matches!(error, ApplyError::HostKey { .. } | ApplyError::Cloud(CloudError::TimedOut { .. }));
            if harmless {
                self.ledger.refuse(address)?;
            }
            if !harmless || !backoff.wait(&deadline).await {
                return Err(error);
            }
            self.note(address, format!("not yet: {error}"));
        }
    }

    async fn read_host_key(
        &self,
        address: &ResourceAddress,
        spec: &HostSpec,
        instance: &CloudId,
    ) -> Result<HostKey, ApplyError> {
        let region = self.client.region();
        let call = self
            .ledger
            .intend(address, |token| ecs::run_command(region, instance, READ_HOST_KEY, token))
            .await?;
        let reply = self.send(address, &call).await?;
        let result = self.script_is_over(address, &reply, "the command that reads it").await?;
        let refuse = |why: String| ApplyError::HostKey { instance: spec.instance().to_string(), why };
        if result.exit_code.is_some_and(|exit| exit != 0) {
            return Err(refuse(format!(
                "the command ended with {}: {}",
                result.exit_code.unwrap_or(0),
                result.output()
            )));
        }
        HostKey::parse(result.output().trim()).map_err(|error| refuse(error.to_string()))
    }

    /// What a script came to that the Cloud Assistant was given; its answer to that is `reply`.
    pub(super) async fn script_is_over(
        &self,
        address: &ResourceAddress,
        reply: &serde_json::Value,
        condition: &'static str,
    ) -> Result<ecs::InvocationResult, ApplyError> {
        let invocation = reply.get("InvokeId").and_then(serde_json::Value::as_str).map(CloudId::new);
        let what = "invocation in the cloud's answer";
        let missing = || ApplyError::Missing { address: address.clone(), what };
        let goal = Goal { address, condition, deadline: ASSISTANT };
        let judge = |found: Option<&ecs::InvocationResult>| match found {
            Some(result) if is_over(result.state()) => Look::Done(result.clone()),
            Some(result) => Look::NotYet(result.state().to_owned()),
            None => Look::Absent,
        };
        Ok(self.until(&self.poller.invocations, &invocation.ok_or_else(missing)?, goal, judge).await?)
    }
}

/// Addresses of an instance.
pub(crate) fn instance_outputs(instance: &ecs::Instance) -> Outputs {
    let mut outputs = id_only(&instance.instance_id);
    if let Some(address) = instance.vpc_attributes.private_ip_address.ip_address.first() {
        outputs.insert(Output::PrivateAddress, address.clone());
    }
    if let Some(address) = instance.public_ip_address.ip_address.first() {
        outputs.insert(Output::PublicAddress, address.clone());
    }
    let end = Some(instance.auto_release_time.clone()).filter(|end| !end.is_empty());
    outputs.insert(Output::ReleaseTime, end.unwrap_or_else(|| NEVER.to_owned()));
    outputs
}

/// `Failed` is over too: the exit status says what happened.
fn is_over(status: &str) -> bool {
    matches!(status, "Finished" | "Success" | "Failed" | "PartialFailed" | "Stopped")
}
