//! What a picture of a chatroom needs: its parts, their addresses, and what the load balancer finds of the nodes.

use std::net::SocketAddr;

use crate::base::ids::InstanceName;
use crate::cli::failure::Failure;
use crate::cli::session::Session;
use crate::cloud::alb::{self, BackendServer, NonNormalServer};
use crate::resource::observed::Output;
use crate::resource::{Kind, ResourceAddress};
use crate::topology::model::RedisPlace;
use crate::verify::{NodePart, Part, Picture, Scenario};

/// The chatroom of a session that knows the outputs of its resources.
///
/// # Errors
/// When the cloud does not say how the nodes are.
pub(super) async fn of(session: &Session, scenario: &Scenario) -> Result<Picture, Failure> {
    let topology = &session.topology;
    let balancer = ResourceAddress::only(Kind::LoadBalancer);
    let listener = &topology.load_balancer.listener;
    let front = format!("{} {}", listener.protocol.scheme(), listener.port);
    let public = known(session, &balancer, &[Output::PublicAddress]);
    Ok(Picture {
        url: topology.url(),
        clients: scenario.sources.iter().map(ToString::to_string).collect(),
        name: Part {
            name: topology.dns.full_name(),
            addresses: vec![scenario.expected_cname.trim_end_matches('.').to_owned()],
        },
        balancer: Part { name: "load balancer".to_owned(), addresses: [vec![front], public].concat() },
        nodes: nodes(session).await?,
        redis: redis(session),
    })
}

async fn nodes(session: &Session) -> Result<Vec<NodePart>, Failure> {
    let known = &session.provider.known;
    let client = &session.provider.client;
    let missing = alb::unhealthy_servers(client, &known.only(Kind::Listener)?).await?.unwrap_or_default();
    let servers = alb::servers(client, &known.only(Kind::ServerGroup)?).await?;
    Ok(session.topology.node.on.iter().map(|name| node(session, name, &servers, &missing)).collect())
}

fn node(
    session: &Session,
    name: &InstanceName,
    servers: &[BackendServer],
    missing: &[NonNormalServer],
) -> NodePart {
    let address = ResourceAddress::new(Kind::Instance, name);
    let id = session.provider.known.output(&address, Output::Id).unwrap_or_default();
    let standing = match missing.iter().find(|server| server.server_id == id) {
        Some(server) if server.reason.reason_code.is_empty() => Err(server.status.clone()),
        Some(server) => Err(server.reason.reason_code.clone()),
        None if servers.iter().any(|server| server.server_id.as_str() == id) => Ok(()),
        None => Err("not in the server group".to_owned()),
    };
    let addresses = known(session, &address, &[Output::PrivateAddress, Output::PublicAddress]);
    NodePart { part: Part { name: name.to_string(), addresses }, standing }
}

fn redis(session: &Session) -> Part {
    let redis = &session.topology.redis;
    let (name, addresses) = match &redis.place {
        RedisPlace::OnHost(hosted) => {
            let address = ResourceAddress::new(Kind::Instance, &hosted.on);
            (format!("Redis on {}", hosted.on), known(session, &address, &[Output::PrivateAddress]))
        }
        RedisPlace::Managed(_) => {
            let address = ResourceAddress::only(Kind::RedisInstance);
            ("managed Redis".to_owned(), known(session, &address, &[Output::DnsName]))
        }
        RedisPlace::Absent => ("none".to_owned(), Vec::new()),
    };
    Part { name, addresses: addresses.into_iter().map(|address| with_port(&address, redis.port)).collect() }
}

fn with_port(address: &str, port: u16) -> String {
    address.parse().map_or_else(|_| format!("{address}:{port}"), |ip| SocketAddr::new(ip, port).to_string())
}

fn known(session: &Session, address: &ResourceAddress, outputs: &[Output]) -> Vec<String> {
    let output = |output: &Output| session.provider.known.output(address, *output);
    outputs.iter().filter_map(output).filter(|value| !value.is_empty()).collect()
}
