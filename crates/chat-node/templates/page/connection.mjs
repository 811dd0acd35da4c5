// One lasting connection to the chatroom, out of many that come and go: opens transports, joins, answers heartbeats,
// notices silence, reconnects, and asks for what was missed.

import { Backoff } from "./backoff.mjs";
import { decodePacket, encodeConnect, encodeEvent } from "./wire.mjs";

// Until the server has let us in; what swallows a request must not hold us for ever.
const OPENING = 8_000;
// For an answer of a server that we have reason to doubt.
const PROBE = 4_000;
// A timer that is late by more means that the machine slept, or the tab was frozen.
const LATE = 2_000;
// For how long WebSockets are not tried again where only long-polling works.
const POLLING_PREFERRED = 60_000;
const USUAL_PATIENCE = 20_000;

/**
 * `world` has `now`, `setTimeout`, `clearTimeout`, `random`. `open(kind, events)` opens a transport. `listener` has
 * `changed(state)`, `joined({ recovered, isFirst })` and `event(name, values)`.
 */
export class Connection {
  #world;
  #open;
  #listener;
  #backoff;
  #transport = null;
  #joinedAt = null;
  #isFirst = true;
  #pid;
  #offset;
  #questions = new Map();
  #lastQuestion = 0;
  #pollingUntil = -Infinity;
  #patience = USUAL_PATIENCE;
  #timers = {};
  state = { phase: "stopped" };
  // The most bytes one packet may have; the server tells.
  maxPayload = Infinity;

  constructor(world, open, listener) {
    this.#world = world;
    this.#open = open;
    this.#listener = listener;
    this.#backoff = new Backoff(world.random);
  }

  get isJoined() {
    return this.#joinedAt !== null;
  }

  /** Connects now, whatever was waited for. */
  connect() {
    if (this.#transport) return;
    this.#stop("retry");
    this.#change({ phase: "connecting" });
    const onlyPolling = this.#world.now() < this.#pollingUntil;
    this.#attempt(onlyPolling ? ["polling"] : ["websocket", "polling"]);
  }

  /** Leaves without coming back. */
  close() {
    this.#drop();
    this.#stop("retry");
    this.#change({ phase: "stopped" });
  }

  /** Something happened after which the connection may be dead, or possible again. */
  wake() {
    if (this.state.phase === "waiting") this.connect();
    else this.doubt();
  }

  /** The connection may be dead: asks, and gives it up without an answer. */
  doubt() {
    if (this.isJoined) this.#probe();
  }

  emit(...event) {
    this.#send(encodeEvent(event));
  }

  /** Emits an event; `answered` is called with the acknowledgement's values, or never when the connection is lost. */
  ask(event, answered) {
    this.#lastQuestion += 1;
    this.#questions.set(this.#lastQuestion, answered);
    this.#send(encodeEvent(event, this.#lastQuestion));
  }

  /** Remembers up to where we have seen everything. */
  saw(offset) {
    this.#offset = offset;
  }

  #attempt([kind, ...others]) {
    let wasOpened = false;
    let transport = null;
    // One that was given up may still speak; `null` is one that could not even be made.
    const isCurrent = () => transport === null || transport === this.#transport;
    const events = {
      packet: (text) => {
        if (!isCurrent()) return;
        wasOpened = true;
        if (kind === "polling") this.#pollingUntil = this.#world.now() + POLLING_PREFERRED;
        this.#heard();
        this.#packet(text);
      },
      closed: ({ orderly }) => {
        if (!isCurrent()) return;
        if (wasOpened || others.length === 0) this.#lost({ orderly });
        else {
          this.#drop();
          this.#attempt(others);
        }
      },
    };
    this.#start("opening", OPENING, () => events.closed({ orderly: false }));
    try {
      transport = this.#open(kind, events);
      this.#transport = transport;
    } catch {
      events.closed({ orderly: false });
    }
  }

  #packet(text) {
    try {
      const body = text.slice(1);
      switch (text[0]) {
        case "0": this.#opened(JSON.parse(body)); break;
        case "1": this.#lost({ orderly: true }); break;
        case "2": this.#transport.send("3" + body); break;
        case "4": this.#socketPacket(decodePacket(body)); break;
        default: break;
      }
    } catch (error) {
      // What cannot be read leaves a gap; coming back with our offset closes it.
      if (!(error instanceof SyntaxError) && error.message !== "not a packet") throw error;
      this.#lost({ orderly: false });
    }
  }

  #opened({ pingInterval, pingTimeout, maxPayload }) {
    this.#patience = pingInterval + pingTimeout;
    this.maxPayload = maxPayload ?? Infinity;
    this.#heard();
    this.#transport.send(encodeConnect({ recovery: true, pid: this.#pid, offset: this.#offset }));
  }

  #socketPacket(packet) {
    if (packet === null) return;
    switch (packet.type) {
      case "connect": this.#join(packet.data ?? {}); break;
      case "event": this.#listener.event(packet.data[0], packet.data.slice(1)); break;
      case "acknowledgement": this.#answer(packet); break;
      default: this.#lost({ orderly: false });
    }
  }

  #join({ pid, offset }) {
    const recovered = pid !== undefined && pid === this.#pid;
    const isFirst = this.#isFirst;
    if (!recovered) this.#offset = offset;
    this.#pid = pid;
    this.#isFirst = false;
    this.#joinedAt = this.#world.now();
    this.#stop("opening");
    this.#change({ phase: "connected" });
    this.#listener.joined({ recovered, isFirst });
  }

  #answer({ id, data }) {
    const answered = this.#questions.get(id);
    this.#questions.delete(id);
    answered?.(...data);
  }

  #send(packet) {
    if (this.isJoined) this.#transport.send(packet);
  }

  #heard() {
    this.#stop("probe");
    const due = this.#world.now() + this.#patience;
    this.#start("silence", this.#patience, () => {
      // Late: pings may lie unread behind this timer, so the server is asked before it is given up.
      if (this.#world.now() - due > LATE && this.isJoined) this.#probe();
      else this.#lost({ orderly: false });
    });
  }

  #probe() {
    this.ask(["node"], () => {});
    this.#start("probe", PROBE, () => this.#lost({ orderly: false }));
  }

  #lost({ orderly }) {
    const lasted = this.isJoined ? this.#world.now() - this.#joinedAt : 0;
    this.#drop();
    const delay = this.#backoff.next({ orderly, lasted });
    this.#start("retry", delay, () => this.connect());
    this.#change({ phase: "waiting", retryAt: this.#world.now() + delay });
  }

  #drop() {
    for (const timer of ["opening", "silence", "probe"]) this.#stop(timer);
    this.#questions.clear();
    this.#joinedAt = null;
    const transport = this.#transport;
    this.#transport = null;
    transport?.close();
  }

  #change(state) {
    this.state = state;
    this.#listener.changed(state);
  }

  #start(name, delay, action) {
    this.#stop(name);
    this.#timers[name] = this.#world.setTimeout(action, delay);
  }

  #stop(name) {
    this.#world.clearTimeout(this.#timers[name]);
    this.#timers[name] = undefined;
  }
}
