// JSON that the server itself answers with ends with a line feed, whichever part of it answers.

import assert from "node:assert/strict";
import { fillWithOwners, withFolder } from "./filled.ts";
import { startApp } from "./app.ts";

Deno.test("every JSON answer ends with one line feed: of the API, of /run's refusals, of /health", async () => {
  await withFolder(async (folder) => {
    // More than are sent in one chunk.
    fillWithOwners(folder, { functions: 600, groups: 2, secrets: 2 });
    await using server = await startApp({ folder });
    const key = { "X-API-Key": server.key };
    for (
      const [path, status, headers] of [
        ["/api/key-groups", 200, key],
        ["/api/functions", 200, key],
        ["/api/functions?limit=2", 200, key],
        ["/api/nothing", 404, key],
        ["/api/functions", 401, {}],
        ["/api/openapi.json", 200, {}],
        ["/run/nothing", 404, {}],
        ["/health", 200, {}],
      ] as const
    ) {
      const answer = await fetch(server.url + path, { headers });
      assert.deepEqual([answer.status, answer.headers.get("content-type")], [status, "application/json"], path);
      assert.match(await answer.text(), /^\{.*\}\n$/, path);
    }
  });
});
