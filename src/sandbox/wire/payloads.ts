// The metas of frames from a sandbox, checked: what a stranger sends is in shape behind here, or the end of it.

import {
  type AskMeta,
  BodyMode,
  DNS_NAME_MAX_LENGTH,
  type DroppedMeta,
  HEADERS_MAX,
  HEADERS_MAX_LENGTH,
  type LogMeta,
  type LookupMeta,
  ProtocolError,
  RECORD_TYPES,
  type ResponseMeta,
  SECRET_NAME_MAX_LENGTH,
  type SettledOutcome,
} from "./protocol.ts";

/** The longest is "function". */
const SCOPE_MAX_LENGTH = 16;

function parseMeta(meta: string): unknown[] {
  try {
    const value: unknown = JSON.parse(meta);
    if (Array.isArray(value)) return value;
  } catch {
    // As below.
  }
  throw new ProtocolError("a meta that is no JSON array");
}

/** Longer metas are read anew each time. */
const KEPT_META_MAX_LENGTH = 4 * 1024;

/**
 * Reads the metas of responses. What comes again and again is read once: then the headers are frozen, and the same
 * object each time.
 */
export function responseReader(): (meta: string) => ResponseMeta {
  let lastMeta: string | undefined;
  let last: ResponseMeta | undefined;
  let isFrozen = false;
  return (meta) => {
    if (last && meta === lastMeta) {
      if (!isFrozen) Object.freeze(last[1]);
      isFrozen = true;
      return last;
    }
    const response = parseResponse(meta);
    if (meta.length <= KEPT_META_MAX_LENGTH) {
      lastMeta = meta;
      last = response;
      isFrozen = false;
    }
    return response;
  };
}

/** @throws ProtocolError */
function parseResponse(meta: string): ResponseMeta {
  const [status, headers, mode, asked = 0] = parseMeta(meta);
  const valid = Number.isInteger(status) && Number.isInteger(asked) && Array.isArray(headers) &&
    headers.length <= 2 * HEADERS_MAX &&
    headers.length % 2 === 0 &&
    areTexts(headers, HEADERS_MAX_LENGTH) &&
    (mode === BodyMode.None || mode === BodyMode.Whole || mode === BodyMode.Stream || mode === BodyMode.Text);
  if (!valid) throw new ProtocolError("a malformed response");
  return [status as number, headers, mode, asked as number];
}

function isText(value: unknown, maxLength: number): value is string {
  return typeof value === "string" && value.length <= maxLength;
}

/** `maxLength` is of all together. */
function areTexts(values: unknown[], maxLength: number): boolean {
  let length = 0;
  for (const value of values) {
    if (typeof value !== "string") return false;
    length += value.length;
  }
  return length <= maxLength;
}

/** @throws ProtocolError */
export function parseAsk(meta: string): AskMeta {
  const [ask, kind, name, scope] = parseMeta(meta);
  const valid = Number.isSafeInteger(ask) && (kind === "get" || kind === "complete") &&
    isText(name, SECRET_NAME_MAX_LENGTH) &&
    (scope === null || isText(scope, SCOPE_MAX_LENGTH));
  if (!valid) throw new ProtocolError("a malformed ask");
  return [ask as number, kind, name, scope];
}

/** @throws ProtocolError */
export function parseLookup(meta: string): LookupMeta {
  const [lookup, text, name] = parseMeta(meta);
  const type = RECORD_TYPES.find((known) => known === text);
  const valid = Number.isSafeInteger(lookup) && type !== undefined && isText(name, DNS_NAME_MAX_LENGTH);
  if (!valid) throw new ProtocolError("a malformed look-up");
  return [lookup as number, type, name];
}

/** @throws ProtocolError */
export function parseLog(meta: string): LogMeta {
  const [level, text] = parseMeta(meta);
  const known = level === "debug" || level === "info" || level === "warn" || level === "error";
  if (!known || typeof text !== "string") throw new ProtocolError("a malformed log line");
  return [level, text];
}

/** @throws ProtocolError */
export function parseSettled(meta: string): SettledOutcome {
  if (meta !== "ok" && meta !== "error") throw new ProtocolError("a malformed end of a call");
  return meta;
}

/** @throws ProtocolError */
export function parseDropped(meta: string): DroppedMeta {
  const [lines, bytes] = parseMeta(meta);
  const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
  if (!isCount(lines) || !isCount(bytes)) throw new ProtocolError("a malformed count of lines");
  return [lines, bytes];
}
