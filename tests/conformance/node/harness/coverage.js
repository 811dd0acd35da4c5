// Which emulated actions were driven with success, counted from the clouds' call logs and not from the cases.

import { execFile } from "node:child_process";
import { promisify } from "node:util";

import { PRODUCTS } from "./products.js";
import { callsMade, program } from "./stage.js";

/** Product to how many of its actions are emulated, known to the SDK and driven; and the names of those that were not. */
export async function coverage() {
  const { stdout } = await promisify(execFile)(program, ["provenance", "--json"], { maxBuffer: 1 << 24 });
  const { actions } = JSON.parse(stdout);
  const succeeded = (await callsMade()).filter((call) => call.status === 200);
  const driven = new Set(succeeded.map((call) => call.operation));
  const rows = Object.keys(PRODUCTS).map((product) => {
    const emulated = actions.filter((operation) => operation.startsWith(`${product}.`));
    const offered = emulated.filter(isOffered);
    return { product, emulated: emulated.length, offered: offered.length, driven: offered.filter((name) => driven.has(name)).length };
  });
  return { rows, missing: actions.filter(isOffered).filter((name) => !driven.has(name)) };
}

function isOffered(operation) {
  const [product, action] = operation.split(".");
  return `${action}ResponseBody` in PRODUCTS[product].sdk;
}
