// Moves values of secrets to their versions, to the bin and back, within transactions of the caller. A value is encrypted
// for its new place; a row that something else altered is never archived, as that would make it genuine.

import type { Owner, SecretId } from "../ids.ts";
import { secretAad, secretVersionAad } from "../keyring/aad.ts";
import { DecryptionError, type Keyring } from "../keyring/keyring.ts";
import type { AccessStore } from "./access.ts";
import type { DeletedSecretRow, DeletedSecretStore } from "./deleted_secrets.ts";
import type { SecretVersionStore } from "./secret_versions.ts";
import type { SecretFilter, SecretRow, SecretStore, Setter } from "./secrets.ts";

export interface SecretArchive {
  /**
   * Stores the current value of a secret as a version. Returns false, and stores nothing, if the value cannot be read
   * or the row was altered.
   */
  keep(row: SecretRow, at: number, previousUntil: number | null): boolean;

  /** Deletes a secret. It is then in the bin with all of its values, unless its current value cannot be kept. */
  discard(row: SecretRow, by: Setter, at: number): void;

  /** Discards the secrets of one owner, who is about to be deleted, and returns them. */
  discardAll(owner: Exclude<Owner, { readonly scope: "global" }>, by: Setter, at: number): SecretRow[];

  /**
   * Moves a deleted secret out of the bin, to `owner`, with its id, values and terms. Returns false, and changes
   * nothing, if its last value cannot be read.
   */
  restore(row: DeletedSecretRow, owner: Owner, now: number): boolean;

  /** Deletes a deleted secret with all of its values; returns whether it was in the bin. Others are left alone. */
  purge(id: SecretId): boolean;
}

export interface SecretArchiveParts {
  readonly secrets: SecretStore;
  readonly secretVersions: SecretVersionStore;
  readonly deletedSecrets: DeletedSecretStore;
  readonly access: Pick<AccessStore, "key">;
  readonly keyring: Keyring;
}

export function createSecretArchive(parts: SecretArchiveParts): SecretArchive {
  const { secrets, secretVersions, deletedSecrets, access, keyring } = parts;

  const keep = (row: SecretRow, at: number, previousUntil: number | null): boolean => {
    const { id, owner, name, version: number } = row;
    if (!secrets.isAuthentic(id)) return false;
    const ciphertext = resealed(keyring, row.ciphertext, secretAad(owner, name), secretVersionAad(id, number));
    if (ciphertext === undefined) return false;
    // A row that something else inserted must not prevent the deletion of a secret.
    secretVersions.delete(id, number);
    secretVersions.insert({ ...row, secretId: id, number, ciphertext, until: at, previousUntil });
    return true;
  };

  const discard = (row: SecretRow, by: Setter, at: number): void => {
    const { id, owner } = row;
    const isKept = keep(row, at, null);
    if (isKept) {
      const ownerGroup = owner.scope === "key" ? access.key(owner.keyId)?.groupName ?? null : null;
      secretVersions.endOverlap(id);
      deletedSecrets.delete(id);
      deletedSecrets.insert({ ...row, ownerGroup, deletedAt: at, deletedBy: by });
    } else secretVersions.deleteAll(id);
    secrets.delete(id);
  };

  return {
    keep,
    discard,

    discardAll({ scope, ...owner }, by, at) {
      const filter: SecretFilter = { scope, ...owner };
      const rows = secrets.list(filter, 0, Number.MAX_SAFE_INTEGER);
      for (const row of rows) discard(row, by, at);
      return rows;
    },

    restore(row, owner, now) {
      const { id, name, version } = row;
      const last = secretVersions.find(id, version);
      const ciphertext = last &&
        resealed(keyring, last.ciphertext, secretVersionAad(id, version), secretAad(owner, name));
      if (!last || ciphertext === undefined) return false;
      const { sealed, hosts, places, setAt, setBy } = last;
      // A version ends when its successor is set; this one is current again.
      secretVersions.delete(id, version);
      deletedSecrets.delete(id);
      secrets.insert({ ...row, owner, ciphertext, sealed, hosts, places, setAt, setBy, placedAt: now, now });
      return true;
    },

    purge(id) {
      // The id may be that of a secret that exists.
      if (!deletedSecrets.delete(id)) return false;
      secretVersions.deleteAll(id);
      return true;
    },
  };
}

/** Returns a ciphertext that is bound to another place; undefined if it cannot be read. */
function resealed(keyring: Keyring, ciphertext: string, from: string, to: string): string | undefined {
  try {
    return keyring.reseal(ciphertext, from, to);
  } catch (error) {
    if (error instanceof DecryptionError) return undefined;
    throw error;
  }
}
