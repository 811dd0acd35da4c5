//! Objects: written, perhaps only where none is yet, read, removed.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::oss::buckets::find;
use crate::oss::{Asked, Reply};
use crate::wire::ApiError;
use crate::wire::http::Head;
use crate::world::World;
use crate::world::bucket::{Object, Versioning};

/// Bytes that a key may have.
const LONGEST_KEY: usize = 1023;

/// `PutObject`. With `x-oss-forbid-overwrite: true` an object that is there stays as it is, unless its bucket keeps or
/// kept versions: there the header has no effect.
pub(super) fn put(
    world: &mut World,
    asked: &Asked,
    (head, body): (&Head, &[u8]),
    region: &str,
) -> Result<Reply, ApiError> {
    let forbids = forbids_overwrite(head)?;
    check_key(&asked.key)?;
    let version = {
        let bucket = find(world, asked, region)?;
        if forbids && bucket.versioning.is_none() && bucket.objects.contains_key(&asked.key) {
            let message = "The object you specified already exists and can not be overwritten.";
            return Err(ApiError::new(409, "FileAlreadyExists", message));
        }
        bucket.versioning
    };
    let version = version.map(|versioning| match versioning {
        Versioning::Enabled => world.ids.make("CAEQ", &asked.key, 28),
        Versioning::Suspended => "null".to_owned(),
    });
    let object = Object::new(body.to_vec(), world.now, version);
    check_digest(head, &object)?;
    let reply = Reply::empty(200).with_object(&object);
    find(world, asked, region)?.objects.insert(asked.key.clone(), object);
    world.touch();
    Ok(reply)
}

/// `GetObject` and `HeadObject`.
pub(super) fn get(world: &mut World, asked: &Asked, region: &str) -> Result<Reply, ApiError> {
    let object = find(world, asked, region)?
        .objects
        .get(&asked.key)
        .ok_or_else(|| ApiError::not_found("NoSuchKey", "The specified key does not exist."))?;
    Ok(Reply::content(object.content.to_vec()).with_object(object))
}

/// `DeleteObject`: to remove what is not there is no mistake.
pub(super) fn delete(world: &mut World, asked: &Asked, region: &str) -> Result<Reply, ApiError> {
    if find(world, asked, region)?.objects.remove(&asked.key).is_some() {
        world.touch();
    }
    Ok(Reply::empty(204))
}

fn forbids_overwrite(head: &Head) -> Result<bool, ApiError> {
    match head.header("x-oss-forbid-overwrite") {
        None | Some("false") => Ok(false),
        Some("true") => Ok(true),
        Some(_) => {
            let message = "The x-oss-forbid-overwrite header is invalid: it is true or false.";
            Err(ApiError::bad_request("InvalidArgument", message))
        }
    }
}

fn check_key(key: &str) -> Result<(), ApiError> {
    let is_good = (1..=LONGEST_KEY).contains(&key.len()) && !key.starts_with(['/', '\\']);
    if is_good {
        Ok(())
    } else {
        Err(ApiError::bad_request("InvalidObjectName", "The specified object is not valid."))
    }
}

fn check_digest(head: &Head, object: &Object) -> Result<(), ApiError> {
    let Some(given) = head.header("content-md5") else { return Ok(()) };
    let matches = STANDARD.decode(given).is_ok_and(|digest| hex::encode_upper(digest) == object.etag);
    if matches {
        Ok(())
    } else {
        Err(ApiError::bad_request("InvalidDigest", "The Content-MD5 you specified was invalid."))
    }
}
