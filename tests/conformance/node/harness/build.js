// Makes what many cases need, each time anew unless it says `shared`, and waits until it is usable.

import { generateKeyPairSync } from "node:crypto";

import { waitFor } from "./waiting.js";

export const ZONES = ["cn-hangzhou-h", "cn-hangzhou-i"];
export const IMAGE_FAMILY = "acs:alibaba_cloud_linux_3_2104_lts_x64";
export const INSTANCE_TYPE = "ecs.c7.large";
export const VPC_RANGE = "172.16.0.0/16";
export const PASSWORD = "Correct-Horse-7";

/** Makes resources in one cloud. */
export class Builder {
  constructor(cloud) {
    this.cloud = cloud;
    this.made = 0;
    this.kept = {};
  }

  /** A number nobody else has. */
  number() {
    this.made += 1;
    return this.made;
  }

  /** A name nobody else has. */
  name(what) {
    return `node-${what}-${this.number()}`;
  }

  /** What is made once, by the first who asks. */
  once(what, make) {
    this.kept[what] ??= make();
    return this.kept[what];
  }

  /** An available VPC. */
  async vpc(more = {}) {
    const { vpcId } = await this.cloud.call("Vpc.CreateVpc", { cidrBlock: VPC_RANGE, ...more });
    const look = () => this.cloud.call("Vpc.DescribeVpcAttribute", { vpcId });
    await waitFor(`${vpcId} is Available`, async () => (await look()).status === "Available");
    return vpcId;
  }

  /** An available vSwitch, the `number`th of its VPC. */
  async vswitch(vpcId, number = 0, zoneId = ZONES[0], more = {}) {
    const fields = { vpcId, zoneId, cidrBlock: `172.16.${number}.0/24`, ...more };
    const { vSwitchId } = await this.cloud.call("Vpc.CreateVSwitch", fields);
    const look = () => this.cloud.call("Vpc.DescribeVSwitchAttributes", { vSwitchId });
    await waitFor(`${vSwitchId} is Available`, async () => (await look()).status === "Available");
    return vSwitchId;
  }

  /** Removes a VPC with its vSwitches: a region has room for ten. */
  async removeVpc(vpcId) {
    const { vSwitchIds } = await this.cloud.call("Vpc.DescribeVpcAttribute", { vpcId });
    for (const vSwitchId of vSwitchIds.vSwitchId) await this.cloud.call("Vpc.DeleteVSwitch", { vSwitchId });
    const left = async () => (await this.cloud.call("Vpc.DescribeVSwitches", { vpcId })).totalCount;
    await waitFor(`${vpcId} has no vSwitch`, async () => (await left()) === 0);
    await this.cloud.call("Vpc.DeleteVpc", { vpcId });
  }

  /** A security group. */
  async group(vpcId, more = {}) {
    return (await this.cloud.call("Ecs.CreateSecurityGroup", { vpcId, ...more })).securityGroupId;
  }

  /** A VPC with a vSwitch in each of two zones and a security group, made once: nobody changes it. */
  shared() {
    return this.once("network", async () => {
      const vpc = await this.vpc();
      const vswitches = [await this.vswitch(vpc, 0, ZONES[0]), await this.vswitch(vpc, 1, ZONES[1])];
      return { vpc, vswitches, group: await this.group(vpc) };
    });
  }

  /** Running instances in the shared network. */
  async instances(amount, more = {}) {
    const shared = await this.shared();
    const place = { vSwitchId: shared.vswitches[0], securityGroupId: shared.group };
    const fields = { instanceType: INSTANCE_TYPE, imageFamily: IMAGE_FAMILY, ...place, amount, ...more };
    const ids = (await this.cloud.call("Ecs.RunInstances", fields)).instanceIdSets.instanceIdSet;
    for (const id of ids) await this.instanceIs(id, "Running");
    return ids;
  }

  /** One running instance in the shared network. */
  async instance(more = {}) {
    return (await this.instances(1, more))[0];
  }

  /** Waits for a status of an instance. */
  async instanceIs(instanceId, status) {
    const look = () => this.cloud.call("Ecs.DescribeInstanceAttribute", { instanceId });
    await waitFor(`${instanceId} is ${status}`, async () => (await look()).status === status);
  }

  /** One stopped instance. */
  async stoppedInstance(more = {}) {
    const instanceId = await this.instance(more);
    await this.cloud.call("Ecs.StopInstance", { instanceId });
    await this.instanceIs(instanceId, "Stopped");
    return instanceId;
  }

  /** An active load balancer in the shared network. */
  async balancer(more = {}) {
    const { vpc, vswitches } = await this.shared();
    const { loadBalancerId } = await this.cloud.call("Alb.CreateLoadBalancer", {
      loadBalancerName: this.name("alb"),
      vpcId: vpc,
      addressType: "Internet",
      loadBalancerEdition: "Standard",
      loadBalancerBillingConfig: { payType: "PostPay" },
      zoneMappings: ZONES.map((zoneId, number) => ({ zoneId, vSwitchId: vswitches[number] })),
      ...more,
    });
    await this.balancerIs(loadBalancerId, "Active");
    return loadBalancerId;
  }

  /** Waits for a status of a load balancer. */
  async balancerIs(loadBalancerId, status) {
    const look = () => this.cloud.call("Alb.GetLoadBalancerAttribute", { loadBalancerId });
    await waitFor(`${loadBalancerId} is ${status}`, async () => (await look()).loadBalancerStatus === status);
  }

  /** A load balancer nobody changes; each case takes listener ports of its own. */
  sharedBalancer() {
    return this.once("balancer", () => this.balancer());
  }

  /** An available server group in the shared VPC, without health checks unless told. */
  async serverGroup(more = {}) {
    const { vpc } = await this.shared();
    const fields = { serverGroupName: this.name("group"), vpcId: vpc, protocol: "HTTP", ...more };
    const healthCheckConfig = fields.healthCheckConfig ?? { healthCheckEnabled: false };
    const { serverGroupId } = await this.cloud.call("Alb.CreateServerGroup", { ...fields, healthCheckConfig });
    await this.serverGroupIsAvailable(serverGroupId);
    return serverGroupId;
  }

  /** Waits until a server group takes changes. */
  async serverGroupIsAvailable(serverGroupId) {
    const look = () => this.cloud.call("Alb.ListServerGroups", { serverGroupIds: [serverGroupId] });
    await waitFor(`${serverGroupId} is Available`, async () =>
      (await look()).serverGroups.some((group) => group.serverGroupStatus === "Available"),
    );
  }

  /** A running HTTP listener; of the shared load balancer and a group of its own unless given. */
  async listener(more = {}) {
    const { listenerId } = await this.cloud.call("Alb.CreateListener", {
      loadBalancerId: more.loadBalancerId ?? (await this.sharedBalancer()),
      listenerProtocol: "HTTP",
      listenerPort: 10_000 + this.number(),
      defaultActions: more.defaultActions ?? forward(await this.serverGroup()),
      ...more,
    });
    await this.listenerIs(listenerId, "Running");
    return listenerId;
  }

  /** Waits for a status of a listener. */
  async listenerIs(listenerId, status) {
    const look = () => this.cloud.call("Alb.GetListenerAttribute", { listenerId });
    await waitFor(`${listenerId} is ${status}`, async () => (await look()).listenerStatus === status);
  }

  /** A normal pay-as-you-go Redis in the shared network. */
  async redis(more = {}) {
    const { vpc, vswitches } = await this.shared();
    const { instanceId } = await this.cloud.call("R-kvstore.CreateInstance", {
      instanceClass: "redis.master.small.default",
      chargeType: "PostPaid",
      engineVersion: "5.0",
      vpcId: vpc,
      vSwitchId: vswitches[0],
      zoneId: ZONES[0],
      instanceName: this.name("redis"),
      password: PASSWORD,
      ...more,
    });
    await this.redisIs(instanceId, "Normal");
    return instanceId;
  }

  /** Waits for a status of a Redis. */
  async redisIs(instanceId, status) {
    const look = () => this.cloud.call("R-kvstore.DescribeInstanceAttribute", { instanceId });
    await waitFor(`${instanceId} is ${status}`, async () =>
      (await look()).instances.DBInstanceAttribute.some((one) => one.instanceStatus === status),
    );
  }
}

/** The default action of a listener that forwards to a group. */
export function forward(serverGroupId) {
  return [{ type: "ForwardGroup", forwardGroupConfig: { serverGroupTuples: [{ serverGroupId }] } }];
}

/** A public key in OpenSSH form whose private half is thrown away: ECDSA, since ECS takes no Ed25519 keys. */
export function publicKey() {
  const { x, y } = generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey.export({ format: "jwk" });
  const point = Buffer.concat([Buffer.of(4), Buffer.from(x, "base64url"), Buffer.from(y, "base64url")]);
  const parts = [Buffer.from("ecdsa-sha2-nistp256"), Buffer.from("nistp256"), point];
  const blob = Buffer.concat(parts.flatMap((part) => [length(part), part]));
  return `ecdsa-sha2-nistp256 ${blob.toString("base64")} conformance`;
}

function length(part) {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(part.length);
  return bytes;
}
