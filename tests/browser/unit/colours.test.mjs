// Contrast of every pair of colours that meets on the screen, computed as WCAG 2 defines it.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";

const style = await readFile(new URL("../../../crates/chat-node/templates/page/page.css", import.meta.url), "utf8");
const [light, dark] = [...style.matchAll(/:root \{([^}]*)\}/g)].map(([, block]) => {
  return Object.fromEntries([...block.matchAll(/--([\w-]+): (#[0-9a-f]{6});/g)].map(([, name, colour]) => [name, colour]));
});

function luminance(colour) {
  const [red, green, blue] = [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16) / 255)
    .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function contrast(one, other) {
  const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
}

const TINTS = [0, 1, 2, 3, 4, 5, 6, 7].map((number) => `tint-${number}`);
// Text and what it stands on.
const TEXTS = [
  ["ink", "ground"], ["ink", "paper"], ["ink", "theirs"], ["ink", "bad-ground"], ["ink", "wait-ground"],
  ["quiet", "ground"], ["quiet", "paper"], ["bad", "ground"], ["bad", "paper"], ["wait", "paper"],
  ["on-sea", "sea"], ["on-sea", "sea-hover"], ["on-mine", "mine"], ["ink", "edge"],
  ...TINTS.flatMap((tint) => [[tint, "paper"], ["on-tint", tint]]),
];
// Shapes that mean something, and what they stand on.
const SHAPES = [
  ["field-edge", "ground"], ["field-edge", "paper"], ["sea", "ground"], ["sea", "paper"], ["bad", "paper"],
  ["good", "ground"], ["wait", "ground"], ["bad", "ground"], ["bill", "ground"], ["bill", "paper"],
];

test("the reckoning is right", () => {
  assert.equal(contrast("#ffffff", "#000000"), 21);
  assert.ok(Math.abs(contrast("#777777", "#ffffff") - 4.48) < 0.01);
});

for (const [scheme, colours] of [["light", light], ["dark", dark]]) {
  test(`texts and shapes stand out, ${scheme}`, () => {
    const all = { ...light, ...colours };
    for (const [pairs, least] of [[TEXTS, 4.5], [SHAPES, 3]]) {
      for (const [front, back] of pairs) {
        const found = contrast(all[front], all[back]);
        assert.ok(found >= least, `${front} ${all[front]} on ${back} ${all[back]}: ${found.toFixed(2)}, not ${least}`);
      }
    }
  });
}

test("both schemes have every colour", () => {
  assert.deepEqual(Object.keys(dark).sort(), Object.keys(light).sort());
  assert.ok(Object.keys(light).length > 30);
});

test("no colour is used that the schemes do not name", () => {
  const rules = style.replaceAll(/:root \{[^}]*\}/g, "");
  assert.deepEqual(rules.match(/#[0-9a-f]{3,8}\b(?=[;, )])/g), null);
});
