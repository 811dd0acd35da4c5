// Holds a raw reply against the SDK's own model: fields it does not know and values of another type.
//
// The SDK drops what it does not know, and turns numbers into texts and texts into numbers where its model asks for
// that; so the reply is judged before the SDK reads it. `types()` of a model names `string`, `number`, `boolean`, `any`,
// another model, a list or a map.

/** All that a model cannot read as it stands, as sentences. */
export function deviations(model, value, place = "the reply") {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return [`${place} is ${word(value)}, the SDK reads an object`];
  }
  const types = typesByWireName(model);
  return Object.entries(value).flatMap(([name, item]) => {
    const path = place === "the reply" ? name : `${place}.${name}`;
    if (!types.has(name)) return [`${path} is not a field the SDK knows`];
    return ofType(types.get(name), item, path);
  });
}

/** Names in a request that its model does not know, nested ones included. */
export function unknownFields(model, fields, place = "") {
  const types = model.types();
  return Object.entries(fields).flatMap(([name, value]) => {
    if (!(name in types)) return [place + name];
    const type = types[name].itemType ?? types[name];
    const values = Array.isArray(value) ? value : [value];
    if (!isModel(type)) return [];
    return values.flatMap((item) => unknownFields(type, item, `${place}${name}.`));
  });
}

function typesByWireName(model) {
  const types = model.types();
  return new Map(Object.entries(model.names()).map(([field, wire]) => [wire, types[field]]));
}

function isModel(type) {
  return typeof type === "function" && typeof type.names === "function";
}

function ofType(type, value, place) {
  if (value === null) return [`${place} is null, where the real cloud leaves a field out`];
  if (type === "any") return [];
  if (typeof type === "string") {
    return typeof value === type ? [] : [`${place} is ${word(value)}, the SDK reads a ${type}`];
  }
  if (isModel(type)) return deviations(type, value, place);
  if (type.type === "array") {
    if (!Array.isArray(value)) return [`${place} is ${word(value)}, the SDK reads a list`];
    return value.flatMap((item) => ofType(type.itemType, item, `${place}[]`));
  }
  if (type.type === "map") return typeof value === "object" && !Array.isArray(value) ? [] : [`${place} is no map`];
  throw new Error(`${place} has a type this program cannot judge: ${JSON.stringify(type)}`);
}

function word(value) {
  if (Array.isArray(value)) return "a list";
  return typeof value === "object" ? "an object" : `the ${typeof value} ${JSON.stringify(value)}`;
}
