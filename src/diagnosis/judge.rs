//! Which layers are asked about after which check, and in which order: what a client met first comes last, since what
//! stands deeper shows there, too.

use super::facts::Facts;
use super::subject::Wanted;
use super::suspects::{self as of, Case};
use crate::verify::{CheckId, Diagnosis, Failed};

type Suspect = fn(&Case<'_>) -> Option<Diagnosis>;

/// What is asked when the name does not lead where it should.
const NAMES: &[Suspect] = &[of::record, of::delegation, of::kept_answer, of::balancer];
/// When there is no TLS, or not the right one.
const SECURITY: &[Suspect] = &[of::balancer, of::listener, of::certificate];
/// When nobody gets in.
const ENTRY: &[Suspect] = &[
    of::balancer,
    of::listener,
    of::group,
    of::instance,
    of::unit,
    of::closed_to_balancer,
    of::silent_host,
    of::health,
    of::redis,
    of::way_to_redis,
    of::unready,
    of::filing,
];
/// When somebody got in, and what was said did not arrive.
const TALK: &[Suspect] = &[
    of::redis,
    of::closed_to_nodes,
    of::way_to_redis,
    of::unready,
    of::instance,
    of::unit,
    of::silent_host,
    of::health,
    of::group,
    of::listener,
    of::doubtful_way_to_redis,
];
/// When not each node gets traffic.
const SPREAD: &[Suspect] = &[
    of::group,
    of::instance,
    of::unit,
    of::closed_to_balancer,
    of::silent_host,
    of::health,
    of::redis,
    of::way_to_redis,
    of::unready,
    of::listener,
];
/// When one who polls is led to another node.
const STICKINESS: &[Suspect] = &[
    of::stickiness,
    of::redis,
    of::closed_to_nodes,
    of::way_to_redis,
    of::group,
    of::instance,
    of::unit,
    of::silent_host,
    of::health,
    of::unready,
];
/// When one who is silent is cut off.
const SILENCE: &[Suspect] =
    &[of::timeouts, of::listener, of::instance, of::unit, of::silent_host, of::health];

fn suspects(check: CheckId) -> &'static [Suspect] {
    match check {
        CheckId::DnsCname => NAMES,
        CheckId::TlsValid | CheckId::HttpRedirects => SECURITY,
        CheckId::PageLoads | CheckId::WebsocketUpgrade | CheckId::HttpAnswers | CheckId::WebsocketEcho => {
            ENTRY
        }
        CheckId::Welcome
        | CheckId::UsernameRequired
        | CheckId::UsernameSet
        | CheckId::MessageAToB
        | CheckId::MessageBToA
        | CheckId::RedisPath
        | CheckId::LeaveAnnounced => TALK,
        CheckId::NodesDiffer | CheckId::NodesAll | CheckId::Failover => SPREAD,
        CheckId::PollingSticky => STICKINESS,
        CheckId::IdleSurvives => SILENCE,
    }
}

/// All that is wrong and may explain the failure, the likeliest first.
pub(super) fn judge(wanted: &Wanted, facts: &Facts, failed: Failed<'_>) -> Vec<Diagnosis> {
    let case = Case { wanted, facts, failed };
    suspects(failed.check).iter().filter_map(|suspect| suspect(&case)).collect()
}
