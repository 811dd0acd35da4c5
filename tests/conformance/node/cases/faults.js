// What a client lives with: throttling, failing servers, lost answers; and the SDK's own way of trying again.

import assert from "node:assert/strict";

import core from "@alicloud/openapi-core";
import { RetryCondition, RetryOptions } from "@darabonba/typescript";

import { IMAGE_FAMILY, INSTANCE_TYPE } from "../harness/build.js";
import { cases } from "../harness/cases.js";
import { contains } from "../harness/compare.js";
import { assertErrorObject, documentedStatuses, errorOf } from "../harness/refusals.js";
import { build, instant } from "../harness/stage.js";

const check = cases("faults");
const ZONES = "Vpc.DescribeZones";

/** The next call of an action meets this fault. */
function next(action, fault) {
  return instant.address.admin("faults", [{ action, occurrence: 1, fault }]);
}

/** Codes and statuses of the last calls of an action. */
async function lastCalls(operation, count) {
  const log = (await instant.address.admin("calls")).split("\n").filter(Boolean).map((line) => JSON.parse(line));
  return log.filter((call) => call.operation === operation).slice(-count).map(({ status, code }) => [status, code ?? null]);
}

/** A cloud whose clients try again after errors with this code. */
function patient(...errorCode) {
  const condition = new RetryCondition({ maxAttempts: 3, errorCode, exception: [] });
  return instant.with({ retryOptions: new RetryOptions({ retryable: true, retryCondition: [condition], noRetryCondition: [] }) });
}

check("a throttled call says when to come back", async () => {
  await next(ZONES, { throttle: { retry_after: 70 } });
  const error = await errorOf(() => instant.call(ZONES));
  assert.ok(error instanceof core.ThrottlingError, error.constructor.name);
  contains("the error", error, { code: "Throttling.User", retryAfter: 70 });
  assertErrorObject(ZONES, error, documentedStatuses(ZONES, "Throttling.User"));
  await instant.call(ZONES);
});

check("the SDK comes back by itself after throttling, with a new nonce and signed headers about it", async () => {
  await next(ZONES, { throttle: { retry_after: 70 } });
  const begun = Date.now();
  const { zones } = await patient("Throttling.User").call(ZONES);
  assert.ok(zones.zone.length > 0);
  assert.ok(Date.now() - begun >= 70, "it did not wait as told");
  const [[first], last] = await lastCalls(ZONES, 2);
  assert.ok(documentedStatuses(ZONES, "Throttling.User").includes(first));
  assert.deepEqual(last, [200, null]);
});

check("a failing server is the server's error, and is tried again", async () => {
  await next(ZONES, { server_error: { status: 503 } });
  const error = await errorOf(() => instant.call(ZONES));
  assert.ok(error instanceof core.ServerError, error.constructor.name);
  assertErrorObject(ZONES, error, [503]);
  await next(ZONES, { server_error: { status: 503 } });
  await patient(error.code).call(ZONES);
});

check("after a lost answer the same token finds what was made", async () => {
  const { vswitches, group } = await build.shared();
  const tag = [{ key: "lost", value: "and found" }];
  const place = { vSwitchId: vswitches[0], securityGroupId: group };
  const fields = { instanceType: INSTANCE_TYPE, imageFamily: IMAGE_FAMILY, ...place, tag, clientToken: build.name("token") };
  await next("Ecs.RunInstances", { lost_reply: {} });
  const lost = await errorOf(() => instant.call("Ecs.RunInstances", fields));
  assert.equal(lost.statusCode, undefined, "no answer came");
  const ids = (await instant.call("Ecs.RunInstances", fields)).instanceIdSets.instanceIdSet;
  const { instances } = await instant.call("Ecs.DescribeInstances", { tag });
  assert.deepEqual(instances.instance.map((one) => one.instanceId), ids);
});

check("a part of what was asked for is a success", async () => {
  const { vswitches, group } = await build.shared();
  const place = { vSwitchId: vswitches[0], securityGroupId: group };
  await next("Ecs.RunInstances", { partial_amount: { amount: 2 } });
  const fields = { instanceType: INSTANCE_TYPE, imageFamily: IMAGE_FAMILY, ...place, amount: 5, minAmount: 1 };
  assert.equal((await instant.call("Ecs.RunInstances", fields)).instanceIdSets.instanceIdSet.length, 2);
});

check("nothing in stock is a refusal with its documented status", async () => {
  const { vswitches, group } = await build.shared();
  await next("Ecs.RunInstances", { no_stock: {} });
  const place = { vSwitchId: vswitches[0], securityGroupId: group };
  const error = await errorOf(() => instant.call("Ecs.RunInstances", { instanceType: INSTANCE_TYPE, imageFamily: IMAGE_FAMILY, ...place }));
  contains("the error", error, { code: "OperationDenied.NoStock", statusCode: 403 });
});
