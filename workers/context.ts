// Creates `ctx`, the handler's second argument: information about the call, and access to secrets.

import { type AskPayload, type RouteInfo, SECRET_NAME_MAX_LENGTH } from "../src/sandbox/wire/protocol.ts";

export type Scope = "key" | "group" | "function" | "global";

/** All values of one name that the call may read. */
export interface CompleteSecret {
  global?: string;
  function?: string;
  group?: { value: string; groupId: number; groupName: string };
  key?: { value: string; groupId: number; groupName: string; keyId: number; keyName: string };
  /** By scope, why a stored value could not be read. */
  decryptionErrors?: { [scope in Scope]?: string };
}

/** Which value getSecret gives. */
export interface SecretOptions {
  scope?: Scope;
  /** The value before the current one, while it still counts after a rotation. */
  version?: "previous";
}

/** A value of a secret that counts. */
export interface SecretVersion {
  /** From 1. */
  version: number;
  value: string;
  current: boolean;
  /** Until when an earlier value counts. */
  until?: Date;
}

export interface HandlerContext {
  readonly route: RouteInfo;
  /** Parameters of the route, decoded. */
  readonly params: Record<string, string>;
  /** Parameters of the query, decoded. Of repeated ones, the first. */
  readonly query: Record<string, string>;
  /** A UUID, the same as in the response's `X-Request-Id`. */
  readonly requestId: string;
  readonly requestedAt: Date;
  /** The name of the group whose key admitted the call; undefined for a public function. */
  readonly authenticatedKeyGroup: string | undefined;
  /**
   * Resolves with the value of the first scope that has the name (key, group, function, global), or of `scope` only;
   * undefined if there is none. Rejects with a TypeError if `name` is not a string or `scope` is not a scope, and with
   * an Error once the response and the promises of `waitUntil` have ended.
   */
  getSecret(name: string, scope?: Scope | SecretOptions): Promise<string | undefined>;
  /**
   * Resolves with the value that getSecret gives and those before it that still count after a rotation (`keepPrevious`),
   * newest first; undefined if there is none. Rejects as getSecret does.
   */
  getSecretVersions(name: string): Promise<SecretVersion[] | undefined>;
  /** Resolves with all values of the name that the call may read, or undefined. Rejects as getSecret does. */
  getCompleteSecret(name: string): Promise<CompleteSecret | undefined>;
  /**
   * Keeps the call alive after the response until `promise` settles, within the function's time limit. `getSecret`
   * works until then. Throws a TypeError if it is not a promise, and an Error once the call has ended.
   */
  waitUntil(promise: PromiseLike<unknown>): void;
  /** Does nothing. For apps written for Cloudflare. */
  passThroughOnException(): void;
}

export interface CallInfo {
  route: RouteInfo;
  url: string;
  params: Record<string, string>;
  requestId: string;
  requestedAt: number;
  group: string | null;
}

/** The functions of a call that `ctx` uses. */
export interface CallPort {
  ask(kind: AskPayload[1], name: string, scope: string | null): Promise<unknown>;
  waitUntil(promise: unknown): void;
}

const SCOPES: readonly unknown[] = ["key", "group", "function", "global"];

/**
 * All fields are computed eagerly: own getters give each object its own V8 hidden class, which keeps everything that
 * they reference, the whole call, until the next full collection (measured on Deno 2.9.6).
 */
export function createHandlerContext(call: CallInfo, port: CallPort): HandlerContext {
  const { route, url, params, requestId, requestedAt, group } = call;
  return {
    route: { ...route, methods: [...route.methods], keys: [...route.keys] },
    params: decodeParams(params),
    query: parseQuery(url),
    requestId,
    requestedAt: new Date(requestedAt),
    authenticatedKeyGroup: group ?? undefined,
    async getSecret(name, scope) {
      checkName("getSecret", name);
      const { kind, scope: asked } = questionOf(scope);
      if (name.length > SECRET_NAME_MAX_LENGTH) return undefined;
      return await port.ask(kind, name, asked) as string | undefined;
    },
    async getSecretVersions(name) {
      checkName("getSecretVersions", name);
      if (name.length > SECRET_NAME_MAX_LENGTH) return undefined;
      const found = await port.ask("versions", name, null) as (SecretVersion & { until?: number })[] | undefined;
      return found?.map(({ until, ...version }) =>
        until === undefined ? version : { ...version, until: new Date(until) }
      );
    },
    async getCompleteSecret(name) {
      checkName("getCompleteSecret", name);
      if (name.length > SECRET_NAME_MAX_LENGTH) return undefined;
      return await port.ask("complete", name, null) as CompleteSecret | undefined;
    },
    waitUntil(promise) {
      port.waitUntil(promise);
    },
    passThroughOnException,
  };
}

function passThroughOnException(): void {}

/** Returns what the second argument of getSecret asks for. @throws TypeError */
function questionOf(given: unknown): { kind: "get" | "previous"; scope: string | null } {
  if (given === undefined) return { kind: "get", scope: null };
  const isObject = typeof given === "object" && given !== null;
  const { scope, version, ...others } = (isObject ? given : { scope: given }) as Record<string, unknown>;
  const [unknown] = Object.keys(others);
  if (unknown !== undefined) throw new TypeError(`getSecret: unknown option "${unknown}"; use "scope" and "version"`);
  if (!(isObject && scope === undefined) && !SCOPES.includes(scope)) {
    throw new TypeError(
      `getSecret: unknown scope ${JSON.stringify(scope)}; use "key", "group", "function" or "global"`,
    );
  }
  if (version !== undefined && version !== "previous") {
    throw new TypeError(`getSecret: unknown version ${JSON.stringify(version)}; use "previous"`);
  }
  return { kind: version === undefined ? "get" : "previous", scope: (scope ?? null) as string | null };
}

function checkName(method: string, name: unknown): void {
  if (typeof name !== "string") throw new TypeError(`${method}: the name must be a string, not ${typeof name}`);
}

function decodeParams(raw: Record<string, string>): Record<string, string> {
  const decoded: Record<string, string> = {};
  for (const [name, value] of Object.entries(raw)) {
    try {
      decoded[name] = decodeURIComponent(value);
    } catch {
      decoded[name] = value;
    }
  }
  return decoded;
}

/** Parses without `new URL`, which throws for hosts that any client can send, such as `Host: 999.999.999.999`. */
function parseQuery(url: string): Record<string, string> {
  const query: Record<string, string> = {};
  const start = url.indexOf("?");
  if (start === -1) return query;
  const hash = url.indexOf("#", start);
  for (const [name, value] of new URLSearchParams(url.slice(start, hash === -1 ? undefined : hash))) {
    if (!Object.hasOwn(query, name)) query[name] = value;
  }
  return query;
}
