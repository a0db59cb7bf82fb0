// Rotation of 100,000 secrets: its time against a plain loop of node:crypto and SQLite over the same rows, and
// what getSecret takes meanwhile against a quiet server. All in one run.

import { Buffer } from "node:buffer";
import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import { DatabaseSync } from "node:sqlite";
import { join } from "node:path";
import { OPERATOR } from "../../src/actor.ts";
import type { SecretName } from "../../src/ids.ts";
import { createSecrets } from "../../src/core/secrets/service.ts";
import { deploy } from "../http/handlers.ts";
import { type Server, startServer } from "../http/server.ts";
import { load } from "./wrk.ts";
import { openStoreAt, unrecorded } from "../unit/temporary.ts";

const ROUNDS = 3;
const SECONDS = 4;
/** Highest ratios that are acceptable. The plain loop authenticates no row; docs/performance.md lists what that costs. */
const TIME_CEILING = 5;
const P99_CEILING = 3;

/** Prints the ratios; returns what is above its ceiling. */
export async function benchRotation(secrets = 100_000): Promise<string[]> {
  const folder = await Deno.makeTempDir({ prefix: "crude-functions-bench-" });
  try {
    fill(join(folder, "data"), secrets);
    await using server = await startServer({ folder });
    const missed: string[] = [];
    const judge = (what: string, ratio: number, ceiling: number, detail: string) => {
      console.log(`  ${what.padEnd(44)} ${ratio.toFixed(2)}, ceiling ${ceiling}   (${detail})`);
      if (ratio > ceiling) missed.push(`rotation, ${what}: ${ratio.toFixed(2)} > ${ceiling}`);
    };
    console.log(`\nrotation of ${secrets.toLocaleString("en")} secrets, medians of ${ROUNDS} rounds`);

    const rounds = [];
    for (let round = 0; round < ROUNDS; round++) {
      const plainMs = plainLoop(server.dataDir, folder);
      rounds.push({ plainMs, rotationMs: await rotate(server, secrets) });
    }
    const { plainMs, rotationMs } = median(rounds, (round) => round.rotationMs / round.plainMs);
    judge("time against a plain loop", rotationMs / plainMs, TIME_CEILING, `${ms(rotationMs)} against ${ms(plainMs)}`);

    await deploy(server, "one", `export default async (c, ctx) => c.text(await ctx.getSecret("SECRET_7"));`);
    await (await fetch(`${server.url}/run/one`)).text();
    for (const connections of [1, 8, 32]) {
      const loads = [];
      for (let round = 0; round < ROUNDS; round++) {
        const quiet = await load(`${server.url}/run/one`, connections, SECONDS);
        const [busy] = await Promise.all([load(`${server.url}/run/one`, connections, SECONDS), rotateFor(server)]);
        if (quiet.failed + busy.failed > 0) throw new Error(`${quiet.failed + busy.failed} calls failed`);
        loads.push({ quiet, busy });
      }
      const { quiet, busy } = median(loads, ({ quiet, busy }) => busy.p99Ms / quiet.p99Ms);
      const rates = `${quiet.requestsPerSecond.toFixed(0)} and ${busy.requestsPerSecond.toFixed(0)} req/s`;
      judge(
        `p99 of getSecret, ${connections} connections`,
        busy.p99Ms / quiet.p99Ms,
        P99_CEILING,
        `${busy.p99Ms.toFixed(2)} ms against ${quiet.p99Ms.toFixed(2)} ms; ${rates}`,
      );
    }
    return missed;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Rotates again and again for as long as a load lasts. */
async function rotateFor(server: Server): Promise<void> {
  for (const end = performance.now() + SECONDS * 1000; performance.now() < end;) await rotate(server, 0);
}

/** How long the whole takes, from the request to the answer, in ms. */
async function rotate(server: Server, atLeast: number): Promise<number> {
  const began = performance.now();
  const { status, body } = await server.api("POST", "/api/encryption-keys/rotation");
  if (status !== 200 || body.reencrypted < atLeast) throw new Error(`${status} ${JSON.stringify(body)}`);
  return performance.now() - began;
}

function fill(dataDir: string, secrets: number): void {
  Deno.mkdirSync(dataDir);
  const { store, keyFile: { keyring } } = openStoreAt(join(dataDir, "database.db"), new Date());
  const service = createSecrets({ store, keyring, now: () => Date.now(), record: unrecorded });
  store.transaction(() => {
    for (let n = 0; n < secrets; n++) {
      const value = `value of secret ${n}`.padEnd(40, ".");
      service.create(OPERATOR, { name: `SECRET_${n}` as SecretName, value, owner: { scope: "global" }, comment: "" });
    }
  });
  store.close();
}

/**
 * What the same work costs at least: open, seal and update each row of a copy of the database, in one
 * transaction with the server's own settings, and nothing else. In ms.
 */
function plainLoop(dataDir: string, folder: string): number {
  const copy = join(folder, "copy.db");
  const from = new DatabaseSync(join(dataDir, "database.db"), { readOnly: true });
  const stored = from.prepare("SELECT id, name, ciphertext FROM secrets").all() as {
    id: number;
    name: string;
    ciphertext: string;
  }[];
  from.close();
  const file = JSON.parse(Deno.readTextFileSync(join(dataDir, "encryption-keys.json")));
  const keys = new Map<string, Uint8Array>(
    file.keys.map(({ version, key }: { version: number; key: string }) => [`v${version}`, Buffer.from(key, "base64")]),
  );
  const newKey = randomBytes(32);
  const db = new DatabaseSync(copy);
  db.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA secure_delete = ON");
  db.exec("CREATE TABLE secrets (id INTEGER PRIMARY KEY, name TEXT, ciphertext TEXT) STRICT; BEGIN");
  const insert = db.prepare("INSERT INTO secrets VALUES (?, ?, ?)");
  for (const { id, name, ciphertext } of stored) insert.run(id, name, ciphertext);
  db.exec("COMMIT; PRAGMA wal_checkpoint(TRUNCATE)");
  const select = db.prepare("SELECT id, name, ciphertext FROM secrets WHERE id > ? ORDER BY id LIMIT 1000");
  const update = db.prepare("UPDATE secrets SET ciphertext = ? WHERE id = ?");

  const began = performance.now();
  db.exec("BEGIN IMMEDIATE");
  for (let after = 0;;) {
    const rows = select.all(after) as { id: number; name: string; ciphertext: string }[];
    if (rows.length === 0) break;
    for (const { id, name, ciphertext } of rows) {
      const aad = Buffer.from(`secrets:global:0:${name}`);
      const dot = ciphertext.indexOf(".");
      const sealed = Buffer.from(ciphertext.slice(dot + 1), "base64");
      const decipher = createDecipheriv("aes-256-gcm", keys.get(ciphertext.slice(0, dot))!, sealed.subarray(0, 12));
      decipher.setAAD(aad);
      decipher.setAuthTag(sealed.subarray(-16));
      const plaintext = decipher.update(sealed.subarray(12, -16));
      decipher.final();
      const nonce = randomBytes(12);
      const cipher = createCipheriv("aes-256-gcm", newKey, nonce);
      cipher.setAAD(aad);
      const body = cipher.update(plaintext);
      cipher.final();
      update.run(`v9.${Buffer.concat([nonce, body, cipher.getAuthTag()]).toString("base64")}`, id);
      after = id;
    }
  }
  db.exec("COMMIT");
  const took = performance.now() - began;
  db.close();
  for (const name of [copy, `${copy}-wal`, `${copy}-shm`]) {
    try {
      Deno.removeSync(name);
    } catch {
      // Gone with the connection.
    }
  }
  return took;
}

function median<T>(rounds: T[], by: (round: T) => number): T {
  return [...rounds].sort((a, b) => by(a) - by(b))[Math.floor(rounds.length / 2)]!;
}

function ms(time: number): string {
  return `${time.toFixed(0)} ms`;
}
