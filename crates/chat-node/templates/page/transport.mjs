// The two ways of Engine.IO to carry packets. Both have `send(packet)` and `close()`, and call, until they are closed,
// `packet(text)` for each packet and once `closed({ orderly })` when they end by themselves.

import { splitPayload, takePayload } from "./wire.mjs";

// Close codes of a server that goes away by plan: reconnecting soon is what it expects.
const ORDERLY_CODES = [1000, 1001, 1012];
// What one body may hold before the server has told its limit.
const USUAL_PAYLOAD = 100_000;

/** One WebSocket. */
export class WebSocketTransport {
  #socket;

  constructor(address, { packet, closed }, { WebSocket }) {
    const url = new URL(address);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    url.searchParams.set("transport", "websocket");
    this.#socket = new WebSocket(url.href);
    this.#socket.onmessage = ({ data }) => { if (typeof data === "string") packet(data); };
    this.#socket.onclose = ({ wasClean, code }) => closed({ orderly: wasClean && ORDERLY_CODES.includes(code) });
  }

  send(packet) {
    if (this.#socket.readyState === 1) this.#socket.send(packet);
  }

  close() {
    this.#socket.onmessage = null;
    this.#socket.onclose = null;
    this.#socket.close();
  }
}

/** Long-polling: one request waits for what comes, another one at a time brings what goes, batched. */
export class PollingTransport {
  #url;
  #events;
  #fetch;
  #abort = new AbortController();
  #waiting = [];
  #isSending = false;
  #isClosed = false;
  #limit = USUAL_PAYLOAD;

  constructor(address, events, { fetch }) {
    this.#url = new URL(address);
    this.#url.searchParams.set("transport", "polling");
    this.#events = events;
    this.#fetch = fetch;
    this.#poll();
  }

  send(packet) {
    this.#waiting.push(packet);
    this.#flush();
  }

  close() {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#abort.abort();
    if (!this.#url.searchParams.has("sid")) return;
    // The server learns of it by no closing connection; this request outlives the page.
    this.#fetch(this.#url.href, { method: "POST", body: "1", keepalive: true }).catch(() => {});
  }

  async #request(options) {
    const response = await this.#fetch(this.#url.href, { cache: "no-store", signal: this.#abort.signal, ...options });
    const body = await response.text();
    if (!response.ok) throw new Error(`status ${response.status}`);
    return body;
  }

  async #poll() {
    try {
      while (!this.#isClosed) {
        for (const packet of splitPayload(await this.#request({}))) this.#receive(packet);
      }
    } catch {
      this.#end();
    }
  }

  #receive(packet) {
    if (this.#isClosed) return;
    if (packet[0] === "0") {
      const { sid, maxPayload } = JSON.parse(packet.slice(1));
      this.#url.searchParams.set("sid", sid);
      this.#limit = maxPayload ?? USUAL_PAYLOAD;
    }
    this.#events.packet(packet);
  }

  async #flush() {
    if (this.#isSending) return;
    this.#isSending = true;
    try {
      while (this.#waiting.length > 0 && !this.#isClosed) {
        await this.#request({ method: "POST", body: takePayload(this.#waiting, this.#limit) });
      }
    } catch {
      this.#end();
    }
    this.#isSending = false;
  }

  #end() {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#abort.abort();
    this.#events.closed({ orderly: false });
  }
}
