// Signature V1: the old pop-core with GET and POST, and the new core when it is told to sign the old way.

import assert from "node:assert/strict";

import Core from "@alicloud/pop-core";

import { IMAGE_FAMILY, INSTANCE_TYPE, VPC_RANGE, ZONES } from "../harness/build.js";
import { cases } from "../harness/cases.js";
import { contains, one } from "../harness/compare.js";
import { REGION } from "../harness/cloud-process.js";
import { PRODUCTS } from "../harness/products.js";
import { documentedStatuses, errorOf } from "../harness/refusals.js";
import { deviations } from "../harness/shape.js";
import { build, instant } from "../harness/stage.js";
import { NEWER } from "../harness/newer.js";

const check = cases("legacy");
const METHODS = ["GET", "POST"];

/** Calls `Product.Action` with the old core. */
function send(method, operation, parameters = {}, settings = {}) {
  const [product, action] = operation.split(".");
  const { endpoint, account } = instant.address;
  const client = new Core.RPCClient({
    endpoint,
    apiVersion: PRODUCTS[product].version,
    accessKeyId: account.access_key_id,
    accessKeySecret: account.access_key_secret,
    ...settings,
  });
  return client.request(action, { RegionId: REGION, ...parameters }, { method });
}

/** A reply without the objects that the old core makes of long numbers: the models know numbers only. */
function plain(reply) {
  const text = JSON.stringify(reply, function number(name, value) {
    return typeof this[name]?.toNumber === "function" ? this[name].toNumber() : value;
  });
  return JSON.parse(text);
}

const READS = {
  "Sts.GetCallerIdentity": {},
  "Vpc.DescribeVpcs": { PageSize: 5 },
  "Vpc.DescribeVSwitches": {},
  "Vpc.DescribeZones": {},
  "Ecs.DescribeInstances": { MaxResults: 10 },
  "Ecs.DescribeInstanceStatus": { PageSize: 10 },
  "Ecs.DescribeSecurityGroups": {},
  "Ecs.DescribeImages": { ImageFamily: IMAGE_FAMILY },
  "Ecs.DescribeAvailableResource": { DestinationResource: "InstanceType", InstanceType: INSTANCE_TYPE },
  "Alb.ListLoadBalancers": {},
  "Alb.ListServerGroups": { MaxResults: 5 },
  "Alb.ListListeners": {},
  "Alidns.DescribeDomains": {},
  "Alidns.DescribeDomainRecords": { DomainName: "example.com", PageSize: 3 },
  "R-kvstore.DescribeInstances": {},
  "R-kvstore.DescribeZones": {},
  "cas.ListUserCertificateOrder": { OrderType: "UPLOAD", ShowSize: 5 },
};

for (const [operation, parameters] of Object.entries(READS)) {
  check(`${operation} answers GET and POST alike`, async () => {
    const [product, action] = operation.split(".");
    const replies = [];
    for (const method of METHODS) {
      const { RequestId, ...reply } = plain(await send(method, operation, parameters));
      assert.match(RequestId, /^[0-9A-F-]{36}$/);
      assert.deepEqual(deviations(PRODUCTS[product].sdk[`${action}ResponseBody`], reply), NEWER[operation] ?? []);
      replies.push(reply);
    }
    assert.deepEqual(replies[0], replies[1]);
  });
}

check("what POST made GET reads, and the other way round", async () => {
  const name = "old hand + sons & 'co' *";
  const { VpcId } = await send("POST", "Vpc.CreateVpc", { CidrBlock: VPC_RANGE, VpcName: name });
  contains("the VPC", await send("GET", "Vpc.DescribeVpcAttribute", { VpcId }), { VpcId, VpcName: name, Status: "Available" });
  const { VSwitchId } = await send("GET", "Vpc.CreateVSwitch", { VpcId, ZoneId: ZONES[0], CidrBlock: "172.16.1.0/24" });
  const read = await send("POST", "Vpc.DescribeVSwitchAttributes", { VSwitchId });
  contains("the vSwitch", read, { VpcId, CidrBlock: "172.16.1.0/24", Status: "Available" });
  assert.equal((await instant.call("Vpc.DescribeVpcAttribute", { vpcId: VpcId })).vpcName, name, "as the new SDK sees it");
  await build.removeVpc(VpcId);
});

check("lists and nested objects travel flattened, by either method", async () => {
  const instances = await build.instances(2);
  const serverGroupId = await build.serverGroup();
  for (const [number, method] of METHODS.entries()) {
    const Servers = [{ ServerId: instances[number], ServerType: "Ecs", Port: 80, Weight: 10 + number }];
    await send(method, "Alb.AddServersToServerGroup", { ServerGroupId: serverGroupId, Servers });
    await build.serverGroupIsAvailable(serverGroupId);
  }
  const { Servers } = await send("GET", "Alb.ListServerGroupServers", { ServerGroupId: serverGroupId });
  const seen = Object.fromEntries(Servers.map((server) => [server.ServerId, server.Weight]));
  assert.deepEqual(seen, { [instances[0]]: 10, [instances[1]]: 11 });
});

check("a record lives its whole life by the old core", async () => {
  const fields = { RR: "old-core", Type: "TXT", Value: "a=b&c d" };
  const { RecordId } = await send("POST", "Alidns.AddDomainRecord", { DomainName: "example.com", ...fields });
  contains("the record", await send("GET", "Alidns.DescribeDomainRecordInfo", { RecordId }), fields);
  await send("GET", "Alidns.DeleteDomainRecord", { RecordId });
  const error = await errorOf(() => send("POST", "Alidns.DescribeDomainRecordInfo", { RecordId }));
  assert.equal(error.code, "DomainRecordNotBelongToUser");
});

for (const method of METHODS) {
  const refusals = {
    "a wrong secret": ["Vpc.DescribeRegions", "SignatureDoesNotMatch", {}, { accessKeySecret: "wrong-secret-of-nobody" }],
    "an unknown key": ["Vpc.DescribeRegions", "InvalidAccessKeyId.NotFound", {}, { accessKeyId: "LTAInobody" }],
    "an unknown instance": ["Ecs.StartInstance", "InvalidInstanceId.NotFound", { InstanceId: "i-bp1nobody" }],
    "an unknown listener": ["Alb.GetListenerAttribute", "ResourceNotFound.Listener", { ListenerId: "lsn-nobody" }],
    "an old time stamp": ["Vpc.DescribeRegions", "InvalidTimeStamp.Expired", { Timestamp: "2020-01-01T00:00:00Z" }],
    "a time stamp of another form": ["Vpc.DescribeRegions", "InvalidTimeStamp.Format", { Timestamp: "yesterday" }],
    "an unknown action": ["Vpc.NoSuchAction", "InvalidAction.NotFound", {}],
  };
  for (const [what, [operation, code, parameters, settings]] of Object.entries(refusals)) {
    check(`${what} is refused by ${method} with all the old core reads`, async () => {
      const error = await errorOf(() => send(method, operation, parameters, settings));
      assert.equal(error.code, code, error.message);
      assert.equal(error.name, `${code}Error`);
      const { statusCode } = error.entry.response;
      assert.ok(documentedStatuses(operation, code).includes(statusCode), `${code} with ${statusCode}`);
      contains("its data", error.data, { Code: code, HostId: instant.address.host });
      assert.match(error.data.RequestId, /^[0-9A-F-]{36}$/);
      assert.equal(typeof error.data.Recommend, "string");
    });
  }

  check(`a missing parameter is named to the old core by ${method}`, async () => {
    const error = await errorOf(() => send(method, "Vpc.CreateVSwitch", { VpcId: "vpc-x", ZoneId: ZONES[0] }));
    assert.equal(error.entry.response.statusCode, 400);
    assert.match(`${error.code} ${error.data.Message}`, /CidrBlock/);
  });

  check(`the text to sign of a wrong secret is told by ${method}`, async () => {
    const error = await errorOf(() => send(method, "Vpc.DescribeRegions", {}, { accessKeySecret: "wrong" }));
    const told = error.data.Message.split("server string to sign is:")[1];
    assert.ok(told?.startsWith(`${method}&%2F&AccessKeyId%3D`), error.data.Message);
  });

  check(`a nonce is good for one call by ${method}`, async () => {
    const SignatureNonce = `old-${method}-${Date.now()}`;
    await send(method, "Vpc.DescribeRegions", { SignatureNonce });
    const error = await errorOf(() => send(method, "Vpc.DescribeRegions", { SignatureNonce }));
    assert.equal(error.code, "SignatureNonceUsed");
  });
}

check("the new core signs the old way too, query and form", async () => {
  const old = instant.with({ signatureAlgorithm: "v2" });
  const vpcName = "the old way + more";
  const { vpcId } = await old.call("Vpc.CreateVpc", { cidrBlock: VPC_RANGE, vpcName });
  contains("the VPC", one("VPCs", (await old.call("Vpc.DescribeVpcs", { vpcId })).vpcs.vpc), { vpcId, vpcName });
  await build.removeVpc(vpcId);
  const serverGroupId = await build.serverGroup();
  const servers = [{ serverType: "Ecs", serverId: await build.instance(), port: 80, weight: 7 }];
  await old.call("Alb.AddServersToServerGroup", { serverGroupId, servers });
  await build.serverGroupIsAvailable(serverGroupId);
  assert.equal((await old.call("Alb.ListServerGroupServers", { serverGroupId })).servers[0].weight, 7);
  const error = await errorOf(() => instant.with({ signatureAlgorithm: "v2", accessKeySecret: "wrong" }).call("Vpc.DescribeVpcs"));
  contains("its error", error, { code: "SignatureDoesNotMatch", statusCode: 400 });
});
