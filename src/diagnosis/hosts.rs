//! Asks the hosts over SSH, all at once: the units, what they said last, and whether Redis answers from each node.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

use super::LIMIT;
use super::facts::{Asked, HostFacts, Node};
use super::subject::{NodeSubject, RedisSubject, Subject};
use crate::deploy::vitals::{self, Vitals};
use crate::ssh::Session;

/// How long Redis may take to answer. Its way is inside one region.
const REDIS: Duration = Duration::from_secs(3);

/// Asks all hosts.
pub(super) async fn ask(subject: &Subject<'_>) -> HostFacts {
    let nodes = join_all(subject.wanted.nodes.iter().map(|node| async move {
        let asked = in_time(node_of(subject, node)).await;
        (node.name.clone(), asked.unwrap_or_else(|why| Node::unasked(&why)))
    }));
    let (nodes, redis) = tokio::join!(nodes, redis(subject));
    HostFacts { nodes: nodes.into_iter().collect::<BTreeMap<_, _>>(), redis }
}

async fn in_time<T>(question: impl Future<Output = Asked<T>>) -> Asked<T> {
    timeout(LIMIT, question).await.unwrap_or_else(|_| Err(format!("no answer within {} s", LIMIT.as_secs())))
}

async fn node_of(subject: &Subject<'_>, node: &NodeSubject) -> Asked<Node> {
    let session = subject.door.open(&node.name).await?;
    let (vitals, readiness, redis) = tokio::join!(
        vitals::node(&*session),
        readiness(&session, node),
        redis_from(&session, &subject.wanted.redis)
    );
    Ok(Node { vitals: vitals.map_err(|error| error.to_string()), readiness, redis })
}

async fn readiness(session: &Session, node: &NodeSubject) -> Asked<Result<(), String>> {
    let Some(address) = node.address else { return Err("its address is not known".to_owned()) };
    let path = &node.health_path;
    let answer = vitals::readiness(session, (address, node.port), path).await;
    answer.map(|ready| ready.map_err(|why| format!("{path} says {why}"))).map_err(|error| error.to_string())
}

async fn redis(subject: &Subject<'_>) -> Option<Asked<Vitals>> {
    let RedisSubject::OnHost { name, .. } = &subject.wanted.redis else { return None };
    Some(
        in_time(async {
            let session = subject.door.open(name).await?;
            vitals::redis(&*session).await.map_err(|error| error.to_string())
        })
        .await,
    )
}

/// Whether Redis answers a connection that leaves through a node's host. What it answers does not matter: without the
/// password that is a refusal, and just as alive.
async fn redis_from(session: &Session, redis: &RedisSubject) -> Asked<Result<(), String>> {
    let (address, port) = match redis {
        RedisSubject::OnHost { address, port, .. } => (address, port),
        RedisSubject::Managed { .. } => {
            return Err("a managed Redis answers inside the VPC only; see what the node says".to_owned());
        }
        RedisSubject::Absent => return Err("the topology has no Redis".to_owned()),
    };
    let Some(address) = address else { return Err("its address is not known".to_owned()) };
    let late = || format!("no answer from {address}:{port} within {} s", REDIS.as_secs());
    Ok(timeout(REDIS, greet(session, *address, *port)).await.unwrap_or_else(|_| Err(late())))
}

async fn greet(session: &Session, address: Ipv4Addr, port: u16) -> Result<(), String> {
    let stream = session.tunnel(IpAddr::V4(address), port).await;
    let mut stream = stream.map_err(|error| error.to_string())?;
    let place = format!("{address}:{port}");
    let mut answer = [0; 1];
    let asked = async {
        stream.write_all(b"PING\r\n").await?;
        stream.read(&mut answer).await
    };
    match asked.await {
        Ok(1) if matches!(answer[0], b'+' | b'-') => Ok(()),
        Ok(0) => Err(format!("{place} closes the connection")),
        Ok(_) => Err(format!("{place} is not Redis")),
        Err(error) => Err(format!("{place}: {error}")),
    }
}
