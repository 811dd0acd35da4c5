// Runs every case in this one process, then the ones that follow from all of them.
//
//   ./run            every case
//   ./run PART...    the cases whose names hold one of these parts; what was driven is not counted then

import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";

import { allEnded, cases } from "./harness/cases.js";
import { coverage } from "./harness/coverage.js";
import { NEWER } from "./harness/newer.js";
import { end, shapes } from "./harness/stage.js";

const folder = new URL("cases/", import.meta.url);
for (const file of (await readdir(folder)).filter((name) => name.endsWith(".js")).sort()) {
  await import(new URL(file, folder));
}
const begun = await allEnded();
const shape = cases("shape");
for (const operation of Object.keys(shapes).sort()) {
  const found = [...shapes[operation]].sort();
  shape(operation, () => assert.deepEqual(found, NEWER[operation] ?? [], `${operation} is not as the SDK reads it`));
}
if (process.argv.length === 2) {
  cases("count")("every emulated action the SDKs know was driven with success", async (test) => {
    const { rows, missing } = await coverage();
    for (const row of rows) test.diagnostic(`${row.product}: ${row.driven} of ${row.offered} driven, ${row.emulated} emulated`);
    assert.deepEqual(missing, [], "not driven");
  });
}
await allEnded();
await end();
if (begun === 0) {
  console.error(`no case has ${process.argv.slice(2).join(" or ")} in its name`);
  process.exitCode = 64;
}
