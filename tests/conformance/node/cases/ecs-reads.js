// ECS: what there is to choose from, and commands sent to instances.

import assert from "node:assert/strict";

import { IMAGE_FAMILY, INSTANCE_TYPE, ZONES } from "../harness/build.js";
import { cases } from "../harness/cases.js";
import { contains, has, one } from "../harness/compare.js";
import { build, instant } from "../harness/stage.js";
import { waitFor } from "../harness/waiting.js";

const check = cases("ecs-reads");
const call = (action, fields) => instant.call(`Ecs.${action}`, fields);

check("regions and zones are listed", async () => {
  has("regions", (await call("DescribeRegions")).regions.region.map((one) => one.regionId), "cn-hangzhou");
  const zones = (await call("DescribeZones")).zones.zone.map((one) => one.zoneId);
  for (const zone of ZONES) has("zones", zones, zone);
});

check("a family has an image, found by family and by id", async () => {
  const { image } = await call("DescribeImageFromFamily", { imageFamily: IMAGE_FAMILY });
  const wanted = { imageId: image.imageId, imageFamily: IMAGE_FAMILY, OSType: "linux", status: "Available", size: image.size };
  const byFamily = (await call("DescribeImages", { imageFamily: IMAGE_FAMILY, imageOwnerAlias: "system" })).images.image;
  contains("by family", byFamily.find((one) => one.imageId === image.imageId), wanted);
  contains("by id", one("images", (await call("DescribeImages", { imageId: image.imageId })).images.image), wanted);
});

check("a type is described and available", async () => {
  const { instanceTypes } = await call("DescribeInstanceTypes", { instanceTypes: [INSTANCE_TYPE] });
  contains("the type", one("types", instanceTypes.instanceType), { instanceTypeId: INSTANCE_TYPE, cpuCoreCount: 2, memorySize: 4 });
  const available = await call("DescribeAvailableResource", { destinationResource: "InstanceType", instanceType: INSTANCE_TYPE });
  has("zones with it", available.availableZones.availableZone.map((one) => one.zoneId), ZONES[0]);
});

check("a command runs and its result is read", async () => {
  const instanceId = await build.instance();
  const agents = (await call("DescribeCloudAssistantStatus", { instanceId: [instanceId] })).instanceCloudAssistantStatusSet;
  contains("the agent", one("agents", agents.instanceCloudAssistantStatus), { instanceId, cloudAssistantStatus: "true" });
  const { invokeId } = await call("RunCommand", {
    type: "RunShellScript",
    commandContent: Buffer.from("cat /etc/ssh/ssh_host_ed25519_key.pub").toString("base64"),
    contentEncoding: "Base64",
    name: "host-key",
    timeout: 30,
    keepCommand: false,
    instanceId: [instanceId],
  });
  const result = async () => {
    const { invocation } = await call("DescribeInvocationResults", { invokeId });
    return one("results", invocation.invocationResults.invocationResult);
  };
  await waitFor("the command has ended", async () => ["Finished", "Success"].includes((await result()).invokeRecordStatus));
  const ended = await result();
  contains("the result", ended, { instanceId, invokeId, exitCode: 0, dropped: 0 });
  assert.match(Buffer.from(ended.output, "base64").toString(), /^ssh-ed25519 /);
  const listed = one("invocations", (await call("DescribeInvocations", { invokeId })).invocations.invocation);
  contains("the invocation", listed, { invokeId, commandName: "host-key", timeout: 30 });
});
