// Contents of earlier versions of the code, which are kept for some days.

import assert from "node:assert/strict";
import { join } from "node:path";
import fc from "fast-check";
import { createCodeHistory } from "../../src/code/versions/history.ts";
import type { TreeFile } from "../../src/code/versions/tree.ts";
import { sha256Of } from "../../src/sha256.ts";
import { createBlobs } from "../../src/store/blobs.ts";
import { temporaryFolder, temporaryStore } from "./temporary.ts";

const PATHS = ["a.ts", "b.ts", "c.ts"];
const CONTENTS = ["one", "two", "three"];
const bytesOf = (text: string) => new TextEncoder().encode(text);
const fileOf = (text: string): TreeFile => ({ sha256: sha256Of(bytesOf(text)), sizeBytes: text.length });

/** Changes of a few files among few contents, so that contents come back and are elsewhere at the same time. */
const changes = fc.array(
  fc.dictionary(fc.constantFrom(...PATHS), fc.option(fc.constantFrom(...CONTENTS)), { minKeys: 1, maxKeys: 2 }),
  { minLength: 1, maxLength: 12 },
);

Deno.test("a content is kept if a version that was the current one within the time has it", async () => {
  await fc.assert(
    fc.asyncProperty(changes, fc.nat(14), async (steps, cutoff) => {
      using there = temporaryStore();
      using folder = temporaryFolder();
      const { store, keyring } = there;
      let now = 0;
      const key = keyring.derive("code versions");
      const history = createCodeHistory({ store: store.codeVersions, key, now: () => now });
      const blobs = createBlobs(join(folder.path, "blobs"));
      for (const text of CONTENTS) await blobs.put(fileOf(text).sha256, bytesOf(text));
      /** The trees and when each became the current one. */
      const trees: { at: number; contents: Set<string> }[] = [];
      for (const step of steps) {
        now++;
        const tree = new Map(Object.entries(step).map(([path, text]) => [path, text === null ? null : fileOf(text)]));
        const before = history.head().version;
        store.transaction(() => history.commit({ kind: "server", id: null, name: null }, "file", "", tree));
        if (history.head().version === before) continue;
        const contents = new Set([...history.head().tree.values()].map(({ sha256 }) => String(sha256)));
        trees.push({ at: now, contents });
      }
      const from = store.codeVersions.idAt(cutoff);
      const kept = trees.filter((_, index) => (trees[index + 1]?.at ?? Infinity) > cutoff);
      const expected = CONTENTS.map((text) => String(fileOf(text).sha256))
        .filter((sha256) => kept.some(({ contents }) => contents.has(sha256)));
      await blobs.sweep(Infinity, (sha256) => store.codeVersions.isUsed(sha256, from));
      assert.deepEqual((await blobs.list()).sort(), expected.sort());
      // Without a limit, each content that any version has.
      const all = CONTENTS.map((text) => String(fileOf(text).sha256))
        .filter((sha256) => store.codeVersions.isUsed(sha256, 0));
      assert.deepEqual(all.sort(), [...new Set(trees.flatMap(({ contents }) => [...contents]))].sort());
    }),
    { numRuns: 25 },
  );
});
