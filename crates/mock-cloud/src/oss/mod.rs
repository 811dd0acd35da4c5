//! Object storage: a REST API beside the RPC API, at the same address, in the path style that clients use with an
//! address of digits: `/BUCKET/KEY`.
//!
//! 1. [`Asked`] is what a request asks for, from its method, path and query;
//! 2. [`signature`] verifies version 4; the versions before are refused, as they are for every new bucket;
//! 3. [`buckets`], [`objects`] and [`listing`] do it, in the world;
//! 4. [`reply`] writes XML, refusals too.

mod asked;
mod buckets;
mod listing;
mod objects;
mod reply;
pub mod signature;

pub use asked::{ACTIONS, Asked};
pub use reply::{Reply, refusal};

use crate::wire::ApiError;
use crate::wire::http::Head;
use crate::world::World;

/// The name of the product in call logs and faults.
pub const PRODUCT: &str = "Oss";

/// Whether a request is one of this API: it is signed as such.
pub fn is_meant(head: &Head) -> bool {
    head.header("authorization").is_some_and(|value| value.starts_with("OSS"))
}

/// Does what is asked for.
///
/// # Errors
/// The refusal of the service.
pub fn execute(
    world: &mut World,
    asked: &Asked,
    head: &Head,
    body: &[u8],
    region: &str,
) -> Result<Reply, ApiError> {
    match asked.action {
        "PutBucket" => buckets::put(world, asked, region),
        "DeleteBucket" => buckets::delete(world, asked, region),
        "PutBucketVersioning" => buckets::put_versioning(world, asked, body, region),
        "GetBucketVersioning" => buckets::versioning(world, asked, region),
        "ListObjectsV2" => listing::list(world, asked, region),
        "PutObject" => objects::put(world, asked, (head, body), region),
        "GetObject" | "HeadObject" => objects::get(world, asked, region),
        "DeleteObject" => objects::delete(world, asked, region),
        _ => Err(ApiError::new(
            501,
            "NotImplemented",
            "A header or query you provided implies functionality that is not implemented: mock-cloud emulates a part of OSS.",
        )),
    }
}
