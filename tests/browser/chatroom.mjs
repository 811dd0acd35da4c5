// Two people in a real browser, in the chatroom at a given address.
//
//   node chatroom.mjs --browser /usr/bin/chromium http://127.64.200.1:5000/ [--screenshots FOLDER]
//
// They set names, see each other's messages, and one sees the other leave. Prints one line a fact and exits with 0,
// or prints what is wrong and exits with 1. Nothing but the given origin may be asked, and the console stays silent.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { chromium } from "playwright-core";

const PATIENCE = 15_000;
const BROWSER_FLAGS = [
  "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync",
];

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: { browser: { type: "string" }, screenshots: { type: "string" } },
});
const address = new URL(positionals[0]);
const complaints = [];

/** Notes everything that must not happen in a page. */
function watch(page, who) {
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) complaints.push(`${who}: console: ${message.text()}`);
  });
  page.on("pageerror", (error) => complaints.push(`${who}: ${error.message}`));
  page.on("requestfailed", (request) => complaints.push(`${who}: failed: ${request.url()}`));
  const sameHost = (url) => url.protocol === "data:" || url.host === address.host;
  page.on("request", (request) => {
    if (!sameHost(new URL(request.url()))) complaints.push(`${who}: another origin: ${request.url()}`);
  });
  page.on("websocket", (socket) => {
    if (!sameHost(new URL(socket.url()))) complaints.push(`${who}: another origin: ${socket.url()}`);
  });
}

async function enter(browser, name) {
  const context = await browser.newContext({ colorScheme: "light", viewport: { width: 1000, height: 700 } });
  context.setDefaultTimeout(PATIENCE);
  const page = await context.newPage();
  watch(page, name);
  const reply = await page.goto(address.href);
  if (reply.status() !== 200) throw new Error(`the page answered ${reply.status()}`);
  await sees(page, "Welcome to the chatroom!");
  await page.getByLabel("Your name").fill(name);
  await page.getByRole("button", { name: "Set name" }).click();
  await sees(page, `Your username is set to ${name}`);
  console.log(`${name} is in the chatroom: ${await page.getByRole("status").textContent()}`);
  return page;
}

async function sees(page, text) {
  await page.getByRole("log").getByText(text, { exact: true }).waitFor();
}

async function say(page, text) {
  await page.getByLabel("Message", { exact: true }).fill(text);
  await page.getByRole("button", { name: "Send" }).click();
}

async function takeScreenshots(page, folder) {
  const views = [
    ["light", { width: 1000, height: 700 }], ["dark", { width: 1000, height: 700 }], ["light", { width: 360, height: 640 }],
  ];
  for (const [colorScheme, viewport] of views) {
    await page.emulateMedia({ colorScheme });
    await page.setViewportSize(viewport);
    await page.screenshot({ path: join(folder, `chatroom-${colorScheme}-${viewport.width}.png`) });
  }
}

async function run(browser) {
  const ada = await enter(browser, "Ada");
  const grace = await enter(browser, "Grace");
  await say(ada, "Hello from the first page");
  await sees(ada, "Ada: Hello from the first page");
  await sees(grace, "Ada: Hello from the first page");
  console.log("Grace sees what Ada wrote");
  await say(grace, "Hello from the second page");
  await sees(grace, "Grace: Hello from the second page");
  await sees(ada, "Grace: Hello from the second page");
  console.log("Ada sees what Grace wrote");
  await grace.context().close();
  await sees(ada, "Grace left the chatroom.");
  console.log("Ada sees that Grace left");
  if (options.screenshots) await takeScreenshots(ada, options.screenshots);
  await ada.context().close();
  if (complaints.length) throw new Error(complaints.join("\n"));
  console.log("no console message, no failed request, no other origin");
}

const home = await mkdtemp(join(tmpdir(), "albatross-browser-"));
try {
  // An empty home: nothing of the user's own browser is read or written.
  const environment = { ...process.env, HOME: home, XDG_CONFIG_HOME: home, XDG_CACHE_HOME: home };
  const browser = await chromium.launch({
    executablePath: options.browser, args: BROWSER_FLAGS, env: environment, timeout: 2 * PATIENCE,
  });
  try {
    await run(browser);
  } finally {
    await browser.close();
  }
} catch (error) {
  console.error(`error: ${error.message}`);
  for (const complaint of complaints) console.error(complaint);
  process.exitCode = 1;
} finally {
  await rm(home, { recursive: true, force: true });
}
