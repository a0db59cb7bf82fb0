// Finds functions, groups and keys by their names, and the owner that `--scope` and `--owner` name.

import type { Client } from "./client.ts";
import type { Given, Options } from "./command.ts";
import { CrudeError, wrongUsage } from "./errors.ts";

export const SCOPES = ["global", "function", "group", "key"] as const;
export type Scope = (typeof SCOPES)[number];

export interface Named {
  readonly id: number;
  readonly name: string;
}

export interface KeyInfo extends Named {
  readonly groupId: number;
  readonly groupName: string;
  readonly description: string;
  readonly preview: string | null;
  readonly createdAt: string;
  readonly lastUsedAt: string | null;
  /** Undefined from a server that is older than the expiry of keys. */
  readonly expiresAt?: string | null;
}

/** What a secret belongs to; `fields` are those of the API. */
export interface Owner {
  readonly scope: Scope;
  readonly id: number | null;
  /** Such as "global" or "group staging". */
  readonly label: string;
  readonly fields: Readonly<Record<string, string | number>>;
}

export const OWNER_OPTIONS: Options = {
  scope: { type: "string", value: "SCOPE", choices: SCOPES, help: `${SCOPES.join(", ")}; global by default` },
  owner: { type: "string", value: "NAME", help: "the function, the group, or the key as GROUP/KEY" },
};

function missing(what: string, name: string): CrudeError {
  return new CrudeError(`There is no ${what} "${name}".`, { code: "NotFound" });
}

// deno-lint-ignore no-explicit-any
export async function functionByName(client: Client, name: string): Promise<any> {
  const { functions } = await client.get("/api/functions");
  const found = functions.find((one: Named) => one.name === name);
  if (!found) throw missing("function", name);
  return found;
}

export async function groups(client: Client): Promise<Named[]> {
  return (await client.get("/api/key-groups")).groups;
}

export async function groupByName(client: Client, name: string): Promise<Named> {
  const found = (await groups(client)).find((group) => group.name === name);
  if (!found) throw missing("key group", name);
  return found;
}

/** Splits `GROUP/KEY` at the first slash. @throws CrudeError (usage) */
export function splitKey(text: string, what: string): { group: string; key: string } {
  const at = text.indexOf("/");
  if (at < 1 || at === text.length - 1) throw wrongUsage(`${what} must be GROUP/KEY, such as staging/acme.`);
  return { group: text.slice(0, at), key: text.slice(at + 1) };
}

export async function keyByName(client: Client, text: string, what: string): Promise<KeyInfo> {
  const { group, key } = splitKey(text, what);
  const { id } = await groupByName(client, group);
  const { keys } = await client.get("/api/keys", { groupId: id });
  const found = keys.find((one: KeyInfo) => one.name === key);
  if (!found) throw missing("API key", text);
  return found;
}

/** Returns the owner that `--scope` and `--owner` name. @throws CrudeError (usage, or NotFound) */
export async function ownerOf(client: Client, given: Given): Promise<Owner> {
  const [scope, name] = [given.text("scope") ?? "global", given.text("owner")];
  if (!SCOPES.some((known) => known === scope)) throw wrongUsage(`--scope must be one of ${SCOPES.join(", ")}.`);
  if (scope === "global") {
    if (name !== undefined) throw wrongUsage("--owner needs --scope function, group or key.");
    return { scope, id: null, label: "global", fields: { scope } };
  }
  if (name === undefined) throw wrongUsage(`--scope ${scope} needs --owner.`);
  const { id } = scope === "function"
    ? await functionByName(client, name) as Named
    : scope === "group"
    ? await groupByName(client, name)
    : await keyByName(client, name, "--owner");
  return { scope: scope as Scope, id, label: `${scope} ${name}`, fields: { scope, [`${scope}Id`]: id } };
}
