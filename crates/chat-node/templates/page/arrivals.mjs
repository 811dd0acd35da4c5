// Who speaks, and what was heard before.
//
// Behind each sentence comes an offset: of a line of the chatroom its own, of what the node says to us alone that of the
// line we heard last. Nodes that keep no offsets send none.

import { WELCOME } from "./wording.mjs";

// A line that comes again is one of the last.
const MOST_SEEN = 4000;

/** Tells one arrival from another. */
export class Arrivals {
  #seen = new Map();
  #position;

  /** We are somebody new to the node: what it counts from is not known. */
  restart() {
    this.#position = undefined;
  }

  /** Whose a sentence is, `node`, `chatroom` or `unknown`; `null` for a line that was here before. */
  sourceOf(sentence, offset) {
    if (offset === undefined) return "unknown";
    if (this.#seen.get(offset) === sentence) return null;
    const isFirst = this.#position === undefined;
    if (offset === this.#position || (isFirst && sentence === WELCOME)) {
      this.#position = offset;
      return "node";
    }
    this.#position = offset;
    this.#seen.set(offset, sentence);
    if (this.#seen.size > MOST_SEEN) this.#seen.delete(this.#seen.keys().next().value);
    return "chatroom";
  }
}
