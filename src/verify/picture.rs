//! What a chatroom is made of, as far as a picture of it needs that, and the pictures: one file each.

mod dot;
mod mermaid;
mod svg;

use super::check::{CheckId, Status};
use super::report::Report;

/// A part of the picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// What people call it.
    pub name: String,
    /// Its addresses, one a line.
    pub addresses: Vec<String>,
}

/// A node and what the load balancer finds of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodePart {
    /// The node.
    pub part: Part,
    /// Whether the load balancer sends it traffic; why not where it does not.
    pub standing: Result<(), String>,
}

/// A chatroom from its clients to Redis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// What people open in a browser.
    pub url: String,
    /// Where the clients of the proof connected from.
    pub clients: Vec<String>,
    /// The name and what it is an alias of.
    pub name: Part,
    /// The load balancer.
    pub balancer: Part,
    /// The nodes.
    pub nodes: Vec<NodePart>,
    /// Redis, where there is one.
    pub redis: Option<Part>,
    /// Machines that are none of these.
    pub others: Vec<Part>,
}

/// How the parts of a picture are; each node knows that itself.
#[derive(Debug, Clone, Copy)]
pub(super) struct Standings {
    pub(super) clients: Standing,
    pub(super) name: Standing,
    pub(super) balancer: Standing,
    pub(super) redis: Standing,
}

impl Picture {
    fn clients(&self) -> Part {
        let addresses = self.clients.iter().map(|one| format!("from {one}")).collect();
        Part { name: "clients".to_owned(), addresses }
    }

    /// All parts, each with a word of its own for notations in which parts are named.
    fn parts(&self) -> Vec<(String, Part)> {
        let front =
            [("clients", self.clients()), ("name", self.name.clone()), ("balancer", self.balancer.clone())];
        let mut parts = front.map(|(word, part)| (word.to_owned(), part)).to_vec();
        let nodes = self.nodes.iter().map(|node| node.part.clone());
        parts.extend((1..).zip(nodes).map(|(number, part)| (format!("node{number}"), part)));
        parts.extend(self.redis.iter().map(|part| ("redis".to_owned(), part.clone())));
        parts.extend((1..).zip(&self.others).map(|(number, part)| (format!("other{number}"), part.clone())));
        parts
    }

    /// Which part leads to which, by their words.
    fn ways(&self) -> Vec<(String, String)> {
        let mut ways =
            vec![("clients".to_owned(), "name".to_owned()), ("name".to_owned(), "balancer".to_owned())];
        for node in (1..=self.nodes.len()).map(|number| format!("node{number}")) {
            ways.push(("balancer".to_owned(), node.clone()));
            ways.extend(self.redis.iter().map(|_| (node.clone(), "redis".to_owned())));
        }
        ways
    }
}

impl Part {
    /// All it says, one a line.
    fn lines(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&self.name).chain(&self.addresses).map(String::as_str)
    }
}

/// How a part of the picture is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    Good,
    Bad,
    Unknown,
}

impl Standing {
    /// How something is whose state these checks tell: bad when one of them failed at it, unknown when none was made.
    pub(super) fn by(report: &Report, ids: &[CheckId]) -> Self {
        let of = |status| {
            let mut checks = report.checks.iter().filter(|check| ids.contains(&check.id));
            checks.any(|check| check.status == status && !check.was_not_reached())
        };
        match (of(Status::Failed), of(Status::Passed)) {
            (true, _) => Self::Bad,
            (false, true) => Self::Good,
            (false, false) => Self::Unknown,
        }
    }

    pub(super) fn of_node(node: &NodePart) -> Self {
        if node.standing.is_ok() { Self::Good } else { Self::Bad }
    }

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Good => "well",
            Self::Bad => "ill",
            Self::Unknown => "not known",
        }
    }

    /// The class of its style.
    pub(super) fn class(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Bad => "bad",
            Self::Unknown => "unknown",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check_of, report_of};
    use super::*;

    #[test]
    fn a_part_is_as_its_checks_say() {
        let of = |checks: &[(CheckId, Status, &str)]| {
            let checks =
                checks.iter().map(|(id, status, sentence)| check_of(*id, *status, sentence)).collect();
            Standing::by(&report_of(checks), &[CheckId::MessageAToB, CheckId::RedisPath])
        };
        let good = (CheckId::MessageAToB, Status::Passed, "good");
        assert_eq!(of(&[good]), Standing::Good);
        assert_eq!(of(&[good, (CheckId::RedisPath, Status::Failed, "two were lost")]), Standing::Bad);
        let behind = (CheckId::RedisPath, Status::Failed, "not reached because dns.cname failed");
        assert_eq!(of(&[behind]), Standing::Unknown);
        assert_eq!(of(&[]), Standing::Unknown);
    }
}
