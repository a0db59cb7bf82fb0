// Locks: what of one belongs to a graph, whatever else is in it.

import assert from "node:assert/strict";
import {
  cutLock,
  lockOfSpecifiers,
  lockText,
  mergeLocks,
  parseLock,
  specifierOf,
} from "../../src/code/packages/lock.ts";

const LOCK = parseLock(JSON.stringify({
  version: "5",
  specifiers: { "npm:a@1": "1.0.0", "npm:b@2": "2.0.0", "npm:peer@1": "1.0.0", "npm:ui@1": "1.0.0_peer@1.0.0" },
  npm: {
    "a@1.0.0": { dependencies: ["b"], optionalDependencies: ["a-linux"] },
    "a-linux@1.0.0": { os: ["linux"], cpu: ["x64"] },
    "b@2.0.0": {},
    "peer@1.0.0": {},
    "ui@1.0.0_peer@1.0.0": { dependencies: ["peer", "other@npm:b@2.0.0"] },
  },
}));
const everything = { modules: ["npm:a@1", "npm:ui@1/x.js", "npm:b@2"], npm: ["a@1.0.0", "ui@1.0.0_peer@1.0.0"] };

Deno.test("dependencies get their versions, and a lock reads as it was written", () => {
  assert.deepEqual(LOCK.npm["a@1.0.0"]?.dependencies, ["b@2.0.0"]);
  assert.deepEqual(parseLock(lockText(LOCK)), LOCK);
  assert.deepEqual(parseLock('{"version": "4", "npm": {"a@1": {}}}').npm, {});
});

Deno.test("a graph's part has what it imports and what that needs, and nothing else", () => {
  const part = cutLock(LOCK, {
    modules: ["npm:a@^1.0.0"],
    npm: ["a@1.0.0"],
    isFetched: (id) => id !== "a-linux@1.0.0",
  });
  assert.deepEqual(Object.keys(part.npm).sort(), ["a-linux@1.0.0", "a@1.0.0", "b@2.0.0"]);
  assert.deepEqual(part.specifiers, { "npm:a@1": "1.0.0" });
});

Deno.test("what could not be fetched is left out, with all that needs it", () => {
  const part = cutLock(LOCK, { ...everything, isFetched: (id) => id !== "peer@1.0.0" });
  assert.deepEqual(Object.keys(part.npm).sort(), ["a-linux@1.0.0", "a@1.0.0", "b@2.0.0"]);
  assert.deepEqual(Object.keys(cutLock(LOCK, { ...everything, isFetched: (id) => id !== "b@2.0.0" }).npm), []);
});

Deno.test("of two locks the preferred one decides, and specifiers that mean the same are one", () => {
  const other = parseLock('{"version": "5", "specifiers": {"npm:a@1": "1.5.0"}, "npm": {"a@1.5.0": {}}}');
  assert.equal(mergeLocks(LOCK, other).specifiers["npm:a@1"], "1.5.0");
  assert.equal(mergeLocks(other, LOCK).specifiers["npm:a@1"], "1.0.0");
  const same = ["npm:a@1", "npm:a@^1.0.0", "npm:/a@1/lib/x.js", "npm:a@1.x"].map(specifierOf);
  assert.equal(new Set(same).size, 1);
  assert.equal(specifierOf("npm:a"), specifierOf("npm:a@*"));
  assert.notEqual(specifierOf("npm:a@1.0.0"), same[0]);
  assert.deepEqual(Object.keys(lockOfSpecifiers(LOCK, new Set([specifierOf("npm:b@^2.0.0")])).npm), ["b@2.0.0"]);
});
