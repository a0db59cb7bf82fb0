// Finds the stored values that a caller is entitled to, and decrypts them. Does not record that they were read.

import { type Owner, type Scope, SCOPES, type SecretId, type SecretName } from "../../ids.ts";
import { secretAad, secretVersionAad } from "../../keyring/aad.ts";
import { DecryptionError, type Keyring } from "../../keyring/keyring.ts";
import { SecretValue } from "../../keyring/secret_value.ts";
import { type Candidate, type Seal, toOwner } from "../../store/secrets.ts";
import type { ChangeCounter } from "../../store/database.ts";
import type { Store } from "../../store/store.ts";
import { isSecretName } from "../../core/secrets/names.ts";
import { type Caller, resolve } from "../../core/secrets/resolution.ts";
import { ALTERED, MISSING } from "../../core/secrets/opened.ts";
import { expandReferences, type UsedValue } from "./expansion.ts";

export interface OpenedSecret {
  readonly id: SecretId;
  readonly scope: Scope;
  readonly value: SecretValue;
  /** Where the value may be sent to, if it is sealed: the handler is then given a placeholder. */
  readonly seal: Pick<Seal, "hosts" | "places"> | undefined;
  /** Values that it refers to, which are disclosed with it. */
  readonly used: readonly UsedValue[];
  /** Whether disclosing it raises an alert: it, or a value that it refers to, is a canary. */
  readonly canaries: readonly CanaryOf[];
  /** When it expired, in milliseconds since 1970 UTC; undefined if it has not. */
  readonly expiredAt: number | undefined;
  /** Until when the answer stays the same if nothing is changed, in milliseconds since 1970 UTC. */
  readonly until: number;
}

/** A canary among what is disclosed. */
export interface CanaryOf {
  readonly id: SecretId;
  readonly name: SecretName;
}

/** A value of a secret that counts now. */
export interface OpenedVersion {
  readonly version: number;
  /** Until when it counts next to the current one, in milliseconds since 1970 UTC; undefined for the current one. */
  readonly until: number | undefined;
  readonly found: FoundSecret;
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
  /** Whether it could be read: it is expired, or its references cannot be resolved. */
  readonly isWithheld?: boolean;
}

export type FoundSecret = OpenedSecret | UnreadableSecret;

/** Look-ups remembered, as ciphertexts. A query costs as much as two decryptions of its result. */
const REMEMBERED_LOOKUPS = 10_000;
const REMEMBERED_MAX_BYTES = 32 << 20;
/** The size of a look-up, and of each of its rows, in addition to the ciphertexts. */
const ROW_BYTES = 512;

type LookupStore = Pick<Store, "changes" | "secrets" | "secretVersions">;

export class SecretLookup {
  readonly #store: LookupStore;
  readonly #keyring: Keyring;
  /** Returns milliseconds since 1970 UTC. */
  readonly now: () => number;
  readonly #remembered = new Map<string, readonly Candidate[]>();
  #rememberedBytes = 0;
  #rememberedAt: number;
  /** While its count is the same, the same question has the same answer, until a value expires. */
  readonly changes: ChangeCounter;

  /** `now` returns milliseconds since 1970 UTC. */
  constructor(store: LookupStore, keyring: Keyring, now: () => number = Date.now) {
    this.#store = store;
    this.#keyring = keyring;
    this.now = now;
    this.changes = store.changes;
    this.#rememberedAt = this.changes.count;
  }

  /** Returns the value of the winning scope, or of `scope` alone; undefined if the caller may read none. */
  find(caller: Caller, name: string, scope: Scope | null): FoundSecret | undefined {
    if (!isSecretName(name)) return undefined;
    const won = this.#winner(caller, name, scope);
    return won && this.#open(caller, won, name);
  }

  /** Returns every value that the caller may read, the winner first. */
  findAll(caller: Caller, name: string): FoundSecret[] {
    if (!isSecretName(name)) return [];
    return this.#resolve(caller, name).map((candidate) => this.#open(caller, candidate, name));
  }

  /** Returns the value before that of `find`, while it still counts; undefined if there is none. */
  previous(caller: Caller, name: string, scope: Scope | null): FoundSecret | undefined {
    if (!isSecretName(name)) return undefined;
    const won = this.#winner(caller, name, scope);
    const [first] = won ? this.#previous(caller, won, name) : [];
    if (!first || "problem" in first.found) return first?.found;
    return { ...first.found, until: Math.min(first.found.until, first.until ?? Infinity) };
  }

  /** Returns the value of the winning scope and those before it that still count, newest first. */
  versions(caller: Caller, name: string): OpenedVersion[] {
    if (!isSecretName(name)) return [];
    const won = this.#winner(caller, name, null);
    if (!won) return [];
    const version = won.id === undefined ? 1 : won.version;
    const current = { version, until: undefined, found: this.#open(caller, won, name) };
    return "problem" in current.found ? [current] : [current, ...this.#previous(caller, won, name)];
  }

  #previous(caller: Caller, won: Candidate, name: SecretName): OpenedVersion[] {
    if (won.id === undefined || !won.isAuthentic) return [];
    return this.#store.secretVersions.previous(won.id, this.now()).map((row) => {
      const { number, sealed, hosts, places, ciphertext, previousUntil } = row;
      const value = { ...won, sealed, hosts, places, ciphertext };
      const found = this.#open(caller, value, name, secretVersionAad(won.id, number));
      return { version: number, until: previousUntil ?? undefined, found };
    });
  }

  #winner(caller: Caller, name: SecretName, scope: Scope | null): Candidate | undefined {
    const found = this.#resolve(caller, name);
    return scope === null ? found[0] : found.find((candidate) => candidate.scope === scope);
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

  #open(
    caller: Caller,
    candidate: Candidate,
    name: SecretName,
    aad: string = secretAad(toOwner(candidate.scope, candidate.ownerId), name),
  ): FoundSecret {
    const { id, scope, ownerId } = candidate;
    const unreadable = (problem: string, isWithheld = false): UnreadableSecret => ({
      ...{ id, name, scope, owner: toOwner(scope, ownerId), problem },
      ...(isWithheld && { isWithheld }),
    });
    if (id === undefined) return unreadable(MISSING);
    if (!candidate.isAuthentic) return unreadable(ALTERED);
    const { expiresAt, onExpiry, expand, canary } = candidate;
    const isExpired = expiresAt !== null && expiresAt <= this.now();
    if (isExpired && onExpiry === "close") return unreadable(`It expired at ${isoTime(expiresAt)}.`, true);
    let value: SecretValue;
    try {
      value = this.#keyring.open(candidate.ciphertext, aad);
    } catch (error) {
      if (!(error instanceof DecryptionError)) throw error;
      return unreadable(error.message);
    }
    const plain: OpenedSecret = {
      id,
      scope,
      value,
      used: NONE,
      seal: candidate.sealed ? { hosts: candidate.hosts, places: candidate.places } : undefined,
      canaries: canary ? [{ id, name }] : NONE,
      expiredAt: isExpired ? expiresAt : undefined,
      until: expiresAt !== null && !isExpired ? expiresAt : Infinity,
    };
    return expand && !candidate.sealed ? this.#expanded(caller, plain, unreadable) : plain;
  }

  /** Resolves the references in a value, for the same caller by the same rules. */
  #expanded(
    caller: Caller,
    secret: OpenedSecret,
    unreadable: (problem: string, isWithheld: boolean) => UnreadableSecret,
  ): FoundSecret {
    const canaries = [...secret.canaries];
    let { until } = secret;
    const expansion = expandReferences(secret.id, secret.value.reveal(), (name, scope) => {
      if (!caller.mayAsk(name)) return "the function may not ask for";
      const won = this.#winner(caller, name, scope);
      if (!won) return "has no value for this caller";
      if (won.id !== undefined && won.sealed) return "is sealed";
      // Its own references are resolved by the expansion, which knows the way that led to it.
      const found = this.#open(caller, won.id === undefined ? won : { ...won, expand: false }, name);
      if ("problem" in found) return `cannot be read: ${found.problem.replace(/\.$/, "")}`;
      canaries.push(...found.canaries);
      until = Math.min(until, found.until);
      return {
        id: found.id,
        scope: found.scope,
        text: found.value.reveal(),
        expand: won.id !== undefined && won.expand,
      };
    });
    if ("problem" in expansion) return unreadable(expansion.problem, true);
    return { ...secret, value: new SecretValue(expansion.text), used: expansion.used, canaries, until };
  }
}

const NONE: readonly never[] = [];

function isoTime(ms: number): string {
  return new Date(ms).toISOString();
}

/** Reports whether a handler's text is the name of a scope. */
export function isScope(text: string): text is Scope {
  return (SCOPES as readonly string[]).includes(text);
}
