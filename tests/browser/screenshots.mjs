// Takes the pictures of the page that are in docs/images.
//
//   CHROMIUM=/usr/bin/chromium CHAT_NODE=target/debug/chat-node node screenshots.mjs FOLDER [--all]
//
// With `--all` every state in every form, for whoever changes the page; else the four that are kept.

import { join } from "node:path";
import { DESK, launch, Person, PHONE } from "./harness/people.mjs";
import { Stage } from "./harness/stage.mjs";

const FORMS = { desk: { viewport: DESK }, phone: { viewport: PHONE, hasTouch: true, isMobile: true } };
const KEPT = ["desk-light-conversation", "desk-dark-conversation", "phone-light-conversation", "phone-dark-reconnecting"];
const [folder, ...flags] = process.argv.slice(2);

const CONVERSATION = [
  ["Grace", "Morning! Is the boat to the research station running today?"],
  ["Ada", "It left twenty minutes ago."],
  ["Ada", "The next one goes at noon. I can hold you a seat; the deck side has the better view."],
  ["Grace", "Please do."],
  ["Grace", "We counted 214 nests on the north cliff yesterday, thirty more than last year. Almost all of them have a chick by now."],
  ["Noor", "صباح الخير"],
  ["Noor", "I have the photographs. The wind was wild, and they did not flap once."],
  ["Ada", "Thirty more! I will bring the good binoculars."],
];

async function shoot(person, name) {
  if (!flags.includes("--all") && !KEPT.includes(name)) return;
  // Without a caret that is there or not, and without a pointer over a button.
  await person.page.mouse.move(0, 0);
  await person.page.screenshot({ path: join(folder, `chatroom-${name}.png`), caret: "hide", animations: "disabled" });
}

async function converse(people) {
  for (const [name, text] of CONVERSATION) {
    await people[name].say(text);
    await Promise.all(Object.values(people).map((person) => person.sees(`${name}: ${text}`)));
  }
}

async function takeAll(browser, stage, form, colorScheme) {
  const road = await stage.road(0, 1);
  const others = await stage.road(1, 0);
  const options = { ...FORMS[form], colorScheme, mayLoseConnection: true };
  const ada = await Person.enter(browser, road.address, options);
  await shoot(ada, `${form}-${colorScheme}-empty`);
  await ada.takeName("Ada");
  const grace = await Person.enter(browser, others.address, { name: "Grace" });
  const noor = await Person.enter(browser, others.address, { name: "Noor" });
  await converse({ Ada: ada, Grace: grace, Noor: noor });
  await ada.page.locator("#message").evaluate((field) => field.blur());
  await shoot(ada, `${form}-${colorScheme}-conversation`);
  if (flags.includes("--all")) {
    await ada.say("tern ".repeat(900));
    await ada.page.getByRole("button", { name: "Discard" }).waitFor();
    await shoot(ada, `${form}-${colorScheme}-refused`);
    await ada.page.getByRole("button", { name: "Discard" }).click();
  }
  road.become("cut");
  await ada.page.locator("#retry-in", { hasText: /^Trying again in [2-9] s\.$/ }).waitFor();
  await ada.say("See you at noon, then.");
  await ada.page.getByText("Waiting to be sent").waitFor();
  await shoot(ada, `${form}-${colorScheme}-reconnecting`);
  for (const person of [ada, grace, noor]) await person.leave();
}

const [stage, browser] = await Promise.all([Stage.raise(), launch()]);
try {
  for (const form of Object.keys(FORMS)) {
    for (const colorScheme of ["light", "dark"]) await takeAll(browser, stage, form, colorScheme);
  }
} finally {
  await browser.close();
  await stage.fall();
}
