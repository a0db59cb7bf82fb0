// Finds the stored values that a caller is entitled to, and decrypts them. Does not record that they were read.

import { type Owner, type Scope, SCOPES, type SecretId, type SecretName } from "../../ids.ts";
import { secretAad } from "../../keyring/aad.ts";
import { DecryptionError, type Keyring } from "../../keyring/keyring.ts";
import type { SecretValue } from "../../keyring/secret_value.ts";
import { type Candidate, type Seal, toOwner } from "../../store/secrets.ts";
import type { ChangeCounter } from "../../store/database.ts";
import type { Store } from "../../store/store.ts";
import { isSecretName } from "../../core/secrets/names.ts";
import { type Caller, resolve } from "../../core/secrets/resolution.ts";
import { ALTERED, MISSING } from "../../core/secrets/opened.ts";

export interface OpenedSecret {
  readonly id: SecretId;
  readonly scope: Scope;
  readonly value: SecretValue;
  /** Where the value may be sent to, if it is sealed: the handler is then given a placeholder. */
  readonly seal: Pick<Seal, "hosts" | "places"> | undefined;
}

/** A value that must not be disclosed, and that is not replaced by the value of a wider scope either. */
export interface UnreadableSecret {
  /** Undefined if its row is missing and nothing proves that it was deleted. */
  readonly id: SecretId | undefined;
  readonly name: SecretName;
  readonly scope: Scope;
  readonly owner: Owner;
  /** Why, as a sentence. */
  readonly problem: string;
}

export type FoundSecret = OpenedSecret | UnreadableSecret;

/** Look-ups remembered, as ciphertexts. A query costs as much as two decryptions of its result. */
const REMEMBERED_LOOKUPS = 10_000;
const REMEMBERED_MAX_BYTES = 32 << 20;
/** The size of a look-up, and of each of its rows, in addition to the ciphertexts. */
const ROW_BYTES = 512;

export class SecretLookup {
  readonly #store: Pick<Store, "changes" | "secrets">;
  readonly #keyring: Keyring;
  readonly #remembered = new Map<string, readonly Candidate[]>();
  #rememberedBytes = 0;
  #rememberedAt: number;
  /** While its count is the same, the same question has the same answer. */
  readonly changes: ChangeCounter;

  constructor(store: Pick<Store, "changes" | "secrets">, keyring: Keyring) {
    this.#store = store;
    this.#keyring = keyring;
    this.changes = store.changes;
    this.#rememberedAt = this.changes.count;
  }

  /** Returns the value of the winning scope, or of `scope` alone; undefined if the caller may read none. */
  find(caller: Caller, name: string, scope: Scope | null): FoundSecret | undefined {
    if (!isSecretName(name)) return undefined;
    const found = this.#resolve(caller, name);
    const won = scope === null ? found[0] : found.find((candidate) => candidate.scope === scope);
    return won && this.#open(won, name);
  }

  /** Returns every value that the caller may read, the winner first. */
  findAll(caller: Caller, name: string): FoundSecret[] {
    return isSecretName(name) ? this.#resolve(caller, name).map((candidate) => this.#open(candidate, name)) : [];
  }

  #resolve(caller: Caller, name: SecretName): Candidate[] {
    return resolve(caller, name, () => this.#candidates(caller, name));
  }

  #candidates({ functionId, holder }: Caller, name: SecretName): readonly Candidate[] {
    const [groupId, keyId] = [holder?.groupId ?? 0, holder?.keyId ?? 0];
    // Any change clears what is remembered. No other process writes.
    const isFull = this.#remembered.size >= REMEMBERED_LOOKUPS || this.#rememberedBytes >= REMEMBERED_MAX_BYTES;
    if (this.#rememberedAt !== this.changes.count || isFull) {
      this.#remembered.clear();
      this.#rememberedBytes = 0;
      this.#rememberedAt = this.changes.count;
    }
    const key = `${functionId} ${groupId} ${keyId} ${name}`;
    let found = this.#remembered.get(key);
    if (!found) {
      found = this.#store.secrets.candidates(name, functionId, groupId, keyId);
      this.#remembered.set(key, found);
      for (const one of found) this.#rememberedBytes += ROW_BYTES + (one.id === undefined ? 0 : one.ciphertext.length);
      this.#rememberedBytes += ROW_BYTES;
    }
    return found;
  }

  #open(candidate: Candidate, name: SecretName): FoundSecret {
    const { id, scope, ownerId } = candidate;
    const owner = toOwner(scope, ownerId);
    const unreadable = (problem: string): UnreadableSecret => ({ id, name, scope, owner, problem });
    if (id === undefined) return unreadable(MISSING);
    if (!candidate.isAuthentic) return unreadable(ALTERED);
    try {
      const { sealed, hosts, places } = candidate;
      const seal = sealed ? { hosts, places } : undefined;
      return { id, scope, value: this.#keyring.open(candidate.ciphertext, secretAad(owner, name)), seal };
    } catch (error) {
      if (!(error instanceof DecryptionError)) throw error;
      return unreadable(error.message);
    }
  }
}

/** Reports whether a handler's text is the name of a scope. */
export function isScope(text: string): text is Scope {
  return (SCOPES as readonly string[]).includes(text);
}
