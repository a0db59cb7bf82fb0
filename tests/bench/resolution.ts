// Resolution with a million secrets against an almost empty database: the statement over four scopes and
// the decryption of the winner, without the reader's memory of earlier look-ups.

import { DatabaseSync } from "node:sqlite";
import { OPERATOR } from "../../src/actor.ts";
import { accessService } from "../../src/access/access.ts";
import { functionRegistry } from "../../src/functions/registry.ts";
import type { SecretName } from "../../src/ids.ts";
import { secretAad } from "../../src/keyring/aad.ts";
import { openKeyFile } from "../../src/keyring/key_file.ts";
import { type Caller, entitledOwners, rank } from "../../src/secrets/resolution.ts";
import { secretsService } from "../../src/secrets/secrets.ts";
import { openStore } from "../../src/store/store.ts";
import { unrecorded } from "../unit/temporary.ts";

const NAMES = 100;
const LOOKUPS = 100_000;
const ROUNDS = 5;
/** Highest ratio that is acceptable. */
const CEILING = 1.5;

/** Prints the ratio; returns what is above its ceiling. */
export function benchResolution(secrets = 1_000_000): string[] {
  const empty = prepare(0);
  const full = prepare(secrets);
  const ratios: number[] = [];
  empty.measure(), full.measure();
  for (let round = 0; round < ROUNDS; round++) ratios.push(full.measure() / empty.measure());
  const ratio = ratios.sort((a, b) => a - b)[Math.floor(ROUNDS / 2)]!;
  console.log(`\nresolution with ${secrets.toLocaleString("en")} secrets`);
  console.log(`  ${ratio.toFixed(2)} times an almost empty database, ceiling ${CEILING}`);
  empty.close(), full.close();
  return ratio > CEILING ? [`resolution: ${ratio.toFixed(2)} > ${CEILING}`] : [];
}

function prepare(filler: number) {
  const folder = Deno.makeTempDirSync({ prefix: "crude-functions-bench-" });
  const keyring = openKeyFile(`${folder}/encryption-keys.json`, false, new Date()).keyring;
  const store = openStore(`${folder}/database.db`);
  const now = () => 0;
  const access = accessService(store, keyring, now, () => [], unrecorded);
  const registry = functionRegistry(store, now, () => {}, unrecorded);
  const service = secretsService(store, keyring, now, unrecorded);
  const groupId = access.createGroup(OPERATOR, "team", "");
  const key = access.createKey(OPERATOR, { groupId, name: "key", description: "" });
  const { id: functionId } = registry.create(OPERATOR, {
    name: "f",
    description: "",
    handler: "f.ts",
    route: "/f",
    methods: ["GET"],
    keys: [groupId],
    enabled: true,
  });
  const names = Array.from({ length: NAMES }, (_, n) => `SECRET_${n}` as SecretName);
  const caller: Caller = { functionId, holder: access.find(key.value), mayAsk: () => true };
  for (const [n, name] of names.entries()) {
    const owner = entitledOwners(caller)[n % 4]!;
    service.create(OPERATOR, { name, value: `value of ${name}`, owner, comment: "" });
  }
  if (filler > 0) fill(`${folder}/database.db`, filler);

  return {
    /** Milliseconds for all look-ups. */
    measure(): number {
      const began = performance.now();
      const owners = entitledOwners(caller);
      for (let n = 0; n < LOOKUPS; n++) {
        const name = names[n * 31 % NAMES]!;
        const [winner] = rank(store.secrets.candidates(name, functionId, groupId, key.id), owners);
        const owner = owners.find((owner) => owner.scope === winner!.scope)!;
        keyring.open(winner!.ciphertext, secretAad(owner, name));
      }
      return performance.now() - began;
    },
    close(): void {
      access.close();
      store.close();
      Deno.removeSync(folder, { recursive: true });
    },
  };
}

function fill(path: string, count: number): void {
  const db = new DatabaseSync(path, { timeout: 5_000 });
  const insert = db.prepare(
    "INSERT INTO secrets (name, scope, owner_id, ciphertext, comment, created_at, updated_at) VALUES (?, 'global', 0, ?, '', 0, 0)",
  );
  const ciphertext = "v1." + "A".repeat(92);
  db.exec("BEGIN");
  for (let n = 0; n < count; n++) insert.run(`FILLER_${(n * 2_654_435_761) >>> 0}_${n}`, ciphertext);
  db.exec("COMMIT");
  db.close();
}
