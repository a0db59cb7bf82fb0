// The upgrade that gives deliveries MACs.

import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { openKeyFile } from "../../src/keyring/key_file.ts";
import { FINGERPRINT } from "../../src/store/binding.ts";
import { NodeDatabase } from "../../src/store/node_database.ts";
import { openStore } from "../../src/store/store.ts";
import { openVerification } from "../../src/store/verification.ts";
import { temporaryFolder } from "./temporary.ts";

Deno.test("deliveries of the schema before mail are kept, authenticated, and still sent", () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "database.db");
  const keyFile = openKeyFile(join(folder.path, "encryption-keys.json"), false, new Date(0));
  {
    using created = new NodeDatabase(path, { keyFile, created: 13 });
    created.meta.put(FINGERPRINT, keyFile.keyring.fingerprint());
  }
  {
    using db = new DatabaseSync(path);
    const add = db.prepare(
      "INSERT INTO webhook_deliveries (webhook_id, message_id, type, body, created_at, attempts, next_at, tried_at," +
        " status, problem) VALUES (?, ?, 'secret.due', '{}', 1, ?, ?, ?, ?, ?)",
    );
    add.run(1, "msg_1", 0, 5, null, null, null);
    add.run(1, "msg_2", 9, null, 7, 503, "The receiver answered with 503.");
    add.run(2, "msg_3", 1, null, 7, 204, null);
  }
  const store = openStore(path, keyFile, { isRestored: true, onFinding: ({ problem }) => assert.fail(problem) });
  store.startEpoch();
  const of = (id: number) =>
    store.deliveries.list({ channel: "webhook", receiverId: id }, 10).map(({ messageId, attempts, status }) => [
      messageId,
      attempts,
      status,
    ]);
  assert.deepEqual([of(1), of(2)], [[["msg_2", 9, 503], ["msg_1", 0, null]], [["msg_3", 1, 204]]]);
  const [due] = store.deliveries.due("webhook", 10, 5);
  assert.deepEqual([due!.messageId, due!.recipient], ["msg_1", ""]);
  store.transaction(() => store.deliveries.tried({ ...due!, attempts: 1, nextAt: null, triedAt: 11, status: 204 }));
  store.close();
  using verification = openVerification(path, keyFile.keyring);
  const steps = verification.run();
  let step = steps.next();
  while (!step.done) step = steps.next();
  assert.deepEqual(step.value, []);
});
