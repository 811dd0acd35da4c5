//! Cloud Assistant: `RunCommand` and its results.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::api::instances::{find, wrong_status};
use crate::api::page::{self, Size};
use crate::api::vpc::accepts;
use crate::api::{Call, Handler};
use crate::wire::{ApiError, Parameters};
use crate::world::cloud_assistant::{Invocation, InvocationResult};
use crate::world::instance::InstanceStatus;
use crate::world::meta::timestamp;

pub(super) const ACTIONS: &[(&str, Handler)] = &[
    ("RunCommand", run_command),
    ("DescribeInvocationResults", describe_invocation_results),
    ("StopInvocation", stop_invocation),
    ("DescribeInvocations", describe_invocations),
    ("DescribeCloudAssistantStatus", describe_cloud_assistant_status),
];

/// Base64 of a command.
const CONTENT_LIMIT: usize = 24 * 1024;
/// Instances of one call.
const INSTANCES: usize = 100;
const SIZE: Size = Size { default: 10, minimum: 1, maximum: 50 };

fn run_command(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let parameters = call.parameters;
    let (script, content) = read_script(parameters)?;
    let instances = parameters.texts("InstanceId");
    check_options(parameters)?;
    if instances.is_empty() {
        return Err(ApiError::bad_request("MissingParam.InstanceId", "At least one InstanceId is needed."));
    }
    for id in &instances {
        let missing =
            |_| ApiError::not_found("InvalidInstance.NotFound", format!("The instance {id} does not exist."));
        let instance = find(call.world, id).map_err(missing)?;
        if instance.status != InstanceStatus::Running {
            return Err(wrong_status(instance));
        }
    }
    let mark = call.identity.clone();
    let (id, command) = (call.ids().make("t-hz0", &mark, 17), call.ids().make("c-hz0", &mark, 17));
    let results = instances.into_iter().map(|id| (id, InvocationResult::default())).collect();
    let invocation = Invocation {
        id: id.clone(),
        command: command.clone(),
        name: parameters.owned("Name"),
        content,
        script,
        kind: parameters.owned("Type"),
        description: parameters.owned("Description"),
        user: parameters.text_or("Username", "root"),
        folder: parameters.text_or("WorkingDir", "/root"),
        timeout: parameters.integer("Timeout").unwrap_or(60),
        results,
        region: call.region.clone(),
        created: call.world.now,
    };
    call.world.begin_invocation(invocation);
    Ok(json!({"CommandId": command, "InvokeId": id}))
}

/// Scripts for Linux, run once, with names and times in their bounds.
fn check_options(parameters: &Parameters) -> Result<(), ApiError> {
    let timeout = parameters.integer("Timeout").unwrap_or(60);
    if !(10..=86_400).contains(&timeout) {
        return Err(ApiError::invalid("Timeout", "it must be 10 to 86400 seconds"));
    }
    if parameters.text("Name").is_some_and(|name| name.chars().count() > 128) {
        return Err(ApiError::forbidden("CmdName.ExceedLimit", "The Name is longer than 128 characters."));
    }
    if parameters.text("Description").is_some_and(|text| text.chars().count() > 512) {
        let message = "The Description is longer than 512 characters.";
        return Err(ApiError::forbidden("CmdDesc.ExceedLimit", message));
    }
    if parameters.text("Type") != Some("RunShellScript") {
        let message = "All instances run Linux, which takes RunShellScript only.";
        return Err(ApiError::bad_request("InvalidInstance.NotMatch", message));
    }
    match parameters.text("RepeatMode") {
        None | Some("Once") => Ok(()),
        Some(mode @ ("Period" | "NextRebootOnly" | "EveryReboot" | "DryRun")) => {
            Err(ApiError::invalid("RepeatMode", format!("mock-cloud runs scripts Once, not {mode}")))
        }
        Some(mode) => {
            let message = format!("The RepeatMode {mode} does not exist.");
            Err(ApiError::not_found("InvalidRepeatMode.NotFound", message))
        }
    }
}

fn stop_invocation(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let id = call.parameters.required("InvokeId")?.to_owned();
    let found = call.world.invocations.get(&id).filter(|own| own.region == call.region);
    let Some(invocation) = found else {
        let message = format!("The specified invocation {id} does not exist.");
        return Err(ApiError::not_found("InvalidInvokeId.NotFound", message));
    };
    let mut instances = call.parameters.texts("InstanceId");
    if instances.len() > INSTANCES {
        let message = format!("A call names {INSTANCES} instances at most.");
        return Err(ApiError::forbidden("InstanceIds.ExceedLimit", message));
    }
    if instances.is_empty() {
        instances = invocation.results.keys().cloned().collect();
    }
    call.begin_effect()?;
    call.world.stop_invocation(&id, &instances);
    Ok(json!({}))
}

/// The decoded script, with placeholders filled in, and its Base64.
fn read_script(parameters: &Parameters) -> Result<(String, String), ApiError> {
    let given = parameters.required("CommandContent")?;
    let undecodable =
        || ApiError::bad_request("CmdContent.DecodeError", "The CommandContent cannot be decoded.");
    let script = if parameters.text("ContentEncoding") == Some("Base64") {
        let bytes = STANDARD.decode(given).map_err(|_| undecodable())?;
        String::from_utf8(bytes).map_err(|_| undecodable())?
    } else {
        given.to_owned()
    };
    let content = STANDARD.encode(&script);
    if content.len() > CONTENT_LIMIT {
        return Err(ApiError::forbidden(
            "CmdContent.ExceedLimit",
            "The command is larger than 24 KB in Base64.",
        ));
    }
    Ok((fill_placeholders(script, parameters)?, content))
}

fn fill_placeholders(mut script: String, parameters: &Parameters) -> Result<String, ApiError> {
    if !parameters.flag("EnableParameter") {
        return Ok(script);
    }
    let Some(text) = parameters.text("Parameters") else {
        return Ok(script);
    };
    let values: BTreeMap<String, String> = serde_json::from_str(text).map_err(|_| {
        ApiError::bad_request("Parameter.NotMatched", "Parameters is not a JSON object of texts.")
    })?;
    for (name, value) in values {
        script = script.replace(&format!("{{{{{name}}}}}"), &value);
    }
    Ok(script)
}

fn describe_invocation_results(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let parameters = call.parameters;
    let plain = parameters.text("ContentEncoding") == Some("PlainText");
    let rows =
        invocations(call).into_iter().flat_map(|own| own.results.iter().map(move |result| (own, result)));
    let all = rows
        .filter(|(_, (instance, _))| accepts(parameters, "InstanceId", instance))
        .filter(|(_, (_, result))| accepts(parameters, "InvokeRecordStatus", record_status(result)))
        .map(|(own, (instance, result))| describe_result(own, instance, result, plain))
        .collect();
    let mut reply = page::either(all, parameters, SIZE, ("InvocationResults", "InvocationResult"))?;
    if let Some(fields) = reply.as_object_mut() {
        fields.remove("RequestId");
    }
    Ok(json!({"Invocation": reply}))
}

/// Invocations of the region, the newest first.
fn invocations<'a>(call: &'a Call<'_>) -> Vec<&'a Invocation> {
    let parameters = call.parameters;
    let mut own: Vec<&Invocation> = call
        .world
        .invocations
        .values()
        .filter(|own| own.region == call.region)
        .filter(|own| {
            accepts(parameters, "InvokeId", &own.id) && accepts(parameters, "CommandId", &own.command)
        })
        .collect();
    own.sort_by_key(|own| (std::cmp::Reverse(own.created), &own.id));
    own
}

/// The state of one instance's part: `Finished` covers every script that ended with 0.
fn record_status(result: &InvocationResult) -> &'static str {
    match result.status() {
        "Success" => "Finished",
        "Terminated" => "Stopped",
        other => other,
    }
}

fn output(result: &InvocationResult, plain: bool) -> String {
    if plain { String::from_utf8_lossy(&result.output).into_owned() } else { STANDARD.encode(&result.output) }
}

fn describe_result(own: &Invocation, instance: &str, result: &InvocationResult, plain: bool) -> Value {
    let mut row = json!({
        "InvokeId": own.id,
        "CommandId": own.command,
        "InstanceId": instance,
        "InvokeRecordStatus": record_status(result),
        "InvocationStatus": result.status(),
        "StartTime": timestamp(own.created),
        "FinishedTime": result.finished.map(timestamp).unwrap_or_default(),
        "StopTime": result.stopped.map(timestamp).unwrap_or_default(),
        "Repeats": 1,
        "Dropped": 0,
        "Output": output(result, plain),
        "ErrorCode": result.error_code(),
        "ErrorInfo": result.error.clone().unwrap_or_default(),
        "Username": own.user,
        "TerminationMode": "Process",
        "ContainerId": "",
        "ContainerName": "",
        "Launcher": "",
        "Tags": {"Tag": []},
    });
    if let Some(code) = result.exit_code {
        row["ExitCode"] = json!(code);
    }
    row
}

fn describe_invocations(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let parameters = call.parameters;
    let plain = parameters.text("ContentEncoding") == Some("PlainText");
    let with_output = parameters.flag("IncludeOutput");
    let all = invocations(call)
        .into_iter()
        .filter(|own| {
            accepts(parameters, "CommandName", &own.name) && accepts(parameters, "CommandType", &own.kind)
        })
        .filter(|own| accepts(parameters, "InvokeStatus", own.status()))
        .filter(|own| parameters.text("InstanceId").is_none_or(|id| own.results.contains_key(id)))
        .map(|own| describe_invocation(own, plain, with_output))
        .collect();
    page::either(all, parameters, SIZE, ("Invocations", "Invocation"))
}

fn describe_invocation(own: &Invocation, plain: bool, with_output: bool) -> Value {
    let instances = own.results.iter().map(|(instance, result)| {
        let mut row = json!({
            "InstanceId": instance,
            "InstanceInvokeStatus": record_status(result),
            "InvocationStatus": result.status(),
            "CreationTime": timestamp(own.created),
            "StartTime": timestamp(own.created),
            "UpdateTime": timestamp(result.finished.unwrap_or(own.created)),
            "Dropped": 0,
            "Repeats": 1,
            "Timed": false,
            "FinishTime": result.finished.map(timestamp).unwrap_or_default(),
            "Output": if with_output { output(result, plain) } else { String::new() },
            "StopTime": result.stopped.map(timestamp).unwrap_or_default(),
            "ErrorCode": result.error_code(),
            "ErrorInfo": result.error.clone().unwrap_or_default(),
        });
        if let Some(code) = result.exit_code {
            row["ExitCode"] = json!(code);
        }
        row
    });
    json!({
        "InvokeId": own.id,
        "CommandId": own.command,
        "CommandName": own.name,
        "CommandType": own.kind,
        "CommandContent": if plain { own.script.clone() } else { own.content.clone() },
        "InvokeStatus": own.status(),
        "InvocationStatus": own.status(),
        "CreationTime": timestamp(own.created),
        "RepeatMode": "Once",
        "Timed": false,
        "Timeout": own.timeout,
        "Username": own.user,
        "WorkingDir": own.folder,
        "CommandDescription": own.description,
        "Frequency": "",
        "TerminationMode": "Process",
        "ContainerId": "",
        "ContainerName": "",
        "Parameters": "{}",
        "InvokeInstances": {"InvokeInstance": instances.collect::<Vec<_>>()},
        "Tags": {"Tag": []},
    })
}

fn describe_cloud_assistant_status(call: &mut Call<'_>) -> Result<Value, ApiError> {
    let ids = call.parameters.texts("InstanceId");
    let all = call
        .world
        .instances
        .values()
        .filter(|own| own.meta.region == call.region && (ids.is_empty() || ids.contains(&own.id)))
        .map(|own| {
            let running = own.status == InstanceStatus::Running;
            json!({
                "InstanceId": own.id,
                "CloudAssistantStatus": if running { "true" } else { "false" },
                "CloudAssistantVersion": "2.2.4.900",
                "OSType": "Linux",
                "InvocationCount": 0,
                "ActiveTaskCount": 0,
                "LastHeartbeatTime": timestamp(call.world.now),
                "LastInvokedTime": "",
                "SupportSessionManager": true,
            })
        })
        .collect();
    let names = ("InstanceCloudAssistantStatusSet", "InstanceCloudAssistantStatus");
    page::either(all, call.parameters, SIZE, names)
}
