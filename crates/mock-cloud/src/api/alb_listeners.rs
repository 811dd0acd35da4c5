//! ALB listeners: changes.

use serde_json::{Value, json};

use crate::api::alb_balancers::{self, begin_job, require_active};
use crate::api::{
    Call, Handler, alb_certificates, alb_forwarding, alb_limits, alb_options, alb_server_groups, tags, vpc,
};
use crate::wire::{ApiError, Parameters};
use crate::world::World;
use crate::world::event::Event;
use crate::world::load_balancer::{Listener, ListenerStatus, LoadBalancer};
use crate::world::pace::Step;
use crate::world::rule::RuleStatus;
use crate::world::server_group::ServerGroup;

pub(super) const ACTIONS: &[(&str, Handler)] = &[
    ("CreateListener", create_listener),
    ("UpdateListenerAttribute", update_listener_attribute),
    ("StartListener", start_listener),
    ("StopListener", stop_listener),
    ("DeleteListener", delete_listener),
];

/// Listeners of one ALB.
const LIMIT: usize = 50;

fn create_listener(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let mut listener = check_new(call)?;
    call.begin_effect()?;
    let (id, group) = (call.plain_id("lsn"), listener.server_group.clone());
    listener.id.clone_from(&id);
    call.world.listeners.insert(id.clone(), listener);
    call.world.move_listener(&id, ListenerStatus::Provisioning, ListenerStatus::Running);
    call.world.configure_server_group(&group);
    let job = begin_job(call, ("listener", &id), Step::Listener);
    Ok(json!({"ListenerId": id, "JobId": job}))
}

/// 2 to 256 letters, digits, `_ . , ; / @ -` and characters beyond Latin-1, says the documentation.
fn check_description(parameters: &Parameters) -> Result<(), ApiError> {
    let Some(text) = parameters.text("ListenerDescription") else { return Ok(()) };
    let allowed = |one: char| one.is_ascii_alphanumeric() || "_.,;/@-".contains(one) || u32::from(one) > 0xff;
    if (2..=256).contains(&text.chars().count()) && text.chars().all(allowed) {
        return Ok(());
    }
    Err(ApiError::bad_request("InvalidParameter", "The parameter ListenerDescription is invalid."))
}

/// A new listener, still without its id.
fn check_new(call: &mut Call<'_>) -> Result<Listener, ApiError> {
    let parameters = call.parameters;
    let balancer = alb_balancers::find(call.world, parameters.required("LoadBalancerId")?)?.clone();
    require_active(&balancer)?;
    let port = parameters.unsigned("ListenerPort").ok_or_else(|| ApiError::missing("ListenerPort"))?;
    let siblings = call.world.listeners.values().filter(|own| own.load_balancer == balancer.id);
    if siblings.clone().any(|own| own.port == port) {
        let message = format!("The port {port} of {} has a listener already.", balancer.id);
        return Err(ApiError::bad_request("ResourceAlreadyExist.Listener", message));
    }
    if siblings.count() >= LIMIT {
        let message = "An ALB instance has at most 50 listeners.";
        return Err(ApiError::bad_request("ResourceQuotaExceeded.LoadBalancerListenersNum", message));
    }
    let protocol = parameters.required("ListenerProtocol")?.to_ascii_uppercase();
    let certificates: Vec<String> =
        parameters.list("Certificates").iter().map(|own| own.owned("CertificateId")).collect();
    check_certificates(call.world, &protocol, &certificates)?;
    let security_policy = read_security_policy(&protocol, parameters.text("SecurityPolicyId"))?;
    check_description(parameters)?;
    let server_group = check_default_action(call.world, &balancer, &protocol, parameters)?;
    alb_limits::check_servers(call.world, &balancer, &[&server_group])?;
    let tags = tags::read(parameters)?;
    call.region.clone_from(&balancer.meta.region);
    let secure = protocol != "HTTP";
    Ok(Listener {
        id: String::new(),
        load_balancer: balancer.id,
        port,
        description: parameters.owned("ListenerDescription"),
        status: ListenerStatus::Provisioning,
        next: None,
        server_group,
        idle_timeout: parameters.unsigned("IdleTimeout").unwrap_or(15),
        request_timeout: parameters.unsigned("RequestTimeout").unwrap_or(60),
        gzip: parameters.boolean("GzipEnabled").unwrap_or(true),
        http2: parameters.boolean("Http2Enabled").unwrap_or(true) && secure,
        security_policy,
        protocol,
        certificates,
        additional_certificates: Vec::new(),
        forwarded: alb_forwarding::changed(
            &alb_forwarding::defaults(),
            &parameters.object("XForwardedForConfig"),
        ),
        ca_enabled: parameters.flag("CaEnabled"),
        ca_certificates: read_authorities(parameters),
        meta: call.world.meta(&call.region, tags),
    })
}

/// A TLS listener has one default certificate, and that is in the store; a plain one has none.
fn check_certificates(world: &World, protocol: &str, certificates: &[String]) -> Result<(), ApiError> {
    match certificates {
        [] if protocol == "HTTP" => Ok(()),
        [] => Err(ApiError::missing("Certificates")),
        [_] if protocol == "HTTP" => Err(ApiError::invalid("Certificates", "an HTTP listener has none")),
        [id] => alb_certificates::check_exists(world, id),
        _ => Err(ApiError::invalid("Certificates", "a listener has one default certificate")),
    }
}

/// Certificates that sign those of clients.
fn read_authorities(parameters: &Parameters) -> Vec<String> {
    parameters.list("CaCertificates").iter().map(|own| own.owned("CertificateId")).collect()
}

/// The TLS policy of a listener; a plain one has none.
fn read_security_policy(protocol: &str, given: Option<&str>) -> Result<String, ApiError> {
    if protocol == "HTTP" {
        return Ok(String::new());
    }
    let id = given.unwrap_or("tls_cipher_policy_1_0");
    alb_options::check_security_policy(id)?;
    Ok(id.to_owned())
}

/// Exactly one default action: forward to one server group of the same VPC.
fn check_default_action(
    world: &World,
    balancer: &LoadBalancer,
    protocol: &str,
    parameters: &Parameters,
) -> Result<String, ApiError> {
    let actions = parameters.list("DefaultActions");
    let tuples = actions.first().map(|own| own.object("ForwardGroupConfig").list("ServerGroupTuples"));
    let tuples = tuples.unwrap_or_default();
    let forwards = actions.first().is_some_and(|own| own.text("Type") == Some("ForwardGroup"));
    let (1, 1, true) = (actions.len(), tuples.len(), forwards) else {
        return Err(ApiError::invalid(
            "DefaultActions",
            "it must be one ForwardGroup action with one server group",
        ));
    };
    let group = alb_server_groups::find_usable(world, tuples[0].required("ServerGroupId")?)?;
    if group.vpc != balancer.vpc {
        let message = format!("The server group {} and {} are in two VPCs.", group.id, balancer.id);
        return Err(ApiError::bad_request("Mismatch.VpcId", message));
    }
    check_group_protocol(group, protocol, "OperationDenied.ServerGroupProtocolNotSupport")?;
    alb_limits::check_features(group, balancer)?;
    Ok(group.id.clone())
}

/// gRPC needs TLS, and a group of HTTPS servers a listener of its kind.
pub(super) fn check_group_protocol(
    group: &ServerGroup,
    protocol: &str,
    mismatch: &str,
) -> Result<(), ApiError> {
    match group.protocol.as_str() {
        "gRPC" if protocol == "HTTP" => {
            Err(ApiError::bad_request("OperationDenied.GRPCServerGroup", "A gRPC group needs TLS."))
        }
        "HTTPS" if protocol != "HTTPS" => {
            let message = format!("A {} group cannot serve a {protocol} listener.", group.protocol);
            Err(ApiError::bad_request(mismatch, message))
        }
        _ => Ok(()),
    }
}

fn update_listener_attribute(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let parameters = call.parameters;
    let mut changed = settled_listener(call.world, parameters.required("ListenerId")?)?;
    let former = changed.server_group.clone();
    let balancer = alb_balancers::find(call.world, &changed.load_balancer)?.clone();
    if parameters.has("DefaultActions") {
        changed.server_group = check_default_action(call.world, &balancer, &changed.protocol, parameters)?;
        if changed.server_group != former {
            alb_limits::check_servers(call.world, &balancer, &[&changed.server_group])?;
        }
    }
    if parameters.has("Certificates") {
        let certificates: Vec<String> =
            parameters.list("Certificates").iter().map(|own| own.owned("CertificateId")).collect();
        check_certificates(call.world, &changed.protocol, &certificates)?;
        changed.certificates = certificates;
    }
    check_description(parameters)?;
    vpc::update(&mut changed.description, parameters.text("ListenerDescription"));
    let policy = parameters.text("SecurityPolicyId").unwrap_or(&changed.security_policy);
    changed.security_policy = read_security_policy(&changed.protocol, Some(policy))?;
    changed.idle_timeout = parameters.unsigned("IdleTimeout").unwrap_or(changed.idle_timeout);
    changed.request_timeout = parameters.unsigned("RequestTimeout").unwrap_or(changed.request_timeout);
    changed.gzip = parameters.boolean("GzipEnabled").unwrap_or(changed.gzip);
    changed.http2 = parameters.boolean("Http2Enabled").unwrap_or(changed.http2);
    changed.forwarded =
        alb_forwarding::changed(&changed.forwarded, &parameters.object("XForwardedForConfig"));
    changed.ca_enabled = parameters.boolean("CaEnabled").unwrap_or(changed.ca_enabled);
    if parameters.has("CaCertificates") {
        changed.ca_certificates = read_authorities(parameters);
    }
    call.begin_effect()?;
    let (id, settled) = (changed.id.clone(), changed.status);
    if changed.server_group != former {
        call.world.configure_server_group(&former);
        call.world.configure_server_group(&changed.server_group);
    }
    call.world.listeners.insert(id.clone(), changed);
    call.world.move_listener(&id, ListenerStatus::Configuring, settled);
    Ok(json!({"JobId": begin_job(call, ("listener", &id), Step::Listener)}))
}

fn start_listener(call: &mut Call<'_>) -> Result<Value, ApiError> {
    switch(call, ListenerStatus::Stopped, ListenerStatus::Running)
}

fn stop_listener(call: &mut Call<'_>) -> Result<Value, ApiError> {
    switch(call, ListenerStatus::Running, ListenerStatus::Stopped)
}

fn switch(call: &mut Call<'_>, from: ListenerStatus, to: ListenerStatus) -> Result<Value, ApiError> {
    let listener = settled_listener(call.world, call.parameters.required("ListenerId")?)?;
    if listener.status != from {
        return Err(incorrect_status(&listener));
    }
    call.begin_effect()?;
    call.world.move_listener(&listener.id, ListenerStatus::Configuring, to);
    Ok(json!({"JobId": begin_job(call, ("listener", &listener.id), Step::Listener)}))
}

fn delete_listener(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let listener = settled_listener(call.world, call.parameters.required("ListenerId")?)?;
    call.begin_effect()?;
    if let Some(own) = call.world.listeners.get_mut(&listener.id) {
        own.status = ListenerStatus::Deleting;
    }
    for rule in call.world.rules.values_mut().filter(|rule| rule.listener == listener.id) {
        rule.status = RuleStatus::Deleting;
    }
    call.world.schedule(Step::Listener, Event::ListenerSettled(listener.id.clone()));
    call.world.configure_server_group(&listener.server_group);
    Ok(json!({"JobId": begin_job(call, ("listener", &listener.id), Step::Listener)}))
}

/// The listener with this id, when neither it nor its ALB is under way to another state.
pub(super) fn settled_listener(world: &World, id: &str) -> Result<Listener, ApiError> {
    let listener = find(world, id)?;
    require_active(alb_balancers::find(world, &listener.load_balancer)?)?;
    match listener.status {
        ListenerStatus::Running | ListenerStatus::Stopped => Ok(listener.clone()),
        ListenerStatus::Configuring | ListenerStatus::Provisioning => {
            let message = format!("The listener {} is {:?}.", listener.id, listener.status);
            Err(ApiError::bad_request("ResourceInConfiguring.Listener", message))
        }
        ListenerStatus::Deleting => Err(incorrect_status(listener)),
    }
}

fn incorrect_status(listener: &Listener) -> ApiError {
    let message = format!("The listener {} is {:?}.", listener.id, listener.status);
    ApiError::bad_request("IncorrectStatus.Listener", message)
}

/// The listener with this id.
pub(super) fn find<'a>(world: &'a World, id: &str) -> Result<&'a Listener, ApiError> {
    let message = format!("The specified listener {id} does not exist.");
    world.listeners.get(id).ok_or_else(|| ApiError::not_found("ResourceNotFound.Listener", message))
}
