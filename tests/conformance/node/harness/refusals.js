// What has to be refused: with this code, and a HTTP status that the official metadata gives that code of that action.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";

import core from "@alicloud/openapi-core";

const table = JSON.parse(await readFile(new URL("../../data/refusals.json", import.meta.url), "utf8")).refusals;

/** The statuses that are documented for a code of an action, the gateway's own included. */
export function documentedStatuses(operation, code) {
  const statuses = table[operation]?.[code] ?? table["*"][code];
  assert.ok(statuses, `${operation} has no documented ${code}: refusals.json does not hold it`);
  return statuses;
}

/** Runs what has to fail and returns its error. */
export async function errorOf(run) {
  let answer;
  try {
    answer = await run();
  } catch (error) {
    return error;
  }
  throw new assert.AssertionError({ message: `it succeeds with ${JSON.stringify(answer)}` });
}

/** Makes a call that has to be refused, holds every field of the SDK's error against it, and returns the error. */
export async function refused(cloud, operation, code, fields = {}) {
  const error = await errorOf(() => cloud.call(operation, fields));
  assert.equal(error.code, code, `${operation}: ${error.code} (${error.statusCode}): ${error.message}`);
  assertErrorObject(operation, error, documentedStatuses(operation, code));
  return error;
}

/** The SDK's error object: its class after the status, its fields after the reply. */
export function assertErrorObject(operation, error, statuses) {
  const { statusCode, code, requestId, data, message } = error;
  assert.ok(statuses.includes(statusCode), `${operation} answers ${code} with ${statusCode}, documented is ${statuses}`);
  const kind = statusCode < 500 ? core.ClientError : core.ServerError;
  assert.ok(error instanceof kind || code.includes("Throttling"), `${operation}: ${error.constructor.name} for ${statusCode}`);
  assert.match(requestId, /^[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}$/, `${operation}: the request id`);
  assert.deepEqual([data.Code, data.RequestId], [code, requestId], `${operation}: the error's data`);
  assert.ok(message.includes(`code: ${statusCode}, ${data.Message} request id: ${requestId}`), `${operation}: ${message}`);
  for (const name of ["HostId", "Message", "Recommend"]) assert.equal(typeof data[name], "string", `${operation}: data.${name}`);
}
