// Messages of our own until they are seen in the chatroom.

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { Outbox } from "../../../crates/chat-node/templates/page/outbox.mjs";

let outbox, sent, shown, inLog;

beforeEach(() => {
  sent = [];
  shown = new Map();
  inLog = new Set();
  let ids = 0;
  outbox = new Outbox({
    send: (text, id, answered) => sent.push({ text, id, answered }),
    changed: (entry) => shown.set(entry, entry.state),
    gone: (entry) => shown.delete(entry),
    isShown: (offset) => inLog.has(offset),
    makeId: () => `id-${ids += 1}`,
  });
});

const states = () => [...shown].map(([entry, state]) => `${entry.text} ${state}`);
const texts = () => sent.map(({ text }) => text);

test("a message is waiting, then said, then a line", () => {
  outbox.opened();
  outbox.add("a");
  assert.deepEqual(states(), ["a waiting"]);
  sent[0].answered({ offset: "1-0" });
  assert.deepEqual(states(), ["a said"]);
  assert.equal(outbox.waiting, 0);
  assert.equal(outbox.claim("other", "0-9", true), false);
  assert.equal(outbox.claim("a", "1-0", true), true);
  assert.deepEqual(states(), []);
});

test("a line that comes before its answer is ours too, and nothing is shown twice", () => {
  outbox.opened();
  outbox.add("a");
  outbox.add("a");
  assert.equal(outbox.claim("a", "1-0", true), true);
  assert.deepEqual(states(), ["a waiting"]);
  assert.equal(outbox.claim("a", "2-0", true), true);
  assert.equal(outbox.claim("a", "3-0", true), false, "somebody else of that name");
  sent[0].answered({ offset: "1-0" });
  sent[1].answered({ offset: "2-0" });
  assert.deepEqual(states(), []);
});

test("a line of another name is ours by its offset only", () => {
  outbox.opened();
  outbox.add("a");
  assert.equal(outbox.claim("a", "1-0", false), false);
  sent[0].answered({ offset: "2-0" });
  assert.equal(outbox.claim("a", "2-0", false), true, "the name was changed meanwhile");
});

test("an answer for a line that is here already ends it", () => {
  outbox.opened();
  outbox.add("a");
  inLog.add("1-0");
  sent[0].answered({ offset: "1-0" });
  assert.deepEqual(states(), []);
});

test("what has no answer is sent again with the same id, in order, what has one is not", () => {
  outbox.opened();
  for (const text of ["a", "b", "c"]) outbox.add(text);
  sent[1].answered({ offset: "1-0" });
  outbox.lost();
  outbox.opened();
  assert.deepEqual(texts(), ["a", "b", "c", "a", "c"]);
  assert.deepEqual([sent[3].id, sent[4].id], [sent[0].id, sent[2].id]);
});

test("what is written while there is no connection goes when there is one", () => {
  outbox.add("a");
  assert.deepEqual(texts(), []);
  assert.equal(outbox.waiting, 1);
  outbox.opened();
  assert.deepEqual(texts(), ["a"]);
});

test("only a few are on their way at once", () => {
  outbox.opened();
  for (let count = 0; count < 10; count += 1) outbox.add(`m${count}`);
  assert.equal(sent.length, 4);
  sent[0].answered({ offset: "1-0" });
  sent[1].answered({ error: "no" });
  assert.equal(sent.length, 6);
});

test("a refusal is shown with its reason and can be tried again, or discarded", () => {
  outbox.opened();
  const entry = outbox.add("a");
  sent[0].answered({ error: "It is too long." });
  assert.deepEqual(states(), ["a refused"]);
  assert.equal(entry.reason, "It is too long.");
  outbox.lost();
  outbox.opened();
  assert.equal(sent.length, 1, "nothing that was refused is sent by itself");
  outbox.retry(entry);
  assert.deepEqual(states(), ["a waiting"]);
  assert.equal(sent[1].id, sent[0].id);
  sent[1].answered(undefined);
  assert.equal(entry.reason, "The chatroom refused it.");
  outbox.discard(entry);
  assert.deepEqual(states(), []);
});

test("a message that ends every connection is not tried for ever", () => {
  const entry = outbox.add("a");
  for (let attempt = 0; attempt < 6; attempt += 1) {
    outbox.opened();
    outbox.lost();
  }
  assert.equal(sent.length, 5);
  assert.equal(entry.state, "refused");
});

test("what a node that forgot us may have heard is not said again by itself", () => {
  outbox.opened();
  const entry = outbox.add("a");
  outbox.add("b");
  outbox.claim("b", "1-0", true);
  outbox.lost();
  outbox.add("c");
  outbox.doubt();
  outbox.opened();
  assert.deepEqual(states(), ["a refused", "c waiting"]);
  assert.ok(entry.isInDoubt);
  assert.deepEqual(texts(), ["a", "b", "c"]);
  outbox.retry(entry);
  assert.deepEqual(texts(), ["a", "b", "c", "a"]);
  assert.ok(!entry.isInDoubt);
});

test("what is said, but whose line is missing, is handed out once lines are known to be missing", () => {
  outbox.opened();
  outbox.add("a");
  outbox.add("b");
  sent[0].answered({ offset: "1-0" });
  assert.deepEqual(outbox.takeSaid().map(({ text }) => text), ["a"]);
  assert.deepEqual(states(), ["b waiting"]);
});
