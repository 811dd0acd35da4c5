// ECS: disks, public addresses, consoles, prices, limits, commands that are stopped.

import assert from "node:assert/strict";

import { Builder, INSTANCE_TYPE } from "../harness/build.js";
import { cases } from "../harness/cases.js";
import { contains, one } from "../harness/compare.js";
import { brisk, build, instant } from "../harness/stage.js";
import { waitFor } from "../harness/waiting.js";

const check = cases("ecs-more");
const call = (action, fields) => instant.call(`Ecs.${action}`, fields);

check("disks are listed and go with their instance", async () => {
  const instanceId = await build.instance({
    systemDisk: { category: "cloud_essd", size: "50" },
    dataDisk: [{ category: "cloud_essd", size: 60, deleteWithInstance: true, diskName: "data-of-node" }],
  });
  const disks = async () => (await call("DescribeDisks", { instanceId })).disks.disk;
  const [data, system] = (await disks()).sort((one, other) => one.type.localeCompare(other.type));
  contains("the data disk", data, { type: "data", category: "cloud_essd", size: 60, diskName: "data-of-node", deleteWithInstance: true, instanceId });
  contains("the system disk", system, { type: "system", category: "cloud_essd", size: 50, status: "In_use", portable: false });
  await call("DeleteInstance", { instanceId, force: true });
  await waitFor("the disks are gone", async () => (await disks()).length === 0);
});

check("a disk grows and is changed while it is used", async () => {
  const dataDisk = [{ category: "cloud_essd", size: 60, deleteWithInstance: true, diskName: "grows" }];
  const instanceId = await build.instance({ dataDisk });
  const find = async () => one("data disks", (await call("DescribeDisks", { instanceId })).disks.disk.filter(({ type }) => type === "data"));
  const { diskId } = await find();
  await call("ResizeDisk", { diskId, newSize: 80, type: "online" });
  await call("ModifyDiskAttribute", { diskId, deleteWithInstance: false });
  contains("the disk", await find(), { size: 80, deleteWithInstance: false });
  await call("ModifyDiskAttribute", { diskId, deleteWithInstance: true });
});

check("an instance is given an end, and it is taken back", async () => {
  const instanceId = await build.instance();
  const end = async () => {
    const page = await call("DescribeInstances", { instanceIds: JSON.stringify([instanceId]) });
    return one("instances", page.instances.instance).autoReleaseTime;
  };
  const minute = 60_000;
  const wanted = new Date((Math.floor(Date.now() / minute) + 120) * minute);
  await call("ModifyInstanceAutoReleaseTime", { instanceId, autoReleaseTime: wanted.toISOString().replace(".000Z", "Z") });
  assert.equal(new Date(await end()).getTime(), wanted.getTime());
  await call("ModifyInstanceAutoReleaseTime", { instanceId });
  assert.equal(await end() || "", "");
});

check("a public address is given", async () => {
  const instanceId = await build.instance({ internetMaxBandwidthOut: 3 });
  const { ipAddress } = await call("AllocatePublicIpAddress", { instanceId });
  const page = await call("DescribeInstances", { instanceIds: JSON.stringify([instanceId]) });
  assert.deepEqual(one("instances", page.instances.instance).publicIpAddress.ipAddress, [ipAddress]);
});

check("the console says something", async () => {
  const instanceId = await build.instance();
  const answer = await call("GetInstanceConsoleOutput", { instanceId });
  assert.equal(answer.instanceId, instanceId);
  assert.ok(Buffer.from(answer.consoleOutput, "base64").length > 0, "the console is silent");
});

check("a price is told, and two cost twice as much", async () => {
  const price = async (amount) => (await call("DescribePrice", { instanceType: INSTANCE_TYPE, priceUnit: "Hour", amount })).priceInfo.price;
  const [single, both] = [await price(1), await price(2)];
  assert.equal(single.currency, "CNY");
  assert.ok(single.tradePrice > 0 && single.tradePrice <= single.originalPrice, JSON.stringify(single));
  assert.ok(Math.abs(both.tradePrice - 2 * single.tradePrice) < 0.01, `${both.tradePrice} against ${single.tradePrice}`);
});

check("spot prices are told", async () => {
  const answer = await call("DescribeSpotPriceHistory", { instanceType: INSTANCE_TYPE, networkType: "vpc" });
  assert.ok(answer.spotPrices.spotPriceType.length > 0, "no spot price");
  for (const { spotPrice, originPrice, instanceType } of answer.spotPrices.spotPriceType) {
    assert.equal(instanceType, INSTANCE_TYPE);
    assert.ok(spotPrice > 0 && spotPrice <= originPrice, `${spotPrice} of ${originPrice}`);
  }
});

check("the account has limits", async () => {
  const items = (await call("DescribeAccountAttributes")).accountAttributeItems.accountAttributeItem;
  assert.ok(items.length > 0, "no attribute");
  for (const item of items) assert.ok(item.attributeName && item.attributeValues.valueItem, JSON.stringify(item));
});

check("a command is stopped", async () => {
  const instanceId = await new Builder(brisk).instance();
  const send = (action, fields) => brisk.call(`Ecs.${action}`, fields);
  const agent = async () => (await send("DescribeCloudAssistantStatus", { instanceId: [instanceId] })).instanceCloudAssistantStatusSet;
  const ready = async () => (await agent()).instanceCloudAssistantStatus[0]?.cloudAssistantStatus === "true";
  await waitFor("the agent is there", ready);
  const { invokeId } = await send("RunCommand", { type: "RunShellScript", commandContent: "sleep 30", contentEncoding: "PlainText", instanceId: [instanceId] });
  await send("StopInvocation", { invokeId, instanceId: [instanceId] });
  const result = async () => (await send("DescribeInvocationResults", { invokeId })).invocation.invocationResults.invocationResult[0];
  await waitFor("the command has stopped", async () => (await result()).invokeRecordStatus === "Stopped");
});
