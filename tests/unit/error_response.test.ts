// What a caller is told when the disk fails, and when something else does.

import assert from "node:assert/strict";
import { errorResponse } from "../../src/http/errors.ts";

async function answerTo(
  thrown: unknown,
): Promise<{ status: number; body: { code: string; error: string }; log: string[] }> {
  const log: string[] = [];
  const answer = errorResponse(thrown, "request-1", (_level, message) => log.push(message));
  return { status: answer.status, body: await answer.json(), log };
}

Deno.test("a full disk is a 503 that says so, and the log has its cause", async () => {
  // SQLITE_FULL, https://www.sqlite.org/rescode.html
  const full = Object.assign(new Error("database or disk is full at /data/database.db"), { errcode: 13 });
  const { status, body, log } = await answerTo(full);
  assert.deepEqual([status, body.code], [503, "StorageFailed"]);
  assert.equal(body.error, "This could not be stored, so it was not done: the disk is full.");
  assert.match(log.join(), /database or disk is full at/);
});

Deno.test("an error that nobody foresaw is a 500 without anything of the inside", async () => {
  const { status, body, log } = await answerTo(new Error("undefined is not a function at /srv/inside.ts"));
  assert.deepEqual([status, body.code], [500, "InternalError"]);
  assert.doesNotMatch(body.error, /inside/);
  assert.match(log.join(), /undefined is not a function/);
});
