//! Changing and deleting Redis instances.

use serde_json::{Value, json};

use crate::api::vpc::update;
use crate::api::{Call, Handler, redis_rules};
use crate::secret::Secret;
use crate::wire::ApiError;
use crate::world::World;
use crate::world::redis::{RedisInstance, RedisStatus};

pub(super) const ACTIONS: &[(&str, Handler)] =
    &[("ModifyInstanceAttribute", modify_instance_attribute), ("DeleteInstance", delete_instance)];

fn modify_instance_attribute(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let parameters = call.parameters;
    let own = find(call.world, parameters.required("InstanceId")?)?;
    let (name, password) = (parameters.text("InstanceName"), parameters.text("NewPassword"));
    let protection = parameters.boolean("InstanceReleaseProtection");
    if name.is_none() && password.is_none() && protection.is_none() {
        let message = "InstanceName, NewPassword or InstanceReleaseProtection is mandatory.";
        return Err(ApiError::bad_request("MissingParameter", message));
    }
    if let Some(name) = name {
        redis_rules::check_name(name)?;
    }
    if let Some(password) = password {
        redis_rules::check_password(password, "InvalidPassword.Malformed")?;
    }
    if protection == Some(true) && own.charge_type == "PrePaid" {
        return Err(ApiError::invalid("InstanceReleaseProtection", "a subscription cannot have it"));
    }
    require_idle(own, "TaskExists")?;
    let id = own.id.clone();
    if let Some(own) = call.world.redis_instances.get_mut(&id) {
        update(&mut own.name, name);
        own.release_protection = protection.unwrap_or(own.release_protection);
        if let Some(password) = password {
            own.password = Some(Secret::new(password));
        }
    }
    if password.is_some() {
        call.world.change_redis(&id);
    }
    Ok(json!({}))
}

fn delete_instance(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let own = find(call.world, call.parameters.required("InstanceId")?)?;
    if own.charge_type == "PrePaid" {
        let message = format!("The subscription {} goes by itself when it ends.", own.id);
        return Err(ApiError::forbidden("OperationDenied.ChargeType", message));
    }
    if own.release_protection {
        let message = "The operation is not permitted due to instance release protection.";
        return Err(ApiError::forbidden("InstanceReleaseProtection", message));
    }
    require_normal(own)?;
    let id = own.id.clone();
    call.world.release_redis(&id);
    Ok(json!({}))
}

/// The instance with this id.
pub(super) fn find<'a>(world: &'a World, id: &str) -> Result<&'a RedisInstance, ApiError> {
    let message = format!("The specified instance {id} does not exist.");
    world.redis_instances.get(id).ok_or_else(|| ApiError::not_found("InvalidInstanceId.NotFound", message))
}

/// Most changes need an instance that is ready and idle.
pub(super) fn require_normal(own: &RedisInstance) -> Result<(), ApiError> {
    match own.status {
        RedisStatus::Normal => Ok(()),
        RedisStatus::Creating | RedisStatus::Changing | RedisStatus::Released => {
            let message = format!("The instance {} is {}.", own.id, own.status.as_str());
            Err(ApiError::forbidden("IncorrectDBInstanceState", message))
        }
    }
}

/// The same for an action that has a code of its own for an instance that is being changed.
pub(super) fn require_idle(own: &RedisInstance, code: &str) -> Result<(), ApiError> {
    if own.status == RedisStatus::Changing {
        let message = format!("Another change of the instance {} is under way.", own.id);
        return Err(ApiError::bad_request(code, message));
    }
    require_normal(own)
}
