// The region as a picture: clients, names, load balancers, hosts and Redis, and what goes between them.
//
// `scene` says what is to be seen, `place` where; `Picture` draws that anew when boxes or their places change, else it
// changes texts and colours only, so that focus and motion stay.

import { draw, element, mark, write } from "./dom.mjs";
import { bytes, conditionWords, health, hostState, number } from "./words.mjs";

const WIDE = 860;
const HEIGHTS = { clients: 66, name: 66, balancer: 84, server: 102, redis: 84 };
const COLUMNS = ["clients", "name", "balancer", "server", "redis"];
const WIDTHS = { clients: 116, name: 186, balancer: 176, server: 176, redis: 166 };

const isRedis = ({ unit, state }) => unit.includes("redis") && state === "active";

/** Boxes by column, and ways between them. */
export function scene(view) {
  const boxes = [];
  const ways = [];
  const add = (box) => { boxes.push(box); return box; };
  const open = view.servers.reduce((total, { traffic }) => total + traffic.websockets, 0);
  if (view.balancers.length > 0) {
    add({ id: "clients", column: "clients", tone: open > 0 ? "good" : "quiet", title: "Clients", word: open > 0 ? `${number(open)} open` : "nobody yet", lines: [] });
  }
  for (const balancer of view.balancers) addBalancer(view, balancer, add, ways);
  const redisHosts = view.hosts.filter((host) => host.processes.some(({ unit }) => unit.includes("redis")));
  for (const host of view.hosts) addHost(view, host, redisHosts, add, ways);
  for (const redis of view.redis) {
    add({ id: redis.id, column: "redis", tone: redis.status === "Normal" ? "good" : "warn", title: redis.name || redis.id, word: redis.status.toLowerCase(), lines: ["managed Redis"] });
  }
  const redisIds = [...redisHosts.map(({ id }) => id), ...view.redis.map(({ id }) => id)];
  for (const { host } of view.servers.filter(({ host }) => host)) {
    for (const redis of redisIds.filter((redis) => redis !== host)) {
      const isCut = view.cuts.some((pair) => pair.includes(host) && pair.includes(redis));
      const id = `${host}>${redis}`;
      if (!ways.some((way) => way.id === id)) ways.push({ id, from: host, to: redis, tone: isCut ? "bad" : "plain", label: isCut ? "cut" : "" });
    }
  }
  return { boxes, ways };
}

function addBalancer(view, balancer, add, ways) {
  const listeners = balancer.listeners.map(({ protocol, port }) => `${protocol} ${port}`).join(", ");
  const isWell = balancer.status === "Active";
  add({ id: balancer.id, column: "balancer", tone: isWell ? "good" : "warn", title: balancer.name || balancer.id, word: balancer.status.toLowerCase(), lines: [listeners || "no listener"] });
  const names = view.names.filter(({ value }) => value.replace(/\.$/, "") === balancer.dns_name);
  for (const name of names) {
    add({ id: name.name, column: "name", tone: name.is_stale ? "bad" : "good", title: name.name, word: name.is_stale ? "stale" : name.kind, lines: [], name: name.name });
    ways.push({ id: `clients>${name.name}`, from: "clients", to: name.name, tone: "plain", label: "" });
    ways.push({ id: `${name.name}>${balancer.id}`, from: name.name, to: balancer.id, tone: "plain", label: "" });
  }
  if (names.length === 0) ways.push({ id: `clients>${balancer.id}`, from: "clients", to: balancer.id, tone: "plain", label: "" });
  for (const server of view.servers.filter((own) => own.balancer === balancer.id && own.host)) {
    const [, tone] = health(server.health);
    const moves = server.rates.messages + server.rates.requests > 0;
    const label = server.rates.messages > 0 ? `${number(server.rates.messages)} msg/s` : moves ? `${number(server.rates.requests)} req/s` : "";
    ways.push({ id: `${balancer.id}>${server.key}`, from: balancer.id, to: server.host, tone: tone === "bad" ? "bad" : tone === "quiet" ? "quiet" : moves ? "good" : "plain", label, moves: moves && tone !== "bad" });
  }
}

function addHost(view, host, redisHosts, add, ways) {
  const servers = view.servers.filter((server) => server.host === host.id);
  const [state, stateTone] = hostState(host);
  const faults = conditionWords(host.conditions);
  const box = { id: host.id, title: host.name || host.id, host: host.name || host.id, fault: faults.join(", ") };
  if (servers.length > 0) {
    const judged = servers.map((server) => health(server.health));
    const [word, tone] = stateTone === "good" ? judged.find(([, own]) => own === "bad") ?? judged[0] : [state, stateTone];
    const traffic = servers.reduce((total, { traffic, rates }) => ({ open: total.open + traffic.websockets, bytes: total.bytes + rates.bytes }), { open: 0, bytes: 0 });
    const weights = servers.map(({ weight }) => weight).join(", ");
    add({ ...box, column: "server", tone, word, lines: [`${number(traffic.open)} open · ${bytes(traffic.bytes)}/s`, `weight ${weights}`] });
    return;
  }
  const redis = redisHosts.includes(host) ? host.processes.find(({ unit }) => unit.includes("redis")) : undefined;
  const isDown = redis && !isRedis(redis);
  const [word, tone] = stateTone === "good" && redis ? isDown ? ["Redis is down", "bad"] : ["Redis runs", "good"] : [state, stateTone];
  add({ ...box, column: "redis", tone, word, lines: [host.private_address] });
}

/** Where each box is: columns on a wide page, rows on a narrow one. */
export function place(boxes, width) {
  const groups = COLUMNS.map((column) => boxes.filter((box) => box.column === column)).filter((group) => group.length > 0);
  return width >= WIDE ? inColumns(groups, width) : inRows(groups, width);
}

function inColumns(groups, width) {
  const places = new Map();
  const total = groups.reduce((sum, [{ column }]) => sum + WIDTHS[column], 0);
  const gap = groups.length > 1 ? Math.min(150, (width - total) / (groups.length - 1)) : 0;
  const height = Math.max(...groups.map((group) => group.length * (HEIGHTS[group[0].column] + 22) - 22));
  let x = (width - total - gap * (groups.length - 1)) / 2;
  for (const group of groups) {
    const { column } = group[0];
    let y = (height - (group.length * (HEIGHTS[column] + 22) - 22)) / 2;
    for (const box of group) {
      places.set(box.id, { x, y, width: WIDTHS[column], height: HEIGHTS[column] });
      y += HEIGHTS[column] + 22;
    }
    x += WIDTHS[column] + gap;
  }
  return { places, width, height, isWide: true };
}

function inRows(groups, width) {
  const places = new Map();
  let y = 0;
  for (const group of groups) {
    const { column } = group[0];
    const perRow = Math.max(1, Math.min(group.length, Math.floor((width + 14) / 152)));
    const own = Math.min(230, (width - (perRow - 1) * 14) / perRow);
    for (let first = 0; first < group.length; first += perRow) {
      const row = group.slice(first, first + perRow);
      let x = (width - row.length * own - (row.length - 1) * 14) / 2;
      for (const box of row) {
        places.set(box.id, { x, y, width: own, height: HEIGHTS[column] });
        x += own + 14;
      }
      y += HEIGHTS[column] + 14;
    }
    y += 30;
  }
  return { places, width, height: Math.max(0, y - 44), isWide: false };
}

/** The curve of a way and where its label is. */
export function curve(from, to, isWide) {
  if (isWide) {
    const [x1, y1, x2, y2] = [from.x + from.width, from.y + from.height / 2, to.x, to.y + to.height / 2];
    const middle = (x1 + x2) / 2;
    return { d: `M${x1} ${y1}C${middle} ${y1} ${middle} ${y2} ${x2} ${y2}`, x: middle + (x2 - x1) * 0.12, y: y1 + (y2 - y1) * 0.62 - 6 };
  }
  const [x1, y1, x2, y2] = [from.x + from.width / 2, from.y + from.height, to.x + to.width / 2, to.y];
  const middle = (y1 + y2) / 2;
  return { d: `M${x1} ${y1}C${x1} ${middle} ${x2} ${middle} ${x2} ${y2}`, x: x2, y: y2 - 7 };
}

export class Picture {
  #drawn = "";
  #boxes = new Map();
  #ways = new Map();
  #choose;

  /** `choose` is called with the host or name that somebody picked. */
  constructor(choose) {
    this.#choose = choose;
    new ResizeObserver(() => { if (this.view) this.show(this.view); }).observe(element("picture"));
  }

  show(view) {
    this.view = view;
    const { boxes, ways } = scene(view);
    const width = Math.round(element("picture").clientWidth);
    const signature = JSON.stringify([width, boxes.map(({ id, column }) => [id, column]), ways.map(({ id }) => id)]);
    if (signature !== this.#drawn) {
      this.#drawn = signature;
      this.#redraw(boxes, ways, width);
    }
    for (const box of boxes) this.#fill(box);
    for (const way of ways) this.#tint(way);
  }

  #redraw(boxes, ways, width) {
    const focused = document.activeElement?.closest?.("[data-box]")?.dataset.box;
    this.#boxes.clear();
    this.#ways.clear();
    if (boxes.length === 0) {
      const nothing = document.createElement("p");
      nothing.className = "nothing";
      nothing.textContent = "There is nothing yet: albatross apply makes it, and it appears here while it is made.";
      element("picture").replaceChildren(nothing);
      return;
    }
    const layout = place(boxes, width);
    const svg = draw("svg", { viewBox: `0 0 ${layout.width} ${layout.height + 2}`, role: "group", "aria-labelledby": "picture-title" });
    for (const way of ways) {
      const [from, to] = [layout.places.get(way.from), layout.places.get(way.to)];
      if (!from || !to) continue;
      const { d, x, y } = curve(from, to, layout.isWide);
      const path = draw("path", { d, class: "way" });
      const label = draw("text", { x, y, class: "way-label", "text-anchor": "middle" });
      this.#ways.set(way.id, { path, label });
      svg.append(path);
    }
    for (const box of boxes) svg.append(this.#box(box, layout.places.get(box.id)));
    svg.append(...[...this.#ways.values()].map(({ label }) => label));
    element("picture").replaceChildren(svg);
    if (focused) this.#boxes.get(focused)?.group.focus();
  }

  #box(box, { x, y, width, height }) {
    const target = box.host ?? box.name;
    const group = draw("g", { class: target ? "box is-link" : "box", transform: `translate(${x} ${y})`, "data-box": box.id });
    const text = (row, kind) => draw("text", { x: 16, y: 24 + row * 18, class: kind });
    const texts = { title: text(0, "title"), word: text(1, "word"), lines: [text(2, "quiet"), text(3, "quiet")] };
    group.append(
      draw("rect", { width, height, rx: 12 }), draw("rect", { class: "bar", x: 0, y: 12, width: 4, height: height - 24, rx: 2 }),
      texts.title, texts.word, ...texts.lines,
    );
    if (target) {
      group.setAttribute("role", "button");
      group.setAttribute("tabindex", "0");
      group.addEventListener("click", () => this.#choose(box));
      group.addEventListener("keydown", (event) => {
        if (event.key !== "Enter" && event.key !== " ") return;
        event.preventDefault();
        this.#choose(box);
      });
    }
    // Letters that fit: those of the title are bold and larger.
    this.#boxes.set(box.id, { group, texts, room: { title: Math.floor((width - 24) / 8.9), line: Math.floor((width - 24) / 6.9) } });
    return group;
  }

  #fill(box) {
    const { group, texts, room } = this.#boxes.get(box.id);
    mark(group, "tone", box.tone);
    const clip = (text, most) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);
    const lines = box.fault ? [box.fault, ...box.lines] : box.lines;
    const said = [box.title, box.word, ...lines].slice(0, 2 + texts.lines.length)
      .map((text, index) => clip(text, index === 0 ? room.title : room.line));
    [texts.title, texts.word, ...texts.lines].forEach((text, index) => {
      // Each ends in a space, so that they are read as words of their own.
      write(text, said[index] ? `${said[index]} ` : "");
    });
    texts.lines.forEach((line, index) => {
      line.setAttribute("class", box.fault && index === 0 ? "fault" : "quiet");
    });
    if (box.host || box.name) group.setAttribute("aria-label", said.filter(Boolean).join(" "));
  }

  #tint(way) {
    const drawn = this.#ways.get(way.id);
    if (!drawn) return;
    mark(drawn.path, "tone", way.tone);
    mark(drawn.label, "tone", way.tone);
    drawn.path.classList.toggle("moves", way.moves === true);
    write(drawn.label, way.label);
  }
}
