//! A node that is away for a while, and what its clients do.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio_util::sync::CancellationToken;

use super::room::{Away, Behaviour, Crossing};
use super::{alias, check, failed, scenario};
use crate::verify::{Check, CheckId, Means, Outage, Report, Scenario, Status, run};

/// Takes nodes of a room away.
struct Switch {
    away: Away,
    begun: AtomicUsize,
    ended: AtomicUsize,
    /// Whether what is said to be away goes on serving.
    is_lie: bool,
    refuses: bool,
    said_stop: CancellationToken,
}

impl Switch {
    fn of(behaviour: &Behaviour) -> Self {
        Self {
            away: behaviour.away.clone(),
            begun: AtomicUsize::new(0),
            ended: AtomicUsize::new(0),
            is_lie: false,
            refuses: false,
            said_stop: CancellationToken::new(),
        }
    }

    fn counts(&self) -> (usize, usize) {
        (self.begun.load(Ordering::SeqCst), self.ended.load(Ordering::SeqCst))
    }
}

impl Outage for Switch {
    fn begin<'a>(&'a self, node: &'a str) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(async move {
            self.begun.fetch_add(1, Ordering::SeqCst);
            if self.refuses {
                return Err("no".to_owned());
            }
            if !self.is_lie {
                self.away.send_replace(Some(node.to_owned()));
            }
            Ok(())
        })
    }

    fn end<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(async move {
            self.ended.fetch_add(1, Ordering::SeqCst);
            self.away.send_replace(None);
            Ok(())
        })
    }

    fn interrupted(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.said_stop.cancelled())
    }
}

async fn with(scenario: &Scenario, switch: &Switch) -> Report {
    run(scenario, Means { inquirer: None, outage: Some(switch) }, &|_: &Check| {}).await
}

#[tokio::test]
async fn clients_of_a_node_that_stops_move_and_it_comes_back() {
    let behaviour = Behaviour::default();
    let switch = Switch::of(&behaviour);
    let report = with(&scenario(behaviour, alias()).await, &switch).await;
    assert_eq!(failed(&report), [""; 0], "{report:#?}");
    assert_eq!(switch.counts(), (1, 1));
    let failover = check(&report, CheckId::Failover);
    assert!(failover.sentence.starts_with("a client of ecs02 talked on ecs01 "), "{failover:?}");
    assert_eq!(failover.evidence["moved_to"], "ecs01");
}

#[tokio::test]
async fn it_is_started_again_when_nobody_finds_a_place_and_when_somebody_says_stop() {
    // Messages of the one who moved do not cross, so it never talks.
    let behaviour = Behaviour { crossing: Crossing::NotOfMoved, ..Behaviour::default() };
    let switch = Switch::of(&behaviour);
    let report = with(&scenario(behaviour, alias()).await, &switch).await;
    assert_eq!((failed(&report), switch.counts()), (vec!["failover"], (1, 1)), "{report:#?}");
    let failover = check(&report, CheckId::Failover);
    assert!(failover.sentence.contains("likely layer: Redis, or the nodes that stay"), "{failover:?}");

    let behaviour = Behaviour::default();
    let switch = Switch { is_lie: true, ..Switch::of(&behaviour) };
    let scenario = scenario(behaviour, alias()).await;
    let stop = async {
        while switch.counts().0 == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        switch.said_stop.cancel();
    };
    let (report, ()) = tokio::join!(with(&scenario, &switch), stop);
    assert_eq!((failed(&report), switch.counts()), (vec!["failover"], (1, 1)), "{report:#?}");
    assert!(check(&report, CheckId::Failover).sentence.contains("but somebody said stop"));
}

#[tokio::test]
async fn a_node_that_cannot_be_stopped_is_started_all_the_same() {
    let behaviour = Behaviour::default();
    let switch = Switch { refuses: true, ..Switch::of(&behaviour) };
    let report = with(&scenario(behaviour, alias()).await, &switch).await;
    assert_eq!((failed(&report), switch.counts()), (vec!["failover"], (1, 1)), "{report:#?}");
    assert!(check(&report, CheckId::Failover).sentence.contains("ecs02 could not be stopped (no)"));
}

#[tokio::test]
async fn nothing_is_stopped_where_nobody_said_so_or_nobody_is_left() {
    let behaviour = Behaviour { nodes: vec!["ecs01"], ..Behaviour::default() };
    let switch = Switch::of(&behaviour);
    let report = with(&scenario(behaviour, alias()).await, &switch).await;
    assert_eq!(switch.counts(), (0, 0));
    assert_eq!(check(&report, CheckId::Failover).sentence, "not reached because nodes.differ failed");
    let quiet = super::report(&scenario(Behaviour::default(), alias()).await).await;
    assert_eq!(check(&quiet, CheckId::Failover).status, Status::Skipped);
}
