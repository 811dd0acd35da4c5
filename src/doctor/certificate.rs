//! The certificate of an https listener, and what the mainland asks of who serves a domain from there.

use jiff::Timestamp;

use crate::base::certificate::days_between;
use crate::base::clock;
use crate::base::ids::RegionId;
use crate::cloud::cas::{self, Certificate};
use crate::cloud::error::CloudError;
use crate::cloud::explain;
use crate::doctor::report::{CheckId, Finding, Status};
use crate::doctor::visit::{Visit, listed, unanswered};
use crate::topology::model::{self, Address};

/// Days before its end at which a certificate is warned of.
const SOON: i64 = 30;

/// Whether the certificate is there, covers the name, and lasts.
pub(super) async fn certificate(visit: &Visit<'_>) -> Finding {
    let topology = visit.topology();
    let name = topology.dns.full_name();
    let id = match &topology.load_balancer.listener.certificate {
        Some(model::Certificate::Id(id)) => id,
        // What is wrong with the files is an error of the topology, so that nothing is asked before it is mended.
        Some(model::Certificate::Files { chain, .. }) => {
            let sentence = format!("`{}` is for {name} and lasts; apply uploads it", chain.display());
            return Finding::ok(CheckId::Certificate, sentence);
        }
        Some(model::Certificate::SelfSigned) | None => {
            return Finding::warn(
                CheckId::Certificate,
                format!("apply makes one for {name} that nobody else has signed: browsers will warn of it"),
                "for others than yourself bring one along: `certificate: { file: chain.pem, key: key.pem }`",
            );
        }
    };
    match cas::certificate(visit.client, cas::number_of(id)).await {
        Ok(found) => judge(id, &found, &name, clock::now()),
        Err(error) => missing(id, &error),
    }
}

fn missing(id: &str, error: &CloudError) -> Finding {
    let finding = unanswered(CheckId::Certificate, error);
    let is_absent = matches!(error, CloudError::Refused { status, .. } if (400..500).contains(status));
    if finding.status != Status::Fail || !is_absent {
        return finding;
    }
    let next = explain::exact("ResourceNotFound.Certificate").map(explain::Explanation::next_in_general);
    let code = error.code().unwrap_or_default();
    Finding::fail(
        CheckId::Certificate,
        format!("there is no certificate {id} in the account (CAS GetUserCertificateDetail: {code})"),
        next.unwrap_or_default(),
    )
}

fn judge(id: &str, found: &Certificate, name: &str, now: Timestamp) -> Finding {
    let fail = |sentence: String, next: String| Finding::fail(CheckId::Certificate, sentence, next);
    if !found.cert_identifier.is_empty() && found.cert_identifier != id {
        return fail(
            format!("the certificate's id is {}, not {id}", found.cert_identifier),
            format!("write `certificate: {}`", found.cert_identifier),
        );
    }
    if !found.covers(name) {
        return fail(
            format!("the certificate is for {}, not for {name}", listed(found.names())),
            format!("upload a certificate for {name} in the certificate console and write its id"),
        );
    }
    let renew = format!("upload a new certificate for {name} in the certificate console and write its id");
    match days_left(found, now) {
        _ if found.expired => fail(format!("the certificate ended on {}", found.end_date), renew),
        Some(days) if days < 0 => fail(format!("the certificate ended on {}", found.end_date), renew),
        Some(days) if days < SOON => Finding::warn(
            CheckId::Certificate,
            format!("the certificate for {name} ends in {days} days"),
            renew,
        ),
        Some(days) => Finding::ok(CheckId::Certificate, format!("{id} is for {name} and lasts {days} days")),
        None => {
            Finding::warn(CheckId::Certificate, format!("{id} is for {name}; its end is not known"), renew)
        }
    }
}

/// Whole days until the certificate ends, from the exact time or else from its last day.
fn days_left(found: &Certificate, now: Timestamp) -> Option<i64> {
    let last_day = || {
        let day: Timestamp = format!("{}T00:00:00Z", found.end_date).parse().ok()?;
        Some(day.as_second())
    };
    let end = found.not_after.map(|milliseconds| milliseconds / 1000).or_else(last_day)?;
    Some(days_between(now, Timestamp::from_second(end).ok()?))
}

/// Whether a region lies on the Chinese mainland.
pub fn is_mainland(region: &RegionId) -> bool {
    region.as_str().starts_with("cn-") && region.as_str() != "cn-hongkong"
}

/// What an ICP filing means for this topology. No API tells whether a domain has one.
pub(super) fn filing(visit: &Visit<'_>) -> Finding {
    let topology = visit.topology();
    let domain = &topology.dns.domain;
    if topology.load_balancer.address == Address::Intranet {
        return Finding::ok(
            CheckId::Filing,
            "the load balancer is not open to the Internet, so no ICP filing is needed",
        );
    }
    if visit.question.is_local {
        let sentence = format!(
            "the local cloud asks for none; in the real {} {domain} needs an ICP filing",
            topology.region
        );
        return Finding::ok(CheckId::Filing, sentence);
    }
    Finding::warn(
        CheckId::Filing,
        format!(
            "{} is on the mainland: without an ICP filing of {domain} requests for that name are blocked, and no API \
             tells whether it has one",
            topology.region
        ),
        format!(
            "see beian.aliyun.com for {domain}; a filing takes weeks; regions outside the mainland, `cn-hongkong` \
             among them, need none"
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn certificate(text: &str) -> Certificate {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn a_certificate_must_be_the_one_named_cover_the_name_and_last() {
        let now: Timestamp = "2026-11-23T12:00:00Z".parse().unwrap();
        let found = certificate(
            r#"{"CertIdentifier": "7-cn-hangzhou", "Sans": "example.com", "EndDate": "2027-11-23", "NotAfter": 1811203200000}"#,
        );
        let status = |id: &str, name: &str, found: &Certificate| judge(id, found, name, now).status;
        assert_eq!(status("7-cn-hangzhou", "example.com", &found), Status::Ok);
        assert_eq!(status("7-cn-beijing", "example.com", &found), Status::Fail);
        assert_eq!(status("7-cn-hangzhou", "www.example.com", &found), Status::Fail);
        let ends = |day: &str| certificate(&format!(r#"{{"Common": "example.com", "EndDate": "{day}"}}"#));
        assert_eq!(status("7-cn-hangzhou", "example.com", &ends("2026-12-01")), Status::Warn);
        assert_eq!(status("7-cn-hangzhou", "example.com", &ends("2026-11-22")), Status::Fail);
        assert_eq!(status("7-cn-hangzhou", "example.com", &ends("")), Status::Warn);
    }

    #[test]
    fn hong_kong_is_not_the_mainland() {
        let mainland = |region: &str| is_mainland(&RegionId::new(region));
        assert!(mainland("cn-hangzhou") && !mainland("cn-hongkong") && !mainland("ap-southeast-1"));
    }
}
