// Re-encrypts every ciphertext with the current key version, in batches, while others read and write.

import type { KeyId, SecretId } from "../../ids.ts";
import type {
  SealedKey,
  SealedMailServer,
  SealedSecret,
  SealedVersion,
  SealedWebhook,
} from "../../store/ciphertexts.ts";
import type { Store } from "../../store/store.ts";
import { apiKeyAad, mailServerAad, secretAad, secretVersionAad, webhookAad } from "../../keyring/aad.ts";
import { DecryptionError, type Keyring } from "../../keyring/keyring.ts";

/** Ids of unreadable values listed for each kind; all are counted. */
const LISTED_MAX = 100;

/** Values that could not be decrypted and stay as they are. */
export interface Unreadable {
  readonly values: number;
  /** Ids of at most a hundred; values whose key version the keyring does not have are only counted. */
  readonly secrets: readonly SecretId[];
  /** Of the secrets whose earlier or deleted values they are, once for each value. */
  readonly secretVersions: readonly SecretId[];
  readonly apiKeys: readonly KeyId[];
}

/** The result of one step. */
export interface Batch {
  /** Values processed. */
  readonly handled: number;
  readonly reencrypted: number;
}

type Sealed = SealedSecret | SealedVersion | SealedKey | SealedWebhook | SealedMailServer;

/** What re-encryption does with the rows of one table. */
interface Table<R extends { readonly id: number; readonly ciphertext: string }> {
  rows(version: number, after: number, limit: number): R[];
  aad(row: R): string;
  isAuthentic(row: R): boolean;
  replace(id: R["id"], ciphertext: string): void;
  /** Notes a value that cannot be decrypted. */
  failed(row: R): void;
}

/**
 * Re-encrypts every value that is not of the keyring's current version; returns the values that cannot be decrypted.
 * Each step of the iteration is one transaction; between two of them the caller lets others work, or stops.
 * Longer than 80 lines: all kinds of values take the same steps, with the same progress.
 */
export async function* reencrypt(
  { ciphertexts, commitWithoutSync }: Pick<Store, "ciphertexts" | "commitWithoutSync">,
  keyring: Keyring,
  batchSize: () => number,
): AsyncGenerator<Batch, Unreadable> {
  const unreadable = { values: 0, secrets: [] as SecretId[], secretVersions: [] as SecretId[], apiKeys: [] as KeyId[] };
  const listed = <Id extends number>(ids: Id[], id: Id): unknown => ids.length < LISTED_MAX && ids.push(id);
  const secrets: Table<SealedSecret> = {
    rows: ciphertexts.secrets,
    aad: ({ owner, name }) => secretAad(owner, name),
    isAuthentic: (row) => ciphertexts.isAuthentic("secrets", row),
    replace: ciphertexts.replaceSecret,
    failed: ({ id }) => listed(unreadable.secrets, id),
  };
  const secretVersions: Table<SealedVersion> = {
    rows: ciphertexts.secretVersions,
    aad: ({ secretId, number }) => secretVersionAad(secretId, number),
    isAuthentic: (row) => ciphertexts.isAuthentic("secret_versions", row),
    replace: ciphertexts.replaceSecretVersion,
    failed: ({ secretId }) => listed(unreadable.secretVersions, secretId),
  };
  const apiKeys: Table<SealedKey> = {
    rows: ciphertexts.apiKeys,
    aad: ({ groupId, name }) => apiKeyAad(groupId, name),
    isAuthentic: (row) => ciphertexts.isAuthentic("api_keys", row),
    replace: ciphertexts.replaceApiKey,
    failed: ({ id }) => listed(unreadable.apiKeys, id),
  };

  const webhooks: Table<SealedWebhook> = {
    rows: ciphertexts.webhooks,
    aad: ({ id }) => webhookAad(id),
    isAuthentic: (row) => ciphertexts.isAuthentic("webhooks", row),
    replace: ciphertexts.replaceWebhook,
    // Only counted: the page of webhooks says which cannot be used.
    failed: () => {},
  };
  const mailServers: Table<SealedMailServer> = {
    rows: ciphertexts.mailServers,
    aad: mailServerAad,
    isAuthentic: (row) => ciphertexts.isAuthentic("mail_server", row),
    replace: ciphertexts.replaceMailServer,
    failed: () => {},
  };

  for (const version of ciphertexts.versions()) {
    if (version === keyring.currentVersion) continue;
    // Without the key, reading each of them would reveal nothing more.
    if (version > 0 && !keyring.has(version)) {
      const values = ciphertexts.count(version);
      unreadable.values += values;
      yield { handled: values, reencrypted: 0 };
      continue;
    }
    yield* batches(secrets, version);
    yield* batches(secretVersions, version);
    yield* batches(apiKeys, version);
    yield* batches(webhooks, version);
    yield* batches(mailServers, version);
  }
  return unreadable;

  async function* batches<R extends Sealed>(
    table: Table<R>,
    version: number,
  ): AsyncGenerator<Batch, void> {
    let after = 0;
    for (;;) {
      // If a power cut undoes this, the rows are of the old version again, whose key is kept long after the rotation.
      const rows = await commitWithoutSync(() => {
        const rows = table.rows(version, after, batchSize());
        const failed = rows.filter((row) => !reseal(table, row));
        return { last: rows.at(-1)?.id, handled: rows.length, failed };
      });
      if (rows.last === undefined) return;
      // Also skips values that could not be decrypted: the loop must not return to them.
      after = rows.last;
      unreadable.values += rows.failed.length;
      rows.failed.forEach((row) => table.failed(row));
      yield { handled: rows.handled, reencrypted: rows.handled - rows.failed.length };
    }
  }

  /** Re-encrypts a row; returns false if it could not be decrypted. */
  function reseal<R extends Sealed>(table: Table<R>, row: R): boolean {
    if (!table.isAuthentic(row)) return false;
    let ciphertext: string;
    try {
      ciphertext = keyring.reseal(row.ciphertext, table.aad(row));
    } catch (error) {
      if (error instanceof DecryptionError) return false;
      throw error;
    }
    table.replace(row.id, ciphertext);
    return true;
  }
}
