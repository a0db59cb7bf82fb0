// Work whose amount authors decide leaves the event loop to others meanwhile. No times are measured here, as they
// depend on the machine: what counts is how often others had their turn. `deno task bench event-loop` has the times.

import assert from "node:assert/strict";
import { join } from "node:path";
import { readInfoAside } from "../../src/code/modules/info_aside.ts";
import { FILES_MAX, readInfo } from "../../src/code/modules/module_info.ts";
import { makeSandboxFolder } from "../../src/sandbox/process/sandbox_dir.ts";
import { slices } from "../../src/slices.ts";
import { temporaryFolder } from "./temporary.ts";
import { foldersIn } from "./folders.ts";

/** How often the event loop came round while `work` was done. */
async function turnsDuring(work: () => Promise<unknown>): Promise<number> {
  let turns = 0;
  let isOver = false;
  const count = (): void => {
    turns++;
    if (!isOver) setImmediate(count);
  };
  setImmediate(count);
  await work();
  isOver = true;
  return turns;
}

/** What `deno info` says of a handler with so many modules, each of which has so many imports. */
function infoOf(modules: number, imports: number): string {
  const address = (n: number) => `file:///code/module_${n}.ts`;
  return JSON.stringify({
    redirects: {},
    modules: Array.from({ length: modules }, (_, n) => ({
      kind: "esm",
      specifier: address(n),
      local: `/code/module_${n}.ts`,
      dependencies: Array.from({ length: imports }, (_, k) => {
        const target = (n * imports + k + 1) % modules;
        return {
          specifier: `./module_${target}.ts`,
          code: { specifier: address(target), span: { start: { line: k, character: 0 } } },
        };
      }),
    })),
  });
}

Deno.test("copying as many files as a handler may have leaves the event loop free between any few of them", async () => {
  using home = temporaryFolder();
  const { runDir, codeDir, denoDir } = foldersIn(home.path);
  const content = new Uint8Array(16 * 1024).fill(97);
  const files: string[] = [];
  for (let n = 0; n < FILES_MAX; n++) {
    const folder = join(codeDir, `folder${n % 100}`);
    if (n < 100) await Deno.mkdir(folder);
    files.push(join(folder, `module${n}.ts`));
    await Deno.writeFile(files[n]!, content);
  }
  const folder = makeSandboxFolder({ runDir, codeDir, denoDir }, { lock: undefined, config: undefined }, undefined);
  try {
    let entry = "";
    const turns = await turnsDuring(async () => entry = await folder.installCode(files));
    assert.ok(turns > FILES_MAX / 20, `${turns} turns`);
    assert.ok(entry.endsWith("/code/folder0/module0.ts"));
    for (const file of files) {
      assert.equal((await Deno.stat(join(folder.code, file.slice(codeDir.length)))).size, content.length);
    }
    assert.ok(await turnsDuring(() => folder.remove()) > 0);
    await assert.rejects(Deno.stat(folder.path), Deno.errors.NotFound);
  } finally {
    await folder.remove();
  }
});

Deno.test("a folder that is removed while files are copied into it is gone, and so is every copy", async () => {
  using home = temporaryFolder();
  const { runDir, codeDir, denoDir } = foldersIn(home.path);
  const files: string[] = [];
  for (let n = 0; n < 200; n++) {
    files.push(join(codeDir, `module${n}.ts`));
    await Deno.writeTextFile(files[n]!, "export {};");
  }
  for (let turnsBefore = 0; turnsBefore < 20; turnsBefore++) {
    const folder = makeSandboxFolder({ runDir, codeDir, denoDir }, { lock: undefined, config: undefined }, undefined);
    const given = folder.installCode(files).then(() => "copied", (error) => error.name);
    for (let turn = 0; turn < turnsBefore; turn++) await new Promise((resolve) => setImmediate(resolve));
    await folder.remove();
    assert.match(await given, /^(?:copied|AbortError)$/);
    assert.deepEqual([...Deno.readDirSync(runDir)], []);
  }
});

Deno.test("what Deno says of a large graph is read aside, and is the same", async () => {
  const json = infoOf(1_500, 13);
  const entry = "file:///code/module_0.ts";
  let found: unknown;
  const turns = await turnsDuring(async () => found = await readInfoAside(json, entry));
  assert.ok(turns > 10, `${turns} turns`);
  assert.deepEqual(found, readInfo(json, entry));
});

Deno.test("a graph with too many modules or imports is said to be, and nothing else of it", () => {
  const entry = "file:///code/module_0.ts";
  for (
    const [modules, imports, problem] of [
      [FILES_MAX + 1, 1, "The handler imports 2001 files; at most 2000 are allowed."],
      [50, 1_000, "The modules of the handler have 50000 imports; at most 20000 are allowed."],
    ] as const
  ) {
    const { tooLarge, files, imports: kept } = readInfo(infoOf(modules, imports), entry);
    assert.equal(tooLarge, problem);
    assert.ok(files.length <= FILES_MAX && kept.length === 0);
  }
  assert.equal(readInfo(infoOf(FILES_MAX, 2), entry).tooLarge, undefined);
});

Deno.test("modules that are missing count as files, as each of them is looked for under many names", () => {
  const info = {
    redirects: {},
    modules: [
      {
        specifier: "file:///code/module_0.ts",
        dependencies: Array.from({ length: FILES_MAX }, (_, n) => ({
          specifier: `./missing${n}`,
          code: { specifier: `file:///code/missing${n}` },
        })),
      },
      ...Array.from({ length: FILES_MAX }, (_, n) => ({ specifier: `file:///code/missing${n}`, error: "not found" })),
    ],
  };
  const { tooLarge, broken } = readInfo(JSON.stringify(info), "file:///code/module_0.ts");
  assert.equal(tooLarge, "The handler imports 2001 files; at most 2000 are allowed.");
  assert.equal(broken.length, 0);
});

Deno.test("long work in slices lets others have their turn, again and again", async () => {
  const turns = await turnsDuring(async () => {
    const pause = slices();
    let pauses = 0;
    while (pauses < 5) {
      const paused = pause();
      if (paused) pauses++;
      await paused;
    }
  });
  assert.ok(turns >= 5, `${turns} turns`);
});
