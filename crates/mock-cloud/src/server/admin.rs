//! What is not part of the cloud: status, world, calls, console, faults and shutdown, under `/_mock/`.

use std::sync::Arc;

use hyper::body::Incoming;
use hyper::{Method, Request, StatusCode};
use serde_json::{Value, json};

use crate::plane::spec::Status;
use crate::server::Cloud;
use crate::server::faults::Wish;
use crate::server::http::{HttpReply, read_body, text};
use crate::wire::encoding::decode_pairs;
use crate::world::World;

const JSON: &str = "application/json";

impl Cloud {
    /// Answers an admin request.
    pub(super) async fn administer(self: &Arc<Self>, request: Request<Incoming>) -> HttpReply {
        if !self.admits(&request) {
            let sentence =
                json!({"error": "the header x-mock-token with the admin token of the ready line is needed"});
            return text(StatusCode::UNAUTHORIZED, JSON, sentence.to_string());
        }
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        match (method, path.as_str()) {
            (Method::GET, "/_mock/status") => json_reply(&self.status()),
            (Method::GET, "/_mock/world") => json_reply(&self.world()),
            (Method::GET, "/_mock/calls") => text(StatusCode::OK, "application/x-ndjson", self.log.read()),
            (Method::GET, "/_mock/console") => {
                text(StatusCode::OK, "text/html; charset=utf-8", include_str!("console.html").to_owned())
            }
            (Method::POST, "/_mock/faults") => self.add_faults(request).await,
            (Method::POST, "/_mock/shutdown") => {
                self.stop_soon();
                json_reply(&json!({"stopping": true}))
            }
            _ => text(StatusCode::NOT_FOUND, JSON, json!({"error": "there is no such endpoint"}).to_string()),
        }
    }

    fn admits(&self, request: &Request<Incoming>) -> bool {
        let header = request.headers().get("x-mock-token").and_then(|value| value.to_str().ok());
        let query = decode_pairs(request.uri().query().unwrap_or_default());
        let parameter = query.iter().find(|(name, _)| name == "token").map(|(_, value)| value.as_str());
        header.or(parameter) == Some(self.admin_token.as_str())
    }

    /// The reply has to leave before the process does.
    fn stop_soon(self: &Arc<Self>) {
        let cloud = Arc::clone(self);
        tokio::spawn(async move {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            cloud.stop.notify_one();
        });
    }

    async fn add_faults(&self, request: Request<Incoming>) -> HttpReply {
        let Ok(body) = read_body(request.into_body()).await;
        match serde_json::from_slice::<Vec<Wish>>(&body) {
            Ok(wishes) => {
                let count = wishes.len();
                let mut state = self.lock();
                state.faults.add(wishes);
                self.tell_plane(&mut state);
                json_reply(&json!({"faults": count}))
            }
            Err(error) => {
                let sentence = format!("the faults cannot be read: {error}");
                text(StatusCode::BAD_REQUEST, JSON, json!({"error": sentence}).to_string())
            }
        }
    }

    fn world(&self) -> Value {
        let state = self.lock();
        let mut world = serde_json::to_value(WorldView(&state.world)).unwrap_or_default();
        world["pace"] = json!(self.options.pace.as_str());
        world
    }

    fn status(self: &Arc<Self>) -> Value {
        let plane = self.plane.status();
        let calls = self.log.counts();
        let mut state = self.lock();
        // Reading the report takes its news away from the time keeper, so they are taken in here.
        state.world.observe(&plane);
        self.settle(&mut state);
        let world = &state.world;
        let census = world.census();
        let connect_to =
            plane.connect_to.iter().map(|(from, to)| json!({"from": from, "to": to.to_string()}));
        json!({
            "endpoint": self.endpoint,
            "dns": self.plane.dns().to_string(),
            "console": self.console(),
            "region": self.options.region,
            "hosts_mode": self.hosts_word(),
            "pace": self.options.pace.as_str(),
            "account": {"id": world.account.id, "access_key_id": world.account.access_key_id},
            "connect_to": connect_to.collect::<Vec<_>>(),
            "hosts": hosts(world, &plane),
            "resources": census.values().sum::<usize>(),
            "resources_by_kind": census,
            "calls": calls,
        })
    }
}

fn hosts(world: &World, plane: &Status) -> Vec<Value> {
    let mut instances: Vec<_> = world.instances.values().collect();
    instances.sort_by_key(|instance| (instance.meta.created, &instance.name, &instance.id));
    let hosts = instances.into_iter().map(|instance| {
        let host = plane.hosts.get(&instance.id);
        json!({
            "id": instance.id,
            "name": instance.name,
            "private_address": instance.private_address,
            "public_address": instance.public_address,
            "status": instance.status,
            "processes": host.map(|host| host.processes.clone()).unwrap_or_default(),
        })
    });
    hosts.collect()
}

/// The world with key pairs as a list: JSON has no pairs as names.
struct WorldView<'a>(&'a World);

impl serde::Serialize for WorldView<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap as _;
        let world = self.0;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("now", &world.now)?;
        map.serialize_entry("account", &world.account)?;
        map.serialize_entry("vpcs", &world.vpcs)?;
        map.serialize_entry("vswitches", &world.vswitches)?;
        map.serialize_entry("security_groups", &world.security_groups)?;
        map.serialize_entry("key_pairs", &world.key_pairs.values().collect::<Vec<_>>())?;
        map.serialize_entry("instances", &world.instances)?;
        map.serialize_entry("network_interfaces", &world.network_interfaces)?;
        map.serialize_entry("eips", &world.eips)?;
        map.serialize_entry("load_balancers", &world.load_balancers)?;
        map.serialize_entry("listeners", &world.listeners)?;
        map.serialize_entry("server_groups", &world.server_groups)?;
        map.serialize_entry("jobs", &world.jobs)?;
        map.serialize_entry("domains", &world.domains)?;
        map.serialize_entry("records", &world.records)?;
        map.serialize_entry("redis_instances", &world.redis_instances)?;
        map.serialize_entry("certificates", &world.certificates)?;
        map.serialize_entry("invocations", &world.invocations)?;
        map.end()
    }
}

fn json_reply(value: &Value) -> HttpReply {
    text(StatusCode::OK, JSON, value.to_string())
}
