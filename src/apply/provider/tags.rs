//! Tags that the topology asks for, on what is there already.

use super::Provider;
use crate::apply::error::ApplyError;
use crate::base::ids::CloudId;
use crate::cloud::tagging::{self, Tagged};
use crate::plan::Step;
use crate::plan::action::Change;
use crate::resource::ResourceAddress;
use crate::resource::observed::{Fields, Outputs};
use crate::resource::tags::{self, NO_TAG};

impl Provider {
    /// Writes down which tags are about to be set.
    pub(super) fn begin_tags(&self, step: &Step) -> Result<(), ApplyError> {
        let sets = step.action.makes_new() || step.action.changes().iter().any(Change::is_tag);
        if sets && !step.tags.is_empty() {
            let begun = Fields::from([tags::begun(step.tags.keys())]);
            self.ledger.learn(&step.address, &Outputs::new(), &begun)?;
        }
        Ok(())
    }

    /// Sets the tags that a step changes, then takes away those that it removes: one call each.
    pub(super) async fn settle_tags(&self, step: &Step, id: &CloudId) -> Result<(), ApplyError> {
        let Some(tagged) = tagged(&step.address, id).filter(|_| !step.action.makes_new()) else {
            return Ok(());
        };
        let region = self.client.region();
        let changed =
            || step.action.changes().iter().filter_map(|change| Some((tags::key(change.field)?, change)));
        let set = changed().filter_map(|(key, _)| Some((key, step.tags.get(key)?.as_str())));
        let set: Vec<(&str, &str)> = set.collect();
        if !set.is_empty() {
            self.mark(&step.address, tagging::tag(region, tagged, &set)).await?;
        }
        let gone: Vec<&str> =
            changed().map(|(key, _)| key).filter(|key| !step.tags.contains_key(*key)).collect();
        if !gone.is_empty() {
            self.mark(&step.address, tagging::untag(region, tagged, &gone)).await?;
        }
        Ok(())
    }
}

/// The fields of a step's tags once it is done; a tag that was taken away has one that says so.
pub(super) fn written(step: &Step) -> Fields {
    let gone = step.action.changes().iter().filter(|change| change.is_tag());
    let gone = gone.map(|change: &Change| (change.field.to_owned(), NO_TAG.to_owned()));
    let there = step.tags.iter().map(|(key, value)| (tags::field(key).to_owned(), tags::shown(value)));
    let begun = (!step.tags.is_empty()).then(|| tags::begun(std::iter::empty()));
    gone.chain(there).chain(begun).collect()
}

/// None where no call sets tags of a kind once it is made.
fn tagged<'i>(address: &ResourceAddress, id: &'i CloudId) -> Option<Tagged<'i>> {
    let (tagger, resource_type) = tags::tagger(address.kind)?;
    Some(Tagged { tagger, resource_type, id })
}
