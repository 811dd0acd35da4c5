// Packets and payloads.

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  byteLength, decodePacket, encodeConnect, encodeEvent, splitPayload, takePayload,
} from "../../../crates/chat-node/templates/page/wire.mjs";

test("packets of every type are read", () => {
  const table = [
    ['0{"sid":"a","pid":"b"}', { type: "connect", id: undefined, data: { sid: "a", pid: "b" } }],
    ["0", { type: "connect", id: undefined, data: undefined }],
    ["1", { type: "disconnect", id: undefined, data: undefined }],
    ['2["message","x","1-0"]', { type: "event", id: undefined, data: ["message", "x", "1-0"] }],
    ['212["a\\n[1]"]', { type: "event", id: 12, data: ["a\n[1]"] }],
    ['30[{"offset":"1-0"}]', { type: "acknowledgement", id: 0, data: [{ offset: "1-0" }] }],
    ['2/,["message","x"]', { type: "event", id: undefined, data: ["message", "x"] }],
    ['4{"message":"no"}', { type: "refusal", id: undefined, data: { message: "no" } }],
  ];
  for (const [text, packet] of table) assert.deepEqual(decodePacket(text), packet, text);
});

test("packets for others are stepped over", () => {
  for (const text of ['2/other,["message","x"]', '51-["a",{"_placeholder":true,"num":0}]', '61-0[]', '9["x"]']) {
    assert.equal(decodePacket(text), null, text);
  }
});

test("what is no packet is refused", () => {
  for (const text of ["", "x", "2", "2{}", '2["a"', "3", '31{"a":1}']) assert.throws(() => decodePacket(text), text);
});

test("packets are written as Socket.IO reads them", () => {
  assert.equal(encodeConnect({ recovery: true, pid: undefined }), '40{"recovery":true}');
  assert.equal(encodeEvent(["message", 'a"b', "id"], 7), '427["message","a\\"b","id"]');
  assert.equal(encodeEvent(["message", "x"]), '42["message","x"]');
  assert.equal(encodeEvent(["node"], 0), '420["node"]');
});

test("a body holds as many packets as fit, at least one, counted in bytes", () => {
  assert.equal(byteLength("é🙂"), 6);
  const packets = ["4éé", "4b", "4c"];
  assert.equal(takePayload(packets, 8), "4éé\x1e4b");
  assert.deepEqual(packets, ["4c"]);
  assert.equal(takePayload(packets, 1), "4c");
  assert.deepEqual(splitPayload("2\x1e4x\x1e6"), ["2", "4x", "6"]);
  assert.deepEqual(splitPayload(""), []);
});
