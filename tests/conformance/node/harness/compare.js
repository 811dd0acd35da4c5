// Comparisons that say what was compared when they fail.

import assert from "node:assert/strict";

/** Fails unless an object has these fields with these values; nested objects likewise, lists as wholes. */
export function contains(what, seen, wanted) {
  for (const [name, value] of Object.entries(wanted)) {
    const nested = typeof value === "object" && value !== null && !Array.isArray(value);
    if (nested && seen?.[name] !== undefined) contains(`${what}.${name}`, seen[name], value);
    else assert.deepEqual(seen?.[name], value, `${what}.${name} is ${JSON.stringify(seen?.[name])}, not ${JSON.stringify(value)}`);
  }
}

/** The only one of a list. */
export function one(what, items) {
  assert.equal(items.length, 1, `${what}: ${items.length} instead of one`);
  return items[0];
}

/** Fails unless both hold the same values, in whatever order. */
export function sameSet(what, seen, wanted) {
  assert.deepEqual([...seen].sort(), [...wanted].sort(), what);
}

/** Fails unless the list holds the value. */
export function has(what, items, wanted) {
  assert.ok(items.includes(wanted), `${what}: ${JSON.stringify(wanted)} is not in ${JSON.stringify(items)}`);
}
