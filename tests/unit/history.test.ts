// The soak's idea of what is right: what may be seen while things change.

import assert from "node:assert/strict";
import { History, winners } from "../soak/history.ts";

Deno.test("while a change is under way both values may be seen, after it was answered the new one alone", async () => {
  const history = new History<string | undefined>("old");
  const [before, answer] = [performance.now(), Promise.withResolvers<void>()];
  const change = history.change("new", () => answer.promise);
  const during = performance.now();
  assert.deepEqual(history.between(during, during), ["old", "new"]);
  answer.resolve();
  await change;
  const after = performance.now() + 1;
  assert.deepEqual(history.between(after, after), ["new"]);
  assert.deepEqual(history.between(before - 2, before - 1), ["old"]);
  assert.deepEqual(history.between(before - 2, after), ["old", "new"]);
});

Deno.test("the narrowest that is set wins; one that may be unset lets the next one through", async () => {
  const [key, group, global] = [undefined, "group", "global"].map((value) => new History<string | undefined>(value));
  const now = performance.now();
  assert.deepEqual(winners([key, group, global], now, now), new Set(["group"]));
  assert.deepEqual(winners([key, undefined], now, now), new Set([undefined]));
  await group!.change(undefined, () => Promise.resolve());
  const later = performance.now() + 1;
  assert.deepEqual(winners([key, group, global], now, later), new Set(["group", "global"]));
  assert.deepEqual(winners([key, group, global], later, later), new Set(["global"]));
});
