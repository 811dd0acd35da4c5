// The tutorial's whole procedure, with the TypeScript SDKs alone, in a cloud that takes its time: network, hosts, load
// balancer, name; then everything removed in the documented order, and nothing left.

import assert from "node:assert/strict";

import { IMAGE_FAMILY, INSTANCE_TYPE, VPC_RANGE, ZONES, forward, publicKey } from "../harness/build.js";
import { cases } from "../harness/cases.js";
import { brisk } from "../harness/stage.js";
import { waitFor } from "../harness/waiting.js";

const check = cases("tutorial");
const PORT = 5000;
const TAG = [{ key: "tutorial", value: "websocket" }];
const call = (operation, fields) => brisk.call(operation, fields);

check("the chatroom's resources are made, found as asked for, and removed again", async () => {
  const network = await makeNetwork();
  const hosts = await makeHosts(network);
  const balancer = await makeBalancer(network, hosts);
  const recordId = await makeName(balancer.dnsName);
  await removeName(recordId);
  await removeBalancer(balancer);
  await removeHosts(network, hosts);
  await removeNetwork(network);
});

async function makeNetwork() {
  const { vpcId } = await call("Vpc.CreateVpc", { cidrBlock: VPC_RANGE, vpcName: "tutorial", clientToken: "tutorial-vpc" });
  const again = await call("Vpc.CreateVpc", { cidrBlock: VPC_RANGE, vpcName: "tutorial", clientToken: "tutorial-vpc" });
  assert.equal(again.vpcId, vpcId, "the same client token names the same VPC");
  await waitFor(`${vpcId} is Available`, async () => (await call("Vpc.DescribeVpcAttribute", { vpcId })).status === "Available");
  const vSwitchIds = [];
  for (const [number, zoneId] of ZONES.entries()) {
    const fields = { vpcId, zoneId, cidrBlock: `172.16.${number}.0/24`, vSwitchName: `tutorial-${number}` };
    const { vSwitchId } = await call("Vpc.CreateVSwitch", fields);
    const look = async () => (await call("Vpc.DescribeVSwitchAttributes", { vSwitchId })).status === "Available";
    await waitFor(`${vSwitchId} is Available`, look);
    vSwitchIds.push(vSwitchId);
  }
  const { securityGroupId } = await call("Ecs.CreateSecurityGroup", { vpcId, securityGroupName: "tutorial", tag: TAG });
  const rules = [
    { ipProtocol: "tcp", portRange: "22/22", sourceCidrIp: "203.0.113.0/24", description: "administration" },
    { ipProtocol: "tcp", portRange: `${PORT}/${PORT}`, sourceCidrIp: "172.16.0.0/23", description: "load balancer" },
    { ipProtocol: "tcp", portRange: "6379/6379", sourceCidrIp: "172.16.0.0/23", description: "Redis" },
  ];
  await call("Ecs.AuthorizeSecurityGroup", { securityGroupId, permissions: rules });
  const { permissions } = await call("Ecs.DescribeSecurityGroupAttribute", { securityGroupId, direction: "ingress" });
  const seen = permissions.permission.map((one) => `${one.portRange} ${one.sourceCidrIp} ${one.description}`).sort();
  assert.deepEqual(seen, rules.map((rule) => `${rule.portRange} ${rule.sourceCidrIp} ${rule.description}`).sort());
  return { vpcId, vSwitchIds, securityGroupId };
}

async function makeHosts({ vSwitchIds, securityGroupId }) {
  const keyPairName = "tutorial";
  await call("Ecs.ImportKeyPair", { keyPairName, publicKeyBody: publicKey(), tag: TAG });
  const common = { instanceType: INSTANCE_TYPE, imageFamily: IMAGE_FAMILY, securityGroupId, keyPairName, tag: TAG };
  const nodes = await call("Ecs.RunInstances", {
    ...common,
    vSwitchId: vSwitchIds[0],
    amount: 2,
    instanceName: "ecs[1,2]",
    internetMaxBandwidthOut: 5,
    systemDisk: { category: "cloud_essd", size: "40", performanceLevel: "PL0" },
  });
  const redis = await call("Ecs.RunInstances", { ...common, vSwitchId: vSwitchIds[1], instanceName: "ecs03" });
  const instanceId = [...nodes.instanceIdSets.instanceIdSet, ...redis.instanceIdSets.instanceIdSet];
  assert.equal(new Set(instanceId).size, 3, "three instances");
  const statuses = async () => (await call("Ecs.DescribeInstanceStatus", { instanceId })).instanceStatuses.instanceStatus;
  await waitFor("all three are Running", async () => {
    const seen = await statuses();
    return seen.length === 3 && seen.every((one) => one.status === "Running");
  });
  const found = (await call("Ecs.DescribeInstances", { tag: TAG, maxResults: 10 })).instances.instance;
  assert.deepEqual(found.map((one) => one.instanceName).sort(), ["ecs01", "ecs02", "ecs03"]);
  for (const one of found) {
    assert.equal(one.keyPairName, keyPairName);
    assert.deepEqual(one.securityGroupIds.securityGroupId, [securityGroupId]);
    assert.equal(one.publicIpAddress.ipAddress.length, one.instanceName === "ecs03" ? 0 : 1, one.instanceName);
  }
  const servers = found.filter((one) => one.instanceName !== "ecs03").map((one) => one.instanceId);
  return { instanceId, servers, keyPairName };
}

async function makeBalancer({ vpcId, vSwitchIds }, { servers }) {
  const { loadBalancerId } = await call("Alb.CreateLoadBalancer", {
    loadBalancerName: "tutorial",
    vpcId,
    addressType: "Internet",
    loadBalancerEdition: "Basic",
    loadBalancerBillingConfig: { payType: "PostPay" },
    zoneMappings: ZONES.map((zoneId, number) => ({ zoneId, vSwitchId: vSwitchIds[number] })),
  });
  const { serverGroupId } = await call("Alb.CreateServerGroup", {
    serverGroupName: "tutorial",
    vpcId,
    protocol: "HTTP",
    scheduler: "Wrr",
    stickySessionConfig: { stickySessionEnabled: true, stickySessionType: "Insert", cookieTimeout: 600 },
    healthCheckConfig: { healthCheckEnabled: true, healthCheckPath: "/healthz", healthCheckMethod: "HEAD", healthCheckInterval: 5 },
  });
  const balancer = () => call("Alb.GetLoadBalancerAttribute", { loadBalancerId });
  await waitFor(`${loadBalancerId} is Active`, async () => (await balancer()).loadBalancerStatus === "Active");
  await groupIsAvailable(serverGroupId);
  await call("Alb.AddServersToServerGroup", {
    serverGroupId,
    servers: servers.map((serverId) => ({ serverId, serverType: "Ecs", port: PORT, weight: 100 })),
  });
  await groupIsAvailable(serverGroupId);
  const listed = await call("Alb.ListServerGroupServers", { serverGroupId });
  assert.deepEqual(listed.servers.map((one) => one.serverId).sort(), [...servers].sort());
  for (const one of listed.servers) assert.deepEqual([one.port, one.weight, one.status], [PORT, 100, "Available"]);
  const { listenerId, jobId } = await call("Alb.CreateListener", {
    loadBalancerId,
    listenerProtocol: "HTTP",
    listenerPort: PORT,
    idleTimeout: 60,
    requestTimeout: 60,
    defaultActions: forward(serverGroupId),
  });
  const job = async () => (await call("Alb.ListAsynJobs", { jobIds: [jobId] })).jobs[0];
  await waitFor(`${jobId} has succeeded`, async () => (await job())?.status === "Succeeded");
  const listener = await call("Alb.GetListenerAttribute", { listenerId });
  assert.deepEqual([listener.listenerPort, listener.idleTimeout, listener.requestTimeout], [PORT, 60, 60]);
  assert.equal(listener.listenerStatus, "Running");
  assert.equal(listener.defaultActions[0].forwardGroupConfig.serverGroupTuples[0].serverGroupId, serverGroupId);
  const health = await call("Alb.GetListenerHealthStatus", { listenerId });
  assert.equal(health.listenerHealthStatus[0].listenerId, listenerId);
  return { loadBalancerId, serverGroupId, listenerId, dnsName: (await balancer()).DNSName };
}

async function groupIsAvailable(serverGroupId) {
  const look = async () => (await call("Alb.ListServerGroups", { serverGroupIds: [serverGroupId] })).serverGroups[0];
  await waitFor(`${serverGroupId} is Available`, async () => (await look())?.serverGroupStatus === "Available");
}

async function makeName(value) {
  const fields = { domainName: "example.com", RR: "@", type: "CNAME", value, line: "default", TTL: 600 };
  const { recordId } = await call("Alidns.AddDomainRecord", fields);
  const look = async () => (await call("Alidns.DescribeSubDomainRecords", { subDomain: "example.com", type: "CNAME" })).domainRecords.record;
  const [record] = await waitFor("the record is listed", async () => {
    const records = await look();
    return records.length === 1 && records;
  });
  assert.deepEqual([record.recordId, record.RR, record.value, record.TTL], [recordId, "@", value, 600]);
  return recordId;
}

async function removeName(recordId) {
  await call("Alidns.DeleteDomainRecord", { recordId });
  const look = async () => (await call("Alidns.DescribeSubDomainRecords", { subDomain: "example.com", type: "CNAME" })).totalCount;
  await waitFor("the record is gone", async () => (await look()) === 0);
}

async function removeBalancer({ loadBalancerId, serverGroupId, listenerId }) {
  await call("Alb.DeleteListener", { listenerId });
  const listeners = async () => (await call("Alb.ListListeners", { loadBalancerIds: [loadBalancerId] })).listeners;
  await waitFor("the listener is gone", async () => (await listeners()).length === 0);
  await insist("Alb.DeleteServerGroup", { serverGroupId }, ["ResourceInUse.ServerGroup", "IncorrectStatus.ServerGroup"]);
  await insist("Alb.DeleteLoadBalancer", { loadBalancerId }, ["IncorrectStatus.LoadBalancer"]);
  const balancers = async () => (await call("Alb.ListLoadBalancers", { loadBalancerIds: [loadBalancerId] })).loadBalancers;
  await waitFor("the load balancer is gone", async () => (await balancers()).length === 0);
}

async function removeHosts({ securityGroupId }, { instanceId, keyPairName }) {
  await call("Ecs.DeleteInstances", { instanceId, force: true });
  const left = async () => (await call("Ecs.DescribeInstances", { instanceIds: JSON.stringify(instanceId) })).totalCount;
  await waitFor("the instances are gone", async () => (await left()) === 0);
  await insist("Ecs.DeleteSecurityGroup", { securityGroupId }, ["DependencyViolation"]);
  await call("Ecs.DeleteKeyPairs", { keyPairNames: JSON.stringify([keyPairName]) });
  const pairs = async () => (await call("Ecs.DescribeKeyPairs", { keyPairName })).totalCount;
  await waitFor("the key pair is gone", async () => (await pairs()) === 0);
}

async function removeNetwork({ vpcId, vSwitchIds }) {
  for (const vSwitchId of vSwitchIds) {
    await insist("Vpc.DeleteVSwitch", { vSwitchId }, ["DependencyViolation", "IncorrectVSwitchStatus", "TaskConflict"]);
  }
  const vswitches = async () => (await call("Vpc.DescribeVSwitches", { vpcId })).totalCount;
  await waitFor("the vSwitches are gone", async () => (await vswitches()) === 0);
  await insist("Vpc.DeleteVpc", { vpcId }, ["DependencyViolation"]);
  const networks = async () => (await call("Vpc.DescribeVpcs", { vpcId })).totalCount;
  await waitFor("the VPC is gone", async () => (await networks()) === 0);
}

/** Removes something as soon as it can be removed: it is refused with one of these codes while others still need it. */
async function insist(operation, fields, codes) {
  await waitFor(`${operation} is accepted`, async () => {
    try {
      await call(operation, fields);
      return true;
    } catch (error) {
      if (!codes.some((code) => error.code === code || error.code?.startsWith(`${code}.`))) throw error;
      return false;
    }
  });
}
