// `deno task soak`, for as long as a test may take.

import assert from "node:assert/strict";
import { soak } from "../soak/soak.ts";

Deno.test("under mixed load every answer is the right one of its moment, and no call fails", async () => {
  const { calls, secretsChanged, codeEdited, keysRevoked, rotations, complaints } = await soak(12_000, () => {});
  assert.deepEqual(complaints, []);
  const counts = { calls, secretsChanged, codeEdited, keysRevoked, rotations };
  // Far fewer than on a machine that has nothing else to do.
  const least = { calls: 200, secretsChanged: 10, codeEdited: 3, keysRevoked: 1, rotations: 1 };
  for (const [what, count] of Object.entries(least)) {
    assert.ok(counts[what as keyof typeof counts] >= count, `${what}: ${JSON.stringify(counts)}`);
  }
});
