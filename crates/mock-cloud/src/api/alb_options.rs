//! What an ALB has beside listeners: its access log, its security groups, the TLS policies of the cloud.

use serde_json::{Value, json};

use crate::api::alb_balancers::{begin_job, find, require_active};
use crate::api::{Call, Handler};
use crate::wire::ApiError;
use crate::world::load_balancer::AccessLog;
use crate::world::pace::Step;
use crate::world::tls_policy;

pub(super) const ACTIONS: &[(&str, Handler)] = &[
    ("EnableLoadBalancerAccessLog", enable_access_log),
    ("LoadBalancerJoinSecurityGroup", join_security_group),
    ("ListSystemSecurityPolicies", list_system_security_policies),
];

/// Security groups of one ALB.
const SECURITY_GROUPS: usize = 4;

fn enable_access_log(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let parameters = call.parameters;
    let id = parameters.required("LoadBalancerId")?.to_owned();
    let balancer = find(call.world, &id)?;
    require_active(balancer)?;
    if balancer.access_log.is_some() {
        let message = format!("The ALB instance {id} logs already.");
        return Err(ApiError::bad_request("OperationDenied.AccessLogEnabled", message));
    }
    let log = AccessLog {
        project: parameters.required("LogProject")?.to_owned(),
        store: parameters.required("LogStore")?.to_owned(),
    };
    call.begin_effect()?;
    if let Some(balancer) = call.world.load_balancers.get_mut(&id) {
        balancer.access_log = Some(log);
    }
    Ok(settle(call, &id))
}

fn join_security_group(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let id = call.parameters.required("LoadBalancerId")?.to_owned();
    let balancer = find(call.world, &id)?;
    require_active(balancer)?;
    let joined = call.parameters.texts("SecurityGroupIds");
    let denied = |code: &str, message: String| Err(ApiError::bad_request(code, message));
    for (index, group_id) in joined.iter().enumerate() {
        let Some(group) = call.world.security_groups.get(group_id) else {
            let message = format!("The security group {group_id} does not exist.");
            return Err(ApiError::not_found("ResourceNotFound.SecurityGroup", message));
        };
        if group.managed_by.is_some() || group.vpc != balancer.vpc {
            let message = format!("The security group {group_id} cannot be joined by {id}.");
            return denied("OperationDenied.SecurityGroupNotSupport", message);
        }
        if balancer.security_groups.contains(group_id) || joined[..index].contains(group_id) {
            let message = format!("{id} is in the security group {group_id} already.");
            return denied("ResourceAlreadyAssociated.SecurityGroup", message);
        }
    }
    if balancer.security_groups.len() + joined.len() > SECURITY_GROUPS {
        let message = format!("An ALB instance is in {SECURITY_GROUPS} security groups at most.");
        return denied("ResourceQuotaExceeded.SecurityGroupNum", message);
    }
    call.begin_effect()?;
    if let Some(balancer) = call.world.load_balancers.get_mut(&id) {
        balancer.security_groups.extend(joined);
    }
    Ok(settle(call, &id))
}

fn settle(call: &mut Call<'_>, balancer: &str) -> Value {
    call.world.configure_load_balancer(balancer);
    json!({"JobId": begin_job(call, ("loadbalancer", balancer), Step::LoadBalancerConfigured)})
}

#[expect(clippy::unnecessary_wraps, reason = "all handlers have one type")]
fn list_system_security_policies(_call: &mut Call<'_>) -> Result<Value, ApiError> {
    let rows = tls_policy::ALL.iter().map(|policy| {
        json!({
            "SecurityPolicyId": policy.id,
            "TLSVersions": policy.versions,
            "Ciphers": policy.ciphers.concat(),
        })
    });
    Ok(json!({"SecurityPolicies": rows.collect::<Vec<_>>()}))
}

/// Refuses a TLS policy that does not exist.
///
/// # Errors
/// `ResourceNotFound.SecurityPolicy`.
pub(super) fn check_security_policy(id: &str) -> Result<(), ApiError> {
    if tls_policy::find(id).is_some() {
        return Ok(());
    }
    let message = format!("The specified security policy {id} does not exist.");
    Err(ApiError::not_found("ResourceNotFound.SecurityPolicy", message))
}
