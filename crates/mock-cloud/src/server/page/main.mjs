// The page of a region: what the cloud says, once a second, as a picture, lists and tables.

import { element, mark, table, write } from "./dom.mjs";
import { Faults } from "./faults.mjs";
import { Picture } from "./picture.mjs";
import { Region } from "./region.mjs";
import { conditionWords, health, hostState, plural, span } from "./words.mjs";

const KEY = "mock-token";

/** The token behind `#token=` in the address, kept for this tab and taken out of the address. */
function token() {
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  if (given) {
    sessionStorage.setItem(KEY, given);
    history.replaceState(null, "", location.pathname);
  }
  return sessionStorage.getItem(KEY);
}

function state(word, kind) {
  mark(element("state"), "state", kind);
  write("state", word);
}

function tables(view) {
  const servers = new Map(view.servers.map((server) => [server.host, server]));
  write("hosts-count", view.hosts.length || "");
  table("hosts", ["Host", "State", "Health", "Fault", "Runs", "Address", "Public"], view.hosts.map((host) => {
    const [word, tone] = hostState(host);
    const server = servers.get(host.id);
    const [judged, judgedTone] = server ? health(server.health) : [null, null];
    const units = host.processes.map(({ unit, state: own }) => (own === "active" ? unit : `${unit} (${own})`)).map((text) => text.replace(".service", ""));
    return [host.name || host.id, { chip: word, tone }, judged && { chip: judged, tone: judgedTone }, conditionWords(host.conditions).join(", "), units.join(", "), { mono: host.private_address }, { mono: host.public_address ?? "" }];
  }), "No host yet.");
  write("calls-count", view.calls_total || "");
  table("calls", ["Time", "Action", "Status", "Code", "Fault"], view.calls.map((call) => [
    { mono: call.at.slice(11, 19) }, call.operation, { chip: `${call.status}`, tone: call.status < 400 ? "good" : "bad" }, call.code ?? "", call.fault ?? "",
  ]), "Nobody has called yet.");
  write("flight-count", view.in_flight.length || "");
  table("flight", ["What", "Of", "For"], view.in_flight.map(({ what, of, ends_in: ends }) => [what.replaceAll("_", " "), { mono: of ?? "" }, ends === null ? "" : span(Math.max(0, ends))]), "Nothing is under way.");
  write("names-count", view.names.length || "");
  table("names", ["Name", "Kind", "Value", "TTL", "Fault"], view.names.map((name) => [name.name, name.kind, { mono: name.value }, name.ttl, name.is_stale ? { chip: "stale", tone: "bad" } : ""]), "No record yet.");
  const kinds = Object.entries(view.resources).filter(([, count]) => count > 0);
  write("resources-count", kinds.reduce((sum, [, count]) => sum + count, 0) || "");
  table("resources", ["Kind", "Count"], kinds.map(([kind, count]) => [kind.replaceAll("_", " "), count]), "No resource yet.");
}

function begin(secret) {
  const region = new Region(secret);
  const faults = new Faults(region);
  const picture = new Picture((box) => faults.pick(box));
  const show = (view) => {
    element("main").hidden = false;
    document.title = `${view.region} · ${plural(view.hosts.length, "host")}`;
    write("region", view.region);
    write("where", `${view.hosts_mode} hosts, pace ${view.pace}, account ${view.account}`);
    state("live", "live");
    picture.show(view);
    faults.show(view);
    tables(view);
  };
  const lose = (error) => {
    if (error.status === 401) {
      sessionStorage.removeItem(KEY);
      ask();
      return false;
    }
    state("the cloud does not answer", "lost");
    return true;
  };
  region.follow(show, lose);
}

function ask() {
  state("no token", "lost");
  element("enter").hidden = false;
  element("enter").addEventListener("submit", (event) => {
    event.preventDefault();
    sessionStorage.setItem(KEY, element("token").value.trim());
    location.reload();
  }, { once: true });
}

const known = token();
if (known) begin(known);
else ask();
