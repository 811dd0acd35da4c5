// Two people in a real browser, in the chatroom at a given address.
//
//   node chatroom.mjs http://127.64.200.1:5000/ /usr/bin/chromium [FLAG ...]
//
// Flags are for the browser, such as where a name leads and which key of a certificate it takes.
// They set names, see each other's messages, and one sees the other leave. Prints one line a fact and exits with 0,
// or prints what is wrong and exits with 1. Nothing but the given origin may be asked, and the console stays silent.

import { launch, Person } from "./harness/people.mjs";

async function enter(browser, address, name) {
  const person = await Person.enter(browser, address);
  await person.notices("Welcome to the chatroom!");
  await person.takeName(name);
  await person.notices(`Your username is set to ${name}`);
  console.log(`${name} is in the chatroom: ${await person.status()}`);
  return person;
}

async function run(browser, address) {
  const ada = await enter(browser, address, "Ada");
  const grace = await enter(browser, address, "Grace");
  await ada.say("Hello from the first page");
  for (const person of [ada, grace]) await person.sees("Ada: Hello from the first page");
  console.log("Grace sees what Ada wrote");
  await grace.say("Hello from the second page");
  for (const person of [grace, ada]) await person.sees("Grace: Hello from the second page");
  console.log("Ada sees what Grace wrote");
  const wrongs = await grace.wrongs();
  await grace.leave();
  await ada.notices("Grace left the chatroom.");
  console.log("Ada sees that Grace left");
  wrongs.push(...await ada.wrongs());
  if (wrongs.length > 0) throw new Error(wrongs.join("\n"));
  console.log("no console message, no failed request, no other origin");
}

const browser = await launch(process.argv[3], process.argv.slice(4));
try {
  await run(browser, process.argv[2]);
} catch (error) {
  console.error(`error: ${error.message}`);
  process.exitCode = 1;
} finally {
  await browser.close();
}
