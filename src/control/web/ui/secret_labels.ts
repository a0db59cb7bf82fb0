// Builds addresses with parameters, and names owners of secrets in words.

import type { Owner, Scope } from "../../../ids.ts";
import type { SecretEffect } from "../../../core/secrets/effect.ts";
import type { FileFormat } from "../../../core/secrets/secret_files.ts";
import type { SecretRow } from "../../../store/secrets.ts";
import { count, plural } from "./format.ts";

export const SECRETS = "/web/secrets";

/** Names of the scopes, as the guide writes them. */
export const SCOPE_LABELS: Readonly<Record<Scope, string>> = {
  global: "Global",
  function: "Function",
  group: "Group",
  key: "Key",
};

/** Names of the formats of files with secrets. */
export const FORMAT_LABELS: Readonly<Record<FileFormat, string>> = { env: ".env", json: "JSON", yaml: "YAML" };

type Parameters = Readonly<Record<string, string | number | undefined>>;

/** Returns `path` with those parameters that have a value. */
export function urlWithQuery(path: string, parameters: Parameters): string {
  const given = Object.entries(parameters).filter(([, value]) => value !== undefined && value !== "");
  const query = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
  return query === "" ? path : `${path}?${query}`;
}

/** Returns `global`, or an owner such as `function "orders"`. */
export function ownerWords({ owner, ownerName }: { owner: Owner; ownerName: string | null }): string {
  return owner.scope === "global" ? "global" : `${owner.scope} "${ownerName}"`;
}

/** Returns a secret's name and owner, such as `DATABASE_URL (function "orders")`, for notices and screen readers. */
export function secretWords(row: Pick<SecretRow, "name" | "owner" | "ownerName">): string {
  return `${row.name} (${ownerWords(row)})`;
}

/** Returns how many callers a change of secrets concerns, as a sentence. */
export function effectWords({ callers, of, functions }: Pick<SecretEffect, "callers" | "of" | "functions">): string {
  if (callers === 0) return "No caller gets another answer.";
  const whose = `${count(callers)} of ${plural(of, "caller")} of ${plural(functions, "function")}`;
  return `${whose} ${callers === 1 ? "gets" : "get"} another answer.`;
}

/** Returns the page of an owner; undefined for global. */
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
