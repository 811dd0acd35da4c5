//! What one line of the stream has, by its type. `docs/events.md` has the same table; a test compares the two.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::base::ids::{RegionId, StackName};
use crate::plan::Summary;
use crate::plan::graph::Verb;
use crate::resource::ResourceAddress;

/// A line.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum Line<'a> {
    /// The first one: what is spoken here.
    Version { contract: u32, program: &'static str, command: &'static str },
    /// A sentence for people.
    Notice { text: &'a str },
    /// What an earlier command had begun is finished.
    Recovered { resent: usize, settled: usize },
    /// What others have changed.
    Drift { drift: Value, foreign: Value },
    /// What will be done.
    Plan {
        stack: &'a StackName,
        region: &'a RegionId,
        changes: Summary,
        operations: usize,
        calls: usize,
        #[serde(serialize_with = "in_seconds")]
        expected_seconds: Duration,
        partly_guessed: bool,
    },
    /// What will be done on hosts, where that was asked for.
    Rehearsed { hosts: Value },
    /// A hook begins.
    Hook { moment: &'static str, number: usize, command: &'a [String] },
    /// A hook printed a line.
    HookOutput { moment: &'static str, number: usize, stream: &'static str, text: &'a str },
    /// Work on a resource began.
    Started {
        address: &'a ResourceAddress,
        verb: Verb,
        action: &'static str,
        #[serde(serialize_with = "in_seconds_if_known")]
        expected_seconds: Option<Duration>,
    },
    /// A word about how far it is.
    Noted { address: &'a ResourceAddress, text: &'a str },
    /// It waits.
    Waiting {
        address: &'a ResourceAddress,
        condition: &'static str,
        state: &'a str,
        #[serde(serialize_with = "in_seconds")]
        seconds: Duration,
    },
    /// Work on a resource ended well.
    Finished {
        address: &'a ResourceAddress,
        verb: Verb,
        id: Option<&'a str>,
        #[serde(serialize_with = "in_seconds")]
        seconds: Duration,
    },
    /// The cloud goes on with it; the next command waits for it.
    Left {
        address: &'a ResourceAddress,
        condition: &'static str,
        #[serde(serialize_with = "in_seconds")]
        seconds: Duration,
    },
    /// Work on a resource failed; an `error` says why.
    Failed {
        address: &'a ResourceAddress,
        #[serde(serialize_with = "in_seconds")]
        seconds: Duration,
    },
    /// What became of the plan, and where the time went.
    Summary {
        done: usize,
        failed: usize,
        under_way: usize,
        not_begun: usize,
        #[serde(serialize_with = "in_seconds")]
        seconds: Duration,
        longest: &'a [Timing],
        critical_path: &'a [Timing],
    },
    /// What others need to know of the stack.
    Outputs { outputs: BTreeMap<String, String> },
    /// What the cloud still has of what was to go.
    Remaining { kept: usize, left: &'a [String] },
    /// Why the command did not succeed, or a part of it.
    Error {
        message: &'a str,
        causes: Vec<String>,
        code: Option<&'a str>,
        resource: Option<&'a str>,
        request_id: Option<&'a str>,
        hint: Option<&'a str>,
        file: Option<&'a str>,
        line: Option<usize>,
        column: Option<usize>,
        exit_code: u8,
    },
    /// Nothing else was said for a while; the command is at work.
    Heartbeat {},
    /// The last one: how the command ended.
    End {
        exit_code: u8,
        means: &'static str,
        #[serde(serialize_with = "in_seconds")]
        seconds: Duration,
    },
}

/// How long one operation took.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Timing {
    pub(crate) address: ResourceAddress,
    pub(crate) verb: Verb,
    #[serde(serialize_with = "in_seconds")]
    pub(crate) seconds: Duration,
    #[serde(serialize_with = "in_seconds_if_known")]
    pub(crate) expected_seconds: Option<Duration>,
}

/// Seconds with their thousandths.
fn in_seconds<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64((duration.as_secs_f64() * 1000.0).round() / 1000.0)
}

#[expect(clippy::ref_option, reason = "serde hands fields over so")]
fn in_seconds_if_known<S: Serializer>(duration: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    match duration {
        Some(duration) => in_seconds(duration, serializer),
        None => serializer.serialize_none(),
    }
}
