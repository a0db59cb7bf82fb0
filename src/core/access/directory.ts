// Finds who presents an API key, and decides whether a function admits them. Every call does both, so the holders are
// kept in memory.

import { Buffer } from "node:buffer";
import type { GroupId, KeyId } from "../../ids.ts";
import type { Keyring } from "../../keyring/keyring.ts";
import type { AccessStore, KeyHolder, PreviousHolder } from "../../store/access.ts";
import type { Uses } from "./uses.ts";

/** Holders kept in memory. Without them, an HMAC and a query per call cost ten times as much. */
const HOLDER_CACHE_SIZE = 10_000;

/** `holder` is the key whose secrets the call may read in addition to the function's own; undefined if public. */
export type Admission =
  | { readonly admitted: true; readonly holder: KeyHolder | undefined }
  | { readonly admitted: false; readonly status: 401 | 403; readonly reason: string };

export interface KeyDirectoryParts {
  readonly rows: Pick<AccessStore, "holder" | "previousHolder" | "keyLookups" | "key">;
  readonly keyring: Pick<Keyring, "lookup">;
  readonly uses: Pick<Uses<KeyId>, "record">;
  /** Reports whether what is read cannot be rolled back. */
  readonly isSettled: () => boolean;
  /** Milliseconds since 1970 UTC. */
  readonly now: () => number;
}

export class KeyDirectory {
  readonly #rows: KeyDirectoryParts["rows"];
  readonly #keyring: KeyDirectoryParts["keyring"];
  readonly #uses: KeyDirectoryParts["uses"];
  readonly #isSettled: KeyDirectoryParts["isSettled"];
  readonly #now: KeyDirectoryParts["now"];
  readonly #holders = new Map<string, PreviousHolder>();
  #generation = 0;

  constructor({ rows, keyring, uses, isSettled, now }: KeyDirectoryParts) {
    this.#rows = rows;
    this.#keyring = keyring;
    this.#uses = uses;
    this.#isSettled = isSettled;
    this.#now = now;
  }

  /** Increases with each change of keys and groups: earlier results of `find` may be out of date. */
  get generation(): number {
    return this.#generation;
  }

  /** Returns the holder of the key with this value, or undefined if there is none that accepts it now. */
  find(value: string): KeyHolder | undefined {
    const found = this.#holders.get(value) ?? this.#read(value);
    // Nothing is written when the time of a replaced value is over: each use of it compares the clock.
    if (!found || found.until !== Infinity && found.until <= this.#now()) return undefined;
    return found.holder;
  }

  #read(value: string): PreviousHolder | undefined {
    const lookup = this.#keyring.lookup(value);
    const holder = this.#rows.holder(lookup);
    const found = holder ? { holder, until: Infinity } : this.#rows.previousHolder(lookup);
    if (found && this.#isSettled()) {
      if (this.#holders.size >= HOLDER_CACHE_SIZE) this.#holders.clear();
      this.#holders.set(value, found);
    }
    return found;
  }

  /**
   * Returns the holder of the key with this id, or undefined if it was revoked, or no longer accepts the value with the
   * HMAC `lookup`.
   */
  holder(id: KeyId, lookup?: Uint8Array): KeyHolder | undefined {
    const row = this.#rows.key(id);
    if (!row || lookup && row.rolledAt !== null && !this.#accepts(id, lookup)) return undefined;
    return { keyId: row.id, keyName: row.name, groupId: row.groupId, groupName: row.groupName, lookup };
  }

  #accepts(id: KeyId, presented: Uint8Array): boolean {
    const stored = this.#rows.keyLookups(id);
    if (!stored) return false;
    const { lookup, previousLookup, previousUntil } = stored;
    if (isSame(lookup, presented)) return true;
    return previousLookup !== null && isSame(previousLookup, presented) && previousUntil! > this.#now();
  }

  /** Records that a key admitted a request; written within a second. */
  recordUse(id: KeyId): void {
    this.#uses.record(id);
  }

  /** Forgets the holders in memory, as keys or groups have changed. */
  forgetHolders(): void {
    this.#holders.clear();
    this.#generation++;
  }
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

/** Decides on a call; keys of `groups` may call the function. Without groups it is public, and keys are ignored. */
export function decideAdmission(groups: readonly GroupId[], presented: KeyHolder | undefined): Admission {
  if (groups.length === 0) return { admitted: true, holder: undefined };
  if (!presented) return { admitted: false, status: 401, reason: "This function needs an API key." };
  if (!groups.includes(presented.groupId)) {
    return { admitted: false, status: 403, reason: "This API key's group may not call this function." };
  }
  return { admitted: true, holder: presented };
}
