// A data folder that an earlier version of this program left.

import { Buffer } from "node:buffer";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import fixture from "../fixtures/schema_6.json" with { type: "json" };

/** What its users know. */
export const OLD = {
  managementKey: fixture.managementKey,
  key: fixture.key,
  email: fixture.email,
  password: fixture.password,
  sessionToken: fixture.sessionToken,
  linkToken: fixture.linkToken,
};

/** Writes `database.db` of schema 6 and its key file into `folder`. */
export function writeOldData(folder: string): void {
  const database = gunzipSync(Buffer.from(fixture.database, "base64"));
  Deno.writeFileSync(join(folder, "database.db"), database, { mode: 0o600 });
  const keyFile = JSON.stringify(fixture.keyFile, null, 2) + "\n";
  Deno.writeTextFileSync(join(folder, "encryption-keys.json"), keyFile, { mode: 0o600 });
}
