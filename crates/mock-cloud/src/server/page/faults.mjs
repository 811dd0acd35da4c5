// What is wrong on purpose: the list, a button each to lift it, and the form that begins one.

import { choices, element, make, mark, write } from "./dom.mjs";
import { bytes, faultWord, plural, span } from "./words.mjs";

const FOREVER = "until it is lifted";
const SPANS = [["5s", "5 s"], ["15s", "15 s"], ["1m", "1 min"], ["10m", "10 min"], ["", FOREVER]];

/** Every fault: what it does, which number it takes, how long it lasts unless told. */
const KINDS = {
  node_kill: { hint: "The chat node is killed with SIGKILL whenever it runs.", last: "15s" },
  unhealthy: { hint: "Load balancers find the server ill, though it serves." },
  freeze: { hint: "Nothing on the host moves, sessions included.", last: "15s" },
  reboot: { hint: "The host is off for so long, and then boots.", last: "5s" },
  redis_stop: { hint: "Redis is stopped, and started again in the end." },
  disk_full: { hint: "Nothing more fits on the disk." },
  network_cut: { hint: "Two hosts do not reach each other.", takesOther: true },
  network_loss: { hint: "Packets from and to the host are lost; machine hosts only.", number: ["percent", "Percent", 10, 1, 100] },
  network_delay: { hint: "What comes to the host comes late; machine hosts only.", number: ["milliseconds", "Milliseconds", 100, 1, 10000] },
  ssh_cut: { hint: "Each SSH connection is cut after so many bytes.", number: ["after", "Bytes", 65536, 0, 1 << 30] },
  ssh_slow: { hint: "Each SSH connection has so many bytes a second.", number: ["rate", "Bytes a second", 4096, 16, 1 << 30] },
  dns_stale: { hint: "The name is answered as it is now, whatever becomes of it.", isOfName: true },
};

export class Faults {
  #region;
  #shown = "";
  #ends = new Map();

  constructor(region) {
    this.#region = region;
    choices(element("fault-kind"), Object.keys(KINDS).map((kind) => [kind, faultWord(kind)]));
    choices(element("fault-for"), SPANS);
    element("fault-kind").addEventListener("change", () => this.#choose());
    element("fault-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#begin();
    });
    this.#choose();
  }

  /** Somebody picked a host or a name in the picture. */
  pick({ host, name }) {
    if (name) element("fault-kind").value = "dns_stale";
    else if (KINDS[element("fault-kind").value].isOfName) element("fault-kind").value = "node_kill";
    this.#choose();
    element(name ? "fault-name" : "fault-host").value = name ?? host;
    element("fault-kind").focus();
  }

  #choose() {
    const kind = KINDS[element("fault-kind").value];
    element("fault-host-field").hidden = kind.isOfName === true;
    element("fault-name-field").hidden = kind.isOfName !== true;
    element("fault-to-field").hidden = kind.takesOther !== true;
    element("fault-number-field").hidden = kind.number === undefined;
    write("fault-hint", kind.hint);
    element("fault-for").value = kind.last ?? "";
    if (!kind.number) return;
    const [, label, value, least, most] = kind.number;
    write("fault-number-label", label);
    Object.assign(element("fault-number"), { min: least, max: most, value });
  }

  async #begin() {
    const word = element("fault-kind").value;
    const kind = KINDS[word];
    const settings = {};
    if (kind.takesOther) settings.to = element("fault-to").value;
    if (kind.number) settings[kind.number[0]] = element("fault-number").valueAsNumber;
    const fault = { fault: { [word]: settings } };
    fault[kind.isOfName ? "name" : "host"] = element(kind.isOfName ? "fault-name" : "fault-host").value;
    if (element("fault-for").value) fault.for = element("fault-for").value;
    else if (word === "reboot" || word === "node_kill") fault.for = "24h";
    await this.#tell(() => this.#region.ask("faults", { method: "POST", body: JSON.stringify([fault]) }), ({ ids }) => `${ids[0]} begins`);
  }

  async #tell(ask, done) {
    try {
      const answer = await ask();
      mark(element("fault-said"), "tone", "good");
      write("fault-said", done(answer));
    } catch (error) {
      mark(element("fault-said"), "tone", "bad");
      write("fault-said", error.message);
    }
  }

  show(view) {
    const hosts = view.hosts.map(({ id, name }) => [name || id, name || id]);
    choices(element("fault-host"), hosts);
    choices(element("fault-to"), hosts);
    choices(element("fault-name"), view.names.map(({ name }) => [name, name]));
    write("faults-count", view.faults.length || "");
    const now = JSON.stringify(view.faults.map(({ id, state }) => [id, state]));
    if (now !== this.#shown) {
      this.#shown = now;
      this.#list(view.faults);
    }
    for (const fault of view.faults) write(this.#ends.get(fault.id), ending(fault));
  }

  #list(faults) {
    const focused = document.activeElement?.dataset.lift;
    this.#ends.clear();
    const lines = faults.map((fault) => {
      const end = make("small");
      this.#ends.set(fault.id, end);
      const what = make("div", { class: "what" }, make("strong", {}, title(fault)), end);
      const lift = make("button", { type: "button", "data-lift": fault.id, "aria-label": `Lift ${fault.id}: ${title(fault)}` }, "Lift");
      lift.addEventListener("click", () => this.#tell(() => this.#region.ask(`faults/${fault.id}`, { method: "DELETE" }), () => `${fault.id} is lifted`));
      return make("li", { "data-state": fault.state ?? "in force", "data-fault": fault.id }, what, lift);
    });
    element("faults").replaceChildren(...(lines.length > 0 ? lines : [make("li", { class: "none" }, "Nothing is wrong on purpose.")]));
    if (focused) element("faults").querySelector(`[data-lift="${focused}"]`)?.focus();
  }
}

function title({ fault, host, name, action, settings = {} }) {
  const number = settings.to ?? (settings.percent ? `${settings.percent} %` : undefined) ?? (settings.milliseconds ? `${settings.milliseconds} ms` : undefined)
    ?? (settings.rate ? `${bytes(settings.rate)}/s` : undefined) ?? (settings.after !== undefined ? `after ${bytes(settings.after)}` : undefined);
  return [faultWord(fault), host ?? name ?? action, number].filter(Boolean).join(" ");
}

function ending({ id, action, times, state, begins_in: begins, ends_in: ends, drawn }) {
  if (action) return `${id}, for ${plural(times, "call")}`;
  const when = state === "to come" ? `begins in ${span(begins)}` : state === "in force" ? (ends === null || ends === undefined ? FOREVER : `${span(ends)} left`) : state;
  return [id, when, drawn ? "drawn from the seed" : ""].filter(Boolean).join(", ");
}
