// How much a sandbox may print, and when it has to wait.

import assert from "node:assert/strict";
import { Prints } from "../../src/sandbox/host/output_limiter.ts";

/** Lines and bytes that the sentence tells of. */
function toldOf(text: string): number[] {
  return (text.match(/\d+/g) ?? []).map(Number);
}

Deno.test("a few lines for each call are kept up to the limit and counted beyond it, and hold up nobody", () => {
  const told: string[] = [];
  const prints = new Prints((text) => told.push(text));
  let kept = 0;
  for (let call = 0; call < 10_000; call++) {
    for (let line = 0; line < 3; line++) if (prints.take(50)) kept++;
    prints.callEnded();
    assert.equal(prints.waitMs, 0);
  }
  prints.tellDropped();
  const dropped = told.map(toldOf).reduce((sum, [lines]) => sum + lines!, 0);
  assert.ok(kept >= 800, `${kept}`);
  assert.equal(kept + dropped, 30_000);
});

Deno.test("a flood has to wait for the next second, also beside calls", () => {
  const prints = new Prints(() => {});
  let lines = 0;
  for (let call = 0; prints.waitMs === 0 && call < 1_000; call++) {
    for (let line = 0; line < 100; line++, lines++) prints.take(50);
    prints.callEnded();
  }
  assert.ok(lines < 10_000, `${lines}`);
  assert.ok(prints.waitMs > 0 && prints.waitMs <= 1_000);
});
