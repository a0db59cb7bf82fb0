// Keys and code on several nodes: rotations led by one of them, and contents that every node fetches before it applies the
// change that names them.

import assert from "node:assert/strict";
import { join } from "node:path";
import { OPERATOR } from "../../src/actor.ts";
import { moveIntoCluster } from "../../src/cluster/moving/migration.ts";
import { authorOf } from "../../src/code/versions/author.ts";
import { Passphrase } from "../../src/config.ts";
import { AppError } from "../../src/errors.ts";
import { parseDatabaseUrl } from "../../src/database_url.ts";
import type { SecretName } from "../../src/ids.ts";
import { secretAad } from "../../src/keyring/aad.ts";
import { openKeyFile } from "../../src/keyring/key_file.ts";
import { sha256Of } from "../../src/sha256.ts";
import { openStore } from "../../src/store/store.ts";
import { temporaryFolder } from "../unit/temporary.ts";
import { type InProcessNode, joinInProcess, PASSPHRASE } from "./in_process.ts";
import { startPostgres, type TestPostgres } from "./postgres.ts";

const DAY_MS = 86_400_000;
const VALUES = 12;

interface TestCluster extends AsyncDisposable {
  readonly postgres: TestPostgres;
  readonly all: InProcessNode[];
  join(): Promise<InProcessNode>;
}

/** A cluster without nodes, made of an empty server. */
async function startCluster(): Promise<TestCluster> {
  await using stack = new AsyncDisposableStack();
  const postgres = stack.use(await startPostgres());
  const dataDir = stack.use(temporaryFolder()).path;
  const keyFile = openKeyFile(join(dataDir, "encryption-keys.json"), false, new Date());
  const database = join(dataDir, "database.db");
  openStore(database, keyFile).close();
  await moveIntoCluster({
    ...{ dataDir, database, keyFile, passphrase: PASSPHRASE, now: new Date() },
    cluster: { database: parseDatabaseUrl(postgres.url), schema: "crude_functions", nodeUrl: undefined },
    onMoved() {},
    onProgress() {},
    onWaiting() {},
  });
  const all: InProcessNode[] = [];
  stack.defer(async () => {
    for (const node of [...all]) await node[Symbol.asyncDispose]();
  });
  const opened = stack.move();
  return {
    postgres,
    all,
    join: () => joinInProcess({ url: postgres.url, folder: opened.use(temporaryFolder()).path, all }),
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

async function createValues({ store, secrets }: InProcessNode, prefix = "S"): Promise<void> {
  for (let n = 0; n < VALUES; n++) {
    const secret = { name: `${prefix}${n}` as SecretName, value: `välue ${n}`, owner: { scope: "global" as const } };
    await store.commit(() => secrets.create(OPERATOR, { ...secret, comment: "" }));
  }
}

/** Asserts that a node can read all values, with keys of these versions. */
function assertReadable({ store, keyFile }: InProcessNode, versions: readonly number[], values = VALUES): void {
  assert.deepEqual(store.ciphertexts.versions(), versions);
  const read = versions.flatMap((version) => store.ciphertexts.secrets(version, 0, 1_000))
    .map(({ ciphertext, owner, name }) => keyFile.keyring.open(ciphertext, secretAad(owner, name)).reveal());
  assert.equal(read.length, values);
  assert.ok(read.every((value) => value.startsWith("välue")));
}

const versionsOf = ({ keyFile }: InProcessNode) => keyFile.versions().map(({ version }) => version);

Deno.test("one node leads a rotation, all have the new key before a value needs it, and old keys are dropped on all", async () => {
  await using cluster = await startCluster();
  const [a, b] = [await cluster.join(), await cluster.join()];
  await createValues(a);
  const now = { ms: Date.now() };
  const [ofA, ofB] = [a, b].map((node) => node.rotation({ now: () => now.ms }));
  const run = ofA!.rotate(OPERATOR);
  while (!b.store.meta.get("rotation")?.includes('"target":2')) await new Promise((resolve) => setTimeout(resolve, 1));
  assert.equal(b.keyFile.keyring.currentVersion, 2);
  assert.equal(ofB!.status().progress!.total, VALUES);
  await assert.rejects(ofB!.rotate(OPERATOR), (error: AppError) => error.code === "RotationInProgress");
  await b.store.commit(() =>
    b.secrets.create(OPERATOR, {
      ...{ name: "MEANWHILE" as SecretName, value: "välue", owner: { scope: "global" }, comment: "" },
    })
  );
  assert.equal((await run).currentVersion, 2);
  for (const node of cluster.all) assertReadable(node, [2], VALUES + 1);
  assert.equal(ofB!.status().progress, null);

  const late = await cluster.join();
  assertReadable(late, [2], VALUES + 1);
  now.ms += 31 * DAY_MS;
  await ofB!.check();
  for (const node of cluster.all) assert.deepEqual(versionsOf(node), [2]);
  const last = await cluster.join();
  assert.deepEqual(versionsOf(last), [2], "in PostgreSQL, too");
  assertReadable(last, [2], VALUES + 1);
});

Deno.test("a leader that ends is succeeded, whichever step it had taken, and the same key is used", async () => {
  await using cluster = await startCluster();
  const [a, b] = [await cluster.join(), await cluster.join()];
  await createValues(a);
  const ofA = a.rotation({ batchSize: () => 1 });
  const run = ofA.rotate(OPERATOR);
  while ((ofA.status().progress?.done ?? 0) < 3) await new Promise((resolve) => setTimeout(resolve, 0));
  const [ended] = await Promise.allSettled([run, ofA.stop()]);
  assert.equal(ended.status, "rejected");
  await a[Symbol.asyncDispose]();
  assert.deepEqual(b.store.ciphertexts.versions(), [1, 2]);
  const ofB = b.rotation();
  await ofB.check();
  while (b.store.ciphertexts.versions().length > 1) await new Promise((resolve) => setTimeout(resolve, 5));
  await ofB.stop();
  assertReadable(b, [2]);

  const c = await cluster.join();
  await c.writer.append(() => {
    const { text } = c.keyFile.withKey(new Date());
    return { kind: "keyring", body: new TextEncoder().encode(text), summary: "a key was added" };
  });
  await c[Symbol.asyncDispose]();
  assert.equal(b.keyFile.pendingVersion, 3);
  const next = b.rotation();
  assert.equal((await next.rotate(OPERATOR)).currentVersion, 3);
  assertReadable(b, [3]);
  assert.deepEqual(versionsOf(b), [1, 2, 3]);
});

Deno.test("a node with a wrong passphrase does not join", async () => {
  await using cluster = await startCluster();
  using folder = temporaryFolder();
  const wrong = new Passphrase("another horse battery", "KEYRING_PASSPHRASE");
  const { url } = cluster.postgres;
  await assert.rejects(
    joinInProcess({ url, folder: folder.path, all: [], passphrase: wrong }),
    /The keyring in PostgreSQL cannot be decrypted with the passphrase of KEYRING_PASSPHRASE/,
  );
  assert.deepEqual([...Deno.readDirSync(folder.path)].map(({ name }) => name), ["code"], "nothing is written");
});

Deno.test("a node that runs with the passphrase from before takes no part in a rotation, and says what to do", async () => {
  await using cluster = await startCluster();
  const a = await cluster.join();
  const passphrase = new Passphrase("another horse battery", "KEYRING_PASSPHRASE");
  await a.keyringChanges.changePassphrase(passphrase);
  const rotate = ({ keyringChanges }: InProcessNode) => keyringChanges.add(new Date(), () => 0, () => []);
  const needed = { code: "PassphraseChanged", status: 503 };
  await assert.rejects(rotate(a), needed);
  assert.equal(a.keyFile.keyring.currentVersion, 1);

  using folder = temporaryFolder();
  const { postgres, all } = cluster;
  await using b = await joinInProcess({ url: postgres.url, folder: folder.path, all, passphrase });
  // The nodes of this test wait for each other whatever happens to them.
  await assert.rejects(rotate(b), needed);
  assert.equal(b.keyFile.pendingVersion, 2);
  assert.match(a.reports.at(-1)!, /^The passphrase of the cluster's keyring was changed\. .* restart this server\.$/);
});

/** Makes a version with these files on a node, as a deployment does; null deletes one. */
async function deployOn(node: InProcessNode, files: Record<string, string | null>): Promise<number | undefined> {
  const { blobs, history, store, workingCopy } = node;
  const changes = new Map<string, { sha256: string; sizeBytes: number } | null>();
  for (const [path, text] of Object.entries(files)) {
    const content = new TextEncoder().encode(text ?? "");
    if (text !== null) await blobs.put(sha256Of(content), content);
    changes.set(path, text === null ? null : { sha256: sha256Of(content), sizeBytes: content.length });
  }
  await using staged = await workingCopy.stage(changes);
  return await store.commit(() => {
    staged.check();
    return history.commit(authorOf(OPERATOR), "deployment", "a deployment", changes);
  }, (version) => {
    staged.apply();
    return version;
  });
}

async function filesOf({ codeDir }: InProcessNode): Promise<Record<string, string>> {
  const found: [string, string][] = [];
  const walk = async (folder: string): Promise<void> => {
    for await (const { name, isDirectory } of Deno.readDir(join(codeDir, folder))) {
      if (isDirectory) await walk(join(folder, name));
      else found.push([join(folder, name), await Deno.readTextFile(join(codeDir, folder, name))]);
    }
  };
  await walk("");
  return Object.fromEntries(found.sort());
}

Deno.test("a deployment that was answered is in the code folder of every node, also of later ones", async () => {
  await using cluster = await startCluster();
  const [a, b] = [await cluster.join(), await cluster.join()];
  await deployOn(a, { "a.ts": "one", "lib/b.ts": "two" });
  assert.deepEqual(await filesOf(b), { "a.ts": "one", "lib/b.ts": "two" });
  await Promise.all([
    deployOn(a, { "a.ts": "three" }).catch(() => {}),
    deployOn(b, { "lib/b.ts": null, "c.ts": "four" }).catch(() => {}),
  ]);
  const files = await filesOf(a);
  assert.deepEqual(await filesOf(b), files);
  assert.deepEqual(files, { "a.ts": "three", "c.ts": "four" });
  const c = await cluster.join();
  assert.deepEqual(await filesOf(c), files);

  await Deno.writeTextFile(join(c.codeDir, "a.ts"), "edited");
  await Deno.writeTextFile(join(c.codeDir, "new.ts"), "new");
  await c.workingCopy.recordAllEdits();
  assert.deepEqual(await filesOf(c), files);
  assert.match(c.reports.at(-1)!, /Edited on disk: a\.ts, new\.ts\. This was undone/);
  assert.equal(a.history.head().version, c.history.head().version, "no version was made of it");
});

Deno.test("a content that PostgreSQL lost comes from another node; if none has it, nothing of the change is applied", async () => {
  await using cluster = await startCluster();
  const [a, b] = [await cluster.join(), await cluster.join()];
  const content = new TextEncoder().encode("lost");
  const sha256 = sha256Of(content);
  const lose = () => a.shared.remove(sha256);
  const { put } = a.blobs;
  // PostgreSQL loses the content right after it was stored.
  a.blobs.put = async (...args) => {
    const isNew = await put.apply(a.blobs, args);
    await lose();
    return isNew;
  };
  await deployOn(a, { "a.ts": "lost" });
  assert.deepEqual(await filesOf(b), { "a.ts": "lost" });
  assert.ok(await a.shared.read(sha256), "and is stored again");

  await deployOn(a, { "b.ts": "kept" });
  const before = await filesOf(b);
  const nowhere = new TextEncoder().encode("nowhere");
  a.blobs.put = async (sha256, bytes) => {
    const isNew = await put.call(a.blobs, sha256, bytes);
    await a.shared.remove(sha256);
    return isNew;
  };
  const { read } = a.local;
  a.local.read = async () => await Promise.resolve(undefined);
  const wanted = deployOn(a, { "a.ts": "nowhere" });
  await assert.rejects(wanted, /no longer stored|missing or damaged in PostgreSQL/);
  a.local.read = read;
  assert.deepEqual(await filesOf(b), before);
  await put.call(a.blobs, sha256Of(nowhere), nowhere);
  await b.replica.follow();
  assert.deepEqual(await filesOf(b), await filesOf(a));
});

Deno.test("a purged content is gone on every node", async () => {
  await using cluster = await startCluster();
  const [a, b] = [await cluster.join(), await cluster.join()];
  await deployOn(a, { "a.ts": "a password" });
  await deployOn(a, { "a.ts": "nothing" });
  const sha256 = sha256Of(new TextEncoder().encode("a password"));
  assert.ok(await b.local.read(sha256));
  await a.blobs.remove(sha256);
  for (const node of [a, b]) {
    assert.equal(await node.local.read(sha256), undefined);
    assert.equal(await node.blobs.read(sha256), undefined);
  }
});
