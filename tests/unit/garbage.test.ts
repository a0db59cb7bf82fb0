// What is made for each call is garbage when the call is over, and is collected as such: nothing that lives longer leads
// to it, not within V8 either.

import assert from "node:assert/strict";

const HEAP_MAX_BYTES = 16_000_000;

/** Runs `each` for a million values of `id` in a process of its own, with a full collection near the beginning. */
async function highestHeap(setUp: string, each: string): Promise<number> {
  const program = `${setUp}
    let highest = 0;
    for (let id = 0; id < 1_000_000; id++) {
      ${each}
      if (id === 1_000) gc();
      if (id % 1_000 === 0) highest = Math.max(highest, Deno.memoryUsage().heapUsed);
    }
    console.log(highest);`;
  const file = await Deno.makeTempFile({ suffix: ".ts" });
  try {
    await Deno.writeTextFile(file, program);
    const args = ["run", "--quiet", "--no-config", "--no-lock", "--v8-flags=--expose-gc", file];
    const { stdout, stderr } = await new Deno.Command(Deno.execPath(), { args }).output();
    const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
    assert.match(text(stdout), /^\d+\n$/, text(stderr));
    return Number(text(stdout));
  } finally {
    await Deno.remove(file);
  }
}

function at(path: string): string {
  return JSON.stringify(new URL(path, import.meta.url).href);
}

Deno.test("what has passed through IdTable is collected young", async () => {
  // By a Map, the heap grows to 86 MB.
  const highest = await highestHeap(
    `import { IdTable } from ${at("../../src/sandbox/wire/id_table.ts")}; const inFlight = new IdTable();`,
    "inFlight.add({ id, holds: new Array(30).fill(id) }); inFlight.delete(id - 32);",
  );
  assert.ok(highest < HEAP_MAX_BYTES, `the heap rose to ${highest} bytes`);
});

Deno.test("the context of a call whose handler is done is collected young", async () => {
  // By an object with getters of its own, the heap grows to 82 MB.
  const highest = await highestHeap(
    `import { createHandlerContext } from ${at("../../workers/context.ts")};
     const route = { name: "a", description: "", handler: "a.ts", route: "/a", methods: [], keys: [] };`,
    `const call = { route, url: "http://a/run/a", params: {}, requestId: "x", requestedAt: id, group: null };
     createHandlerContext(call, { ask: () => Promise.resolve(undefined), waitUntil() {} });`,
  );
  assert.ok(highest < HEAP_MAX_BYTES, `the heap rose to ${highest} bytes`);
});
