// Writes secrets: a new value becomes a version of its own, and the one before it is kept. Used within transactions.

import type { Actor } from "../../actor.ts";
import { AppError, invalid } from "../../errors.ts";
import type { SecretName } from "../../ids.ts";
import { secretAad } from "../../keyring/aad.ts";
import type { Keyring } from "../../keyring/keyring.ts";
import type { Seal, SecretRow, SecretTerms } from "../../store/secrets.ts";
import { setterOf } from "../../store/secrets.ts";
import type { Store } from "../../store/store.ts";
import { nextChangeTime } from "../../versions.ts";
import { openSecret } from "./opened.ts";

/** Values of a secret that are kept, with the current one, if nothing else is set. */
export const VERSIONS_KEPT = 10;

/** Terms that an input sets; what is undefined stays, or has its default. */
export type TermsInput = { readonly [K in keyof SecretTerms]?: SecretTerms[K] | undefined };

/** What changes of a secret; what is undefined stays. */
export interface SecretEdit extends TermsInput {
  readonly name?: SecretName | undefined;
  readonly comment?: string | undefined;
  readonly value?: string | undefined;
  /** `value`, encrypted for the present name and owner; made if it is missing. */
  readonly ciphertext?: string | undefined;
  /** Where the value is sealed. With `value`, a change of it makes a new version. */
  readonly seal?: Seal | undefined;
  /** How long the value before counts next to a new one, in milliseconds. */
  readonly keepPreviousMs?: number | undefined;
}

export interface SecretWriterOptions {
  readonly store: Store;
  readonly keyring: Keyring;
  readonly now: () => number;
  readonly versionsKept: () => number;
}

export class SecretWriter {
  readonly #store: Store;
  readonly #keyring: Keyring;
  readonly #now: () => number;
  readonly #versionsKept: () => number;

  constructor({ store, keyring, now, versionsKept }: SecretWriterOptions) {
    this.#store = store;
    this.#keyring = keyring;
    this.#now = now;
    this.#versionsKept = versionsKept;
  }

  /**
   * Changes a secret, and returns whether it has a new value. The same value with the same seal is none.
   * @throws AppError DecryptionFailed (409) if the stored value is needed and cannot be read
   */
  update(actor: Actor, row: SecretRow, edit: SecretEdit): boolean {
    const { value, seal, keepPreviousMs, ciphertext: prepared, ...terms } = edit;
    if (keepPreviousMs !== undefined && value === undefined) throw invalid("keepPrevious", "needs a new value");
    const at = nextChangeTime(this.#now(), row.updatedAt);
    const name = edit.name ?? row.name;
    const fields = { ...row, ...definedOf(terms), name, now: at };
    const isNew = value !== undefined && !(isSameSeal(row, seal ?? row) && this.#isValue(row, value));
    if (!isNew) {
      // What was allowed may be taken back from the value that there is.
      Object.assign(fields, seal);
      if (value !== undefined) fields.ciphertext = prepared ?? this.#keyring.seal(value, secretAad(row.owner, name));
      else if (name !== row.name) fields.ciphertext = this.#resealed(row, name);
      this.#store.secrets.update({ ...fields, placedAt: name === row.name ? row.placedAt : at });
      return false;
    }
    this.#keep(row, at, keepPreviousMs);
    this.#store.secrets.update({
      ...fields,
      ...(seal ?? {}),
      ciphertext: prepared ?? this.#keyring.seal(value, secretAad(row.owner, name)),
      version: row.version + 1,
      setAt: at,
      setBy: setterOf(actor),
      placedAt: name === row.name ? row.placedAt : at,
    });
    return true;
  }

  /** Keeps the value of a row as a version, and as many others as are kept. */
  #keep(row: SecretRow, at: number, keepPreviousMs: number | undefined): void {
    const { secretArchive, secretVersions } = this.#store;
    if (keepPreviousMs === undefined) secretVersions.endOverlap(row.id);
    const isKept = secretArchive.keep(row, at, keepPreviousMs === undefined ? null : at + keepPreviousMs);
    if (!isKept && keepPreviousMs !== undefined) {
      throw new AppError(
        "DecryptionFailed",
        409,
        `The value of secret ${row.id} cannot be kept next to the new one, because it cannot be read. ` +
          "Set the new value without keepPrevious.",
      );
    }
    secretVersions.prune(row.id, this.#versionsKept() - 1, at);
  }

  #isValue(row: SecretRow, value: string): boolean {
    return openSecret(this.#store.secrets, this.#keyring, row).value?.reveal() === value;
  }

  #resealed(row: SecretRow, name: SecretName): string {
    const { value, decryptionError } = openSecret(this.#store.secrets, this.#keyring, row);
    if (value) return this.#keyring.seal(value.reveal(), secretAad(row.owner, name));
    throw new AppError(
      "DecryptionFailed",
      409,
      `Secret ${row.id} cannot be renamed because its value cannot be read. Give the value again with the new name. ` +
        decryptionError,
    );
  }
}

/** Returns the fields that are not undefined. */
export function definedOf<T extends object>(fields: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  const defined = Object.entries(fields).filter(([, value]) => value !== undefined);
  return Object.fromEntries(defined) as { [K in keyof T]?: Exclude<T[K], undefined> };
}

function isSameSeal(a: Seal, b: Seal): boolean {
  return a.sealed === b.sealed && JSON.stringify([a.hosts, a.places]) === JSON.stringify([b.hosts, b.places]);
}
