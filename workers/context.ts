// `ctx`, the handler's second argument: what the platform tells it of the call, and its way to secrets.

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

export interface HandlerContext {
  readonly route: RouteInfo;
  /** Parameters of the route, decoded. */
  readonly params: Record<string, string>;
  /** Parameters of the query, decoded; of one that occurs several times, the first. */
  readonly query: Record<string, string>;
  /** UUID; the same as in the answer's `X-Request-Id`. */
  readonly requestId: string;
  readonly requestedAt: Date;
  /** Name of the group whose key let the call in; undefined on a public route. */
  readonly authenticatedKeyGroup: string | undefined;
  /**
   * The value of key > group > function > global, the first that has the name, or of `scope` alone;
   * undefined if there is none. Rejects with a TypeError if `name` is no string or `scope` is no scope,
   * and with an Error once the response and what was given to `waitUntil` have ended.
   */
  getSecret(name: string, scope?: Scope): Promise<string | undefined>;
  /** All values of the name that the call may read, or undefined if there is none. Rejects as getSecret does. */
  getCompleteSecret(name: string): Promise<CompleteSecret | undefined>;
  /**
   * Lets `promise` settle after the response, within the function's time limit; `getSecret` works until then.
   * Throws a TypeError if it is no promise, and an Error once the call has ended.
   */
  waitUntil(promise: PromiseLike<unknown>): void;
  /** Does nothing: for apps that were written for Cloudflare. */
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

/** What `ctx` needs of its call. */
export interface CallPort {
  ask(kind: AskPayload[1], name: string, scope: string | null): Promise<unknown>;
  waitUntil(promise: unknown): void;
}

const SCOPES: readonly unknown[] = ["key", "group", "function", "global"];

/**
 * Nothing of it is made when it is first looked at: an object's own getters get V8 to make a shape for each object,
 * which keeps what they reach, the whole call, until the next full collection (measured on Deno 2.9.6).
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
      if (scope !== undefined && !SCOPES.includes(scope)) {
        throw new TypeError(
          `getSecret: unknown scope ${JSON.stringify(scope)}; use "key", "group", "function" or "global"`,
        );
      }
      if (name.length > SECRET_NAME_MAX_LENGTH) return undefined;
      return await port.ask("get", name, scope ?? null) as string | undefined;
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

/** Not by URL, which refuses what any caller can make of the host: `Host: 999.999.999.999`. */
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
