// Rotation over a real store and key file: what it re-encrypts, skips, refuses, remembers and drops, and when.

import assert from "node:assert/strict";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { OPERATOR } from "../../src/actor.ts";
import { createAccess } from "../../src/core/access/access.ts";
import { AppError } from "../../src/errors.ts";
import type { SecretId, SecretName } from "../../src/ids.ts";
import { secretVersionAad } from "../../src/keyring/aad.ts";
import { type KeyFile, KeyFileError, openKeyFile } from "../../src/keyring/key_file.ts";
import { keyChangesOf } from "../../src/core/encryption/key_changes.ts";
import { describeUnreadable } from "../../src/core/encryption/key_status.ts";
import { Rotation, type RotationSettings } from "../../src/core/encryption/rotation.ts";
import { countSeals, SEALS_MAX } from "../../src/core/encryption/encryption_counter.ts";
import { createSecrets } from "../../src/core/secrets/service.ts";
import type { Store } from "../../src/store/store.ts";
import { sql as firstSchema } from "../../src/store/migrations/001_start.ts";
import { openStoreAt, temporaryFolder, type TemporaryStore, temporaryStore, unrecorded } from "./temporary.ts";

const DAY_MS = 86_400_000;
const VALUES = 23;

/** A store with secrets in three scopes and API keys, and a rotation over it whose clock is `clock.now`. */
function rotating(there: TemporaryStore, settings: Partial<RotationSettings> = {}) {
  const { store, keyFile, keyring, path } = there;
  const clock = { now: 0 };
  const reports: string[] = [];
  const now = () => clock.now;
  const secrets = createSecrets({ store, keyring, now, record: unrecorded });
  const access = createAccess({ store, keyring, now, groupsInSettings: () => [], record: unrecorded });
  const groupId = access.createGroup(OPERATOR, "team", "");
  const keys = [1, 2, 3].map((n) => access.createKey(OPERATOR, { groupId, name: `key ${n}`, description: "" }));
  const ids: SecretId[] = [];
  for (let n = 0; n < VALUES - keys.length; n++) {
    const owner = n % 3 === 0
      ? { scope: "global" as const }
      : n % 3 === 1
      ? { scope: "group" as const, groupId }
      : { scope: "key" as const, keyId: keys[0]!.id };
    ids.push(secrets.create(OPERATOR, { name: `S${n}` as SecretName, value: `välue ${n} 🔑`, owner, comment: "" }));
  }
  const parts = (of: KeyFile = keyFile) => ({
    store,
    keyFile: of,
    settings: { intervalDays: () => 90, batchSize: () => 4, batchSleepMs: () => 0, keepDays: () => 30, ...settings },
    busy: () => false,
    now,
    report: (_level: string, message: string) => reports.push(message),
    record: unrecorded,
  });
  const rotation = new Rotation(parts());
  return {
    clock,
    reports,
    secrets,
    access,
    ids,
    keys,
    rotation,
    parts,
    keyPath: join(dirname(path), "encryption-keys.json"),
    versions: () => keyFile.versions().map(({ version }) => version),
    /** Asserts that every value but those of `unreadable` is what it was. */
    assertReadable(unreadable: readonly number[] = []): void {
      for (const [n, id] of ids.entries()) {
        if (unreadable.includes(id)) continue;
        assert.equal(secrets.reveal(OPERATOR, [secrets.get(id)])[0]!.value?.reveal(), `välue ${n} 🔑`, `secret ${id}`);
      }
      for (const { id, value } of keys) {
        assert.equal(access.reveal(OPERATOR, [access.key(id)])[0]!.value?.reveal(), value);
        assert.equal(access.find(value)?.keyId, id);
      }
    },
    /** Waits until a rotation that began by itself has ended. */
    async atRest(): Promise<void> {
      while (rotation.status().progress) await new Promise((resolve) => setTimeout(resolve, 5));
    },
  };
}

/** Stores another ciphertext, by way of the store, so that the row is authentic. */
function overwrite({ ciphertexts }: Store, id: SecretId, ciphertext: string): void {
  ciphertexts.replaceSecret(id, ciphertext);
}

Deno.test("a rotation brings every secret and API key to a new version and loses none", async () => {
  using there = temporaryStore();
  const it = rotating(there);
  assert.deepEqual(there.store.ciphertexts.versions(), [1]);
  const outcome = await it.rotation.rotate(OPERATOR);
  assert.equal(outcome.currentVersion, 2);
  assert.equal(outcome.reencrypted, VALUES);
  assert.equal(outcome.unreadable.values, 0);
  assert.deepEqual(there.store.ciphertexts.versions(), [2]);
  assert.equal(there.store.ciphertexts.count(2), VALUES);
  it.assertReadable();
  assert.deepEqual(it.versions(), [1, 2], "the old key is kept for backups");
  const reread = openKeyFile(it.keyPath, true, new Date());
  assert.equal(reread.keyring.currentVersion, 2);
  assert.equal(reread.keyring.fingerprint(), there.keyring.fingerprint(), "the look-up key never changes");
});

Deno.test("a rotation re-encrypts earlier values, those of deleted secrets included, and names those it cannot read", async () => {
  using there = temporaryStore();
  const it = rotating(there);
  const { keyring, store } = there;
  const insert = (secretId: SecretId, number: number, ciphertext: string) =>
    store.secretVersions.insert({
      ...{ secretId, number, ciphertext, sealed: false, hosts: [], places: ["header"] },
      ...{ setAt: 0, setBy: null, until: 1, previousUntil: null },
    });
  const gone = 999 as SecretId;
  for (const [id, number] of [[it.ids[0]!, 1], [it.ids[0]!, 2], [gone, 1]] as const) {
    insert(id, number, keyring.seal(`before ${number}`, secretVersionAad(id, number)));
  }
  insert(gone, 2, keyring.seal("moved", secretVersionAad(gone, 1)));
  const outcome = await it.rotation.rotate(OPERATOR);
  assert.equal(outcome.reencrypted, VALUES + 3);
  assert.match(describeUnreadable(outcome.unreadable), /^1 value could not .*: earlier values of secrets 999\.$/);
  for (const [id, number] of [[it.ids[0]!, 1], [it.ids[0]!, 2], [gone, 1]] as const) {
    const { ciphertext } = store.secretVersions.find(id, number)!;
    assert.match(ciphertext, /^v2\./);
    assert.equal(keyring.open(ciphertext, secretVersionAad(id, number)).reveal(), `before ${number}`);
  }
  assert.equal(store.ciphertexts.count(1), 1);
  it.clock.now = 31 * DAY_MS;
  it.rotation.check();
  assert.deepEqual(it.versions(), [1, 2], "a key that an earlier value needs is kept");
});

Deno.test("of five rotations started at once one succeeds and four are refused, and everything decrypts", async () => {
  using there = temporaryStore();
  const it = rotating(there);
  const results = await Promise.allSettled([1, 2, 3, 4, 5].map(() => it.rotation.rotate(OPERATOR)));
  assert.deepEqual(results.map(({ status }) => status), ["fulfilled", ...Array(4).fill("rejected")]);
  for (const result of results.slice(1) as PromiseRejectedResult[]) {
    assert.ok(result.reason instanceof AppError);
    assert.deepEqual([result.reason.code, result.reason.status], ["RotationInProgress", 409]);
  }
  assert.deepEqual(it.versions(), [1, 2]);
  it.assertReadable();
});

Deno.test("values written, renamed and deleted during a rotation are neither lost nor undone", async () => {
  using there = temporaryStore();
  const it = rotating(there, { batchSize: () => 1 });
  const run = it.rotation.rotate(OPERATOR);
  const written = new Map<SecretId, string>();
  for (let n = 0; it.rotation.status().progress !== null; n++) {
    const [first, second, last] = [it.ids[n], it.ids[n + 1], it.ids.at(-1 - n)];
    if (n < 8) {
      it.secrets.update(OPERATOR, first!, { value: `new ${n}` });
      it.secrets.update(OPERATOR, last!, { name: `renamed_${n}` as SecretName });
      const owner = { scope: "global" as const };
      written.set(
        it.secrets.create(OPERATOR, { name: `NEW_${n}` as SecretName, value: `n ${n}`, owner, comment: "" }),
        `n ${n}`,
      );
      written.set(first!, `new ${n}`);
      written.set(last!, `välue ${it.ids.length - 1 - n} 🔑`);
      assert.ok(
        it.secrets.reveal(OPERATOR, [it.secrets.get(second!)])[0]!.value,
        "every value can be read at any moment",
      );
    }
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  await run;
  for (const [id, value] of written) {
    assert.equal(it.secrets.reveal(OPERATOR, [it.secrets.get(id)])[0]!.value?.reveal(), value);
  }
  assert.deepEqual(there.store.ciphertexts.versions(), [2]);
});

Deno.test("values that cannot be read are skipped, counted and named by id, and the rotation ends", async () => {
  using there = temporaryStore();
  const it = rotating(there, { batchSize: () => 1 });
  const [a, b, c, d] = it.ids as [SecretId, SecretId, SecretId, SecretId];
  overwrite(there.store, a, "no ciphertext at all");
  overwrite(there.store, b, it.secrets.get(c).ciphertext);
  overwrite(there.store, d, `v2.${"A".repeat(80)}`);
  const { reencrypted, unreadable } = await it.rotation.rotate(OPERATOR);
  assert.equal(reencrypted, VALUES - 3);
  assert.equal(unreadable.values, 3);
  assert.deepEqual(unreadable.secrets, [a, b]);
  const said = describeUnreadable(unreadable);
  assert.equal(said, `3 values could not be read and stay as they are: secrets ${a}, ${b} and 1 more.`);
  assert.ok(it.reports.includes(said));
  assert.equal(it.rotation.status().currentVersion, 3, "a number that had another key once is not used again");
  assert.deepEqual(it.rotation.status().missingVersions, [{ version: 2, values: 1 }]);
  assert.equal(it.rotation.status().progress, null);
  it.assertReadable([a, b, d]);
  assert.equal((await it.rotation.rotate(OPERATOR)).unreadable.values, 3, "and the next one ends, too");
});

Deno.test("a version that the key file lacks is reported at the start with how many values need it", () => {
  using there = temporaryStore();
  const it = rotating(there);
  overwrite(there.store, it.ids[0]!, `v5.${"A".repeat(80)}`);
  overwrite(there.store, it.ids[1]!, `v5.${"A".repeat(80)}`);
  it.rotation.start();
  assert.ok(it.reports.some((report) => /version 5 is not in the key file, but 2 stored values/.test(report)));
  assert.deepEqual(it.rotation.status().missingVersions, [{ version: 5, values: 2 }]);
  it.assertReadable(it.ids.slice(0, 2));
  return it.rotation.stop();
});

Deno.test("a damaged version of any size cannot push the numbers beyond what can be read", async () => {
  using there = temporaryStore();
  const it = rotating(there);
  overwrite(there.store, it.ids[0]!, `v999999999.${"A".repeat(80)}`);
  overwrite(there.store, it.ids[1]!, `v${"9".repeat(30)}.${"A".repeat(80)}`);
  overwrite(there.store, it.ids[2]!, `v-3.${"A".repeat(80)}`);
  const { currentVersion, unreadable } = await it.rotation.rotate(OPERATOR);
  assert.deepEqual([currentVersion, unreadable.values], [2, 3]);
  it.assertReadable(it.ids.slice(0, 3));
  assert.throws(() => there.keyFile.addKey(new Date(), 999_999_999), /versions above/);
  assert.equal(there.keyring.currentVersion, 2);
});

Deno.test("a key file from before a rotation does not lead to a version that had another key", async () => {
  using there = temporaryStore();
  const it = rotating(there);
  const old = readFileSync(it.keyPath, "utf8");
  await it.rotation.rotate(OPERATOR);
  await it.rotation.rotate(OPERATOR);
  writeFileSync(it.keyPath, old);
  const next = new Rotation(it.parts(openKeyFile(it.keyPath, true, new Date())));
  assert.deepEqual(next.status().missingVersions, [{ version: 3, values: VALUES }]);
  assert.equal((await next.rotate(OPERATOR)).unreadable.values, VALUES, "it completes what the file says first");
  assert.equal((await next.rotate(OPERATOR)).currentVersion, 4);
});

Deno.test("a rotation begins by itself when the interval is over, and not before", async () => {
  using there = temporaryStore();
  const it = rotating(there);
  const status = it.rotation.status();
  assert.deepEqual([status.lastRotationAt, status.nextRotationAt, status.daysSinceRotation], [0, 90 * DAY_MS, 0]);
  it.clock.now = 90 * DAY_MS - 1;
  await it.rotation.check();
  assert.equal(it.rotation.status().progress, null);
  assert.equal(it.rotation.status().daysSinceRotation, 89);
  it.clock.now++;
  await it.rotation.check();
  assert.notEqual(it.rotation.status().progress, null);
  await it.atRest();
  assert.equal(it.rotation.status().currentVersion, 2);
  assert.equal(it.rotation.status().lastRotationAt, 90 * DAY_MS);
  await it.rotation.check();
  assert.equal(it.rotation.status().progress, null, "only one");
});

Deno.test("on a node, a rotation that fails is tried again after ever longer pauses, up to an hour", async () => {
  using there = temporaryStore();
  const it = rotating(there);
  let leads = 0;
  let isBroken = true;
  const cluster = {
    node: "a",
    keyChanges: keyChangesOf(there.keyFile),
    lead() {
      leads++;
      return isBroken ? Promise.reject(new Error("PostgreSQL is gone")) : Promise.resolve({
        [Symbol.asyncDispose]: () => Promise.resolve(),
      });
    },
  };
  const rotation = new Rotation({ ...it.parts(), cluster });
  const triedAt: number[] = [];
  /** Looks every five seconds, as a node does. */
  const look = async (seconds: number): Promise<void> => {
    for (const end = it.clock.now + seconds * 1_000; it.clock.now < end; it.clock.now += 5_000) {
      const before = leads;
      await rotation.check();
      while (rotation.status().progress) await new Promise((resolve) => setTimeout(resolve, 1));
      if (leads > before) triedAt.push((it.clock.now - 90 * DAY_MS) / 1_000);
    }
  };
  it.clock.now = 90 * DAY_MS;
  await look(2 * 3_600 + 2_000);
  assert.deepEqual(triedAt.slice(0, 5), [0, 10, 30, 70, 150]);
  assert.equal(triedAt.at(-1)! - triedAt.at(-2)!, 3_600);
  assert.ok(it.reports.every((report) => report.includes("PostgreSQL is gone")));
  assert.equal(it.reports.length, triedAt.length);
  isBroken = false;
  await look(3_600);
  assert.equal(rotation.status().currentVersion, 2);
});

Deno.test("a key that has encrypted a quarter of what its nonces allow is replaced by itself", async () => {
  using there = temporaryStore();
  there.store.meta.put("seal-count", JSON.stringify({ version: 1, reserved: SEALS_MAX - 10 }));
  const it = rotating(there);
  await it.rotation.check();
  assert.equal(it.rotation.status().progress, null);
  for (let n = 0; n < 10; n++) it.secrets.update(OPERATOR, it.ids[0]!, { value: "välue 0 🔑" });
  await it.rotation.check();
  await it.atRest();
  assert.equal(it.rotation.status().currentVersion, 2);
  await it.rotation.check();
  assert.equal(it.rotation.status().progress, null, "the new key begins at nought");
});

Deno.test("the count of encryptions outlives the process, by counting too many rather than too few", () => {
  using there = temporaryStore();
  let counted = countSeals(there.keyring, there.store);
  let done = 0;
  for (let start = 0; start < 5; start++) {
    const seals = [1, 40_000, 100_000, 0, 3][start]!;
    for (let n = 0; n < seals; n++, done++) there.keyring.seal("x", "");
    assert.ok(counted() >= done && counted() <= done + start * 65_536, `${counted()} for ${done}`);
    // What a new process would know.
    counted = countSeals(there.keyring, there.store);
    assert.ok(counted() >= done, `${counted()} for ${done}`);
  }
});

Deno.test("an old key is dropped after its days, only when nothing uses it, and never the current one", async () => {
  using there = temporaryStore();
  const it = rotating(there);
  await it.rotation.rotate(OPERATOR);
  it.clock.now = 10 * DAY_MS;
  // One value keeps version 2 in use.
  const held = it.secrets.get(it.ids[0]!).ciphertext;
  await it.rotation.rotate(OPERATOR);
  overwrite(there.store, it.ids[0]!, held);
  it.clock.now = 30 * DAY_MS - 1;
  await it.rotation.check();
  assert.deepEqual(it.versions(), [1, 2, 3]);
  it.clock.now = 30 * DAY_MS;
  await it.rotation.check();
  assert.deepEqual(it.versions(), [2, 3]);
  it.assertReadable();
  it.clock.now = 60 * DAY_MS;
  await it.rotation.check();
  assert.deepEqual(it.versions(), [2, 3], "still used");
  it.secrets.update(OPERATOR, it.ids[0]!, { value: "välue 0 🔑" });
  await it.rotation.check();
  it.clock.now = 89 * DAY_MS;
  await it.rotation.check();
  assert.deepEqual(it.versions(), [2, 3], "its days begin when it is free");
  it.clock.now = 90 * DAY_MS;
  await it.rotation.check();
  assert.deepEqual(it.versions(), [3]);
  assert.throws(() => there.keyFile.dropKeys([3]), /cannot be dropped/);
  assert.deepEqual(openKeyFile(it.keyPath, true, new Date()).versions().map(({ version }) => version), [3]);
  it.assertReadable();
});

Deno.test("what is known of the keys: their values, until when old ones are kept, and how often the current one sealed", async () => {
  using there = temporaryStore();
  const it = rotating(there);
  it.clock.now = 5 * DAY_MS;
  await it.rotation.rotate(OPERATOR);
  const { keyFile, isWrapped, versions, damaged, seals, sealsMax } = it.rotation.keys();
  assert.equal(keyFile, it.keyPath);
  assert.equal(isWrapped, false);
  assert.deepEqual(versions, [
    { version: 1, createdAt: 0, values: 0, keptUntil: 35 * DAY_MS },
    { version: 2, createdAt: 5 * DAY_MS, values: VALUES, keptUntil: undefined },
  ]);
  assert.deepEqual([damaged, seals, sealsMax], [0, VALUES, SEALS_MAX]);
  overwrite(there.store, it.ids[0]!, "no ciphertext at all");
  assert.equal(it.rotation.keys().damaged, 1);
});

Deno.test("a rotation that was interrupted goes on with the same key, at the start and when asked for", async () => {
  using there = temporaryStore();
  const it = rotating(there, { batchSize: () => 5 });
  const run = it.rotation.rotate(OPERATOR);
  while (it.rotation.status().progress!.done < 10) await new Promise((resolve) => setTimeout(resolve, 0));
  const stopped = it.rotation.stop();
  await assert.rejects(run, (error: AppError) => error.code === "Stopping" && error.status === 503);
  await stopped;
  assert.deepEqual(there.store.ciphertexts.versions(), [1, 2]);
  it.assertReadable();
  const next = new Rotation(it.parts());
  next.start();
  while (next.status().progress!.total === 0) await new Promise((resolve) => setTimeout(resolve, 0));
  const { done, total } = next.status().progress!;
  assert.ok(done >= 10 && total === VALUES, `${done} of ${total}`);
  while (next.status().progress) await new Promise((resolve) => setTimeout(resolve, 5));
  await next.stop();
  assert.deepEqual(there.store.ciphertexts.versions(), [2]);
  assert.deepEqual(it.versions(), [1, 2]);
  it.assertReadable();
});

Deno.test("a key that became current and then nothing more is completed, not replaced by another", async () => {
  using there = temporaryStore();
  const it = rotating(there);
  there.keyFile.addKey(new Date(0));
  const next = new Rotation(it.parts());
  assert.equal((await next.rotate(OPERATOR)).currentVersion, 2);
  assert.deepEqual(it.versions(), [1, 2]);
  it.assertReadable();
});

Deno.test("a key file that cannot be written leaves everything as it was, and the next attempt succeeds", async () => {
  using there = temporaryStore();
  const it = rotating(there);
  const before = readFileSync(it.keyPath, "utf8");
  // A folder in the draft's place stands for a disk that takes no new file.
  mkdirSync(join(`${it.keyPath}.draft`, "in the way"), { recursive: true });
  await assert.rejects(it.rotation.rotate(OPERATOR));
  assert.equal(readFileSync(it.keyPath, "utf8"), before);
  assert.equal(there.keyring.currentVersion, 1);
  assert.equal(it.rotation.status().progress, null);
  it.assertReadable();
  rmSync(`${it.keyPath}.draft`, { recursive: true });
  assert.equal((await it.rotation.rotate(OPERATOR)).currentVersion, 2);
  it.assertReadable();
});

Deno.test("a full disk in the middle is a clear 503, and the same rotation goes on when there is room", async () => {
  using there = temporaryStore();
  const it = rotating(there, { batchSize: () => 1 });
  const { store } = there;
  let room = 8;
  const full = Object.assign(new Error("database or disk is full"), { errcode: 13 });
  const parts = it.parts();
  const cramped = {
    ...store,
    commitWithoutSync<T>(work: () => T): Promise<T> {
      return room-- <= 0 ? Promise.reject(full) : store.commitWithoutSync(work);
    },
  };
  const rotation = new Rotation({ ...parts, store: cramped });
  await assert.rejects(rotation.rotate(OPERATOR), (error: AppError) => {
    assert.deepEqual([error.code, error.status], ["StorageFailed", 503]);
    assert.match(error.message, /the disk is full/);
    return true;
  });
  assert.equal(rotation.status().progress, null);
  const failed = rotation.last;
  assert.ok(failed && "failure" in failed && failed.failure.includes("the disk is full"));
  assert.deepEqual(store.ciphertexts.versions(), [1, 2]);
  it.assertReadable();
  room = Infinity;
  const { currentVersion, reencrypted } = await rotation.rotate(OPERATOR);
  assert.equal(currentVersion, 2);
  assert.ok(reencrypted < VALUES);
  const { last } = rotation;
  assert.ok(last && "outcome" in last && last.outcome.reencrypted === reencrypted);
  assert.deepEqual(store.ciphertexts.versions(), [2]);
  it.assertReadable();
});

Deno.test("a database of the first schema gets its key versions counted", () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "database.db");
  {
    using db = new DatabaseSync(path);
    db.exec(`${firstSchema}; PRAGMA user_version = 1`);
    const insert = db.prepare(
      "INSERT INTO secrets (name, scope, owner_id, ciphertext, comment, created_at, updated_at)" +
        " VALUES (?, 'global', 0, ?, '', 1, 1)",
    );
    for (const n of [1, 2, 3]) insert.run(`S${n}`, `v1.AAA${n}`);
    insert.run("DAMAGED", `v${"9".repeat(30)}.AAAA`);
  }
  const { store } = openStoreAt(path);
  assert.deepEqual(store.ciphertexts.versions(), [1, 999_999_999]);
  assert.equal(store.ciphertexts.count(1), 3);
  store.close();
});

Deno.test("a key file that goes missing is not made anew while there is data", () => {
  using there = temporaryStore();
  const it = rotating(there);
  rmSync(it.keyPath);
  assert.throws(() => openKeyFile(it.keyPath, true, new Date()), KeyFileError);
});
