//! The fields of a resource that was just made or changed, for the journal: what the next plan compares with.

use std::collections::BTreeMap;

use super::host::computed;
use super::{Known, Provider, tags};
use crate::plan::Step;
use crate::resource::observed::{Fields, Output, Owner};
use crate::resource::settings;
use crate::resource::spec::{Spec, Wanted};
use crate::resource::{Kind, ResourceAddress};

impl Provider {
    /// What was written: as the spec says, with what other resources turned out to be. A field whose value the cloud
    /// chose is left out; the next look at it writes it down.
    pub(super) fn written(&self, step: &Step, spec: &Spec) -> Fields {
        let keeps_its_name = step.current.as_ref().is_some_and(|current| current.owner == Owner::Adopted);
        let name = settings::name(&self.stack, &step.address).filter(|_| !keeps_its_name);
        let name = name.filter(|_| spec.existing().is_none()).map(|name| ("name".to_owned(), name));
        self.fields_of(spec)
            .into_iter()
            .chain(name)
            .chain(self.set_once(step))
            .chain(tags::written(step))
            .collect()
    }

    /// As the spec says, with what other resources turned out to be.
    pub(super) fn fields_of(&self, spec: &Spec) -> Fields {
        let computed: BTreeMap<&str, String> =
            computed(self.program.as_ref(), spec, &self.known).into_iter().collect();
        let fields = spec.wanted().into_iter().filter_map(|(field, wanted)| {
            let value = match wanted {
                Wanted::Exactly(value) => value,
                Wanted::OneOf(values) => single(values)?,
                Wanted::Outputs(addresses, output) => joined(&self.known, &addresses, output)?,
                Wanted::Computed => computed.get(field)?.clone(),
            };
            Some((field.to_owned(), value))
        });
        fields.collect()
    }

    /// What is set when a resource is made and never again.
    fn set_once(&self, step: &Step) -> Option<(String, String)> {
        match step.address.kind {
            Kind::Instance if step.action.makes_new() => {
                Some(("key_pair".to_owned(), self.known.only(Kind::KeyPair).ok()?.to_string()))
            }
            Kind::HostKey => Some(("key".to_owned(), self.known.output(&step.address, Output::HostKey)?)),
            Kind::RedisAccount => Some(("privilege".to_owned(), settings::PRIVILEGE.to_owned())),
            Kind::Instance
            | Kind::Vpc
            | Kind::VSwitch
            | Kind::SecurityGroup
            | Kind::KeyPair
            | Kind::SecurityRule
            | Kind::Redis
            | Kind::RedisInstance
            | Kind::LoadBalancer
            | Kind::ServerGroup
            | Kind::Release
            | Kind::Server
            | Kind::Certificate
            | Kind::Listener
            | Kind::ListenerRule
            | Kind::Record => None,
        }
    }
}

fn single(values: Vec<String>) -> Option<String> {
    <[String; 1]>::try_from(values).ok().map(|[value]| value)
}

/// As a plan compares them; none when one of them is not known.
fn joined(known: &Known, addresses: &[ResourceAddress], output: Output) -> Option<String> {
    let values = addresses.iter().map(|address| known.output(address, output));
    Some(output.joined(values.collect::<Option<_>>()?))
}
