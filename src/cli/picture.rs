//! What a picture of a chatroom needs: its parts and where they are, as the topology says it or as they are, with what
//! the load balancer finds of the nodes.

use std::net::SocketAddr;

use crate::base::ids::InstanceName;
use crate::cli::failure::Failure;
use crate::cli::session::Session;
use crate::cloud::alb::{self, BackendServer, NonNormalServer};
use crate::resource::observed::Output;
use crate::resource::{Kind, ResourceAddress};
use crate::topology::model::{Address, Reach, RedisPlace, Topology, VSwitch};
use crate::verify::{NodePart, Part, Picture, Scenario};

/// The chatroom of a session that knows the outputs of its resources.
///
/// # Errors
/// When the cloud does not say how the nodes are.
pub(super) async fn of(session: &Session, scenario: &Scenario) -> Result<Picture, Failure> {
    let topology = &session.topology;
    let balancer = ResourceAddress::only(Kind::LoadBalancer);
    let front = front(topology);
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
        others: Vec::new(),
    })
}

/// The chatroom of a topology, whether it is there or not.
pub(super) fn planned(topology: &Topology) -> Picture {
    let balancer = &topology.load_balancer;
    let from = match balancer.address {
        Address::Internet => "from the Internet",
        Address::Intranet => "from the VPC",
    };
    let redirect = balancer.redirect_from.map(|port| format!("http {port}, redirected"));
    let places = balancer.vswitches.iter().map(|name| format!("vSwitch {name}"));
    let nodes =
        topology.node.on.iter().map(|name| NodePart { part: machine(topology, name), standing: Ok(()) });
    let redis = redis_name(topology).map(|name| Part { name, addresses: redis_places(topology) });
    Picture {
        url: topology.url(),
        clients: Vec::new(),
        name: Part {
            name: topology.dns.full_name(),
            addresses: vec!["CNAME of the load balancer".to_owned()],
        },
        balancer: Part {
            name: "load balancer".to_owned(),
            addresses: std::iter::once(format!("{} {from}", front(topology)))
                .chain(redirect)
                .chain(places)
                .collect(),
        },
        nodes: nodes.collect(),
        redis,
        others: others(topology),
    }
}

/// Machines that run neither a node nor Redis.
fn others(topology: &Topology) -> Vec<Part> {
    let of_redis = match &topology.redis.place {
        RedisPlace::OnHost(hosted) => Some(&hosted.on),
        RedisPlace::Managed(_) | RedisPlace::Absent => None,
    };
    let names = topology.instances.keys();
    let names = names.filter(|name| !topology.node.on.contains(name) && of_redis != Some(*name));
    names.map(|name| machine(topology, name)).collect()
}

/// A machine, where it is and how it is reached.
fn machine(topology: &Topology, name: &InstanceName) -> Part {
    let found = topology.instances.get(name).map(|instance| {
        let reach = match &instance.reach {
            Reach::Public => "public address".to_owned(),
            Reach::Via(jump) => format!("via {jump}"),
        };
        let vswitch = topology.vswitches.get(&instance.vswitch);
        [vec![format!("vSwitch {}", instance.vswitch)], vswitch.map(place).unwrap_or_default(), vec![reach]]
            .concat()
    });
    Part { name: name.to_string(), addresses: found.unwrap_or_default() }
}

fn place(vswitch: &VSwitch) -> Vec<String> {
    vec![vswitch.zone.to_string(), vswitch.cidr.to_string()]
}

fn front(topology: &Topology) -> String {
    let listener = &topology.load_balancer.listener;
    format!("{} {}", listener.protocol.scheme(), listener.port)
}

/// None where there is none.
fn redis_name(topology: &Topology) -> Option<String> {
    match &topology.redis.place {
        RedisPlace::OnHost(hosted) => Some(format!("Redis on {}", hosted.on)),
        RedisPlace::Managed(_) => Some("managed Redis".to_owned()),
        RedisPlace::Absent => None,
    }
}

fn redis_places(topology: &Topology) -> Vec<String> {
    let port = format!("port {}", topology.redis.port);
    let place = match &topology.redis.place {
        RedisPlace::OnHost(hosted) => machine(topology, &hosted.on).addresses,
        RedisPlace::Managed(managed) => vec![managed.class.clone(), format!("vSwitch {}", managed.vswitch)],
        RedisPlace::Absent => Vec::new(),
    };
    [vec![port], place].concat()
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

fn redis(session: &Session) -> Option<Part> {
    let redis = &session.topology.redis;
    let addresses = match &redis.place {
        RedisPlace::OnHost(hosted) => {
            let address = ResourceAddress::new(Kind::Instance, &hosted.on);
            known(session, &address, &[Output::PrivateAddress])
        }
        RedisPlace::Managed(_) => {
            let address = ResourceAddress::only(Kind::RedisInstance);
            known(session, &address, &[Output::DnsName])
        }
        RedisPlace::Absent => Vec::new(),
    };
    let addresses = addresses.into_iter().map(|address| with_port(&address, redis.port)).collect();
    Some(Part { name: redis_name(&session.topology)?, addresses })
}

fn with_port(address: &str, port: u16) -> String {
    address.parse().map_or_else(|_| format!("{address}:{port}"), |ip| SocketAddr::new(ip, port).to_string())
}

fn known(session: &Session, address: &ResourceAddress, outputs: &[Output]) -> Vec<String> {
    let output = |output: &Output| session.provider.known.output(address, *output);
    outputs.iter().filter_map(output).filter(|value| !value.is_empty()).collect()
}
