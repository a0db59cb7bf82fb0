// Computes whose answers a change of secrets would change: makes it in a transaction, compares what callers find before
// and after, and rolls it back.

import type { FunctionId, GroupId, KeyId, Scope, SecretId, SecretName } from "../../ids.ts";
import { ownerId } from "../../ids.ts";
import type { Keyring } from "../../keyring/keyring.ts";
import type { SecretRow } from "../../store/secrets.ts";
import type { Store } from "../../store/store.ts";
import { maySecretBeAsked } from "../functions/permissions.ts";
import type { RegisteredFunction } from "../functions/registry.ts";
import { AnswerSnapshot, type Asker, withReferring } from "./answer_snapshot.ts";

/** What a caller finds under a name. */
export interface FoundValue {
  readonly id: SecretId;
  readonly scope: Scope;
  /** Null for global. */
  readonly scopeId: number | null;
  readonly scopeName: string | null;
  readonly version: number;
}

/** A caller whose answer changes: a function with an API key that may call it, or a public function. */
export interface ChangedAnswer {
  readonly name: SecretName;
  readonly functionId: FunctionId;
  readonly functionName: string;
  /** Null for a public function. */
  readonly keyId: KeyId | null;
  readonly keyName: string | null;
  /** Null if there is no value. The same as `to` if only a value that it refers to changes. */
  readonly from: FoundValue | null;
  readonly to: FoundValue | null;
}

export interface SecretEffect {
  /** Callers whose answer changes. */
  readonly callers: number;
  /** All callers of the functions that these call. */
  readonly of: number;
  readonly functions: number;
  /** The first CHANGES_MAX of them; of a caller for whom two names change, two. */
  readonly changes: readonly ChangedAnswer[];
}

/** Changes that an effect lists; all are counted. */
export const CHANGES_MAX = 1_000;
/** Keys read at a time. */
const PAGE = 1_000;

export interface SecretEffects {
  /**
   * Returns the effect of `work`, which concerns `names`, on them and on names whose values refer to them, and changes
   * nothing.
   * @throws what `work` throws
   */
  of(names: readonly SecretName[], work: () => void): Promise<SecretEffect>;

  /** Returns the effect of deleting a secret, without a transaction. */
  ofDeleting(row: SecretRow): SecretEffect;
}

export interface SecretEffectsOptions {
  readonly store: Store;
  readonly keyring: Keyring;
  /** Returns all functions. */
  readonly functions: () => readonly RegisteredFunction[];
  /** Milliseconds since 1970 UTC. */
  readonly now: () => number;
}

/** Ends a transaction that only looked. */
class RolledBack extends Error {
  readonly effect: SecretEffect;

  constructor(effect: SecretEffect) {
    super("rolled back");
    this.effect = effect;
  }
}

export function createSecretEffects({ store, keyring, functions, now }: SecretEffectsOptions): SecretEffects {
  const compare = (names: readonly SecretName[], before: AnswerSnapshot, after: AnswerSnapshot): SecretEffect =>
    new Comparison(store, names, before, after).run(functions().filter(({ enabled }) => enabled));

  return {
    async of(changed, work) {
      const parts = { store, keyring, now: now() };
      try {
        return await store.commit((): SecretEffect => {
          const names = withReferring(changed, parts);
          const before = AnswerSnapshot.take(names, parts);
          work();
          throw new RolledBack(compare(names, before, AnswerSnapshot.take(names, parts)));
        });
      } catch (error) {
        if (error instanceof RolledBack) return error.effect;
        throw error;
      }
    },

    ofDeleting({ id, name }) {
      const parts = { store, keyring, now: now() };
      const names = withReferring([name], parts);
      const before = AnswerSnapshot.take(names, parts);
      return compare(names, before, before.without(id));
    },
  };
}

class Comparison {
  readonly #store: Store;
  readonly #names: readonly SecretName[];
  readonly #before: AnswerSnapshot;
  readonly #after: AnswerSnapshot;
  /** The keys with a value of their own before or after, by their groups: these are compared one by one. */
  readonly #keys = new Map<GroupId, KeyId[]>();
  readonly #changes: ChangedAnswer[] = [];
  readonly #counts = new Map<GroupId, number>();

  constructor(store: Store, names: readonly SecretName[], before: AnswerSnapshot, after: AnswerSnapshot) {
    this.#store = store;
    this.#names = names;
    this.#before = before;
    this.#after = after;
    for (const keyId of new Set([...before.keys, ...after.keys])) {
      const groupId = store.access.key(keyId)?.groupId;
      if (groupId === undefined) continue;
      const known = this.#keys.get(groupId);
      if (known) known.push(keyId);
      else this.#keys.set(groupId, [keyId]);
    }
  }

  run(functions: readonly RegisteredFunction[]): SecretEffect {
    let [callers, of, affected] = [0, 0, 0];
    for (const fn of functions) {
      const asked = this.#names.filter((name) => maySecretBeAsked(fn.secrets, name));
      if (asked.length === 0) continue;
      const changed = fn.keys.length === 0 ? this.#public(fn, asked) : this.#keyed(fn, asked);
      if (changed === 0) continue;
      callers += changed;
      affected++;
      of += fn.keys.length === 0 ? 1 : fn.keys.reduce((sum, groupId) => sum + this.#countKeys(groupId), 0);
    }
    this.#changes.sort((a, b) => a.functionId - b.functionId || (a.keyId ?? 0) - (b.keyId ?? 0));
    return { callers, of, functions: affected, changes: this.#changes };
  }

  #public(fn: RegisteredFunction, asked: readonly SecretName[]): number {
    return this.#compare(fn, asked, undefined, undefined) ? 1 : 0;
  }

  #keyed(fn: RegisteredFunction, asked: readonly SecretName[]): number {
    let callers = 0;
    for (const groupId of fn.keys) {
      const own = this.#keys.get(groupId) ?? [];
      for (const keyId of own) if (this.#compare(fn, asked, groupId, keyId)) callers++;
      // All other keys of the group find the same.
      if (!this.#differs(fn, asked, groupId)) continue;
      callers += this.#countKeys(groupId) - own.length;
      this.#list(fn, asked, groupId, new Set(own));
    }
    return callers;
  }

  #differs(fn: RegisteredFunction, asked: readonly SecretName[], groupId: GroupId): boolean {
    const asker = askerOf(fn, groupId, undefined);
    return asked.some((name) => this.#isChanged(asker, name));
  }

  /** Lists the keys of a group, but not those of `others`. */
  #list(fn: RegisteredFunction, asked: readonly SecretName[], groupId: GroupId, others: ReadonlySet<KeyId>): void {
    for (let after = 0; this.#changes.length < CHANGES_MAX;) {
      const keys = this.#store.access.keys(groupId, after, PAGE);
      for (const { id } of keys) {
        if (!others.has(id)) this.#compare(fn, asked, groupId, id);
        if (this.#changes.length >= CHANGES_MAX) return;
      }
      if (keys.length < PAGE) return;
      after = keys.at(-1)!.id;
    }
  }

  /** Reports whether a caller's answer changes, and lists it. */
  #compare(
    fn: RegisteredFunction,
    asked: readonly SecretName[],
    groupId: GroupId | undefined,
    keyId: KeyId | undefined,
  ): boolean {
    const asker = askerOf(fn, groupId, keyId);
    let differs = false;
    for (const name of asked) {
      if (!this.#isChanged(asker, name)) continue;
      differs = true;
      if (this.#changes.length >= CHANGES_MAX) continue;
      const key = keyId === undefined ? undefined : this.#store.access.key(keyId);
      this.#changes.push({
        name,
        functionId: fn.id,
        functionName: fn.name,
        keyId: keyId ?? null,
        keyName: key ? `${key.groupName}/${key.name}` : null,
        from: foundOf(this.#before.find(asker, name)),
        to: foundOf(this.#after.find(asker, name)),
      });
    }
    return differs;
  }

  #isChanged(asker: Asker, name: SecretName): boolean {
    return this.#before.identify(asker, name) !== this.#after.identify(asker, name);
  }

  #countKeys(groupId: GroupId): number {
    let count = this.#counts.get(groupId);
    if (count === undefined) this.#counts.set(groupId, count = this.#store.access.countKeys(groupId));
    return count;
  }
}

function askerOf(fn: RegisteredFunction, groupId: GroupId | undefined, keyId: KeyId | undefined): Asker {
  return { functionId: fn.id, patterns: fn.secrets, groupId, keyId };
}

function foundOf(row: SecretRow | undefined): FoundValue | null {
  if (!row) return null;
  const { id, owner, ownerName, version } = row;
  return { id, scope: owner.scope, scopeId: ownerId(owner) || null, scopeName: ownerName, version };
}
