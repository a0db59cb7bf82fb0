// Reads and replaces ciphertexts by key version, for rotation.

import type { GroupId, KeyId, Owner, Scope, SecretId, SecretName, WebhookId } from "../ids.ts";
import type { RowReader } from "./authenticated_rows.ts";
import type { StoredRow } from "./authenticated_tables.ts";
import { all, type Database, first } from "./database.ts";
import { toOwner } from "./secrets.ts";

interface Sealed {
  /** The whole row, for `isAuthentic`. */
  readonly stored: StoredRow;
}

export interface SealedSecret extends Sealed {
  readonly id: SecretId;
  readonly name: SecretName;
  readonly owner: Owner;
  readonly ciphertext: string;
}

/** A value of a secret that is not the current one. */
export interface SealedVersion extends Sealed {
  /** Of the row. */
  readonly id: number;
  readonly secretId: SecretId;
  readonly number: number;
  readonly ciphertext: string;
}

export interface SealedKey extends Sealed {
  readonly id: KeyId;
  readonly name: string;
  readonly groupId: GroupId;
  readonly ciphertext: string;
}

/** The secret of a webhook. */
export interface SealedWebhook extends Sealed {
  readonly id: WebhookId;
  readonly ciphertext: string;
}

/** The password for the mail server. */
export interface SealedMailServer extends Sealed {
  readonly id: number;
  readonly host: string;
  readonly port: number;
  readonly ciphertext: string;
}

/** The tables that have ciphertexts. */
export type SealedTable = "secrets" | "secret_versions" | "api_keys" | "webhooks" | "mail_server";

export interface CiphertextStore {
  /** Returns the versions in use, in order; 0 stands for damaged texts without a version. */
  versions(): number[];

  /** Returns how many secrets, earlier values of secrets, API keys, secrets of webhooks and passwords are encrypted with this version. */
  count(version: number): number;

  /** Returns at most `limit` secrets of this version with an id above `after`, in order of id. */
  secrets(version: number, after: number, limit: number): SealedSecret[];

  /** Returns at most `limit` earlier values of secrets of this version with an id above `after`, in order of id. */
  secretVersions(version: number, after: number, limit: number): SealedVersion[];

  /** Returns at most `limit` API keys of this version with an id above `after`, in order of id. */
  apiKeys(version: number, after: number, limit: number): SealedKey[];

  /** Returns at most `limit` secrets of webhooks of this version with an id above `after`, in order of id. */
  webhooks(version: number, after: number, limit: number): SealedWebhook[];

  /** Returns the mail server if its password is of this version and its id is above `after`. */
  mailServers(version: number, after: number, limit: number): SealedMailServer[];

  /**
   * Reports whether a row that was read in the current transaction is as this program wrote it; an altered row is logged
   * as a finding.
   */
  isAuthentic(table: SealedTable, row: Sealed): boolean;
  replaceSecret(id: SecretId, ciphertext: string): void;
  replaceSecretVersion(id: number, ciphertext: string): void;
  replaceApiKey(id: KeyId, ciphertext: string): void;
  replaceWebhook(id: WebhookId, ciphertext: string): void;
  replaceMailServer(id: number, ciphertext: string): void;
}

/** Longer than 80 lines: it prepares all statements once, next to the methods that use them. */
export function createCiphertextStore(db: Database, rows: RowReader): CiphertextStore {
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
    versionsOf("mail_server"),
  ];
  const count = db.prepare(
    "SELECT (SELECT count(*) FROM secrets WHERE key_version = ?1) + (SELECT count(*) FROM api_keys WHERE key_version = ?1)" +
      " + (SELECT count(*) FROM secret_versions WHERE key_version = ?1)" +
      " + (SELECT count(*) FROM webhooks WHERE key_version = ?1)" +
      " + (SELECT count(*) FROM mail_server WHERE key_version = ?1) AS n",
  );
  const secrets = ofVersion(rows, "secrets");
  const secretVersions = ofVersion(rows, "secret_versions");
  const keys = ofVersion(rows, "api_keys");
  const webhooks = ofVersion(rows, "webhooks");
  const mailServers = ofVersion(rows, "mail_server");
  const replaceMailServer = db.prepareChange("UPDATE mail_server SET ciphertext = ? WHERE id = ?");
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

    secrets: (version: number, after: number, limit: number): SealedSecret[] =>
      secrets(version, after, limit).map((read) => ({
        id: read.integer("id") as SecretId,
        name: read.text("name") as SecretName,
        owner: toOwner(read.text("scope") as Scope, read.integer("owner_id")),
        ciphertext: read.text("ciphertext"),
        stored: read.stored,
      })),

    secretVersions: (version: number, after: number, limit: number): SealedVersion[] =>
      secretVersions(version, after, limit).map((read) => ({
        id: read.integer("id"),
        secretId: read.integer("secret_id") as SecretId,
        number: read.integer("number"),
        ciphertext: read.text("ciphertext"),
        stored: read.stored,
      })),

    apiKeys: (version: number, after: number, limit: number): SealedKey[] =>
      keys(version, after, limit).map((read) => ({
        id: read.integer("id") as KeyId,
        name: read.text("name"),
        groupId: read.integer("group_id") as GroupId,
        ciphertext: read.text("ciphertext"),
        stored: read.stored,
      })),

    webhooks: (version: number, after: number, limit: number): SealedWebhook[] =>
      webhooks(version, after, limit).map((read) => ({
        id: read.integer("id") as WebhookId,
        ciphertext: read.text("ciphertext"),
        stored: read.stored,
      })),

    mailServers: (version: number, after: number, limit: number): SealedMailServer[] =>
      mailServers(version, after, limit).map((read) => ({
        id: read.integer("id"),
        host: read.text("host"),
        port: read.integer("port"),
        ciphertext: read.text("ciphertext"),
        stored: read.stored,
      })),

    isAuthentic: (table: SealedTable, { stored }: Sealed): boolean => rows.checkRow(table, stored),

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
    replaceMailServer(id: number, ciphertext: string): void {
      replaceMailServer.run(ciphertext, id);
    },
  };
}

/** A whole row, with its values by their columns. */
class Values {
  readonly stored: StoredRow;
  readonly #positions: ReadonlyMap<string, number>;

  constructor(stored: StoredRow, positions: ReadonlyMap<string, number>) {
    this.stored = stored;
    this.#positions = positions;
  }

  text(column: string): string {
    return this.stored[this.#positions.get(column)!] as string;
  }

  /** @throws RangeError if the number is too large, which only another program can have written */
  integer(column: string): number {
    const value = Number(this.stored[this.#positions.get(column)!]);
    if (!Number.isSafeInteger(value)) throw new RangeError(`a number in the column ${column} is too large`);
    return value;
  }
}

/** Returns a function that reads whole rows of a version with an id above `after`, in order of id. */
function ofVersion(
  rows: RowReader,
  table: string,
): (version: number, after: number, limit: number) => Values[] {
  const { columns, all } = rows.prepareRows(table, "WHERE key_version = ? AND id > ? ORDER BY id LIMIT ?");
  const positions = new Map(columns.map((column, position) => [column, position]));
  return (version, after, limit) => all(version, after, limit).map((row) => new Values(row, positions));
}
