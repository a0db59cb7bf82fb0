// Finds who presents an API key, and decides whether a function admits them. Every call does both, so the holders are
// kept in memory.

import { Buffer } from "node:buffer";
import type { GroupId, KeyId } from "../../ids.ts";
import type { Keyring } from "../../keyring/keyring.ts";
import type { AccessStore, KeyHolder, KeyRow } from "../../store/access.ts";
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
  readonly #holders = new Map<string, KeyHolder>();
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
    const found = this.#stored(value);
    return found && this.isInTime(found) ? found : undefined;
  }

  /**
   * Returns the holder of the key with this id, or undefined if it was revoked or has expired, or no longer accepts the
   * value with the HMAC `lookup`.
   */
  holder(id: KeyId, lookup?: Uint8Array): KeyHolder | undefined {
    const row = this.#rows.key(id);
    const until = row && this.#acceptedUntil(row, lookup);
    if (until === undefined) return undefined;
    const holder = { keyId: row!.id, keyName: row!.name, groupId: row!.groupId, groupName: row!.groupName, lookup };
    const found = until === Infinity ? holder : { ...holder, until };
    return this.isInTime(found) ? found : undefined;
  }

  /**
   * Reports whether the time of the presented value is not over. Nothing is written when it ends, of an expired key or a
   * replaced value: each use compares the clock.
   */
  isInTime({ until }: KeyHolder): boolean {
    return until === undefined || until > this.#now();
  }

  /** Reports whether a key with this value is stored. It may be accepted again even if it has expired. */
  isStored(value: string): boolean {
    return this.#stored(value) !== undefined;
  }

  #stored(value: string): KeyHolder | undefined {
    return this.#holders.get(value) ?? this.#read(value);
  }

  #read(value: string): KeyHolder | undefined {
    const lookup = this.#keyring.lookup(value);
    const found = this.#rows.holder(lookup) ?? this.#rows.previousHolder(lookup)?.holder;
    if (found && this.#isSettled()) {
      if (this.#holders.size >= HOLDER_CACHE_SIZE) this.#holders.clear();
      this.#holders.set(value, found);
    }
    return found;
  }

  /** Returns until when a key accepts the value with the HMAC `presented`; Infinity for ever, undefined if not at all. */
  #acceptedUntil({ id, rolledAt, expiresAt }: KeyRow, presented: Uint8Array | undefined): number | undefined {
    const expiry = expiresAt ?? Infinity;
    if (!presented || rolledAt === null) return expiry;
    const stored = this.#rows.keyLookups(id);
    if (!stored) return undefined;
    const { lookup, previousLookup, previousUntil } = stored;
    if (isSame(lookup, presented)) return expiry;
    if (previousLookup === null || !isSame(previousLookup, presented)) return undefined;
    return Math.min(previousUntil!, expiry);
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
