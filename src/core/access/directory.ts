// Finds who presents an API key, and decides whether a function admits them. Every call does both, so the holders are
// kept in memory.

import type { GroupId, KeyId } from "../../ids.ts";
import type { Keyring } from "../../keyring/keyring.ts";
import type { AccessStore, KeyHolder } from "../../store/access.ts";
import type { Uses } from "./uses.ts";

/** Holders kept in memory. Without them, an HMAC and a query per call cost ten times as much. */
const HOLDER_CACHE_SIZE = 10_000;

/** `holder` is the key whose secrets the call may read in addition to the function's own; undefined if public. */
export type Admission =
  | { readonly admitted: true; readonly holder: KeyHolder | undefined }
  | { readonly admitted: false; readonly status: 401 | 403; readonly reason: string };

export interface KeyDirectoryParts {
  readonly rows: Pick<AccessStore, "holder" | "key">;
  readonly keyring: Pick<Keyring, "lookup">;
  readonly uses: Pick<Uses<KeyId>, "record">;
  /** Reports whether what is read cannot be rolled back. */
  readonly isSettled: () => boolean;
}

export class KeyDirectory {
  readonly #rows: KeyDirectoryParts["rows"];
  readonly #keyring: KeyDirectoryParts["keyring"];
  readonly #uses: KeyDirectoryParts["uses"];
  readonly #isSettled: KeyDirectoryParts["isSettled"];
  readonly #holders = new Map<string, KeyHolder>();
  #generation = 0;

  constructor({ rows, keyring, uses, isSettled }: KeyDirectoryParts) {
    this.#rows = rows;
    this.#keyring = keyring;
    this.#uses = uses;
    this.#isSettled = isSettled;
  }

  /** Increases with each change of keys and groups: earlier results of `find` may be out of date. */
  get generation(): number {
    return this.#generation;
  }

  /** Returns the holder of the key with this value, or undefined if there is none. */
  find(value: string): KeyHolder | undefined {
    const known = this.#holders.get(value);
    if (known) return known;
    const holder = this.#rows.holder(this.#keyring.lookup(value));
    if (holder && this.#isSettled()) {
      if (this.#holders.size >= HOLDER_CACHE_SIZE) this.#holders.clear();
      this.#holders.set(value, holder);
    }
    return holder;
  }

  /** Returns the holder of the key with this id, or undefined if it was revoked. */
  holder(id: KeyId): KeyHolder | undefined {
    const row = this.#rows.key(id);
    return row && { keyId: row.id, keyName: row.name, groupId: row.groupId, groupName: row.groupName };
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

/** Decides on a call; keys of `groups` may call the function. Without groups it is public, and keys are ignored. */
export function decideAdmission(groups: readonly GroupId[], presented: KeyHolder | undefined): Admission {
  if (groups.length === 0) return { admitted: true, holder: undefined };
  if (!presented) return { admitted: false, status: 401, reason: "This function needs an API key." };
  if (!groups.includes(presented.groupId)) {
    return { admitted: false, status: 403, reason: "This API key's group may not call this function." };
  }
  return { admitted: true, holder: presented };
}
