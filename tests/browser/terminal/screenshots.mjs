// Takes the pictures of a terminal that are in docs/images: a plan, an apply on its way, and a proof.
//
//   CHROMIUM=/usr/bin/chromium ALBATROSS=target/debug/albatross TOPOLOGY=examples/chatroom.yaml node screenshots.mjs FOLDER

import { join } from "node:path";
import { launch } from "../harness/people.mjs";
import { Cloud } from "../harness/region.mjs";
import { Terminal } from "../harness/terminal.mjs";

const SIZE = { columns: 110, rows: 56 };
const [folder] = process.argv.slice(2);
const [cloud, browser] = await Promise.all([Cloud.start("brisk"), launch()]);

/** Runs a command as somebody would type it, and takes its picture when `look` is over, else at its end. */
async function shoot(name, words, look = async () => {}) {
  const terminal = await Terminal.open(browser, { ...SIZE, scheme: "dark" });
  await terminal.prompt(["albatross", ...words].join(" "));
  const picture = () => terminal.picture(join(folder, `terminal-${name}.png`));
  const ended = terminal.run([process.env.ALBATROSS, ...words], cloud.place());
  const early = await Promise.race([look(terminal), ended.then(() => false)]);
  if (early) await picture();
  await ended;
  if (!early) await picture();
  await terminal.close();
}

/** While machines boot, some things are done and others are not. */
async function isHalfDone(terminal) {
  await terminal.sees("an apply on its way", (lines) => {
    const count = (pattern) => lines.filter((line) => pattern.test(line)).length;
    return count(/^ +✓/) >= 8 && count(/^ +[⠀-⣿]/) >= 3;
  });
  return true;
}

try {
  await shoot("plan", ["--local", "plan", "chatroom.yaml"]);
  await shoot("apply", ["--local", "apply", "--yes", "chatroom.yaml"], isHalfDone);
  await shoot("verify", ["--local", "verify", "chatroom.yaml"]);
} finally {
  await browser.close();
  await cloud.end();
}
