// A local cloud with the chatroom in it, and people who look at its page. All of it ends with the test.
//
// `ALBATROSS` names the program, `TOPOLOGY` the example.

import { execFile } from "node:child_process";
import { copyFile, mkdtemp, readFile, rm } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { DESK } from "./people.mjs";
import { PATIENCE, until } from "./waiting.mjs";

const run = promisify(execFile);

export class Cloud {
  static async start(pace = "instant") {
    const cloud = new Cloud();
    cloud.folder = await mkdtemp(join(tmpdir(), "albatross-region-"));
    await copyFile(process.env.TOPOLOGY, join(cloud.folder, "chatroom.yaml"));
    await cloud.albatross("cloud", "up", "--hosts", "process", "--pace", pace);
    const known = JSON.parse(await readFile(join(cloud.folder, ".albatross/local/cloud.json"), "utf8"));
    Object.assign(cloud, { endpoint: known.endpoint, console: known.console, token: known.admin_token });
    return cloud;
  }

  async albatross(...words) {
    const { stdout } = await run(process.env.ALBATROSS, words, this.place());
    return stdout;
  }

  /** Where its commands are typed, and what they are told of this machine. */
  place() {
    const env = { PATH: process.env.PATH, HOME: this.folder, XDG_CONFIG_HOME: this.folder, ALIBABA_CLOUD_ECS_METADATA_DISABLED: "true" };
    return { cwd: this.folder, env };
  }

  async apply() {
    await this.albatross("--local", "apply", "--yes", "chatroom.yaml");
  }

  async ask(path, options = {}) {
    const reply = await fetch(`${this.endpoint}/_mock/${path}`, { ...options, headers: { "x-mock-token": this.token } });
    return reply.json();
  }

  /** Somebody in the chatroom, by a WebSocket through the load balancer, who talks until `leave` is called. */
  async talker() {
    const { connect_to: ways } = await this.ask("status");
    const { to } = ways.find(({ from }) => from.endsWith(":5000"));
    const [host, port] = to.split(":");
    const socket = connect(Number(port), host);
    socket.on("error", () => {});
    const head = ["GET /socket.io/?EIO=4&transport=websocket HTTP/1.1", "Host: example.com", "Connection: Upgrade", "Upgrade: websocket",
      "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==", "", ""].join("\r\n");
    let said = "";
    socket.on("data", (bytes) => { said += bytes.toString("latin1"); });
    socket.write(head);
    await until("the WebSocket is open", () => said.includes("101 Switching Protocols"));
    say(socket, "40");
    const talk = setInterval(() => say(socket, '42["message","hello"]'), 100);
    return { leave: () => { clearInterval(talk); socket.destroy(); } };
  }

  async end() {
    await this.albatross("cloud", "down").catch(() => {});
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** Sends a text frame with a mask of zeros. */
function say(socket, text) {
  const payload = Buffer.from(text);
  socket.write(Buffer.concat([Buffer.from([0x81, 0x80 | payload.length, 0, 0, 0, 0]), payload]));
}

/** Somebody with the page open. */
export class Viewer {
  complaints = [];

  static async enter(browser, address, options = {}) {
    const viewer = new Viewer();
    viewer.context = await browser.newContext({ colorScheme: "light", viewport: DESK, locale: "en-GB", ...options });
    viewer.context.setDefaultTimeout(PATIENCE);
    await viewer.context.addInitScript(() => {
      globalThis.violations = [];
      addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI }) => {
        globalThis.violations.push(`${violatedDirective} ${blockedURI}`);
      });
    });
    viewer.page = await viewer.context.newPage();
    const { host } = new URL(address);
    viewer.page.on("console", (message) => {
      if (["error", "warning"].includes(message.type())) viewer.complaints.push(`console: ${message.text()}`);
    });
    viewer.page.on("pageerror", (error) => viewer.complaints.push(`uncaught: ${error.stack}`));
    viewer.page.on("request", (request) => {
      const url = new URL(request.url());
      if (url.protocol !== "data:" && url.host !== host) viewer.complaints.push(`another origin: ${url}`);
    });
    await viewer.page.goto(address);
    return viewer;
  }

  /** Waits for the first view. */
  async isLive() {
    await this.page.locator('#state[data-state="live"]').waitFor();
  }

  /** The box of a host or another part in the picture, once it looks like this. */
  async sees(title, tone) {
    await this.page.locator(`.box[data-tone="${tone}"]`, { has: this.page.locator(".title", { hasText: title }) }).first().waitFor();
  }

  async wrongs() {
    return [...this.complaints, ...await this.page.evaluate(() => globalThis.violations)];
  }

  leave() {
    return this.context.close();
  }
}
