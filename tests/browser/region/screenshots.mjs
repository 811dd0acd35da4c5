// Takes the pictures of the region's page that are in docs/images.
//
//   CHROMIUM=/usr/bin/chromium ALBATROSS=target/debug/albatross TOPOLOGY=examples/chatroom.yaml node screenshots.mjs FOLDER [--all]
//
// With `--all` every form in every state, for whoever changes the page; else the two that are kept.

import { join } from "node:path";
import { DESK, launch, PHONE } from "../harness/people.mjs";
import { Cloud, Viewer } from "../harness/region.mjs";

const FORMS = { desk: { viewport: { ...DESK, height: 1000 } }, phone: { viewport: PHONE, hasTouch: true, isMobile: true }, narrow: { viewport: { width: 360, height: 740 } } };
const KEPT = ["desk-light-ill", "desk-dark-well"];
const [folder, ...flags] = process.argv.slice(2);

const [cloud, browser] = await Promise.all([Cloud.start(), launch()]);

async function shoot(state, full) {
  for (const [form, options] of Object.entries(FORMS)) {
    for (const colorScheme of ["light", "dark"]) {
      const name = `${form}-${colorScheme}-${state}`;
      if (!flags.includes("--all") && !KEPT.includes(name)) continue;
      const viewer = await Viewer.enter(browser, cloud.console, { ...options, colorScheme, reducedMotion: "reduce" });
      await viewer.isLive();
      // Rates take two views.
      if (state !== "empty") await viewer.page.locator(".way-label", { hasText: /msg\/s/ }).first().waitFor({ state: "attached" });
      await viewer.page.screenshot({ path: join(folder, `region-${name}.png`), fullPage: full, caret: "hide", animations: "disabled" });
      await viewer.leave();
    }
  }
}

try {
  await shoot("empty", false);
  await cloud.apply();
  const talkers = [];
  for (let number = 0; number < 6; number += 1) talkers.push(await cloud.talker());
  await shoot("well", false);
  await cloud.albatross("cloud", "fault", "freeze", "ecs01", "--for", "10m");
  await cloud.albatross("cloud", "fault", "network-cut", "ecs02", "ecs03");
  await cloud.albatross("cloud", "fault", "dns-stale", "example.com", "--in", "30m");
  const viewer = await Viewer.enter(browser, cloud.console);
  await viewer.sees("ecs01", "bad");
  await viewer.leave();
  await shoot("ill", flags.includes("--all"));
  for (const talker of talkers) talker.leave();
} finally {
  await browser.close();
  await cloud.end();
}
