// Settings as text: what each is, read off its schema, and that text and value stand for each other.

import assert from "node:assert/strict";
import { DEFINITIONS, SETTING_NAMES } from "../../src/core/settings/definitions.ts";
import { CATEGORIES, categoryOf, durationOf, kindOf, readValue, writeValue } from "../../src/core/settings/kinds.ts";

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

Deno.test("times are shown in the longest unit that fits and are read in any", () => {
  assert.equal(writeValue("log.trimming.retention-seconds", 7_776_000), "90 days");
  assert.equal(writeValue("log.trimming.retention-seconds", 86_400), "1 day");
  assert.equal(writeValue("sandbox.timeout-ms", 30_000), "30 s");
  assert.equal(writeValue("sandbox.timeout-ms", 90_000), "90 s");
  assert.equal(writeValue("sandbox.max-call-ms", 3_600_000), "1 h");
  assert.equal(writeValue("sandbox.timeout-ms", 12_345), "12345");
  assert.equal(writeValue("sandbox.revocation-grace-ms", 0), "0");
  // The name says days; memory and counts are no times.
  assert.equal(writeValue("encryption.key-rotation.interval-days", 90), "90");
  assert.equal(durationOf("sandbox.memory-mb", 1_024), undefined);
  for (
    const [text, ms] of [["5000", 5_000], ["5 s", 5_000], ["5s", 5_000], ["0.5 min", 30_000], ["250 ms", 250]] as const
  ) {
    assert.equal(readValue("sandbox.timeout-ms", text), ms, text);
  }
  assert.equal(readValue("encryption.key-rotation.interval-days", "48 hours"), 2);
  for (const text of ["5 parsecs", "1.5", "s", "-1 s", "1 s 2", "36 hours"]) {
    assert.equal(typeof readValue("encryption.key-rotation.interval-days", text), "string", text);
  }
  assert.equal(typeof readValue("sandbox.max-calls", "5 s"), "string");
});

Deno.test("every setting has a name for people that no other has within its category", () => {
  const titles = SETTING_NAMES.map((name) => `${categoryOf(name)}: ${DEFINITIONS[name].title}`);
  assert.equal(new Set(titles).size, titles.length);
  for (const title of titles) assert.match(title, /: [A-Z][^.]+$/);
});
