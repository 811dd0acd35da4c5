// What the cases play on: a Redis, two nodes beside each other, and a relay that stands for a load balancer.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { freePort, until } from "../../../../tests/browser/harness/waiting.mjs";

async function ended(child) {
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
}

/** A Redis whose data goes with it. */
async function startRedis(folder) {
  const port = await freePort();
  const child = spawn("redis-server", [
    "--bind", "127.0.0.1", "--port", String(port), "--save", "", "--appendonly", "no", "--dir", folder,
  ], { stdio: "ignore" });
  child.on("error", (error) => { throw error; });
  await until("redis listens", () => new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => { socket.destroy(); resolve(true); });
    socket.on("error", () => resolve(false));
  }));
  return { child, url: `redis://127.0.0.1:${port}/0` };
}

/** One node. It keeps its port when it is started again. */
export class Node {
  constructor(program, name, redis, options) {
    Object.assign(this, { program, name, redis, options, port: 0 });
  }

  async start() {
    this.port ||= await freePort();
    this.child = spawn(this.program, [
      "--listen", `127.0.0.1:${this.port}`, "--redis", this.redis, "--node-id", this.name,
      "--ping-interval", "1s", "--ping-timeout", "2s", "--message-burst", "10000", "--drain-spread", "200ms",
      "--log-format", "json", ...this.options,
    ], { env: {}, stdio: ["ignore", "ignore", "pipe"] });
    this.log = [];
    createInterface({ input: this.child.stderr }).on("line", (line) => this.log.push(line));
    await until(`${this.name} is ready`, async () => {
      if (this.child.exitCode !== null) throw new Error(`${this.name} ended: ${this.log.join("\n")}`);
      const response = await fetch(`${this.url}/readyz`).catch(() => null);
      return response?.status === 200;
    });
  }

  get url() { return `http://127.0.0.1:${this.port}`; }

  async metric(name) {
    const text = await (await fetch(`${this.url}/metrics`)).text();
    const line = text.split("\n").find((line) => line.startsWith(`${name} `));
    return Number(line.split(" ")[1]);
  }

  async stop() {
    this.child.kill("SIGTERM");
    await ended(this.child);
  }
}

/** Leads connections to whichever port it is told, and cuts them when it is told. */
export class Relay {
  #sockets = new Set();
  #server = createServer((near) => {
    const far = connect(this.target, "127.0.0.1");
    for (const socket of [near, far]) {
      this.#sockets.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => { this.#sockets.delete(socket); near.destroy(); far.destroy(); });
    }
    near.pipe(far).pipe(near);
  });

  async open(target) {
    this.target = target;
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    return this;
  }

  get url() { return `http://127.0.0.1:${this.#server.address().port}`; }

  cut() { this.#sockets.forEach((socket) => socket.destroy()); }

  close() { this.cut(); this.#server.close(); }
}

/** Sets everything up, and gives the way to take it down. */
export async function setUp(program, origins) {
  const folder = await mkdtemp(join(tmpdir(), "chat-node-conformance-"));
  const redis = await startRedis(folder);
  const options = origins.flatMap((origin) => ["--allowed-origin", origin]);
  const nodes = ["ecs01", "ecs02"].map((name) => new Node(program, name, redis.url, options));
  const takeDown = async () => {
    nodes.forEach((node) => node.child?.kill("SIGKILL"));
    redis.child.kill("SIGKILL");
    await Promise.all([...nodes.map((node) => node.child && ended(node.child)), ended(redis.child)]);
    await rm(folder, { recursive: true, force: true });
  };
  try {
    for (const node of nodes) await node.start();
  } catch (error) {
    await takeDown();
    throw error;
  }
  return { nodes, takeDown };
}
