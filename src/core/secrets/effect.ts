// Computes whose answers a change of secrets would change: makes it in a transaction, compares what callers find before
// and after, and rolls it back.

import type { FunctionId, GroupId, KeyId, Scope, SecretId, SecretName } from "../../ids.ts";
import { ownerId } from "../../ids.ts";
import type { SecretRow } from "../../store/secrets.ts";
import type { Store } from "../../store/store.ts";
import { maySecretBeAsked } from "../functions/permissions.ts";
import type { RegisteredFunction } from "../functions/registry.ts";

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
  /** Null if there is no value. */
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
   * Returns the effect of `work` on the names that it concerns, and changes nothing. References in other secrets to
   * these names are not followed.
   * @throws what `work` throws
   */
  of(names: readonly SecretName[], work: () => void): Promise<SecretEffect>;

  /** Returns the effect of deleting a secret, without a transaction. */
  ofDeleting(row: SecretRow): SecretEffect;
}

export interface SecretEffectsOptions {
  readonly store: Store;
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

export function createSecretEffects({ store, functions, now }: SecretEffectsOptions): SecretEffects {
  const valuesOf = (names: readonly SecretName[]): Values[] => {
    return [...new Set(names)].map((name) =>
      new Values(name, store.secrets.list({ name }, 0, Number.MAX_SAFE_INTEGER))
    );
  };
  const compare = (before: readonly Values[], after: readonly Values[]): SecretEffect =>
    new Comparison(store, now(), before, after).run(functions().filter(({ enabled }) => enabled));

  return {
    async of(names, work) {
      try {
        return await store.commit((): SecretEffect => {
          const before = valuesOf(names);
          work();
          throw new RolledBack(compare(before, valuesOf(names)));
        });
      } catch (error) {
        if (error instanceof RolledBack) return error.effect;
        throw error;
      }
    },

    ofDeleting({ id, name }) {
      const [before] = valuesOf([name]) as [Values];
      return compare([before], [before.without(id)]);
    },
  };
}

/** The values of one name, by their owners. */
class Values {
  readonly name: SecretName;
  readonly #rows: readonly SecretRow[];
  readonly #byOwner: ReadonlyMap<string, SecretRow>;

  constructor(name: SecretName, rows: readonly SecretRow[]) {
    this.name = name;
    this.#rows = rows;
    this.#byOwner = new Map(rows.map((row) => [`${row.owner.scope} ${ownerId(row.owner)}`, row]));
  }

  /** Returns the keys that have a value of their own. */
  get keys(): KeyId[] {
    return this.#rows.flatMap(({ owner }) => owner.scope === "key" ? [owner.keyId] : []);
  }

  /** Returns the value that a caller finds; without `groupId`, of a public function. */
  find(functionId: number, groupId?: GroupId, keyId?: number): SecretRow | undefined {
    return this.#of("key", keyId) ?? this.#of("group", groupId) ?? this.#of("function", functionId) ??
      this.#of("global", 0);
  }

  without(id: SecretId): Values {
    return new Values(this.name, this.#rows.filter((row) => row.id !== id));
  }

  #of(scope: Scope, id: number | undefined): SecretRow | undefined {
    return id === undefined ? undefined : this.#byOwner.get(`${scope} ${id}`);
  }
}

/** The values of each name before and after. */
type Names = readonly (readonly [before: Values, after: Values])[];

class Comparison {
  readonly #store: Store;
  readonly #now: number;
  readonly #names: Names;
  /** The keys with a value of their own before or after, by their groups: these are compared one by one. */
  readonly #keys = new Map<GroupId, KeyId[]>();
  readonly #changes: ChangedAnswer[] = [];
  readonly #counts = new Map<GroupId, number>();

  constructor(store: Store, now: number, before: readonly Values[], after: readonly Values[]) {
    this.#store = store;
    this.#now = now;
    this.#names = before.map((values, index) => [values, after[index]!]);
    const owned = new Set(this.#names.flatMap(([before, after]) => [...before.keys, ...after.keys]));
    for (const keyId of owned) {
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
      const asked = this.#names.filter(([{ name }]) => maySecretBeAsked(fn.secrets, name));
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

  #public(fn: RegisteredFunction, asked: Names): number {
    return this.#compare(fn, asked, undefined, undefined) ? 1 : 0;
  }

  #keyed(fn: RegisteredFunction, asked: Names): number {
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

  #differs(fn: RegisteredFunction, asked: Names, groupId: GroupId): boolean {
    return asked.some(([before, after]) => !this.#isSame(before.find(fn.id, groupId), after.find(fn.id, groupId)));
  }

  /** Lists the keys of a group, but not those of `others`. */
  #list(fn: RegisteredFunction, asked: Names, groupId: GroupId, others: ReadonlySet<KeyId>): void {
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
    asked: Names,
    groupId: GroupId | undefined,
    keyId: KeyId | undefined,
  ): boolean {
    let differs = false;
    for (const [before, after] of asked) {
      const [from, to] = [before.find(fn.id, groupId, keyId), after.find(fn.id, groupId, keyId)];
      if (this.#isSame(from, to)) continue;
      differs = true;
      if (this.#changes.length >= CHANGES_MAX) continue;
      const key = keyId === undefined ? undefined : this.#store.access.key(keyId);
      this.#changes.push({
        name: before.name,
        functionId: fn.id,
        functionName: fn.name,
        keyId: keyId ?? null,
        keyName: key ? `${key.groupName}/${key.name}` : null,
        from: foundOf(from),
        to: foundOf(to),
      });
    }
    return differs;
  }

  /** Reports whether two rows give the same answer. */
  #isSame(a: SecretRow | undefined, b: SecretRow | undefined): boolean {
    if (!a || !b) return a === b;
    return a.id === b.id && a.version === b.version && a.expand === b.expand && a.sealed === b.sealed &&
      String(a.hosts) === String(b.hosts) && String(a.places) === String(b.places) &&
      this.#isClosed(a) === this.#isClosed(b);
  }

  #isClosed({ expiresAt, onExpiry }: SecretRow): boolean {
    return onExpiry === "close" && expiresAt !== null && expiresAt <= this.#now;
  }

  #countKeys(groupId: GroupId): number {
    let count = this.#counts.get(groupId);
    if (count === undefined) this.#counts.set(groupId, count = this.#store.access.countKeys(groupId));
    return count;
  }
}

function foundOf(row: SecretRow | undefined): FoundValue | null {
  if (!row) return null;
  const { id, owner, ownerName, version } = row;
  return { id, scope: owner.scope, scopeId: ownerId(owner) || null, scopeName: ownerName, version };
}
