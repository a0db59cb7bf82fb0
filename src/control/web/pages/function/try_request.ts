// Sends a test call: builds the request from a form, and reads the response up to limits of size and time.

import { invalid } from "../../../../errors.ts";

export interface TrialRequest {
  readonly method: string;
  /** The path after `/run`, with an optional query. */
  readonly path: string;
  /** One header per line: `Name: value`. */
  readonly headers: string;
  readonly body: string;
  readonly key: string | undefined;
}

export interface TrialResponse {
  readonly status: number;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: Uint8Array;
  /** Why the body is incomplete; undefined if it is complete. */
  readonly cut: string | undefined;
  readonly requestId: string | undefined;
  readonly durationMs: number;
}

const BODY_SHOWN_MAX_BYTES = 256 * 1024;
/** Longest time to read a body. The handler's own limit applies to each chunk, not to the whole body. */
const BODY_MAX_MS = 30_000;
const WITHOUT_BODY = ["GET", "HEAD"];

/** `:name`, with its pattern, and whether it is optional. */
const PARAMETER = /:(\w+)(\{(?:[^{}]|\{[^{}]*\})*\})?(\?)?/g;

/** Returns the names of a route's parameters; "*" for a wildcard. */
export function parametersOf(route: string): string[] {
  const names = [...route.matchAll(PARAMETER)].map(([, name]) => name!);
  return /\*$/.test(route.replaceAll(PARAMETER, "")) ? [...names, "*"] : names;
}

/**
 * Returns the path with its parameters replaced by values.
 * @throws AppError InvalidInput (400) naming the field of a parameter that has no value and is not optional
 */
export function filledPath(path: string, values: ReadonlyMap<string, string>): string {
  const filled = path.replaceAll(PARAMETER, (whole, name: string, _pattern, optional: string | undefined) => {
    const value = values.get(name);
    if (value === "" && optional === undefined) throw invalid(`param.${name}`, "is empty");
    return value === undefined ? whole : encodeURIComponent(value);
  });
  const rest = values.get("*");
  const encoded = rest?.split("/").map(encodeURIComponent).join("/");
  const path_ = encoded === undefined ? filled : filled.replace(/\*$/, () => encoded);
  // An empty optional parameter is removed with its slash.
  return path_.length > 1 ? path_.replace(/\/$/, path.endsWith("/") ? "/" : "") : path_;
}

/**
 * Returns the request to `origin`, such as "http://localhost:8000".
 * @throws AppError InvalidInput (400) naming the field
 */
export function requestOf({ method, path, headers, body, key }: TrialRequest, origin: string): Request {
  if (!path.startsWith("/")) throw invalid("path", 'must begin with "/"');
  let url: URL;
  try {
    url = new URL(origin + "/run" + (path === "/" ? "" : path));
  } catch {
    throw invalid("path", "is not a valid path");
  }
  if (url.origin !== new URL(origin).origin || !/^\/run(?:\/|$)/.test(url.pathname)) {
    throw invalid("path", "must stay below /run");
  }
  const sent = new Headers();
  for (const line of headers.split("\n").map((line) => line.trim()).filter((line) => line !== "")) {
    const [, name, value] = /^([^:\s]+)\s*:\s*(.*)$/.exec(line) ?? [];
    if (name === undefined) throw invalid("headers", `has a line without a colon: ${line}`);
    try {
      sent.append(name, value!);
    } catch {
      throw invalid("headers", `has an invalid line: ${line}`);
    }
  }
  if (key !== undefined) {
    try {
      sent.set("X-API-Key", key);
    } catch {
      throw invalid("pastedKey", "contains characters that keys cannot contain");
    }
  }
  if (body === "" || WITHOUT_BODY.includes(method)) return new Request(url, { method, headers: sent });
  const bytes = new TextEncoder().encode(body);
  if (!sent.has("content-type")) sent.set("Content-Type", looksLikeJson(body) ? "application/json" : "text/plain");
  sent.set("Content-Length", String(bytes.length));
  return new Request(url, { method, headers: sent, body: bytes });
}

function looksLikeJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** Sends the request and returns the response with the beginning of its body. */
export async function callOnce(run: (request: Request) => Promise<Response>, request: Request): Promise<TrialResponse> {
  const began = performance.now();
  const response = await run(request);
  const { bytes, cut } = await beginningOf(response.body);
  return {
    status: response.status,
    headers: [...response.headers],
    body: bytes,
    cut,
    requestId: response.headers.get("x-request-id") ?? undefined,
    durationMs: performance.now() - began,
  };
}

async function beginningOf(body: ReadableStream<Uint8Array> | null): Promise<{ bytes: Uint8Array; cut?: string }> {
  const pieces: Uint8Array[] = [];
  let size = 0;
  let cut: string | undefined;
  if (body) {
    const reader = body.getReader();
    const late = Promise.withResolvers<"late">();
    const timer = setTimeout(() => late.resolve("late"), BODY_MAX_MS);
    try {
      while (size < BODY_SHOWN_MAX_BYTES) {
        const piece = await Promise.race([reader.read(), late.promise]);
        if (piece === "late") {
          cut = `The body had not ended after ${BODY_MAX_MS / 1000} s; this is its beginning.`;
          break;
        }
        if (piece.done) return { bytes: joined(pieces, size) };
        pieces.push(piece.value);
        size += piece.value.length;
      }
      cut ??= `The body is longer than ${BODY_SHOWN_MAX_BYTES / 1024} KiB; this is its beginning.`;
    } catch (error) {
      cut = `The body is incomplete: ${error instanceof Error ? error.message : error}`;
    } finally {
      clearTimeout(timer);
      // Ends the call; it may already have failed.
      await reader.cancel().catch(() => {});
    }
  }
  return { bytes: joined(pieces, size).subarray(0, BODY_SHOWN_MAX_BYTES), ...(cut !== undefined && { cut }) };
}

function joined(pieces: readonly Uint8Array[], size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}
