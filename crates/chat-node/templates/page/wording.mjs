// What the node's sentences mean. They are the tutorial's, and all that comes over the wire: a line of a person is
// `NAME: TEXT`.

/** Greets us when we join as somebody new. */
export const WELCOME = "Welcome to the chatroom!";
const NAMED = "Your username is set to ";
const NAME_REFUSED = "Failed to set the username.";
const LEFT = " left the chatroom.";

/**
 * Reads a sentence: `{ kind, text, ... }`. `source` says who speaks: the `node` to us alone, or the `chatroom` to
 * everybody; where that cannot be told, it is `unknown`. `isNameAsked`: whether the node has to answer for a name.
 */
export function read(sentence, source, isNameAsked) {
  const ofNode = source === "chatroom" ? null : readNode(sentence, source, isNameAsked);
  if (ofNode) return ofNode;
  const colon = sentence.indexOf(": ");
  if (colon > 0) return { kind: "said", name: sentence.slice(0, colon), text: sentence.slice(colon + 2) };
  return { kind: "notice", text: sentence };
}

function readNode(text, source, isNameAsked) {
  if (text === WELCOME) return { kind: "welcome", text };
  // Anybody may have a name that begins so; an answer has a question.
  if (source === "node" || isNameAsked) {
    if (text.startsWith(NAMED)) return { kind: "named", text, name: text.slice(NAMED.length) };
    if (text.startsWith(NAME_REFUSED)) return { kind: "name-refused", text };
  }
  // A name of two words may begin so too; its line has a colon soon.
  const isTrouble = source === "node" || /^(Failed to send|The (message may|chatroom cannot))/.test(text);
  return isTrouble ? { kind: "trouble", text } : null;
}

/** When an entry of the stream was written: its offset begins with the milliseconds. `now` for what is not one. */
export function timeOf(offset, now) {
  const milliseconds = Number(/^(\d+)-\d+$/.exec(offset ?? "")?.[1]);
  // A clock that is an hour off is wrong, and would only confuse.
  return Math.abs(milliseconds - now) < 3_600_000 ? milliseconds : now;
}

/** One of `count` colours for a name, the same everywhere. */
export function tintOf(name, count) {
  let hash = 0;
  for (const character of name) hash = (Math.imul(hash, 31) + character.codePointAt(0)) >>> 0;
  return hash % count;
}

/** The characters of a text as people see them. */
function* segments(text) {
  for (const { segment } of new Intl.Segmenter().segment(text)) yield segment;
}

/** What stands for a name in a small circle: its first letter as people see it. */
export function initialOf(name) {
  const [first = ""] = Intl.Segmenter ? segments(name) : name;
  return first.toLocaleUpperCase();
}
