// What the cloud says of the region, once a second, and what that means: rates, and who belongs to whom.

const TURN = 1000;

export class Region {
  #token;
  #before = null;

  constructor(token) {
    this.#token = token;
  }

  async ask(path, options = {}) {
    const reply = await fetch(`/_mock/${path}`, { ...options, headers: { "x-mock-token": this.#token } });
    const body = await reply.json();
    if (!reply.ok) throw Object.assign(new Error(body.error), { status: reply.status });
    return body;
  }

  /** Calls `show` with each view, `lose` with each reason why there is none. */
  async follow(show, lose) {
    for (;;) {
      try {
        show(this.#view(await this.ask("region")));
      } catch (error) {
        if (lose(error) === false) return;
      }
      await new Promise((resolve) => { setTimeout(resolve, document.hidden ? 5 * TURN : TURN); });
    }
  }

  #view(region) {
    const at = performance.now();
    const servers = region.balancers.flatMap((balancer) => balancer.servers.map((server) => ({ ...server, balancer: balancer.id })));
    const seconds = this.#before ? (at - this.#before.at) / 1000 : 0;
    const counted = new Map();
    for (const server of servers) {
      const id = `${server.balancer} ${server.key}`;
      counted.set(id, server.traffic);
      server.rates = rates(this.#before?.counted.get(id), server.traffic, seconds);
    }
    this.#before = { at, counted };
    return { ...region, servers };
  }
}

const sum = (traffic) => ({
  requests: traffic.requests,
  messages: traffic.messages_in + traffic.messages_out,
  bytes: traffic.bytes_in + traffic.bytes_out,
});

function rates(before, now, seconds) {
  const is = sum(now);
  const was = before && seconds > 0 ? sum(before) : is;
  const rate = (name) => Math.max(0, is[name] - was[name]) / (seconds || 1);
  return { requests: rate("requests"), messages: rate("messages"), bytes: rate("bytes") };
}
