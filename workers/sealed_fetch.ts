// Decides which requests of `fetch` the host sends, as they may carry sealed values, and follows their redirects.

import { BodyMode } from "../src/sandbox/wire/protocol.ts";
import { coversOrigin, originOf } from "../src/sealed.ts";
import type { FetchArguments, FetchRoute } from "./fetched.ts";
import { type SealedExchanges, type SentBody, withUrl } from "./sealed_exchange.ts";

// Taken before the handler's code can replace them.
const RequestClass = Request;
const HeadersClass = Headers;
const URLClass = URL;
const URLSearchParamsClass = URLSearchParams;
const NO_BODY: SentBody = { mode: BodyMode.None };

/** The sealed values that a call was given. */
export interface SealedCall {
  readonly id: number;
  /** By placeholder: where its value may be sent. */
  readonly sealed: ReadonlyMap<string, readonly string[]>;
}

export interface SealedFetchOptions {
  readonly exchanges: SealedExchanges;
  /** Returns the call whose code runs, if it was given sealed values. */
  current(): SealedCall | undefined;
  /** Returns the calls that were given sealed values and have not ended. */
  calls(): readonly SealedCall[];
  /** Sends a request without the host. */
  readonly direct: (request: Request) => Promise<Response>;
}

/** Fetch, 4.4, "HTTP-redirect fetch". */
const REDIRECTS = [301, 302, 303, 307, 308];
const REDIRECTS_MAX = 20;
/** Headers that do not follow a redirect to another origin. */
const SENSITIVE_HEADERS = ["authorization", "proxy-authorization", "cookie"];
const BODY_HEADERS = ["content-encoding", "content-language", "content-location", "content-type", "content-length"];
/** A body is collected up to this size to see whether all of it is there. */
const COLLECTED_MAX_BYTES = 4 << 20;
const BASIC = /^basic +([a-z0-9+/_-]+=*)$/i;

/** Returns the response if the host sends the request; undefined if the request is no matter of the host. */
export function createSealedFetch(options: SealedFetchOptions): FetchRoute {
  return (request, given) => {
    const call = callOf(options, request);
    if (!call) return undefined;
    const url = new URLClass(request.url);
    if (covers(call, url)) return send(options, call, request, given, url);
    reportElsewhere(options.exchanges, call, url, [...request.headers], given.init?.body);
    return undefined;
  };
}

/** Returns the call whose code runs; code that lost its call, as in a queue, is found by the placeholders that it uses. */
function callOf({ current, calls }: SealedFetchOptions, request: Request): SealedCall | undefined {
  const running = current();
  if (running) return running;
  const all = calls();
  if (all.length === 0) return undefined;
  const text = [request.url, ...[...request.headers].map(([, value]) => decodedHeader(value))].join("\n");
  return all.find(({ sealed }) => [...sealed.keys()].some((placeholder) => text.includes(placeholder)));
}

/** Reports placeholders in a request to a host that is none of theirs, which is sent as it is. */
export function reportElsewhere(
  exchanges: SealedExchanges,
  { id, sealed }: SealedCall,
  url: URL,
  headers: readonly (readonly [string, string])[],
  body: unknown,
): void {
  const isText = typeof body === "string" || body instanceof URLSearchParamsClass;
  const text = [url.href, ...headers.map(([, value]) => decodedHeader(value)), isText ? `${body}` : ""].join("\n");
  for (const placeholder of sealed.keys()) {
    if (text.includes(placeholder)) exchanges.reportElsewhere(id, placeholder, url.host);
  }
}

/** Reports whether requests of a call to `url` may carry its sealed values. */
export function mayCarry(call: SealedCall, url: string): boolean {
  return covers(call, new URLClass(url));
}

function covers({ sealed }: SealedCall, url: URL): boolean {
  const origin = originOf(url);
  if (!origin) return false;
  for (const hosts of sealed.values()) if (coversOrigin(hosts, origin)) return true;
  return false;
}

async function send(
  options: SealedFetchOptions,
  call: SealedCall,
  request: Request,
  given: FetchArguments,
  first: URL,
): Promise<Response> {
  const { redirect } = request;
  // To read it creates it, which takes longer than the rest of the request.
  const signal = given.init?.signal || given.input instanceof RequestClass ? request.signal : undefined;
  // Its own headers, as those of a request that was sent may not change.
  let headers = request.headers;
  let { method } = request;
  let body = request.body === null ? NO_BODY : await bodyOf(request, given);
  let url = first;
  if (url.username !== "" || url.password !== "") {
    headers = new HeadersClass(headers);
    url = withoutCredentials(url, headers);
  }
  for (let redirects = 0;; redirects++) {
    const redirected = redirects > 0;
    const response = await options.exchanges.send(call.id, {
      method,
      url: url.href,
      redirected,
      headers,
      body,
      signal,
    });
    const location = REDIRECTS.includes(response.status) ? response.headers.get("location") : null;
    if (location === null || redirect === "manual") return response;
    if (!redirected) headers = new HeadersClass(headers);
    await response.body?.cancel();
    if (redirect === "error") throw new TypeError("The response is a redirect, and the request does not follow any.");
    if (redirects === REDIRECTS_MAX) throw new TypeError("There are too many redirects.");
    const next = targetOf(location, url);
    const { status } = response;
    if ((status === 303 && method !== "GET" && method !== "HEAD") || (status <= 302 && method === "POST")) {
      method = "GET";
      body = NO_BODY;
      for (const name of BODY_HEADERS) headers.delete(name);
    } else if (body.mode === BodyMode.Stream) {
      throw new TypeError("A redirect cannot be followed with a body that is a stream.");
    }
    if (next.origin !== url.origin) {
      for (const name of SENSITIVE_HEADERS) if (!isFor(call, headers.get(name), next)) headers.delete(name);
    }
    url = withoutCredentials(next, headers);
    if (!mayCarry(call, url.href)) {
      reportElsewhere(options.exchanges, call, url, [...headers], undefined);
      const bytes = body.mode === BodyMode.Whole ? body.bytes : null;
      const elsewhere = new RequestClass(url.href, { method, headers, body: bytes, signal, redirect });
      const last = await options.direct(elsewhere);
      return withUrl(last, last.url, true);
    }
  }
}

/** @throws TypeError */
function targetOf(location: string, from: URL): URL {
  if (!URLClass.canParse(location, from.href)) throw new TypeError("The response redirects to an invalid URL.");
  const next = new URLClass(location, from.href);
  if (next.protocol !== "https:" && next.protocol !== "http:") {
    throw new TypeError("The response redirects to a URL that is not one of http: or https:.");
  }
  return next;
}

/** Reports whether a header holds a placeholder whose value may be sent to `url`. */
function isFor({ sealed }: SealedCall, header: string | null, url: URL): boolean {
  const origin = originOf(url);
  if (header === null || !origin) return false;
  const text = decodedHeader(header);
  return [...sealed].some(([placeholder, hosts]) => text.includes(placeholder) && coversOrigin(hosts, origin));
}

/** Returns a header's value, with the credentials of `Basic` decoded. */
function decodedHeader(value: string): string {
  const basic = BASIC.exec(value);
  if (!basic) return value;
  try {
    return atob(basic[1]!.replaceAll("-", "+").replaceAll("_", "/"));
  } catch {
    return value;
  }
}

/** Makes a header of the user and password in a URL, as `fetch` does. */
function withoutCredentials(url: URL, headers: Headers): URL {
  const { username, password } = url;
  if (username === "" && password === "") return url;
  const bare = new URLClass(url.href);
  bare.username = bare.password = "";
  if (!headers.has("authorization")) {
    const bytes = new TextEncoder().encode(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`);
    headers.set("authorization", `Basic ${btoa(String.fromCharCode(...bytes))}`);
  }
  return bare;
}

/** Reads a body that is all there; others are sent as they come. */
async function bodyOf(request: Request, { init }: FetchArguments): Promise<SentBody> {
  const source = init?.body;
  if (typeof source === "string" || source instanceof URLSearchParamsClass) {
    return { mode: BodyMode.Whole, bytes: await request.bytes() };
  }
  const reader = request.body!.getReader();
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  let waiting = reader.read();
  while (bytes <= COLLECTED_MAX_BYTES) {
    const read = await settledSoon(waiting);
    if (!read) break;
    if (read.done) return { mode: BodyMode.Whole, bytes: join(pieces, bytes) };
    pieces.push(read.value);
    bytes += read.value.length;
    waiting = reader.read();
  }
  waiting.catch(() => {});
  return {
    mode: BodyMode.Stream,
    next: async () => {
      const first = pieces.shift();
      if (first) return first;
      const { done, value } = await waiting;
      if (done) return undefined;
      waiting = reader.read();
      waiting.catch(() => {});
      return value;
    },
  };
}

/** Returns the result of `promise` if it settles within a turn of the event loop, else undefined. */
async function settledSoon<T>(promise: Promise<T>): Promise<T | undefined> {
  const late = new Promise<undefined>((resolve) => setImmediate(() => resolve(undefined)));
  return await Promise.race([promise, late]);
}

function join(pieces: readonly Uint8Array[], length: number): Uint8Array<ArrayBuffer> {
  const joined = new Uint8Array(length);
  let at = 0;
  for (const piece of pieces) {
    joined.set(piece, at);
    at += piece.length;
  }
  return joined;
}
