//! Lists in pages: chained by a token (all of ALB's, most of ECS's), or numbered (those of VPC and of managed Redis).

use serde::de::DeserializeOwned;

use crate::cloud::call::Call;
use crate::cloud::error::CloudError;
use crate::cloud::transport::Client;

/// One page.
pub(super) trait Page: DeserializeOwned {
    /// What is listed.
    type Item;

    /// What is on it, and the token of the next one.
    fn into_items(self) -> (Vec<Self::Item>, Option<String>);
}

/// Asks for page after page until one names no next one.
pub(super) async fn all<P: Page>(client: &Client, call: &Call) -> Result<Vec<P::Item>, CloudError> {
    let mut all = Vec::new();
    let mut token: Option<String> = None;
    loop {
        let page: P = client.call(&call.clone().with_some("NextToken", token.as_deref())).await?;
        let (items, next) = page.into_items();
        all.extend(items);
        token = next.filter(|next| !next.is_empty());
        if token.is_none() {
            return Ok(all);
        }
    }
}

/// Asks for page after page of this size until one is not full.
pub(super) async fn all_numbered<R: DeserializeOwned, T>(
    client: &Client,
    call: &Call,
    size: usize,
    items: impl Fn(R) -> Vec<T>,
) -> Result<Vec<T>, CloudError> {
    let mut all = Vec::new();
    for page in 1.. {
        let call = call.clone().with("PageNumber", page).with("PageSize", size);
        let found = items(client.call(&call).await?);
        let full = found.len() == size;
        all.extend(found);
        if !full {
            break;
        }
    }
    Ok(all)
}
