//! What was checked, with what outcome, and what to do about it.

use serde::Serialize;

/// A check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum CheckId {
    /// Credentials were found.
    Credentials,
    /// The endpoint answers.
    Endpoint,
    /// This machine's clock is right.
    Clock,
    /// The cloud knows who calls.
    Identity,
    /// The account can use the region.
    Region,
    /// The zones exist, for machines and for load balancers.
    Zones,
    /// The network that the topology names by id is there.
    Network,
    /// Every instance can have one of its types.
    Stock,
    /// Every image family has an image.
    Image,
    /// The account may have so many processors.
    Quota,
    /// The cloud would make the instances.
    Instances,
    /// The cloud would make the load balancer; its role is there.
    Balancer,
    /// The certificate is there, fits and lasts.
    Certificate,
    /// The account has the domain.
    Domain,
    /// Nothing stands in the way of the record.
    Record,
    /// The world asks the account's name servers.
    NameServers,
    /// What the mainland asks of who serves a domain from there.
    Filing,
}

impl CheckId {
    /// All of them in the order they are made.
    pub const ALL: [Self; 17] = [
        Self::Credentials,
        Self::Endpoint,
        Self::Clock,
        Self::Identity,
        Self::Region,
        Self::Zones,
        Self::Network,
        Self::Stock,
        Self::Image,
        Self::Quota,
        Self::Instances,
        Self::Balancer,
        Self::Certificate,
        Self::Domain,
        Self::Record,
        Self::NameServers,
        Self::Filing,
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Credentials => "credentials",
            Self::Endpoint => "endpoint",
            Self::Clock => "clock",
            Self::Identity => "identity",
            Self::Region => "region",
            Self::Zones => "zones",
            Self::Network => "network",
            Self::Stock => "stock",
            Self::Image => "image",
            Self::Quota => "quota",
            Self::Instances => "instances",
            Self::Balancer => "balancer",
            Self::Certificate => "certificate",
            Self::Domain => "domain",
            Self::Record => "record",
            Self::NameServers => "name_servers",
            Self::Filing => "filing",
        }
    }

    /// Checks without which this one says nothing.
    pub fn needs(self) -> &'static [Self] {
        match self {
            Self::Credentials => &[],
            Self::Endpoint => &[Self::Credentials],
            Self::Clock => &[Self::Endpoint],
            Self::Identity => &[Self::Clock],
            Self::Region | Self::Certificate | Self::Domain | Self::Filing => &[Self::Identity],
            Self::Zones | Self::Network | Self::Image => &[Self::Region],
            Self::Stock => &[Self::Zones],
            Self::Balancer => &[Self::Zones, Self::Network],
            Self::Quota => &[Self::Stock],
            Self::Instances => &[Self::Network, Self::Stock, Self::Image],
            Self::Record | Self::NameServers => &[Self::Domain],
        }
    }
}

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// As it should be.
    Ok,
    /// It works, but somebody should know.
    Warn,
    /// Apply would fail, or what it makes would not work.
    Fail,
    /// It could not be asked, and nothing is known.
    NotAsked,
    /// A check it depends on failed.
    NotReached,
}

impl Status {
    /// As people read it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
            Self::NotAsked => "not asked",
            Self::NotReached => "not reached",
        }
    }
}

/// One line of the report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The check.
    pub check: CheckId,
    /// How it came out.
    pub status: Status,
    /// What was found, or why nothing was.
    pub sentence: String,
    /// What to type or click next.
    pub next: Option<String>,
}

impl Finding {
    /// As it should be.
    pub fn ok(check: CheckId, sentence: impl Into<String>) -> Self {
        Self { check, status: Status::Ok, sentence: sentence.into(), next: None }
    }

    /// It works, but somebody should know.
    pub fn warn(check: CheckId, sentence: impl Into<String>, next: impl Into<String>) -> Self {
        Self { check, status: Status::Warn, sentence: sentence.into(), next: Some(next.into()) }
    }

    /// It does not work.
    pub fn fail(check: CheckId, sentence: impl Into<String>, next: impl Into<String>) -> Self {
        Self { check, status: Status::Fail, sentence: sentence.into(), next: Some(next.into()) }
    }

    /// It could not be asked.
    pub fn not_asked(check: CheckId, reason: impl Into<String>) -> Self {
        Self { check, status: Status::NotAsked, sentence: reason.into(), next: None }
    }

    /// With what to type or click next.
    #[must_use]
    pub fn with_next(self, next: impl Into<String>) -> Self {
        Self { next: Some(next.into()), ..self }
    }
}

/// Everything that was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// In the order it was found.
    pub findings: Vec<Finding>,
}

impl Report {
    /// How many findings have a status.
    pub fn count(&self, status: Status) -> usize {
        self.findings.iter().filter(|finding| finding.status == status).count()
    }

    /// Whether nothing failed. What was not asked is no failure, and no success either.
    pub fn is_good(&self) -> bool {
        self.count(Status::Fail) == 0
    }

    /// The first finding that failed.
    pub fn first_failure(&self) -> Option<&Finding> {
        self.findings.iter().find(|finding| finding.status == Status::Fail)
    }

    /// A check that keeps `check` from being made.
    pub(super) fn obstacle(&self, check: CheckId) -> Option<CheckId> {
        let blocks = |finding: &&Finding| matches!(finding.status, Status::Fail | Status::NotReached);
        let mut blocking = self.findings.iter().filter(blocks).map(|finding| finding.check);
        blocking.find(|blocking| check.needs().contains(blocking))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_check_needs_is_made_before_it() {
        for (index, check) in CheckId::ALL.into_iter().enumerate() {
            for needed in check.needs() {
                let place = CheckId::ALL.into_iter().position(|other| other == *needed);
                assert!(place.is_some_and(|place| place < index), "{} needs {}", check.name(), needed.name());
            }
        }
    }

    #[test]
    fn only_failures_stand_in_the_way() {
        let mut report = Report::default();
        report.findings.push(Finding::not_asked(CheckId::Zones, "no permission"));
        assert_eq!(report.obstacle(CheckId::Stock), None);
        assert!(report.is_good());
        report.findings.push(Finding::fail(CheckId::Stock, "none", "write another"));
        assert_eq!(report.obstacle(CheckId::Instances), Some(CheckId::Stock));
        assert!(!report.is_good());
    }
}
