// A world for the page's connection without sockets and without waiting: a clock that is moved by hand, and transports
// whose other end is the test.

/** A clock, timers and draws that are always `chance`. */
export class World {
  #now = 1_000_000;
  #timers = new Map();
  #last = 0;
  chance = 0.5;

  now = () => this.#now;
  random = () => this.chance;
  setTimeout = (action, delay) => {
    this.#last += 1;
    this.#timers.set(this.#last, { action, due: this.#now + delay });
    return this.#last;
  };
  clearTimeout = (timer) => { this.#timers.delete(timer); };

  /** Lets time pass, timer by timer. */
  pass(milliseconds) {
    const end = this.#now + milliseconds;
    for (;;) {
      const due = [...this.#timers].filter(([, timer]) => timer.due <= end).sort(([, a], [, b]) => a.due - b.due)[0];
      if (!due) break;
      const [id, { action, due: at }] = due;
      this.#now = Math.max(this.#now, at);
      this.#timers.delete(id);
      action();
    }
    this.#now = end;
  }

  /** Lets time pass while nothing runs, as on a machine that sleeps; what is due comes afterwards. */
  sleep(milliseconds) {
    this.#now += milliseconds;
    this.pass(0);
  }
}

/** One transport that was opened. */
class Transport {
  sent = [];
  isClosed = false;

  constructor(kind, events) {
    Object.assign(this, { kind, events });
  }

  send(packet) { this.sent.push(packet); }
  close() { this.isClosed = true; }

  /** Packets from the server. */
  receive(...packets) { for (const packet of packets) this.events.packet(packet); }

  /** The server opens the session. */
  handshake() {
    const terms = { sid: "s", upgrades: [], pingInterval: 10_000, pingTimeout: 10_000, maxPayload: 65_536 };
    this.receive("0" + JSON.stringify(terms));
  }

  /** The server opens the session and lets us in. */
  admit(pid) {
    if (!this.auth) this.handshake();
    this.receive("40" + JSON.stringify({ sid: "sid", pid }));
  }

  /** What we said of ourselves. */
  get auth() {
    const packet = this.sent.find((sent) => sent.startsWith("40"));
    return packet && JSON.parse(packet.slice(2));
  }
}

/** Opens transports and keeps them, the newest last. */
export class Network {
  transports = [];
  refuses = [];

  open = (kind, events) => {
    if (this.refuses.includes(kind)) throw new Error("refused by a policy");
    const transport = new Transport(kind, events);
    this.transports.push(transport);
    return transport;
  };

  get last() { return this.transports.at(-1); }
}
