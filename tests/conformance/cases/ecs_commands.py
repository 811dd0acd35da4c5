"""ECS: the Cloud Assistant."""

import base64

from harness.build import base64_of
from harness.check import contains, equal, one
from harness.registry import case
from harness.waiting import wait_for

ENDED = ("Success", "Finished", "Failed", "Stopped")


def run(cloud, instance, script, **more):
    """Sends a script and answers its invocation."""
    new = {"Type": "RunShellScript", "CommandContent": base64_of(script), "ContentEncoding": "Base64"}
    return cloud("Ecs.RunCommand", InstanceId=[instance], **(new | more))["InvokeId"]


def result(cloud, invocation):
    """Its result on its one instance."""
    answer = cloud("Ecs.DescribeInvocationResults", InvokeId=invocation)["Invocation"]
    return one("results", answer["InvocationResults"]["InvocationResult"])


@case
def a_command_runs_and_its_result_is_read(stage):
    instance = stage.build.instance()
    ready = stage("Ecs.DescribeCloudAssistantStatus", InstanceId=[instance])
    agents = ready["InstanceCloudAssistantStatusSet"]["InstanceCloudAssistantStatus"]
    contains("the agent", one("agents", agents), {"InstanceId": instance, "CloudAssistantStatus": "true"})
    invocation = run(stage, instance, "cat /etc/ssh/ssh_host_ed25519_key.pub", Name="host-key")
    wait_for("the command has ended", lambda: result(stage, invocation)["InvokeRecordStatus"] in ENDED)
    ended = result(stage, invocation)
    contains("the result", ended, {"InstanceId": instance, "InvokeId": invocation, "ExitCode": 0})
    output = base64.b64decode(ended["Output"], validate=True).decode()
    assert output.startswith("ssh-ed25519 "), f"the command printed {output!r}"
    listed = stage("Ecs.DescribeInvocations", InvokeId=invocation)["Invocations"]["Invocation"]
    contains("the invocation", one("invocations", listed), {"InvokeId": invocation, "CommandName": "host-key"})


@case
def a_command_is_stopped(stage):
    instance = stage.brisk.build.instance()
    agent = lambda: stage.brisk("Ecs.DescribeCloudAssistantStatus", InstanceId=[instance])
    ready = lambda: one("agents", agent()["InstanceCloudAssistantStatusSet"]["InstanceCloudAssistantStatus"])
    wait_for("the agent is ready", lambda: ready()["CloudAssistantStatus"] == "true")
    invocation = run(stage.brisk, instance, "sleep 30")
    stage.brisk("Ecs.StopInvocation", InvokeId=invocation, InstanceId=[instance])
    wait_for("the command has stopped", lambda: result(stage.brisk, invocation)["InvokeRecordStatus"] in ENDED)
    equal("status", result(stage.brisk, invocation)["InvokeRecordStatus"], "Stopped")
