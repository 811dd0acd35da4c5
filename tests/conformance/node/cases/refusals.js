// Documented refusals of every product: the code, the HTTP status of that code, and the SDK's error object.

import { IMAGE_FAMILY, INSTANCE_TYPE, PASSWORD, VPC_RANGE, ZONES, forward, publicKey } from "../harness/build.js";
import { cases } from "../harness/cases.js";
import { refused } from "../harness/refusals.js";
import { build, instant } from "../harness/stage.js";

const check = cases("refusals");

/** A case: these fields, or what makes them, are refused with this code. */
function refusal(operation, code, fields, name = code) {
  check(`${operation} ${name}`, async () => {
    await refused(instant, operation, code, typeof fields === "function" ? await fields() : fields);
  });
}

/** Another VPC with nothing but a security group. */
const guarded = () =>
  build.once("guarded VPC", async () => {
    const vpcId = await build.vpc();
    return { vpcId, group: await build.group(vpcId) };
  });

const nobody = { instance: "i-bp1nobody", balancer: "alb-nobody", group: "sgp-nobody", listener: "lsn-nobody" };

refusal("Vpc.CreateVSwitch", "InvalidVpcId.NotFound", { vpcId: "vpc-bp1nobody", zoneId: ZONES[0], cidrBlock: "172.16.0.0/24" });
refusal("Vpc.CreateVSwitch", "InvalidZoneId.NotFound", async () => ({ vpcId: (await build.shared()).vpc, zoneId: "cn-hangzhou-zz", cidrBlock: "172.16.9.0/24" }));
refusal("Vpc.CreateVSwitch", "InvalidCidrBlock.Overlapped", async () => ({ vpcId: (await build.shared()).vpc, zoneId: ZONES[0], cidrBlock: "172.16.0.128/25" }));
refusal("Vpc.CreateVSwitch", "InvalidCidrBlock.Malformed", async () => ({ vpcId: (await build.shared()).vpc, zoneId: ZONES[0], cidrBlock: "172.16.0/24" }));
refusal("Vpc.CreateVpc", "InvalidRegionId.NotFound", { cidrBlock: VPC_RANGE, regionId: "cn-atlantis" });
refusal("Vpc.DeleteVpc", "InvalidVpcId.NotFound", { vpcId: "vpc-bp1nobody" });
refusal("Vpc.DeleteVpc", "DependencyViolation.VSwitch", async () => {
  const vpcId = await build.vpc();
  await build.vswitch(vpcId);
  return { vpcId };
});
refusal("Vpc.DeleteVpc", "DependencyViolation.SecurityGroup", async () => ({ vpcId: (await guarded()).vpcId }));
refusal("Vpc.DeleteVSwitch", "DependencyViolation", async () => {
  await build.instance();
  return { vSwitchId: (await build.shared()).vswitches[0] };
});
refusal("Vpc.DescribeVSwitchAttributes", "InvalidVSwitchId.NotFound", { vSwitchId: "vsw-bp1nobody" });

const run = { instanceType: INSTANCE_TYPE, imageFamily: IMAGE_FAMILY };
const place = async () => ({ vSwitchId: (await build.shared()).vswitches[0], securityGroupId: (await build.shared()).group });
const runWith = (more) => async () => ({ ...run, ...(await place()), ...more });
refusal("Ecs.RunInstances", "InvalidVSwitchId.NotFound", runWith({ vSwitchId: "vsw-bp1nobody" }));
refusal("Ecs.RunInstances", "InvalidSecurityGroupId.NotFound", runWith({ securityGroupId: "sg-bp1nobody" }));
refusal("Ecs.RunInstances", "InvalidKeyPairName.NotFound", runWith({ keyPairName: "nobody" }));
refusal("Ecs.RunInstances", "InvalidInstanceType.ValueNotSupported", runWith({ instanceType: "ecs.none.large" }));
refusal("Ecs.RunInstances", "UnexpectedImageFamily.ImageIdSupplied", runWith({ imageId: "some.vhd" }));
refusal("Ecs.RunInstances", "InvalidUserData.SizeExceeded", runWith({ userData: Buffer.alloc(33_000, "x").toString("base64") }));
refusal("Ecs.RunInstances", "InvalidSecurityGroup.VpcMismatch", async () => runWith({ securityGroupId: (await guarded()).group })());
refusal("Ecs.StartInstance", "InvalidInstanceId.NotFound", { instanceId: nobody.instance });
refusal("Ecs.StartInstance", "IncorrectInstanceStatus", async () => ({ instanceId: await build.instance() }));
refusal("Ecs.DeleteInstance", "IncorrectInstanceStatus", async () => ({ instanceId: await build.instance() }), "of a running one");
refusal("Ecs.DeleteInstance", "InvalidOperation.DeletionProtection", async () => ({
  instanceId: await build.instance({ deletionProtection: true }),
  force: true,
}));
refusal("Ecs.StopInstances", "DRYRUN.SUCCESS", async () => ({ instanceId: [await build.instance()], dryRun: true }));
refusal("Ecs.DeleteSecurityGroup", "DependencyViolation", async () => {
  const securityGroupId = await build.group((await build.shared()).vpc);
  await build.instance({ securityGroupId });
  return { securityGroupId };
});
refusal("Ecs.AuthorizeSecurityGroup", "InvalidPortRange.Malformed", async () => ({
  securityGroupId: (await build.shared()).group,
  permissions: [{ ipProtocol: "tcp", portRange: "80", sourceCidrIp: "10.0.0.0/8" }],
}));
refusal("Ecs.ImportKeyPair", "InvalidPublicKeyBody.Malformed", () => ({ keyPairName: build.name("key"), publicKeyBody: "ssh-rsa nothing" }));
refusal("Ecs.ImportKeyPair", "KeyPair.AlreadyExist", async () => {
  const fields = { keyPairName: build.name("key"), publicKeyBody: publicKey() };
  await instant.call("Ecs.ImportKeyPair", fields);
  return fields;
});
refusal("Ecs.RunCommand", "InvalidInstance.NotFound", { instanceId: [nobody.instance], type: "RunShellScript", commandContent: "true" });

refusal("Alb.GetLoadBalancerAttribute", "ResourceNotFound.LoadBalancer", { loadBalancerId: nobody.balancer });
refusal("Alb.GetListenerAttribute", "ResourceNotFound.Listener", { listenerId: nobody.listener });
refusal("Alb.DeleteServerGroup", "ResourceNotFound.ServerGroup", { serverGroupId: nobody.group });
refusal("Alb.CreateServerGroup", "ResourceNotFound.Vpc", {
  serverGroupName: "nobodys",
  vpcId: "vpc-bp1nobody",
  healthCheckConfig: { healthCheckEnabled: false },
});
refusal("Alb.CreateListener", "ResourceAlreadyExist.Listener", async () => {
  const fields = { listenerPort: 9000 + build.number(), defaultActions: forward(await build.serverGroup()) };
  await build.listener(fields);
  return { loadBalancerId: await build.sharedBalancer(), listenerProtocol: "HTTP", ...fields };
});
refusal("Alb.DeleteServerGroup", "ResourceInUse.ServerGroup", async () => {
  const serverGroupId = await build.serverGroup();
  await build.listener({ defaultActions: forward(serverGroupId) });
  return { serverGroupId };
});
refusal("Alb.DeleteLoadBalancer", "OperationDenied.DeletionProtectionEnabled", async () => {
  const loadBalancerId = await build.balancer({ deletionProtectionEnabled: true });
  return { loadBalancerId };
});
refusal("Alb.AddServersToServerGroup", "ResourceNotFound.Ecs", async () => ({
  serverGroupId: await build.serverGroup(),
  servers: [{ serverType: "Ecs", serverId: nobody.instance, port: 80 }],
}));

const record = (more) => ({ domainName: "example.com", RR: "refused", type: "A", value: "192.0.2.1", ...more });
refusal("Alidns.AddDomainRecord", "IncorrectDomainUser", record({ domainName: "nobodys.example" }));
refusal("Alidns.AddDomainRecord", "DomainRecordDuplicate", async () => {
  await instant.call("Alidns.AddDomainRecord", record({}));
  return record({});
});
refusal("Alidns.AddDomainRecord", "DomainRecordConflict", async () => {
  await instant.call("Alidns.AddDomainRecord", record({ RR: "taken" }));
  return record({ RR: "taken", type: "CNAME", value: "elsewhere.example.net" });
});
refusal("Alidns.UpdateDomainRecord", "DomainRecordNotBelongToUser", { recordId: "1", RR: "x", type: "A", value: "192.0.2.1" });

const redis = async (more) => {
  const { vpc: vpcId, vswitches } = await build.shared();
  const kind = { instanceClass: "redis.master.small.default", chargeType: "PostPaid", password: PASSWORD };
  return { ...kind, vpcId, vSwitchId: vswitches[0], zoneId: ZONES[0], ...more };
};
refusal("R-kvstore.CreateInstance", "DryRunOperation", () => redis({ dryRun: true }));
refusal("R-kvstore.CreateInstance", "InvalidvSwitchId", () => redis({ vSwitchId: "vsw-bp1nobody" }));
refusal("R-kvstore.CreateInstance", "IdempotentParameterMismatch", async () => {
  const token = build.name("token");
  await build.redis({ token, instanceName: "first" });
  return redis({ token, instanceName: "second" });
});
refusal("R-kvstore.DescribeSecurityIps", "InvalidInstanceId.NotFound", { instanceId: "r-bp1nobody" });
refusal("R-kvstore.DeleteInstance", "InstanceReleaseProtection", async () => {
  const instanceId = await build.redis();
  await instant.call("R-kvstore.ModifyInstanceAttribute", { instanceId, instanceReleaseProtection: true });
  await build.redisIs(instanceId, "Normal");
  return { instanceId };
});
