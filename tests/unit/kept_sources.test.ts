// What a process runs: the contents that its call found, also if the code folder changes while they are copied.

import assert from "node:assert/strict";
import { join } from "node:path";
import { codeOf } from "../../src/code/modules/code.ts";
import type { ModuleGraph } from "../../src/code/modules/imports.ts";
import { type KeptContent, makeSandboxFolder } from "../../src/sandbox/process/sandbox_dir.ts";
import { foldersIn } from "./folders.ts";
import { temporaryFolder } from "./temporary.ts";

Deno.test("files that are kept are copied as they were, whatever the code folder has by then", async () => {
  using home = temporaryFolder();
  const { runDir, codeDir, denoDir } = foldersIn(home.path);
  const kept = join(home.path, "kept");
  await Deno.mkdir(kept);
  const files = ["a.ts", "b.ts", "gone.ts", "purged.ts", "edited.ts"].map((name) => join(codeDir, name));
  const sources: (KeptContent | undefined)[] = [];
  for (const file of files) {
    const name = file.slice(codeDir.length + 1);
    await Deno.writeTextFile(file, `new ${name}`);
    await Deno.writeTextFile(join(kept, name), `old ${name}`);
    sources.push(() => Deno.readFile(join(kept, name)).catch(() => undefined));
  }
  await Deno.remove(files[2]!);
  // A content that was purged since, and a file whose content was never kept.
  await Deno.remove(join(kept, "purged.ts"));
  sources[4] = undefined;
  const folder = makeSandboxFolder({ runDir, codeDir, denoDir }, { lock: undefined, config: undefined }, undefined);
  try {
    await folder.installCode(files, sources);
    const copied = files.map((file) => Deno.readTextFileSync(join(folder.code, file.slice(codeDir.length + 1))));
    assert.deepEqual(copied, ["old a.ts", "old b.ts", "old gone.ts", "new purged.ts", "new edited.ts"]);
  } finally {
    await folder.remove();
  }
});

Deno.test("each file keeps its own source, with and without other files, and where none of the modules is kept", () => {
  const kept = (name: string): KeptContent => Object.assign(() => Promise.resolve(undefined), { toJSON: () => name });
  const graph = (sources: KeptContent[]) =>
    ({ files: ["/m", "/n"], sources, npm: [], packages: [] }) as unknown as ModuleGraph;
  const limits = { importHosts: [], net: false, memoryMb: 64 };
  const assets = { version: 1, files: ["/n", "/x"], sources: [kept("n"), kept("x")], problem: undefined };
  const pairs = ({ files, sources }: ReturnType<typeof codeOf>) =>
    JSON.parse(JSON.stringify(files.map((file, n) => [file, sources?.[n] ?? null])));
  assert.deepEqual(pairs(codeOf(graph([kept("m"), kept("n")]), assets, limits)), [
    ["/m", "m"],
    ["/n", "n"],
    ["/x", "x"],
  ]);
  assert.deepEqual(pairs(codeOf(graph([]), assets, limits)), [["/m", null], ["/n", null], ["/x", "x"]]);
});
