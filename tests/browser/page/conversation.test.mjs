// Two people on two nodes: what they say, how it looks to each, and what the page keeps for them.

import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { Company } from "../harness/company.mjs";
import { PHONE } from "../harness/people.mjs";
import { until } from "../harness/waiting.mjs";

const company = new Company();
const enter = (...words) => company.enter(...words);

before(() => company.gather());
after(() => company.disband());
afterEach(() => company.part());

test("two people on two nodes read the same in the same order, and each knows what is their own", async () => {
  const [ada, grace] = await Promise.all([enter("Ada", 0), enter("Grace", 1)]);
  assert.equal(await ada.status(), "Connected to ecs01");
  assert.equal(await grace.status(), "Connected to ecs02");
  for (let number = 0; number < 5; number += 1) {
    await Promise.all([ada.say(`a${number}`), grace.say(`g${number}`)]);
  }
  await Promise.all([ada, grace].map((person) => until("all is read", async () => (await person.lines()).length >= 10)));
  const lines = await ada.lines();
  assert.deepEqual(await grace.lines(), lines);
  const of = (name, letter) => [0, 1, 2, 3, 4].map((number) => `${name}: ${letter}${number}`);
  assert.deepEqual(lines.filter((line) => line.startsWith("Ada")), of("Ada", "a"));
  assert.deepEqual(lines.filter((line) => line.startsWith("Grace")), of("Grace", "g"));
  assert.deepEqual((await ada.page.locator("#log .mine .bubble").allTextContents()), of("Ada", "a"));
  assert.equal(await ada.pending().count(), 0);
});

test("a namesake's words are not our own", async () => {
  const [ada, other] = await Promise.all([enter("Ada", 0), enter("Ada", 1)]);
  await other.say("it is me");
  await ada.sees("Ada: it is me");
  assert.equal(await ada.page.locator("#log .mine").count(), 0);
});

test("consecutive lines of one name are one group, and the first of a group has the name and the time", async () => {
  const [ada, grace] = await Promise.all([enter("Ada", 0), enter("Grace", 1)]);
  for (const text of ["one", "two"]) {
    await grace.say(text);
    await ada.sees(`Grace: ${text}`);
  }
  await ada.say("three");
  await grace.sees("Ada: three");
  await grace.say("four");
  await ada.sees("Grace: four");
  const bylines = await ada.page.locator("#log .line:not(.notice)").evaluateAll((lines) =>
    lines.map((line) => line.querySelector(".byline").checkVisibility()));
  assert.deepEqual(bylines, [true, false, true, true]);
  const time = await ada.page.locator("#log time").first();
  assert.match(await time.textContent(), /^\d{1,2}:\d{2}$/);
  assert.ok(Math.abs(Date.parse(await time.getAttribute("datetime")) - Date.now()) < 60_000);
});

test("leaving is told to those who stay", async () => {
  const [ada, grace] = await Promise.all([enter("Ada", 0), enter("Grace", 1)]);
  await grace.page.close();
  await ada.notices("Grace left the chatroom.");
  await company.dismiss(grace);
});

test("a message without a name is kept while the name is asked for", async () => {
  const ada = await enter(undefined, 0);
  await ada.say("hello");
  assert.equal(await ada.page.evaluate(() => document.activeElement.id), "username");
  assert.equal(await ada.page.locator("#message").inputValue(), "hello");
  await ada.page.locator("#username-hint", { hasText: "Set your name first" }).waitFor();
  await ada.takeName("Ada");
  await ada.page.locator("#send").click();
  await ada.sees("Ada: hello");
});

test("a name the node refuses is told at its field", async () => {
  const ada = await enter("Ada", 0);
  await ada.page.locator("#username").fill("A\u202Eda");
  await ada.page.locator("#set-username").click();
  await ada.page.locator("#username-hint", { hasText: "Failed to set the username." }).waitFor();
  assert.equal(await ada.page.locator("#username").getAttribute("aria-invalid"), "true");
  await ada.say("still me");
  await ada.sees("Ada: still me");
});

test("name and what is typed outlive a reload", async () => {
  const ada = await enter("Ada", 0);
  await ada.page.locator("#message").fill("half a thought");
  await ada.page.reload();
  await ada.page.locator("#username-form.is-set").waitFor();
  assert.equal(await ada.page.locator("#username").inputValue(), "Ada");
  assert.equal(await ada.page.locator("#message").inputValue(), "half a thought");
  await ada.page.locator("#send").click();
  await ada.sees("Ada: half a thought");
  await ada.page.reload();
  assert.equal(await ada.page.locator("#message").inputValue(), "");
});

test("the keyboard alone is enough", async () => {
  const ada = await enter(undefined, 0);
  const { keyboard } = ada.page;
  const focused = () => ada.page.evaluate(() => document.activeElement.id || document.activeElement.className);
  await keyboard.press("Tab");
  assert.equal(await focused(), "skip");
  await keyboard.press("Enter");
  assert.equal(await focused(), "message");
  await keyboard.press("Shift+Tab");
  assert.equal(await focused(), "scroller");
  await keyboard.press("Shift+Tab");
  assert.equal(await focused(), "set-username");
  await keyboard.press("Shift+Tab");
  assert.equal(await focused(), "username");
  await keyboard.type("Ada");
  await keyboard.press("Enter");
  assert.equal(await focused(), "message");
  await keyboard.type("one");
  await keyboard.press("Shift+Enter");
  await keyboard.type("two");
  await keyboard.press("Enter");
  await ada.sees("Ada: one\ntwo");
  assert.equal(await focused(), "message");
  for (const id of ["username", "set-username", "scroller", "message", "send"]) {
    await ada.page.locator(`#${id}`).focus();
    const outline = await ada.page.locator(`#${id}`).evaluate((element) => getComputedStyle(element).outlineWidth);
    assert.ok(parseFloat(outline) >= 2, `the focus on #${id} is not to be seen: ${outline}`);
    await keyboard.press("Shift");
  }
});

test("a word that an input method is about to choose is not sent", async () => {
  const ada = await enter("Ada", 0);
  await ada.page.locator("#message").fill("ni");
  await ada.page.locator("#message").evaluate((field) => {
    field.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", isComposing: true, bubbles: true, cancelable: true }));
  });
  assert.equal(await ada.page.locator("#message").inputValue(), "ni");
  await ada.page.locator("#message").press("Enter");
  await ada.sees("Ada: ni");
});

test("a message waits to be seen until the node has answered, and then is an ordinary line", async () => {
  const ada = await enter("Ada", 0);
  company.roads[0].become("silent");
  await ada.say("patience");
  await ada.pending().filter({ hasText: "patience" }).getByText("Sending…").waitFor();
  assert.deepEqual(await ada.lines(), []);
  company.roads[0].become("open");
  await ada.sees("Ada: patience");
  await until("nothing is on its way", async () => await ada.pending().count() === 0);
  assert.deepEqual(await ada.lines(), ["Ada: patience"]);
});

test("a refusal is shown at its line, which can be sent again or discarded", async () => {
  const ada = await enter("Ada", 0);
  await ada.say("x".repeat(4097));
  const line = ada.pending();
  await line.getByRole("alert").filter({ hasText: "Not sent. Failed to send the message. It is longer than 4096 characters." }).waitFor();
  await line.getByRole("button", { name: "Send again" }).click();
  await line.getByRole("alert").waitFor();
  await line.getByRole("button", { name: "Discard" }).click();
  assert.equal(await line.count(), 0);
  assert.equal(await ada.page.evaluate(() => document.activeElement.id), "message");
  await ada.say("z".repeat(4097));
  await ada.page.locator("#message").fill("and more");
  await line.getByRole("button", { name: "Edit" }).click();
  assert.equal(await ada.page.locator("#message").inputValue(), `${"z".repeat(4097)}\nand more`);
  assert.equal(await line.count(), 0);
  await ada.say("y".repeat(70_000));
  await ada.page.locator("#message-hint", { hasText: "This is too long to be sent." }).waitFor();
  assert.equal((await ada.page.locator("#message").inputValue()).length, 70_000, "what was typed is kept");
});

test("whoever reads above is not pulled down, and gets a way down", async () => {
  const [ada, grace] = await Promise.all([enter("Ada", 0), enter("Grace", 1)]);
  for (let number = 0; number < 40; number += 1) await company.stage.write(`Bob: line ${number}`);
  await ada.sees("Bob: line 39");
  const scroller = ada.page.locator("#scroller");
  const atEnd = () => scroller.evaluate(({ scrollHeight, scrollTop, clientHeight }) => scrollHeight - scrollTop - clientHeight < 2);
  await until("the newest line is in sight", atEnd);
  await scroller.evaluate((element) => { element.scrollTop = 100; });
  await grace.say("are you there?");
  await grace.say("hello?");
  await ada.page.getByRole("button", { name: "2 new messages" }).waitFor();
  assert.equal(await scroller.evaluate((element) => element.scrollTop), 100);
  await ada.page.getByRole("button", { name: "2 new messages" }).click();
  await until("the newest line is in sight", atEnd);
  await ada.page.locator("#jump").waitFor({ state: "hidden" });
  assert.equal(await ada.page.evaluate(() => document.activeElement.id), "scroller", "the keyboard is not lost");
});

test("at most a thousand lines are kept", async () => {
  const ada = await enter("Ada", 0);
  for (let number = 0; number < 1100; number += 1) await company.stage.write(`Bob: line ${number}`);
  await ada.sees("Bob: line 1099");
  const count = await ada.page.locator("#log > *").count();
  assert.equal(count, 1000);
  assert.ok(await ada.page.locator("#log > * .byline").first().isVisible(), "the first line names who speaks");
});

test("long words wrap on a phone, and every text keeps its own direction", async () => {
  const ada = await enter("Ada", 0, { viewport: PHONE, hasTouch: true, isMobile: true });
  await ada.say("w".repeat(500));
  await ada.sees(`Ada: ${"w".repeat(500)}`);
  await company.stage.write(`${"n".repeat(64)}: long name`);
  await ada.sees("long name");
  await company.stage.write("سارة: مرحبا");
  await ada.sees("سارة: مرحبا");
  const direction = await ada.page.locator("#log .bubble [dir=auto]").last().evaluate((element) => getComputedStyle(element).direction);
  assert.equal(direction, "rtl");
  for (const selector of ["html", "#scroller", "#log"]) {
    const [wide, room] = await ada.page.locator(selector).evaluate((element) => [element.scrollWidth, element.clientWidth]);
    assert.ok(wide <= room, `${selector} is ${wide} wide where ${room} are`);
  }
  for (const id of ["username", "message"]) {
    const size = await ada.page.locator(`#${id}`).evaluate((element) => parseFloat(getComputedStyle(element).fontSize));
    assert.ok(size >= 16, `a phone would zoom into #${id}`);
  }
});

test("a phone that lies on its side shows how the connection is, and the conversation", async () => {
  const ada = await enter("Ada", 0, { viewport: { width: 667, height: 375 }, hasTouch: true, isMobile: true });
  assert.ok(await ada.page.locator("#status").isVisible());
  await ada.say("hello");
  await ada.sees("Ada: hello");
  const [wide, room] = await ada.page.locator("html").evaluate((element) => [element.scrollWidth, element.clientWidth]);
  assert.ok(wide <= room, `the page is ${wide} wide where ${room} are`);
});

test("where WebSockets are blocked, long-polling carries everything, batched", async () => {
  company.roads[0].refusesWebSockets = true;
  const [ada, grace] = await Promise.all([enter("Ada", 0, { mayLoseConnection: true }), enter("Grace", 1)]);
  assert.ok(ada.requests.some((url) => url.includes("transport=polling")), "no request of long-polling was made");
  for (let number = 0; number < 5; number += 1) await ada.say(`a${number}`);
  await grace.sees("Ada: a4");
  await grace.say("got it");
  await ada.sees("Grace: got it");
  const expected = [...[0, 1, 2, 3, 4].map((number) => `Ada: a${number}`), "Grace: got it"];
  assert.deepEqual(await ada.lines(), expected);
  assert.deepEqual(await grace.lines(), expected);
  // The node learns of its end though no connection tells.
  await ada.page.close();
  await grace.notices("Ada left the chatroom.");
  await company.dismiss(ada);
});

test("markup is text", async () => {
  const ada = await enter("<b>Ada</b>", 0);
  await ada.say("<img src=x onerror=alert(1)> & &amp;");
  await ada.sees("<b>Ada</b>: <img src=x onerror=alert(1)> & &amp;");
  assert.equal(await ada.page.locator("#log b, #log img").count(), 0);
});
