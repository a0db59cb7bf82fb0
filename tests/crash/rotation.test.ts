// Rotation ended with SIGKILL: at every durable step, and in a real server at random moments while clients read
// and write. ROUNDS and SEED in the environment say how many times and with which moments.

import assert from "node:assert/strict";
import { copyFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { OPERATOR } from "../../src/actor.ts";
import { createAccess } from "../../src/core/access/access.ts";
import type { KeyId, SecretId, SecretName } from "../../src/ids.ts";
import { Rotation } from "../../src/core/encryption/rotation.ts";
import { createSecrets } from "../../src/core/secrets/service.ts";
import { type Random, seeded } from "../fuzz/random.ts";
import { type Server, startServer } from "../http/server.ts";
import { runs } from "../thorough.ts";
import { openStoreAt, temporaryFolder, unrecorded } from "../unit/temporary.ts";

const ROUNDS = Number(Deno.env.get("ROUNDS") ?? runs(10, 100));
const SEED = Number(Deno.env.get("SEED") ?? Date.now() % 1_000_000);
const FILES = ["database.db", "encryption-keys.json", "database-record.json"];

Deno.test("killed before or after any durable step, a rotation loses nothing and completes by itself", async () => {
  using folder = temporaryFolder();
  const values = fill(folder.path, 24, 4);
  const script = fileURLToPath(new URL("./rotate_and_die.ts", import.meta.url));
  const config = fileURLToPath(new URL("../deno.json", import.meta.url));
  const seen = new Set<string>();
  for (let step = 1;; step++) {
    using there = temporaryFolder();
    for (const name of FILES) copyFileSync(join(folder.path, name), join(there.path, name));
    const args = ["run", "--frozen", "--no-check", "--config", config, "-A", script, there.path, String(step), "10"];
    const { signal, stdout, stderr } = await new Deno.Command(Deno.execPath(), { args }).output();
    const what = `step ${step}: ${new TextDecoder().decode(stdout).trim()}`;
    if (signal === null) {
      assert.equal(new TextDecoder().decode(stderr), "");
      assert.ok(step > 15, `only ${step} steps`);
      break;
    }
    assert.equal(signal, "SIGKILL", what);
    seen.add(what.replace(/.*: /, ""));
    await assertCompletes(there.path, values, what);
  }
  const every = ["addKey", "dropKeys", "a commit"].flatMap((what) => [`before ${what}`, `after ${what}`]);
  assert.deepEqual([...seen].sort(), every.sort());
});

/** Secrets and API keys in a new store; what each of them is. */
function fill(path: string, secrets: number, keys: number) {
  const { store, keyFile: { keyring } } = openStoreAt(join(path, "database.db"));
  const access = createAccess({ store, keyring, now: Date.now, groupsInSettings: () => [], record: unrecorded });
  const service = createSecrets({ store, keyring, now: Date.now, record: unrecorded });
  const groupId = access.createGroup(OPERATOR, "team", "");
  const apiKeys = new Map<KeyId, string>();
  for (let n = 0; n < keys; n++) {
    const { id, value } = access.createKey(OPERATOR, { groupId, name: `key ${n}`, description: "" });
    apiKeys.set(id, value);
  }
  const values = new Map<SecretId, string>();
  for (let n = 0; n < secrets; n++) {
    const owner = n % 2 === 0 ? { scope: "global" as const } : { scope: "group" as const, groupId };
    values.set(
      service.create(OPERATOR, { name: `S${n}` as SecretName, value: `value ${n}`, owner, comment: "" }),
      `value ${n}`,
    );
  }
  store.close();
  return { secrets: values, apiKeys };
}

async function assertCompletes(path: string, values: ReturnType<typeof fill>, what: string): Promise<void> {
  const { store, keyFile } = openStoreAt(join(path, "database.db"));
  const { keyring } = keyFile;
  const access = createAccess({ store, keyring, now: Date.now, groupsInSettings: () => [], record: unrecorded });
  const service = createSecrets({ store, keyring, now: Date.now, record: unrecorded });
  const assertReadable = () => {
    for (const [id, value] of values.secrets) {
      assert.equal(service.reveal(OPERATOR, [service.get(id)])[0]!.value?.reveal(), value, `${what}, secret ${id}`);
    }
    for (const [id, value] of values.apiKeys) {
      assert.equal(access.reveal(OPERATOR, [access.key(id)])[0]!.value?.reveal(), value, `${what}, API key ${id}`);
      assert.equal(access.find(value)?.keyId, id, what);
    }
  };
  assertReadable();
  const rotation = new Rotation({
    store,
    keyFile,
    settings: { intervalDays: () => 90, batchSize: () => 10, batchSleepMs: () => 0, keepDays: () => 30 },
    busy: () => false,
    now: Date.now,
    report: () => {},
    record: unrecorded,
  });
  rotation.start();
  while (rotation.status().progress) await new Promise((resolve) => setTimeout(resolve, 5));
  assert.deepEqual(store.ciphertexts.versions(), [keyring.currentVersion], what);
  assert.ok(keyring.currentVersion <= 2, `${what}: another version was begun`);
  assertReadable();
  await rotation.stop();
  store.close();
}

Deno.test("a server killed again and again while it rotates and clients read and write loses nothing", async () => {
  console.log(`SEED=${SEED} ROUNDS=${ROUNDS}`);
  const random = seeded(SEED);
  const folder = await Deno.makeTempDir({ prefix: "crude-functions-crash-" });
  const clients = [1, 2, 3].map((n) => new Client(`C${n}`));
  let interrupted = 0;
  try {
    // A few more if none of the moments was within a rotation.
    for (let round = 0; round < ROUNDS || (interrupted === 0 && round < 5 * ROUNDS); round++) {
      await using server = await startServer({ folder });
      const what = `SEED=${SEED}, round ${round}`;
      if (round === 0) await prepare(server);
      await assertAcknowledged(server, clients, what);
      // Some rounds cut the completion of the last one short, too.
      const completes = random.chance(0.7);
      if (completes) {
        interrupted += await atRest(server, what);
        await assertAcknowledged(server, clients, what);
      }
      const killed = Promise.withResolvers<void>();
      const rotation = server.api("POST", "/api/encryption-keys/rotation").catch(() => {});
      const working = clients.map((client) => client.work(server, random, what));
      setTimeout(() => {
        Deno.kill(server.pid, "SIGKILL");
        killed.resolve();
      }, random.int(0, 250));
      await killed.promise;
      await Promise.all([rotation, ...working, server.stop()]);
    }
    await using server = await startServer({ folder });
    await atRest(server, `SEED=${SEED}`);
    await assertAcknowledged(server, clients, `SEED=${SEED}, at the end`);
    const writes = clients.reduce((sum, client) => sum + client.writes, 0);
    console.log(`${interrupted} rotations completed after a kill; ${writes} writes acknowledged`);
    assert.ok(interrupted > 0 && writes > 0, "the kills came at moments that test nothing");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

/** Small batches, so that a rotation has many steps, and values to begin with. */
async function prepare(server: Server): Promise<void> {
  const settings = { "encryption.key-rotation.batch-size": 5 };
  assert.equal((await server.api("PUT", "/api/settings", { settings })).status, 200);
  for (let n = 0; n < 150; n++) {
    const { status } = await server.api("POST", "/api/secrets", { name: `F${n}`, value: `F${n}`, scope: "global" });
    assert.equal(status, 201);
  }
}

/** Waits until the rotation that was cut short has completed by itself; 1 if there was one. */
async function atRest(server: Server, what: string): Promise<number> {
  const cutShort = /Key rotation to version \d+: \d+ values/.test(server.logs());
  for (const end = Date.now() + 20_000;;) {
    const { body } = await server.api("GET", "/api/encryption-keys/rotation");
    assert.deepEqual(body.missingVersions, [], what);
    if (!body.isInProgress) return cutShort ? 1 : 0;
    assert.ok(Date.now() < end, `${what}: the rotation does not end`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

async function assertAcknowledged(server: Server, clients: Client[], what: string): Promise<void> {
  const [secrets, keys] = await Promise.all([
    server.api("GET", "/api/secrets?includeValues=true&limit=1000"),
    server.api("GET", "/api/keys?includeValues=true"),
  ]);
  assert.equal(secrets.body.next, null, "one page is all");
  const stored = new Map<string, string | null>();
  for (const { name, value, decryptionError } of secrets.body.secrets) {
    assert.equal(decryptionError, null, `${what}: ${name}`);
    stored.set(name, value);
  }
  for (const { name, value } of keys.body.keys) {
    assert.notEqual(value, null, `${what}: API key ${name}`);
    stored.set(`key ${name}`, value);
  }
  for (let n = 0; n < 150; n++) assert.equal(stored.get(`F${n}`), `F${n}`, what);
  for (const client of clients) client.assertIn(stored, what);
}

/** Writes and reads values of its own until the server is gone, and remembers what it was told. */
class Client {
  /** By name: what was acknowledged, and what was sent since and not answered. */
  readonly #values = new Map<string, { acknowledged?: string; sent?: string }>();
  readonly #ids = new Map<string, number>();
  writes = 0;

  constructor(readonly name: string) {}

  async work(server: Server, random: Random, what: string): Promise<void> {
    for (;;) {
      const name = `${this.name}_${random.int(0, 29)}`;
      try {
        if (random.chance(0.4)) await this.#read(server, name, what);
        else if (random.chance(0.2)) await this.#createKey(server);
        else await this.#write(server, name);
      } catch (error) {
        if (error instanceof assert.AssertionError) throw error;
        return;
      }
    }
  }

  async #write(server: Server, name: string): Promise<void> {
    const value = `${name} ${crypto.randomUUID()}`;
    const known = this.#values.get(name) ?? {};
    this.#values.set(name, { ...known, sent: value });
    const id = this.#ids.get(name);
    const { status, body } = id === undefined
      ? await server.api("POST", "/api/secrets", { name, value, scope: "global" })
      : await server.api("PUT", `/api/secrets/${id}`, { value });
    // Created by a request that was not answered.
    if (status === 409) {
      const found = await server.api("GET", `/api/secrets/by-name/${name}`);
      this.#ids.set(name, found.body.secrets[0].id);
      this.#values.set(name, known);
      return;
    }
    assert.ok(status === 200 || status === 201, `${status} ${JSON.stringify(body)}`);
    if (id === undefined) this.#ids.set(name, body.id);
    this.#values.set(name, { acknowledged: value });
    this.writes++;
  }

  async #createKey(server: Server): Promise<void> {
    const name = `${this.name} ${crypto.randomUUID()}`;
    const value = `value-of-${crypto.randomUUID()}`;
    this.#values.set(`key ${name}`, { sent: value });
    const { status } = await server.api("POST", "/api/keys", { groupId: 1, name, value });
    assert.equal(status, 201);
    this.#values.set(`key ${name}`, { acknowledged: value });
    this.writes++;
  }

  async #read(server: Server, name: string, what: string): Promise<void> {
    const known = this.#values.get(name);
    if (known?.acknowledged === undefined) return;
    const { body } = await server.api("GET", `/api/secrets/by-name/${name}?includeValues=true`);
    this.#assertOne(name, body.secrets[0].value, known, what);
  }

  assertIn(stored: ReadonlyMap<string, string | null>, what: string): void {
    for (const [name, known] of this.#values) {
      this.#assertOne(name, stored.get(name), known, what);
      // What was found is what holds from now on.
      const value = stored.get(name);
      if (typeof value === "string") this.#values.set(name, { acknowledged: value });
    }
  }

  #assertOne(
    name: string,
    value: string | null | undefined,
    known: { acknowledged?: string; sent?: string },
    what: string,
  ): void {
    const allowed = [known.acknowledged, ...(known.sent === undefined ? [] : [known.sent])];
    assert.ok(allowed.includes(value ?? undefined), `${what}: ${name} is ${value}, not ${allowed.join(" or ")}`);
  }
}
