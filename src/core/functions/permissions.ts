// What a function may do and how it is held: hosts, secrets, isolates, time and memory.

import type { SecretName } from "../../ids.ts";

/** `true`: any host but this machine's and link-local ones. A list: these hosts alone, wherever they are. */
export interface Permissions {
  readonly net: boolean | readonly string[];
}

/** `per-key`: callers with different API keys never share a process. */
export const ISOLATIONS = ["shared", "per-key"] as const;
export type Isolation = (typeof ISOLATIONS)[number];

/** What happens to a response that holds values which its own call was given: nothing, an entry, or it is withheld. */
export const RESPONSE_GUARDS = ["off", "report", "block"] as const;
export type ResponseGuard = (typeof RESPONSE_GUARDS)[number];

/** Which other origins a browser lets read the responses, and what they may send (Fetch, 3.2). */
export interface Cors {
  /** Such as `https://app.example.com`; `*` alone for any. */
  readonly origins: readonly string[];
  /** Request headers beside the safelisted ones; null for those that a preflight asks for. */
  readonly headers: readonly string[] | null;
  /** Whether cookies and the like may be sent. */
  readonly credentials: boolean;
  /** How long a browser may remember the answer to a preflight. */
  readonly maxAgeSeconds: number;
}

export const CORS_MAX_AGE_SECONDS = 600;

export interface Confinement {
  readonly permissions: Permissions;
  /** Names of the secrets that it may ask for; `*` stands for any characters. */
  readonly secrets: readonly string[];
  readonly isolation: Isolation;
  readonly responseGuard: ResponseGuard;
  /** Null: no other origin. */
  readonly cors: Cors | null;
  /** Instead of the setting `sandbox.timeout-ms`. */
  readonly timeoutMs: number | null;
  /** Instead of the setting `sandbox.memory-mb`. */
  readonly memoryMb: number | null;
  /** What else of the code folder it may read: patterns as in assets.ts. */
  readonly files: readonly string[];
}

export const DEFAULT_CONFINEMENT: Confinement = {
  permissions: { net: true },
  secrets: ["*"],
  isolation: "shared",
  responseGuard: "report",
  cors: null,
  timeoutMs: null,
  memoryMb: null,
  files: [],
};

/**
 * `host`, `host:port`, an IPv4 address or `[IPv6]`, the last two with a port if need be. An IPv4 address is
 * written as such, not as IPv6, or it would slip through what the operator closes.
 */
export const NET_ENTRY_PATTERN =
  /^(?!\[[0:]*[fF]{4}:)(?:[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?|\[[0-9a-fA-F:.]+\])(?::[0-9]{1,5})?$/;

export const SECRET_PATTERN = /^[a-zA-Z0-9_*-]+$/;

/** Whether `to` takes something from calls that `from` let begin: a host, a secret, or sharing of a process. */
export function narrows(to: Confinement, from: Confinement): boolean {
  if (to === from) return false;
  const { net } = to.permissions;
  const before = from.permissions.net;
  const fewerHosts = net !== true && before !== false &&
    (before === true || net === false || before.some((host) => !net.includes(host)));
  const fewerSecrets = !to.secrets.includes("*") && from.secrets.some((pattern) => !to.secrets.includes(pattern));
  return fewerHosts || fewerSecrets || (to.isolation === "per-key" && from.isolation !== "per-key");
}

/** Whether one of `patterns` covers `name`. */
export function maySecretBeAsked(patterns: readonly string[], name: SecretName): boolean {
  return patterns.some((pattern) => pattern === "*" || matches(pattern, name));
}

/** Without regular expressions, which a pattern of many stars could make slow. */
function matches(pattern: string, name: string): boolean {
  const [first, ...rest] = pattern.split("*");
  const last = rest.pop();
  if (last === undefined) return name === first;
  if (!name.startsWith(first!) || !name.endsWith(last) || name.length < first!.length + last.length) return false;
  let at = first!.length;
  for (const part of rest) {
    const found = name.indexOf(part, at);
    if (found === -1 || found + part.length > name.length - last.length) return false;
    at = found + part.length;
  }
  return true;
}
