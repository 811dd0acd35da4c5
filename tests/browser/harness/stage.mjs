// Redis, nodes and the roads to them: real programs on free loopback ports, all of which end with the test.
//
// `CHAT_NODE` names the node's binary.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort, until } from "./waiting.mjs";

/** A program that is ended with the test. */
class Program {
  #command;
  #options;
  child = null;

  constructor(command, options) {
    this.#command = command;
    this.#options = options;
  }

  start() {
    const [program, ...words] = this.#command;
    this.child = spawn(program, words, { stdio: ["ignore", "ignore", "pipe"], ...this.#options });
    this.errors = "";
    this.child.stderr.on("data", (text) => { this.errors += text; });
  }

  async end(signal = "SIGKILL") {
    if (this.child === null || this.child.exitCode !== null || this.child.signalCode !== null) return;
    const ended = once(this.child, "exit");
    this.child.kill(signal);
    await ended;
  }
}

/** A way to nodes that can be cut, silenced, and closed to WebSockets. Each connection goes to the first that answers. */
export class Road {
  #server = createServer({ pauseOnConnect: true }, (client) => this.#accept(client));
  #pairs = new Set();
  ports;
  /** `open`, `cut` (connections break, none is taken), `silent` (nothing comes through) or `deaf` (no answer does). */
  state = "open";
  refusesWebSockets = false;

  constructor(ports) {
    this.ports = ports;
  }

  async listen() {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    this.address = `http://127.0.0.1:${this.#server.address().port}/`;
    return this;
  }

  become(state) {
    this.state = state;
    for (const pair of this.#pairs) this.#apply(pair);
  }

  /** Breaks the connections there are, as a balancer that was restarted. */
  breakAll() {
    for (const { client, node } of this.#pairs) {
      client.destroy();
      node?.destroy();
    }
  }

  close() {
    this.breakAll();
    this.#server.close();
  }

  #apply({ client, node }) {
    if (this.state === "cut") {
      client.destroy();
      node?.destroy();
      return;
    }
    // Nothing may flow before there is somewhere to.
    if (node === null) return;
    if (this.state === "silent") client.pause();
    else client.resume();
    if (this.state === "silent" || this.state === "deaf") node.pause();
    else node.resume();
  }

  async #accept(client) {
    const pair = { client, node: null };
    this.#pairs.add(pair);
    client.on("error", () => {});
    client.on("close", () => {
      this.#pairs.delete(pair);
      pair.node?.destroy();
    });
    this.#apply(pair);
    for (const port of this.ports) {
      pair.node = await reach(port);
      if (pair.node) break;
    }
    if (!pair.node || client.destroyed) {
      client.destroy();
      pair.node?.destroy();
      return;
    }
    pair.node.on("close", () => client.destroy());
    client.on("data", (bytes) => {
      if (this.refusesWebSockets && /^upgrade: *websocket/im.test(bytes.toString("latin1"))) client.destroy();
      else pair.node.write(bytes);
    });
    pair.node.on("data", (bytes) => client.write(bytes));
    this.#apply(pair);
  }
}

/** A connection to a port, or `null`. */
function reach(port) {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.setNoDelay(true);
    socket.once("connect", () => resolve(socket));
    socket.on("error", () => resolve(null));
  });
}

/** One Redis and the nodes on it. */
export class Stage {
  nodes = [];
  #roads = [];

  /** `nodes`: how many; `flags`: of each. */
  static async raise({ nodes = 2, flags = [] } = {}) {
    const stage = new Stage();
    stage.folder = await mkdtemp(join(tmpdir(), "albatross-page-"));
    stage.redisPort = await freePort();
    const words = ["--bind", "127.0.0.1", "--port", `${stage.redisPort}`, "--save", "", "--dir", stage.folder];
    stage.redis = new Program(["redis-server", ...words], {});
    stage.redis.start();
    await until("redis answers", async () => (await stage.ask("PING").catch(() => "")).startsWith("+PONG"));
    for (let number = 1; number <= nodes; number += 1) stage.nodes.push(await stage.#node(`ecs0${number}`, flags));
    return stage;
  }

  async #node(id, flags) {
    const port = await freePort();
    const words = ["--listen", `127.0.0.1:${port}`, "--redis", `redis://127.0.0.1:${this.redisPort}/0`, "--node-id", id];
    const node = new Program([process.env.CHAT_NODE, ...words, ...flags], { env: { PATH: process.env.PATH } });
    node.port = port;
    node.ready = () => until(`${id} is ready`, async () => {
      if (node.child.exitCode !== null) throw new Error(`${id} ended: ${node.errors}`);
      return fetch(`http://127.0.0.1:${port}/readyz`).then(({ ok }) => ok, () => false);
    });
    node.start();
    await node.ready();
    return node;
  }

  /** A road that leads to the nodes of these places, in this order of preference. */
  async road(...places) {
    const road = await new Road(places.map((place) => this.nodes[place].port)).listen();
    this.#roads.push(road);
    return road;
  }

  /** Sends one command to Redis and returns the raw beginning of its reply. */
  async ask(...words) {
    const socket = connect(this.redisPort, "127.0.0.1");
    const parts = words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`);
    try {
      socket.write(`*${words.length}\r\n${parts.join("")}`);
      const [reply] = await once(socket, "data");
      return String(reply);
    } finally {
      socket.destroy();
    }
  }

  /** Puts a line into the chatroom as a node would. */
  async write(text) {
    await this.ask("XADD", "chat:messages", "*", "text", text);
  }

  async fall() {
    for (const road of this.#roads) road.close();
    for (const program of [...this.nodes, this.redis]) await program.end();
    await rm(this.folder, { recursive: true, force: true });
  }
}
