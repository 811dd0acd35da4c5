//! Releasing and changing instances.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::api::vpc::update;
use crate::api::{Call, Handler, run_access, run_billing, run_network};
use crate::wire::ApiError;
use crate::world::World;
use crate::world::event::Event;
use crate::world::instance::{Instance, InstanceStatus};

pub(super) const ACTIONS: &[(&str, Handler)] = &[
    ("DeleteInstance", delete_instance),
    ("DeleteInstances", delete_instances),
    ("ModifyInstanceAttribute", modify_instance_attribute),
    ("DescribeUserData", describe_user_data),
    ("ModifyInstanceAutoReleaseTime", modify_auto_release_time),
];

/// Sets when an instance goes by itself; without a time it does not any more.
fn modify_auto_release_time(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let id = call.parameters.required("InstanceId")?.to_owned();
    let moment = run_billing::read_auto_release(call)?;
    let no_such = |error: ApiError| ApiError::not_found("NoSuchResource", error.message);
    let instance = find(call.world, &id).map_err(no_such)?;
    if instance.charge_type == "PrePaid" {
        let message = format!("The instance {id} is paid in advance.");
        return Err(ApiError::forbidden("ChargeTypeViolation", message));
    }
    call.begin_effect()?;
    if let Some(instance) = call.world.instances.get_mut(&id) {
        instance.auto_release = moment;
    }
    if let Some(moment) = moment {
        call.world.schedule_at(moment, Event::InstanceExpired(id));
    }
    Ok(json!({}))
}

fn delete_instance(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let id = call.parameters.required("InstanceId")?.to_owned();
    delete(call, &[id])
}

fn delete_instances(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let ids = call.parameters.texts("InstanceId");
    delete(call, &ids)
}

fn delete(call: &mut Call<'_>, ids: &[String]) -> Result<Value, ApiError> {
    let force = call.parameters.flag("Force");
    for id in ids {
        let instance = find(call.world, id)?;
        if instance.deletion_protection {
            let message = format!("The instance {id} has deletion protection.");
            return Err(ApiError::forbidden("InvalidOperation.DeletionProtection", message));
        }
        match instance.status {
            InstanceStatus::Stopped => {}
            InstanceStatus::Pending => {
                let message = format!("The instance {id} is still being made.");
                return Err(ApiError::forbidden("IncorrectInstanceStatus.Initializing", message));
            }
            InstanceStatus::Running | InstanceStatus::Starting | InstanceStatus::Stopping if force => {}
            InstanceStatus::Running | InstanceStatus::Starting | InstanceStatus::Stopping => {
                return Err(wrong_status(instance));
            }
        }
    }
    call.begin_effect()?;
    for id in ids {
        call.world.release_instance(id);
    }
    Ok(json!({}))
}

fn modify_instance_attribute(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let parameters = call.parameters;
    let id = parameters.required("InstanceId")?;
    find(call.world, id)?;
    check_instance_name(parameters.text("InstanceName"))?;
    check_host_name(parameters.text("HostName"))?;
    check_description(parameters.text("Description").unwrap_or_default(), "InvalidDescription.Malformed")?;
    run_access::check_password(parameters)?;
    let groups = parameters.texts("SecurityGroupIds");
    check_groups(call.world, &groups, &find(call.world, id)?.vpc)?;
    let user_data = read_user_data(call, id)?;
    let Some(instance) = call.world.instances.get_mut(id) else {
        return Ok(json!({}));
    };
    update(&mut instance.name, parameters.text("InstanceName"));
    update(&mut instance.description, parameters.text("Description"));
    update(&mut instance.host_name, parameters.text("HostName"));
    if user_data.is_some() {
        instance.user_data = user_data;
    }
    if let Some(protection) = parameters.boolean("DeletionProtection") {
        instance.deletion_protection = protection;
    }
    if !groups.is_empty() {
        instance.security_groups.clone_from(&groups);
        let interface = instance.network_interface.clone();
        if let Some(interface) = call.world.network_interfaces.get_mut(&interface) {
            interface.security_groups = groups;
        }
    }
    Ok(json!({}))
}

/// Groups that an instance can be moved to; the codes differ from those of a new instance.
fn check_groups(world: &World, groups: &[String], vpc: &str) -> Result<(), ApiError> {
    run_network::check_groups(world, groups, vpc).map_err(|error| match error.code.as_str() {
        "InvalidSecurityGroup.VpcMismatch" => {
            ApiError::not_found("InvalidSecurityGroupVpc.NotBelongToOneVpc", error.message)
        }
        "InvalidParameter.SecurityGroupIdRepeated" => ApiError::not_found(error.code, error.message),
        _ => error,
    })
}

/// User data is changed while an instance is stopped.
fn read_user_data(call: &Call<'_>, id: &str) -> Result<Option<Vec<u8>>, ApiError> {
    let data = run_access::read_user_data(call.parameters).map_err(|error| match error.code.as_str() {
        "InvalidUserData.Base64FormatInvalid" => ApiError::forbidden(error.code, error.message),
        _ => error,
    })?;
    let instance = find(call.world, id)?;
    if data.is_some() && instance.status != InstanceStatus::Stopped {
        return Err(wrong_status(instance));
    }
    Ok(data)
}

fn describe_user_data(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let instance = find(call.world, call.parameters.required("InstanceId")?)?;
    let text = instance.user_data.as_ref().map(|data| STANDARD.encode(data)).unwrap_or_default();
    Ok(json!({"InstanceId": instance.id, "RegionId": instance.meta.region, "UserData": text}))
}

/// The instance with this id, unless it has been released.
pub(super) fn find<'a>(world: &'a World, id: &str) -> Result<&'a Instance, ApiError> {
    let message = format!("The specified instance {id} does not exist.");
    let instance = world.instances.get(id).filter(|instance| !instance.releasing);
    instance.ok_or_else(|| ApiError::not_found("InvalidInstanceId.NotFound", message))
}

/// The refusal that most actions give in the wrong state.
pub(super) fn wrong_status(instance: &Instance) -> ApiError {
    let message =
        format!("The instance {} is {:?}, which does not allow this.", instance.id, instance.status);
    ApiError::forbidden("IncorrectInstanceStatus", message)
}

/// 2 to 128 characters, not a URL.
pub(super) fn check_instance_name(name: Option<&str>) -> Result<(), ApiError> {
    let Some(name) = name else { return Ok(()) };
    let url = name.starts_with("http://") || name.starts_with("https://");
    if url || !(2..=128).contains(&name.chars().count()) {
        return Err(ApiError::bad_request("InvalidInstanceName.Malformed", "The InstanceName is not valid."));
    }
    Ok(())
}

/// Descriptions are empty or 2 to 256 characters, and not a URL.
pub(super) fn check_description(text: &str, code: &str) -> Result<(), ApiError> {
    let url = text.starts_with("http://") || text.starts_with("https://");
    if text.is_empty() || ((2..=256).contains(&text.chars().count()) && !url) {
        return Ok(());
    }
    Err(ApiError::bad_request(code, "The description must have 2 to 256 characters and not be a URL."))
}

/// 2 to 64 letters, digits, dots and hyphens; dots and hyphens neither at the ends nor in a row.
pub(super) fn check_host_name(name: Option<&str>) -> Result<(), ApiError> {
    let Some(name) = name else { return Ok(()) };
    let plain = name.replace("${instance_id}", "i");
    let plain = match (plain.find('['), plain.find(']')) {
        (Some(open), Some(close)) if open < close => format!("{}0{}", &plain[..open], &plain[close + 1..]),
        _ => plain,
    };
    let good = plain.chars().all(|c| c.is_ascii_alphanumeric() || c == '.' || c == '-');
    let edges = plain.starts_with(['.', '-']) || plain.ends_with(['.', '-']);
    let repeated = ["..", "--", ".-", "-."].iter().any(|pair| plain.contains(pair));
    if !good || edges || repeated || !(2..=64).contains(&plain.len()) {
        return Err(ApiError::bad_request("InvalidHostName.Malformed", "The HostName is not valid."));
    }
    Ok(())
}
