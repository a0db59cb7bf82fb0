// Lists that are answered whole, in pieces, or page by page.

import assert from "node:assert/strict";
import fc from "fast-check";
import { answerList } from "../../src/control/api/lists.ts";

/** What `answerList` reads from, and the greatest number of rows it asked for at once. */
function table(ids: Iterable<number>) {
  const rows = new Set(ids);
  let most = 0;
  return {
    rows,
    most: () => most,
    read(after: number, limit: number): { id: number }[] {
      most = Math.max(most, limit);
      return [...rows].sort((a, b) => a - b).filter((id) => id > after).slice(0, limit).map((id) => ({ id }));
    },
  };
}

const shown = (rows: { id: number }[]) => rows.map(({ id }) => ({ id, text: `"${id}", é` }));
const allow = () => {};
const upTo = (count: number) => Array.from({ length: count }, (_, n) => n + 1);

Deno.test("a whole list is what its pages are together, whatever their size", async () => {
  const sizes = [0, 1, 249, 250, 251, 500, 501, 1_234];
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...sizes), fc.integer({ min: 1, max: 1_000 }), async (size, limit) => {
      const { read } = table(upTo(size).map((n) => n * 3));
      const whole = await (await answerList("rows", { cursor: 0 }, read, shown, allow)).json();
      const pages: unknown[] = [];
      let cursor: number | null = 0;
      while (cursor !== null) {
        const page: { rows: { id: number }[]; next?: string | null } = await (await answerList(
          "rows",
          { limit, cursor },
          read,
          shown,
          allow,
        )).json();
        assert.ok(page.rows.length <= limit);
        pages.push(...page.rows);
        assert.equal(page.next === null, page.rows.length === 0 || page.rows.at(-1)!.id === size * 3);
        cursor = page.next === null ? null : page.rows.at(-1)!.id;
      }
      assert.deepEqual(whole, { rows: pages });
      assert.equal(pages.length, size);
    }),
    { numRuns: 100 },
  );
});

Deno.test("a long list is read in pieces, and only as it is taken", async () => {
  const { rows, read, most } = table(upTo(1_000));
  const response = await answerList("rows", { cursor: 0 }, read, shown, allow);
  rows.add(2_000);
  const { rows: given }: { rows: { id: number }[] } = await response.json();
  assert.deepEqual(given.map(({ id }) => id), [...upTo(1_000), 2_000]);
  assert.ok(most() < 1_000, `${most()} rows at once`);
});

Deno.test("a list whose other rows are deleted while it is sent ends well", async () => {
  const { rows, read } = table(upTo(1_000));
  const response = await answerList("rows", { cursor: 0 }, read, shown, allow);
  for (const id of [...rows]) if (id > 250) rows.delete(id);
  assert.equal((await response.json()).rows.length, 250);
});

Deno.test("others have their turns between the pieces of a long list", async () => {
  const { read } = table(upTo(1_000));
  let turns = 0;
  const timer = setInterval(() => turns++, 0);
  await (await answerList("rows", { cursor: 0 }, read, shown, allow)).json();
  clearInterval(timer);
  assert.ok(turns > 0);
});

Deno.test("a whole list breaks off when its reader may no longer see it", async () => {
  const { read } = table(upTo(1_000));
  let chunks = 0;
  const check = () => {
    if (++chunks > 2) throw new Error("revoked");
  };
  const reader = (await answerList("rows", { cursor: 0 }, read, shown, check)).body!.getReader();
  await reader.read();
  await reader.read();
  await assert.rejects(reader.read(), /revoked/);
  await assert.rejects(answerList("rows", { cursor: 0, limit: 1 }, read, shown, check), /revoked/);
});
