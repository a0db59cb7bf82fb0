// Which functions are broken, and when that is determined again, over a real folder and made-up graphs.

import assert from "node:assert/strict";
import { join } from "node:path";
import { createConditions } from "../../src/code/checks/condition.ts";
import { CodeFolder } from "../../src/code/files/code_folder.ts";
import type { ModuleGraph } from "../../src/code/modules/imports.ts";
import type { RegisteredFunction } from "../../src/core/functions/registry.ts";
import type { FunctionId } from "../../src/ids.ts";
import { temporaryFolder } from "./temporary.ts";

const COUNT = 600;

/** Conditions of functions whose handlers have a file, but for the last one. */
async function bench() {
  const folder = temporaryFolder();
  const codeDir = await Deno.realPath(folder.path);
  for (let id = 1; id < COUNT; id++) await Deno.writeTextFile(join(codeDir, `f${id}.ts`), "");
  const codeFolder = new CodeFolder({ codeDir, dataDir: join(codeDir, "data"), warn: assert.fail });
  const functions = Array.from(
    { length: COUNT },
    (_, index) => ({ id: index + 1, handler: `f${index + 1}.ts`, enabled: true }) as unknown as RegisteredFunction,
  );
  const seen = { graphs: 0 };
  const state = { functions: {} as unknown, isUnchanged: true, problems: new Map<string, string>() };
  const graph = (handler: string): ModuleGraph => {
    seen.graphs++;
    const problem = state.problems.get(handler);
    return { problems: problem === undefined ? [] : [problem], version: 1 } as unknown as ModuleGraph;
  };
  const conditions = createConditions({
    codeDir,
    imports: { current: graph, graph },
    health: () => ({ recentDeaths: 0, lastDeath: undefined, suspendedUntil: undefined }),
    isAltered: () => false,
    stored: () => [state.functions],
    isCodeUnchangedSince: () => state.isUnchanged,
  });
  const list = (after: number, limit: number) => functions.filter(({ id }) => id > after).slice(0, limit);
  /** The ids of the broken functions, and how many graphs were looked at. */
  const broken = async () => {
    seen.graphs = 0;
    const found = await conditions.broken(list);
    return [found.map(({ entry }) => entry.id), seen.graphs] as const;
  };
  return {
    conditions,
    state,
    broken,
    codeFolder,
    codeDir,
    async [Symbol.asyncDispose]() {
      await codeFolder.close();
      folder[Symbol.dispose]();
    },
  };
}

Deno.test("broken functions are looked for once, and again when a function, a file or what is known changes", async () => {
  await using it = await bench();
  const { conditions, state, broken } = it;
  /** Looks as often as it takes for all functions. */
  const all = async () => {
    for (let call = 1; call < Math.ceil(COUNT / 250); call++) assert.ok((await broken())[1] > 0, "not all at once");
    return (await broken())[0];
  };
  const last = COUNT as FunctionId;
  assert.deepEqual(await all(), [last]);
  assert.deepEqual(await broken(), [[last], 0]);
  // A process that loads without a problem is no news.
  conditions.found("f1.ts", 1, []);
  assert.deepEqual(await broken(), [[last], 0]);

  conditions.found("f1.ts", 1, ["It throws."]);
  assert.deepEqual(await all(), [1, last]);
  assert.deepEqual(await broken(), [[1, last], 0]);

  state.functions = {};
  assert.ok((await broken())[1] > 0, "a function changed");
  assert.ok((await broken())[1] > 0);
  // What changes while it looks makes the result one of two states.
  state.functions = {};
  await broken();
  assert.ok((await broken())[1] > 0);
  assert.deepEqual(await all(), [1, last]);

  state.isUnchanged = false;
  state.problems.set("f2.ts", "No import.");
  assert.ok((await broken())[1] > 0, "a file changed");
});

Deno.test("a folder is known to be unchanged until a file in it, or in a new folder, is written", async () => {
  await using it = await bench();
  const { codeFolder, codeDir } = it;
  const settled = async (at: number) => {
    const deadline = performance.now() + 20_000;
    while (!codeFolder.isUnchangedSince(at)) {
      assert.ok(performance.now() < deadline);
      at = performance.now();
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    return at;
  };
  const changed = async (at: number) => {
    const deadline = performance.now() + 20_000;
    while (codeFolder.isUnchangedSince(at)) {
      assert.ok(performance.now() < deadline);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };
  assert.equal(codeFolder.isUnchangedSince(performance.now()), false, "it was not looked at yet");
  const first = await settled(performance.now());
  await Deno.writeTextFile(join(codeDir, "f1.ts"), "changed");
  await changed(first);
  await Deno.mkdir(join(codeDir, "lib"));
  const second = await settled(performance.now());
  await Deno.writeTextFile(join(codeDir, "lib", "new.ts"), "");
  await changed(second);
});
