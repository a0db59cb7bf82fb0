// The arena itself: what it is there to find, it finds.

import assert from "node:assert/strict";
import { withArena } from "./arena.ts";

Deno.test("a planted value that a function answers with, or prints, is found", async () => {
  for (const how of [`c.text(await c.req.text())`, `(console.log(btoa(await c.req.text())), c.text("printed"))`]) {
    const attack = withArena("control, a value given away on purpose", async (arena) => {
      const body = arena.plant("given-away");
      await arena.attack("leaks", `export default async (c) => ${how};`, { method: "POST", body });
    });
    await assert.rejects(attack, /attacks gained something[^]*given-away/);
  }
});
