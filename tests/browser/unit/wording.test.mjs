// What sentences mean, and who speaks them.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Arrivals } from "../../../crates/chat-node/templates/page/arrivals.mjs";
import { initialOf, read, timeOf, tintOf } from "../../../crates/chat-node/templates/page/wording.mjs";

test("sentences of the node are told apart", () => {
  const table = [
    ["Welcome to the chatroom!", "welcome"],
    ["Your username is set to Ada: x", "named"],
    ["Failed to set the username. Use 1 to 64 characters, without control characters or a colon before a space.", "name-refused"],
    ["Failed to send the message. Specify a username first.", "trouble"],
    ["The message may not have been sent: the connection to the chatroom broke.", "trouble"],
    ["You are disconnected, because you keep sending too fast.", "trouble"],
  ];
  for (const [text, kind] of table) assert.equal(read(text, "node").kind, kind, text);
  for (const [text, kind] of table.slice(0, 5)) assert.equal(read(text, "unknown", true).kind, kind, text);
  assert.equal(read("Your username is set to Ada: x", "node").name, "Ada: x");
});

test("lines of people are a name and a text, and nobody can speak as the node", () => {
  assert.deepEqual(read("Ada: hello: you", "chatroom"), { kind: "said", name: "Ada", text: "hello: you" });
  assert.deepEqual(read("Ada: \nx", "chatroom"), { kind: "said", name: "Ada", text: "\nx" });
  assert.deepEqual(read("Ada left the chatroom.", "chatroom"), { kind: "notice", text: "Ada left the chatroom." });
  assert.equal(read("Your username is set to Eve: hi", "chatroom").kind, "said");
  assert.equal(read("Failed to set the username. left the chatroom.", "chatroom").kind, "notice");
  assert.equal(read("The Cat: hello", "unknown").kind, "said");
  // Without a question there is no answer, where it cannot be told who speaks.
  assert.equal(read("Your username is set to Eve: hi", "unknown", false).kind, "said");
  assert.equal(read("Failed to set the username.: hi", "unknown", false).kind, "said");
});

test("offsets tell who speaks", () => {
  const arrivals = new Arrivals();
  const table = [
    ["Welcome to the chatroom!", "5-0", "node"],
    ["Your username is set to Ada", "5-0", "node"],
    ["Ada: x", "6-0", "chatroom"],
    ["Failed to send the message. It must be text.", "6-0", "node"],
    ["Ada: x", "6-0", null],
    ["Ada: x", "7-0", "chatroom"],
    ["Ada: x", "6-0", null],
  ];
  for (const [sentence, offset, source] of table) assert.equal(arrivals.sourceOf(sentence, offset), source, sentence);
});

test("a line may come before the welcome, and a stream may begin anew with smaller offsets", () => {
  const arrivals = new Arrivals();
  assert.equal(arrivals.sourceOf("Ada: x", "9-0", ), "chatroom");
  assert.equal(arrivals.sourceOf("Welcome to the chatroom!", "9-0"), "node");
  arrivals.restart();
  assert.equal(arrivals.sourceOf("Welcome to the chatroom!", "2-0"), "node");
  assert.equal(arrivals.sourceOf("Ada: x", "3-0"), "chatroom");
  assert.equal(arrivals.sourceOf("Ada: x", "9-0"), null, "seen before the loss");
  assert.equal(arrivals.sourceOf("Ada: y", undefined), "unknown");
});

test("the time of a line is in its offset, unless a clock is wrong", () => {
  const now = 1_700_000_000_000;
  assert.equal(timeOf("1699999999000-3", now), 1_699_999_999_000);
  for (const offset of ["1000-0", "9999999999999-0", "x", "", undefined]) assert.equal(timeOf(offset, now), now);
});

test("names have a colour of their own everywhere, and a first letter as people see it", () => {
  assert.equal(tintOf("Ada", 8), tintOf("Ada", 8));
  const tints = new Set(Array.from({ length: 100 }, (_, index) => tintOf(`name ${index}`, 8)));
  assert.deepEqual([...tints].sort(), [0, 1, 2, 3, 4, 5, 6, 7]);
  const table = [["ada", "A"], ["e\u0301mile", "E\u0301"], ["🧑‍🚀 Ada", "🧑‍🚀"], ["阿达", "阿"], ["", ""]];
  for (const [name, initial] of table) assert.equal(initialOf(name), initial);
});
