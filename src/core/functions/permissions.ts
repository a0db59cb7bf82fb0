// Defines what a function may do and how it is confined: hosts, secrets, isolation, time and memory.

import type { SecretName } from "../../ids.ts";

/** `true`: any host except this machine's and link-local ones. A list: these hosts only, wherever they are. */
export interface Permissions {
  readonly net: boolean | readonly string[];
}

/** `per-key`: callers with different API keys never share a process. */
export const ISOLATIONS = ["shared", "per-key"] as const;
export type Isolation = (typeof ISOLATIONS)[number];

/** What happens to a response that contains secrets its own call was given: nothing, an audit entry, or it is withheld. */
export const RESPONSE_GUARDS = ["off", "report", "block"] as const;
export type ResponseGuard = (typeof RESPONSE_GUARDS)[number];

/** Which other origins browsers let read the responses, and what they may send (Fetch standard, 3.2). */
export interface Cors {
  /** Such as `https://app.example.com`, or only `*` for any. */
  readonly origins: readonly string[];
  /** Allowed request headers in addition to the safelisted ones; null allows any that a preflight asks for. */
  readonly headers: readonly string[] | null;
  /** Whether cookies and other credentials may be sent. */
  readonly credentials: boolean;
  /** How long a browser may cache the answer to a preflight. */
  readonly maxAgeSeconds: number;
}

export const CORS_MAX_AGE_SECONDS = 600;

/** Narrower rights on trial: what they would refuse is reported, and nothing is refused. */
export interface Trial {
  /** As in Confinement; what is missing is not on trial. */
  readonly secrets?: readonly string[] | undefined;
  readonly permissions?: Permissions | undefined;
}

export interface Confinement {
  readonly permissions: Permissions;
  /** Names of the secrets that the function may ask for; `*` stands for any characters. */
  readonly secrets: readonly string[];
  readonly isolation: Isolation;
  readonly responseGuard: ResponseGuard;
  /** Null allows no other origin. */
  readonly cors: Cors | null;
  /** Overrides the setting `sandbox.timeout-ms`. */
  readonly timeoutMs: number | null;
  /** Overrides the setting `sandbox.memory-mb`. */
  readonly memoryMb: number | null;
  /** Additional files of the code folder that it may read: patterns as in assets.ts. */
  readonly files: readonly string[];
  /** Missing without a trial; null ends one. */
  readonly trial?: Trial | null;
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
 * Matches `host`, an IPv4 address, `[IPv6]` or `*.host`, each optionally with a port. IPv4-mapped IPv6 addresses are not
 * allowed, as they would bypass the IPv4 ranges that the operator denies. Deno 2.9.6 takes `*.example.com` for
 * `example.com` and all below it; a host of one label, such as `*.com`, is not allowed.
 */
export const NET_ENTRY_PATTERN =
  /^(?!\[[0:]*[fF]{4}:)(?:[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?|\*\.(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?\.)+[a-zA-Z](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?|\[[0-9a-fA-F:.]+\])(?::[0-9]{1,5})?$/;

/** Reports whether `net` allows connections to a host in lower case with its port. */
export function coversHost(net: Permissions["net"], host: string): boolean {
  if (typeof net === "boolean") return net;
  const name = host.replace(/:\d+$/, "");
  const port = host.slice(name.length);
  return net.some((entry) => {
    const lower = entry.toLowerCase();
    if (!lower.startsWith("*.")) return lower === host || lower === name;
    const parent = lower.slice(2).replace(/:\d+$/, "");
    const isBelow = name === parent || name.endsWith(`.${parent}`);
    return isBelow && ["", port].includes(lower.slice(2 + parent.length));
  });
}

export const SECRET_PATTERN = /^[a-zA-Z0-9_*-]+$/;

/** Reports whether `to` denies running calls something that `from` allowed: a host, a secret, or a shared process. */
export function narrows(to: Confinement, from: Confinement): boolean {
  if (to === from) return false;
  const { net } = to.permissions;
  const before = from.permissions.net;
  const fewerHosts = net !== true && before !== false &&
    (before === true || net === false || before.some((host) => !net.includes(host)));
  const fewerSecrets = !to.secrets.includes("*") && from.secrets.some((pattern) => !to.secrets.includes(pattern));
  return fewerHosts || fewerSecrets || (to.isolation === "per-key" && from.isolation !== "per-key");
}

/** Reports whether one of `patterns` matches `name`. */
export function maySecretBeAsked(patterns: readonly string[], name: SecretName): boolean {
  return patterns.some((pattern) => pattern === "*" || matches(pattern, name));
}

/** Matches without regular expressions, which a pattern with many stars could make slow. */
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
