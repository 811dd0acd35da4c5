//! The newest image of each family that machines are made from: for information only, so that a refusal is no failure.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::join_all;

use crate::apply::provider::Provider;
use crate::cloud::catalogue;
use crate::plan::desired::Desired;
use crate::resource::observed::Observed;

/// The families of the machines that are there.
pub(super) fn families(desired: &Desired, observed: &Observed) -> BTreeSet<String> {
    let there =
        desired.resources.values().filter(|resource| observed.resources.contains_key(&resource.address));
    there.filter_map(|resource| resource.spec.image()).map(str::to_owned).collect()
}

/// Asks once for each family.
pub(super) async fn newest(provider: &Provider, families: BTreeSet<String>) -> BTreeMap<String, String> {
    let ask = async |family: String| match catalogue::newest_image(&provider.client, &family).await {
        Ok(image) => Some((family, image?.image_id)),
        Err(error) => {
            tracing::debug!(family, %error, "the newest image of a family is not known");
            None
        }
    };
    join_all(families.into_iter().map(ask)).await.into_iter().flatten().collect()
}
