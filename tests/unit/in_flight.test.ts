// What is under way is found by its number, and what is over leaves nothing behind.

import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { InFlight } from "../../src/sandbox/in_flight.ts";

Deno.test("it holds what a Map would hold, whatever comes and goes", () => {
  const step = fc.tuple(fc.boolean(), fc.integer({ min: 0, max: 400 }));
  // Numbers that share a slot, and some at the end of what 32 bits hold.
  const idOf = (n: number): number => n < 200 ? n : n < 300 ? (n - 200) * 64 : 0xffff_ffff - (n - 300) * 64;
  fc.assert(fc.property(fc.array(step, { maxLength: 600 }), (steps) => {
    const inFlight = new InFlight<{ id: number }>();
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

Deno.test("after a full collection, what is over is still collected as young as it died", async () => {
  // By a Map, the heap grows to some 50 MB here before a second full collection.
  const program = `
    import { InFlight } from ${JSON.stringify(new URL("../../src/sandbox/in_flight.ts", import.meta.url).href)};
    const inFlight = new InFlight();
    let highest = 0;
    for (let id = 0; id < 1_000_000; id++) {
      inFlight.add({ id, holds: new Array(30).fill(id) });
      inFlight.delete(id - 32);
      if (id === 1_000) gc();
      if (id % 1_000 === 0) highest = Math.max(highest, Deno.memoryUsage().heapUsed);
    }
    console.log(highest);
  `;
  const file = await Deno.makeTempFile({ suffix: ".ts" });
  try {
    await Deno.writeTextFile(file, program);
    const root = fileURLToPath(new URL("../../", import.meta.url));
    const { stdout } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "--quiet", "--no-lock", "--v8-flags=--expose-gc", file],
      cwd: root,
    }).output();
    const highest = Number(new TextDecoder().decode(stdout));
    assert.ok(highest > 0 && highest < 16_000_000, `the heap rose to ${highest} bytes`);
  } finally {
    await Deno.remove(file);
  }
});
