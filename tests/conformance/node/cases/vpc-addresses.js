// VPC: elastic addresses, NAT gateways and their entries.

import assert from "node:assert/strict";

import { cases } from "../harness/cases.js";
import { contains, one } from "../harness/compare.js";
import { build, instant } from "../harness/stage.js";
import { waitFor } from "../harness/waiting.js";

const check = cases("vpc-addresses");
const call = (action, fields) => instant.call(`Vpc.${action}`, fields);

async function address(allocationId) {
  return one("addresses", (await call("DescribeEipAddresses", { allocationId })).eipAddresses.eipAddress);
}

async function addressIs(allocationId, status) {
  await waitFor(`${allocationId} is ${status}`, async () => (await address(allocationId)).status === status);
}

check("an address is allocated, bound, freed and released", async () => {
  const made = { bandwidth: "10", internetChargeType: "PayByTraffic", name: "first" };
  const { allocationId, eipAddress } = await call("AllocateEipAddress", made);
  contains("the address", await address(allocationId), { ...made, allocationId, ipAddress: eipAddress, status: "Available" });
  const instanceId = await build.instance();
  const target = { allocationId, instanceId, instanceType: "EcsInstance" };
  await call("AssociateEipAddress", target);
  await addressIs(allocationId, "InUse");
  contains("the bound address", await address(allocationId), target);
  const page = await instant.call("Ecs.DescribeInstances", { instanceIds: JSON.stringify([instanceId]) });
  contains("the instance's", one("instances", page.instances.instance).eipAddress, { allocationId, ipAddress: eipAddress, bandwidth: 10 });
  await call("UnassociateEipAddress", target);
  await addressIs(allocationId, "Available");
  await call("ReleaseEipAddress", { allocationId });
  const left = async () => (await call("DescribeEipAddresses", { allocationId })).totalCount;
  await waitFor("the address is gone", async () => (await left()) === 0);
});

check("a NAT gateway with an entry is made, read and deleted", async () => {
  const vpcId = await build.vpc();
  const vSwitchId = await build.vswitch(vpcId, 1);
  const settings = { vpcId, name: "door", natType: "Enhanced", internetChargeType: "PayByLcu" };
  const made = await call("CreateNatGateway", { ...settings, vSwitchId });
  const { natGatewayId } = made;
  const snatTableId = one("SNAT tables", made.snatTableIds.snatTableId);
  const gateways = async () => (await call("DescribeNatGateways", { natGatewayId })).natGateways.natGateway;
  await waitFor(`${natGatewayId} is Available`, async () => (await gateways())[0].status === "Available");
  contains("the gateway", one("gateways", await gateways()), { ...settings, natGatewayId, snatTableIds: { snatTableId: [snatTableId] } });
  const eip = await call("AllocateEipAddress");
  const target = { allocationId: eip.allocationId, instanceId: natGatewayId, instanceType: "Nat" };
  await call("AssociateEipAddress", target);
  await addressIs(eip.allocationId, "InUse");
  const entry = { snatTableId, snatIp: eip.eipAddress, sourceVSwitchId: vSwitchId, snatEntryName: "out" };
  const { snatEntryId } = await call("CreateSnatEntry", entry);
  const entries = async () => (await call("DescribeSnatTableEntries", { snatTableId })).snatTableEntries.snatTableEntry;
  await waitFor("the entry is Available", async () => (await entries())[0].status === "Available");
  contains("the entry", one("entries", await entries()), { ...entry, snatEntryId, natGatewayId });
  await call("DeleteSnatEntry", { snatTableId, snatEntryId });
  await waitFor("the entry is gone", async () => (await entries()).length === 0);
  await call("UnassociateEipAddress", target);
  await addressIs(eip.allocationId, "Available");
  await call("DeleteNatGateway", { natGatewayId, force: false });
  await waitFor(`${natGatewayId} is gone`, async () => (await gateways()).length === 0);
  await call("ReleaseEipAddress", { allocationId: eip.allocationId });
  await build.removeVpc(vpcId);
});

check("a bound address is not released", async () => {
  const { allocationId } = await call("AllocateEipAddress");
  const target = { allocationId, instanceId: await build.instance(), instanceType: "EcsInstance" };
  await call("AssociateEipAddress", target);
  await addressIs(allocationId, "InUse");
  await assert.rejects(call("ReleaseEipAddress", { allocationId }), { code: "IncorrectEipStatus", statusCode: 400 });
});
