// Prints a line a case, what failed under it, and at the end how many passed, failed and were skipped.

import { inspect } from "node:util";

const GRACE = 4_000;

/** A reporter of node:test. */
export default async function* report(source) {
  const count = { ok: 0, FAILED: 0, skipped: 0 };
  for await (const { type, data } of source) {
    // node:test closes with diagnostics of its own, which this has its own line for.
    if (type === "test:diagnostic" && !/^(tests|suites|pass|fail|cancelled|skipped|todo|duration_ms) /.test(data.message)) {
      yield `    ${data.message}\n`;
    }
    if (type !== "test:pass" && type !== "test:fail") continue;
    const verdict = type === "test:fail" ? "FAILED" : data.skip === undefined ? "ok" : "skipped";
    count[verdict] += 1;
    yield `test ${data.name} ... ${verdict} (${(data.details.duration_ms / 1000).toFixed(2)}s)\n`;
    if (verdict === "FAILED") yield `${indented(reason(data.details.error))}\n`;
  }
  // As cargo's test runner closes, so that one count covers all.
  const verdict = count.FAILED === 0 ? "ok" : "FAILED";
  yield `\ntest result: ${verdict}. ${count.ok} passed; ${count.FAILED} failed; ${count.skipped} ignored\n`;
}

/** The error of a case, in a few lines: the SDKs repeat their whole reply. */
function reason(error) {
  const cause = error.cause ?? error;
  if (typeof cause.statusCode === "number") return `${cause.code} (${cause.statusCode}): ${cause.message}${place(cause)}`;
  const text = cause instanceof Error ? `${cause.message}${place(cause)}` : inspect(cause);
  return text.slice(0, GRACE);
}

/** Where in the cases it happened. */
function place(error) {
  const lines = (error.stack ?? "").split("\n").filter((line) => line.includes("/cases/"));
  return lines.length === 0 ? "" : `\n${lines.map((line) => line.trim()).join("\n")}`;
}

function indented(text) {
  return text.split("\n").map((line) => `    ${line}`).join("\n");
}
