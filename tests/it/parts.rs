//! Parts of the machine that a test needs. One that is missing fails the test under CI and is told by name elsewhere.

use std::io::Write;

/// Whether a test has to be skipped for want of `redis-server`.
pub(crate) fn lacks_redis(test: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).any(|folder| folder.join("redis-server").is_file());
    if !found {
        missing(test, "redis-server is not installed");
    }
    !found
}

/// Says past the test harness, which keeps what passing tests print to itself, that a test is skipped.
///
/// # Panics
/// Under CI, where nothing may be skipped.
pub(crate) fn missing(test: &str, reason: &str) {
    assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "{test}: {reason}");
    let line = format!("skipped: {test}: {reason}\n");
    std::io::stderr().write_all(line.as_bytes()).expect("standard error is open");
}
