// What the gateway answers before any action is reached, and how it looks in the SDK's error object.

import assert from "node:assert/strict";

import core from "@alicloud/openapi-core";
import { RuntimeOptions } from "@darabonba/typescript";

import { cases } from "../harness/cases.js";
import { REGION } from "../harness/cloud-process.js";
import { contains } from "../harness/compare.js";
import { documentedStatuses, errorOf, assertErrorObject, refused } from "../harness/refusals.js";
import { build, instant } from "../harness/stage.js";

const check = cases("gateway");
const REGIONS = "Vpc.DescribeRegions";

check("a wrong secret is refused, the secret stays out of the error", async () => {
  const accessKeySecret = "wrong-secret-of-nobody";
  const error = await refused(instant.with({ accessKeySecret }), REGIONS, "SignatureDoesNotMatch");
  assert.ok(!JSON.stringify(error.data).includes(accessKeySecret));
});

check("an unknown key is refused", async () => {
  await refused(instant.with({ accessKeyId: "LTAInobody" }), REGIONS, "InvalidAccessKeyId.NotFound");
});

check("a missing parameter is named", async () => {
  const error = await errorOf(() => instant.call("Vpc.CreateVSwitch", { vpcId: "vpc-x", zoneId: "cn-hangzhou-h" }));
  assert.equal(error.statusCode, 400);
  assert.match(`${error.code} ${error.data.Message}`, /CidrBlock/);
});

check("an old time stamp is refused", async () => {
  const globalParameters = { headers: { "x-acs-date": "2020-01-01T00:00:00Z" }, queries: {} };
  await refused(instant.with({ globalParameters }), REGIONS, "InvalidTimeStamp.Expired");
});

check("a nonce is good for one call", async () => {
  const globalParameters = { headers: { "x-acs-signature-nonce": `node-${Date.now()}` }, queries: {} };
  const cloud = instant.with({ globalParameters });
  await cloud.call(REGIONS);
  await refused(cloud, REGIONS, "SignatureNonceUsed");
});

check("an action nobody knows is refused, so is a version", async () => {
  for (const [action, version, code] of [["NoSuchAction", "2016-04-28", "InvalidAction.NotFound"], ["DescribeVpcs", "1999-12-31", "InvalidVersion"]]) {
    const error = await errorOf(() => anyCall({ action, version }));
    assert.equal(error.code, code);
    assertErrorObject(`Vpc.${action}`, error, documentedStatuses(`Vpc.${action}`, code));
  }
});

check("GET is as good as POST, and the request id is in the headers too", async () => {
  const answer = await anyCall({ method: "GET", action: "DescribeRegions", version: "2016-04-28" });
  assert.ok(answer.body.Regions.Region.length > 0);
  const { headers, statusCode, body } = await instant.answer(REGIONS);
  assert.equal(statusCode, 200);
  assert.equal(headers["x-acs-request-id"], body.requestId);
  assert.match(headers["content-type"], /^application\/json/);
});

check("parameters in the form are as good as in the query", async () => {
  const form = { RegionId: REGION, CidrBlock: "10.0.0.0/8", VpcName: "a form & more = less + 1", "Tag.1.Key": "form", "Tag.1.Value": "yes" };
  const { body } = await anyCall({ action: "CreateVpc", version: "2016-04-28" }, { body: form });
  const read = await instant.call("Vpc.DescribeVpcAttribute", { vpcId: body.VpcId });
  contains("the VPC", read, { cidrBlock: "10.0.0.0/8", vpcName: "a form & more = less + 1" });
  await build.removeVpc(body.VpcId);
});

check("what ends with an error tells whose error it is", async () => {
  const error = await errorOf(() => instant.call("Ecs.StartInstance", { instanceId: "i-bp1nobody" }));
  assert.ok(error instanceof core.ClientError, "404 is the client's");
  contains("its data", error.data, { Code: "InvalidInstanceId.NotFound", HostId: instant.address.host });
});

/** A call of whatever action, with the SDK's generic way in. */
function anyCall(parameters, request = {}) {
  const { OpenApiRequest, Params } = core.$OpenApiUtil;
  const common = { protocol: "HTTP", pathname: "/", method: "POST", authType: "AK", style: "RPC" };
  const params = new Params({ ...common, reqBodyType: "formData", bodyType: "json", ...parameters });
  return instant.client("Vpc").doRequest(params, new OpenApiRequest(request), new RuntimeOptions({}));
}
