// Bringing every ciphertext to the current key version, batch by batch, while others read and write.

import type { KeyId, SecretId } from "../../ids.ts";
import type { SealedKey, SealedSecret } from "../../store/ciphertexts.ts";
import type { Store } from "../../store/store.ts";
import { apiKeyAad, secretAad } from "../../keyring/aad.ts";
import { DecryptionError, type Keyring } from "../../keyring/keyring.ts";

/** Ids of unreadable values that are listed of each kind; all are counted. */
const LISTED_MAX = 100;

/** Values that could not be read and stay as they are. */
export interface Unreadable {
  values: number;
  /** Those whose key version the keyring does not have are only counted. */
  readonly secrets: SecretId[];
  readonly apiKeys: KeyId[];
}

/** What one step did. */
export interface Batch {
  /** Values looked at. */
  readonly handled: number;
  readonly reencrypted: number;
}

/** What re-encryption does with the rows of one table. */
interface Table<R extends { readonly id: number; readonly ciphertext: string }> {
  rows(version: number, after: number, limit: number): R[];
  aad(row: R): string;
  isAuthentic(id: R["id"]): boolean;
  replace(id: R["id"], ciphertext: string): void;
  readonly unreadable: R["id"][];
}

/**
 * Re-encrypts what is not of the keyring's current version; adds to `unreadable` what cannot be read.
 * Each step of the iteration is one synchronous transaction; between two of them the caller lets others work,
 * or stops.
 */
export function* reencrypt(
  store: Store,
  keyring: Keyring,
  batchSize: () => number,
  unreadable: Unreadable,
): Generator<Batch> {
  const { ciphertexts } = store;
  const secrets: Table<SealedSecret> = {
    rows: ciphertexts.secrets,
    aad: ({ owner, name }) => secretAad(owner, name),
    isAuthentic: (id) => ciphertexts.isAuthentic("secrets", id),
    replace: ciphertexts.replaceSecret,
    unreadable: unreadable.secrets,
  };
  const apiKeys: Table<SealedKey> = {
    rows: ciphertexts.apiKeys,
    aad: ({ groupId, name }) => apiKeyAad(groupId, name),
    isAuthentic: (id) => ciphertexts.isAuthentic("api_keys", id),
    replace: ciphertexts.replaceApiKey,
    unreadable: unreadable.apiKeys,
  };

  for (const version of ciphertexts.versions()) {
    if (version === keyring.currentVersion) continue;
    // Looking at each of them would tell nothing more.
    if (version > 0 && !keyring.has(version)) {
      const values = ciphertexts.count(version);
      unreadable.values += values;
      yield { handled: values, reencrypted: 0 };
      continue;
    }
    yield* batches(secrets, version);
    yield* batches(apiKeys, version);
  }

  function* batches<R extends SealedSecret | SealedKey>(table: Table<R>, version: number): Generator<Batch> {
    let after = 0;
    for (;;) {
      // Undone by a power cut, the rows are of the old version again, whose key is kept for long after the end.
      const rows = store.repeatable(() => {
        const rows = table.rows(version, after, batchSize());
        const failed = rows.filter((row) => !reseal(table, row));
        return { last: rows.at(-1)?.id, handled: rows.length, failed };
      });
      if (rows.last === undefined) return;
      // Past those that could not be read, too: they must not come again and again.
      after = rows.last;
      unreadable.values += rows.failed.length;
      const room = Math.max(0, LISTED_MAX - table.unreadable.length);
      table.unreadable.push(...rows.failed.slice(0, room).map(({ id }) => id));
      yield { handled: rows.handled, reencrypted: rows.handled - rows.failed.length };
    }
  }

  /** Whether the row could be read. */
  function reseal<R extends SealedSecret | SealedKey>(table: Table<R>, row: R): boolean {
    if (!table.isAuthentic(row.id)) return false;
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
