//! Managed Redis: the instance, and the account by which the nodes log in.
//!
//! The account's password is drawn here, and is in three places: on disk while the call that sets it may have to be
//! sent again, on the nodes, and as a digest in a tag of the instance. The tag is written first. So whatever ends this
//! program, it is known which of several passwords counts, and that one is lost which no node has; then another is set.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rand::seq::IndexedRandom as _;
use sha2::{Digest, Sha256};

use super::waits::{Goal, judge_state};
use super::{Known, Provider};
use crate::apply::error::ApplyError;
use crate::apply::hosts::Place;
use crate::base::ids::CloudId;
use crate::base::secret::Secret;
use crate::cloud::call::Call;
use crate::cloud::codes;
use crate::cloud::poller::NORMAL_AGAIN;
use crate::cloud::redis::{self, Line, NewInstance};
use crate::deploy::redis::Password;
use crate::plan::Step;
use crate::resource::observed::{Observation, Output, Outputs};
use crate::resource::ownership::{PASSWORD_TAG, console_name};
use crate::resource::settings::{DEFAULT_EVICTION, PRIVILEGE};
use crate::resource::spec::{RedisAccountSpec, RedisInstanceSpec, Series};
use crate::resource::{Kind, ResourceAddress};
use crate::ssh::SshError;
use crate::state::StateError;

/// How long an instance may take to be made or changed; the real ones take three to five minutes.
const PROVISION: Duration = Duration::from_mins(20);
/// How long one may take to be gone.
const LEAVE: Duration = Duration::from_mins(10);
/// Characters of a password: the cloud takes 8 to 32.
const PASSWORD_LENGTH: usize = 32;
/// Digits of the digest that stands for a password.
const DIGEST_LENGTH: usize = 32;
/// The parameter of the calls that set a password.
const PASSWORD: &str = "AccountPassword";

/// Passwords by their digests.
#[derive(Debug, Default)]
pub(super) struct Passwords {
    known: Mutex<BTreeMap<String, Password>>,
    /// Whose turn it is to look for one.
    search: tokio::sync::Mutex<()>,
}

impl Passwords {
    fn get(&self, digest: &str) -> Option<Password> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).get(digest).cloned()
    }

    fn remember(&self, password: &Password) {
        let mut all = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(digest(password), password.clone());
    }
}

/// What stands for a password: of what was drawn at random and is this long it tells nothing.
pub(crate) fn digest(password: &Password) -> String {
    hex::encode(Sha256::digest(password.expose()))[..DIGEST_LENGTH].to_owned()
}

/// A password as the cloud takes it, of letters and digits: it stands in an address.
fn draw() -> Password {
    let letters: Vec<u8> = (b'a'..=b'z').chain(b'A'..=b'Z').chain(b'0'..=b'9').collect();
    let mut source = rand::rng();
    loop {
        let drawn: Vec<u8> =
            (0..PASSWORD_LENGTH).filter_map(|_| letters.choose(&mut source).copied()).collect();
        let has = |kind: fn(&u8) -> bool| drawn.iter().any(kind);
        if has(u8::is_ascii_lowercase) && has(u8::is_ascii_uppercase) && has(u8::is_ascii_digit) {
            return Secret::new(drawn.iter().map(|own| char::from(*own)).collect());
        }
    }
}

/// An account has no id of its own: instance and name say which one it is.
pub(crate) fn account_id(instance: &CloudId, name: &str) -> CloudId {
    CloudId::new(format!("{instance}:{name}"))
}

/// What others need to know of an instance.
pub(crate) fn redis_outputs(found: &redis::Instance) -> Outputs {
    Outputs::from([
        (Output::Id, found.instance_id.to_string()),
        (Output::DnsName, found.connection_domain.clone()),
        (Output::Memory, found.capacity.to_string()),
    ])
}

impl Provider {
    pub(super) async fn put_redis_instance(
        &self,
        step: &Step,
        spec: &RedisInstanceSpec,
        current: Option<&Observation>,
    ) -> Result<Outputs, ApplyError> {
        let address = &step.address;
        let id = match current {
            Some(current) => current.id.clone(),
            None => self.create_redis_instance(step, spec).await?,
        };
        // One that is being changed takes no other change.
        let mut outputs = self.redis_normal(address, &id).await?;
        let name = console_name(&self.stack, address);
        for call in changes(spec, &name, current, &id) {
            self.change(address, |_| call).await?;
            outputs = self.redis_in_state(address, &id, NORMAL_AGAIN).await?;
        }
        Ok(outputs)
    }

    async fn create_redis_instance(
        &self,
        step: &Step,
        spec: &RedisInstanceSpec,
    ) -> Result<CloudId, ApplyError> {
        let address = &step.address;
        let (name, marks) = (console_name(&self.stack, address), self.marks_of(step));
        let (vpc, vswitch) = (self.known.only(Kind::Vpc)?, self.known.id(&spec.vswitch)?);
        let new = NewInstance {
            name: &name,
            line: match spec.series {
                Series::Tair => Line::Tair,
                Series::Classic => Line::Classic,
            },
            class: &spec.class,
            engine: &spec.engine,
            vpc: &vpc,
            vswitch: &vswitch,
            port: spec.port,
            tags: &self.tags(&marks),
        };
        let region = self.client.region();
        self.create(address, |token| redis::create_instance(region, &new, token)).await
    }

    /// Waits until an instance is ready, and learns its name and size.
    pub(crate) async fn redis_normal(
        &self,
        address: &ResourceAddress,
        id: &CloudId,
    ) -> Result<Outputs, ApplyError> {
        self.redis_in_state(address, id, "Normal").await
    }

    async fn redis_in_state(
        &self,
        address: &ResourceAddress,
        id: &CloudId,
        condition: &'static str,
    ) -> Result<Outputs, ApplyError> {
        let goal = Goal { address, condition, deadline: PROVISION };
        let judge = |found: Option<&redis::Instance>| judge_state(found, "Normal", redis_outputs);
        self.until_stopped(goal, self.until(&self.poller.redis_instances, id, goal, judge)).await
    }

    pub(super) async fn delete_redis_instance(
        &self,
        address: &ResourceAddress,
        id: &CloudId,
    ) -> Result<(), ApplyError> {
        self.remove(address, &redis::delete_instance(id), LEAVE).await?;
        self.gone(&self.poller.redis_instances, id, address, LEAVE).await
    }

    /// Makes the account, or gives the one that is there another password.
    pub(super) async fn put_redis_account(
        &self,
        address: &ResourceAddress,
        spec: &RedisAccountSpec,
    ) -> Result<Outputs, ApplyError> {
        let instance = self.known.only(Kind::RedisInstance)?;
        let password = self.password_under_way(address)?.unwrap_or_else(draw);
        let digest = digest(&password);
        let tag = redis::tag_instance(self.client.region(), &instance, &[(PASSWORD_TAG, &digest)]);
        self.mark(address, tag).await?;
        self.set_password(address, &instance, &spec.name, &password).await?;
        self.passwords.remember(&password);
        let id = account_id(&instance, &spec.name);
        self.ledger.accept(address, &id)?;
        self.redis_in_state(address, &instance, NORMAL_AGAIN).await?;
        let goal = Goal { address, condition: "Available", deadline: PROVISION };
        self.in_state(&self.poller.redis_accounts, &(instance, spec.name.clone()), goal).await?;
        Ok(Outputs::from([(Output::Id, id.to_string()), (Output::Password, digest)]))
    }

    async fn set_password(
        &self,
        address: &ResourceAddress,
        instance: &CloudId,
        name: &str,
        password: &Password,
    ) -> Result<(), ApplyError> {
        let reset = || redis::reset_password(instance, name, password.clone());
        if redis::account(&self.client, instance, name).await?.is_some() {
            return self.change(address, |_| reset()).await;
        }
        let create = redis::create_account(instance, name, PRIVILEGE, password.clone());
        match self.change(address, |_| create).await {
            // One that no list showed yet.
            Err(ApplyError::Cloud(error)) if codes::ACCOUNT_IS_THERE.have(error.code()) => {
                self.change(address, |_| reset()).await
            }
            done => done,
        }
    }

    /// The password of a call whose outcome nobody knows: it is set again, and counts whatever became of the first.
    fn password_under_way(&self, address: &ResourceAddress) -> Result<Option<Password>, ApplyError> {
        let memory = self.ledger.memory();
        let flight = memory.resources.get(address).and_then(|one| one.in_flight.as_ref());
        let call = match flight.map(|flight| self.ledger.call_of(flight)).transpose() {
            // Another operator's call. It is over, or its sender has lost the lock: another password is as good.
            Err(StateError::SecretElsewhere { .. }) => None,
            call => call?.flatten(),
        };
        Ok(call.and_then(|call| call.secrets.get(PASSWORD).cloned()))
    }

    /// The password that counts: set by this command, or read on a node over verified SSH. A node that another operator
    /// made lets us in first.
    pub(super) async fn account_password(&self, spec: &RedisAccountSpec) -> Result<Password, ApplyError> {
        let address = ResourceAddress::only(Kind::RedisAccount);
        let missing = || ApplyError::PasswordLost { address: address.clone() };
        let wanted = self.known.output(&address, Output::Password).ok_or_else(missing)?;
        // One looks for it, and the others find what that one has found.
        let _search = self.passwords.search.lock().await;
        if let Some(password) = self.passwords.get(&wanted) {
            return Ok(password);
        }
        let mut found = self.password_on_nodes(spec, &wanted, &self.known).await;
        if found.is_none() && self.let_in_on_nodes(spec).await? {
            found = self.password_on_nodes(spec, &wanted, &self.known).await;
        }
        let password = found.ok_or_else(missing)?;
        self.passwords.remember(&password);
        Ok(password)
    }

    /// Lets the operator in on nodes that refuse the key; whether there was one.
    async fn let_in_on_nodes(&self, spec: &RedisAccountSpec) -> Result<bool, ApplyError> {
        let mut is_new_there = false;
        for host in &spec.nodes {
            let seen = self.hosts.observe(Place { host, known: &self.known }).await;
            if matches!(seen, Err(ApplyError::Ssh(SshError::KeyNotAccepted { .. }))) {
                self.let_in(&host.address(Kind::Release), host).await?;
                is_new_there = true;
            }
        }
        Ok(is_new_there)
    }

    /// The password with this digest, where a node has it.
    pub(crate) async fn password_on_nodes(
        &self,
        spec: &RedisAccountSpec,
        wanted: &str,
        known: &Known,
    ) -> Option<Password> {
        for host in &spec.nodes {
            // A node that cannot be read has another one's password, if it has any.
            let Ok(found) = self.hosts.observe(Place { host, known }).await else { continue };
            let own = found.node.password.filter(|own| digest(own) == wanted);
            if own.is_some() {
                return own;
            }
        }
        None
    }
}

/// What has to be changed of an instance, one call after another; of a new one what no parameter of its creation sets.
fn changes(spec: &RedisInstanceSpec, name: &str, current: Option<&Observation>, id: &CloudId) -> Vec<Call> {
    let differs = |field: &str, made: &str, wanted: &str| {
        let seen = current.map(|current| current.fields.get(field).map_or("", String::as_str));
        seen.unwrap_or(made) != wanted
    };
    let list = spec.allow_list();
    let calls = [
        (differs("name", name, name), redis::rename_instance(id, name)),
        (differs("class", &spec.class, &spec.class), redis::change_class(id, &spec.class)),
        (differs("eviction", DEFAULT_EVICTION, spec.eviction), redis::set_eviction(id, spec.eviction)),
        (differs("allow_list", "", &list), redis::set_allow_list(id, &list)),
    ];
    calls.into_iter().filter(|(is_wanted, _)| *is_wanted).map(|(_, call)| call).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_one_that_the_cloud_takes_and_no_other_is_like_it() {
        let drawn: Vec<Password> = (0..50).map(|_| draw()).collect();
        for password in &drawn {
            let text = password.expose();
            assert!(
                text.len() == 32 && text.chars().all(|own| own.is_ascii_alphanumeric()),
                "{}",
                text.len()
            );
        }
        let digests: std::collections::BTreeSet<String> = drawn.iter().map(digest).collect();
        assert_eq!(digests.len(), drawn.len());
    }

    #[test]
    fn what_is_there_is_changed_where_it_differs_and_what_is_new_is_set() {
        let spec = RedisInstanceSpec {
            series: Series::Tair,
            class: "tair.rdb.1g".to_owned(),
            engine: "7.0".to_owned(),
            vswitch: ResourceAddress::new(Kind::VSwitch, "a"),
            port: 6379,
            eviction: "noeviction",
            allowed: vec!["10.0.1.0/24".parse().unwrap(), "10.0.0.0/24".parse().unwrap()],
        };
        let id = CloudId::new("r-1");
        let actions = |current: Option<&Observation>| {
            let calls = changes(&spec, "chat", current, &id);
            calls.into_iter().map(|call| call.action).collect::<Vec<_>>()
        };
        assert_eq!(actions(None), ["ModifyInstanceConfig", "ModifySecurityIps"]);
        let as_wanted = Observation::new(id.clone())
            .field("name", "chat")
            .field("class", "tair.rdb.1g")
            .field("eviction", "noeviction")
            .field("allow_list", "10.0.0.0/24,10.0.1.0/24");
        assert_eq!(actions(Some(&as_wanted)), [] as [&str; 0]);
        let other = as_wanted.field("class", "tair.rdb.2g").field("name", "x");
        assert_eq!(actions(Some(&other)), ["ModifyInstanceAttribute", "ModifyInstanceSpec"]);
    }
}
