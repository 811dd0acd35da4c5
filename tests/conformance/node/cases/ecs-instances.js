// ECS: instances, from their making to their end.

import assert from "node:assert/strict";

import { INSTANCE_TYPE, ZONES } from "../harness/build.js";
import { cases } from "../harness/cases.js";
import { contains, one, sameSet } from "../harness/compare.js";
import { build, instant } from "../harness/stage.js";
import { waitFor } from "../harness/waiting.js";

const check = cases("ecs-instances");
const call = (action, fields) => instant.call(`Ecs.${action}`, fields);

/** An instance as DescribeInstances has it. */
async function described(instanceId) {
  const page = await call("DescribeInstances", { instanceIds: JSON.stringify([instanceId]) });
  return one("instances", page.instances.instance);
}

check("instances are made as asked", async () => {
  const shared = await build.shared();
  const tag = [{ key: "role", value: "node-made" }];
  const ids = await build.instances(2, {
    instanceName: "worker-[7,3]-x",
    hostName: "worker",
    internetMaxBandwidthOut: 5,
    internetChargeType: "PayByTraffic",
    httpTokens: "required",
    httpEndpoint: "enabled",
    deletionProtection: false,
    systemDisk: { category: "cloud_essd", size: "60", performanceLevel: "PL1" },
    tag,
  });
  const page = await call("DescribeInstances", { tag, maxResults: 10 });
  assert.equal(page.totalCount, 2);
  sameSet("ids", page.instances.instance.map((one) => one.instanceId), ids);
  sameSet("names", page.instances.instance.map((one) => one.instanceName), ["worker-007-x", "worker-008-x"]);
  const instance = await described(ids[0]);
  contains("the instance", instance, {
    instanceType: INSTANCE_TYPE,
    status: "Running",
    zoneId: ZONES[0],
    regionId: "cn-hangzhou",
    internetMaxBandwidthOut: 5,
    internetChargeType: "PayByTraffic",
    cpu: 2,
    deletionProtection: false,
    metadataOptions: { httpTokens: "required", httpEndpoint: "enabled" },
    securityGroupIds: { securityGroupId: [shared.group] },
    vpcAttributes: { vpcId: shared.vpc, vSwitchId: shared.vswitches[0] },
  });
  assert.deepEqual(instance.tags.tag.map((one) => ({ ...one })), [{ tagKey: "role", tagValue: "node-made" }]);
  assert.equal(instance.publicIpAddress.ipAddress.length, 1);
  assert.match(one("addresses", instance.vpcAttributes.privateIpAddress.ipAddress), /^172\.16\.0\.\d+$/);
});

check("an instance is read alone, changed and protected", async () => {
  const instanceId = await build.instance({ instanceName: "before" });
  const read = await call("DescribeInstanceAttribute", { instanceId });
  contains("the instance", read, { instanceId, instanceName: "before", status: "Running" });
  const change = { instanceName: "after", description: "changed by a test", deletionProtection: true };
  await call("ModifyInstanceAttribute", { instanceId, ...change });
  contains("the changed instance", await described(instanceId), change);
  await call("ModifyInstanceAttribute", { instanceId, deletionProtection: false });
  assert.equal((await described(instanceId)).deletionProtection, false, "a boolean false reaches the cloud");
});

check("one instance is stopped, started, restarted and deleted", async () => {
  const instanceId = await build.instance();
  await call("StopInstance", { instanceId, forceStop: false });
  await build.instanceIs(instanceId, "Stopped");
  await call("StartInstance", { instanceId });
  await build.instanceIs(instanceId, "Running");
  await call("RebootInstance", { instanceId });
  await build.instanceIs(instanceId, "Running");
  await call("DeleteInstance", { instanceId, force: true });
  const left = async () => (await call("DescribeInstances", { instanceIds: JSON.stringify([instanceId]) })).totalCount;
  await waitFor(`${instanceId} is gone`, async () => (await left()) === 0);
});

check("several instances are stopped, started and deleted", async () => {
  const instanceId = await build.instances(2);
  const stopped = (await call("StopInstances", { instanceId })).instanceResponses.instanceResponse;
  sameSet("answered", stopped.map((one) => one.instanceId), instanceId);
  for (const answer of stopped) contains("the answer", answer, { code: "200", previousStatus: "Running" });
  const statuses = async () => (await call("DescribeInstanceStatus", { instanceId })).instanceStatuses.instanceStatus;
  const all = async (status) => (await statuses()).every((one) => one.status === status);
  await waitFor("both are Stopped", () => all("Stopped"));
  await call("StartInstances", { instanceId });
  await waitFor("both are Running", () => all("Running"));
  await call("DeleteInstances", { instanceId, force: true });
  await waitFor("both are gone", async () => (await statuses()).length === 0);
});

check("user data comes back", async () => {
  const userData = Buffer.from("#!/bin/sh\necho 'a + b = c & d'\n").toString("base64");
  const instanceId = await build.instance({ userData });
  contains("user data", await call("DescribeUserData", { instanceId }), { instanceId, userData });
});

check("network interfaces are listed with their instance", async () => {
  const instanceId = await build.instance();
  const page = await call("DescribeNetworkInterfaces", { instanceId });
  const networkInterface = one("interfaces", page.networkInterfaceSets.networkInterfaceSet);
  const address = one("addresses", (await described(instanceId)).vpcAttributes.privateIpAddress.ipAddress);
  contains("the interface", networkInterface, { instanceId, privateIpAddress: address, type: "Primary" });
});

check("pages by token hold every instance once", async () => {
  const tag = [{ key: "paged", value: "by token" }];
  const ids = await build.instances(13, { tag });
  const seen = [];
  let nextToken;
  do {
    const page = await call("DescribeInstances", { tag, maxResults: 10, nextToken });
    assert.ok(page.instances.instance.length <= 10);
    seen.push(...page.instances.instance.map((one) => one.instanceId));
    nextToken = page.nextToken;
  } while (nextToken);
  sameSet("instances of both pages", seen, ids);
});

check("a client token makes one instance", async () => {
  const clientToken = build.name("token");
  const [first] = await build.instances(1, { clientToken });
  assert.deepEqual(await build.instances(1, { clientToken }), [first]);
});
