// The count of encryptions on several nodes, whose writes reach one database.

import assert from "node:assert/strict";
import { countSeals } from "../../src/core/encryption/encryption_counter.ts";
import { KeyFile } from "../../src/keyring/key_file.ts";
import { temporaryStore } from "./temporary.ts";

const BLOCK = 2 ** 16;

Deno.test("the counts of nodes add up, whatever each was told of the others before", () => {
  using there = temporaryStore();
  const { store, keyFile } = there;
  const nodes = ["a", "b", "c"].map((node) => {
    // Each node has a keyring of its own in memory.
    const { keyring } = new KeyFile(keyFile.path, undefined);
    return { node, keyring, counted: countSeals(keyring, store, node), seals: 0 };
  });
  const seal = (index: number, times: number) => {
    for (let n = 0; n < times; n++) nodes[index]!.keyring.seal("x", "");
    nodes[index]!.seals += times;
  };
  const assertCounted = (restarts: number) => {
    const done = nodes.reduce((sum, { seals }) => sum + seals, 0);
    for (const { counted } of nodes) {
      assert.ok(counted() >= done && counted() <= done + (nodes.length + restarts) * BLOCK, `${counted()} for ${done}`);
    }
  };
  for (const [index, times] of [[0, 10], [1, 40_000], [2, 1], [0, 70_000], [1, 40_000], [2, 1]] as const) {
    seal(index, times);
    assertCounted(0);
  }
  const restarted = nodes[1]!;
  restarted.counted = countSeals(restarted.keyring, store, restarted.node);
  seal(1, 100_000);
  assertCounted(1);

  keyFile.addKey(new Date());
  const { keyring } = new KeyFile(keyFile.path, undefined);
  const counted = countSeals(keyring, store, "a");
  assert.equal(counted(), 0, "a new key was never used");
  keyring.seal("x", "");
  assert.equal(counted(), 1);
});
