//! Buckets: made, emptied of versions or not, removed.

use serde::Deserialize;

use crate::oss::{Asked, Reply};
use crate::wire::ApiError;
use crate::world::World;
use crate::world::bucket::{Bucket, Versioning};

/// Characters that the name of a bucket may have.
const NAME_LENGTH: std::ops::RangeInclusive<usize> = 3..=63;

/// What a bucket is told of versions.
#[derive(Debug, Deserialize)]
struct VersioningConfiguration {
    #[serde(rename = "Status")]
    status: Option<String>,
}

/// `PutBucket`: to make one that is there already and is one's own changes nothing.
pub(super) fn put(world: &mut World, asked: &Asked, region: &str) -> Result<Reply, ApiError> {
    if !is_name(&asked.bucket) {
        return Err(ApiError::bad_request("InvalidBucketName", "The specified bucket is not valid."));
    }
    match world.buckets.get(&asked.bucket) {
        Some(bucket) if bucket.region != region => Err(ApiError::new(
            409,
            "BucketAlreadyExists",
            "The requested bucket name is not available. The bucket namespace is shared by all users of the system. \
             Please select a different name and try again.",
        )),
        Some(_) => Ok(Reply::empty(200)),
        None => {
            let bucket = Bucket::new(&asked.bucket, region, world.now);
            world.buckets.insert(asked.bucket.clone(), bucket);
            world.touch();
            Ok(Reply::empty(200))
        }
    }
}

/// `DeleteBucket`.
pub(super) fn delete(world: &mut World, asked: &Asked, region: &str) -> Result<Reply, ApiError> {
    if !find(world, asked, region)?.objects.is_empty() {
        let message = "The bucket has objects. Please delete them first.";
        return Err(ApiError::new(409, "BucketNotEmpty", message));
    }
    world.buckets.remove(&asked.bucket);
    world.touch();
    Ok(Reply::empty(204))
}

/// `PutBucketVersioning`.
pub(super) fn put_versioning(
    world: &mut World,
    asked: &Asked,
    body: &[u8],
    region: &str,
) -> Result<Reply, ApiError> {
    let malformed = || {
        let message =
            "The XML you provided was not well-formed or did not validate against our published schema.";
        ApiError::bad_request("MalformedXML", message)
    };
    let text = std::str::from_utf8(body).map_err(|_| malformed())?;
    let wanted: VersioningConfiguration = quick_xml::de::from_str(text).map_err(|_| malformed())?;
    let wanted = wanted.status.as_deref().and_then(Versioning::of_word).ok_or_else(malformed)?;
    find(world, asked, region)?.versioning = Some(wanted);
    world.touch();
    Ok(Reply::empty(200))
}

/// `GetBucketVersioning`: of a bucket that never kept versions there is no status.
pub(super) fn versioning(world: &mut World, asked: &Asked, region: &str) -> Result<Reply, ApiError> {
    let status = find(world, asked, region)?.versioning.map(Versioning::word);
    let status = status.map(|word| format!("<Status>{word}</Status>")).unwrap_or_default();
    Ok(Reply::xml("VersioningConfiguration", &status))
}

/// The bucket that is asked for.
///
/// # Errors
/// When there is none, or it is asked for in another region than its own.
pub(super) fn find<'w>(
    world: &'w mut World,
    asked: &Asked,
    region: &str,
) -> Result<&'w mut Bucket, ApiError> {
    let bucket = world
        .buckets
        .get_mut(&asked.bucket)
        .ok_or_else(|| ApiError::not_found("NoSuchBucket", "The specified bucket does not exist."))?;
    if bucket.region == region {
        return Ok(bucket);
    }
    Err(ApiError::forbidden(
        "AccessDenied",
        "The bucket you are attempting to access must be addressed using the specified endpoint. Please send all \
         future requests to this endpoint.",
    ))
}

/// Lower-case letters, digits and hyphens, with a letter or a digit at both ends.
fn is_name(name: &str) -> bool {
    let is_plain = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit();
    NAME_LENGTH.contains(&name.len())
        && name.chars().all(|letter| is_plain(letter) || letter == '-')
        && name.starts_with(is_plain)
        && name.ends_with(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_as_the_documentation_has_them() {
        for good in ["abc", "team-state", "0a1", &"a".repeat(63)] {
            assert!(is_name(good), "{good}");
        }
        for bad in ["ab", "-ab", "ab-", "Abc", "a_b", "a.b", "", &"a".repeat(64)] {
            assert!(!is_name(bad), "{bad}");
        }
    }
}
