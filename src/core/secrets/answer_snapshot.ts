// Identifies what callers are answered at one moment, references in values included, so that two moments can be
// compared. Knows the values of some names only.

import type { GroupId, KeyId, Scope, SecretId, SecretName } from "../../ids.ts";
import { ownerId } from "../../ids.ts";
import type { Keyring } from "../../keyring/keyring.ts";
import type { SecretRow } from "../../store/secrets.ts";
import type { Store } from "../../store/store.ts";
import { versionOf } from "../../versions.ts";
import { maySecretBeAsked } from "../functions/permissions.ts";
import { openSecret } from "./opened.ts";
import { DEPTH_MAX, type Reference, referencesIn } from "./reference_syntax.ts";

/** Who asks: a function with a key, or a public one. */
export interface Asker {
  readonly functionId: number;
  /** The function's `secrets`. */
  readonly patterns: readonly string[];
  readonly groupId: GroupId | undefined;
  readonly keyId: KeyId | undefined;
}

export interface SnapshotParts {
  readonly store: Store;
  readonly keyring: Keyring;
  /** Milliseconds since 1970 UTC. */
  readonly now: number;
}

/** What the handler is given: nothing. */
const NOTHING = "";

export class AnswerSnapshot {
  readonly #now: number;
  readonly #values: ReadonlyMap<SecretName, Values>;
  readonly #references: ReadonlyMap<SecretId, readonly Reference[] | undefined>;

  private constructor(
    now: number,
    values: ReadonlyMap<SecretName, Values>,
    references: ReadonlyMap<SecretId, readonly Reference[] | undefined>,
  ) {
    this.#now = now;
    this.#values = values;
    this.#references = references;
  }

  /** Reads what is stored now under `names`, and under the names that their values lead to by references. */
  static take(names: readonly SecretName[], { store, keyring, now }: SnapshotParts): AnswerSnapshot {
    const values = new Map<SecretName, Values>();
    const references = new Map<SecretId, readonly Reference[] | undefined>();
    const left = [...names];
    for (let name = left.pop(); name !== undefined; name = left.pop()) {
      if (values.has(name)) continue;
      const rows = store.secrets.list({ name }, 0, Number.MAX_SAFE_INTEGER);
      values.set(name, new Values(rows));
      for (const row of rows.filter(isExpanded)) {
        const found = referencesOf(row, store, keyring);
        references.set(row.id, found);
        left.push(...(found ?? []).map(({ name }) => name));
      }
    }
    return new AnswerSnapshot(now, values, references);
  }

  /** Returns the same without one secret. */
  without(id: SecretId): AnswerSnapshot {
    const values = new Map([...this.#values].map(([name, all]) => [name, all.without(id)]));
    return new AnswerSnapshot(this.#now, values, this.#references);
  }

  /** The keys that have a value of their own under one of the names. */
  get keys(): KeyId[] {
    return [...this.#values.values()].flatMap(({ keys }) => keys);
  }

  /** Returns the value that wins for a caller. */
  find(asker: Asker, name: SecretName): SecretRow | undefined {
    return this.#values.get(name)?.find(asker);
  }

  /** Returns a text that is the same whenever the caller is given the same; empty if it is given nothing. */
  identify(asker: Asker, name: SecretName): string {
    return this.#identify(asker, { name, scope: null }, [], new Map());
  }

  /** `path`: the secrets that led to the reference; `known`: answers, as a value may be referred to many times. */
  #identify(asker: Asker, reference: Reference, path: readonly SecretId[], known: Map<string, string>): string {
    const { name, scope } = reference;
    const values = this.#values.get(name);
    const row = scope === null ? values?.find(asker) : values?.ofScope(scope, asker);
    if (!row || this.#isClosed(row) || path.includes(row.id)) return NOTHING;
    const { id, version, expand, sealed, hosts, places } = row;
    // A reference to a sealed value cannot be resolved.
    if (sealed && path.length > 0) return NOTHING;
    const own = `${id} ${version} ${expand} ${sealed} ${hosts} ${places}`;
    if (!isExpanded(row)) return own;
    const key = `${path.length} ${id}`;
    let answer = known.get(key);
    if (answer === undefined) {
      answer = this.#complete(own, asker, row, [...path, id], known);
      known.set(key, answer);
    }
    return answer;
  }

  /** Adds what a value refers to. */
  #complete(
    own: string,
    asker: Asker,
    { id }: SecretRow,
    path: readonly SecretId[],
    known: Map<string, string>,
  ): string {
    const references = this.#references.get(id);
    if (!references || (references.length > 0 && path.length > DEPTH_MAX)) return NOTHING;
    const parts = [own];
    for (const reference of references) {
      const inner = maySecretBeAsked(asker.patterns, reference.name)
        ? this.#identify(asker, reference, path, known)
        : NOTHING;
      if (inner === NOTHING) return NOTHING;
      parts.push(inner);
    }
    // A hash, as the parts can have parts that often repeat.
    return versionOf(parts);
  }

  #isClosed({ expiresAt, onExpiry }: SecretRow): boolean {
    return onExpiry === "close" && expiresAt !== null && expiresAt <= this.#now;
  }
}

/** Returns the names in `names` and all whose values lead to one of them by references, for any caller. */
export function withReferring(names: readonly SecretName[], { store, keyring }: SnapshotParts): SecretName[] {
  const referring = store.secrets.list({ expand: true }, 0, Number.MAX_SAFE_INTEGER).filter(isExpanded)
    .map((row) => ({ name: row.name, to: (referencesOf(row, store, keyring) ?? []).map(({ name }) => name) }));
  const found = new Set(names);
  for (let size = 0; size !== found.size;) {
    size = found.size;
    for (const { name, to } of referring) if (to.some((other) => found.has(other))) found.add(name);
  }
  return [...found];
}

function isExpanded({ expand, sealed }: SecretRow): boolean {
  return expand && !sealed;
}

/** Returns the references in a value; undefined if it cannot be read. */
function referencesOf(row: SecretRow, store: Store, keyring: Keyring): readonly Reference[] | undefined {
  const { value } = openSecret(store.secrets, keyring, row);
  return value === null ? undefined : referencesIn(value.reveal());
}

/** The values of one name, by their owners. */
class Values {
  readonly #rows: readonly SecretRow[];
  readonly #byOwner: ReadonlyMap<string, SecretRow>;

  constructor(rows: readonly SecretRow[]) {
    this.#rows = rows;
    this.#byOwner = new Map(rows.map((row) => [`${row.owner.scope} ${ownerId(row.owner)}`, row]));
  }

  get keys(): KeyId[] {
    return this.#rows.flatMap(({ owner }) => owner.scope === "key" ? [owner.keyId] : []);
  }

  find(asker: Asker): SecretRow | undefined {
    return this.ofScope("key", asker) ?? this.ofScope("group", asker) ?? this.ofScope("function", asker) ??
      this.ofScope("global", asker);
  }

  ofScope(scope: Scope, { functionId, groupId, keyId }: Asker): SecretRow | undefined {
    const id = { key: keyId, group: groupId, function: functionId, global: 0 }[scope];
    return id === undefined ? undefined : this.#byOwner.get(`${scope} ${id}`);
  }

  without(id: SecretId): Values {
    return new Values(this.#rows.filter((row) => row.id !== id));
  }
}
