//! What a refusal is taken for, and where a bucket is asked. `tests/it/teams.rs` has the rest, against an emulated region.

use reqwest::header::HeaderMap;

use super::*;
use crate::cloud::http::Answer;

fn answer(status: u16, body: &str) -> Answer {
    let headers = HeaderMap::from_iter([("x-oss-request-id".parse().unwrap(), "5C3D".parse().unwrap())]);
    Answer { status, headers, body: body.as_bytes().to_vec() }
}

fn refusal(code: &str, message: &str) -> String {
    format!("<?xml version=\"1.0\"?>\n<Error><Code>{code}</Code><Message>{message}</Message></Error>")
}

#[test]
fn a_bucket_has_a_host_of_its_own_or_a_place_in_the_path() {
    let official = StorageHost::OfBuckets("https://oss-cn-hangzhou.aliyuncs.com/".parse().unwrap());
    let local = StorageHost::OneAddress("http://127.0.0.1:8080/".parse().unwrap());
    let url = |host| bucket_url(host, "team", Some("versioning")).to_string();
    assert_eq!(url(&official), "https://team.oss-cn-hangzhou.aliyuncs.com/?versioning");
    assert_eq!(url(&local), "http://127.0.0.1:8080/team/?versioning");
}

#[test]
fn each_refusal_says_what_to_do_about_it() {
    let elsewhere = "The bucket you are attempting to access must be addressed using the specified endpoint.";
    for (status, code, message, sentence, help) in [
        (404, "NoSuchBucket", "", "there is no bucket `team`", "make the bucket `team`"),
        (
            403,
            "AccessDenied",
            "You have no right.",
            "OSS: AccessDenied: You have no right.",
            "albatross policy FILE",
        ),
        (
            403,
            "InvalidAccessKeyId",
            "No such key.",
            "OSS: InvalidAccessKeyId: No such key.",
            "albatross policy FILE",
        ),
        (403, "AccessDenied", elsewhere, "the bucket `team` is in another region", "?region=REGION"),
        (400, "InvalidArgument", "No.", "OSS: InvalidArgument: No.", "later"),
    ] {
        let attempt = Attempt::refused("team", &answer(status, &refusal(code, message)));
        assert!(!attempt.passes, "{code}");
        assert_eq!(attempt.error.to_string(), sentence);
        assert!(attempt.error.hint().unwrap().contains(help), "{:?}", attempt.error.hint());
        assert_eq!((attempt.error.code(), attempt.error.request_id()), (Some(code), Some("5C3D")));
    }
}

#[test]
fn what_passes_is_tried_again_and_what_the_reader_knows_is_handed_on() {
    for status in [500, 503, 429] {
        assert!(Attempt::refused("team", &answer(status, "")).passes, "{status}");
    }
    for (status, code, is_handed_on) in [
        (404, "NoSuchKey", true),
        (409, "FileAlreadyExists", true),
        (404, "NoSuchBucket", false),
        (409, "BucketAlreadyExists", false),
        (403, "AccessDenied", false),
    ] {
        assert_eq!(error::is_for_the_reader(&answer(status, &refusal(code, ""))), is_handed_on, "{code}");
    }
}

/// OpenDAL wraps what the carrier says, and only lends it out.
#[test]
fn an_attempt_comes_through_as_it_was() {
    let refused = Attempt::refused("team", &answer(503, &refusal("ServiceUnavailable", "Later.")));
    let through = Attempt::from(refused.into_opendal().with_context("layer", "another"));
    assert!(through.passes);
    assert_eq!(through.error.to_string(), "OSS: ServiceUnavailable: Later.");
}
