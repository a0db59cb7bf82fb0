// `cluster status`, `cluster verify` and `cluster forget` by the real command, on a machine that is no node.

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { createClusterKeyring } from "../../src/cluster/keyring/open_keyring.ts";
import { type NodeRow, RowMacs } from "../../src/cluster/node/node_row.ts";
import { PostgresBlobs } from "../../src/cluster/postgres/postgres_blobs.ts";
import { PostgresNodeTable } from "../../src/cluster/postgres/node_table.ts";
import { Passphrase } from "../../src/config.ts";
import { sha256Of } from "../../src/sha256.ts";
import { makeHome } from "../cli/cli.ts";
import { temporaryFolder } from "../unit/temporary.ts";
import { entryOf, TestNode } from "./opened.ts";
import { startPostgres } from "./postgres.ts";

const PASSPHRASE = "a passphrase of tests";
const NODE: NodeRow = {
  id: "node-1",
  instance: "instance-1",
  url: "http://10.0.0.5:8000",
  version: "0.1.0",
  schema: 12,
  startedAt: 0,
  counter: 7,
  applied: 1,
  left: false,
};

Deno.test("the commands for a cluster work from any machine, and find what was altered and put back", async () => {
  await using server = await startPostgres();
  await using home = makeHome();
  using folder = temporaryFolder();
  const env = { DATABASE_URL: server.url, KEYRING_PASSPHRASE: PASSPHRASE };
  const cluster = (words: string, more: Record<string, string> = {}) =>
    home.cli(["cluster", ...words.split(" ")], { ...env, ...more });

  const unset = await home.cli(["cluster", "status"]);
  assert.deepEqual([unset.code, unset.stderr], [
    2,
    "DATABASE_URL, which names the cluster, is not set. A server without it is part of no cluster.\n",
  ]);
  const missing = await cluster("status");
  assert.equal(missing.code, 1);
  assert.match(missing.stderr, /^PostgreSQL: there is no cluster in the schema crude_functions; .*\n$/);

  // What the first node does.
  const passphrase = new Passphrase(PASSPHRASE, "the test");
  const { keyFile, body } = createClusterKeyring({ path: join(folder.path, "keys.json"), passphrase, now: new Date() });
  await using node = await TestNode.open(server.url, { keyring: keyFile.keyring });
  await node.log.exclusively((log) => log.append(node.applied, { ...entryOf(""), kind: "keyring", body }));
  await node.append("change 2");
  await node.append("change 3");
  const macs = new RowMacs(keyFile.keyring.derive("cluster nodes"), node.chain.cluster);
  const table = new PostgresNodeTable(node.postgres);
  await table.join(NODE, macs.of(NODE), undefined);

  const content = new TextEncoder().encode("a file of code");
  await new PostgresBlobs(node.postgres).put(sha256Of(content), content);

  const status = await cluster("status --json");
  assert.equal(status.code, 0, status.stderr);
  const { head } = status.json;
  assert.match(head, /^3:[0-9a-f]{64}$/);
  const [shown] = status.json.nodes;
  assert.deepEqual([shown.id, shown.url, shown.state, shown.behind], ["node-1", "http://10.0.0.5:8000", "live", 2]);
  const verified = await cluster(`verify --head ${head}`);
  assert.deepEqual([verified.code, verified.stdout], [
    0,
    `Verified 3 changes, 0 snapshots and 1 content of code: all are as nodes wrote them.\nHead: ${head}\n`,
  ]);
  assert.ok(!existsSync(home.dataDir), "they write nothing");

  for (
    const [alter, restore, message] of [
      [
        "UPDATE blobs SET body = '\\x00'",
        `UPDATE blobs SET body = '\\x${content.toHex()}'`,
        /^The content [0-9a-f]{64} of code does not match its SHA-256/,
      ],
      [
        "UPDATE nodes SET applied = 2",
        "UPDATE nodes SET applied = 1",
        /^The row of node node-1 in the table of nodes does not match its MAC/,
      ],
      [
        "UPDATE keyring SET seq = 0",
        "UPDATE keyring SET seq = 1",
        /^The keyring is not the one of entry 1 of the log of changes/,
      ],
      ["UPDATE log SET kind = 'change' WHERE seq = 1", "UPDATE log SET kind = 'keyring' WHERE seq = 1", /^Entry 1 /],
    ] as const
  ) {
    await server.query(`SET search_path = crude_functions; ${alter}`);
    const found = await cluster("verify");
    assert.equal(found.code, 1, alter);
    assert.match(found.stderr, message);
    await server.query(`SET search_path = crude_functions; ${restore}`);
  }
  assert.equal((await cluster("verify")).code, 0);

  const refused = await cluster("status", { KEYRING_PASSPHRASE: "another passphrase" });
  assert.equal(refused.code, 4);
  assert.match(refused.stderr, /passphrase/);

  const unknown = await cluster("forget node-2");
  assert.deepEqual([unknown.code, unknown.stderr], [
    1,
    "There is no node node-2. There are node-1 (http://10.0.0.5:8000).\n",
  ]);
  const renewing = new AbortController();
  const renewed = (async () => {
    for (let counter = 8; !renewing.signal.aborted; counter++) {
      const row = { ...NODE, counter };
      await table.renew(row, macs.of(row), false);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  })();
  const live = await cluster("forget node-1");
  assert.deepEqual([live.code, live.stderr], [1, "Node node-1 (http://10.0.0.5:8000) is live: stop it first.\n"]);
  renewing.abort();
  await renewed;
  const forgotten = await cluster("forget node-1");
  assert.deepEqual([forgotten.code, forgotten.stdout], [0, "Node node-1 is forgotten.\n"]);
  assert.deepEqual(await table.list(), []);

  for (const words of ["status", "verify", "forget node-1"]) {
    const away = await cluster(words, { DATABASE_URL: server.url.replace(/:\d+\//, ":1/") });
    assert.deepEqual([away.code, away.stderr], [
      1,
      "PostgreSQL is not available: the connection was refused (DATABASE_URL names 127.0.0.1:1). Nothing was changed.\n",
    ]);
  }
  await server.query(`SET search_path = crude_functions; DELETE FROM log WHERE seq = 3;
    UPDATE log_head SET seq = 2, mac = (SELECT mac FROM log WHERE seq = 2)`);
  const behind = await cluster(`verify --head ${head}`);
  assert.equal(behind.code, 1);
  assert.match(behind.stderr, /^Entry 3 of the log of changes is missing: .*\n$/);
  await server.query("UPDATE crude_functions.log SET summary = 'x' WHERE seq = 2");
  const altered = await cluster("verify --json");
  assert.deepEqual([altered.code, altered.json.exitCode], [1, 1]);
  assert.match(altered.json.error, /^Entry 2 of the log of changes does not match its MAC/);
});
