// Reads and replaces ciphertexts by key version, for rotation.

import type { GroupId, KeyId, Owner, Scope, SecretId, SecretName, WebhookId } from "../ids.ts";
import type { RowCheck } from "./authenticated_rows.ts";
import { all, type Database, first, type Row } from "./database.ts";
import { toOwner } from "./secrets.ts";

export interface SealedSecret {
  readonly id: SecretId;
  readonly name: SecretName;
  readonly owner: Owner;
  readonly ciphertext: string;
}

/** A value of a secret that is not the current one. */
export interface SealedVersion {
  /** Of the row. */
  readonly id: number;
  readonly secretId: SecretId;
  readonly number: number;
  readonly ciphertext: string;
}

export interface SealedKey {
  readonly id: KeyId;
  readonly name: string;
  readonly groupId: GroupId;
  readonly ciphertext: string;
}

/** The secret of a webhook. */
export interface SealedWebhook {
  readonly id: WebhookId;
  readonly ciphertext: string;
}

export interface CiphertextStore {
  /** Returns the versions in use, in order; 0 stands for damaged texts without a version. */
  versions(): number[];

  /** Returns how many secrets, earlier values of secrets, API keys and secrets of webhooks are encrypted with this version. */
  count(version: number): number;

  /** Returns at most `limit` secrets of this version with an id above `after`, in order of id. */
  secrets(version: number, after: number, limit: number): SealedSecret[];

  /** Returns at most `limit` earlier values of secrets of this version with an id above `after`, in order of id. */
  secretVersions(version: number, after: number, limit: number): SealedVersion[];

  /** Returns at most `limit` API keys of this version with an id above `after`, in order of id. */
  apiKeys(version: number, after: number, limit: number): SealedKey[];

  /** Returns at most `limit` secrets of webhooks of this version with an id above `after`, in order of id. */
  webhooks(version: number, after: number, limit: number): SealedWebhook[];

  /** Reports whether a row is as this program wrote it; an altered row is logged as a finding. */
  isAuthentic(table: "secrets" | "secret_versions" | "api_keys" | "webhooks", id: number): boolean;
  replaceSecret(id: SecretId, ciphertext: string): void;
  replaceSecretVersion(id: number, ciphertext: string): void;
  replaceApiKey(id: KeyId, ciphertext: string): void;
  replaceWebhook(id: WebhookId, ciphertext: string): void;
}

interface SecretColumns extends Row {
  id: SecretId;
  name: SecretName;
  scope: Scope;
  ownerId: number;
  ciphertext: string;
}

export function createCiphertextStore(db: Database, rows: RowCheck): CiphertextStore {
  // One index look-up per version, independent of the number of rows.
  const versionsOf = (table: string) =>
    db.prepare(`
      WITH RECURSIVE versions (n) AS (
        SELECT min(key_version) FROM ${table}
        UNION ALL
        SELECT (SELECT min(key_version) FROM ${table} WHERE key_version > n) FROM versions WHERE n IS NOT NULL
      )
      SELECT n FROM versions WHERE n IS NOT NULL`);
  const versions = [
    versionsOf("secrets"),
    versionsOf("secret_versions"),
    versionsOf("api_keys"),
    versionsOf("webhooks"),
  ];
  const count = db.prepare(
    "SELECT (SELECT count(*) FROM secrets WHERE key_version = ?1) + (SELECT count(*) FROM api_keys WHERE key_version = ?1)" +
      " + (SELECT count(*) FROM secret_versions WHERE key_version = ?1)" +
      " + (SELECT count(*) FROM webhooks WHERE key_version = ?1) AS n",
  );
  const secrets = db.prepare(
    "SELECT id, name, scope, owner_id AS ownerId, ciphertext FROM secrets WHERE key_version = ? AND id > ? ORDER BY id LIMIT ?",
  );
  const secretVersions = db.prepare(
    "SELECT id, secret_id AS secretId, number, ciphertext FROM secret_versions WHERE key_version = ? AND id > ? ORDER BY id LIMIT ?",
  );
  const keys = db.prepare(
    "SELECT id, name, group_id AS groupId, ciphertext FROM api_keys WHERE key_version = ? AND id > ? ORDER BY id LIMIT ?",
  );
  const webhooks = db.prepare(
    "SELECT id, ciphertext FROM webhooks WHERE key_version = ? AND id > ? ORDER BY id LIMIT ?",
  );
  const replaceWebhook = db.prepareChange("UPDATE webhooks SET ciphertext = ? WHERE id = ?");
  const replaceSecret = db.prepareChange("UPDATE secrets SET ciphertext = ? WHERE id = ?");
  const replaceVersion = db.prepareChange("UPDATE secret_versions SET ciphertext = ? WHERE id = ?");
  const replaceKey = db.prepareChange("UPDATE api_keys SET ciphertext = ? WHERE id = ?");

  return {
    versions(): number[] {
      const found = versions.flatMap((statement) => all<{ n: number }>(statement).map(({ n }) => n));
      return [...new Set(found)].sort((a, b) => a - b);
    },

    count: (version: number): number => first<{ n: number }>(count, version)!.n,

    secrets(version: number, after: number, limit: number): SealedSecret[] {
      return all<SecretColumns>(secrets, version, after, limit)
        .map(({ id, name, scope, ownerId, ciphertext }) => ({ id, name, owner: toOwner(scope, ownerId), ciphertext }));
    },

    secretVersions: (version: number, after: number, limit: number): SealedVersion[] =>
      all<SealedVersion & Row>(secretVersions, version, after, limit),

    apiKeys: (version: number, after: number, limit: number): SealedKey[] =>
      all<SealedKey & Row>(keys, version, after, limit),

    webhooks: (version: number, after: number, limit: number): SealedWebhook[] =>
      all<SealedWebhook & Row>(webhooks, version, after, limit),

    isAuthentic: (table: "secrets" | "secret_versions" | "api_keys" | "webhooks", id: number): boolean =>
      rows.check(table, id),

    replaceSecret(id: SecretId, ciphertext: string): void {
      replaceSecret.run(ciphertext, id);
    },
    replaceSecretVersion(id: number, ciphertext: string): void {
      replaceVersion.run(ciphertext, id);
    },
    replaceApiKey(id: KeyId, ciphertext: string): void {
      replaceKey.run(ciphertext, id);
    },
    replaceWebhook(id: WebhookId, ciphertext: string): void {
      replaceWebhook.run(ciphertext, id);
    },
  };
}
