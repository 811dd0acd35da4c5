// What goes over the wire: payloads of Engine.IO 4 and packets of Socket.IO 5, as far as a page without binary data
// needs them. Nothing here has a state.

// Between the packets of one long-polling body.
const SEPARATOR = "\x1e";
const ENCODER = new TextEncoder();

/** How many bytes a text takes on the wire. */
export function byteLength(text) {
  return ENCODER.encode(text).length;
}

/** Takes as many packets from the front as one body of `limit` bytes holds, at least one. Returns that body. */
export function takePayload(packets, limit) {
  let length = byteLength(packets[0]);
  let count = 1;
  while (count < packets.length && length + 1 + byteLength(packets[count]) <= limit) {
    length += 1 + byteLength(packets[count]);
    count += 1;
  }
  return packets.splice(0, count).join(SEPARATOR);
}

/** The packets of one body. */
export function splitPayload(body) {
  return body === "" ? [] : body.split(SEPARATOR);
}

/** The request to join, with what we say about ourselves. */
export function encodeConnect(auth) {
  return "40" + JSON.stringify(auth);
}

/** An event; with an id it asks for an acknowledgement. */
export function encodeEvent(event, id) {
  return "42" + (id ?? "") + JSON.stringify(event);
}

const TYPES = { 0: "connect", 1: "disconnect", 2: "event", 3: "acknowledgement", 4: "refusal" };

/**
 * Reads a Socket.IO packet: `{ type, id, data }`. `null` for one that is not meant for us: of another namespace, or with
 * binary attachments, which this page never asked for. Throws when it is no packet.
 */
export function decodePacket(text) {
  const [, digit, namespace, id, json] = /^(\d)(?:\d+-)?(\/[^,]*,?)?(\d+)?([^]*)$/.exec(text) ?? [];
  if (digit === undefined) throw new Error("not a packet");
  const type = TYPES[digit];
  if (type === undefined || (namespace !== undefined && namespace !== "/" && namespace !== "/,")) return null;
  const packet = { type, id: id === undefined ? undefined : Number(id), data: json ? JSON.parse(json) : undefined };
  const mustBeList = type === "event" || type === "acknowledgement";
  if (mustBeList && !Array.isArray(packet.data)) throw new Error("a packet without its list");
  return packet;
}
