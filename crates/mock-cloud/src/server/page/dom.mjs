// Small hands: elements, text, tables that change only where something changed.

const SVG = "http://www.w3.org/2000/svg";

export const element = (id) => document.getElementById(id);

export function make(name, attributes = {}, ...content) {
  return dress(document.createElement(name), attributes, content);
}

export function draw(name, attributes = {}, ...content) {
  return dress(document.createElementNS(SVG, name), attributes, content);
}

function dress(node, attributes, content) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== null) node.setAttribute(name, value);
  }
  node.append(...content);
  return node;
}

/** Writes a text, if it is another one. */
export function write(node, text) {
  const target = typeof node === "string" ? element(node) : node;
  if (target.textContent !== `${text}`) target.textContent = text;
}

export function mark(node, name, value) {
  if (node.dataset[name] !== value) node.dataset[name] = value;
}

export const chip = (word, tone) => make("span", { class: "chip", "data-tone": tone }, word);

const shown = new Map();

/** A table in the element `id`; a cell is a text, a number or `{ chip, tone }` or `{ mono }`. */
export function table(id, head, rows, nothing) {
  const now = JSON.stringify(rows);
  if (shown.get(id) === now) return;
  shown.set(id, now);
  if (rows.length === 0) {
    element(id).replaceChildren(make("p", { class: "nothing" }, nothing));
    return;
  }
  const titles = head.map((title, column) => make("th", { scope: "col", class: kind(rows[0][column]) === "number" ? "number" : undefined }, title));
  const lines = rows.map((cells) => make("tr", {}, ...cells.map((cell) => make("td", { class: kind(cell) }, content(cell)))));
  element(id).replaceChildren(make("table", {}, make("thead", {}, make("tr", {}, ...titles)), make("tbody", {}, ...lines)));
}

const kind = (cell) => (typeof cell === "number" ? "number" : cell?.mono !== undefined ? "mono" : undefined);

function content(cell) {
  if (cell === null || cell === undefined) return "";
  if (cell.chip !== undefined) return chip(cell.chip, cell.tone);
  return `${cell.mono ?? cell}`;
}

/** The choices of a list, if they are others; what was chosen stays chosen where it can. */
export function choices(select, options) {
  const now = JSON.stringify(options);
  if (shown.get(select.id) === now) return;
  shown.set(select.id, now);
  const chosen = select.value;
  select.replaceChildren(...options.map(([value, text]) => make("option", { value }, text)));
  if (options.some(([value]) => value === chosen)) select.value = chosen;
}
