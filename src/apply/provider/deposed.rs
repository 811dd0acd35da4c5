//! What is replaced: it is deposed before the new one is made, and known by its id until it goes.
//!
//! The machine that is to go can still be logged into: its node is stopped gracefully, and until the host key of its
//! successor is pinned it stays the way to the machines behind it.

use std::sync::PoisonError;

use super::{Known, Provider};
use crate::apply::error::ApplyError;
use crate::base::ids::{CloudId, InstanceName};
use crate::plan::Step;
use crate::resource::observed::Output;
use crate::resource::ownership::{GENERATION_TAG, RESOURCE_TAG, STACK_TAG};
use crate::resource::spec::HostSpec;
use crate::resource::tags::UserTags;
use crate::resource::{Kind, ResourceAddress};

/// What marks a resource as ours in the cloud, as far as it is text of its own.
pub(super) struct Marks {
    resource: String,
    generation: String,
    user: UserTags,
}

impl Provider {
    /// From now on the resource with this id is the deposed one, and its address is free for the next.
    ///
    /// # Errors
    /// When the disk refuses.
    pub(crate) fn depose(&self, address: &ResourceAddress, id: &CloudId) -> Result<(), ApplyError> {
        self.ledger.depose(address, id)?;
        self.known.depose(address, id);
        Ok(())
    }

    /// What the next resource at an address is marked with.
    pub(super) fn marks(&self, address: &ResourceAddress) -> Marks {
        let generation = self.ledger.generation(address).max(self.known.next_generation(address));
        Marks { resource: address.to_string(), generation: generation.to_string(), user: UserTags::new() }
    }

    /// What the next resource of a step is marked with, and the tags that it shall have.
    pub(super) fn marks_of(&self, step: &Step) -> Marks {
        Marks { user: step.tags.clone(), ..self.marks(&step.address) }
    }

    /// What tells our resources from others, and the newer of two from the older; then what the topology asks for.
    pub(super) fn tags<'t>(&'t self, marks: &'t Marks) -> Vec<(&'t str, &'t str)> {
        let own = [
            (STACK_TAG, self.stack.as_str()),
            (RESOURCE_TAG, marks.resource.as_str()),
            (GENERATION_TAG, marks.generation.as_str()),
        ];
        own.into_iter().chain(marks.user.iter().map(|(key, value)| (key.as_str(), value.as_str()))).collect()
    }

    /// Whether a deposed resource that has no id of its own is the very one that took its place: an address that was
    /// given again, a membership that was asked for again. Then it stays.
    pub(super) fn is_in_use_again(&self, address: &ResourceAddress, id: &CloudId) -> bool {
        let successor = self.known.output(&address.successor(), Output::Id);
        address.is_deposed() && successor.as_deref() == Some(id.as_str())
    }
}

impl Known {
    fn depose(&self, address: &ResourceAddress, id: &CloudId) {
        let mut all = self.outputs.write().unwrap_or_else(PoisonError::into_inner);
        for moved in address.with_what_it_takes() {
            let is_it = |known: Option<&String>| known.map(String::as_str) == Some(id.as_str());
            if is_it(all.get(&moved).and_then(|outputs| outputs.get(&Output::Id)))
                && let Some(outputs) = all.remove(&moved)
            {
                all.insert(moved.deposed(id), outputs);
            }
        }
    }

    /// Where a resource is known: one that is to be deposed later is still at the plain address.
    pub(crate) fn place_of(&self, address: &ResourceAddress) -> ResourceAddress {
        let successor = address.successor();
        let not_yet_deposed = self.output(address, Output::Id).is_none()
            && self.output(&successor, Output::Id).as_deref()
                == address.deposed.as_ref().map(CloudId::as_str);
        if not_yet_deposed { successor } else { address.clone() }
    }

    /// The machines on the way to one, from the outside in.
    pub fn route(&self, host: &HostSpec) -> Vec<ResourceAddress> {
        let between = &host.route[..host.route.len().saturating_sub(1)];
        let meant = self.place_of(&host.address(Kind::Instance));
        between.iter().map(|name| self.way_through(name)).chain([meant]).collect()
    }

    /// The machine of this name that leads to others: the old one, until the host key of the new one is pinned.
    fn way_through(&self, name: &InstanceName) -> ResourceAddress {
        let plain = ResourceAddress::new(Kind::Instance, name);
        let leads = |machine: &ResourceAddress| {
            self.output(&machine.on_same_machine(Kind::HostKey), Output::HostKey).is_some()
        };
        if leads(&plain) {
            return plain;
        }
        let deposed = self.deposed(&plain).into_iter().find(leads);
        deposed.unwrap_or(plain)
    }

    /// Everything of a kind, the deposed ones included.
    pub(super) fn all(&self, kind: Kind) -> Vec<ResourceAddress> {
        let outputs = self.outputs.read().unwrap_or_else(PoisonError::into_inner);
        outputs.keys().filter(|address| address.kind == kind).cloned().collect()
    }

    /// The deposed ones of an address.
    fn deposed(&self, address: &ResourceAddress) -> Vec<ResourceAddress> {
        let mut all = self.all(address.kind);
        all.retain(|one| one.is_deposed() && one.successor() == *address);
        all
    }

    /// One more than that of those it takes the place of; a journal that was lost does not know it.
    fn next_generation(&self, address: &ResourceAddress) -> u32 {
        let of = |one: &ResourceAddress| self.output(one, Output::Generation)?.parse::<u32>().ok();
        self.deposed(address).iter().filter_map(of).max().map_or(0, |highest| highest.saturating_add(1))
    }
}
