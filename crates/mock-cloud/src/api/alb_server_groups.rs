//! ALB server groups: changes.

use serde_json::{Value, json};

use crate::api::alb_balancers::begin_job;
use crate::api::{Call, Handler, alb_limits, tags, vpc};
use crate::wire::{ApiError, Parameters};
use crate::world::World;
use crate::world::event::Event;
use crate::world::pace::Step;
use crate::world::server_group::{HealthCheck, ServerGroup, ServerGroupStatus, Sticky};

pub(super) const ACTIONS: &[(&str, Handler)] = &[
    ("CreateServerGroup", create_server_group),
    ("UpdateServerGroupAttribute", update_server_group_attribute),
    ("DeleteServerGroup", delete_server_group),
];

/// Server groups of one region.
const LIMIT: usize = 3000;

fn create_server_group(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let parameters = call.parameters;
    let kind = parameters.text_or("ServerGroupType", "Instance");
    let network = parameters.owned("VpcId");
    if kind != "Fc" && network.is_empty() {
        return Err(ApiError::missing("VpcId"));
    }
    match call.world.vpcs.get(&network) {
        Some(vpc) => call.region.clone_from(&vpc.meta.region),
        None if network.is_empty() => {}
        None => {
            let message = format!("The VPC {network} does not exist.");
            return Err(ApiError::not_found("ResourceNotFound.Vpc", message));
        }
    }
    let name = parameters.required("ServerGroupName")?.to_owned();
    vpc::check_name(&name, "InvalidParameter")?;
    let scheduler = parameters.text_or("Scheduler", "Wrr");
    let slow_start = read_switch(parameters, "SlowStartConfig", "SlowStart", "Duration", 30);
    check_slow_start(&scheduler, slow_start)?;
    let sticky = changed_sticky(&default_sticky(), &parameters.object("StickySessionConfig"));
    check_sticky(&sticky)?;
    let own = call.world.server_groups.values().filter(|own| own.meta.region == call.region);
    if own.count() >= LIMIT {
        let message = format!("The region has {LIMIT} server groups already.");
        return Err(ApiError::bad_request("QuotaExceeded.ServerGroupsNum", message));
    }
    let tags = tags::read(parameters)?;
    call.begin_effect()?;
    let id = call.plain_id("sgp");
    let group = ServerGroup {
        id: id.clone(),
        name,
        kind,
        vpc: network,
        protocol: parameters.text_or("Protocol", "HTTP"),
        scheduler,
        status: ServerGroupStatus::Creating,
        health_check: changed_health_check(&default_health_check(), &parameters.object("HealthCheckConfig")),
        sticky,
        drain: read_switch(parameters, "ConnectionDrainConfig", "ConnectionDrain", "Timeout", 300),
        slow_start,
        cross_zone: parameters.boolean("CrossZoneEnabled").unwrap_or(true),
        keepalive: parameters.flag("UpstreamKeepaliveEnabled"),
        servers: Vec::new(),
        meta: call.world.meta(&call.region, tags),
    };
    call.world.server_groups.insert(id.clone(), group);
    call.world.schedule(Step::ServerGroup, Event::ServerGroupSettled(id.clone()));
    let job = begin_job(call, ("servergroup", &id), Step::ServerGroup);
    Ok(json!({"ServerGroupId": id, "JobId": job}))
}

fn update_server_group_attribute(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let parameters = call.parameters;
    let id = parameters.required("ServerGroupId")?.to_owned();
    let mut changed = find(call.world, &id)?.clone();
    require_available(&changed)?;
    vpc::check_name(parameters.text("ServerGroupName").unwrap_or_default(), "InvalidParameter")?;
    vpc::update(&mut changed.name, parameters.text("ServerGroupName"));
    vpc::update(&mut changed.scheduler, parameters.text("Scheduler"));
    if parameters.has("ConnectionDrainConfig") {
        let default = changed.drain.unwrap_or(300);
        changed.drain =
            read_switch(parameters, "ConnectionDrainConfig", "ConnectionDrain", "Timeout", default);
    }
    if parameters.has("SlowStartConfig") {
        let default = changed.slow_start.unwrap_or(30);
        changed.slow_start = read_switch(parameters, "SlowStartConfig", "SlowStart", "Duration", default);
    }
    check_slow_start(&changed.scheduler, changed.slow_start)?;
    changed.health_check =
        changed_health_check(&changed.health_check, &parameters.object("HealthCheckConfig"));
    changed.sticky = changed_sticky(&changed.sticky, &parameters.object("StickySessionConfig"));
    changed.cross_zone = parameters.boolean("CrossZoneEnabled").unwrap_or(changed.cross_zone);
    check_sticky(&changed.sticky)?;
    for balancer in call.world.balancers_of_group(&id) {
        if let Some(balancer) = call.world.load_balancers.get(balancer) {
            alb_limits::check_features(&changed, balancer)?;
        }
    }
    changed.keepalive = parameters.boolean("UpstreamKeepaliveEnabled").unwrap_or(changed.keepalive);
    call.begin_effect()?;
    call.world.server_groups.insert(id.clone(), changed);
    call.world.configure_server_group(&id);
    Ok(json!({"JobId": begin_job(call, ("servergroup", &id), Step::ServerGroup)}))
}

fn delete_server_group(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let id = call.parameters.required("ServerGroupId")?.to_owned();
    require_available(find(call.world, &id)?)?;
    if let Some(user) = call.world.users_of_group(&id).next() {
        let message = format!("The server group {id} is used by {user}.");
        return Err(ApiError::bad_request("ResourceInUse.ServerGroup", message));
    }
    call.begin_effect()?;
    if let Some(group) = call.world.server_groups.get_mut(&id) {
        group.status = ServerGroupStatus::Deleting;
    }
    call.world.schedule(Step::ServerGroup, Event::ServerGroupSettled(id.clone()));
    Ok(json!({"JobId": begin_job(call, ("servergroup", &id), Step::ServerGroup)}))
}

/// The group with this id.
pub(super) fn find<'a>(world: &'a World, id: &str) -> Result<&'a ServerGroup, ApiError> {
    let message = format!("The specified server group {id} does not exist.");
    world.server_groups.get(id).ok_or_else(|| ApiError::not_found("ResourceNotFound.ServerGroup", message))
}

/// The group with this id, unless it is being deleted.
pub(super) fn find_usable<'a>(world: &'a World, id: &str) -> Result<&'a ServerGroup, ApiError> {
    let message = format!("The server group {id} is being deleted.");
    let group = find(world, id)?;
    match group.status {
        ServerGroupStatus::Deleting => Err(ApiError::not_found("ResourceNotFound.ServerGroup", message)),
        ServerGroupStatus::Creating | ServerGroupStatus::Available | ServerGroupStatus::Configuring => {
            Ok(group)
        }
    }
}

/// Refuses while a change is under way.
pub(super) fn require_available(group: &ServerGroup) -> Result<(), ApiError> {
    if group.status == ServerGroupStatus::Available {
        return Ok(());
    }
    let message = format!("The server group {} is {:?}.", group.id, group.status);
    Err(ApiError::bad_request("IncorrectStatus.ServerGroup", message))
}

/// `<outer>.<name>Enabled` with its `<name><unit>`.
fn read_switch(parameters: &Parameters, outer: &str, name: &str, unit: &str, default: i64) -> Option<i64> {
    let own = parameters.object(outer);
    own.flag(&format!("{name}Enabled")).then(|| own.integer(&format!("{name}{unit}")).unwrap_or(default))
}

fn check_slow_start(scheduler: &str, slow_start: Option<i64>) -> Result<(), ApiError> {
    if slow_start.is_none() || scheduler == "Wrr" {
        return Ok(());
    }
    let message = "Slow start goes with the scheduler Wrr only.";
    Err(ApiError::bad_request("Mismatch.ServerGroupSchedulerAndSlowStartEnable", message))
}

fn default_health_check() -> HealthCheck {
    HealthCheck {
        enabled: true,
        protocol: "HTTP".to_owned(),
        path: "/".to_owned(),
        host: "$SERVER_IP".to_owned(),
        method: "HEAD".to_owned(),
        http_version: "HTTP1.1".to_owned(),
        port: 0,
        interval: 2,
        timeout: 5,
        healthy_threshold: 3,
        unhealthy_threshold: 3,
        codes: vec!["http_2xx".to_owned()],
    }
}

fn changed_health_check(own: &HealthCheck, given: &Parameters) -> HealthCheck {
    let codes = given.texts("HealthCheckCodes");
    HealthCheck {
        enabled: given.boolean("HealthCheckEnabled").unwrap_or(own.enabled),
        protocol: given.text_or("HealthCheckProtocol", &own.protocol),
        path: given.text_or("HealthCheckPath", &own.path),
        host: given.text_or("HealthCheckHost", &own.host),
        method: given.text_or("HealthCheckMethod", &own.method),
        http_version: given.text_or("HealthCheckHttpVersion", &own.http_version),
        port: given.unsigned("HealthCheckConnectPort").unwrap_or(own.port),
        interval: given.unsigned("HealthCheckInterval").unwrap_or(own.interval),
        timeout: given.unsigned("HealthCheckTimeout").unwrap_or(own.timeout),
        healthy_threshold: given.unsigned("HealthyThreshold").unwrap_or(own.healthy_threshold),
        unhealthy_threshold: given.unsigned("UnhealthyThreshold").unwrap_or(own.unhealthy_threshold),
        codes: if codes.is_empty() { own.codes.clone() } else { codes },
    }
}

/// A server's own cookie has a name of up to 200 letters and digits.
fn check_sticky(sticky: &Sticky) -> Result<(), ApiError> {
    if !sticky.enabled || sticky.kind != "Server" {
        return Ok(());
    }
    let good = sticky.cookie.len() <= 200 && sticky.cookie.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if sticky.cookie.is_empty() {
        return Err(ApiError::missing("StickySessionConfig.Cookie"));
    }
    if good { Ok(()) } else { Err(ApiError::invalid("StickySessionConfig.Cookie", "it is no cookie name")) }
}

fn default_sticky() -> Sticky {
    Sticky { enabled: false, kind: "Insert".to_owned(), cookie: String::new(), timeout: 1000 }
}

fn changed_sticky(own: &Sticky, given: &Parameters) -> Sticky {
    Sticky {
        enabled: given.boolean("StickySessionEnabled").unwrap_or(own.enabled),
        kind: given.text_or("StickySessionType", &own.kind),
        cookie: given.text_or("Cookie", &own.cookie),
        timeout: given.integer("CookieTimeout").unwrap_or(own.timeout),
    }
}
