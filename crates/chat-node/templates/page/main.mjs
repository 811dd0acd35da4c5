// The page: its elements, the connection, the conversation, and what is kept over a reload.

import { Arrivals } from "./arrivals.mjs";
import { Connection } from "./connection.mjs";
import { Log } from "./log.mjs";
import { Outbox } from "./outbox.mjs";
import { PollingTransport, WebSocketTransport } from "./transport.mjs";
import { byteLength, encodeEvent } from "./wire.mjs";
import { read, timeOf } from "./wording.mjs";

const TITLE = document.title;
// A connection that comes back sooner was hardly gone; telling of it would only flicker.
const FLICKER = 400;

const element = (id) => document.getElementById(id);
const form = { name: element("username-form"), message: element("message-form") };
const field = { name: element("username"), message: element("message") };

/** This tab's memory; a browser may forbid it, and then nothing outlives a reload. */
const kept = {
  get(key) { try { return sessionStorage.getItem(key) ?? ""; } catch { return ""; } },
  set(key, value) { try { sessionStorage.setItem(key, value); } catch { /* Typing must go on. */ } },
};

// --- the conversation ---

const arrivals = new Arrivals();
// `asked`: names that the node has not answered for yet.
const name = { wanted: kept.get("name"), confirmed: null, silent: 0, asked: 0 };
let missedTitles = 0;

const log = new Log(
  { scroller: element("scroller"), lines: element("log"), outbox: element("outbox"), jump: element("jump") },
  {
    retry: (entry) => { outbox.retry(entry); field.message.focus(); },
    edit: (entry) => {
      outbox.discard(entry);
      field.message.value = [entry.text, field.message.value].filter((text) => text !== "").join("\n");
      fit();
      field.message.focus();
    },
    discard: (entry) => { outbox.discard(entry); field.message.focus(); },
  },
);

const outbox = new Outbox({
  send: (text, id, answered) => connection.ask(["message", text, id], answered),
  changed: (entry) => log.pending(entry),
  gone: (entry) => log.gone(entry),
  isShown: (offset) => log.own(offset),
  makeId: () => crypto.getRandomValues(new Uint8Array(16)).reduce((id, byte) => id + byte.toString(16).padStart(2, "0"), ""),
});

function heard(sentence, offset) {
  connection.saw(offset);
  const source = arrivals.sourceOf(sentence, offset);
  if (source === null) return;
  const at = source === "chatroom" ? timeOf(offset, Date.now()) : Date.now();
  const line = read(sentence, source, name.asked > 0);
  switch (line.kind) {
    case "welcome": if (isFirstStay) log.notice(line.text, at); break;
    case "named": named(line, at); break;
    case "name-refused": nameRefused(line.text); break;
    case "trouble": log.notice(line.text, at, "trouble"); break;
    case "said": said(line, at, offset); break;
    default: log.notice(line.text, at);
  }
}

function said({ name: speaker, text }, at, offset) {
  const isMine = outbox.claim(text, offset, speaker === name.confirmed);
  log.said({ name: speaker, text, isMine, at, offset });
  document.body.classList.add("is-talking");
  if (document.hidden) {
    missedTitles += 1;
    document.title = `(${missedTitles}) ${TITLE}`;
  }
}

// --- the name ---

function showName(problem) {
  const isSet = name.confirmed !== null && field.name.value.trim() === name.confirmed;
  const hint = problem ?? (isSet ? `You are ${name.confirmed}.` : "Others see it beside what you write.");
  if (element("username-hint").textContent !== hint) element("username-hint").textContent = hint;
  form.name.classList.toggle("is-set", isSet && !problem);
  form.name.classList.toggle("is-wrong", Boolean(problem));
  field.name.ariaInvalid = String(Boolean(problem));
}

function named({ text, name: given }, at) {
  name.asked = Math.max(0, name.asked - 1);
  // The node may write a name otherwise than it was typed.
  if (field.name.value.trim() === name.wanted) field.name.value = given;
  Object.assign(name, { wanted: given, confirmed: given });
  kept.set("name", given);
  showName();
  if (name.silent > 0) name.silent -= 1;
  else log.notice(text, at);
}

function nameRefused(problem) {
  name.asked = Math.max(0, name.asked - 1);
  name.silent = 0;
  name.wanted = name.confirmed ?? "";
  showName(problem);
  field.name.focus();
}

function askForName() {
  name.asked += 1;
  connection.emit("set_username", name.wanted);
}

form.name.addEventListener("submit", (event) => {
  event.preventDefault();
  const wanted = field.name.value.trim();
  if (wanted === "") return showName("Write a name first.");
  name.wanted = wanted;
  if (connection.isJoined) askForName();
  field.message.focus();
});
field.name.addEventListener("input", () => showName());

// --- the connection ---

let isFirstStay = true;
let node = null;
let countdown = 0;
let lostAt = 0;

const world = {
  now: () => Date.now(),
  setTimeout: (action, delay) => setTimeout(action, delay),
  clearTimeout: (timer) => clearTimeout(timer),
  random: () => Math.random(),
};
const address = new URL("/socket.io/?EIO=4", location.href);
const platform = { WebSocket: globalThis.WebSocket, fetch: (url, options) => fetch(url, options) };
const transports = { websocket: WebSocketTransport, polling: PollingTransport };
const connection = new Connection(world, (kind, events) => new transports[kind](address, events, platform), {
  changed: () => showConnection(),
  joined,
  event: (event, [sentence, offset]) => {
    if (event !== "message" || typeof sentence !== "string") return;
    heard(sentence, typeof offset === "string" ? offset : undefined);
  },
});

function joined({ recovered, isFirst }) {
  isFirstStay = isFirst;
  if (!recovered) {
    const now = Date.now();
    for (const { text, offset } of outbox.takeSaid()) {
      log.said({ name: name.confirmed ?? name.wanted, text, isMine: true, at: timeOf(offset, now), offset });
    }
    arrivals.restart();
    outbox.doubt();
    if (!isFirst) log.notice("Some messages may be missing.", now, "gap");
  }
  // Also when the node knows us: it may have died before it had told the others of our name.
  name.silent = name.wanted === name.confirmed ? 1 : 0;
  name.asked = 0;
  if (name.wanted !== "") askForName();
  connection.ask(["node"], (answer) => {
    node = String(answer);
    showConnection();
  });
  outbox.opened();
}

const STATUS = { connecting: "connecting", connected: "connected", waiting: "disconnected", stopped: "disconnected" };

function showConnection() {
  const { phase } = connection.state;
  if (phase !== "connected") {
    outbox.lost();
    node = null;
    lostAt ||= Date.now();
  } else {
    lostAt = 0;
  }
  const status = element("status");
  const wasHere = status.dataset.state === "connected" || status.dataset.state === "disconnected";
  const state = phase === "connecting" && wasHere ? "disconnected" : STATUS[phase];
  status.dataset.state = state;
  const lost = navigator.onLine ? "Reconnecting" : "You are offline";
  const texts = { connecting: "Connecting", connected: node === null ? "Connected" : `Connected to ${node}`, disconnected: lost };
  // The same text again would be read out again.
  if (status.textContent !== texts[state]) status.textContent = texts[state];
  showCountdown(state);
}

function showCountdown(state) {
  clearTimeout(countdown);
  const { phase, retryAt } = connection.state;
  const left = phase === "waiting" ? retryAt - Date.now() : 0;
  const isShown = state === "disconnected" && (Date.now() - lostAt > FLICKER || left > FLICKER);
  const outage = element("outage");
  // What is hidden must not take the keyboard along.
  if (!isShown && outage.contains(document.activeElement)) field.message.focus();
  outage.hidden = !isShown;
  element("retry-in").textContent = left > 0 ? `Trying again in ${Math.ceil(left / 1000)} s.` : "Trying now.";
  if (state === "disconnected") countdown = setTimeout(() => showCountdown(state), isShown ? 250 : FLICKER);
}

element("retry").addEventListener("click", () => {
  connection.wake();
  field.message.focus();
});
addEventListener("online", () => { showConnection(); connection.wake(); });
addEventListener("offline", () => { showConnection(); connection.doubt(); });
document.addEventListener("visibilitychange", () => {
  if (document.hidden) return;
  missedTitles = 0;
  document.title = TITLE;
  connection.wake();
});
addEventListener("pagehide", () => connection.close());
addEventListener("pageshow", ({ persisted }) => { if (persisted) connection.connect(); });
addEventListener("beforeunload", (event) => { if (outbox.waiting > 0) event.preventDefault(); });

// --- writing ---

function fit() {
  kept.set("draft", field.message.value);
  field.message.style.height = "auto";
  const border = field.message.offsetHeight - field.message.clientHeight;
  field.message.style.height = `${field.message.scrollHeight + border}px`;
}

function explain(problem = "") {
  element("message-hint").textContent = problem;
}

form.message.addEventListener("submit", (event) => {
  event.preventDefault();
  const written = field.message.value.trim();
  // Half a character, as some keyboards leave behind, cannot be sent.
  const text = written.toWellFormed?.() ?? written;
  if (text === "") return field.message.focus();
  if (name.wanted === "") {
    showName("Set your name first; what you wrote is kept.");
    return field.name.focus();
  }
  // One packet more than the node takes would end the connection. The id and its number are short.
  if (byteLength(encodeEvent(["message", text])) + 128 > connection.maxPayload) return explain("This is too long to be sent.");
  field.message.value = "";
  explain();
  fit();
  outbox.add(text);
  field.message.focus();
});
field.message.addEventListener("input", () => { explain(); fit(); });
field.message.addEventListener("keydown", (event) => {
  // An input method uses Enter to choose a word; 229 is how older browsers say so.
  const isComposing = event.isComposing || event.keyCode === 229;
  if (event.key !== "Enter" || event.shiftKey || isComposing) return;
  event.preventDefault();
  form.message.requestSubmit();
});

// Where a keyboard covers the page instead of making it smaller.
const view = globalThis.visualViewport;
view?.addEventListener("resize", () => {
  // Somebody who zooms in sees less of the page, which is as large as before.
  document.documentElement.style.setProperty("--height", `${view.height * view.scale}px`);
  if (view.scale === 1) scrollTo(0, 0);
});

field.name.value = name.wanted;
field.message.value = kept.get("draft");
showName();
fit();
connection.connect();
