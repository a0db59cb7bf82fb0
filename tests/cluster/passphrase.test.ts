// The passphrase of a cluster is changed from any machine, for all nodes.

import assert from "node:assert/strict";
import { join } from "node:path";
import { openClusterKeyring } from "../../src/cluster/keyring/open_keyring.ts";
import { uncheckedKeyring } from "../../src/cluster/postgres/postgres_log.ts";
import { Passphrase } from "../../src/config.ts";
import { makeHome } from "../cli/cli.ts";
import { temporaryFolder } from "../unit/temporary.ts";
import { openTestPostgres } from "./opened.ts";
import { startPostgres } from "./postgres.ts";

const [OLD, NEW] = ["correct horse battery", "another horse battery"];

Deno.test("a new passphrase is an entry of the log: with the old one, no node can start any more", async () => {
  await using server = await startPostgres();
  await using stack = new AsyncDisposableStack();
  const postgres = await openTestPostgres(server.url);
  stack.defer(() => postgres.close());
  const folder = stack.use(temporaryFolder()).path;
  const opened = async (passphrase: string, name: string) =>
    openClusterKeyring({
      path: join(folder, name),
      stored: (await uncheckedKeyring(postgres))!,
      passphrase: new Passphrase(passphrase, "KEYRING_PASSPHRASE"),
    });
  await using home = makeHome();
  {
    await using _first = await home.start();
  }
  const env = { DATABASE_URL: server.url, KEYRING_PASSPHRASE: OLD };
  const change = (env: Record<string, string>, ...more: string[]) => home.cli(["keyring", "passphrase", ...more], env);
  const NEW_KEYRING_PASSPHRASE = NEW;
  const empty = await change({ ...env, NEW_KEYRING_PASSPHRASE });
  assert.match(empty.stderr, /is empty|no cluster/);
  assert.equal((await home.cli(["migrate-to-cluster"], env)).code, 0);
  const before = await opened(OLD, "a");

  const wrong = await change({ ...env, KEYRING_PASSPHRASE: NEW, NEW_KEYRING_PASSPHRASE });
  assert.equal(wrong.code, 4);
  assert.match(wrong.stderr, /keyring in PostgreSQL cannot be decrypted with the passphrase/);
  assert.equal((await change(env, "--remove")).code, 2);
  const changed = await change({ ...env, NEW_KEYRING_PASSPHRASE });
  assert.equal(changed.code, 0, changed.stderr);
  assert.match(changed.stderr, /restart/);

  await assert.rejects(opened(OLD, "b"), /cannot be decrypted with the passphrase of KEYRING_PASSPHRASE/);
  const after = await opened(NEW, "c");
  assert.equal(after.keyring.fingerprint(), before.keyring.fingerprint());
  assert.equal(after.revision, 2);
  assert.equal((await opened(NEW, "a")).revision, 2, "a node that did not run takes the new file");
});
