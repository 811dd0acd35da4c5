"""Object storage: what a shared state asks of it, asked by the official SDK for Python."""

import time

import oss2
from oss2 import models

from harness.check import equal
from harness.process import REGION
from harness.registry import case


def bucket_of(stage, name="conformance-state", region=REGION, **keys):
    """A bucket as the SDK sees it, signed with version 4."""
    address = stage.instant.address
    auth = oss2.AuthV4(keys.get("key", address.access_key_id), keys.get("secret", address.access_key_secret))
    return oss2.Bucket(auth, f"http://{address.host}", name, region=region)


def made(stage, name="conformance-state"):
    """A bucket that is there."""
    bucket = bucket_of(stage, name)
    bucket.create_bucket()
    return bucket


def refusal(call):
    """Status and code of a call that ought to be refused."""
    try:
        call()
    except oss2.exceptions.ServerError as error:
        assert error.request_id, "a refusal has a request id"
        return error.status, error.code
    raise AssertionError("it was not refused")


FORBID = {"x-oss-forbid-overwrite": "true"}


@case
def an_object_is_written_read_and_removed(stage):
    bucket = made(stage)
    key = "a b/ü+1"
    written = bucket.put_object(key, b"one\n", headers={"Content-MD5": "W79aUjKOdDmubnGd/nEiAA=="})
    equal("status", written.status, 200)
    read = bucket.get_object(key)
    equal("content", read.read(), b"one\n")
    equal("etag", read.etag, "5BBF5A52328E7439AE6E719DFE712200")
    head = bucket.head_object(key)
    equal("length", head.content_length, 4)
    assert abs(head.last_modified - time.time()) < 60, "it was written just now"
    bucket.delete_object(key)
    equal("absent", refusal(lambda: bucket.get_object(key)), (404, "NoSuchKey"))


@case
def an_object_that_is_there_is_not_written_over_when_that_is_forbidden(stage):
    bucket = made(stage)
    bucket.put_object("lock/1", b"ada", headers=FORBID)
    equal("the second", refusal(lambda: bucket.put_object("lock/1", b"ben", headers=FORBID)), (409, "FileAlreadyExists"))
    equal("content", bucket.get_object("lock/1").read(), b"ada")
    bucket.put_object("lock/1", b"ben")
    equal("content", bucket.get_object("lock/1").read(), b"ben")
    odd = refusal(lambda: bucket.put_object("lock/2", b"", headers={"x-oss-forbid-overwrite": "perhaps"}))
    equal("neither true nor false", odd, (400, "InvalidArgument"))
    bucket.delete_object("lock/1")


@case
def a_bucket_that_keeps_or_kept_versions_forbids_nothing(stage):
    bucket = made(stage, "conformance-versions")
    equal("never", bucket.get_bucket_versioning().status, None)
    for status in ["Enabled", "Suspended"]:
        bucket.put_bucket_versioning(models.BucketVersioningConfig(status))
        equal("status", bucket.get_bucket_versioning().status, status)
        bucket.put_object("lock/1", b"ada", headers=FORBID)
        version = bucket.put_object("lock/1", b"ben", headers=FORBID).versionid
        equal("it has a version", version == "null", status == "Suspended")
        equal("content", bucket.get_object("lock/1").read(), b"ben")
    bucket.delete_object("lock/1")


@case
def a_list_goes_page_by_page_from_where_it_is_told(stage):
    bucket = made(stage, "conformance-lists")
    keys = [f"journal/{number:04}" for number in range(1, 8)]
    for key in [*keys, "lock/0001"]:
        bucket.put_object(key, key)
    first = bucket.list_objects_v2(prefix="journal/", start_after="journal/0002", max_keys=3)
    equal("a page", [one.key for one in first.object_list], keys[2:5])
    equal("more", first.is_truncated, True)
    second = bucket.list_objects_v2(prefix="journal/", continuation_token=first.next_continuation_token, max_keys=3)
    equal("the rest", [one.key for one in second.object_list], keys[5:])
    equal("no more", second.is_truncated, False)
    equal("sizes", {one.size for one in second.object_list}, {12})
    whole = bucket.list_objects_v2(delimiter="/")
    equal("folders", whole.prefix_list, ["journal/", "lock/"])
    equal("in use", refusal(bucket.delete_bucket), (409, "BucketNotEmpty"))
    for key in [*keys, "lock/0001"]:
        bucket.delete_object(key)
    bucket.delete_bucket()
    equal("gone", refusal(lambda: bucket.list_objects_v2()), (404, "NoSuchBucket"))


@case
def who_is_not_known_or_signs_otherwise_is_refused(stage):
    made(stage)
    wrong = bucket_of(stage, secret="wrong")
    equal("the secret", refusal(lambda: wrong.get_bucket_versioning()), (403, "SignatureDoesNotMatch"))
    unknown = bucket_of(stage, key="nobody")
    equal("the key", refusal(lambda: unknown.get_bucket_versioning()), (403, "InvalidAccessKeyId"))
    absent = bucket_of(stage, "conformance-absent")
    equal("the bucket", refusal(lambda: absent.get_bucket_versioning()), (404, "NoSuchBucket"))
    address = stage.instant.address
    old = oss2.Bucket(oss2.Auth(address.access_key_id, address.access_key_secret), f"http://{address.host}",
                      "conformance-state")
    equal("version 1", refusal(lambda: old.get_bucket_versioning()), (403, "AccessDenied"))
