// Other people's clients against a real chat-node: prints a line a case, a table, and a closing line a suite.
//
//   node main.mjs [PART...]    the cases whose names hold one of the parts; without one, all of them
//
// CHAT_NODE is the program, MODULES the folder with what npm installed, PYTHON an interpreter that has the Python
// clients, BROWSER a Chromium. What is not given is left out with a line that says so, or fails with CI=true.

import { spawn } from "node:child_process";
import { createRequire } from "node:module";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import * as browserSuite from "./browser.mjs";
import * as javascript from "./javascript.mjs";
import { setUp } from "./stage.mjs";
import { Report } from "./suite.mjs";

const { CHAT_NODE, MODULES, PYTHON, BROWSER, CI } = process.env;
const require = createRequire(join(MODULES, "/"));
const CLIENTS = ["socket.io-client-4.8", "socket.io-client-4.6", "socket.io-client-4.0"];
const PYTHON_FLOOR = { "python-socketio": 54, "python-engineio": 24 };

const versionOf = (name) => require(`${name}/package.json`).version;

/** Runs the Python cases, whose lines are `ok NAME` and `not ok NAME: REASON`. */
async function python(report, parts, nodes) {
  const folder = fileURLToPath(new URL("python", import.meta.url));
  const child = spawn(PYTHON, ["-B", folder, ...nodes.map((node) => String(node.port)), ...parts], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const exited = new Promise((resolve) => child.on("exit", resolve));
  const rows = {};
  for await (const line of createInterface({ input: child.stdout })) {
    const [kind, suite, version, name, ...reason] = line.split("\t");
    if (kind === "begin") rows[suite] = report.begin(suite, version, PYTHON_FLOOR[suite]);
    else if (kind === "ok") report.passed(rows[suite], name);
    else if (kind === "not ok") report.failed(rows[suite], name, reason.join("\t").replaceAll("\\n", "\n"));
    else console.log(line);
  }
  const code = await exited;
  if (code !== 0) report.failed(report.begin("python", "", 0), "the cases ran to their end", `exit code ${code}`);
}

function missing(report, what) {
  if (CI === "true") report.failed(report.begin(what, "", 0), "it is here", "and under CI nothing may be skipped");
  else console.log(`skipped: ${what}: it is not here`);
}

const parts = process.argv.slice(2);
const report = new Report(parts);
const tutorial = await browserSuite.serveTutorial(require.resolve("socket.io-client-4.0/dist/socket.io.js"));
const origin = `http://127.0.0.1:${tutorial.address().port}`;
const { nodes, takeDown } = await setUp(CHAT_NODE, [origin]);
try {
  for (const name of CLIENTS) {
    const { io } = require(name);
    const version = versionOf(name);
    const cases = javascript.cases(io, version, nodes);
    await report.run("socket.io-client", version, cases, javascript.FLOOR);
  }
  if (PYTHON) await python(report, parts, nodes);
  else missing(report, "python");
  if (BROWSER) {
    const { chromium } = require("playwright-core");
    await browserSuite.withBrowser(chromium, BROWSER, async (browser) => {
      const cases = browserSuite.cases(browser, nodes, origin);
      await report.run("chromium", browser.version().split(".")[0], cases, browserSuite.FLOOR);
    });
  } else missing(report, "chromium");
} finally {
  await takeDown();
  tutorial.closeAllConnections();
  tutorial.close();
}
process.exitCode = report.close() ? 0 : 1;
