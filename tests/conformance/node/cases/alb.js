// ALB: load balancers, server groups and their servers, listeners, jobs, tags.

import assert from "node:assert/strict";

import { ZONES, forward } from "../harness/build.js";
import { cases } from "../harness/cases.js";
import { contains, has, one, sameSet } from "../harness/compare.js";
import { build, instant } from "../harness/stage.js";
import { waitFor } from "../harness/waiting.js";

const check = cases("alb");
const call = (action, fields) => instant.call(`Alb.${action}`, fields);
const balancer = (loadBalancerId) => call("GetLoadBalancerAttribute", { loadBalancerId });
const listener = (listenerId) => call("GetListenerAttribute", { listenerId });

async function serverGroup(serverGroupId) {
  return one("server groups", (await call("ListServerGroups", { serverGroupIds: [serverGroupId] })).serverGroups);
}

/** The servers of a settled group, as `id:port` to weight. */
async function servers(serverGroupId) {
  await build.serverGroupIsAvailable(serverGroupId);
  const listed = (await call("ListServerGroupServers", { serverGroupId })).servers;
  return Object.fromEntries(listed.map((one) => [`${one.serverId}:${one.port}`, one.weight]));
}

check("a balancer is made, read, renamed and deleted", async () => {
  const { vpc: vpcId, vswitches } = await build.shared();
  const loadBalancerName = build.name("balancer");
  const loadBalancerId = await build.balancer({ loadBalancerName, addressType: "Intranet", loadBalancerEdition: "Basic" });
  const wanted = { loadBalancerId, loadBalancerName, vpcId, addressType: "Intranet", loadBalancerEdition: "Basic", loadBalancerStatus: "Active" };
  const read = await balancer(loadBalancerId);
  contains("the balancer", read, { ...wanted, loadBalancerBillingConfig: { payType: "PostPay" }, deletionProtectionConfig: { enabled: false } });
  sameSet("zones", read.zoneMappings.map((zone) => `${zone.zoneId} ${zone.vSwitchId}`), ZONES.map((zone, n) => `${zone} ${vswitches[n]}`));
  const listed = one("balancers", (await call("ListLoadBalancers", { loadBalancerIds: [loadBalancerId] })).loadBalancers);
  contains("in the list", listed, { ...wanted, DNSName: read.DNSName });
  await call("UpdateLoadBalancerAttribute", { loadBalancerId, loadBalancerName: `${loadBalancerName}-new` });
  await waitFor("the name is new", async () => (await balancer(loadBalancerId)).loadBalancerName === `${loadBalancerName}-new`);
  await build.balancerIs(loadBalancerId, "Active");
  await call("DeleteLoadBalancer", { loadBalancerId });
  const left = async () => (await call("ListLoadBalancers", { loadBalancerIds: [loadBalancerId] })).totalCount;
  await waitFor(`${loadBalancerId} is gone`, async () => (await left()) === 0);
});

check("a balancer on the Internet brings addresses of the account", async () => {
  const read = await balancer(await build.sharedBalancer());
  const shown = read.zoneMappings.flatMap((zone) => zone.loadBalancerAddresses.map((one) => one.address));
  assert.ok(shown.length > 0, "the balancer shows no address");
  const eips = (await instant.call("Vpc.DescribeEipAddresses", { serviceManaged: true, pageSize: 100 })).eipAddresses.eipAddress;
  for (const address of shown) has("addresses of the account", eips.map((one) => one.ipAddress), address);
});

check("deletion protection is switched on and off", async () => {
  const loadBalancerId = await build.balancer();
  const enabled = async () => (await balancer(loadBalancerId)).deletionProtectionConfig.enabled;
  await call("EnableDeletionProtection", { resourceId: loadBalancerId });
  await waitFor("protection is on", async () => (await enabled()) === true);
  await call("DisableDeletionProtection", { resourceId: loadBalancerId });
  await waitFor("protection is off", async () => (await enabled()) === false);
});

check("a server group is made, read, changed and deleted", async () => {
  const settings = {
    scheduler: "Wrr",
    stickySessionConfig: { stickySessionEnabled: true, stickySessionType: "Insert", cookieTimeout: 500 },
    healthCheckConfig: {
      healthCheckEnabled: true,
      healthCheckProtocol: "HTTP",
      healthCheckMethod: "HEAD",
      healthCheckPath: "/healthz",
      healthCheckInterval: 5,
      healthCheckTimeout: 3,
      healthyThreshold: 2,
      unhealthyThreshold: 4,
      healthCheckCodes: ["http_2xx", "http_3xx"],
    },
  };
  const serverGroupId = await build.serverGroup(settings);
  const { vpc: vpcId } = await build.shared();
  contains("the group", await serverGroup(serverGroupId), { serverGroupId, vpcId, protocol: "HTTP", serverCount: 0, ...settings });
  const change = { scheduler: "Wlc", stickySessionConfig: { stickySessionEnabled: false } };
  await call("UpdateServerGroupAttribute", { serverGroupId, ...change });
  await build.serverGroupIsAvailable(serverGroupId);
  contains("the changed group", await serverGroup(serverGroupId), { ...change, healthCheckConfig: settings.healthCheckConfig });
  await call("DeleteServerGroup", { serverGroupId });
  const left = async () => (await call("ListServerGroups", { serverGroupIds: [serverGroupId] })).serverGroups;
  await waitFor(`${serverGroupId} is gone`, async () => (await left()).length === 0);
});

check("servers are added, weighed, replaced and removed", async () => {
  const [first, second] = await build.instances(2);
  const serverGroupId = await build.serverGroup();
  const server = (serverId, port, more) => ({ serverType: "Ecs", serverId, port, ...more });
  const added = [server(first, 80, { weight: 100, description: "a server" }), server(first, 81, { weight: 0 })];
  await call("AddServersToServerGroup", { serverGroupId, servers: added });
  assert.deepEqual(await servers(serverGroupId), { [`${first}:80`]: 100, [`${first}:81`]: 0 });
  await call("UpdateServerGroupServersAttribute", { serverGroupId, servers: [server(first, 81, { weight: 20 })] });
  assert.deepEqual(await servers(serverGroupId), { [`${first}:80`]: 100, [`${first}:81`]: 20 });
  const change = { removedServers: [server(first, 80)], addedServers: [server(second, 80, { weight: 30 })] };
  await call("ReplaceServersInServerGroup", { serverGroupId, ...change });
  assert.deepEqual(await servers(serverGroupId), { [`${second}:80`]: 30, [`${first}:81`]: 20 });
  await call("RemoveServersFromServerGroup", { serverGroupId, servers: [server(first, 81)] });
  assert.deepEqual(await servers(serverGroupId), { [`${second}:80`]: 30 });
  assert.equal((await serverGroup(serverGroupId)).serverCount, 1);
});

check("a listener is made, read, changed, stopped, started and deleted", async () => {
  const [group, other] = [await build.serverGroup(), await build.serverGroup()];
  const settings = { idleTimeout: 40, requestTimeout: 45, listenerDescription: "for_a_test", gzipEnabled: false };
  const listenerId = await build.listener({ defaultActions: forward(group), listenerPort: 8443, ...settings });
  const target = (found) => found.defaultActions[0].forwardGroupConfig.serverGroupTuples[0].serverGroupId;
  const wanted = { listenerId, listenerPort: 8443, listenerProtocol: "HTTP", listenerStatus: "Running", ...settings };
  contains("the listener", await listener(listenerId), wanted);
  contains("in the list", one("listeners", (await call("ListListeners", { listenerIds: [listenerId] })).listeners), wanted);
  assert.equal(target(await listener(listenerId)), group);
  const change = { idleTimeout: 50, gzipEnabled: true, XForwardedForConfig: { XForwardedForProtoEnabled: true } };
  await call("UpdateListenerAttribute", { listenerId, defaultActions: forward(other), ...change });
  await build.listenerIs(listenerId, "Running");
  contains("the changed listener", await listener(listenerId), { ...change, requestTimeout: 45 });
  assert.equal(target(await listener(listenerId)), other);
  await call("StopListener", { listenerId });
  await build.listenerIs(listenerId, "Stopped");
  await call("StartListener", { listenerId });
  await build.listenerIs(listenerId, "Running");
  await call("DeleteListener", { listenerId });
  const left = async () => (await call("ListListeners", { listenerIds: [listenerId] })).listeners;
  await waitFor(`${listenerId} is gone`, async () => (await left()).length === 0);
});

check("servers that take no traffic are listed as not normal", async () => {
  const serverId = await build.instance();
  const serverGroupId = await build.serverGroup();
  await call("AddServersToServerGroup", { serverGroupId, servers: [{ serverType: "Ecs", serverId, port: 80, weight: 0 }] });
  await build.serverGroupIsAvailable(serverGroupId);
  const listenerId = await build.listener({ defaultActions: forward(serverGroupId) });
  const health = one("listeners", (await call("GetListenerHealthStatus", { listenerId })).listenerHealthStatus);
  contains("its health", health, { listenerId, listenerProtocol: "HTTP" });
  const group = one("groups", health.serverGroupInfos);
  contains("the group's", group, { serverGroupId, healthCheckEnabled: "off" });
  contains("the server's", one("servers", group.nonNormalServers), { serverId, port: 80, status: "Unused" });
});

check("a job tells how a change ended", async () => {
  const serverGroupId = await build.serverGroup();
  const { jobId } = await call("UpdateServerGroupAttribute", { serverGroupId, serverGroupName: build.name("renamed") });
  const job = async () => (await call("ListAsynJobs", { jobIds: [jobId] })).jobs[0];
  await waitFor(`${jobId} has succeeded`, async () => (await job())?.status === "Succeeded");
  const ended = await job();
  contains("the job", ended, { id: jobId, resourceId: serverGroupId, resourceType: "servergroup" });
  assert.ok(ended.createTime > 1e12 && ended.modifyTime >= ended.createTime, "times are in milliseconds");
});

check("tags are added, listed, selected by and removed", async () => {
  const loadBalancerId = await build.balancer({ tag: [{ key: "first", value: "one" }] });
  const target = { resourceType: "loadbalancer", resourceId: [loadBalancerId] };
  await call("TagResources", { ...target, tag: [{ key: "second", value: "node" }] });
  const tags = async () => (await call("ListTagResources", target)).tagResources;
  sameSet("tags", (await tags()).map((one) => `${one.tagKey}=${one.tagValue}`), ["first=one", "second=node"]);
  const found = (await call("ListLoadBalancers", { tag: [{ key: "second", value: "node" }] })).loadBalancers;
  assert.deepEqual(found.map((one) => one.loadBalancerId), [loadBalancerId]);
  await call("UnTagResources", { ...target, tagKey: ["first"] });
  assert.deepEqual((await tags()).map((one) => one.tagKey), ["second"]);
});

check("pages by token hold every server group once", async () => {
  const made = [];
  for (let number = 0; number < 3; number += 1) made.push(await build.serverGroup({ tag: [{ key: "paged", value: "node" }] }));
  const seen = [];
  let nextToken;
  do {
    const page = await call("ListServerGroups", { tag: [{ key: "paged", value: "node" }], maxResults: 2, nextToken });
    contains("the page", page, { totalCount: 3 });
    seen.push(...page.serverGroups.map((one) => one.serverGroupId));
    nextToken = page.nextToken;
  } while (nextToken);
  sameSet("groups of both pages", seen, made);
});

check("regions and zones are listed", async () => {
  has("regions", (await call("DescribeRegions")).regions.map((one) => one.regionId), "cn-hangzhou");
  for (const zone of ZONES) has("zones", (await call("DescribeZones")).zones.map((one) => one.zoneId), zone);
});
