//! ALB listeners: changes.

use serde_json::{Value, json};

use crate::api::alb_balancers::{self, begin_job, require_active};
use crate::api::{Call, Handler, alb_server_groups, tags, vpc};
use crate::wire::{ApiError, Parameters};
use crate::world::World;
use crate::world::event::Event;
use crate::world::load_balancer::{ForwardedFor, Listener, ListenerStatus, LoadBalancer};
use crate::world::pace::Step;

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
    let listener = check_new(call)?;
    call.begin_effect()?;
    let (id, group) = (listener.id.clone(), listener.server_group.clone());
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
    check_description(parameters)?;
    let server_group = check_default_action(call.world, &balancer, &protocol, parameters)?;
    let tags = tags::read(parameters)?;
    call.region.clone_from(&balancer.meta.region);
    let secure = protocol != "HTTP";
    Ok(Listener {
        id: call.plain_id("lsn"),
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
        security_policy: if secure {
            parameters.text_or("SecurityPolicyId", "tls_cipher_policy_1_0")
        } else {
            String::new()
        },
        protocol,
        certificates,
        forwarded: changed_forwarding(&default_forwarding(), &parameters.object("XForwardedForConfig")),
        meta: call.world.meta(&call.region, tags),
    })
}

/// A TLS listener has one default certificate, and that is in the store.
fn check_certificates(world: &World, protocol: &str, certificates: &[String]) -> Result<(), ApiError> {
    if let Some(id) = certificates.iter().find(|id| world.certificate(id).is_none()) {
        let message = format!("The specified certificate {id} does not exist.");
        return Err(ApiError::not_found("ResourceNotFound.Certificate", message));
    }
    match certificates.len() {
        0 if protocol != "HTTP" => Err(ApiError::missing("Certificates")),
        0 | 1 => Ok(()),
        _ => Err(ApiError::invalid("Certificates", "a listener has one default certificate")),
    }
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
    let group = alb_server_groups::find(world, tuples[0].required("ServerGroupId")?)?;
    if group.vpc != balancer.vpc {
        let message = format!("The server group {} and {} are in two VPCs.", group.id, balancer.id);
        return Err(ApiError::bad_request("Mismatch.VpcId", message));
    }
    match group.protocol.as_str() {
        "gRPC" if protocol == "HTTP" => {
            Err(ApiError::bad_request("OperationDenied.GRPCServerGroup", "A gRPC group needs TLS."))
        }
        "HTTPS" if protocol != "HTTPS" => {
            let message = format!("A {} group cannot serve a {protocol} listener.", group.protocol);
            Err(ApiError::bad_request("OperationDenied.ServerGroupProtocolNotSupport", message))
        }
        _ => Ok(group.id.clone()),
    }
}

fn update_listener_attribute(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let parameters = call.parameters;
    let mut changed = settled_listener(call)?;
    let balancer = alb_balancers::find(call.world, &changed.load_balancer)?.clone();
    if parameters.has("DefaultActions") {
        changed.server_group = check_default_action(call.world, &balancer, &changed.protocol, parameters)?;
    }
    if parameters.has("Certificates") {
        let certificates: Vec<String> =
            parameters.list("Certificates").iter().map(|own| own.owned("CertificateId")).collect();
        check_certificates(call.world, &changed.protocol, &certificates)?;
        changed.certificates = certificates;
    }
    check_description(parameters)?;
    vpc::update(&mut changed.description, parameters.text("ListenerDescription"));
    vpc::update(&mut changed.security_policy, parameters.text("SecurityPolicyId"));
    changed.idle_timeout = parameters.unsigned("IdleTimeout").unwrap_or(changed.idle_timeout);
    changed.request_timeout = parameters.unsigned("RequestTimeout").unwrap_or(changed.request_timeout);
    changed.gzip = parameters.boolean("GzipEnabled").unwrap_or(changed.gzip);
    changed.http2 = parameters.boolean("Http2Enabled").unwrap_or(changed.http2);
    changed.forwarded = changed_forwarding(&changed.forwarded, &parameters.object("XForwardedForConfig"));
    call.begin_effect()?;
    let (id, settled) = (changed.id.clone(), changed.status);
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
    let listener = settled_listener(call)?;
    if listener.status != from {
        return Err(incorrect_status(&listener));
    }
    call.begin_effect()?;
    call.world.move_listener(&listener.id, ListenerStatus::Configuring, to);
    Ok(json!({"JobId": begin_job(call, ("listener", &listener.id), Step::Listener)}))
}

fn delete_listener(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let listener = settled_listener(call)?;
    call.begin_effect()?;
    if let Some(own) = call.world.listeners.get_mut(&listener.id) {
        own.status = ListenerStatus::Deleting;
    }
    call.world.schedule(Step::Listener, Event::ListenerSettled(listener.id.clone()));
    call.world.configure_server_group(&listener.server_group);
    Ok(json!({"JobId": begin_job(call, ("listener", &listener.id), Step::Listener)}))
}

/// The listener of a call, when neither it nor its ALB is under way to another state.
fn settled_listener(call: &Call<'_>) -> Result<Listener, ApiError> {
    let listener = find(call.world, call.parameters.required("ListenerId")?)?;
    require_active(alb_balancers::find(call.world, &listener.load_balancer)?)?;
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

fn default_forwarding() -> ForwardedFor {
    ForwardedFor {
        client_address: true,
        protocol: false,
        port: false,
        balancer_id: false,
        source_port: false,
        host: false,
        mode: "append".to_owned(),
    }
}

fn changed_forwarding(own: &ForwardedFor, given: &Parameters) -> ForwardedFor {
    let flag = |name: &str, own: bool| given.boolean(name).unwrap_or(own);
    ForwardedFor {
        client_address: flag("XForwardedForEnabled", own.client_address),
        protocol: flag("XForwardedForProtoEnabled", own.protocol),
        port: flag("XForwardedForSLBPortEnabled", own.port),
        balancer_id: flag("XForwardedForSLBIdEnabled", own.balancer_id),
        source_port: flag("XForwardedForClientSrcPortEnabled", own.source_port),
        host: flag("XForwardedForHostEnabled", own.host),
        mode: given.text_or("XForwardedForProcessingMode", &own.mode),
    }
}
