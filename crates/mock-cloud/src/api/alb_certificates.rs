//! Certificates of TLS listeners beside the default one.

use serde_json::{Value, json};

use crate::api::alb_balancers::{self, begin_job};
use crate::api::alb_limits::Edition;
use crate::api::alb_listeners::{self, settled_listener};
use crate::api::alb_reads::{among, list};
use crate::api::{Call, Handler};
use crate::wire::ApiError;
use crate::world::World;
use crate::world::load_balancer::{
    AdditionalCertificate, CertificateStatus, Listener, ListenerStatus, LoadBalancer,
};
use crate::world::pace::Step;

pub(super) const ACTIONS: &[(&str, Handler)] = &[
    ("ListListenerCertificates", list_listener_certificates),
    ("AssociateAdditionalCertificatesWithListener", associate),
    ("DissociateAdditionalCertificatesFromListener", dissociate),
];

fn list_listener_certificates(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let parameters = call.parameters;
    let listener = alb_listeners::find(call.world, parameters.required("ListenerId")?)?;
    require_tls(listener)?;
    let row = |id: &str, is_default: bool, status: CertificateStatus| json!({"CertificateId": id, "CertificateType": "Server", "IsDefault": is_default, "Status": status});
    let default = listener.certificates.iter().map(|id| row(id, true, CertificateStatus::Associated));
    let additional = listener.additional_certificates.iter().map(|own| row(&own.id, false, own.status));
    let server = parameters.text("CertificateType").is_none_or(|kind| kind == "Server");
    let all = default.chain(additional).filter(|row| {
        server && among(parameters, "CertificateIds", row["CertificateId"].as_str().unwrap_or_default())
    });
    list(all.collect(), parameters, "Certificates")
}

fn associate(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let listener = settled_listener(call.world, call.parameters.required("ListenerId")?)?;
    require_tls(&listener)?;
    let balancer = alb_balancers::find(call.world, &listener.load_balancer)?;
    let ids = read_ids(call)?;
    for id in &ids {
        check_exists(call.world, id)?;
        if listener.certificates.contains(id) {
            let message = format!("The certificate {id} is the default one of {}.", listener.id);
            return Err(ApiError::bad_request("OperationDenied.DefaultCertificateUsed", message));
        }
        if listener.additional_certificates.iter().any(|own| own.id == *id) {
            let message = format!("The certificate {id} is associated with {} already.", listener.id);
            return Err(ApiError::bad_request("ResourceAlreadyAssociated.Certificate", message));
        }
    }
    let limit = Edition::of(balancer).additional_certificates();
    if additional_of(call.world, balancer) + ids.len() > limit {
        let message = format!("The ALB instance {} takes {limit} additional certificates.", balancer.id);
        return Err(ApiError::bad_request("ResourceQuotaExceeded.LoadBalancerCertificatesNum", message));
    }
    call.begin_effect()?;
    if let Some(own) = call.world.listeners.get_mut(&listener.id) {
        let status = CertificateStatus::Associating;
        own.additional_certificates.extend(ids.into_iter().map(|id| AdditionalCertificate { id, status }));
    }
    Ok(settle(call, &listener))
}

fn dissociate(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let listener = settled_listener(call.world, call.parameters.required("ListenerId")?)?;
    require_tls(&listener)?;
    let ids = read_ids(call)?;
    for id in &ids {
        if listener.certificates.contains(id) {
            let message = format!("The certificate {id} is the default one of {}.", listener.id);
            return Err(ApiError::bad_request("OperationDenied.DefaultCertificateUsed", message));
        }
        if listener.additional_certificates.iter().all(|own| own.id != *id) {
            let message = format!("The certificate {id} is not associated with {}.", listener.id);
            return Err(ApiError::bad_request("ResourceNotAssociated.Certificate", message));
        }
    }
    call.begin_effect()?;
    let own = call.world.listeners.get_mut(&listener.id);
    for certificate in own.into_iter().flat_map(|own| &mut own.additional_certificates) {
        if ids.contains(&certificate.id) {
            certificate.status = CertificateStatus::Diassociating;
        }
    }
    Ok(settle(call, &listener))
}

/// The certificates of a call, none twice.
fn read_ids(call: &Call<'_>) -> Result<Vec<String>, ApiError> {
    let given = call.parameters.list("Certificates");
    let ids: Vec<String> = given.iter().map(|own| own.owned("CertificateId")).collect();
    match ids.iter().enumerate().find(|(index, id)| ids[..*index].contains(id)) {
        None => Ok(ids),
        Some((_, twice)) => Err(ApiError::invalid("Certificates", format!("{twice} is given twice"))),
    }
}

fn settle(call: &mut Call<'_>, listener: &Listener) -> Value {
    call.world.move_listener(&listener.id, ListenerStatus::Configuring, listener.status);
    json!({"JobId": begin_job(call, ("listener", &listener.id), Step::Listener)})
}

fn require_tls(listener: &Listener) -> Result<(), ApiError> {
    if listener.protocol != "HTTP" {
        return Ok(());
    }
    let message = format!("The listener {} speaks HTTP and has no certificates.", listener.id);
    Err(ApiError::bad_request("OperationDenied.HttpListenerNotSupport", message))
}

fn additional_of(world: &World, balancer: &LoadBalancer) -> usize {
    let listeners = world.listeners.values().filter(|listener| listener.load_balancer == balancer.id);
    listeners.map(|listener| listener.additional_certificates.len()).sum()
}

/// A certificate is in the store when it was uploaded.
///
/// # Errors
/// `ResourceNotFound.Certificate`.
pub(super) fn check_exists(world: &World, id: &str) -> Result<(), ApiError> {
    if world.certificate(id).is_some() {
        return Ok(());
    }
    let message = format!("The specified certificate {id} does not exist.");
    Err(ApiError::not_found("ResourceNotFound.Certificate", message))
}
