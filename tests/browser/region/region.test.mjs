// The page of a region, on a cloud with the chatroom in it: what it shows, faults, and whoever reads it, however.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { after, before, test } from "node:test";
import { DESK, launch, PHONE } from "../harness/people.mjs";
import { Cloud, Viewer } from "../harness/region.mjs";
import { until } from "../harness/waiting.mjs";

const NARROW = { width: 360, height: 740 };
let cloud, browser, axe;

before(async () => {
  [cloud, browser] = await Promise.all([Cloud.start(), launch()]);
  axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
});
after(async () => {
  await browser?.close();
  await cloud?.end();
});

async function violations(viewer) {
  await viewer.page.evaluate(axe);
  const { violations, passes } = await viewer.page.evaluate(() => globalThis.axe.run({
    runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
  }));
  assert.ok(passes.some(({ id }) => id === "color-contrast"), "contrast was not looked at");
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html, failureSummary }) => `${html} ${failureSummary}`).join("\n")}`);
}

async function enter(options) {
  const viewer = await Viewer.enter(browser, cloud.console, options);
  await viewer.isLive();
  return viewer;
}

async function part(viewer) {
  const wrongs = await viewer.wrongs();
  await viewer.leave();
  assert.deepEqual(wrongs, []);
}

test("an empty region says what to do, and fills while a stack is made", async () => {
  const viewer = await enter();
  await viewer.page.getByText("There is nothing yet").waitFor();
  assert.equal(await viewer.page.evaluate(() => location.hash), "", "the token is not left in the address");
  await cloud.apply();
  await Promise.all(["ecs01", "ecs02", "ecs03", "chatroom", "example.com"].map((title) => viewer.sees(title, "good")));
  for (const text of ["HTTP 5000", "Redis runs", "albatross-redis", "chat-node"]) {
    await viewer.page.getByText(text).first().waitFor();
  }
  await viewer.page.locator("#calls", { hasText: "RunInstances" }).waitFor();
  await part(viewer);
});

test("traffic is seen as it goes: WebSockets, messages, bytes", async () => {
  const viewer = await enter();
  const talkers = [await cloud.talker(), await cloud.talker()];
  await viewer.page.locator('.box[data-tone="good"] .word', { hasText: "2 open" }).waitFor();
  await viewer.page.locator(".way-label", { hasText: /^\d+ msg\/s$/ }).first().waitFor();
  await viewer.page.locator(".way.moves").first().waitFor();
  for (const talker of talkers) talker.leave();
  await viewer.page.locator('.box .word', { hasText: "nobody yet" }).waitFor();
  await part(viewer);
});

test("a node that is killed turns its host red, and lifting the fault makes it well", async () => {
  const viewer = await enter();
  await viewer.page.getByLabel("What").selectOption("node_kill");
  await viewer.page.getByLabel("Where").selectOption("ecs01");
  await viewer.page.getByLabel("For").selectOption("10m");
  await viewer.page.getByRole("button", { name: "Begin" }).click();
  await viewer.sees("ecs01", "bad");
  await viewer.page.locator("#hosts tr", { hasText: "ecs01" }).getByText("unhealthy").waitFor();
  assert.equal(await viewer.page.locator('.box[data-tone="good"] .title', { hasText: "ecs02" }).count(), 1, "the other one is well");
  const [fault] = await cloud.ask("faults");
  assert.deepEqual([fault.fault, fault.host], ["node_kill", "ecs01"]);
  await viewer.page.getByRole("button", { name: /^Lift .*node-kill ecs01/ }).click();
  await viewer.sees("ecs01", "good");
  await viewer.page.getByText("Nothing is wrong on purpose.").waitFor();
  assert.deepEqual(await cloud.ask("faults"), []);
  await part(viewer);
});

test("a fault from the command line is seen; a cut is a broken line; what cannot be had is said", async () => {
  const viewer = await enter();
  await cloud.albatross("cloud", "fault", "network-cut", "ecs01", "ecs03", "--for", "10m");
  await viewer.page.locator('#faults [data-fault]', { hasText: "network-cut ecs01 ecs03" }).waitFor();
  await viewer.page.locator('.way-label[data-tone="bad"]', { hasText: "cut" }).waitFor();
  await cloud.albatross("cloud", "fault", "lift", "--all");
  await viewer.page.getByText("Nothing is wrong on purpose.").waitFor();
  await viewer.page.getByLabel("What").selectOption("network_loss");
  await viewer.page.getByRole("button", { name: "Begin" }).click();
  await viewer.page.getByText("network_loss cannot be had here").waitFor();
  // The refusal is an answer of the cloud that the browser notes by itself.
  viewer.complaints = viewer.complaints.filter((complaint) => !complaint.includes("409"));
  await part(viewer);
});

test("everything can be done with the keyboard alone", async () => {
  const viewer = await enter();
  const host = viewer.page.getByRole("button", { name: /^ecs02 healthy/ });
  for (let presses = 0; presses < 20 && !await host.evaluate((node) => node === document.activeElement); presses += 1) await viewer.page.keyboard.press("Tab");
  await viewer.page.keyboard.press("Enter");
  assert.equal(await viewer.page.getByLabel("Where").inputValue(), "ecs02");
  assert.equal(await viewer.page.evaluate(() => document.activeElement.id), "fault-kind");
  await viewer.page.keyboard.type("unhealthy");
  await viewer.page.keyboard.press("Tab");
  await viewer.page.keyboard.press("Tab");
  await viewer.page.keyboard.press("Tab");
  await viewer.page.keyboard.press("Enter");
  await viewer.sees("ecs02", "bad");
  await viewer.page.locator("[data-lift]").focus();
  await viewer.page.keyboard.press("Enter");
  await viewer.sees("ecs02", "good");
  await part(viewer);
});

for (const [form, viewport] of [["a desk", DESK], ["a phone", PHONE], ["a narrow phone", NARROW]]) {
  for (const colorScheme of ["light", "dark"]) {
    test(`axe finds nothing wrong on ${form}, ${colorScheme}, well and ill, and nothing is cut off`, async () => {
      const viewer = await enter({ viewport, colorScheme, reducedMotion: "reduce" });
      await viewer.sees("ecs01", "good");
      assert.deepEqual(await violations(viewer), []);
      const { ids: [id] } = await cloud.ask("faults", { method: "POST", body: JSON.stringify([{ host: "ecs01", fault: { unhealthy: {} } }]) });
      await viewer.sees("ecs01", "bad");
      assert.deepEqual(await violations(viewer), []);
      const { scrollWidth, clientWidth } = await viewer.page.evaluate(() => ({ scrollWidth: document.documentElement.scrollWidth, clientWidth: document.documentElement.clientWidth }));
      assert.ok(scrollWidth <= clientWidth, `${scrollWidth} > ${clientWidth}`);
      await cloud.ask(`faults/${id}`, { method: "DELETE" });
      await viewer.sees("ecs01", "good");
      await part(viewer);
    });
  }
}

test("without a token, or with a wrong one, the page asks for it and shows nothing", async () => {
  const viewer = await Viewer.enter(browser, `${cloud.endpoint}/`);
  await viewer.page.getByLabel("Token").waitFor();
  assert.ok(await viewer.page.locator("main").isHidden());
  await viewer.page.getByLabel("Token").fill("wrong");
  await viewer.page.getByRole("button", { name: "Open" }).click();
  await viewer.page.getByText("Which cloud is this?").waitFor();
  await viewer.page.getByLabel("Token").fill(cloud.token);
  await viewer.page.getByRole("button", { name: "Open" }).click();
  await viewer.isLive();
  viewer.complaints = viewer.complaints.filter((complaint) => !complaint.includes("401"));
  await part(viewer);
});

test("the policy lets nothing in that the page did not bring", async () => {
  const response = await fetch(`${cloud.endpoint}/`, { headers: { accept: "text/html" } });
  const policy = response.headers.get("content-security-policy");
  assert.ok(!/unsafe|\*|https?:|nonce/.test(policy), policy);
  const eve = await enter();
  const tried = await eve.page.evaluate(() => {
    const attempt = (action) => { try { action(); return "done"; } catch (error) { return error.name; } };
    const script = document.createElement("script");
    return [attempt(() => { document.body.innerHTML = "<p>x</p>"; }), attempt(() => { script.text = "globalThis.wasRun = true"; })];
  });
  assert.deepEqual(tried, ["TypeError", "TypeError"]);
  await until("the browser told of them", async () => (await eve.wrongs()).length >= 2);
  await eve.leave();
});
