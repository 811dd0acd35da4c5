// Numbers and states in the words of people.

export function span(milliseconds) {
  const seconds = Math.ceil(milliseconds / 1000);
  if (seconds < 100) return `${seconds} s`;
  return seconds < 6000 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3600)} h`;
}

export function number(value) {
  if (value < 1000) return `${Math.round(value)}`;
  return value < 1e6 ? `${(value / 1e3).toFixed(1)}k` : `${(value / 1e6).toFixed(1)}M`;
}

export function bytes(value) {
  for (const unit of ["B", "KiB", "MiB"]) {
    if (value < 1024) return `${value < 10 && unit !== "B" ? value.toFixed(1) : Math.round(value)} ${unit}`;
    value /= 1024;
  }
  return `${value.toFixed(1)} GiB`;
}

export const plural = (count, word) => `${count} ${word}${count === 1 ? "" : "s"}`;

/** `freeze` of a fault, as its command has it. */
export const faultWord = (fault) => fault.replaceAll("_", "-");

const CONDITIONS = {
  is_off: "rebooting", is_frozen: "frozen", is_full: "disk full", stops_redis: "Redis stopped", kills_node: "node killed",
  fails_checks: "found ill", ssh_cut: "SSH cut", ssh_rate: "SSH slow", loss: "loses packets", delay: "late packets",
};

/** What a host has to put up with, in words. */
export const conditionWords = (conditions) => conditions.map((word) => CONDITIONS[word] ?? word);

const HEALTH = { healthy: ["healthy", "good"], initial: ["not judged yet", "warn"], unused: ["unused", "quiet"] };

/** Word and tone of a server's health. */
export function health(value) {
  if (value === undefined || value === null) return ["no checks", "quiet"];
  if (typeof value === "string") return HEALTH[value] ?? [value, "warn"];
  return ["unhealthy", "bad"];
}

/** Word and tone of an instance. */
export function hostState({ status, state }) {
  if (state?.failed !== undefined) return ["does not boot", "bad"];
  if (status !== "Running") return [status.toLowerCase(), status === "Stopped" ? "quiet" : "warn"];
  if (state === "off") return ["off", "bad"];
  return state === "booting" ? ["boots", "warn"] : ["running", "good"];
}
