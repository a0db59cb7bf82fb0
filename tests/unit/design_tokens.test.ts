// The tokens of static/tokens.css: both dark palettes are one, and texts have the contrast that WCAG 2.2 AA asks for.

import assert from "node:assert/strict";

const CSS = Deno.readTextFileSync(new URL("../../static/tokens.css", import.meta.url));

type Palette = Readonly<Record<string, string>>;

/** The custom properties between a selector's braces. */
function declared(selector: string): Palette {
  const start = CSS.indexOf(`${selector} {`);
  assert.notEqual(start, -1, selector);
  const body = CSS.slice(start, CSS.indexOf("}", start));
  return Object.fromEntries(body.matchAll(/--([\w-]+): ([^;]+);/g).map(([, name, value]) => [name, value]));
}

const LIGHT = declared(":root");
const DARK = declared(':root:not([data-theme="light"])');
const PALETTES: Readonly<Record<string, Palette>> = { light: LIGHT, dark: { ...LIGHT, ...DARK } };

/** Relative luminance (WCAG 2.2). */
function luminance(hex: string): number {
  assert.match(hex, /^#[\da-f]{6}$/);
  const [r, g, b] = [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16) / 255)
    .map((part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
  return 0.2126 * r! + 0.7152 * g! + 0.0722 * b!;
}

function contrast(one: string, other: string): number {
  const [darker, lighter] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (lighter! + 0.05) / (darker! + 0.05);
}

const SURFACES = ["bg", "panel", "raised", "hover", "selected"];
/** Texts, the surfaces that they stand on, and the least contrast (1.4.3; 1.4.11 for what shows a control). */
const PAIRS: readonly (readonly [texts: readonly string[], surfaces: readonly string[], atLeast: number])[] = [
  [["ink", "quiet"], [...SURFACES, "ok-soft", "warn-soft", "bad-soft", "accent-soft"], 4.5],
  [["link"], [...SURFACES, "accent-soft", "ok-soft", "warn-soft", "bad-soft"], 4.5],
  [["ok"], ["bg", "panel", "raised", "hover", "ok-soft"], 4.5],
  [["warn"], ["bg", "panel", "raised", "hover", "warn-soft"], 4.5],
  [["bad"], ["bg", "panel", "raised", "hover", "bad-soft"], 4.5],
  [["on-accent"], ["accent", "accent-hover", "bad-fill", "bad-fill-hover"], 4.5],
  [["control-line", "focus", "ok-dot", "warn-dot", "bad-dot"], ["bg", "panel", "raised"], 3],
  [["chart-1", "chart-2", "chart-3", "chart-4"], ["bg", "raised"], 3],
  [
    ["text", "keyword", "string", "number", "comment", "type", "function", "property"].map((name) => `code-${name}`),
    ["code-background", "code-line"],
    4.5,
  ],
  [
    ["diff-text", "code-keyword", "code-string", "code-number", "code-comment"],
    ["diff-background", "added-background", "removed-background"],
    4.5,
  ],
  [["added"], ["added-background"], 4.5],
  [["removed"], ["removed-background"], 4.5],
  [["place"], ["place-background"], 4.5],
];

for (const [scheme, palette] of Object.entries(PALETTES)) {
  Deno.test(`texts and controls differ enough from their surfaces: ${scheme}`, () => {
    const poor: string[] = [];
    for (const [texts, surfaces, atLeast] of PAIRS) {
      for (const text of texts) {
        for (const surface of surfaces) {
          const ratio = contrast(palette[text]!, palette[surface]!);
          if (ratio < atLeast) poor.push(`--${text} on --${surface}: ${ratio.toFixed(2)}`);
        }
      }
    }
    assert.deepEqual(poor, []);
  });
}

Deno.test("the dark theme of the system is the dark theme that a user chooses", () => {
  assert.deepEqual(declared(':root[data-theme="dark"]'), DARK);
});

Deno.test("every property that the styles use is a token, or declared where it is used", () => {
  const folder = new URL("../../static/", import.meta.url);
  const styles = [...Deno.readDirSync(folder)].filter(({ name }) => name.endsWith(".css"))
    .map(({ name }) => Deno.readTextFileSync(new URL(name, folder)));
  const known = new Set(styles.flatMap((css) => [...css.matchAll(/(--[\w-]+):/g)].map(([, name]) => name!)));
  // The frame may say where what stays in sight sticks; without it, at the top.
  known.add("--sticky-top");
  const used = styles.flatMap((css) => [...css.matchAll(/var\((--[\w-]+)/g)].map(([, name]) => name!));
  assert.deepEqual([...new Set(used)].filter((name) => !known.has(name)), []);
});
