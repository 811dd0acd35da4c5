//! Forwarding rules of ALB listeners: kept in their order, and changed through states.

use serde::Serialize;

use crate::plane::spec::rule::{Action, Condition, Direction};
use crate::world::World;
use crate::world::event::Event;
use crate::world::load_balancer::ListenerStatus;
use crate::world::meta::Meta;
use crate::world::pace::Step;

/// Status of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum RuleStatus {
    /// Being made.
    Provisioning,
    /// In force.
    Available,
    /// A change is under way.
    Configuring,
    /// Being deleted.
    Deleting,
}

/// One rule.
#[derive(Debug, Clone, Serialize)]
pub struct Rule {
    /// `rule-...`.
    pub id: String,
    /// `RuleName`.
    pub name: String,
    /// Its listener.
    pub listener: String,
    /// Which way it looks.
    pub direction: Direction,
    /// 1 to 10000; the lowest that matches wins.
    pub priority: u32,
    /// State.
    pub status: RuleStatus,
    /// All have to hold.
    pub conditions: Vec<Condition>,
    /// What is done, in their order.
    pub actions: Vec<Action>,
    /// Region, age, tags.
    pub meta: Meta,
}

impl Rule {
    /// The server groups its actions name, each once.
    pub fn groups(&self) -> Vec<&str> {
        let mut groups: Vec<&str> = self.actions.iter().flat_map(|action| action.kind.groups()).collect();
        groups.sort_unstable();
        groups.dedup();
        groups
    }
}

impl World {
    /// Rules of a listener, the strongest first.
    pub fn rules_of<'a>(&'a self, listener: &'a str) -> Vec<&'a Rule> {
        let mut rules: Vec<&Rule> = self.rules.values().filter(|rule| rule.listener == listener).collect();
        rules.sort_by_key(|rule| (rule.priority, &rule.id));
        rules
    }

    /// Lets a rule pass through one state; its listener and its groups take no other change meanwhile.
    pub fn move_rule(&mut self, id: &str, through: RuleStatus) {
        let Some(rule) = self.rules.get_mut(id) else {
            return;
        };
        rule.status = through;
        let (listener, groups) = (rule.listener.clone(), rule.groups().into_iter().map(str::to_owned));
        let groups: Vec<String> = groups.collect();
        for group in groups {
            self.configure_server_group(&group);
        }
        if let Some(settled) = self.listeners.get(&listener).map(|listener| listener.status) {
            self.move_listener(&listener, ListenerStatus::Configuring, settled);
        }
        self.schedule(Step::Listener, Event::RuleSettled(id.to_owned()));
    }

    pub(super) fn rule_settled(&mut self, id: &str) {
        let Some(rule) = self.rules.get_mut(id) else {
            return;
        };
        match rule.status {
            RuleStatus::Deleting => drop(self.rules.remove(id)),
            RuleStatus::Provisioning | RuleStatus::Configuring | RuleStatus::Available => {
                rule.status = RuleStatus::Available;
            }
        }
    }
}
