// Databases of several nodes that follow one log in PostgreSQL.

import assert from "node:assert/strict";
import { OPERATOR } from "../../src/actor.ts";
import { StoreUnavailable } from "../../src/cluster/log/errors.ts";
import type { SecretName } from "../../src/ids.ts";
import { type MemoryNode, memoryNodes, problemsOf, rowsOf } from "../unit/memory_nodes.ts";
import { TestNode } from "./opened.ts";
import { startPostgres } from "./postgres.ts";

Deno.test("nodes that change the same names at once have the same rows, also after PostgreSQL was killed", async () => {
  await using server = await startPostgres();
  await using connections = new AsyncDisposableStack();
  await using cluster = await memoryNodes(3, {
    connect: async (keyring) => connections.use(await TestNode.open(server.url, { keyring })).log,
  });
  const { nodes } = cluster;
  const create = (node: MemoryNode, n: number) =>
    node.store.commit(() =>
      node.secrets.create(OPERATOR, {
        name: `S${n}` as SecretName,
        value: String(n),
        owner: { scope: "global" },
        comment: "",
      })
    );
  const attempts = async (from: number, to: number) => {
    const all = nodes.flatMap((node) => Array.from({ length: to - from }, (_, n) => create(node, from + n)));
    return (await Promise.allSettled(all)).filter(({ status }) => status === "fulfilled").length;
  };
  assert.equal(await attempts(0, 20), 20, "each name once");
  await server.kill();
  await assert.rejects(create(nodes[0]!, 100), StoreUnavailable);
  await server.restart();
  while (true) {
    const id = await create(nodes[0]!, 100).catch((error) => {
      assert.ok(error instanceof StoreUnavailable, String(error));
      return undefined;
    });
    if (id !== undefined) break;
  }
  assert.equal(await attempts(20, 30), 10);
  const { seq } = nodes[0]!.replica.head;
  for (const { replica } of nodes) await replica.catchUp(seq);
  const [first, ...others] = nodes.map(rowsOf);
  for (const rows of others) assert.deepEqual(rows, first);
  for (const node of nodes) assert.deepEqual([problemsOf(node), node.failures, node.secrets.total()], [[], [], 31]);
});
