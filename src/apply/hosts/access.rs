//! How machines are logged into, and whose word on their keys counts: what the topology and the operator say.
//!
//! The way to a machine is worked out here, hop by hop: the public address of the first, the private addresses of the
//! others, and for each who we are there and which keys it may show. Files of the operator are read for each way anew.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use crate::apply::error::ApplyError;
use crate::apply::provider::Known;
use crate::base::address_map::AddressMap;
use crate::base::ids::InstanceName;
use crate::resource::observed::Output;
use crate::resource::spec::HostSpec;
use crate::resource::{Kind, ResourceAddress};
use crate::ssh::{HostKey, KnownHosts, Route, SshError, Sudo, Voucher};

/// How a machine is logged into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// Who.
    pub user: String,
    /// At which port.
    pub port: u16,
    /// How commands are run as root.
    pub sudo: Sudo,
}

/// Whose word on host keys counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostKeySource {
    /// The cloud's: what is pinned as a tag.
    ControlPlane,
    /// The operator's: what this file has.
    KnownHosts(PathBuf),
    /// The topology's: these keys, by the name or the id of an instance.
    Pinned(BTreeMap<String, HostKey>),
}

impl HostKeySource {
    fn voucher(&self) -> Voucher {
        match self {
            Self::ControlPlane => Voucher::ControlPlane,
            Self::KnownHosts(_) => Voucher::KnownHosts,
            Self::Pinned(_) => Voucher::Topology,
        }
    }
}

/// How all machines of a stack are logged into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    /// A machine that the topology does not have any more.
    pub others: Login,
    /// Those it has.
    pub machines: BTreeMap<InstanceName, Login>,
    /// Whose word on host keys counts.
    pub host_keys: HostKeySource,
}

impl Access {
    /// The way to a machine.
    ///
    /// # Errors
    /// When an address is not known, or the key that a machine on the way should show is not.
    pub(super) fn route(
        &self,
        host: &HostSpec,
        known: &Known,
        address_map: &AddressMap,
    ) -> Result<Route, ApplyError> {
        let mut via: Option<Box<Route>> = None;
        for machine in known.route(host) {
            let login = self.login(&machine, host);
            let is_first = via.is_none();
            let (inside, address) = if is_first {
                let public = address_of(known, &machine, Output::PublicAddress, "public address")?;
                (public, address_map.resolve(public, login.port)?)
            } else {
                let private = address_of(known, &machine, Output::PrivateAddress, "private address")?;
                (private, SocketAddr::new(private, login.port))
            };
            let unkeyed = Route {
                host: machine.name.clone(),
                address,
                user: login.user,
                sudo: login.sudo,
                host_keys: Vec::new(),
                revoked: Vec::new(),
                vouched_by: self.host_keys.voucher(),
                via,
            };
            via = Some(Box::new(self.with_keys(
                unkeyed,
                known,
                &machine,
                SocketAddr::new(inside, login.port),
            )?));
        }
        let missing =
            || ApplyError::Missing { address: ResourceAddress::only(Kind::Instance), what: "route" };
        via.map(|route| *route).ok_or_else(missing)
    }

    fn login(&self, machine: &ResourceAddress, host: &HostSpec) -> Login {
        let own = self.machines.get(&InstanceName::new(&machine.name));
        let is_meant = machine.name == host.instance().as_str() && !host.user.is_empty();
        own.cloned().unwrap_or_else(|| Login {
            // What was written down when it was last seen.
            user: if is_meant { host.user.clone() } else { self.others.user.clone() },
            ..self.others.clone()
        })
    }

    /// With the keys that a machine may show; `inside` is its address as the cloud has it.
    fn with_keys(
        &self,
        route: Route,
        known: &Known,
        machine: &ResourceAddress,
        inside: SocketAddr,
    ) -> Result<Route, ApplyError> {
        let missing = |authority| SshError::NoHostKey {
            host: route.host.clone(),
            address: route.address,
            vouched_by: route.vouched_by,
            authority,
        };
        let (host_keys, revoked) = match &self.host_keys {
            HostKeySource::ControlPlane => {
                let line = known.output(&machine.on_same_machine(Kind::HostKey), Output::HostKey);
                let line = line.ok_or_else(|| missing(false))?;
                let fault = |why: String| ApplyError::HostKey { instance: machine.name.clone(), why };
                (vec![HostKey::parse(&line).map_err(|error| fault(error.to_string()))?], Vec::new())
            }
            HostKeySource::KnownHosts(path) => {
                let text = std::fs::read_to_string(path).unwrap_or_default();
                let found = KnownHosts::parse(&text).of(&names(&route, inside));
                if found.keys.is_empty() && found.revoked.is_empty() {
                    return Err(missing(found.authority).into());
                }
                // Where all of its keys were given up, it is told when one of them is shown.
                let keys = if found.keys.is_empty() { found.revoked.clone() } else { found.keys };
                (keys, found.revoked)
            }
            HostKeySource::Pinned(pins) => {
                let id = known.id(machine).ok();
                let by_id = id.as_ref().and_then(|id| pins.get(id.as_str()));
                let pin = by_id.or_else(|| pins.get(&machine.name));
                (vec![pin.ok_or_else(|| missing(false))?.clone()], Vec::new())
            }
        };
        Ok(Route { host_keys, revoked, ..route })
    }
}

/// What an operator's file may call a machine: where it is connected to, its address in the cloud, and its name.
fn names(route: &Route, inside: SocketAddr) -> Vec<String> {
    [
        KnownHosts::name(route.address.ip(), route.address.port()),
        KnownHosts::name(inside.ip(), inside.port()),
        route.host.clone(),
    ]
    .into()
}

fn address_of(
    known: &Known,
    machine: &ResourceAddress,
    output: Output,
    what: &'static str,
) -> Result<IpAddr, ApplyError> {
    let text = known.output(machine, output);
    let address = machine.clone();
    text.and_then(|text| text.parse().ok()).ok_or(ApplyError::Missing { address, what })
}
