// Defines the main database's schema, and how its versions differ for readers of older ones.

import { Buffer } from "node:buffer";
import type { DatabaseSync } from "node:sqlite";
import type { Keyring } from "../keyring/keyring.ts";
import { acceptSchema } from "./rows_head.ts";
import type { Migration, Schema } from "./database.ts";
import { sql as start } from "./migrations/001_start.ts";
import { sql as keyVersions } from "./migrations/002_key_versions.ts";
import { sql as admins } from "./migrations/003_admins.ts";
import { sql as audit } from "./migrations/004_audit.ts";
import { sql as auditKinds } from "./migrations/005_audit_kinds.ts";
import { sql as keysOfGroup } from "./migrations/006_keys_of_group.ts";
import { upgrade as purposes } from "./migrations/007_purposes.ts";
import { sql as packageLocks } from "./migrations/008_package_locks.ts";
import { upgrade as authenticatedRows } from "./migrations/009_authenticated_rows.ts";
import { upgrade as secretOrder } from "./migrations/010_secret_order.ts";
import { sql as codeVersions } from "./migrations/011_code_versions.ts";
import { sql as secretValues } from "./migrations/012_secret_values.ts";
import { sql as webhooks } from "./migrations/013_webhooks.ts";
import { upgrade as mail } from "./migrations/014_mail.ts";
import { sql as rolledKeys } from "./migrations/015_rolled_keys.ts";
import { sql as preferences } from "./migrations/016_preferences.ts";
import { sql as keyExpiry } from "./migrations/017_key_expiry.ts";
import type { Upgrade, UpgradeContext } from "./migrations/upgrade.ts";

/** In order; the version is the number of migrations applied. Never edit a released one: append. */
const MIGRATIONS: readonly (string | Upgrade)[] = [
  start,
  keyVersions,
  admins,
  audit,
  auditKinds,
  keysOfGroup,
  purposes,
  packageLocks,
  authenticatedRows,
  secretOrder,
  codeVersions,
  secretValues,
  webhooks,
  mail,
  rolledKeys,
  preferences,
  keyExpiry,
];

/** `PRAGMA user_version` of a database that is up to date. */
export const SCHEMA_VERSION = MIGRATIONS.length;

/** The first version with a separate derived key for each purpose of MACs. */
const DERIVED_KEYS_VERSION = 7;

/** The first version whose rows are authenticated. */
export const AUTHENTICATED_VERSION = 9;

/** The first version that keeps earlier values of secrets. */
export const SECRET_VERSIONS_VERSION = 12;

/** The first version in which a key can have a previous value. */
export const ROLLED_KEYS_VERSION = 15;

/** The first version in which a key can expire. */
export const KEY_EXPIRY_VERSION = 17;

/** Returns the schema; `context` is called only if there is something to upgrade. */
export function mainSchema(check: NonNullable<Schema["check"]>, context: () => UpgradeContext): Schema {
  const migrations = MIGRATIONS.map((step): Migration =>
    typeof step === "string" ? step : { sql: step.sql, run: (db) => step.run(db, context()) }
  );
  // SQLite's default.
  const checkpointPages = 1_000;
  const migrated = (db: DatabaseSync, version: number): void => {
    if (version > AUTHENTICATED_VERSION) acceptSchema(db, context().keyring);
  };
  return { migrations, check, migrated, synchronous: "FULL", checkpointPages };
}

/** Returns the fingerprint of the key file as a database of schema `version` stores it. */
export function fingerprintOf(keyring: Keyring, version: number): string {
  if (version >= DERIVED_KEYS_VERSION) return keyring.fingerprint();
  return Buffer.from(keyring.originalMac("crude-functions keyring")).toString("hex");
}

/** Returns the look-up HMAC of an API key's value as a database of schema `version` stores it. */
export function lookupOf(keyring: Keyring, version: number, value: string): Uint8Array {
  return version >= DERIVED_KEYS_VERSION ? keyring.lookup(value) : keyring.originalMac(value);
}
