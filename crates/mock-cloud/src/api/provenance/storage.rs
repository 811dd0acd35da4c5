//! Where the behaviours of object storage come from.

use super::Source::{Documented, Guessed, Sdk};
use super::{Row, row};

/// Every behaviour of the calls that a shared state needs.
pub(super) const ROWS: &[Row] = &[
    row("oss.signature-v4", Sdk, "V4 signatures of headers are checked; the payload is UNSIGNED-PAYLOAD"),
    row(
        "oss.signature-v1",
        Documented,
        "V1 is not taken any more, as by every bucket made since September 2025",
    ),
    row("oss.signature-v1-code", Guessed, "its refusal is AccessDenied, 403"),
    row("oss.signature-v2", Guessed, "neither is V2, nor a signature in the query"),
    row("oss.time-window", Documented, "time stamps are accepted within 15 minutes: RequestTimeTooSkewed"),
    row(
        "oss.token-codes",
        Guessed,
        "a wrong token is InvalidSecurityToken, an ended one SecurityTokenExpired",
    ),
    row("oss.path-style", Sdk, "buckets are named in the path, as the SDKs do with an address of digits"),
    row(
        "oss.forbid-overwrite",
        Documented,
        "x-oss-forbid-overwrite: an object that is there gives 409 FileAlreadyExists",
    ),
    row("oss.forbid-versions", Documented, "it has no effect in a bucket that keeps or kept versions"),
    row("oss.versioning-none", Documented, "a bucket that never kept versions has no Status"),
    row("oss.versions-kept", Guessed, "only the newest version can be read"),
    row(
        "oss.other-region",
        Documented,
        "a bucket asked for in another region is AccessDenied, with a sentence about endpoints",
    ),
    row(
        "oss.lists",
        Documented,
        "ListObjectsV2 in the order of keys: 100 rows unless told, 1000 at most, no lag",
    ),
    row("oss.list-token", Guessed, "a continuation token is the last key"),
    row("oss.put-again", Documented, "making a bucket of one's own again changes nothing"),
    row("oss.rest", Guessed, "all other calls, ranges and conditions are NotImplemented or ignored"),
    row("oss.permissions", Guessed, "RAM user and sessions may do everything; buckets have no policies"),
];
