//! Starting, stopping and rebooting instances, one or many.

use serde_json::{Value, json};

use crate::api::instances::{find, wrong_status};
use crate::api::{Call, Handler};
use crate::wire::ApiError;
use crate::world::instance::InstanceStatus;

pub(super) const ACTIONS: &[(&str, Handler)] = &[
    ("StartInstance", start_instance),
    ("StartInstances", start_instances),
    ("StopInstance", stop_instance),
    ("StopInstances", stop_instances),
    ("RebootInstance", reboot_instance),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    Start,
    Stop,
}

impl Change {
    fn from(self) -> InstanceStatus {
        match self {
            Self::Start => InstanceStatus::Stopped,
            Self::Stop => InstanceStatus::Running,
        }
    }

    fn make(self, call: &mut Call<'_>, id: &str) {
        match self {
            Self::Start => call.world.start_instance(id),
            Self::Stop => {
                let mode = call.parameters.text_or("StoppedMode", "KeepCharging");
                if let Some(instance) = call.world.instances.get_mut(id) {
                    instance.stopped_mode = mode;
                }
                call.world.stop_instance(id);
            }
        }
    }
}

fn start_instance(call: &mut Call<'_>) -> Result<Value, ApiError> {
    change_one(call, Change::Start)
}

fn stop_instance(call: &mut Call<'_>) -> Result<Value, ApiError> {
    change_one(call, Change::Stop)
}

fn start_instances(call: &mut Call<'_>) -> Result<Value, ApiError> {
    change_many(call, Change::Start)
}

fn stop_instances(call: &mut Call<'_>) -> Result<Value, ApiError> {
    change_many(call, Change::Stop)
}

fn change_one(call: &mut Call<'_>, change: Change) -> Result<Value, ApiError> {
    let id = call.parameters.required("InstanceId")?.to_owned();
    check(call, &id, change)?;
    call.begin_effect()?;
    change.make(call, &id);
    Ok(json!({}))
}

/// `AllTogether` refuses all when one is in the wrong state, `SuccessFirst` changes those it can.
fn change_many(call: &mut Call<'_>, change: Change) -> Result<Value, ApiError> {
    let ids = call.parameters.texts("InstanceId");
    let success_first = call.parameters.text("BatchOptimization") == Some("SuccessFirst");
    for id in &ids {
        find(call.world, id)?;
        if !success_first {
            check(call, id, change)?;
        }
    }
    call.begin_effect()?;
    let mut responses = Vec::new();
    for id in ids {
        let previous = find(call.world, &id)?.status;
        let refusal = check(call, &id, change).err();
        if refusal.is_none() {
            change.make(call, &id);
        }
        let current = find(call.world, &id)?.status;
        responses.push(json!({
            "InstanceId": id,
            "Code": refusal.as_ref().map_or("200", |error| error.code.as_str()),
            "Message": refusal.as_ref().map_or("success", |error| error.message.as_str()),
            "PreviousStatus": previous,
            "CurrentStatus": current,
        }));
    }
    Ok(json!({"InstanceResponses": {"InstanceResponse": responses}}))
}

fn check(call: &Call<'_>, id: &str, change: Change) -> Result<(), ApiError> {
    let instance = find(call.world, id)?;
    if instance.status == change.from() { Ok(()) } else { Err(wrong_status(instance)) }
}

fn reboot_instance(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let id = call.parameters.required("InstanceId")?.to_owned();
    check(call, &id, Change::Stop)?;
    call.begin_effect()?;
    if let Some(instance) = call.world.instances.get_mut(&id) {
        instance.rebooting = true;
    }
    call.world.stop_instance(&id);
    Ok(json!({}))
}
