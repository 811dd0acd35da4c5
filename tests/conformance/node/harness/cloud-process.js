// Starts a cloud of its own and ends it: the cloud lives as long as its standard input is open.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { readFile } from "node:fs/promises";
import { createInterface } from "node:readline";

export const REGION = "cn-hangzhou";

/** Milliseconds a program that only has to stop listening may take to end. */
const END_LIMIT = 10_000;

/** A running cloud, and what it said when it was ready. */
export class CloudProcess {
  /** Starts one at a pace, with a data folder of its own, and waits for its ready line. */
  static async start(program, folder, pace) {
    const log = `${folder}.log`;
    const errors = createWriteStream(log, { mode: 0o600 });
    await once(errors, "open");
    const options = ["--strict", "--until-stdin-closes", "--hosts", "none", "--pace", pace, "--region", REGION];
    const child = spawn(program, ["serve", ...options, "--data", folder], { stdio: ["pipe", "pipe", errors] });
    const ended = once(child, "exit");
    const ready = once(createInterface(child.stdout), "line");
    const first = await Promise.race([ready, ended.then(() => null)]);
    if (first === null) {
      const said = (await readFile(log, "utf8")).trim();
      throw new Error(`${program} did not start: ${said || "it said nothing"}`);
    }
    return new CloudProcess(child, ended, JSON.parse(first[0]));
  }

  constructor(child, ended, ready) {
    this.child = child;
    this.ended = ended;
    this.ready = ready;
    this.endpoint = ready.endpoint;
    this.host = new URL(ready.endpoint).host;
    this.account = ready.account;
  }

  /** Asks the cloud's own endpoints, which are no part of the emulated API; tells them something when there is a body. */
  async admin(what, body) {
    const headers = { "x-mock-token": this.ready.admin_token };
    const told = body === undefined ? {} : { method: "POST", body: JSON.stringify(body) };
    const answer = await fetch(`${this.endpoint}/_mock/${what}`, { headers, ...told });
    if (!answer.ok) throw new Error(`/_mock/${what} answers ${answer.status}`);
    return answer.text();
  }

  /** Closes its standard input and waits for its end. */
  async end() {
    this.child.stdin.end();
    const limit = setTimeout(() => this.child.kill("SIGKILL"), END_LIMIT);
    const [, signal] = await this.ended;
    clearTimeout(limit);
    if (signal !== null) throw new Error("mock-cloud outlived its standard input");
  }
}
