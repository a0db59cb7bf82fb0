// The icons: the sprite is committed, so that a server needs no build, and holds what the pages may name.

import assert from "node:assert/strict";
import { ICON_NAMES } from "../../src/control/web/icons/names.ts";

const SPRITE = Deno.readTextFileSync(new URL("../../static/icons.svg", import.meta.url));

Deno.test("static/icons.svg has every icon that can be named, and no other", () => {
  const drawn = [...SPRITE.matchAll(/<symbol id="([\w-]+)"/g)].map(([, name]) => name!);
  assert.deepEqual(drawn, [...ICON_NAMES], "run `deno task bundle:icons`");
});

Deno.test("an icon is lines alone: no script, no style, no address", () => {
  const tags = new Set([...SPRITE.matchAll(/<(\w+)/g)].map(([, tag]) => tag!));
  const known = new Set(["svg", "symbol", "path", "circle", "rect", "line", "polyline", "polygon", "ellipse"]);
  assert.deepEqual([...tags].filter((tag) => !known.has(tag)), []);
  assert.doesNotMatch(SPRITE, /style=|href|on\w+=/);
});
