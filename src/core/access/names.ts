// Finds the ids of functions, key groups and API keys that were given by name.

import { notFoundByName } from "../../errors.ts";
import type { FunctionId, FunctionRef, GroupId, GroupRef, KeyId, KeyRef, Owner, OwnerRef } from "../../ids.ts";
import type { Store } from "../../store/store.ts";

/**
 * Finds ids. One that is given as such is returned as it is, whether it exists or not. `field` is the input that holds
 * the name, for the error.
 * @throws AppError NotFound (404) for a name that does not exist
 */
export interface Names {
  functionId(ref: FunctionRef, field: string): FunctionId;
  groupId(ref: GroupRef, field: string): GroupId;
  keyId(ref: KeyRef, field: string): KeyId;
  owner(ref: OwnerRef): Owner;
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
