// The bin over a real store: how long it keeps secrets, and what does not get into it or out of it.

import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { OPERATOR } from "../../src/actor.ts";
import { createAccess } from "../../src/core/access/access.ts";
import { createSecrets } from "../../src/core/secrets/service.ts";
import type { AppError } from "../../src/errors.ts";
import type { GroupId, Owner, SecretId, SecretName } from "../../src/ids.ts";
import { secretAad } from "../../src/keyring/aad.ts";
import { temporaryStore } from "./temporary.ts";

const DAY_MS = 86_400_000;
const NAME = "DB" as SecretName;
const GLOBAL: Owner = { scope: "global" };

function opened() {
  const there = temporaryStore();
  const { store, keyring } = there;
  const clock = { now: 1_000 };
  const actions: string[] = [];
  const record = (
    _: unknown,
    { action, subject, after }: { action: string; subject: { id: unknown }; after?: unknown },
  ) => void actions.push(`${action} ${subject.id ?? JSON.stringify(after)}`);
  const secrets = createSecrets({ store, keyring, now: () => clock.now, record });
  const access = createAccess({ store, keyring, now: () => clock.now, groupsInSettings: () => [], record });
  const create = (owner: Owner = GLOBAL, name = NAME) =>
    secrets.create(OPERATOR, { name, value: "value", owner, comment: "" });
  const edit = (sql: string) => {
    using db = new DatabaseSync(there.path, { timeout: 5_000 });
    db.exec(sql);
  };
  const versionRows = () => {
    using db = new DatabaseSync(there.path, { readOnly: true });
    return (db.prepare("SELECT count(*) AS n FROM secret_versions").get() as { n: number }).n;
  };
  return { ...there, clock, actions, secrets, access, create, edit, versionRows };
}

Deno.test("a deleted secret is removed with all of its values after thirty days, not before", () => {
  using it = opened();
  const { secrets, clock } = it;
  const first = it.create();
  secrets.update(OPERATOR, first, { value: "second" });
  secrets.delete(OPERATOR, first);
  clock.now += DAY_MS;
  const second = it.create();
  secrets.delete(OPERATOR, second);
  clock.now = 1_000 + 30 * DAY_MS;
  assert.equal(secrets.bin.prune(), 0);
  assert.equal(it.versionRows(), 3);
  // The change of the value took a millisecond.
  clock.now += 2;
  assert.equal(secrets.bin.prune(), 1);
  assert.deepEqual(secrets.bin.list(0, 10).secrets.map(({ id }) => id), [second]);
  assert.equal(it.versionRows(), 1);
  clock.now += DAY_MS;
  assert.equal(secrets.bin.prune(), 1);
  assert.equal(it.versionRows(), 0);
  assert.deepEqual(it.actions.filter((action) => action.startsWith("secret.purged")), [
    `secret.purged ${first}`,
    `secret.purged ${second}`,
  ]);
});

Deno.test("a secret that cannot be read or was altered is deleted for good: the bin would make it genuine", () => {
  using it = opened();
  const { secrets, store } = it;
  const unreadable = it.create();
  const row = store.secrets.find(unreadable)!;
  store.secrets.update({ ...row, ciphertext: it.keyring.seal("x", "of another place"), now: 1 });
  secrets.delete(OPERATOR, unreadable);
  const altered = it.create();
  secrets.update(OPERATOR, altered, { value: "second" });
  it.edit(`UPDATE secrets SET comment = 'altered' WHERE id = ${altered}`);
  secrets.delete(OPERATOR, altered);
  assert.deepEqual(secrets.bin.list(0, 10).secrets, []);
  assert.equal(it.versionRows(), 0);

  // Neither does one that was altered in the bin come back.
  const binned = it.create();
  secrets.delete(OPERATOR, binned);
  it.edit("UPDATE deleted_secrets SET name = 'OTHER'");
  assert.throws(() => secrets.bin.restore(OPERATOR, binned), /There is no deleted secret/);
  secrets.bin.purge(OPERATOR, binned);
  assert.equal(it.versionRows(), 0);
});

Deno.test("a sealed secret comes back sealed, and to no wider owner", () => {
  using it = opened();
  const { secrets, store, access } = it;
  const groupId = access.createGroup(OPERATOR, "staging", "") as GroupId;
  const owner: Owner = { scope: "group", groupId };
  const seal = { sealed: true, hosts: ["api.example.com"], places: ["header", "query"] } as const;
  const ciphertext = it.keyring.seal("value", secretAad(owner, NAME));
  const id: SecretId = store.secrets.insert({ name: NAME, owner, ciphertext, comment: "", now: 1, ...seal });
  secrets.delete(OPERATOR, id);
  assert.throws(
    () => secrets.bin.restore(OPERATOR, id, GLOBAL),
    (error: AppError) => error.status === 400 && "scope" in (error.details as object),
  );
  secrets.bin.restore(OPERATOR, id);
  const { sealed, hosts, places } = secrets.get(id);
  assert.deepEqual({ sealed, hosts, places }, seal);

  // An earlier version keeps its seal, whatever the row says now.
  const row = secrets.get(id);
  store.secretArchive.keep(row, 5, null);
  store.secrets.update({ ...row, sealed: false, hosts: [], version: 2, now: 6 });
  secrets.history.restore(OPERATOR, id, 1);
  assert.deepEqual(secrets.get(id).hosts, ["api.example.com"]);
  assert.equal(secrets.get(id).version, 3);
});
