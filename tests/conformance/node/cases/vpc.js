// VPC: networks, vSwitches and their tags.

import assert from "node:assert/strict";

import { VPC_RANGE, ZONES } from "../harness/build.js";
import { cases } from "../harness/cases.js";
import { contains, has, one, sameSet } from "../harness/compare.js";
import { brisk, build, instant } from "../harness/stage.js";
import { waitFor } from "../harness/waiting.js";

const check = cases("vpc");
const call = (action, fields) => instant.call(`Vpc.${action}`, fields);

check("a VPC is made, listed, read, changed and deleted", async () => {
  const vpcId = await build.vpc({ vpcName: "first", description: "made by a test" });
  const wanted = { vpcId, cidrBlock: VPC_RANGE, vpcName: "first", description: "made by a test", status: "Available" };
  const page = await call("DescribeVpcs", { vpcId });
  contains("the list", page, { totalCount: 1, pageNumber: 1, pageSize: 10 });
  contains("the listed VPC", one("VPCs", page.vpcs.vpc), { ...wanted, isDefault: false, regionId: "cn-hangzhou" });
  contains("the VPC", await call("DescribeVpcAttribute", { vpcId }), wanted);
  const change = { vpcName: "second", description: "changed by a test" };
  await call("ModifyVpcAttribute", { vpcId, ...change });
  contains("the changed VPC", await call("DescribeVpcAttribute", { vpcId }), change);
  await call("DeleteVpc", { vpcId });
  await waitFor(`${vpcId} is gone`, async () => (await call("DescribeVpcs", { vpcId })).totalCount === 0);
});

check("a vSwitch is made, listed, read and deleted", async () => {
  const vpcId = await build.vpc();
  const vSwitchId = await build.vswitch(vpcId, 7, ZONES[1], { vSwitchName: "seventh", description: "a test's" });
  const wanted = { vSwitchId, vpcId, cidrBlock: "172.16.7.0/24", zoneId: ZONES[1], vSwitchName: "seventh", status: "Available" };
  const listed = one("vSwitches", (await call("DescribeVSwitches", { vpcId })).vSwitches.vSwitch);
  contains("the listed vSwitch", listed, { ...wanted, availableIpAddressCount: 252, isDefault: false });
  contains("the vSwitch", await call("DescribeVSwitchAttributes", { vSwitchId }), wanted);
  assert.deepEqual((await call("DescribeVpcAttribute", { vpcId })).vSwitchIds.vSwitchId, [vSwitchId]);
  await call("DeleteVSwitch", { vSwitchId });
  await waitFor(`${vSwitchId} is gone`, async () => (await call("DescribeVSwitches", { vSwitchId })).totalCount === 0);
  await build.removeVpc(vpcId);
});

check("tags are added, listed, selected by and removed", async () => {
  const vpcId = await build.vpc();
  const target = { resourceType: "VPC", resourceId: [vpcId] };
  const tag = [{ key: "stage", value: "node" }, { key: "owner", value: "" }];
  await call("TagResources", { ...target, tag });
  const tags = async () => (await call("ListTagResources", target)).tagResources.tagResource;
  sameSet("tags", (await tags()).map((one) => `${one.resourceId} ${one.tagKey}=${one.tagValue}`), [`${vpcId} stage=node`, `${vpcId} owner=`]);
  const found = (await call("DescribeVpcs", { tag: [{ key: "stage", value: "node" }] })).vpcs.vpc;
  assert.deepEqual(found.map((vpc) => vpc.vpcId), [vpcId]);
  contains("its tags", found[0].tags.tag.find((one) => one.key === "stage"), { key: "stage", value: "node" });
  await call("UnTagResources", { ...target, tagKey: ["stage"] });
  assert.deepEqual((await tags()).map((one) => one.tagKey), ["owner"]);
  await build.removeVpc(vpcId);
});

check("regions and zones are listed", async () => {
  has("regions", (await call("DescribeRegions")).regions.region.map((one) => one.regionId), "cn-hangzhou");
  const zones = (await call("DescribeZones")).zones.zone.map((one) => one.zoneId);
  for (const zone of ZONES) has("zones", zones, zone);
});

check("pages by number hold every VPC once", async () => {
  const names = ["page-1", "page-2", "page-3"];
  const tag = [{ key: "paged", value: "by number" }];
  const made = [];
  for (const vpcName of names) {
    const vpcId = await build.vpc({ vpcName });
    await call("TagResources", { resourceType: "VPC", resourceId: [vpcId], tag });
    made.push(vpcId);
  }
  const seen = [];
  for (let pageNumber = 1; pageNumber <= 2; pageNumber += 1) {
    const page = await call("DescribeVpcs", { tag, pageSize: 2, pageNumber });
    contains("the page", page, { pageNumber, pageSize: 2, totalCount: 3 });
    seen.push(...page.vpcs.vpc.map((vpc) => vpc.vpcId));
  }
  sameSet("VPCs of both pages", seen, made);
  for (const vpcId of made) await build.removeVpc(vpcId);
});

check("a new VPC is Pending before it is Available", async () => {
  const { vpcId } = await brisk.call("Vpc.CreateVpc", { cidrBlock: VPC_RANGE });
  const status = async () => (await brisk.call("Vpc.DescribeVpcAttribute", { vpcId })).status;
  assert.equal(await status(), "Pending");
  await waitFor(`${vpcId} is Available`, async () => (await status()) === "Available");
  await brisk.call("Vpc.DeleteVpc", { vpcId });
});
