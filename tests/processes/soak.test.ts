// What `deno task soak` does, until enough of everything has happened.

import assert from "node:assert/strict";
import { soak } from "../soak/soak.ts";

Deno.test("under mixed load every answer is the right one of its moment, and no call fails", async () => {
  const enough = {
    calls: 200,
    secretsChanged: 10,
    codeEdited: 3,
    keysRevoked: 1,
    rotations: 1,
  };
  const report = await soak({ durationMs: 240_000, enough });
  assert.deepEqual(report.complaints, []);
  for (const [what, count] of Object.entries(enough)) {
    assert.ok(
      report[what as keyof typeof enough] >= count,
      `${what}: ${JSON.stringify(report)}`,
    );
  }
});
