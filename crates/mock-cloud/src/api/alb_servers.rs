//! Servers of ALB server groups: added, removed, replaced, changed.

use std::net::Ipv4Addr;

use serde_json::{Value, json};

use crate::api::alb_balancers::begin_job;
use crate::api::alb_server_groups::{find, require_available};
use crate::api::{Call, Handler, alb_limits};
use crate::wire::{ApiError, Parameters};
use crate::world::World;
use crate::world::pace::Step;
use crate::world::server_group::{Server, ServerGroup, ServerStatus};

pub(super) const ACTIONS: &[(&str, Handler)] = &[
    ("AddServersToServerGroup", add_servers),
    ("RemoveServersFromServerGroup", remove_servers),
    ("ReplaceServersInServerGroup", replace_servers),
    ("UpdateServerGroupServersAttribute", update_servers),
];

/// Servers of one group.
const LIMIT: usize = 1000;

fn add_servers(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let (group, id) = group_of_call(call)?;
    let added = check_added(call.world, &group, &call.parameters.list("Servers"))?;
    call.begin_effect()?;
    change(call, &id, &[], added)
}

fn remove_servers(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let (group, id) = group_of_call(call)?;
    let removed = check_removed(&group, &call.parameters.list("Servers"))?;
    call.begin_effect()?;
    change(call, &id, &removed, Vec::new())
}

fn replace_servers(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let (mut group, id) = group_of_call(call)?;
    let removed = check_removed(&group, &call.parameters.list("RemovedServers"))?;
    group.servers.retain(|server| !removed.contains(&server.key()));
    let added = check_added(call.world, &group, &call.parameters.list("AddedServers"))?;
    call.begin_effect()?;
    change(call, &id, &removed, added)
}

fn update_servers(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let (group, id) = group_of_call(call)?;
    let given = call.parameters.list("Servers");
    check_removed(&group, &given)?;
    call.begin_effect()?;
    if let Some(group) = call.world.server_groups.get_mut(&id) {
        for given in &given {
            let key = key_of(given);
            for server in group.servers.iter_mut().filter(|server| server.key() == key) {
                server.weight = given.unsigned("Weight").unwrap_or(server.weight);
                server.description = given.text_or("Description", &server.description);
                server.status = ServerStatus::Configuring;
            }
        }
    }
    settle(call, &id)
}

fn group_of_call(call: &Call<'_>) -> Result<(ServerGroup, String), ApiError> {
    let id = call.parameters.required("ServerGroupId")?;
    let group = find(call.world, id)?;
    require_available(group)?;
    Ok((group.clone(), id.to_owned()))
}

fn key_of(given: &Parameters) -> String {
    format!("{}:{}", given.owned("ServerId"), given.owned("Port"))
}

fn check_added(world: &World, group: &ServerGroup, given: &[Parameters]) -> Result<Vec<Server>, ApiError> {
    let mut added: Vec<Server> = Vec::new();
    for given in given {
        let server = read_server(world, group, given)?;
        let message = format!("The server {} is given twice.", server.key());
        if added.iter().any(|own| own.key() == server.key()) {
            return Err(ApiError::bad_request("DuplicatedParam.BackendServer", message));
        }
        if group.servers.iter().any(|own| own.key() == server.key()) {
            let message = format!("The server {} is in the group {} already.", server.key(), group.id);
            return Err(ApiError::bad_request("Conflict.BackendServer", message));
        }
        added.push(server);
    }
    alb_limits::check_added(world, group, added.len())?;
    if group.servers.len() + added.len() > LIMIT {
        let message = "A server group has at most 1000 servers.";
        return Err(ApiError::bad_request("ResourceQuotaExceeded.LoadBalancerServersNum", message));
    }
    Ok(added)
}

fn read_server(world: &World, group: &ServerGroup, given: &Parameters) -> Result<Server, ApiError> {
    let (kind, id) = (given.required("ServerType")?, given.required("ServerId")?);
    let mismatch = |code: &str, message: String| Err(ApiError::bad_request(code, message));
    let address: Ipv4Addr = match (group.kind.as_str(), kind) {
        ("Instance", "Ecs") => {
            let missing =
                || ApiError::not_found("ResourceNotFound.Ecs", format!("The instance {id} does not exist."));
            let instance = world.instances.get(id).filter(|own| !own.releasing).ok_or_else(missing)?;
            if instance.vpc != group.vpc {
                return mismatch(
                    "Mismatch.VpcId",
                    format!("The instance {id} is not in the VPC {}.", group.vpc),
                );
            }
            instance.private_address
        }
        ("Ip", "Ip") => {
            let text = given.text("ServerIp").unwrap_or(id);
            let malformed =
                |_| ApiError::bad_request("IllegalParam.ServerIp", format!("{text} is not an address."));
            text.parse().map_err(malformed)?
        }
        _ => {
            return mismatch("Mismatch.ServerType", format!("A group of {} takes no {kind}.", group.kind));
        }
    };
    Ok(Server {
        id: id.to_owned(),
        kind: kind.to_owned(),
        address,
        port: given.unsigned("Port").ok_or_else(|| ApiError::missing("Port"))?,
        weight: given.unsigned("Weight").unwrap_or(100),
        description: given.owned("Description"),
        status: ServerStatus::Adding,
    })
}

fn check_removed(group: &ServerGroup, given: &[Parameters]) -> Result<Vec<String>, ApiError> {
    let keys: Vec<String> = given.iter().map(key_of).collect();
    match keys.iter().find(|key| group.servers.iter().all(|own| own.key() != **key)) {
        None => Ok(keys),
        Some(missing) => {
            let message = format!("The server {missing} is not in the group {}.", group.id);
            Err(ApiError::not_found("ResourceNotFound.BackendServer", message))
        }
    }
}

fn change(call: &mut Call<'_>, id: &str, removed: &[String], added: Vec<Server>) -> Result<Value, ApiError> {
    if let Some(group) = call.world.server_groups.get_mut(id) {
        for server in group.servers.iter_mut().filter(|server| removed.contains(&server.key())) {
            server.status = ServerStatus::Removing;
        }
        group.servers.extend(added);
    }
    settle(call, id)
}

#[expect(clippy::unnecessary_wraps, reason = "the last step of handlers, which have one type")]
fn settle(call: &mut Call<'_>, id: &str) -> Result<Value, ApiError> {
    call.world.configure_server_group(id);
    Ok(json!({"JobId": begin_job(call, ("servergroup", id), Step::ServerGroup)}))
}
