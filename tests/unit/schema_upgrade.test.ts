// The upgrade of the schema on nodes that follow one log: it waits for earlier programs, and is the same on all nodes.

import assert from "node:assert/strict";
import { cpSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { newEntryId } from "../../src/cluster/log/entry.ts";
import { HEAD_META } from "../../src/cluster/replica/replica.ts";
import { isUpgradeDue, upgradeSchema } from "../../src/cluster/replica/schema_upgrade.ts";
import { KeyFile, openKeyFile } from "../../src/keyring/key_file.ts";
import { FINGERPRINT } from "../../src/store/binding.ts";
import { NodeDatabase, schemaIn } from "../../src/store/node_database.ts";
import { joined } from "../../src/store/replication.ts";
import { SCHEMA_VERSION } from "../../src/store/schema.ts";
import { openStore } from "../../src/store/store.ts";
import { MemoryLog } from "./memory_log.ts";
import { rowsOf } from "./memory_nodes.ts";
import { temporaryFolder } from "./temporary.ts";

const EARLIER = SCHEMA_VERSION - 1;
const DATABASE = "database.db";
const KEYS = "encryption-keys.json";

/** What a node of the earlier schema makes of a change; it is not applied. */
function changesetOf(path: string, sql: string): Uint8Array {
  using db = new DatabaseSync(path);
  db.exec("BEGIN");
  const session = db.createSession();
  db.exec(sql);
  const changeset = session.changeset();
  session.close();
  db.exec("ROLLBACK");
  return joined([changeset]);
}

Deno.test("the schema is upgraded on all nodes at the same entry, once no live node has an earlier program", async () => {
  using folder = temporaryFolder();
  const paths = ["a", "b"].map((name) => join(folder.path, name));
  const [first, second] = paths as [string, string];
  mkdirSync(first);
  const keyFile = openKeyFile(join(first, KEYS), false, new Date(0));
  {
    using created = new NodeDatabase(join(first, DATABASE), { keyFile, created: EARLIER });
    created.meta.put(FINGERPRINT, keyFile.keyring.fingerprint());
  }
  cpSync(first, second, { recursive: true });
  assert.deepEqual(paths.map((path) => schemaIn(join(path, DATABASE))), [EARLIER, EARLIER]);

  const memory = new MemoryLog(keyFile.keyring);
  const log = memory.connect({ isCut: false, nextCommit: "answered", turns: () => 1 });
  const append = (kind: "change" | "keyring", body: Uint8Array) =>
    log.exclusively((locked) => locked.append(memory.head, { id: newEntryId(), kind, body, summary: "a test" }));
  await append("change", changesetOf(join(first, DATABASE), "INSERT INTO meta (name, value) VALUES ('x', '1')"));
  await append("keyring", new Uint8Array());

  const told: string[] = [];
  /** Of the second node; it ends when it has applied the first entry of the upgrade. */
  let ends = true;
  let behind = ["http://node-3 (0.3.0)"];
  const others: string[] = [];
  let looks = 0;
  const upgrade = async (path: string) => {
    using database = new NodeDatabase(join(path, DATABASE), { keyFile: new KeyFile(join(path, KEYS), undefined) });
    await upgradeSchema({
      log: {
        ...log,
        read(after, limit) {
          if (path === second && ends && database.schema === SCHEMA_VERSION) throw new Error("the node has ended");
          return log.read(after, limit);
        },
      },
      database,
      schema: SCHEMA_VERSION,
      applyOther: ({ kind }) => others.push(kind),
      nodesBehind: () => Promise.resolve(behind),
      report: (_, message) => told.push(message),
      async pause() {
        if (++looks === 4) {
          // A node with an earlier program makes a change, and then is stopped.
          await append("change", changesetOf(join(second, DATABASE), "UPDATE meta SET value = '2' WHERE name = 'x'"));
          behind = [];
        }
      },
    });
  };
  await Promise.all([upgrade(first), assert.rejects(upgrade(second), /has ended/)]);
  ends = false;
  {
    using half = new NodeDatabase(join(second, DATABASE), { keyFile });
    assert.deepEqual([half.schema, isUpgradeDue(half, SCHEMA_VERSION)], [SCHEMA_VERSION, true]);
  }
  await upgrade(second);
  assert.deepEqual(memory.entries.map(({ kind }) => kind), ["change", "keyring", "change", "migration", "migration"]);
  assert.equal(others.length, 2);
  assert.deepEqual(told.filter((message) => message.includes("stop or upgrade http://node-3 (0.3.0)")).length, 2);
  const [one, other] = paths.map((path) => rowsOf({ path }));
  assert.deepEqual(one, other);
  for (const path of paths) {
    const store = openStore(join(path, DATABASE), new KeyFile(join(path, KEYS), undefined), {
      onFinding: ({ problem }) => assert.fail(problem),
    });
    assert.deepEqual([store.meta.get("x"), JSON.parse(store.meta.get(HEAD_META)!).seq], ["2", 5]);
    store.close();
  }

  using late = new NodeDatabase(join(first, DATABASE), { keyFile });
  assert.equal(isUpgradeDue(late, SCHEMA_VERSION), false);
});
