// Settings over a real store: all or nothing, known names, ranges, and defaults where nothing valid is stored.

import assert from "node:assert/strict";
import { type AuditEvent, OPERATOR } from "../../src/actor.ts";
import { AppError } from "../../src/errors.ts";
import { DEFINITIONS, SETTING_NAMES, type SettingName } from "../../src/core/settings/definitions.ts";
import { createSettings } from "../../src/core/settings/settings.ts";
import { temporaryStore, unrecorded } from "./temporary.ts";

const anything = () => undefined;

/** The error's details; its message must name the first of them. */
function refused(change: () => void): Record<string, string> {
  let details: Record<string, string> | undefined;
  assert.throws(change, (error: Error) => {
    assert.ok(error instanceof AppError && error.status === 400 && error.code === "InvalidInput", String(error));
    details = error.details;
    assert.ok(error.message.startsWith(Object.keys(details!)[0]!), error.message);
    return true;
  });
  return details!;
}

Deno.test("every default is a value that its own setting accepts", () => {
  for (const name of SETTING_NAMES) {
    assert.ok(DEFINITIONS[name].schema.safeParse(DEFINITIONS[name].default).success, name);
    assert.notEqual(DEFINITIONS[name].meaning, "");
  }
});

Deno.test("a setting that was never changed has its default and no row", () => {
  using there = temporaryStore();
  const settings = createSettings({ store: there.store, check: anything, record: unrecorded });
  for (const { name, value, default: fallback } of settings.list()) {
    assert.deepEqual(value, fallback);
    assert.deepEqual(settings.get(name), fallback);
  }
  assert.deepEqual(settings.list().map(({ name }) => name), SETTING_NAMES);
  assert.deepEqual(there.store.settings.list(), []);
});

Deno.test("a change is in force when it returns, and after a restart", () => {
  using there = temporaryStore();
  const settings = createSettings({ store: there.store, check: anything, record: unrecorded });
  settings.change(OPERATOR, { "sandbox.timeout-ms": 5_000, "api.access-groups": ["management", "ci"] });
  for (const service of [settings, createSettings({ store: there.store, check: anything, record: unrecorded })]) {
    assert.equal(service.get("sandbox.timeout-ms"), 5_000);
    assert.deepEqual(service.get("api.access-groups"), ["management", "ci"]);
    assert.equal(service.get("sandbox.max-calls"), DEFINITIONS["sandbox.max-calls"].default);
  }
  assert.equal(settings.list().find(({ name }) => name === "sandbox.timeout-ms")!.default, 30_000, "the default stays");
});

Deno.test("with one bad value nothing is changed, and each bad one is named", () => {
  using there = temporaryStore();
  const settings = createSettings({ store: there.store, check: anything, record: unrecorded });
  const details = refused(() =>
    settings.change(OPERATOR, {
      "sandbox.timeout-ms": 5_000,
      "sandbox.max-calls": 0,
      "sandbox.no-such": 1,
      "api.access-groups": [],
    })
  );
  assert.deepEqual(Object.keys(details), ["sandbox.max-calls", "sandbox.no-such", "api.access-groups"]);
  assert.equal(settings.get("sandbox.timeout-ms"), 30_000);
  assert.deepEqual(there.store.settings.list(), []);
});

Deno.test("a name that is no setting is refused, whatever objects make of it", () => {
  using there = temporaryStore();
  const settings = createSettings({ store: there.store, check: anything, record: unrecorded });
  for (
    const name of ["", "timeout", "SANDBOX.TIMEOUT-MS", "sandbox.timeout-ms ", "__proto__", "constructor", "toString"]
  ) {
    const details = refused(() => settings.change(OPERATOR, JSON.parse(`{${JSON.stringify(name)}: 1}`)));
    assert.deepEqual(Object.entries(details), [[name, "is not a setting"]]);
  }
});

Deno.test("numbers are whole and within their range", () => {
  using there = temporaryStore();
  const settings = createSettings({ store: there.store, check: anything, record: unrecorded });
  const ranges: [SettingName, number, number][] = [
    ["sandbox.timeout-ms", 100, 3_600_000],
    ["sandbox.max-processes", 1, 1_024],
    ["sandbox.max-processes-per-function", 1, 64],
    ["sandbox.spare-processes", 0, 16],
    ["sandbox.max-calls", 1, 100_000],
    ["encryption.key-rotation.interval-days", 1, 365],
    ["encryption.key-rotation.batch-size", 1, 10_000],
    ["encryption.key-rotation.batch-sleep-ms", 0, 60_000],
    ["encryption.retired-keys.keep-days", 0, 3_650],
  ];
  for (const [name, min, max] of ranges) {
    for (const value of [min, max]) {
      settings.change(OPERATOR, { [name]: value });
      assert.equal(settings.get(name), value);
    }
    for (
      const value of [min - 1, max + 1, min + 0.5, -1, NaN, Infinity, String(min), true, null, undefined, [min], {}]
    ) {
      assert.match(
        refused(() => settings.change(OPERATOR, { [name]: value }))[name]!,
        new RegExp(`from ${min} to ${max}`),
      );
    }
    assert.equal(settings.get(name), max);
  }
});

Deno.test("lists hold what they are lists of", () => {
  using there = temporaryStore();
  const settings = createSettings({ store: there.store, check: anything, record: unrecorded });
  const bad: [SettingName, unknown][] = [
    ["api.access-groups", []],
    ["api.access-groups", "management"],
    ["api.access-groups", ["Management"]],
    ["api.access-groups", [""]],
    ["api.access-groups", ["a", 1]],
    ["api.access-groups", Array(101).fill("a")],
    ["sandbox.import-hosts", ["https://deno.land"]],
    ["sandbox.import-hosts", ["deno.land/x"]],
    ["sandbox.import-hosts", ["*"]],
    ["sandbox.import-hosts", ["a,b"]],
  ];
  for (const [name, value] of bad) {
    assert.ok(name in refused(() => settings.change(OPERATOR, { [name]: value })), JSON.stringify(value));
  }
  for (const hosts of [[], ["esm.sh"], ["localhost:8080", "10.0.0.1"]]) {
    settings.change(OPERATOR, { "sandbox.import-hosts": hosts });
    assert.deepEqual(settings.get("sandbox.import-hosts"), hosts);
  }
});

Deno.test("a value that contradicts what else is stored is refused in the checker's words", () => {
  using there = temporaryStore();
  const settings = createSettings({
    store: there.store,
    check: (name, value) =>
      name === "api.access-groups" && !(value as string[]).includes("management") ? "must keep management" : undefined,
    record: unrecorded,
  });
  const wanted = { "sandbox.timeout-ms": 5_000, "api.access-groups": ["ci"] };
  assert.deepEqual(refused(() => settings.change(OPERATOR, wanted)), { "api.access-groups": "must keep management" });
  assert.equal(settings.get("sandbox.timeout-ms"), 30_000);
});

Deno.test("a stored value that is no longer valid gives way to its default, and only that one", () => {
  using there = temporaryStore();
  const { settings: rows } = there.store;
  rows.put("sandbox.timeout-ms", "99");
  rows.put("sandbox.max-calls", '"many"');
  rows.put("api.access-groups", "[]");
  rows.put("sandbox.max-processes", "7");
  rows.put("setting.of-another-version", "1");
  const settings = createSettings({ store: there.store, check: anything, record: unrecorded });
  assert.equal(settings.get("sandbox.timeout-ms"), 30_000);
  assert.equal(settings.get("sandbox.max-calls"), 2_000);
  assert.deepEqual(settings.get("api.access-groups"), ["management"]);
  assert.equal(settings.get("sandbox.max-processes"), 7);
  settings.change(OPERATOR, { "sandbox.timeout-ms": 200 });
  assert.equal(
    createSettings({ store: there.store, check: anything, record: unrecorded }).get("sandbox.timeout-ms"),
    200,
  );
});

Deno.test("a setting that is reset has its default, no row, and one entry in the audit", () => {
  using there = temporaryStore();
  const told: AuditEvent[] = [];
  const settings = createSettings({ store: there.store, check: anything, record: (_actor, event) => told.push(event) });
  settings.change(OPERATOR, { "sandbox.timeout-ms": 5_000 });
  for (let n = 0; n < 2; n++) settings.reset(OPERATOR, "sandbox.timeout-ms");
  assert.equal(settings.get("sandbox.timeout-ms"), 30_000);
  assert.deepEqual(there.store.settings.list(), []);
  const [, reset, ...more] = told;
  assert.deepEqual([reset!.before, reset!.after], [{ "sandbox.timeout-ms": 5_000 }, { "sandbox.timeout-ms": 30_000 }]);
  assert.deepEqual(more, []);
});
