// Whoever reads it, and however: axe's rules, the content security policy, motion, words for what is shown.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { after, before, test } from "node:test";
import { DESK, launch, Person, PHONE } from "../harness/people.mjs";
import { Stage } from "../harness/stage.mjs";
import { until } from "../harness/waiting.mjs";

let stage, browser, road, axe;

before(async () => {
  [stage, browser] = await Promise.all([Stage.raise({ nodes: 1 }), launch()]);
  road = await stage.road(0);
  axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
});
after(async () => {
  await browser?.close();
  await stage?.fall();
});

async function violations(person) {
  await person.page.evaluate(axe);
  const { violations, passes } = await person.page.evaluate(() => globalThis.axe.run({
    runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
  }));
  assert.ok(passes.length > 20, `only ${passes.length} rules were applied`);
  assert.ok(passes.some(({ id }) => id === "color-contrast"), "contrast was not looked at");
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html, failureSummary }) => `${html} ${failureSummary}`).join("\n")}`);
}

for (const [form, viewport] of [["a desk", DESK], ["a phone", PHONE]]) {
  for (const colorScheme of ["light", "dark"]) {
    test(`axe finds nothing wrong on ${form}, ${colorScheme}: empty, in conversation, refused, reconnecting`, async () => {
      const ada = await Person.enter(browser, road.address, { viewport, colorScheme, reducedMotion: "reduce", mayLoseConnection: true });
      assert.deepEqual(await violations(ada), []);
      await ada.takeName("Ada");
      for (let number = 0; number < 8; number += 1) await stage.write(`Person ${number}: hello`);
      await stage.write("Person 1 left the chatroom.");
      await ada.say("hello");
      await ada.sees("Ada: hello");
      await ada.say("x".repeat(4097));
      await ada.page.getByRole("button", { name: "Discard" }).waitFor();
      assert.deepEqual(await violations(ada), []);
      road.become("cut");
      await ada.page.locator("#outage").waitFor();
      await ada.say("on its way");
      await ada.page.getByText("Waiting to be sent").waitFor();
      assert.deepEqual(await violations(ada), []);
      road.become("open");
      await ada.sees("Ada: on its way");
      assert.deepEqual(await ada.wrongs(), []);
      await ada.leave();
    });
  }
}

test("the policy lets nothing in that the page did not bring, and no text become markup", async () => {
  const response = await fetch(road.address);
  const policy = response.headers.get("content-security-policy");
  for (const part of [
    "default-src 'none'", "script-src 'nonce-", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'",
    "require-trusted-types-for 'script'", "trusted-types 'none'",
  ]) assert.ok(policy.includes(part), `${part} is not in ${policy}`);
  assert.ok(!/unsafe|\*|https?:/.test(policy), policy);
  const again = await fetch(road.address);
  assert.notEqual(again.headers.get("content-security-policy"), policy, "the nonce is used twice");

  const eve = await Person.enter(browser, road.address);
  assert.deepEqual(await eve.wrongs(), []);
  const attempts = await eve.page.evaluate(() => {
    const tried = {};
    const attempt = (name, action) => { try { action(); tried[name] = "done"; } catch (error) { tried[name] = error.name; } };
    attempt("markup", () => { document.body.innerHTML = "<p>x</p>"; });
    attempt("policy", () => trustedTypes.createPolicy("x", { createHTML: (text) => text }));
    const script = document.createElement("script");
    attempt("script", () => { script.text = "globalThis.wasRun = true"; });
    const inline = document.createElement("style");
    inline.append("body { display: none }");
    document.head.append(inline);
    tried.style = getComputedStyle(document.body).display;
    return tried;
  });
  assert.deepEqual(attempts, { markup: "TypeError", policy: "TypeError", script: "TypeError", style: "block" });
  await until("the browser told of them", async () => (await eve.wrongs()).length >= 4);
  await eve.leave();
});

test("nothing moves for those who want no motion", async () => {
  const moving = (person) => person.page.evaluate(() => document.getAnimations().length);
  const still = await Person.enter(browser, road.address, { reducedMotion: "reduce", mayLoseConnection: true });
  const lively = await Person.enter(browser, road.address, { reducedMotion: "no-preference", mayLoseConnection: true });
  road.become("cut");
  await Promise.all([still, lively].map((person) => person.isDisconnected()));
  assert.equal(await moving(still), 0);
  assert.ok(await moving(lively) > 0, "the test would see nothing move");
  road.become("open");
  await still.leave();
  await lively.leave();
});

test("a screen reader is told what comes and how the connection is, in words", async () => {
  const ada = await Person.enter(browser, road.address, { name: "Ada" });
  const attributes = (selector) => ada.page.locator(selector).evaluate((element) =>
    Object.fromEntries(["role", "aria-live", "aria-relevant"].map((name) => [name, element.getAttribute(name)])));
  assert.deepEqual(await attributes("#log"), { role: "log", "aria-live": "polite", "aria-relevant": "additions" });
  assert.equal((await attributes("#status")).role, "status");
  await ada.page.getByLabel("Your name").waitFor();
  await ada.page.getByLabel("Message", { exact: true }).waitFor();
  for (const text of ["one", "two"]) {
    await ada.say(text);
    await ada.sees(`Ada: ${text}`);
  }
  // What is read out has the name at each line, also where it is shown only once.
  const read = await ada.page.locator("#log").ariaSnapshot();
  for (const line of ["Ada : one", "Ada : two"]) {
    assert.ok(read.replaceAll(/\s+/g, " ").replaceAll(" :", ":").includes(line.replaceAll(" :", ":")), read);
  }
  await ada.leave();
});

test("what can be pressed on a phone is large enough for a thumb", async () => {
  const ada = await Person.enter(browser, road.address, { name: "Ada", viewport: PHONE, hasTouch: true, isMobile: true });
  await ada.say("x".repeat(4097));
  await ada.page.getByRole("button", { name: "Discard" }).waitFor();
  const small = await ada.page.locator("button:visible, input:visible, textarea:visible").evaluateAll((elements) =>
    elements.map((element) => [element.id || element.textContent, element.getBoundingClientRect()])
      .filter(([, { width, height }]) => width < 44 || height < 36).map(([name]) => name));
  assert.deepEqual(small, []);
  await ada.leave();
});
