// A data folder with many secrets in it, made faster than over HTTP, for a server to be started on.

import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { OPERATOR } from "../../src/actor.ts";
import { functionRegistry } from "../../src/functions/registry.ts";
import type { SecretName } from "../../src/ids.ts";
import { openKeyFile } from "../../src/keyring/key_file.ts";
import { secretsService } from "../../src/secrets/secrets.ts";
import { openStore } from "../../src/store/store.ts";
import { unrecorded } from "../unit/temporary.ts";
import type { Server } from "./server.ts";

/** A data folder with secrets S0, S1, … whose values are "value 0", "value 1", … */
export function fill(home: string, secrets: number): void {
  const dataDir = join(home, "data");
  Deno.mkdirSync(dataDir, { recursive: true });
  const { keyring } = openKeyFile(join(dataDir, "encryption-keys.json"), false, new Date());
  const store = openStore(join(dataDir, "database.db"));
  const service = secretsService(store, keyring, Date.now, unrecorded);
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

/** Replaces the ciphertext of a secret by one of a key that no file has. */
export function unreadable(server: Server, id: number): void {
  const db = new DatabaseSync(join(server.dataDir, "database.db"), { timeout: 5_000 });
  db.prepare("UPDATE secrets SET ciphertext = ? WHERE id = ?").run(`v7.${"A".repeat(80)}`, id);
  db.close();
}

/** Functions f-0, f-1, … at /f-0, /f-1, … in a folder that was filled, all with the handler shared.ts. */
export function fillFunctions(home: string, functions: number): void {
  const store = openStore(join(home, "data", "database.db"));
  const registry = functionRegistry(store, Date.now, () => {}, unrecorded);
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
