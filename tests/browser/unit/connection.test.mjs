// The life of a connection: joining, heartbeats, losses, fallback, recovery.

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { Connection } from "../../../crates/chat-node/templates/page/connection.mjs";
import { Network, World } from "../harness/world.mjs";

let world, network, connection, told;

beforeEach(() => {
  world = new World();
  network = new Network();
  told = [];
  connection = new Connection(world, network.open, {
    changed: ({ phase }) => told.push(phase),
    joined: (how) => told.push(how),
    event: (name, values) => told.push([name, ...values]),
  });
});

function joined(pid = "p1") {
  connection.connect();
  network.last.admit(pid);
}

test("joins, hears events in order and answers heartbeats", () => {
  joined();
  network.last.receive('42["message","a","1-0"]', "2", '42["message","b","2-0"]');
  assert.deepEqual(told, [
    "connecting", "connected", { recovered: false, isFirst: true }, ["message", "a", "1-0"], ["message", "b", "2-0"],
  ]);
  assert.deepEqual(network.last.sent, ['40{"recovery":true}', "3"]);
});

test("comes back with its id and offset, and says whether that was accepted", () => {
  joined("p1");
  connection.saw("7-0");
  network.last.events.closed({ orderly: true });
  world.pass(250);
  network.last.handshake();
  assert.deepEqual(network.last.auth, { recovery: true, pid: "p1", offset: "7-0" });
  network.last.admit("p1");
  assert.deepEqual(told.at(-1), { recovered: true, isFirst: false });
  network.last.events.closed({ orderly: true });
  world.pass(1000);
  network.last.admit("p2");
  assert.deepEqual(told.at(-1), { recovered: false, isFirst: false });
  // The offset of the first life means nothing in the second.
  network.last.events.closed({ orderly: true });
  world.pass(2000);
  network.last.handshake();
  assert.deepEqual(network.last.auth, { recovery: true, pid: "p2" });
});

test("a server without recovery is joined anew each time", () => {
  joined(undefined);
  network.last.events.closed({ orderly: false });
  world.pass(500);
  network.last.admit(undefined);
  assert.deepEqual(told.at(-1), { recovered: false, isFirst: false });
});

test("silence beyond interval and timeout ends the connection, and anything heard puts that off", () => {
  joined();
  world.pass(19_000);
  network.last.receive("2");
  world.pass(19_999);
  assert.equal(connection.state.phase, "connected");
  const [first] = network.transports;
  world.pass(1);
  assert.equal(connection.state.phase, "waiting");
  assert.ok(first.isClosed);
});

test("a machine that slept asks before it gives the connection up", () => {
  joined();
  world.sleep(3_600_000);
  assert.equal(connection.state.phase, "connected");
  assert.match(network.last.sent.at(-1), /^42\d+\["node"\]$/);
  network.last.receive("2");
  world.pass(4_000);
  assert.equal(connection.state.phase, "connected");
  world.sleep(3_600_000);
  world.pass(4_000);
  assert.equal(connection.state.phase, "waiting");
});

test("a doubted connection lives on when anything is heard, and ends when nothing is", () => {
  joined();
  world.pass(10);
  connection.doubt();
  world.pass(10);
  network.last.receive("2");
  world.pass(4_000);
  assert.equal(connection.state.phase, "connected");
  connection.doubt();
  world.pass(4_000);
  assert.equal(connection.state.phase, "waiting");
});

test("what ends before it was opened is tried as polling, at once and in the same attempt", () => {
  connection.connect();
  assert.equal(network.last.kind, "websocket");
  network.last.events.closed({ orderly: false });
  assert.equal(network.last.kind, "polling");
  network.last.admit("p1");
  assert.deepEqual(told, ["connecting", "connected", { recovered: false, isFirst: true }]);
  // It is known for a while that only this works; then WebSockets get another chance.
  network.last.events.closed({ orderly: false });
  world.pass(500);
  assert.equal(network.last.kind, "polling");
  network.last.events.closed({ orderly: false });
  world.pass(75_000);
  assert.ok(network.transports.slice(3).some(({ kind }) => kind === "websocket"));
});

test("a WebSocket that a policy forbids, or that never opens, is tried as polling", () => {
  network.refuses = ["websocket"];
  connection.connect();
  assert.equal(network.last.kind, "polling");
  network.refuses = [];
  connection.close();
  connection.connect();
  const hanging = network.last;
  assert.equal(hanging.kind, "websocket");
  world.pass(8_000);
  assert.ok(hanging.isClosed);
  assert.equal(network.last.kind, "polling");
});

test("a transport that was given up is not listened to", () => {
  connection.connect();
  const [websocket] = network.transports;
  world.pass(8_000);
  network.last.admit("p1");
  websocket.admit("p9");
  websocket.events.closed({ orderly: false });
  assert.equal(connection.state.phase, "connected");
  assert.equal(network.transports.length, 2);
});

test("a server that answers, but never lets us in, is given up", () => {
  connection.connect();
  network.last.receive('0{"sid":"s","pingInterval":10000,"pingTimeout":10000}');
  world.pass(8_000);
  assert.equal(connection.state.phase, "waiting");
});

test("attempts go on with growing delays until one succeeds", () => {
  world.chance = 1;
  network.refuses = ["websocket", "polling"];
  connection.connect();
  const delays = [];
  for (let attempt = 0; attempt < 11; attempt += 1) {
    delays.push(connection.state.retryAt - world.now());
    world.pass(delays.at(-1));
  }
  const patient = Array.from({ length: 6 }, () => 1000);
  assert.deepEqual(delays, [500, ...patient, 2000, 4000, 8000, 10_000]);
  network.refuses = [];
  world.pass(10_000);
  network.last.admit("p1");
  assert.equal(connection.state.phase, "connected");
});

test("waking tries at once what was waited for", () => {
  network.refuses = ["websocket", "polling"];
  connection.connect();
  assert.equal(connection.state.phase, "waiting");
  network.refuses = [];
  connection.wake();
  assert.equal(network.transports.length, 1);
  network.last.admit("p1");
  world.pass(5_000);
  assert.equal(network.transports.length, 1, "the attempt that was waited for is not made too");
});

test("a packet that cannot be read, a refusal and being put out end the connection, which then comes back", () => {
  for (const packet of ['42["a"', "4", '44{"message":"no"}', "41", "0{"]) {
    joined();
    network.last.receive(packet);
    assert.equal(connection.state.phase, "waiting", packet);
    connection.close();
  }
});

test("an acknowledgement reaches who asked, once, and none reaches anybody after a loss", () => {
  joined();
  const answers = [];
  connection.ask(["message", "x", "id"], (answer) => answers.push(answer));
  const [, id] = /^42(\d+)/.exec(network.last.sent.at(-1));
  network.last.receive(`43${id}[{"offset":"1-0"}]`, `43${id}[{"offset":"2-0"}]`, "4399[]");
  assert.deepEqual(answers, [{ offset: "1-0" }]);
  connection.ask(["message", "y", "id"], (answer) => answers.push(answer));
  const [, lost] = /^42(\d+)/.exec(network.last.sent.at(-1));
  network.last.events.closed({ orderly: true });
  world.pass(250);
  network.last.admit("p1");
  network.last.receive(`43${lost}[{"offset":"3-0"}]`);
  assert.equal(answers.length, 1);
});

test("a connection that was closed stays closed", () => {
  joined();
  connection.close();
  world.pass(100_000);
  connection.wake();
  assert.equal(network.transports.length, 1);
  assert.equal(connection.state.phase, "stopped");
});
