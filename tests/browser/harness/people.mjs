// People in a real browser: each has a context of its own, and everything a page must not do is noted.
//
// `CHROMIUM` names the browser.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { PATIENCE } from "./waiting.mjs";

const FLAGS = [
  "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync",
];
export const DESK = { width: 1280, height: 800 };
export const PHONE = { width: 390, height: 844 };

/** A browser with an empty home: nothing of the user's own is read or written. `flags` are added to the usual ones. */
export async function launch(executablePath = process.env.CHROMIUM, flags = []) {
  const home = await mkdtemp(join(tmpdir(), "albatross-browser-"));
  const env = { ...process.env, HOME: home, XDG_CONFIG_HOME: home, XDG_CACHE_HOME: home };
  const browser = await chromium.launch({ executablePath, args: [...FLAGS, ...flags], env, timeout: PATIENCE });
  browser.on("disconnected", () => rm(home, { recursive: true, force: true }));
  return browser;
}

/** Somebody with the page open. */
export class Person {
  complaints = [];
  requests = [];

  /** Opens the page. `mayLoseConnection`: whether failed connections are no complaint. */
  static async enter(browser, address, { name, mayLoseConnection = false, ...options } = {}) {
    const person = new Person();
    person.context = await browser.newContext({ colorScheme: "light", viewport: DESK, locale: "en-GB", ...options });
    person.context.setDefaultTimeout(PATIENCE);
    await person.context.addInitScript(() => {
      globalThis.violations = [];
      addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI }) => {
        globalThis.violations.push(`${violatedDirective} ${blockedURI}`);
      });
    });
    person.page = await person.context.newPage();
    person.#watch(new URL(address).host, mayLoseConnection);
    await person.page.goto(address);
    await person.isConnected();
    if (name !== undefined) await person.takeName(name);
    return person;
  }

  #watch(host, mayLoseConnection) {
    const { page, complaints } = this;
    const isLoss = (text) => /WebSocket connection to|Failed to load resource/.test(text);
    page.on("console", (message) => {
      if (mayLoseConnection && isLoss(message.text())) return;
      if (["error", "warning"].includes(message.type())) complaints.push(`console: ${message.text()}`);
    });
    page.on("pageerror", (error) => complaints.push(`uncaught: ${error.stack}`));
    page.on("request", (request) => this.#visit(request.url(), host));
    page.on("websocket", (socket) => this.#visit(socket.url(), host));
  }

  #visit(address, host) {
    this.requests.push(address);
    const url = new URL(address);
    if (url.protocol !== "data:" && url.host !== host) this.complaints.push(`another origin: ${address}`);
  }

  /** What the page did and must not; empty when all is well. */
  async wrongs() {
    return [...this.complaints, ...await this.page.evaluate(() => globalThis.violations)];
  }

  async isConnected() {
    await this.page.locator('#status[data-state="connected"]', { hasText: "Connected to " }).waitFor();
  }

  async isDisconnected() {
    await this.page.locator('#status[data-state="disconnected"]').waitFor();
  }

  status() {
    return this.page.locator("#status").textContent();
  }

  async takeName(name) {
    await this.page.locator("#username").fill(name);
    await this.page.locator("#set-username").click();
    await this.page.locator("#username-form.is-set").waitFor();
  }

  async say(text) {
    await this.page.locator("#message").fill(text);
    await this.page.locator("#send").click();
  }

  /** Waits for a line of somebody: `Ada: hello`. */
  async sees(line) {
    await this.page.locator("#log .bubble", { hasText: line }).first().waitFor();
  }

  async notices(text) {
    await this.page.locator("#log .notice", { hasText: text }).first().waitFor();
  }

  /** What people said, in the log's order. */
  lines() {
    return this.page.locator("#log .bubble").allTextContents();
  }

  /** What the log says beside that. */
  notes() {
    return this.page.locator("#log .notice").allTextContents();
  }

  pending() {
    return this.page.locator("#outbox .line");
  }

  leave() {
    return this.context.close();
  }
}
