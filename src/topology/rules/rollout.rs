//! Rules of roll-outs: how many nodes are away at once, and how long a release may take until it counts.

use crate::topology::duration::Seconds;
use crate::topology::findings::{Finding, Findings};
use crate::topology::places::path;
use crate::topology::resolve::{DEFAULT_HEALTHY_DEADLINE, DEFAULT_MIN_HEALTHY_TIME};
use crate::topology::schema::Document;

/// The longest of both times.
const LONGEST: Seconds = Seconds::new(3600);

/// Runs the rules of this file.
pub(super) fn check(document: &Document, findings: &mut Findings<'_>) {
    parallel(document, findings);
    times(document, findings);
}

fn parallel(document: &Document, findings: &mut Findings<'_>) {
    let Some(number) = document.node.rollout.max_parallel else { return };
    let nodes = document.node.on.len();
    let most = i64::try_from(nodes).unwrap_or(i64::MAX).saturating_sub(1).max(1);
    if !(1..=most).contains(&number) {
        let cause = match nodes {
            0 | 1 => "there is one node".to_owned(),
            nodes => format!("of {nodes} nodes one at least has to stay, and one has to go"),
        };
        findings.at_value(
            &path("node.rollout.max_parallel"),
            Finding {
                code: "rollout-parallel",
                message: format!("{number} nodes cannot be away at once"),
                cause,
                help: if most == 1 {
                    "write `max_parallel: 1`, or leave it out".to_owned()
                } else {
                    format!("write a number from 1 to {most}")
                },
            },
        );
    }
}

fn times(document: &Document, findings: &mut Findings<'_>) {
    let rollout = &document.node.rollout;
    let healthy = rollout.min_healthy_time.unwrap_or(DEFAULT_MIN_HEALTHY_TIME);
    let of_app = document.app.as_ref().and_then(|app| app.health.within);
    if of_app.is_some_and(|within| within.count() == 0 || within > LONGEST) {
        // That is told where it is written.
        return;
    }
    let deadline = rollout.healthy_deadline.or(of_app).unwrap_or(DEFAULT_HEALTHY_DEADLINE);
    if healthy < deadline && deadline <= LONGEST {
        return;
    }
    let (place, cause) = if of_app.is_some() {
        ("app.health.within", format!("it would have to count after {deadline}"))
    } else if deadline > LONGEST {
        ("node.rollout.healthy_deadline", format!("{deadline} is longer than {LONGEST}"))
    } else if rollout.healthy_deadline.is_some() {
        ("node.rollout.healthy_deadline", format!("it would have to count after {deadline}"))
    } else {
        ("node.rollout.min_healthy_time", format!("it has to count after {deadline}"))
    };
    findings.at_value(
        &path(place),
        Finding {
            code: "rollout-time",
            message: format!("a release that must have been ready for {healthy} never counts"),
            cause,
            help: if of_app.is_some() {
                "make `app.health.within` longer than `node.rollout.min_healthy_time`".to_owned()
            } else {
                "make `healthy_deadline` longer than `min_healthy_time`, and 1h at most".to_owned()
            },
        },
    );
}
