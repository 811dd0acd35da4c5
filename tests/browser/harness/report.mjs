// The page of a report, as `verify --html` writes it for a local cloud, and who reads it.

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { DESK } from "./people.mjs";
import { PATIENCE } from "./waiting.mjs";

/** Verifies and writes the page; `passes`: how that has to end. Its address. */
export async function write(cloud, name, passes) {
  const ended = await cloud.albatross("--local", "verify", "--quick", "--html", name, "chatroom.yaml").then(() => 0, (error) => error.code);
  if (ended !== (passes ? 0 : 4)) throw new Error(`verify ended with ${ended}`);
  const path = join(cloud.folder, name);
  return { address: pathToFileURL(path).href, text: await readFile(path, "utf8") };
}

/** Somebody with the page open, without scripts unless a test brings its own. */
export class Reader {
  complaints = [];

  static async open(browser, address, options = {}) {
    const reader = new Reader();
    reader.context = await browser.newContext({ colorScheme: "light", viewport: DESK, locale: "en-GB", offline: true, bypassCSP: false, ...options });
    reader.context.setDefaultTimeout(PATIENCE);
    reader.page = await reader.context.newPage();
    reader.page.on("console", (message) => {
      if (["error", "warning"].includes(message.type())) reader.complaints.push(`console: ${message.text()}`);
    });
    reader.page.on("request", (request) => {
      if (request.url() !== address) reader.complaints.push(`another address: ${request.url()}`);
    });
    await reader.page.goto(address);
    return reader;
  }

  close() {
    return this.context.close();
  }
}
