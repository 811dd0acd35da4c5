//! Which of several resources with one address is the one, and which are deposed.
//!
//! The journal knows. Without it, the one that was made last is the one: the higher generation in its tags, or, of
//! what has no tags, the one that is as the topology says.

use std::collections::BTreeMap;

use crate::base::ids::CloudId;
use crate::resource::observed::{Observation, Output, Owner};
use crate::resource::{Kind, ResourceAddress};
use crate::state::Memory;

/// What was found, each at its address.
pub(super) struct Found<'a> {
    memory: &'a Memory,
    /// By address, deposed ones among them.
    pub(super) resources: BTreeMap<ResourceAddress, Observation>,
    ranks: BTreeMap<ResourceAddress, u32>,
}

impl<'a> Found<'a> {
    /// Nothing yet.
    pub(super) fn new(memory: &'a Memory) -> Self {
        Self { memory, resources: BTreeMap::new(), ranks: BTreeMap::new() }
    }

    /// Whether something was found at an address.
    pub(super) fn contains(&self, address: &ResourceAddress) -> bool {
        self.resources.contains_key(address)
    }

    /// Everything of a kind: the one of the topology, and deposed ones.
    pub(super) fn all(&self, kind: Kind) -> Vec<(ResourceAddress, CloudId)> {
        let found = self.resources.iter().filter(|(address, _)| address.kind == kind);
        found.map(|(address, found)| (address.clone(), found.id.clone())).collect()
    }

    /// What was found at an address.
    pub(super) fn get(&self, address: &ResourceAddress) -> Option<&Observation> {
        self.resources.get(address)
    }

    /// Takes in what can be tagged; the tags say how often it was made before.
    pub(super) fn insert(&mut self, address: ResourceAddress, observation: Observation) {
        let generation = observation.outputs.get(&Output::Generation);
        let rank = generation.and_then(|text| text.parse().ok()).unwrap_or(0);
        self.insert_ranked(address, rank, observation);
    }

    /// Takes in one that may not be the only one with its address; of those the journal does not know, the one with
    /// the highest rank stays.
    pub(super) fn insert_ranked(&mut self, address: ResourceAddress, rank: u32, observation: Observation) {
        let remembered = self.memory.resources.get(&address);
        let is_adopted = remembered.is_some_and(|one| one.adopted && one.phase.id() == Some(&observation.id));
        let observation = if is_adopted { observation.of(Owner::Adopted) } else { observation };
        let deposed = address.deposed(&observation.id);
        let stays = self.memory.id(&address);
        // An address that was given again is both; then it is in use.
        let is_past = self.memory.resources.contains_key(&deposed) && stays.as_ref() != Some(&observation.id);
        if address.is_deposed() || is_past {
            self.resources.insert(deposed, observation);
            return;
        }
        let Some(other) = self.resources.get(&address).filter(|other| other.id != observation.id) else {
            self.ranks.insert(address.clone(), rank);
            self.resources.insert(address, observation);
            return;
        };
        let other_rank = self.ranks.get(&address).copied().unwrap_or(0);
        let is_the_one = stays.as_ref() == Some(&observation.id)
            || (stays.as_ref() != Some(&other.id) && rank > other_rank);
        if is_the_one {
            let place = address.deposed(&other.id);
            self.ranks.insert(address.clone(), rank);
            if let Some(other) = self.resources.insert(address, observation) {
                self.resources.insert(place, other);
            }
        } else {
            self.resources.insert(deposed, observation);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ids::{RegionId, StackName};
    use crate::resource::phase::Phase;
    use crate::state::{Identity, Remembered};

    fn instance() -> ResourceAddress {
        ResourceAddress::new(Kind::Instance, "ecs01")
    }

    fn memory(known: &[(ResourceAddress, &str)]) -> Memory {
        let region = RegionId::new("cn-hangzhou");
        let mut memory =
            Memory::new(Identity::new("1", "http://127.0.0.1:1", region, StackName::new("chat")));
        for (address, id) in known {
            let phase = Phase::Ready(CloudId::new(*id));
            memory.resources.insert(address.clone(), Remembered { phase, ..Remembered::default() });
        }
        memory
    }

    /// Addresses of `i-old`, generation 0, and `i-new`, generation 1, in both orders of finding.
    #[track_caller]
    fn expect(memory: &Memory, old: &str, new: &str) {
        let of =
            |id, generation: u32| Observation::new(CloudId::new(id)).output(Output::Generation, generation);
        for both in [[of("i-old", 0), of("i-new", 1)], [of("i-new", 1), of("i-old", 0)]] {
            let mut found = Found::new(memory);
            for one in both {
                found.insert(instance(), one);
            }
            let place = |id: &str| {
                let mut places = found.resources.iter().filter(|(_, one)| one.id.as_str() == id);
                places.next().map(|(address, _)| address.to_string())
            };
            assert_eq!((place("i-old").as_deref(), place("i-new").as_deref()), (Some(old), Some(new)));
            assert_eq!(found.resources.len(), 2);
        }
    }

    #[test]
    fn without_a_journal_the_higher_generation_is_the_one() {
        expect(&memory(&[]), "instance.ecs01~i-old", "instance.ecs01");
    }

    #[test]
    fn the_journal_knows_better_than_the_tags() {
        expect(&memory(&[(instance(), "i-old")]), "instance.ecs01", "instance.ecs01~i-new");
        expect(&memory(&[(instance(), "i-new")]), "instance.ecs01~i-old", "instance.ecs01");
    }

    #[test]
    fn what_the_journal_has_deposed_makes_room_for_what_nobody_remembers() {
        let deposed = instance().deposed(&CloudId::new("i-old"));
        expect(&memory(&[(deposed, "i-old")]), "instance.ecs01~i-old", "instance.ecs01");
    }
}
