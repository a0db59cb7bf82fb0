// A data folder with many secrets in it, made faster than over HTTP, for a server to be started on.

import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { createAccess } from "../../src/core/access/access.ts";
import { OPERATOR } from "../../src/actor.ts";
import { createRegistry } from "../../src/core/functions/registry.ts";
import type { FunctionId, Owner, SecretName } from "../../src/ids.ts";
import { packHistogram } from "../../src/telemetry/histogram.ts";
import { beginning } from "../../src/telemetry/metrics.ts";
import { countCall, newTally } from "../../src/telemetry/tally.ts";
import { createSecrets } from "../../src/core/secrets/service.ts";
import { ALL_FUNCTIONS } from "../../src/store/metrics.ts";
import { openObservations } from "../../src/store/observations.ts";
import { openStoreAt, unrecorded } from "../unit/temporary.ts";
import type { Server } from "./server.ts";

/** A data folder with secrets S0, S1, … whose values are "value 0", "value 1", …, and a key that was made at `madeAt`. */
export function fill(home: string, secrets: number, madeAt: Date = new Date()): void {
  const dataDir = join(home, "data");
  Deno.mkdirSync(dataDir, { recursive: true });
  const { store, keyFile: { keyring } } = openStoreAt(join(dataDir, "database.db"), madeAt);
  const service = createSecrets({ store, keyring, now: Date.now, record: unrecorded });
  store.transaction(() => {
    for (let n = 0; n < secrets; n++) {
      service.create(OPERATOR, {
        name: `S${n}` as SecretName,
        value: `value ${n}`,
        owner: { scope: "global" },
        comment: "",
      });
    }
  });
  store.close();
}

/**
 * A data folder with functions f0, f1, …, groups g0, g1, … with ten keys each, and secrets: `SHARED` for every
 * function, and for the rest four names at a time, one for each scope, whose owners take turns.
 */
export function fillWithOwners(home: string, { functions, groups, secrets }: {
  functions: number;
  groups: number;
  secrets: number;
}): void {
  const dataDir = join(home, "data");
  Deno.mkdirSync(dataDir, { recursive: true });
  const { store, keyFile: { keyring } } = openStoreAt(join(dataDir, "database.db"), new Date());
  const service = createSecrets({ store, keyring, now: Date.now, record: unrecorded });
  const access = createAccess({ store, keyring, now: Date.now, groupsInSettings: () => [], record: unrecorded });
  const registry = createRegistry({ store, now: Date.now, onChange: () => {}, record: unrecorded });
  const create = (name: string, owner: Owner) =>
    service.create(OPERATOR, { name: name as SecretName, value: `value of ${name}`, owner, comment: "A comment" });
  store.transaction(() => {
    const groupIds = Array.from({ length: groups }, (_, n) => access.createGroup(OPERATOR, `g${n}`, ""));
    const keyIds = groupIds.flatMap((groupId) =>
      Array.from({ length: 10 }, (_, n) => access.createKey(OPERATOR, { groupId, name: `k${n}`, description: "" }).id)
    );
    const functionIds = Array.from({ length: functions }, (_, n) =>
      registry.create(OPERATOR, {
        name: `f${n}`,
        description: "",
        handler: `f${n}.ts`,
        route: `/f${n}`,
        methods: ["GET"],
        keys: [groupIds[n % groups]!],
        enabled: true,
      }).id);
    for (const functionId of functionIds) create("SHARED", { scope: "function", functionId });
    for (let n = 0; n < secrets - functions; n++) {
      const turn = Math.floor(n / 4);
      create(
        `NAME_${turn}`,
        [
          { scope: "global" } as const,
          { scope: "function", functionId: functionIds[turn % functions]! } as const,
          { scope: "group", groupId: groupIds[turn % groups]! } as const,
          { scope: "key", keyId: keyIds[turn % keyIds.length]! } as const,
        ][n % 4]!,
      );
    }
  });
  store.close();
}

/** What functions 1, 2, … of a folder that was filled have left: `minutes` in which each was called, and log lines. */
export function fillObservations(home: string, { functions, minutes, lines }: {
  functions: number;
  minutes: number;
  lines: number;
}): void {
  const path = join(home, "data", "observations.db");
  const { transaction, metrics, logs, close } = openObservations(path, () => new Date(), () => {});
  const now = Date.now();
  const { histogram, ...counts } = newTally();
  for (let n = 0; n < 20; n++) countCall({ ...counts, histogram }, "ok", 1.5 ** n);
  const row = { ...counts, calls: 20, histogram: packHistogram(histogram) };
  /** Of each tenth function, and of all together, one call in each minute fails. */
  const errorsOf = (functionId: FunctionId | typeof ALL_FUNCTIONS) => functionId % 10 === 0 ? 1 : 0;
  const ids = Array.from({ length: functions }, (_, n) => n + 1 as FunctionId);
  transaction(() => {
    for (let minute = 0; minute < minutes; minute++) {
      const at = beginning("minutes", now - minute * 60_000);
      for (const functionId of [ALL_FUNCTIONS, ...ids] as const) {
        metrics.put("minutes", { ...row, errors: errorsOf(functionId), functionId, at });
      }
    }
    logs.insertAll(Array.from({ length: lines }, (_, n) => ({
      functionId: ids[n % functions]!,
      requestId: crypto.randomUUID(),
      keyId: null,
      level: 1 + n % 3,
      event: "print",
      message: `line ${n} of what was printed`,
      durationMs: null,
      at: now,
    })));
  });
  close();
}

/** Calls of which each has left a line in the log. */
export function fillRequests(
  home: string,
  requests: readonly { requestId: string; functionId: FunctionId; at: number }[],
): void {
  const { transaction, logs, close } = openObservations(
    join(home, "data", "observations.db"),
    () => new Date(),
    () => {},
  );
  const line = { keyId: null, level: 1, event: "print", message: "a line", durationMs: null };
  transaction(() => logs.insertAll(requests.map((request) => ({ ...request, ...line }))));
  close();
}

/** Replaces the ciphertext of a secret by one of a key that no file has. */
export function unreadable(server: Server, id: number): void {
  const db = new DatabaseSync(join(server.dataDir, "database.db"), { timeout: 5_000 });
  db.prepare("UPDATE secrets SET ciphertext = ? WHERE id = ?").run(`v7.${"A".repeat(80)}`, id);
  db.close();
}

/** A data folder with one secret, whose value is encrypted with a key version that is lost. */
export function fillLost(home: string, name: string): void {
  const dataDir = join(home, "data");
  Deno.mkdirSync(dataDir, { recursive: true });
  const { store } = openStoreAt(join(dataDir, "database.db"), new Date());
  const lost = {
    owner: { scope: "global" } as const,
    ciphertext: `v7.${"A".repeat(80)}`,
    comment: "",
    now: Date.now(),
  };
  store.transaction(() => store.secrets.insert({ ...lost, name: name as SecretName }));
  store.close();
}

/** Functions f-0, f-1, … at /f-0, /f-1, … in a folder that was filled, all with the handler shared.ts. */
export function fillFunctions(home: string, functions: number): void {
  const { store } = openStoreAt(join(home, "data", "database.db"));
  const registry = createRegistry({ store, now: Date.now, onChange: () => {}, record: unrecorded });
  for (let n = 0; n < functions; n++) {
    const [name, route] = [`f-${n}`, `/f-${n}`];
    registry.create(OPERATOR, {
      name,
      route,
      description: "",
      handler: "shared.ts",
      methods: ["GET"],
      keys: [],
      enabled: true,
    });
  }
  store.close();
}

export async function withFolder(test: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "crude-functions-test-" });
  try {
    await test(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
