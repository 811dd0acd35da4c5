// The official JavaScript client: what the tutorial does with it, and what it does by itself when the network fails.

import assert from "node:assert/strict";
import { until } from "../../../../tests/browser/harness/waiting.mjs";
import { Relay } from "./stage.mjs";

const MODES = {
  websocket: ["websocket"],
  polling: ["polling"],
  upgrade: ["polling", "websocket"],
};
/** How many cases there are for a version. */
export const FLOOR = 3 * 17;

let count = 0;
/** A word that no other case says. */
const word = (stem) => `${stem}${count += 1}`;

/** Somebody with a client. */
class Person {
  events = [];
  reasons = [];

  constructor(io, url, mode, options = {}) {
    this.socket = io(url, {
      transports: MODES[mode], forceNew: true, reconnectionDelay: 50, reconnectionDelayMax: 200, ...options,
    });
    this.socket.on("message", (...values) => this.events.push(values));
    this.socket.on("disconnect", (reason) => this.reasons.push(reason));
  }

  get texts() { return this.events.map(([text]) => text); }

  async connected() { await until("the client is connected", () => this.socket.connected); }

  async hears(text) { await until(`"${text}" is heard`, () => this.texts.includes(text)); }

  async named(name) {
    this.name = name;
    this.socket.emit("set_username", name);
    await this.hears(`Your username is set to ${name}`);
    return this;
  }

  /** What it heard of somebody. */
  of(name) { return this.texts.filter((text) => text.startsWith(`${name}: `)).map((text) => text.slice(name.length + 2)); }

  answer(event, ...values) {
    return new Promise((resolve, reject) => {
      setTimeout(() => reject(new Error(`${event} was not acknowledged`)), 10_000).unref();
      this.socket.emit(event, ...values, resolve);
    });
  }

  transport() { return this.socket.io.engine?.transport?.name; }
}

const numbers = (length) => Array.from({ length }, (_, number) => String(number));

/** The cases of one version over one mode. */
function casesOf({ io, recovers, nodes, mode }) {
  const [first, second] = nodes;
  const people = [];
  const relays = [];
  const enter = async (url, options) => {
    const person = new Person(io, url, mode, options);
    people.push(person);
    await person.connected();
    return person;
  };
  const relay = async () => {
    const opened = await new Relay().open(first.port);
    relays.push(opened);
    return opened;
  };

  const cases = {
    async "joins and is welcomed"() {
      const ada = await enter(first.url);
      await ada.hears("Welcome to the chatroom!");
      assert.equal(ada.socket.id.length, 20);
      assert.equal(ada.texts.length, 1);
    },

    async "ends up on its transport"() {
      const ada = await enter(first.url);
      const wanted = mode === "polling" ? "polling" : "websocket";
      await until(`the transport is ${wanted}`, () => ada.transport() === wanted);
      await (await ada.named(word("Ada"))).hears(`Your username is set to ${ada.name}`);
      assert.equal(ada.transport(), wanted);
    },

    async "speaks under a name"() {
      const ada = await enter(first.url);
      ada.socket.emit("message", "too early");
      await ada.hears("Failed to send the message. Specify a username first.");
      await ada.named(word("Ada"));
      ada.socket.emit("message", "hello \u{1F600} <b>&amp;");
      await ada.hears(`${ada.name}: hello \u{1F600} <b>&amp;`);
    },

    async "is refused what is not usable"() {
      const ada = await enter(first.url);
      for (const name of ["", "   ", "a\nb", 7, null, { not: "a name" }]) {
        const before = ada.texts.length;
        ada.socket.emit("set_username", name);
        await until("an answer", () => ada.texts.length > before);
        assert.match(ada.texts.at(-1), /^Failed to set the username\./);
      }
      await ada.named(word("Ada"));
      ada.socket.emit("message", { not: "text" });
      await ada.hears("Failed to send the message. It must be text.");
      ada.socket.emit("message", "x".repeat(4097));
      await ada.hears("Failed to send the message. It is longer than 4096 characters.");
      ada.socket.emit("message", "\u{20AC}".repeat(4096));
      await ada.hears(`${ada.name}: ${"\u{20AC}".repeat(4096)}`);
    },

    async "is acknowledged"() {
      const ada = await enter(second.url);
      assert.equal(await ada.answer("node"), "ecs02");
      assert.deepEqual(await ada.answer("message", "too early"), {
        error: "Failed to send the message. Specify a username first.",
      });
      await ada.named(word("Ada"));
      const { offset } = await ada.answer("message", "once", "id-1");
      assert.match(offset, /^\d+-\d+$/);
      assert.deepEqual(await ada.answer("message", "once", "id-1"), { offset });
      await ada.answer("message", "and more");
      await ada.hears(`${ada.name}: and more`);
      assert.deepEqual(ada.of(ada.name), ["once", "and more"]);
    },

    async "reads offsets behind what is said"() {
      const ada = await (await enter(first.url)).named(word("Ada"));
      ada.socket.emit("message", "hello");
      await ada.hears(`${ada.name}: hello`);
      for (const values of ada.events) {
        assert.equal(values.length, 2, JSON.stringify(values));
        assert.match(values[1], /^\d+-\d+$/);
      }
    },

    async "keeps what was said at once in order"() {
      const ada = await enter(first.url);
      ada.name = word("Ada");
      ada.socket.emit("set_username", ada.name);
      for (const number of numbers(100)) ada.socket.emit("message", number);
      await ada.hears(`${ada.name}: 99`);
      assert.deepEqual(ada.of(ada.name), numbers(100));
    },

    async "sees one order on both nodes"() {
      const ada = await (await enter(first.url)).named(word("Ada"));
      const bob = await (await enter(second.url)).named(word("Bob"));
      for (const number of numbers(50)) {
        ada.socket.emit("message", number);
        bob.socket.emit("message", number);
      }
      for (const person of [ada, bob]) {
        await person.hears(`${ada.name}: 49`);
        await person.hears(`${bob.name}: 49`);
      }
      const spoken = (person) => person.texts.filter((text) => / \d+$/.test(text) && text.includes(": "));
      const heard = [ada, bob].map((person) =>
        spoken(person).filter((text) => text.startsWith(ada.name) || text.startsWith(bob.name)));
      assert.equal(heard[0].length, 100);
      assert.deepEqual(heard[0], heard[1]);
    },

    async "may not join what does not exist"() {
      const nowhere = new Person(io, `${first.url}/nowhere`, mode);
      people.push(nowhere);
      const error = await new Promise((resolve) => nowhere.socket.on("connect_error", resolve));
      assert.equal(error.message, "Invalid namespace");
    },

    async "sends bytes, which are not text, and stays"() {
      const ada = await (await enter(first.url)).named(word("Ada"));
      ada.socket.emit("message", Buffer.from([1, 2, 3]));
      await ada.hears("Failed to send the message. It must be text.");
      const answer = await ada.answer("message", Buffer.from([4]), new Uint8Array([5, 6]));
      assert.deepEqual(answer, { error: "Failed to send the message. It must be text." });
      ada.socket.emit("unknown", { deep: [Buffer.from([7])] });
      ada.socket.emit("message", "still here");
      await ada.hears(`${ada.name}: still here`);
      assert.deepEqual(ada.reasons, []);
    },

    async "says who it is when it joins"() {
      const ada = await enter(first.url, { auth: { token: "of no meaning here" }, query: { some: "thing" } });
      await ada.hears("Welcome to the chatroom!");
    },

    async "is kept alive by heartbeats"() {
      const ada = await (await enter(first.url)).named(word("Ada"));
      await new Promise((resolve) => setTimeout(resolve, 4000));
      ada.socket.emit("message", "still here");
      await ada.hears(`${ada.name}: still here`);
      assert.deepEqual(ada.reasons, []);
    },

    async "comes back after its connection was cut"() {
      const way = await relay();
      const ada = await (await enter(way.url)).named(word("Ada"));
      const bob = await (await enter(second.url)).named(word("Bob"));
      ada.socket.emit("message", "before");
      await ada.hears(`${ada.name}: before`);
      // The client may be told before it is kept elsewhere.
      await until("the session is known", async () => !recovers || await second.metric("chat_redis_sessions_up") === 1);
      way.target = second.port;
      way.cut();
      for (const number of numbers(20)) bob.socket.emit("message", number);
      await until("the client notices", () => ada.reasons.length > 0);
      await ada.connected();
      bob.socket.emit("message", "after");
      await ada.hears(`${bob.name}: after`);
      const of = ada.of(bob.name);
      assert.equal(new Set(of).size, of.length, "something was said twice");
      assert.equal(await ada.answer("node"), "ecs02");
      if (recovers) {
        assert.equal(ada.socket.recovered, true);
        assert.deepEqual(of, [...numbers(20), "after"]);
        ada.socket.emit("message", "who am I?");
        await bob.hears(`${ada.name}: who am I?`);
        assert.equal(ada.texts.filter((text) => text.startsWith("Welcome")).length, 1);
      } else {
        assert.equal(ada.texts.filter((text) => text.startsWith("Welcome")).length, 2);
        ada.socket.emit("message", "who am I?");
        await ada.hears("Failed to send the message. Specify a username first.");
      }
    },

    async "moves when its node drains"() {
      const way = await relay();
      const ada = await (await enter(way.url)).named(word("Ada"));
      const bob = await (await enter(second.url)).named(word("Bob"));
      ada.socket.emit("message", "before");
      await bob.hears(`${ada.name}: before`);
      way.target = second.port;
      const stopping = first.stop();
      await until("the client notices", () => ada.reasons.length > 0);
      bob.socket.emit("message", "meanwhile");
      await until("the client is on the other node", async () =>
        ada.socket.connected && await ada.answer("node").catch(() => null) === "ecs02");
      await stopping;
      await first.start();
      bob.socket.emit("message", "after");
      await ada.hears(`${bob.name}: after`);
      if (recovers) {
        assert.equal(ada.socket.recovered, true);
        assert.deepEqual(ada.of(bob.name), ["meanwhile", "after"]);
        assert.ok(!bob.texts.includes(`${ada.name} left the chatroom.`), "she did not leave");
      }
    },

    async "may send a packet that is too large, and comes back"() {
      const ada = await (await enter(first.url)).named(word("Ada"));
      ada.socket.emit("message", "x".repeat(70_000));
      await until("it is closed", () => ada.reasons.length > 0);
      await ada.connected();
      assert.equal(await ada.answer("node"), "ecs01");
    },

    async "leaves, and the others are told"() {
      const ada = await (await enter(first.url)).named(word("Ada"));
      const bob = await enter(second.url);
      ada.socket.disconnect();
      await bob.hears(`${ada.name} left the chatroom.`);
      assert.deepEqual(ada.reasons, ["io client disconnect"]);
      ada.socket.connect();
      await ada.connected();
    },

    async "leaves no session behind"() {
      // Those of the cases before have ended, each in its own time.
      await until("nobody is left", async () => await first.metric("chat_sessions") === 0);
      const ada = await enter(first.url);
      await until("it is counted", async () => await first.metric("chat_sessions") === 1);
      ada.socket.close();
      await until("it is gone", async () => await first.metric("chat_sessions") === 0);
    },
  };

  return Object.fromEntries(Object.entries(cases).map(([name, body]) => [`${mode}: ${name}`, async () => {
    try {
      await body();
    } finally {
      people.splice(0).forEach((person) => person.socket.close());
      relays.splice(0).forEach((opened) => opened.close());
    }
  }]));
}

/** The cases of one version over every mode. */
export function cases(io, version, nodes) {
  const [major, minor] = version.split(".").map(Number);
  const recovers = major > 4 || minor >= 6;
  const all = Object.keys(MODES).map((mode) => casesOf({ io, recovers, nodes, mode }));
  return Object.assign({}, ...all);
}
