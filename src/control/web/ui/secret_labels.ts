// What the secrets pages have in common: addresses with parameters, and owners in words.

import type { Owner, Scope } from "../../../ids.ts";
import type { SecretRow } from "../../../store/secrets.ts";

export const SECRETS = "/web/secrets";

/** Scopes as the pages and the guide write them. */
export const SCOPE_LABELS: Readonly<Record<Scope, string>> = {
  global: "Global",
  function: "Function",
  group: "Group",
  key: "Key",
};

type Parameters = Readonly<Record<string, string | number | undefined>>;

/** `path` with those parameters that have a value. */
export function address(path: string, parameters: Parameters): string {
  const given = Object.entries(parameters).filter(([, value]) => value !== undefined && value !== "");
  const query = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
  return query === "" ? path : `${path}?${query}`;
}

/** `global`, `function "orders"`. */
export function ownerWords({ owner, ownerName }: { owner: Owner; ownerName: string | null }): string {
  return owner.scope === "global" ? "global" : `${owner.scope} "${ownerName}"`;
}

/** `DATABASE_URL (function "orders")`, for notices and for those who do not see the row. */
export function secretWords(row: Pick<SecretRow, "name" | "owner" | "ownerName">): string {
  return `${row.name} (${ownerWords(row)})`;
}

/** Where an owner is looked after. */
export function ownerAddress(owner: Owner): string | undefined {
  switch (owner.scope) {
    case "global":
      return undefined;
    case "function":
      return `/web/functions/${owner.functionId}`;
    case "group":
      return `/web/keys/groups/${owner.groupId}`;
    case "key":
      return `/web/keys/${owner.keyId}`;
  }
}
