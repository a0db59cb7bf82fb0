// A server that is killed at any moment, again and again: each change that it acknowledged has its entry, each entry
// has its change, and the chain holds.

import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { makeHome } from "../cli/cli.ts";
import type { Server } from "../http/server.ts";

const ROUNDS = 6;
const CLIENTS = 4;

/** Makes changes until the server is gone; request ids of those that were answered go into `acknowledged`. */
async function change(server: Server, name: string, acknowledged: Set<string>): Promise<void> {
  for (let n = 0;; n++) {
    try {
      const created = await server.api("POST", "/api/secrets", { name: `${name}_${n}`, value: "v", scope: "global" });
      note(created, 201, acknowledged);
      note(await server.api("PUT", `/api/secrets/${created.body.id}`, { comment: "c" }), 200, acknowledged);
      note(await server.api("PUT", `/api/files/${name}.txt`, `${n}`), n === 0 ? 201 : 200, acknowledged);
      if (n % 2) note(await server.api("DELETE", `/api/secrets/${created.body.id}`), 200, acknowledged);
    } catch (error) {
      if (error instanceof assert.AssertionError) throw error;
      return;
    }
  }
}

function note(answer: { status: number; headers: Headers }, status: number, acknowledged: Set<string>): void {
  assert.equal(answer.status, status);
  acknowledged.add(answer.headers.get("x-request-id")!);
}

Deno.test("killed at any moment, the audit has every change that was acknowledged, and its chain holds", async () => {
  await using home = makeHome();
  const acknowledged = new Set<string>();
  for (let round = 1; round <= ROUNDS; round++) {
    {
      await using server = await home.startProcess();
      const clients = Array.from({ length: CLIENTS }, (_, n) => change(server, `R${round}_${n}`, acknowledged));
      const enough = acknowledged.size + 20 * round;
      while (acknowledged.size < enough) await new Promise((resolve) => setTimeout(resolve, 1));
      Deno.kill(server.pid, "SIGKILL");
      await Promise.all(clients);
    }
    const { code, stdout } = await home.cli(["audit", "verify"]);
    assert.equal(code, 0, `round ${round}: ${stdout}`);
  }
  const db = new DatabaseSync(home.database, { readOnly: true });
  const told = new Set(db.prepare("SELECT request_id FROM audit").all().map((row) => row.request_id));
  assert.deepEqual([...acknowledged].filter((requestId) => !told.has(requestId)), []);
  assert.ok(acknowledged.size > 200, `${acknowledged.size} changes`);
  const balance = db.prepare(
    "SELECT sum(action = 'secret.created') - sum(action = 'secret.deleted') AS told, (SELECT count(*) FROM secrets) AS there FROM audit",
  ).get()!;
  assert.equal(balance.told, balance.there, "no entry without its change, and no change without its entry");
  db.close();
});
