// What was written here and is not yet seen in the chatroom.
//
// An entry is `waiting` until the node has answered, `said` once it is in the chatroom but its line has not come yet,
// and `refused` with a reason. It keeps its id over every attempt: the node says the same id only once.

// Unanswered messages on their way at once; the next one goes when one of them is answered.
const WINDOW = 4;
// A message whose sending ended the connection so often is not tried again by itself.
const MOST_ATTEMPTS = 5;

/**
 * `send(text, id, answered)` sends one. `changed(entry)` is called when its state did, `gone(entry)` when there is
 * nothing more to show of it. `isShown(offset)` tells whether the line with this offset is in the log already.
 */
export class Outbox {
  #entries = [];
  #send;
  #changed;
  #gone;
  #isShown;
  #makeId;
  #isOpen = false;

  constructor({ send, changed, gone, isShown, makeId }) {
    this.#send = send;
    this.#changed = changed;
    this.#gone = gone;
    this.#isShown = isShown;
    this.#makeId = makeId;
  }

  /** How many would be lost if the page closed now. */
  get waiting() {
    return this.#entries.filter((entry) => entry.state === "waiting" && !entry.isShown).length;
  }

  add(text) {
    const entry = { id: this.#makeId(), text, state: "waiting", attempts: 0, isOnItsWay: false, isShown: false };
    this.#entries.push(entry);
    this.#changed(entry);
    this.#pump();
    return entry;
  }

  /** The way is open: everything without an answer is sent again, in order. */
  opened() {
    this.#isOpen = true;
    this.#pump();
  }

  /** The way is lost, and with it every answer that was under way. */
  lost() {
    this.#isOpen = false;
    for (const entry of this.#entries.filter((entry) => entry.isOnItsWay)) {
      entry.isOnItsWay = false;
      if (!entry.isShown) this.#changed(entry);
    }
  }

  /** Lines are missing: takes out what is in the chatroom for certain, but whose lines will not come any more. */
  takeSaid() {
    const said = this.#entries.filter((entry) => entry.state === "said");
    for (const entry of said) this.#remove(entry);
    return said;
  }

  /**
   * The node does not know us any more, and so not what we said: sending again what it may have heard could say it
   * twice. That is for who wrote it to decide; what was never sent is not in doubt.
   */
  doubt() {
    for (const entry of this.#entries.filter((entry) => entry.state === "waiting" && entry.attempts > 0)) {
      if (entry.isShown) this.#remove(entry);
      else this.#refuse(entry, "It may have been sent: the connection was lost before the chatroom answered.", true);
    }
  }

  /** A refused message is tried once more. */
  retry(entry) {
    this.#entries = [...this.#entries.filter((other) => other !== entry), entry];
    Object.assign(entry, { state: "waiting", reason: undefined, isInDoubt: false, attempts: 0 });
    this.#changed(entry);
    this.#pump();
  }

  /** A refused message is not wanted any more. */
  discard(entry) {
    this.#remove(entry);
  }

  /**
   * A line has come: is it one of ours? By its offset if its answer came before it, else by its text, if it has our
   * name; the answer is then still awaited, without being shown.
   */
  claim(text, offset, hasOurName) {
    const answered = this.#entries.find((entry) => entry.state === "said" && entry.offset === offset);
    if (answered) {
      this.#remove(answered);
      return true;
    }
    if (!hasOurName) return false;
    const wasSent = (entry) => entry.state === "waiting" && entry.attempts > 0 && !entry.isShown;
    const unanswered = this.#entries.find((entry) => wasSent(entry) && entry.text === text);
    if (!unanswered) return false;
    unanswered.isShown = true;
    this.#gone(unanswered);
    return true;
  }

  #pump() {
    if (!this.#isOpen) return;
    let underWay = this.#entries.filter((entry) => entry.isOnItsWay).length;
    for (const entry of this.#entries.filter((entry) => entry.state === "waiting" && !entry.isOnItsWay)) {
      if (underWay >= WINDOW) return;
      underWay += 1;
      this.#attempt(entry);
    }
  }

  #attempt(entry) {
    if (entry.attempts >= MOST_ATTEMPTS) {
      if (entry.isShown) this.#remove(entry);
      else this.#refuse(entry, "The chatroom did not answer.");
      return;
    }
    entry.attempts += 1;
    entry.isOnItsWay = true;
    if (!entry.isShown) this.#changed(entry);
    this.#send(entry.text, entry.id, (answer) => this.#answered(entry, answer));
  }

  #answered(entry, answer) {
    entry.isOnItsWay = false;
    if (typeof answer?.offset === "string") this.#said(entry, answer.offset);
    else this.#refuse(entry, typeof answer?.error === "string" ? answer.error : "The chatroom refused it.");
    this.#pump();
  }

  #said(entry, offset) {
    entry.offset = offset;
    if (entry.isShown || this.#isShown(offset)) {
      this.#remove(entry);
      return;
    }
    entry.state = "said";
    this.#changed(entry);
  }

  #refuse(entry, reason, isInDoubt = false) {
    Object.assign(entry, { state: "refused", reason, isShown: false, isInDoubt });
    this.#changed(entry);
  }

  #remove(entry) {
    this.#entries = this.#entries.filter((other) => other !== entry);
    this.#gone(entry);
  }
}
