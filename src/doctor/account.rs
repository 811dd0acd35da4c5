//! Who calls, whether the cloud answers, whether the clock is right, and what the account may have.

use tokio::time::Instant;

use crate::base::ids::InstanceName;
use crate::cloud::error::CloudError;
use crate::cloud::vpc::Selection;
use crate::cloud::{catalogue, ecs, explain, sts};
use crate::doctor::certificate::is_mainland;
use crate::doctor::report::{CheckId, Finding};
use crate::doctor::visit::{Visit, in_words, listed, refused, unanswered};
use crate::resource::ownership::STACK_TAG;

/// Seconds a clock may be off without a word: less is within what the `Date` header can say.
const EXACT: i64 = 5;
/// Seconds it may be off without a warning.
const CLOSE: i64 = 60;
/// Seconds it may be off at all: the gateway's window.
const WINDOW: i64 = 15 * 60;

const SET_CLOCK: &str = "set this machine's clock, for example with `timedatectl set-ntp true`";

/// The credentials that were found.
pub(super) async fn credentials(visit: &Visit<'_>) -> Finding {
    let Some(credentials) = visit.client.credentials() else {
        return Finding::not_asked(CheckId::Credentials, "calls are not signed");
    };
    match credentials.current().await {
        Ok(keys) => Finding::ok(
            CheckId::Credentials,
            format!("access key {}, from: {}", keys.access_key_id, credentials.source()),
        ),
        Err(error) => {
            let sentence = with_causes(format!("{}: {error}", credentials.source()), &error);
            Finding::fail(CheckId::Credentials, sentence, error.hint().unwrap_or_default())
        }
    }
}

/// Sends the first call, whose outcome the next checks judge: any answer of the API is an answer.
pub(super) async fn endpoint(visit: &mut Visit<'_>) -> Finding {
    let begun = Instant::now();
    let outcome = sts::caller_identity(visit.client).await;
    let took = begun.elapsed().as_millis();
    let finding = match &outcome {
        Ok(_) | Err(CloudError::Refused { .. }) => Finding::ok(
            CheckId::Endpoint,
            format!("{} answers in {took} ms", visit.client.endpoint().label()),
        ),
        Err(error) => {
            Finding { sentence: with_causes(in_words(error), error), ..refused(CheckId::Endpoint, error) }
        }
    };
    visit.identity = Some(outcome);
    finding
}

fn with_causes(told: String, error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(told, |text, cause| format!("{text}: {cause}"))
}

/// How far this machine's clock is off.
pub(super) fn clock(visit: &Visit<'_>) -> Finding {
    let refused_for_time = matches!(&visit.identity, Some(Err(error)) if error.code().is_some_and(|code| code.starts_with("InvalidTimeStamp")));
    match visit.client.clock_skew() {
        Some(skew) => judge_clock(skew, refused_for_time),
        None if refused_for_time => Finding::fail(
            CheckId::Clock,
            "the cloud says that this machine's clock is off by more than 15 minutes",
            SET_CLOCK,
        ),
        None => Finding::not_asked(CheckId::Clock, "the cloud's answer has no date"),
    }
}

fn judge_clock(skew: i64, refused_for_time: bool) -> Finding {
    let side = if skew > 0 { "behind" } else { "ahead of" };
    let off = skew.abs();
    let sentence = format!("this machine's clock is {off} s {side} the cloud's");
    if refused_for_time || off > WINDOW {
        let sentence = format!("{sentence}; calls that are {WINDOW} s off are refused");
        return Finding::fail(CheckId::Clock, sentence, SET_CLOCK);
    }
    if off > CLOSE {
        return Finding::warn(CheckId::Clock, sentence, SET_CLOCK);
    }
    let exact = format!("this machine's clock and the cloud's agree to within {EXACT} s");
    Finding::ok(CheckId::Clock, if off <= EXACT { exact } else { sentence })
}

/// Who the cloud says is calling.
pub(super) fn identity(visit: &Visit<'_>) -> Finding {
    match &visit.identity {
        Some(Ok(identity)) => {
            let who = if identity.arn.is_empty() { String::new() } else { format!(" as {}", identity.arn) };
            Finding::ok(CheckId::Identity, format!("account {}{who}", identity.account_id))
        }
        Some(Err(error)) => refused(CheckId::Identity, error),
        None => Finding::not_asked(CheckId::Identity, "no call was made"),
    }
}

const MOST_CPUS: &str = "max-postpaid-instance-vcpu-count";
const USED_CPUS: &str = "used-postpaid-instance-vcpu-count";
const MOST_GROUPS: &str = "max-security-groups";
const VERIFIED: &str = "real-name-authentication";

/// Whether the account may have so many processors and one more security group, and whether its owner is verified where
/// that is asked for.
pub(super) async fn quota(visit: &mut Visit<'_>) -> Vec<Finding> {
    let found =
        catalogue::account_attributes(visit.client, &[MOST_CPUS, USED_CPUS, MOST_GROUPS, VERIFIED]).await;
    let attributes = match found {
        Ok(attributes) => attributes,
        Err(error) => return vec![unanswered(CheckId::Quota, &error)],
    };
    let number = |name: &str| attributes.get(name).and_then(|text| text.parse::<u32>().ok());
    let mut findings = vec![processors(visit, number(MOST_CPUS), number(USED_CPUS))];
    findings.extend(security_groups(visit, number(MOST_GROUPS)).await);
    let unverified = attributes.get(VERIFIED).is_some_and(|state| state == "none");
    if unverified && is_mainland(&visit.topology().region) {
        let next = explain::exact("RealNameAuthenticationError").map(explain::Explanation::next_in_general);
        findings.push(Finding::fail(
            CheckId::Quota,
            "the account's owner has not been verified, which the mainland asks for",
            next.unwrap_or_default(),
        ));
    }
    findings
}

fn processors(visit: &Visit<'_>, most: Option<u32>, used: Option<u32>) -> Finding {
    let open = visit.without_type();
    if !open.is_empty() {
        let names = listed(open.into_iter().map(InstanceName::as_str));
        let reason = format!("which type {names} would get is not known, see `{}`", CheckId::Stock.name());
        return Finding::not_asked(CheckId::Quota, reason);
    }
    if let Some(error) = &visit.types_refused {
        return unanswered(CheckId::Quota, error);
    }
    let types = visit.chosen.values().map(|name| visit.types.get(name).map(|(_, processors)| *processors));
    let Some(needed) = types.sum::<Option<u32>>() else {
        return Finding::not_asked(CheckId::Quota, "the processors of the instance types are not known");
    };
    let (Some(most), Some(used)) = (most, used) else {
        return Finding::not_asked(
            CheckId::Quota,
            "the cloud does not say how many processors the account may have",
        );
    };
    let sentence = format!("{needed} vCPUs are needed; {used} of {most} are used");
    if used.saturating_add(needed) <= most {
        return Finding::ok(CheckId::Quota, sentence);
    }
    let region = &visit.topology().region;
    Finding::fail(
        CheckId::Quota,
        sentence,
        format!(
            "raise the vCPU quota for `{region}` in the quota center (quotas.console.aliyun.com), or write smaller \
             types under `instances`"
        ),
    )
}

/// Nothing to say when no group is to be made: the topology names one, or the stack has its own.
async fn security_groups(visit: &Visit<'_>, most: Option<u32>) -> Option<Finding> {
    let topology = visit.topology();
    if topology.security_group.is_some() {
        return None;
    }
    let own = ecs::security_groups(visit.client, Selection::Tag(STACK_TAG, topology.stack.as_str())).await;
    let used = match own {
        Ok(own) if !own.is_empty() => return None,
        Ok(_) => catalogue::security_group_count(visit.client).await,
        Err(error) => Err(error),
    };
    Some(match (used, most) {
        (Err(error), _) => unanswered(CheckId::Quota, &error),
        (Ok(used), Some(most)) => judge_groups(used, most, topology.region.as_str()),
        (Ok(_), None) => {
            let reason = "the cloud does not say how many security groups the account may have";
            Finding::not_asked(CheckId::Quota, reason)
        }
    })
}

fn judge_groups(used: u32, most: u32, region: &str) -> Finding {
    let sentence = format!("1 security group is needed; {used} of {most} are used");
    if used < most {
        return Finding::ok(CheckId::Quota, sentence);
    }
    let next = format!(
        "raise the security group quota for `{region}` in the quota center (quotas.console.aliyun.com), delete one \
         that is not used, or name one under `network.security_group`"
    );
    Finding::fail(CheckId::Quota, sentence, next)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::report::Status;

    #[test]
    fn one_more_security_group_must_be_free() {
        let last = judge_groups(99, 100, "cn-hangzhou");
        assert_eq!(
            (last.status, last.sentence.as_str()),
            (Status::Ok, "1 security group is needed; 99 of 100 are used")
        );
        assert_eq!(judge_groups(100, 100, "cn-hangzhou").status, Status::Fail);
    }

    #[test]
    fn a_clock_is_judged_by_the_window_of_the_gateway() {
        let status = |skew| judge_clock(skew, false).status;
        assert_eq!([status(0), status(-5), status(30), status(-30)], [Status::Ok; 4]);
        assert_eq!([status(61), status(-900)], [Status::Warn; 2]);
        assert_eq!([status(901), judge_clock(800, true).status], [Status::Fail; 2]);
        assert!(judge_clock(1200, false).sentence.contains("1200 s behind"));
        assert!(judge_clock(-1200, false).sentence.contains("1200 s ahead of"));
    }
}
