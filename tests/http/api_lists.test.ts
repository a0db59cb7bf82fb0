// /api/keys and /api/functions, whole and page by page.

import assert from "node:assert/strict";
import { fillWithOwners, withFolder } from "./filled.ts";
import { startApp } from "./app.ts";
import { type Server } from "./server.ts";

interface Row {
  id: number;
}

async function pages(server: Server, path: string, name: string, limit: number): Promise<Row[]> {
  const rows: Row[] = [];
  const separator = path.includes("?") ? "&" : "?";
  for (let cursor: string | null = ""; cursor !== null;) {
    const query: string = `limit=${limit}${cursor && `&cursor=${cursor}`}`;
    const { status, body } = await server.api("GET", `${path}${separator}${query}`);
    assert.equal(status, 200, JSON.stringify(body));
    assert.deepEqual(Object.keys(body), [name, "next"]);
    assert.ok(body[name].length <= limit);
    rows.push(...body[name].map(withoutUse));
    cursor = body.next;
  }
  return rows;
}

/** Each request of a page is a use of the key that it comes with. */
function withoutUse({ lastUsedAt: _, ...row }: Record<string, unknown>): Record<string, unknown> {
  return row;
}

Deno.test("keys and functions are listed whole, and page by page in the same order", async () => {
  await withFolder(async (folder) => {
    fillWithOwners(folder, { functions: 300, groups: 30, secrets: 300 });
    await using server = await startApp({ folder });
    for (const [path, name, count] of [["/api/keys", "keys", 301], ["/api/functions", "functions", 300]] as const) {
      const { body } = await server.api("GET", path);
      assert.deepEqual(Object.keys(body), [name]);
      assert.equal(body[name].length, count);
      assert.deepEqual(await pages(server, path, name, 77), body[name].map(withoutUse));
    }
    const { body } = await server.api("GET", "/api/keys?groupId=7");
    assert.equal(body.keys.length, 10);
    assert.deepEqual(await pages(server, "/api/keys?groupId=7", "keys", 3), body.keys.map(withoutUse));

    const { body: revealed } = await server.api("GET", "/api/keys?includeValues=true");
    assert.ok(revealed.keys.every(({ value }: { value: string }) => value.length >= 16));
    const { body: audit } = await server.api("GET", "/api/audit?action=key.revealed");
    const told = audit.entries.map(({ after }: { after: { ids: number[] } | null }) => after?.ids.length ?? 1);
    assert.equal(told.reduce((sum: number, count: number) => sum + count, 0), 301, "every value that was shown");
  });
});

Deno.test("a limit or cursor that is none is refused as that field", async () => {
  await using server = await startApp();
  for (const path of ["/api/keys", "/api/functions"]) {
    for (const [field, bad] of [["limit", "0"], ["limit", "1001"], ["limit", "ten"], ["cursor", "5"]] as const) {
      const { status, body } = await server.api("GET", `${path}?${field}=${bad}`);
      assert.deepEqual([status, Object.keys(body.details)], [400, [field]], `${path} ${field}=${bad}`);
    }
  }
});
