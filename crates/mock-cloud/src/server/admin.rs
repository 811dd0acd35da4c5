//! What is not part of the cloud: status, world, calls, the region at a glance, faults, stock, clock and shutdown, under `/_mock/`.
//! Effects and gates are beside it, in `admin_gates`.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::plane::spec::Status;
use crate::server::connection::HttpReply;
use crate::server::faults;
use crate::server::http::text;
use crate::server::{Cloud, now};
use crate::wire::encoding::decode_pairs;
use crate::wire::http::Request;
use crate::world::World;
use crate::world::meta::timestamp;
use crate::world::view::WorldView;

const JSON: &str = "application/json";

/// An instance type that a zone has none of.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SoldOut {
    zone: String,
    instance_type: String,
}

/// What somebody wants to read of a host.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct LogsWish {
    host: String,
    after: Option<String>,
}

/// How long an answer waits for a fault to be in force, or to be undone.
const IN_FORCE_LIMIT: Duration = Duration::from_secs(10);

/// Ten years.
const LONGEST_PASS_SECONDS: i64 = 315_360_000;

impl Cloud {
    /// Answers an admin request.
    pub(super) async fn administer(self: &Arc<Self>, request: &Request) -> HttpReply {
        if !self.admits(request) {
            return complaint(
                401,
                "the header x-mock-token with the admin token of the ready line is needed",
            );
        }
        match (request.head.method.as_str(), request.head.path.as_str()) {
            ("GET", "/_mock/status") => json_reply(&self.status()),
            ("GET", "/_mock/world") => json_reply(&self.world()),
            ("GET", "/_mock/transitions") => text(200, "application/x-ndjson", self.transitions()),
            ("GET", "/_mock/calls") => text(200, "application/x-ndjson", self.log.read()),
            ("POST", "/_mock/logs") => self.logs(&request.body).await,
            ("GET", "/_mock/region") => self.region_at_a_glance(),
            ("GET", "/_mock/faults") => self.pending_faults(),
            ("POST", "/_mock/faults") => self.add_faults(&request.body).await,
            ("DELETE", "/_mock/faults") => self.clear_faults().await,
            ("DELETE", path) if path.starts_with("/_mock/faults/") => self.lift_fault(path).await,
            ("POST", "/_mock/stock") => self.sell_out(&request.body),
            ("POST", "/_mock/clock") => self.pass_time(&request.body),
            (_, "/_mock/effects" | "/_mock/gates") => self.administer_gates(request),
            (_, path) if path.starts_with("/_mock/gates/") => self.administer_gate(request).await,
            ("POST", "/_mock/shutdown") => {
                self.stop_soon();
                json_reply(&json!({"stopping": true}))
            }
            _ => complaint(404, "there is no such endpoint"),
        }
    }

    fn admits(&self, request: &Request) -> bool {
        let header = request.head.header("x-mock-token");
        let query = decode_pairs(&request.head.query);
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

    /// Lets time pass in the world, not for signatures: transitions come to their end, temporary keys expire.
    fn pass_time(self: &Arc<Self>, body: &[u8]) -> HttpReply {
        let wish: Option<Value> = serde_json::from_slice(body).ok();
        match wish
            .as_ref()
            .and_then(|wish| wish["advance_seconds"].as_u64())
            .and_then(|s| i64::try_from(s).ok())
        {
            Some(seconds) if seconds <= LONGEST_PASS_SECONDS => {
                self.pass(seconds * 1_000);
                json_reply(&json!({"now": timestamp(self.lock().world.now)}))
            }
            _ => complaint(400, "{\"advance_seconds\": N} is needed, N from 0 to 315360000 (ten years)"),
        }
    }

    /// What a host said: `{"host": "ecs01", "after": "place"}`, the place being what was answered before.
    async fn logs(&self, body: &[u8]) -> HttpReply {
        let Ok(LogsWish { host, after }) = serde_json::from_slice(body) else {
            return complaint(400, "{\"host\": HOST, \"after\": PLACE} is needed; `after` may be null");
        };
        let (instance, others) = {
            let state = self.lock();
            let found = faults::fitting(&state.world, &host).next().map(|instance| instance.id.clone());
            let mut names: Vec<_> =
                state.world.instances.values().map(|instance| instance.name.as_str()).collect();
            // The world is in the order of ids, which says nothing to whoever looks for a name.
            names.sort_unstable();
            (found, names.join(", "))
        };
        let Some(instance) = instance else {
            let others = if others.is_empty() { "none".to_owned() } else { others };
            return complaint(404, &format!("the local cloud has no host `{host}`; it has {others}"));
        };
        match self.plane.logs(&instance, after.as_deref()).await {
            Ok(said) => json_reply(&json!(said)),
            Err(reason) => complaint(409, &reason),
        }
    }

    fn pending_faults(&self) -> HttpReply {
        let state = self.lock();
        json_reply(&state.faults.pending(&state.world, now()))
    }

    /// All of them, or none when one cannot be had.
    async fn add_faults(self: &Arc<Self>, body: &[u8]) -> HttpReply {
        let wishes = match faults::read(&String::from_utf8_lossy(body)) {
            Ok(wishes) => wishes,
            Err(error) => return complaint(400, &format!("the faults cannot be read: {error}")),
        };
        for wish in &wishes {
            let hosts = self.options.hosts;
            let known = wish.check_in(&self.lock().world, hosts);
            let checked = match known {
                Ok(()) => wish.check_with(&self.plane).await,
                Err(reason) => Err(reason),
            };
            if let Err(reason) = checked {
                return complaint(409, &reason);
            }
        }
        let names = self.change_faults(|faults| faults.add(wishes, now())).await;
        json_reply(&json!({"faults": names.len(), "ids": names}))
    }

    async fn lift_fault(self: &Arc<Self>, path: &str) -> HttpReply {
        let name = path.trim_start_matches("/_mock/faults/");
        if self.change_faults(|faults| faults.lift(name)).await {
            json_reply(&json!({"lifted": name}))
        } else {
            complaint(404, &format!("no fault is called {name}: it is over, or it never was"))
        }
    }

    /// From now on these are sold out, and nothing else is: `[{"zone": ..., "instance_type": ...}]`.
    fn sell_out(&self, body: &[u8]) -> HttpReply {
        match serde_json::from_slice::<Vec<SoldOut>>(body) {
            Ok(rows) => {
                let rows = rows.into_iter().map(|row| (row.zone, row.instance_type));
                let mut state = self.lock();
                state.world.sold_out = rows.collect();
                json_reply(&json!({"sold_out": state.world.sold_out.len()}))
            }
            Err(error) => complaint(400, &format!("what is sold out cannot be read: {error}")),
        }
    }

    async fn clear_faults(self: &Arc<Self>) -> HttpReply {
        self.change_faults(faults::Faults::clear).await;
        json_reply(&json!({"faults": 0}))
    }

    /// A fault of a host is part of what the data plane is told, so it counts as a change of the world. Whoever asked
    /// for one can rely on it when the answer comes.
    async fn change_faults<T>(self: &Arc<Self>, change: impl FnOnce(&mut faults::Faults) -> T) -> T {
        let changed = {
            let mut state = self.lock();
            let changed = change(&mut state.faults);
            state.world.touch();
            self.settle(&mut state);
            // The next fault may begin or end sooner than the time keeper thinks.
            self.changed.notify_one();
            changed
        };
        if tokio::time::timeout(IN_FORCE_LIMIT, self.plane.faults_applied()).await.is_err() {
            tracing::info!("a fault takes its time to come into force");
        }
        changed
    }

    fn world(&self) -> Value {
        let state = self.lock();
        let mut world = serde_json::to_value(WorldView(&state.world)).unwrap_or_default();
        world["pace"] = json!(self.options.pace.as_str());
        world
    }

    fn transitions(&self) -> String {
        let state = self.lock();
        let line = |one| serde_json::to_string(one).unwrap_or_default() + "\n";
        state.world.transitions.iter().map(line).collect()
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
            "endpoint": self.endpoint(),
            "endpoints": self.endpoints,
            "dns": self.plane.dns().to_string(),
            "console": self.console(),
            "region": self.options.region(),
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

pub(super) fn json_reply(value: &Value) -> HttpReply {
    text(200, JSON, value.to_string())
}

pub(super) fn complaint(status: u16, sentence: &str) -> HttpReply {
    text(status, JSON, json!({"error": sentence}).to_string())
}
