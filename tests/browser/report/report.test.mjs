// The page of a report: of a chatroom that works and of one that does not, for everybody, on a screen and on paper.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { after, before, test } from "node:test";
import { DESK, launch, PHONE } from "../harness/people.mjs";
import { Cloud } from "../harness/region.mjs";
import { Reader, write } from "../harness/report.mjs";

const NARROW = { width: 360, height: 740 };
let cloud, browser, axe, good, bad;

before(async () => {
  [cloud, browser] = await Promise.all([Cloud.start(), launch()]);
  axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
  await cloud.apply();
  good = await write(cloud, "good.html", true);
  await cloud.albatross("cloud", "fault", "redis-stop", "ecs03");
  bad = await write(cloud, "bad.html", false);
});
after(async () => {
  await browser?.close();
  await cloud?.end();
});

async function close(reader) {
  await reader.close();
  assert.deepEqual(reader.complaints, []);
}

test("a chatroom that works is told so, with each check, its evidence and its time", async () => {
  const reader = await Reader.open(browser, good.address, { javaScriptEnabled: false });
  assert.equal(await reader.page.title(), "http://example.com:5000/ works");
  await reader.page.getByRole("heading", { level: 1, name: "http://example.com:5000/ works" }).waitFor();
  const check = reader.page.getByRole("listitem").filter({ has: reader.page.getByRole("heading", { name: "redis.path" }) });
  for (const text of ["passed", "200 messages between", "stream entries"]) await check.getByText(text).first().waitFor();
  assert.match(await check.locator(".took").textContent(), /^\d+\.\d m?s$/);
  assert.equal(await reader.page.locator("#checks + ol > li").count(), 17);
  assert.equal(await reader.page.locator(".row.bad").count(), 0);
  await close(reader);
});

test("the picture has every part, and words for who does not see it", async () => {
  const reader = await Reader.open(browser, good.address);
  const picture = reader.page.getByRole("img", { name: /^Clients open http:\/\/example\.com:5000\/\. The name example\.com is well/ });
  await picture.waitFor();
  for (const text of ["clients", "example.com", "load balancer", "ecs01", "ecs02", "Redis on ecs03"]) await picture.getByText(text, { exact: true }).waitFor();
  assert.equal(await picture.locator("g.good").count(), 6);
  const boxes = await picture.locator("g").evaluateAll((groups) => groups.map((group) => {
    const outer = group.querySelector("rect").getBoundingClientRect();
    return [...group.querySelectorAll("text")].every((text) => {
      const inner = text.getBoundingClientRect();
      return inner.left >= outer.left && inner.right <= outer.right && inner.bottom <= outer.bottom;
    });
  }));
  assert.deepEqual(boxes, boxes.map(() => true), "a text leaves its box");
  await close(reader);
});

test("latencies are a table whose longest bar is the fullest class", async () => {
  const reader = await Reader.open(browser, good.address);
  const rows = await reader.page.getByRole("table", { name: "Messages between two nodes by the time they took" }).locator("tbody tr").evaluateAll((all) => all.map((row) => ({
    count: Number(row.querySelector("td").textContent), width: row.querySelector(".bar").getBoundingClientRect().width,
  })));
  assert.equal(rows.reduce((sum, { count }) => sum + count, 0), 200);
  const byCount = [...rows].sort((one, other) => one.count - other.count);
  const byWidth = [...rows].sort((one, other) => one.width - other.width);
  assert.equal(byCount.at(-1).count, byWidth.at(-1).count);
  await close(reader);
});

test("a chatroom that does not work shows where, and what to do", async () => {
  const reader = await Reader.open(browser, bad.address);
  await reader.page.getByRole("heading", { level: 1, name: "http://example.com:5000/ is not proven to work" }).waitFor();
  const check = reader.page.locator(".row.bad", { has: reader.page.getByRole("heading", { name: "message.a_to_b" }) });
  await check.getByText("What to do:").waitFor();
  await check.getByText(/albatross --local logs chatroom\.yaml ecs03/).first().waitFor();
  await reader.page.locator("g.bad", { hasText: "Redis on ecs03" }).waitFor();
  await reader.page.getByRole("img", { name: /and Redis is ill\.$/ }).waitFor();
  await close(reader);
});

test("it has no script, and brings along all it needs", async () => {
  for (const { text, address } of [good, bad]) {
    assert.doesNotMatch(text, /<script|<link|<img|<iframe|@import|url\(| on\w+=/i);
    const reader = await Reader.open(browser, address);
    assert.equal(await reader.page.evaluate(() => performance.getEntriesByType("resource").length), 0);
    await close(reader);
  }
});

test("on paper it is dark on white, and nothing is hidden", async () => {
  const reader = await Reader.open(browser, bad.address, { colorScheme: "dark" });
  await reader.page.emulateMedia({ media: "print" });
  const { ground, ink } = await reader.page.evaluate(() => {
    const style = getComputedStyle(document.body);
    return { ground: style.backgroundColor, ink: style.color };
  });
  assert.deepEqual([ground, ink], ["rgb(255, 255, 255)", "rgb(0, 0, 0)"]);
  assert.ok((await reader.page.pdf({ format: "A4" })).length > 10_000);
  await close(reader);
});

for (const [form, viewport] of [["a desk", DESK], ["a phone", PHONE], ["a narrow phone", NARROW]]) {
  for (const colorScheme of ["light", "dark"]) {
    test(`axe finds nothing wrong on ${form}, ${colorScheme}, and nothing is cut off`, async () => {
      for (const { address } of [good, bad]) {
        // The page itself forbids scripts; axe is one.
        const reader = await Reader.open(browser, address, { viewport, colorScheme, bypassCSP: true });
        await reader.page.evaluate(axe);
        const { violations, passes } = await reader.page.evaluate(() => globalThis.axe.run({
          runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
        }));
        assert.ok(passes.some(({ id }) => id === "color-contrast"), "contrast was not looked at");
        assert.deepEqual(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html, failureSummary }) => `${html} ${failureSummary}`).join("\n")}`), []);
        const { scrollWidth, clientWidth } = await reader.page.evaluate(() => ({ scrollWidth: document.documentElement.scrollWidth, clientWidth: document.documentElement.clientWidth }));
        assert.ok(scrollWidth <= clientWidth, `${scrollWidth} > ${clientWidth}`);
        await close(reader);
      }
    });
  }
}
