// Delays before attempts.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Backoff } from "../../../crates/chat-node/templates/page/backoff.mjs";

test("the ceiling is half a second, then a second for a while, then doubles up to ten", () => {
  const backoff = new Backoff(() => 1);
  const delays = Array.from({ length: 12 }, () => backoff.next({ orderly: false, lasted: 0 }));
  assert.deepEqual(delays, [500, ...Array(6).fill(1000), 2000, 4000, 8000, 10_000, 10_000]);
});

test("delays are drawn from all of zero to the ceiling", () => {
  assert.equal(new Backoff(() => 0).next({ orderly: false, lasted: 0 }), 0);
  assert.equal(new Backoff(() => 0.25).next({ orderly: false, lasted: 0 }), 125);
});

test("after a goodbye the next attempt comes within a quarter of a second, again and again", () => {
  const backoff = new Backoff(() => 1);
  for (let time = 0; time < 3; time += 1) assert.equal(backoff.next({ orderly: true, lasted: 60_000 }), 250);
});

test("a server that says goodbye to whoever has just come is not hurried back to", () => {
  const backoff = new Backoff(() => 1);
  const delays = Array.from({ length: 4 }, () => backoff.next({ orderly: true, lasted: 10 }));
  assert.deepEqual(delays, [250, 1000, 1000, 1000]);
});

test("a connection that lasted makes up for all failures before it", () => {
  const backoff = new Backoff(() => 1);
  for (let time = 0; time < 10; time += 1) backoff.next({ orderly: false, lasted: 0 });
  assert.equal(backoff.next({ orderly: false, lasted: 4_999 }), 10_000);
  assert.equal(backoff.next({ orderly: false, lasted: 5_000 }), 500);
});
