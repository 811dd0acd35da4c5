// What the cases share: two clouds, one without delays and one with, and makers of what many cases need.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { Builder } from "./build.js";
import { Cloud } from "./cloud.js";
import { CloudProcess } from "./cloud-process.js";

/** The program under test. */
export const program = process.env.MOCK_CLOUD ?? "mock-cloud";

/** Operation to what the SDK's model could not read of its replies. */
export const shapes = {};

/** Folder for what the cases write; goes at the end. */
export const folder = await mkdtemp(join(tmpdir(), "conformance-node-"));

const processes = await Promise.all([
  CloudProcess.start(program, join(folder, "instant"), "instant"),
  CloudProcess.start(program, join(folder, "brisk"), "brisk"),
]);

/** No delays: what is written is there. */
export const instant = new Cloud(processes[0], shapes);
/** Short delays: every state can be seen. */
export const brisk = new Cloud(processes[1], shapes);
/** Makes things in the cloud without delays. */
export const build = new Builder(instant);

/** Every call so far, as both clouds have noted it. */
export async function callsMade() {
  const logs = await Promise.all(processes.map((process) => process.admin("calls")));
  return logs.flatMap((log) => log.split("\n").filter(Boolean).map((line) => JSON.parse(line)));
}

/** Ends the clouds and removes what was written. */
export async function end() {
  await Promise.all(processes.map((process) => process.end()));
  await rm(folder, { recursive: true });
}
