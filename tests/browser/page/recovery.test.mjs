// Connections that are lost in every way: nothing is missed, nothing comes twice, and what is happening is told.

import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { Company } from "../harness/company.mjs";
import { until } from "../harness/waiting.mjs";

const company = new Company({ mayLoseConnection: true });
const enter = (...words) => company.enter(...words);

before(() => company.gather(["--ping-interval", "2s", "--ping-timeout", "2s"]));
after(() => company.disband());
afterEach(async () => {
  await company.part();
  const { nodes } = company.stage;
  for (const node of nodes.filter(({ child }) => child.exitCode !== null || child.signalCode !== null)) {
    node.start();
    await node.ready();
  }
});

async function pair() {
  const [ada, grace] = await Promise.all([enter("Ada", 0), enter("Grace", 1)]);
  await ada.say("before");
  await grace.sees("Ada: before");
  await ada.sees("Ada: before");
  return [ada, grace];
}

/** Both read the same, and just this. */
async function bothRead(ada, grace, lines) {
  for (const person of [ada, grace]) {
    await until("all is read", async () => (await person.lines()).length >= lines.length);
    await until("nothing is on its way", async () => await person.pending().count() === 0);
    assert.deepEqual(await person.lines(), lines);
  }
}

test("a node that is killed costs nothing: the other one knows who we are and what we missed", async () => {
  const [ada, grace] = await pair();
  // The node first: one that lives sees a client leave when the road is cut, and says so.
  await company.stage.nodes[0].end("SIGKILL");
  company.roads[0].become("cut");
  await ada.isDisconnected();
  await grace.say("can you read this?");
  await grace.sees("can you read this?");
  await ada.say("written without a node");
  await ada.pending().getByText("Waiting to be sent").waitFor();
  await ada.page.locator("#message").fill("half a thought");
  company.roads[0].become("open");
  await ada.isConnected();
  assert.equal(await ada.status(), "Connected to ecs02");
  await bothRead(ada, grace, ["Ada: before", "Grace: can you read this?", "Ada: written without a node"]);
  assert.equal(await ada.page.locator("#message").inputValue(), "half a thought");
  assert.deepEqual(await ada.notes(), ["Welcome to the chatroom!", "Your username is set to Ada"]);
});

test("a network that goes away and comes back costs nothing", async () => {
  const [ada, grace] = await pair();
  await ada.context.setOffline(true);
  company.roads[0].become("cut");
  await ada.isDisconnected();
  await until("it is told", async () => await ada.status() === "You are offline");
  for (const text of ["one", "two"]) {
    await grace.say(text);
    await grace.sees(`Grace: ${text}`);
  }
  await ada.say("three");
  company.roads[0].become("open");
  await ada.context.setOffline(false);
  await ada.isConnected();
  await bothRead(ada, grace, ["Ada: before", "Grace: one", "Grace: two", "Ada: three"]);
  assert.ok(!(await ada.notes()).some((note) => note.includes("missing")));
});

test("a message that was heard, but whose answer was lost, is not said twice", async () => {
  const [ada, grace] = await pair();
  company.roads[0].become("deaf");
  await ada.say("only once");
  await grace.sees("Ada: only once");
  await ada.pending().getByText("Sending…").waitFor();
  company.roads[0].breakAll();
  company.roads[0].become("open");
  await bothRead(ada, grace, ["Ada: before", "Ada: only once"]);
  await ada.say("after");
  await bothRead(ada, grace, ["Ada: before", "Ada: only once", "Ada: after"]);
});

test("a node that drains is left for the other one, within moments and without a farewell", async () => {
  const [ada, grace] = await pair();
  const ended = company.stage.nodes[0].end("SIGTERM");
  await until("it is on the other node", async () => await ada.status() === "Connected to ecs02");
  await ended;
  await grace.say("still here?");
  await bothRead(ada, grace, ["Ada: before", "Grace: still here?"]);
  assert.ok(!(await grace.notes()).some((note) => note.includes("left")), "a farewell was said");
  assert.ok(!(await ada.notes()).some((note) => note.includes("missing")));
});

test("a network in which nothing comes through any more is noticed by the silence", async () => {
  const [ada, grace] = await pair();
  company.roads[0].become("silent");
  await ada.isDisconnected();
  assert.equal(await ada.status(), "Reconnecting");
  await ada.page.locator("#outage").getByText("Connection lost.").waitFor();
  await ada.page.locator("#retry").focus();
  await grace.say("hello?");
  await grace.sees("Grace: hello?");
  company.roads[0].breakAll();
  company.roads[0].become("open");
  await ada.isConnected();
  await bothRead(ada, grace, ["Ada: before", "Grace: hello?"]);
  await ada.page.locator("#outage").waitFor({ state: "hidden" });
  assert.equal(await ada.page.evaluate(() => document.activeElement.id), "message", "the keyboard is not lost");
});

test("the next attempt is counted down to, and can be had at once", async () => {
  const [ada] = await pair();
  company.roads[0].become("cut");
  await ada.page.locator("#retry-in", { hasText: /^Trying again in [3-9] s\.$/ }).waitFor();
  company.roads[0].become("open");
  const before = Date.now();
  await ada.page.getByRole("button", { name: "Try now" }).click();
  await ada.isConnected();
  assert.ok(Date.now() - before < 2_500, "it was waited for regardless");
  assert.equal(await ada.page.evaluate(() => document.activeElement.id), "message");
});

test("lines that cannot be had any more are said to be missing, once, and the name is set again", async () => {
  const [ada, grace] = await pair();
  company.roads[0].become("cut");
  await ada.isDisconnected();
  await grace.say("lost to Ada");
  await grace.sees("Grace: lost to Ada");
  await company.stage.ask("FLUSHALL");
  company.roads[0].become("open");
  await ada.isConnected();
  await ada.notices("Some messages may be missing.");
  await ada.say("who am I?");
  await ada.sees("Ada: who am I?");
  await grace.sees("Ada: who am I?");
  const notes = await ada.notes();
  assert.deepEqual(notes, ["Welcome to the chatroom!", "Your username is set to Ada", "Some messages may be missing."]);
});

test("a message that a node may have heard before it forgot us is left to who wrote it", async () => {
  const [ada, grace] = await pair();
  company.roads[0].become("deaf");
  await ada.say("was it heard?");
  await grace.sees("Ada: was it heard?");
  company.roads[0].become("cut");
  await ada.isDisconnected();
  await company.stage.ask("FLUSHALL");
  company.roads[0].become("open");
  await ada.isConnected();
  const line = ada.pending().filter({ hasText: "was it heard?" });
  await line.getByRole("alert").filter({ hasText: "Not answered. It may have been sent" }).waitFor();
  await line.getByRole("button", { name: "Discard" }).click();
  await ada.say("now");
  await grace.sees("Ada: now");
  assert.deepEqual(await grace.lines(), ["Ada: before", "Ada: was it heard?", "Ada: now"]);
});

test("a browser asks before a message that is on its way is thrown away", async () => {
  const [ada] = await pair();
  company.roads[0].become("silent");
  await ada.say("wait for me");
  await ada.pending().waitFor();
  const asked = ada.page.waitForEvent("dialog");
  // Who stays on the page has a reload that never comes; it ends with the page.
  ada.page.reload().catch(() => {});
  const dialog = await asked;
  assert.equal(dialog.type(), "beforeunload");
  await dialog.dismiss();
  company.roads[0].become("open");
  await ada.sees("Ada: wait for me");
});
