//! Layer 1: what a stack is made of, in terms that every layer above shares.
//!
//! - [`Kind`] and [`ResourceAddress`] name resources: `instance.ecs01`;
//! - [`spec`] says what one shall be, field by field;
//! - [`replacement`] says which fields cannot be changed in place, and why;
//! - [`disks`] has the fields of a machine's disks;
//! - [`settings`] says what we set on every resource of a kind;
//! - [`observed`] says what one is;
//! - [`phase`] is the life of one resource as the journal knows it;
//! - [`ownership`] is how ours are told from others in the cloud;
//! - [`tags`] are those that the topology asks for beside that.

pub mod disks;
pub mod observed;
pub mod ownership;
pub mod phase;
pub mod replacement;
pub mod settings;
pub mod spec;
pub mod tags;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::base::ids::CloudId;

/// What kind of thing a resource is. The order is the order of creation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A network.
    Vpc,
    /// A part of it in one zone.
    VSwitch,
    /// The firewall of the instances.
    SecurityGroup,
    /// The operator's public key.
    KeyPair,
    /// A machine.
    Instance,
    /// Its SSH host key, read through the cloud and pinned.
    HostKey,
    /// One hole in the security group; some name an instance's address.
    SecurityRule,
    /// Redis on a machine.
    Redis,
    /// A managed Redis.
    RedisInstance,
    /// The account by which the nodes log into a managed Redis.
    RedisAccount,
    /// The ALB.
    LoadBalancer,
    /// Its servers' group.
    ServerGroup,
    /// The chat node on a machine.
    Release,
    /// A machine's membership in the group.
    Server,
    /// What proves to browsers that the name is ours.
    Certificate,
    /// What the ALB listens on.
    Listener,
    /// What a listener does with some requests instead.
    ListenerRule,
    /// The name people open.
    Record,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 18] = [
        Self::Vpc,
        Self::VSwitch,
        Self::SecurityGroup,
        Self::KeyPair,
        Self::Instance,
        Self::HostKey,
        Self::SecurityRule,
        Self::Redis,
        Self::RedisInstance,
        Self::RedisAccount,
        Self::LoadBalancer,
        Self::ServerGroup,
        Self::Release,
        Self::Server,
        Self::Certificate,
        Self::Listener,
        Self::ListenerRule,
        Self::Record,
    ];

    /// The word in an address.
    pub fn word(self) -> &'static str {
        match self {
            Self::Vpc => "vpc",
            Self::VSwitch => "vswitch",
            Self::SecurityGroup => "security_group",
            Self::SecurityRule => "security_rule",
            Self::KeyPair => "key_pair",
            Self::Instance => "instance",
            Self::HostKey => "host_key",
            Self::Redis => "redis",
            Self::RedisInstance => "redis_instance",
            Self::RedisAccount => "redis_account",
            Self::LoadBalancer => "load_balancer",
            Self::ServerGroup => "server_group",
            Self::Release => "release",
            Self::Server => "server",
            Self::Certificate => "certificate",
            Self::Listener => "listener",
            Self::ListenerRule => "listener_rule",
            Self::Record => "record",
        }
    }

    /// Kinds that must be gone before one of this kind can go.
    pub fn dependents(self) -> &'static [Self] {
        match self {
            Self::Vpc => &[
                Self::VSwitch,
                Self::SecurityGroup,
                Self::RedisInstance,
                Self::LoadBalancer,
                Self::ServerGroup,
            ],
            Self::VSwitch => &[Self::Instance, Self::RedisInstance, Self::LoadBalancer],
            Self::SecurityGroup => &[Self::Instance, Self::SecurityRule],
            Self::SecurityRule => &[Self::Release, Self::Redis],
            Self::KeyPair => &[Self::Instance],
            Self::Instance => &[Self::Server, Self::Release, Self::Redis, Self::HostKey],
            Self::HostKey => &[Self::Release, Self::Redis],
            Self::Redis | Self::RedisAccount => &[Self::Release],
            Self::RedisInstance => &[Self::RedisAccount, Self::Release],
            Self::LoadBalancer => &[Self::Listener, Self::Record],
            Self::ServerGroup => &[Self::Listener, Self::Server],
            Self::Release => &[Self::Server],
            Self::Server => &[Self::Listener],
            Self::Certificate => &[Self::Listener],
            Self::Listener => &[Self::ListenerRule, Self::Record],
            Self::ListenerRule | Self::Record => &[],
        }
    }

    /// What a machine takes with it, in whatever way it goes.
    pub const ON_MACHINES: [Self; 3] = [Self::HostKey, Self::Redis, Self::Release];

    /// Whether the cloud gives each of this kind an id; others are named by what they are.
    pub fn has_an_id_of_its_own(self) -> bool {
        match self {
            Self::Vpc
            | Self::VSwitch
            | Self::SecurityGroup
            | Self::KeyPair
            | Self::Instance
            | Self::RedisInstance
            | Self::LoadBalancer
            | Self::ServerGroup
            | Self::Certificate
            | Self::Listener
            | Self::ListenerRule
            | Self::Record => true,
            Self::HostKey
            | Self::SecurityRule
            | Self::Redis
            | Self::RedisAccount
            | Self::Release
            | Self::Server => false,
        }
    }

    /// Whether it lives on a machine, not in the control plane.
    pub fn is_on_host(self) -> bool {
        matches!(self, Self::Redis | Self::Release)
    }
}

/// Names one resource of a stack: `instance.ecs01`.
///
/// One that is being replaced, or has been, and still has to go is *deposed*: its address has its id too,
/// `instance.ecs01~i-abc`, and the one that takes its place has the plain address.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourceAddress {
    /// What it is.
    pub kind: Kind,
    /// Which one.
    pub name: String,
    /// Its id, when it is deposed.
    pub deposed: Option<CloudId>,
}

impl ResourceAddress {
    /// Puts one together.
    pub fn new(kind: Kind, name: impl ToString) -> Self {
        Self { kind, name: name.to_string(), deposed: None }
    }

    /// The address a resource has once it is deposed.
    #[must_use]
    pub fn deposed(&self, id: &CloudId) -> Self {
        Self { deposed: Some(id.clone()), ..self.clone() }
    }

    /// The address that what took a deposed resource's place has; any other is its own.
    #[must_use]
    pub fn successor(&self) -> Self {
        Self { deposed: None, ..self.clone() }
    }

    /// Whether the resource has been replaced, or is being.
    pub fn is_deposed(&self) -> bool {
        self.deposed.is_some()
    }

    /// It, and what is deposed with it: what lives on a machine.
    pub fn with_what_it_takes(&self) -> impl Iterator<Item = Self> + use<> {
        let takes = if self.kind == Kind::Instance { &Kind::ON_MACHINES[..] } else { &[] };
        let address = self.clone();
        std::iter::once(self.clone()).chain(takes.iter().map(move |kind| address.on_same_machine(*kind)))
    }

    /// What lives on the same machine, the old one of a deposed resource.
    #[must_use]
    pub fn on_same_machine(&self, kind: Kind) -> Self {
        Self { kind, ..self.clone() }
    }

    /// Of a kind that a stack has one of.
    pub fn only(kind: Kind) -> Self {
        Self::new(kind, "main")
    }
}

impl fmt::Display for ResourceAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}", self.kind.word(), self.name)?;
        self.deposed.iter().try_for_each(|id| write!(formatter, "~{id}"))
    }
}

/// A text that is not an address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a resource address; they are written like `instance.ecs01`")]
pub struct NotAnAddress(pub String);

impl FromStr for ResourceAddress {
    type Err = NotAnAddress;

    fn from_str(text: &str) -> Result<Self, NotAnAddress> {
        let refuse = || NotAnAddress(text.to_owned());
        let (word, name) = text.split_once('.').ok_or_else(refuse)?;
        let kind = Kind::ALL.into_iter().find(|kind| kind.word() == word).ok_or_else(refuse)?;
        match name.split_once('~') {
            None => Ok(Self::new(kind, name)),
            Some((_, "")) => Err(refuse()),
            Some((name, id)) => Ok(Self::new(kind, name).deposed(&CloudId::new(id))),
        }
    }
}

impl Serialize for ResourceAddress {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ResourceAddress {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_back() {
        for kind in Kind::ALL {
            let address = ResourceAddress::new(kind, "ecs01");
            assert_eq!(address.to_string().parse(), Ok(address.clone()));
            let deposed = address.deposed(&CloudId::new("sg-1:22:203.0.113.0/24"));
            assert_eq!(deposed.to_string().parse(), Ok(deposed.clone()));
            assert_eq!(deposed.successor(), address);
            assert!(address < deposed, "what takes its place comes first");
        }
        assert_eq!(
            ResourceAddress::new(Kind::Instance, "ecs01").deposed(&CloudId::new("i-abc")).to_string(),
            "instance.ecs01~i-abc"
        );
        assert!("instance.ecs01~".parse::<ResourceAddress>().is_err());
        assert!("instances.ecs01".parse::<ResourceAddress>().is_err());
    }

    #[test]
    fn what_depends_is_made_later() {
        for kind in Kind::ALL {
            assert!(kind.dependents().iter().all(|dependent| *dependent > kind), "{kind:?}");
        }
    }
}
