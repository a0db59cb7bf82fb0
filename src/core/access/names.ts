// Finds functions, key groups and API keys by their names, and the names that answers show next to ids.

import { notFoundByName } from "../../errors.ts";
import type { FunctionId, FunctionRef, GroupId, GroupRef, KeyId, KeyRef, Owner, OwnerRef } from "../../ids.ts";
import type { Store } from "../../store/store.ts";

export interface Names {
  /**
   * Returns the id of what `ref` names; an id is returned as it is, whether it exists or not. `field` is the input that
   * has the reference.
   * @throws AppError NotFound (404) for a name that does not exist; so do the next three
   */
  functionId(ref: FunctionRef, field: string): FunctionId;
  groupId(ref: GroupRef, field: string): GroupId;
  keyId(ref: KeyRef, field: string): KeyId;
  owner(ref: OwnerRef): Owner;

  /** Returns the name of a function, or null if there is none with this id. */
  ofFunction(id: FunctionId): string | null;
  /** Returns the name of a group, or null if there is none with this id. */
  ofGroup(id: GroupId): string | null;
  /** Returns `GROUP/KEY`, or null if there is no key with this id. */
  ofKey(id: KeyId): string | null;
}

export function createNames({ functions, access }: Pick<Store, "functions" | "access">): Names {
  const functionId = (ref: FunctionRef, field: string): FunctionId => {
    if (typeof ref === "number") return ref;
    const row = functions.findByName(ref);
    if (!row) throw notFoundByName("function", ref, field);
    return row.id;
  };
  const groupId = (ref: GroupRef, field: string): GroupId => {
    if (typeof ref === "number") return ref;
    const row = access.groupByName(ref);
    if (!row) throw notFoundByName("key group", ref, field);
    return row.id;
  };
  const keyId = (ref: KeyRef, field: string): KeyId => {
    if (typeof ref === "number") return ref;
    const row = access.keyByName(groupId(ref.group, field), ref.key);
    if (!row) throw notFoundByName("API key", `${ref.group}/${ref.key}`, field);
    return row.id;
  };
  return {
    functionId,
    groupId,
    keyId,
    ofFunction: (id) => functions.find(id)?.name ?? null,
    ofGroup: (id) => access.group(id)?.name ?? null,
    ofKey(id) {
      const row = access.key(id);
      return row ? `${row.groupName}/${row.name}` : null;
    },
    owner(ref) {
      switch (ref.scope) {
        case "global":
          return ref;
        case "function":
          return { scope: "function", functionId: functionId(ref.functionId, "functionId") };
        case "group":
          return { scope: "group", groupId: groupId(ref.groupId, "groupId") };
        case "key":
          return { scope: "key", keyId: keyId(ref.keyId, "keyId") };
      }
    },
  };
}
