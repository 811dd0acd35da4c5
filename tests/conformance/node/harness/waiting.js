// Waiting for a condition that has a name, until a deadline; never for a time.

import { setTimeout as pause } from "node:timers/promises";

/** Milliseconds any condition may take. Everything under test moves in fractions of a second. */
const DEADLINE = 30_000;
const FIRST_GAP = 20;
const LONGEST_GAP = 250;

/** Looks until it sees something true and returns that; fails with the condition's name and the last sight. */
export async function waitFor(condition, look) {
  const end = Date.now() + DEADLINE;
  for (let gap = FIRST_GAP; ; gap = Math.min(gap * 1.5, LONGEST_GAP)) {
    const seen = await look();
    if (seen) return seen;
    if (Date.now() >= end) throw new Error(`waited in vain until ${condition}; last seen: ${JSON.stringify(seen)}`);
    await pause(gap);
  }
}
