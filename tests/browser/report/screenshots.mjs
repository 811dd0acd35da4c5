// Takes the picture of a report that is in docs/images.
//
//   CHROMIUM=/usr/bin/chromium ALBATROSS=target/debug/albatross TOPOLOGY=examples/chatroom.yaml node screenshots.mjs FOLDER [--all]
//
// With `--all` every form in every state, for whoever changes the page; else the one that is kept.

import { join } from "node:path";
import { DESK, launch, PHONE } from "../harness/people.mjs";
import { Cloud } from "../harness/region.mjs";
import { Reader, write } from "../harness/report.mjs";

const FORMS = { desk: { viewport: { ...DESK, height: 1100 } }, phone: { viewport: PHONE, hasTouch: true, isMobile: true } };
const KEPT = ["desk-light-good"];
const [folder, ...flags] = process.argv.slice(2);
const [cloud, browser] = await Promise.all([Cloud.start(), launch()]);

async function shoot(address, state) {
  for (const [form, options] of Object.entries(FORMS)) {
    for (const colorScheme of ["light", "dark"]) {
      const name = `${form}-${colorScheme}-${state}`;
      if (!flags.includes("--all") && !KEPT.includes(name)) continue;
      const reader = await Reader.open(browser, address, { ...options, colorScheme });
      await reader.page.screenshot({ path: join(folder, `report-${name}.png`), fullPage: flags.includes("--all") });
      await reader.close();
    }
  }
}

try {
  await cloud.apply();
  await shoot((await write(cloud, "good.html", true)).address, "good");
  await cloud.albatross("cloud", "fault", "redis-stop", "ecs03");
  await cloud.albatross("cloud", "fault", "node-kill", "ecs02", "--for", "10m");
  await shoot((await write(cloud, "bad.html", false)).address, "bad");
} finally {
  await browser.close();
  await cloud.end();
}
