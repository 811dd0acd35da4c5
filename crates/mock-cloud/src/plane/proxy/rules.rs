//! The forwarding rules of a listener: which one counts for a request, and which for its answer.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use hyper::http::request::Parts;
use hyper::http::response;

use crate::plane::proxy::action::{self, Step};
use crate::plane::proxy::condition::{Answered, Asked, Prepared, prepare};
use crate::plane::proxy::front::Client;
use crate::plane::proxy::group::Group;
use crate::plane::proxy::setting::Setting;
use crate::plane::spec::rule::{Direction, ForwardRule};

/// The rules, the strongest first.
pub(super) struct Rules {
    requests: Vec<Rule>,
    answers: Vec<Rule>,
}

/// One rule, ready to be asked.
pub(super) struct Rule {
    asked: Vec<Asked>,
    answered: Vec<Answered>,
    pub(super) steps: Vec<Step>,
}

impl Rules {
    pub(super) fn new(rules: &[ForwardRule], groups: &BTreeMap<String, Arc<Group>>) -> Self {
        let of = |direction| {
            let own = rules.iter().filter(|rule| rule.direction == direction);
            own.map(|rule| Rule::new(rule, groups)).collect()
        };
        Self { requests: of(Direction::Request), answers: of(Direction::Response) }
    }

    /// The rule that a request meets; the first that holds.
    pub(super) fn of_request(&self, head: &Parts, client: IpAddr) -> Option<&Rule> {
        self.requests.iter().find(|rule| rule.holds(head, client))
    }

    /// The rules that the answer to a request may meet.
    pub(super) fn of_answer(&self, head: &Parts, client: IpAddr) -> Vec<&Rule> {
        self.answers.iter().filter(|rule| rule.holds(head, client)).collect()
    }
}

impl Rule {
    fn new(rule: &ForwardRule, groups: &BTreeMap<String, Arc<Group>>) -> Self {
        let (mut asked, mut answered) = (Vec::new(), Vec::new());
        for condition in &rule.conditions {
            match prepare(condition) {
                Prepared::Asked(condition) => asked.push(condition),
                Prepared::Answered(condition) => answered.push(condition),
            }
        }
        let steps = rule.actions.iter().filter_map(|action| Step::new(action, groups)).collect();
        Self { asked, answered, steps }
    }

    fn holds(&self, head: &Parts, client: IpAddr) -> bool {
        self.asked.iter().all(|condition| condition.holds(head, client))
    }
}

/// Does to an answer what the first of these rules says that holds for it.
pub(super) fn change_answer(rules: &[&Rule], head: &mut response::Parts, client: &Client, setting: &Setting) {
    let holds = |rule: &&&Rule| rule.answered.iter().all(|own| own.holds(head.status, &head.headers));
    let Some(rule) = rules.iter().find(holds) else { return };
    for step in &rule.steps {
        match step {
            Step::Insert { name, value, replaces } => {
                action::insert(&mut head.headers, (name, value, *replaces), (client, setting));
            }
            Step::Remove(name) => drop(head.headers.remove(name)),
            Step::Forward(_)
            | Step::Redirect(..)
            | Step::Answer { .. }
            | Step::Rewrite { .. }
            | Step::Limit(_) => {}
        }
    }
}
