// How pages write times and numbers.

import assert from "node:assert/strict";
import { limitText, took } from "../../src/control/web/ui/format.ts";

Deno.test("how long something took has three digits, in the unit that fits", () => {
  const texts: readonly (readonly [number, string])[] = [
    [0, "0 ms"],
    [0.4126, "0.413 ms"],
    [12.34, "12.3 ms"],
    [999.4, "999 ms"],
    [999.6, "1 s"],
    [1_250, "1.25 s"],
    [61_000, "61 s"],
    [119_999, "120 s"],
    [150_000, "2.5 min"],
    [3_600_000 * 24, "1,440 min"],
  ];
  for (const [ms, text] of texts) assert.equal(took(ms), text);
});

Deno.test("a limit is exact, in the longest unit that it has a short number in", () => {
  const texts: readonly (readonly [number, string])[] = [
    [100, "100 ms"],
    [1_500, "1.5 s"],
    [1_234, "1,234 ms"],
    [30_000, "30 s"],
    [90_000, "1.5 min"],
    [100_000, "100 s"],
    [3_600_000, "1 h"],
  ];
  for (const [ms, text] of texts) assert.equal(limitText(ms), text);
});
