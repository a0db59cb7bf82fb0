// Settings as text: what each is, read off its schema, and that text and value stand for each other.

import assert from "node:assert/strict";
import { DEFINITIONS, SETTING_NAMES } from "../../src/core/settings/definitions.ts";
import { CATEGORIES, categoryOf, kindOf, readValue, writeValue } from "../../src/core/settings/kinds.ts";

Deno.test("every setting belongs to a category and its default survives being text", () => {
  for (const name of SETTING_NAMES) {
    assert.ok(CATEGORIES.some(({ id }) => id === categoryOf(name)), name);
    const { default: fallback } = DEFINITIONS[name];
    assert.deepEqual(readValue(name, writeValue(name, fallback)), fallback, name);
  }
});

Deno.test("the categories of the guide have the names that it calls them by", () => {
  const titles = CATEGORIES.map(({ title }) => title);
  for (const title of ["API", "Encryption", "Sandbox"]) assert.ok(titles.includes(title), title);
});

Deno.test("ranges and units are those of the table", () => {
  assert.deepEqual(kindOf("encryption.key-rotation.interval-days"), {
    kind: "integer",
    min: 1,
    max: 365,
    unit: "days",
  });
  assert.deepEqual(kindOf("sandbox.memory-mb"), { kind: "integer", min: 32, max: 4_096, unit: "MB" });
  assert.deepEqual(kindOf("api.access-groups"), { kind: "list", min: 1, max: 100 });
});

Deno.test("text that is no number stays text, so that the schema refuses it", () => {
  for (const text of ["", "ten", "1e3", "0x10", "1.5", "1 000", "Infinity", "--1"]) {
    assert.equal(typeof readValue("sandbox.max-calls", text), "string", text);
    assert.ok(!DEFINITIONS["sandbox.max-calls"].schema.safeParse(readValue("sandbox.max-calls", text)).success);
  }
  assert.equal(readValue("sandbox.max-calls", " 42 "), 42);
});

Deno.test("a list has an entry for each line with something on it", () => {
  assert.deepEqual(readValue("api.access-groups", "management\n\n  ci  \n"), ["management", "ci"]);
  assert.deepEqual(readValue("sandbox.net.deny", " \n"), []);
});
