//! The newest image of each family that the topology names: for information only, so that a refusal is no failure.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::join_all;

use crate::apply::provider::Provider;
use crate::cloud::catalogue;
use crate::plan::desired::Desired;

/// Asks once for each family.
pub(super) async fn newest(provider: &Provider, desired: &Desired) -> BTreeMap<String, String> {
    let families: BTreeSet<&str> =
        desired.resources.values().filter_map(|resource| resource.spec.image()).collect();
    let ask = |family: &str| {
        let family = family.to_owned();
        async move {
            match catalogue::newest_image(&provider.client, &family).await {
                Ok(image) => Some((family, image?.image_id)),
                Err(error) => {
                    tracing::debug!(family, %error, "the newest image of a family is not known");
                    None
                }
            }
        }
    };
    join_all(families.into_iter().map(ask)).await.into_iter().flatten().collect()
}
