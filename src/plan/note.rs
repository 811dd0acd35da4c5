//! What a plan says beside what would change.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::plan::Step;
use crate::plan::action::Action;
use crate::resource::observed::Observed;
use crate::resource::spec::Spec;
use crate::resource::{Kind, ResourceAddress, disks};

/// An instance runs an older image than its family has. That is no change: an image is chosen when an instance is
/// made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OlderImage {
    /// The instance.
    pub address: ResourceAddress,
    /// The image it was made from.
    pub runs: String,
    /// The family.
    pub family: String,
    /// The newest image of the family.
    pub newest: String,
}

/// A disk that stays when its machine goes: nobody deletes it but by hand, and it is paid until then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskThatStays {
    /// The machine.
    pub address: ResourceAddress,
    /// The name of the disk.
    pub disk: String,
}

impl DiskThatStays {
    /// One for each such disk of the machines that go.
    pub fn find(steps: &[Step]) -> Vec<Self> {
        let goes = |step: &&Step| step.address.kind == Kind::Instance && step.action.removes();
        let of_step = |step: &Step| {
            let fields = step.current.iter().flat_map(|current| &current.fields);
            let stays = fields.filter_map(|(field, value)| {
                let (name, what) = disks::of_data(field)?;
                (what == disks::DELETE_WITH_INSTANCE && value == "false").then(|| name.to_owned())
            });
            stays.map(|disk| Self { address: step.address.clone(), disk }).collect::<Vec<_>>()
        };
        steps.iter().filter(goes).flat_map(of_step).collect()
    }
}

impl fmt::Display for DiskThatStays {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { address, disk } = self;
        write!(formatter, "the disk {disk} stays when {address} goes, and is paid until somebody deletes it")
    }
}

/// An instance has another type than the first of its list: that one was not to be had, or the list was another one.
/// That is no change: it stays what it is until something else makes it anew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaterType {
    /// The instance.
    pub address: ResourceAddress,
    /// The type it has.
    pub has: String,
    /// The first of the list.
    pub first: String,
}

impl LaterType {
    /// One for each instance that stays and has a later type.
    pub fn find(steps: &[Step]) -> Vec<Self> {
        let later = |step: &Step| {
            let Some(Spec::Instance(spec)) = &step.spec else { return None };
            let stays = matches!(step.action, Action::Keep | Action::Update(_));
            let has = step.current.as_ref().filter(|_| stays)?.fields.get("type")?;
            let first = spec.types.first().filter(|first| *first != has)?;
            Some(Self { address: step.address.clone(), has: has.clone(), first: first.clone() })
        };
        steps.iter().filter_map(later).collect()
    }
}

impl fmt::Display for LaterType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { address, has, first } = self;
        write!(formatter, "{address} is {has}; {first}, the first of its types, was not to be had")
    }
}

impl OlderImage {
    /// One for each instance that stays and runs an older image.
    pub(super) fn find(steps: &[Step], observed: &Observed) -> Vec<Self> {
        let older = |step: &Step| {
            let Some(Spec::Instance(spec)) = &step.spec else { return None };
            let stays = matches!(step.action, Action::Keep | Action::Update(_));
            let runs = step.current.as_ref().filter(|_| stays)?.fields.get("image_id")?;
            let newest = observed.newest_images.get(&spec.image).filter(|newest| *newest != runs)?;
            let (runs, newest) = (runs.clone(), newest.clone());
            Some(Self { address: step.address.clone(), runs, family: spec.image.clone(), newest })
        };
        steps.iter().filter_map(older).collect()
    }
}

impl fmt::Display for OlderImage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { address, runs, family, newest } = self;
        write!(formatter, "{address} runs {runs}, the family {family} has {newest}")
    }
}
