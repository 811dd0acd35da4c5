// The conversation on the screen: lines as they come, in groups of one name, and what is still on its way below them.

import { initialOf, tintOf } from "./wording.mjs";

const MOST_LINES = 1000;
// Lines of one name stay in one group for so long.
const GROUP = 300_000;
// So near to the end, in pixels, a reader is taken to be at the end.
const NEAR = 48;
const TINTS = 8;

/** Makes an element: `make("p", { className: "x" }, "text", child)`. */
function make(tag, properties, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

/** A text of whatever direction, that leaves its surroundings as they are. */
function isolated(text, className) {
  return make("bdi", { className }, text);
}

/** The log. `parts` are the elements it works on: `scroller`, `lines`, `outbox`, `jump`. */
export class Log {
  #parts;
  #last = null;
  #isAtEnd = true;
  #unread = 0;
  #byOffset = new Map();
  #pending = new Map();
  #actions;
  #clock = new Intl.DateTimeFormat(undefined, { hour: "numeric", minute: "2-digit" });
  #calendar = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long" });
  #full = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "medium" });

  /** `actions` has `retry(entry)`, `edit(entry)` and `discard(entry)`, for messages that were refused. */
  constructor(parts, actions) {
    this.#parts = parts;
    this.#actions = actions;
    parts.scroller.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    parts.jump.addEventListener("click", () => {
      this.toEnd();
      // The button hides itself, and must not take the keyboard along.
      parts.scroller.focus({ preventScroll: true });
    });
    // A keyboard that opens, or a line that grows, must not push the newest line out of sight.
    const observer = new ResizeObserver(() => { if (this.#isAtEnd) this.toEnd(); });
    for (const element of [parts.scroller, parts.lines, parts.outbox]) observer.observe(element);
  }

  /** A line of a person. */
  said({ name, text, isMine, at, offset }) {
    this.#separateDays(at);
    const last = this.#last;
    const continues = last?.name === name && last.isMine === isMine && at - last.at < GROUP;
    const time = make("time", { dateTime: new Date(at).toISOString(), title: this.#full.format(at) }, this.#clock.format(at));
    const avatar = make("span", { className: `avatar tint-${tintOf(name, TINTS)}` }, initialOf(name));
    avatar.ariaHidden = "true";
    const byline = isolated(name, `name tint-${tintOf(name, TINTS)}`);
    byline.ariaHidden = "true";
    const speaker = make("span", { className: "unseen" }, isolated(name), ": ");
    const words = make("span", { dir: "auto" }, text);
    const line = make("div", { className: "line" }, avatar,
      make("div", { className: "byline" }, byline, time), make("p", { className: "bubble" }, speaker, words));
    line.classList.toggle("mine", isMine);
    line.classList.toggle("continued", continues);
    this.#append(line, { name, isMine, at: continues ? last.at : at, day: this.#calendar.format(at) });
    if (offset !== undefined) this.#byOffset.set(offset, line);
    if (!isMine) this.#count();
  }

  /** A line about the chatroom. `className` tells of what kind. */
  notice(text, at, className = "") {
    this.#separateDays(at);
    this.#append(make("p", { className: `line notice ${className}`, dir: "auto" }, text), { at, day: this.#calendar.format(at) });
  }

  /** Whether the line with this offset is here; it is our own, as is known now. */
  own(offset) {
    const line = this.#byOffset.get(offset);
    line?.classList.add("mine");
    return line !== undefined;
  }

  /** Shows a message that is on its way, or was refused. */
  pending(entry) {
    const before = this.#pending.get(entry);
    const refused = entry.state === "refused";
    const children = [make("p", { className: "bubble", dir: "auto" }, entry.text)];
    if (refused) {
      const choice = (label, act) => make("button", { type: "button", onclick: () => act(entry) }, label);
      const { retry, edit, discard } = this.#actions;
      const choices = [choice("Send again", retry), choice("Edit", edit), choice("Discard", discard)];
      const reason = make("p", { className: "reason", role: "alert" }, make("strong", {}, entry.isInDoubt ? "Not answered. " : "Not sent. "), entry.reason);
      children.push(reason, make("p", { className: "choices" }, ...choices));
    } else {
      const isGoing = entry.isOnItsWay || entry.state === "said";
      children.push(make("p", { className: "progress" }, isGoing ? "Sending…" : "Waiting to be sent"));
    }
    const item = make("li", { className: `line mine ${entry.state}` }, ...children);
    if (before && !refused) before.replaceWith(item);
    else {
      before?.remove();
      this.#parts.outbox.append(item);
    }
    this.#pending.set(entry, item);
    // Who has just written, or must do something, looks there.
    if (!before || refused) this.toEnd();
  }

  /** Nothing more is to be shown of a message of ours here. */
  gone(entry) {
    this.#pending.get(entry)?.remove();
    this.#pending.delete(entry);
  }

  /** Scrolls to the newest line. */
  toEnd() {
    const { scroller } = this.#parts;
    scroller.scrollTop = scroller.scrollHeight;
    this.#isAtEnd = true;
    this.#unread = 0;
    this.#showUnread();
  }

  #separateDays(at) {
    const day = this.#calendar.format(at);
    if (this.#last === null || this.#last.day === day) return;
    this.#append(make("p", { className: "line notice day" }, day), { at, day });
  }

  #append(line, about) {
    const { lines } = this.#parts;
    lines.append(line);
    this.#last = about;
    while (lines.childElementCount > MOST_LINES) this.#forgetFirst();
    if (this.#isAtEnd) this.toEnd();
  }

  #forgetFirst() {
    const { lines } = this.#parts;
    const [first] = lines.children;
    first.remove();
    // Offsets are kept in the order of their lines.
    const [offset, line] = this.#byOffset.entries().next().value ?? [];
    if (line === first) this.#byOffset.delete(offset);
    // The next one opens its group now.
    lines.firstElementChild?.classList.remove("continued");
  }

  #count() {
    if (this.#isAtEnd) return;
    this.#unread += 1;
    this.#showUnread();
  }

  #showUnread() {
    const { jump } = this.#parts;
    jump.hidden = this.#unread === 0;
    if (!jump.hidden) jump.textContent = this.#unread === 1 ? "1 new message" : `${this.#unread} new messages`;
  }

  #scrolled() {
    const { scrollHeight, scrollTop, clientHeight } = this.#parts.scroller;
    this.#isAtEnd = scrollHeight - scrollTop - clientHeight < NEAR;
    if (this.#isAtEnd && this.#unread > 0) this.toEnd();
  }
}
