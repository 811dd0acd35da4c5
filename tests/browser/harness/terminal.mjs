// A terminal that can be looked at: a program runs at a real one, and an emulator in the browser shows what it writes.

import { spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { until } from "./waiting.mjs";

const installed = createRequire(import.meta.url);
const part = (name) => readFile(installed.resolve(`@xterm/xterm/${name}`), "utf8");

export const COLOURS = {
  dark: { background: "#10141c", foreground: "#d9dee8", cursor: "#10141c" },
  light: { background: "#fbfbfd", foreground: "#23272f", cursor: "#fbfbfd", yellow: "#8a6100", green: "#1a7f37", brightBlack: "#5d6675" },
};

export class Terminal {
  /** An empty one of this many columns and rows. */
  static async open(browser, { columns, rows, scheme }) {
    const terminal = new Terminal();
    Object.assign(terminal, { columns, rows });
    terminal.context = await browser.newContext({ deviceScaleFactor: 2, viewport: { width: 1600, height: 1400 } });
    terminal.page = await terminal.context.newPage();
    const background = COLOURS[scheme].background;
    await terminal.page.setContent(`<body style="margin:0"><div id="screen" style="display:inline-block;padding:14px;background:${background}"></div>`);
    await terminal.page.addStyleTag({ content: await part("css/xterm.css") });
    await terminal.page.addScriptTag({ content: await part("lib/xterm.js") });
    await terminal.page.evaluate(({ columns, rows, theme }) => {
      const options = { cols: columns, rows, theme, scrollback: 0, fontFamily: "DejaVu Sans Mono, monospace", fontSize: 13, cursorInactiveStyle: "none", minimumContrastRatio: 4.5 };
      globalThis.terminal = new globalThis.Terminal(options);
      globalThis.terminal.open(document.getElementById("screen"));
    }, { columns, rows, theme: COLOURS[scheme] });
    return terminal;
  }

  /** What somebody typed, before the program runs. */
  prompt(line) {
    return this.show(`\x1b[1m$\x1b[0m ${line}\r\n`);
  }

  show(text) {
    return this.page.evaluate((text) => new Promise((shown) => globalThis.terminal.write(text, shown)), text);
  }

  /** Runs a program at a terminal of this size. `script`, of util-linux, has the other end of it. */
  run(words, { cwd, env }) {
    const line = `stty cols ${this.columns} rows ${this.rows} && exec "$@"`;
    const inner = ["sh", "-c", line, "sh", ...words].map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(" ");
    const child = spawn("script", ["--quiet", "--return", "--command", inner, "/dev/null"], { cwd, env: { ...env, TERM: "xterm-256color", LANG: "C.UTF-8" } });
    child.stdin.end();
    let shown = Promise.resolve();
    child.stdout.setEncoding("utf8");
    child.stdout.on("data", (text) => { shown = shown.then(() => this.show(text)); });
    return new Promise((ended, failed) => {
      child.on("error", failed);
      child.on("close", (code) => shown.then(() => (code === 0 ? ended() : failed(new Error(`${words.join(" ")} ended with ${code}`))), failed));
    });
  }

  /** The lines on the screen. */
  lines() {
    return this.page.evaluate(() => {
      const buffer = globalThis.terminal.buffer.active;
      return Array.from({ length: globalThis.terminal.rows }, (_, row) => buffer.getLine(buffer.viewportY + row)?.translateToString(true) ?? "");
    });
  }

  /** Waits until the screen looks like this. */
  sees(what, isSo) {
    return until(what, async () => isSo(await this.lines()));
  }

  /** A picture of the lines that have something on them. */
  async picture(path) {
    const used = (await this.lines()).reduce((last, line, row) => (line.trim() ? row + 1 : last), 1);
    const screen = await this.page.locator("#screen").boundingBox();
    const height = 28 + (await this.page.locator(".xterm-screen").boundingBox()).height * (used / this.rows);
    await this.page.screenshot({ path, clip: { ...screen, height } });
  }

  close() {
    return this.context.close();
  }
}
