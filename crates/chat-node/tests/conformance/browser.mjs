// Two people in headless Chromium: on our own page, one on each node, and on the tutorial's page from another origin.

import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "../../../../tests/browser/harness/waiting.mjs";
import { Relay } from "./stage.mjs";

/** How many cases there are. */
export const FLOOR = 6;

const PATIENCE = 20_000;
const FLAGS = [
  "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync",
];

/** Serves the tutorial's page with the client of npm that it loads. */
export async function serveTutorial(library) {
  const files = {
    "/": [await readFile(new URL("tutorial.html", import.meta.url)), "text/html; charset=utf-8"],
    "/socket.io.js": [await readFile(library), "text/javascript"],
  };
  const server = createServer((request, response) => {
    const [body, kind] = files[request.url.split("?")[0]] ?? [];
    response.writeHead(body ? 200 : 404, { "content-type": kind ?? "text/plain" }).end(body);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return server;
}

export async function withBrowser(chromium, program, use) {
  const home = await mkdtemp(join(tmpdir(), "chat-node-browser-"));
  const browser = await chromium.launch({
    executablePath: program, args: FLAGS, env: { ...process.env, HOME: home },
  });
  try {
    await use(browser);
  } finally {
    await browser.close();
    await rm(home, { recursive: true, force: true });
  }
}

export function cases(browser, nodes, tutorial) {
  const [first, second] = nodes;
  let contexts = [];
  const open = async (url, complaints = []) => {
    const context = await browser.newContext();
    contexts.push(context);
    context.setDefaultTimeout(PATIENCE);
    const page = await context.newPage();
    page.on("console", (message) => {
      if (["error", "warning"].includes(message.type())) complaints.push(message.text());
    });
    page.on("pageerror", (error) => complaints.push(error.message));
    await page.goto(url);
    return page;
  };
  const hears = (page, text) => page.getByText(text, { exact: true }).first().waitFor();

  const enterOurs = async (url, name, complaints) => {
    const page = await open(url, complaints);
    await hears(page, "Welcome to the chatroom!");
    await page.getByLabel("Your name").fill(name);
    await page.getByRole("button", { name: "Set name" }).click();
    await hears(page, `Your username is set to ${name}`);
    return page;
  };
  const sayOurs = async (page, text) => {
    await page.getByLabel("Message", { exact: true }).fill(text);
    await page.getByRole("button", { name: "Send" }).click();
  };
  const enterTutorial = async (node, name) => {
    const page = await open(`${tutorial}/?server=${encodeURIComponent(node.url)}`);
    await hears(page, "Welcome to the chatroom!");
    await page.getByLabel("Username").fill(name);
    await page.getByRole("button", { name: "Set username" }).click();
    await hears(page, `Your username is set to ${name}`);
    return page;
  };
  const sayTutorial = async (page, text) => {
    await page.getByLabel("Text").fill(text);
    await page.getByRole("button", { name: "Send" }).click();
  };

  const all = {
    async "our page: two people on two nodes hear each other"() {
      const complaints = [];
      const ada = await enterOurs(first.url, "Ada-ours", complaints);
      const bob = await enterOurs(second.url, "Bob-ours", complaints);
      await sayOurs(ada, "hello <b>Bob</b>");
      await hears(bob, "Ada-ours: hello <b>Bob</b>");
      await sayOurs(bob, "hello Ada");
      await hears(ada, "Bob-ours: hello Ada");
      await ada.context().close();
      await hears(bob, "Ada-ours left the chatroom.");
      assert.deepEqual(complaints, []);
    },

    async "our page: what was missed is there after a lost connection, once"() {
      const relay = await new Relay().open(first.port);
      try {
        const ada = await enterOurs(relay.url, "Ada-lost", []);
        const bob = await enterOurs(second.url, "Bob-lost", []);
        await sayOurs(bob, "before");
        await hears(ada, "Bob-lost: before");
        relay.target = second.port;
        relay.cut();
        await sayOurs(bob, "while you were away");
        await hears(ada, "Bob-lost: while you were away");
        await sayOurs(ada, "I am back");
        await hears(bob, "Ada-lost: I am back");
        const lines = await ada.getByRole("log").locator(".bubble").allTextContents();
        assert.deepEqual(lines, ["Bob-lost: before", "Bob-lost: while you were away", "Ada-lost: I am back"]);
      } finally {
        relay.close();
      }
    },

    async "our page: a node that drains sends its people to the other"() {
      const relay = await new Relay().open(first.port);
      try {
        const ada = await enterOurs(relay.url, "Ada-moved", []);
        const bob = await enterOurs(second.url, "Bob-moved", []);
        relay.target = second.port;
        await first.stop();
        await first.start();
        await until("she is on the other node", async () =>
          (await ada.getByRole("status").textContent()) === "Connected to ecs02");
        await sayOurs(ada, "here I am");
        await hears(bob, "Ada-moved: here I am");
        const lines = await bob.getByRole("log").locator(".notice").allTextContents();
        assert.ok(lines.includes("Your username is set to Bob-moved"), lines.join("\n"));
        assert.ok(!lines.includes("Ada-moved left the chatroom."), lines.join("\n"));
      } finally {
        relay.close();
      }
    },

    async "the tutorial's page: two people on two nodes hear each other"() {
      const ada = await enterTutorial(first, "Ada-tutorial");
      const bob = await enterTutorial(second, "Bob-tutorial");
      await sayTutorial(ada, "hello Bob");
      await hears(bob, "Ada-tutorial: hello Bob");
      await sayTutorial(bob, "hello Ada");
      await hears(ada, "Bob-tutorial: hello Ada");
      await ada.context().close();
      await hears(bob, "Ada-tutorial left the chatroom.");
    },

    async "the tutorial's page: a name is needed first"() {
      const page = await open(`${tutorial}/?server=${encodeURIComponent(first.url)}`);
      await hears(page, "connected");
      await sayTutorial(page, "too early");
      await hears(page, "Failed to send the message. Specify a username first.");
    },

    async "a page of a site that is not listed gets nowhere"() {
      const elsewhere = tutorial.replace("127.0.0.1", "localhost");
      const page = await open(`${elsewhere}/?server=${encodeURIComponent(first.url)}`);
      const response = await page.evaluate(async (url) => {
        const polled = await fetch(`${url}/socket.io/?EIO=4&transport=polling`).then(() => "answered", () => "refused");
        const socket = new WebSocket(`${url.replace("http", "ws")}/socket.io/?EIO=4&transport=websocket`);
        const opened = await new Promise((resolve) => {
          socket.onopen = () => resolve("opened");
          socket.onerror = () => resolve("refused");
        });
        return [polled, opened];
      }, first.url);
      assert.deepEqual(response, ["refused", "refused"]);
    },
  };
  return Object.fromEntries(Object.entries(all).map(([name, body]) => [name, async () => {
    try {
      await body();
    } finally {
      await Promise.all(contexts.map((context) => context.close().catch(() => {})));
      contexts = [];
    }
  }]));
}
