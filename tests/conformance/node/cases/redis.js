// R-kvstore: Redis and Tair instances, accounts, allow lists, security groups, tags.

import assert from "node:assert/strict";

import { PASSWORD, ZONES } from "../harness/build.js";
import { cases } from "../harness/cases.js";
import { contains, has, one, sameSet } from "../harness/compare.js";
import { brisk, build, instant } from "../harness/stage.js";
import { waitFor } from "../harness/waiting.js";

const check = cases("redis");
const call = (action, fields) => instant.call(`R-kvstore.${action}`, fields);

async function read(instanceId) {
  return one("instances", (await call("DescribeInstanceAttribute", { instanceId })).instances.DBInstanceAttribute);
}

check("a Redis is made, read, listed, renamed and deleted", async () => {
  const { vpc: vpcId, vswitches } = await build.shared();
  const instanceName = build.name("redis");
  const instanceId = await build.redis({ instanceName });
  const wanted = {
    instanceId,
    instanceName,
    instanceStatus: "Normal",
    instanceClass: "redis.master.small.default",
    chargeType: "PostPaid",
    engineVersion: "5.0",
    port: 6379,
    vpcId,
    vSwitchId: vswitches[0],
    zoneId: ZONES[0],
    capacity: 1024,
  };
  const found = await read(instanceId);
  contains("the instance", found, { ...wanted, vpcAuthMode: "Open" });
  assert.match(found.connectionDomain, /\.redis\.rds\.aliyuncs\.com$/);
  const page = await call("DescribeInstances", { instanceIds: instanceId });
  contains("the page", page, { totalCount: 1, pageNumber: 1, pageSize: 30 });
  contains("in the list", one("instances", page.instances.KVStoreInstance), { ...wanted, connectionDomain: found.connectionDomain });
  const net = one("ways in", (await call("DescribeDBInstanceNetInfo", { instanceId })).netInfoItems.instanceNetInfo);
  contains("its way in", net, { connectionString: found.connectionDomain, port: "6379", IPAddress: found.privateIp, VPCId: vpcId });
  await call("ModifyInstanceAttribute", { instanceId, instanceName: `${instanceName}-new` });
  await waitFor("the name is new", async () => (await read(instanceId)).instanceName === `${instanceName}-new`);
  await build.redisIs(instanceId, "Normal");
  await call("DeleteInstance", { instanceId });
  const left = async () => (await call("DescribeInstances", { instanceIds: instanceId })).totalCount;
  await waitFor(`${instanceId} is gone`, async () => (await left()) === 0);
});

check("a Tair is made and read", async () => {
  const { vpc: vpcId, vswitches } = await build.shared();
  const kind = { instanceType: "tair_rdb", instanceClass: "tair.rdb.1g" };
  const place = { vpcId, vSwitchId: vswitches[1], zoneId: ZONES[1] };
  const made = await call("CreateTairInstance", { ...kind, ...place, chargeType: "PostPaid", password: PASSWORD, port: 6400 });
  contains("the answer", made, { chargeType: "PostPaid", port: 6400, zoneId: ZONES[1] });
  await build.redisIs(made.instanceId, "Normal");
  contains("the instance", await read(made.instanceId), { ...kind, ...place, port: 6400 });
});

check("a Redis gets another class, other settings and another start", async () => {
  const instanceId = await build.redis();
  await call("ModifyInstanceSpec", { instanceId, instanceClass: "redis.master.mid.default" });
  await build.redisIs(instanceId, "Normal");
  contains("the larger one", await read(instanceId), { instanceClass: "redis.master.mid.default", capacity: 2048 });
  await call("ModifyInstanceConfig", { instanceId, config: JSON.stringify({ "maxmemory-policy": "noeviction" }) });
  await build.redisIs(instanceId, "Normal");
  assert.equal(JSON.parse((await read(instanceId)).config).EvictionPolicy, "noeviction");
  assert.equal((await call("RestartInstance", { instanceId })).instanceId, instanceId);
  await build.redisIs(instanceId, "Normal");
});

check("a Redis is Creating first", async () => {
  const shared = await build.once("brisk network", async () => {
    const { vpcId } = await brisk.call("Vpc.CreateVpc", { cidrBlock: "172.16.0.0/16" });
    const available = async () => (await brisk.call("Vpc.DescribeVpcAttribute", { vpcId })).status === "Available";
    await waitFor(`${vpcId} is Available`, available);
    const { vSwitchId } = await brisk.call("Vpc.CreateVSwitch", { vpcId, zoneId: ZONES[0], cidrBlock: "172.16.0.0/24" });
    const ready = async () => (await brisk.call("Vpc.DescribeVSwitchAttributes", { vSwitchId })).status === "Available";
    await waitFor(`${vSwitchId} is Available`, ready);
    return { vpcId, vSwitchId };
  });
  const fields = { instanceClass: "redis.master.small.default", chargeType: "PostPaid", password: PASSWORD, zoneId: ZONES[0], ...shared };
  const { instanceId } = await brisk.call("R-kvstore.CreateInstance", fields);
  const status = async () => {
    const { instances } = await brisk.call("R-kvstore.DescribeInstanceAttribute", { instanceId });
    return instances.DBInstanceAttribute[0].instanceStatus;
  };
  assert.equal(await status(), "Creating");
  await waitFor(`${instanceId} is Normal`, async () => (await status()) === "Normal");
});

check("addresses are let in and shut out", async () => {
  const instanceId = await build.redis();
  const addresses = async (name) => {
    await build.redisIs(instanceId, "Normal");
    const groups = (await call("DescribeSecurityIps", { instanceId })).securityIpGroups.securityIpGroup;
    return groups.find((group) => group.securityIpGroupName === name).securityIpList.split(",");
  };
  const change = (modifyMode, securityIps, more = {}) => call("ModifySecurityIps", { instanceId, modifyMode, securityIps, ...more });
  assert.deepEqual(await addresses("default"), ["127.0.0.1"]);
  await change("Cover", "10.0.0.1,10.1.0.0/16");
  sameSet("after Cover", await addresses("default"), ["10.0.0.1", "10.1.0.0/16"]);
  await change("Append", "10.0.0.2");
  sameSet("after Append", await addresses("default"), ["10.0.0.1", "10.1.0.0/16", "10.0.0.2"]);
  await change("Delete", "10.0.0.1");
  sameSet("after Delete", await addresses("default"), ["10.1.0.0/16", "10.0.0.2"]);
  await change("Cover", "10.9.0.0/24", { securityIpGroupName: "nodes" });
  assert.deepEqual(await addresses("nodes"), ["10.9.0.0/24"]);
});

check("an account is made, listed and gets a new password", async () => {
  const instanceId = await build.redis();
  const account = { accountName: "reader", accountPrivilege: "RoleReadOnly", accountDescription: "reads-only" };
  await call("CreateAccount", { instanceId, ...account, accountPassword: PASSWORD });
  const listed = async () => one("accounts", (await call("DescribeAccounts", { instanceId, accountName: "reader" })).accounts.account);
  await waitFor("the account is Available", async () => (await listed()).accountStatus === "Available");
  const seen = await listed();
  contains("the account", seen, { instanceId, accountName: "reader", accountDescription: "reads-only", accountType: "Normal" });
  assert.deepEqual(seen.databasePrivileges.databasePrivilege.map((one) => one.accountPrivilege), ["RoleReadOnly"]);
  await build.redisIs(instanceId, "Normal");
  await call("ResetAccountPassword", { instanceId, accountName: "reader", accountPassword: "Other-Horse-8" });
  await waitFor("the account is Available again", async () => (await listed()).accountStatus === "Available");
});

check("a security group is bound", async () => {
  const instanceId = await build.redis();
  const securityGroupId = await build.group((await build.shared()).vpc);
  await call("ModifySecurityGroupConfiguration", { DBInstanceId: instanceId, securityGroupId });
  const bound = async () => (await call("DescribeSecurityGroupConfiguration", { instanceId })).items.ecsSecurityGroupRelation;
  await waitFor("the group is bound", async () => (await bound()).length === 1);
  contains("the relation", (await bound())[0], { securityGroupId, regionId: "cn-hangzhou" });
});

check("tags are added, listed, selected by and removed", async () => {
  const instanceId = await build.redis();
  const target = { resourceType: "INSTANCE", resourceId: [instanceId] };
  await call("TagResources", { ...target, tag: [{ key: "stage", value: "node" }, { key: "owner", value: "nobody" }] });
  const tags = async () => (await call("ListTagResources", target)).tagResources.tagResource;
  sameSet("tags", (await tags()).map((one) => `${one.resourceId} ${one.tagKey}=${one.tagValue}`), [
    `${instanceId} stage=node`,
    `${instanceId} owner=nobody`,
  ]);
  const found = (await call("DescribeInstances", { tag: [{ key: "stage", value: "node" }] })).instances.KVStoreInstance;
  assert.deepEqual(found.map((one) => one.instanceId), [instanceId]);
  await call("UntagResources", { ...target, tagKey: ["owner"] });
  assert.deepEqual((await tags()).map((one) => one.tagKey), ["stage"]);
});

check("a token makes one Redis", async () => {
  const token = build.name("token");
  const instanceName = build.name("redis");
  const first = await build.redis({ token, instanceName });
  assert.equal(await build.redis({ token, instanceName }), first);
});

check("there is something to choose from, and it has a price", async () => {
  has("regions", (await call("DescribeRegions")).regionIds.KVStoreRegion.map((one) => one.regionId), "cn-hangzhou");
  has("zones", (await call("DescribeZones")).zones.KVStoreZone.map((one) => one.zoneId), ZONES[0]);
  const available = await call("DescribeAvailableResource", { instanceChargeType: "PostPaid" });
  has("zones with stock", available.availableZones.availableZone.map((one) => one.zoneId), ZONES[0]);
  const order = { orderType: "BUY", instanceClass: "redis.master.small.default", chargeType: "PostPaid", zoneId: ZONES[0], quantity: 2 };
  const both = (await call("DescribePrice", order)).order;
  const single = (await call("DescribePrice", { ...order, quantity: 1 })).order;
  assert.ok(Number(single.tradeAmount) > 0, `it is free: ${JSON.stringify(single)}`);
  assert.ok(Math.abs(Number(both.tradeAmount) - 2 * Number(single.tradeAmount)) < 0.01, "two cost twice as much as one");
});
