// What is under way is found by its number.

import assert from "node:assert/strict";
import fc from "fast-check";
import { IdTable } from "../../src/sandbox/wire/id_table.ts";

Deno.test("it holds what a Map would hold, whatever comes and goes", () => {
  const step = fc.tuple(fc.boolean(), fc.integer({ min: 0, max: 400 }));
  // Numbers that share a slot, and some at the end of what 32 bits hold.
  const idOf = (n: number): number => n < 200 ? n : n < 300 ? (n - 200) * 64 : 0xffff_ffff - (n - 300) * 64;
  fc.assert(fc.property(fc.array(step, { maxLength: 600 }), (steps) => {
    const inFlight = new IdTable<{ id: number }>();
    const expected = new Map<number, { id: number }>();
    for (const [comes, n] of steps) {
      const id = idOf(n);
      if (comes && !expected.has(id)) {
        const item = { id };
        inFlight.add(item);
        expected.set(id, item);
      } else {
        inFlight.delete(id);
        expected.delete(id);
      }
    }
    assert.equal(inFlight.size, expected.size);
    for (let n = 0; n <= 400; n++) assert.equal(inFlight.get(idOf(n)), expected.get(idOf(n)));
    assert.deepEqual(new Set(inFlight.items()), new Set(expected.values()));
    inFlight.clear();
    assert.deepEqual([inFlight.size, inFlight.items()], [0, []]);
  }));
});
