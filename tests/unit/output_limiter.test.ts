// How much a sandbox may print, and when it has to wait.

import assert from "node:assert/strict";
import { OutputLimiter } from "../../src/sandbox/host/output_limiter.ts";

/** Lines and bytes that the message names. */
function numbersIn(message: string): number[] {
  return (message.match(/\d+/g) ?? []).map(Number);
}

Deno.test("a few lines for each call are kept up to the limit and counted beyond it, and no call waits", () => {
  const messages: string[] = [];
  let ended = 0;
  const limiter = new OutputLimiter(() => ended, (message) => messages.push(message));
  let kept = 0;
  for (let call = 0; call < 10_000; call++) {
    for (let line = 0; line < 3; line++) if (limiter.allow(50)) kept++;
    ended++;
    assert.equal(limiter.waitMs, 0);
  }
  limiter.reportDropped();
  const dropped = messages.map(numbersIn).reduce((sum, [lines]) => sum + lines!, 0);
  assert.ok(kept >= 800, `${kept}`);
  assert.equal(kept + dropped, 30_000);
});

Deno.test("a flood has to wait for the next second, even during calls", () => {
  let ended = 0;
  const limiter = new OutputLimiter(() => ended, () => {});
  let lines = 0;
  for (let call = 0; limiter.waitMs === 0 && call < 1_000; call++) {
    for (let line = 0; line < 100; line++, lines++) limiter.allow(50);
    ended++;
  }
  assert.ok(lines < 10_000, `${lines}`);
  assert.ok(limiter.waitMs > 0 && limiter.waitMs <= 1_000);
});
