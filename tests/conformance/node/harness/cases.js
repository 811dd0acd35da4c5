// The list of cases: `const check = cases("vpc")`, then `check("a VPC is made and deleted", async () => ...)`.

import { test } from "node:test";

/** Milliseconds one case may take. */
const LIMIT = 60_000;

/** Only cases whose names hold one of these run; all of them when there is none. */
const parts = process.argv.slice(2);
const running = [];

/** Makes what adds cases of a group. */
export function cases(group) {
  return (name, body) => {
    const whole = `${group}::${name}`;
    if (parts.length === 0 || parts.some((part) => whole.includes(part))) {
      running.push(test(whole, { timeout: LIMIT }, body));
    }
  };
}

/** Waits until every case added so far has ended, and says how many there were. */
export async function allEnded() {
  await Promise.all(running);
  return running.length;
}
