// Validates the payloads of frames from a sandbox. A malformed payload ends the connection.

import {
  type AskPayload,
  BodyMode,
  DNS_NAME_MAX_LENGTH,
  type DroppedPayload,
  HEADERS_MAX,
  HEADERS_MAX_LENGTH,
  type LogPayload,
  type LookupPayload,
  ProtocolError,
  QUESTION_KINDS,
  RECORD_TYPES,
  type ResponsePayload,
  SECRET_NAME_MAX_LENGTH,
  type SettledOutcome,
} from "./protocol.ts";

/** The longest scope is "function". */
const SCOPE_MAX_LENGTH = 16;

/** Returns the values of a payload. @throws ProtocolError */
export function parsePayload(payload: string): unknown[] {
  try {
    const value: unknown = JSON.parse(payload);
    if (Array.isArray(value)) return value;
  } catch {
    // Fails below.
  }
  throw new ProtocolError("a payload that is not a JSON array");
}

/** Longer payloads are parsed each time. */
const KEPT_PAYLOAD_MAX_LENGTH = 4 * 1024;

/**
 * Creates a parser for the payloads of responses. A payload that equals the one before it is not parsed again: its
 * headers are then frozen, and the same object each time.
 */
export function createResponseParser(): (payload: string) => ResponsePayload {
  let lastPayload: string | undefined;
  let last: ResponsePayload | undefined;
  let isFrozen = false;
  return (payload) => {
    if (last && payload === lastPayload) {
      if (!isFrozen) Object.freeze(last[1]);
      isFrozen = true;
      return last;
    }
    const response = parseResponse(payload);
    if (payload.length <= KEPT_PAYLOAD_MAX_LENGTH) {
      lastPayload = payload;
      last = response;
      isFrozen = false;
    }
    return response;
  };
}

/** @throws ProtocolError */
function parseResponse(payload: string): ResponsePayload {
  const [status, headers, mode, asked = 0] = parsePayload(payload);
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

/** `maxLength` limits all texts together. */
function areTexts(values: unknown[], maxLength: number): boolean {
  let length = 0;
  for (const value of values) {
    if (typeof value !== "string") return false;
    length += value.length;
  }
  return length <= maxLength;
}

/** @throws ProtocolError */
export function parseAsk(payload: string): AskPayload {
  const [ask, given, name, scope] = parsePayload(payload);
  const kind = QUESTION_KINDS.find((known) => known === given);
  const valid = Number.isSafeInteger(ask) && kind !== undefined &&
    isText(name, SECRET_NAME_MAX_LENGTH) &&
    (scope === null || isText(scope, SCOPE_MAX_LENGTH));
  if (!valid) throw new ProtocolError("a malformed ask");
  return [ask as number, kind, name, scope];
}

/** @throws ProtocolError */
export function parseLookup(payload: string): LookupPayload {
  const [lookup, text, name] = parsePayload(payload);
  const type = RECORD_TYPES.find((known) => known === text);
  const valid = Number.isSafeInteger(lookup) && type !== undefined && isText(name, DNS_NAME_MAX_LENGTH);
  if (!valid) throw new ProtocolError("a malformed look-up");
  return [lookup as number, type, name];
}

/** @throws ProtocolError */
export function parseLog(payload: string): LogPayload {
  const [level, text] = parsePayload(payload);
  const known = level === "debug" || level === "info" || level === "warn" || level === "error";
  if (!known || typeof text !== "string") throw new ProtocolError("a malformed log line");
  return [level, text];
}

/** @throws ProtocolError */
export function parseSettled(payload: string): SettledOutcome {
  if (payload !== "ok" && payload !== "error") throw new ProtocolError("a malformed end of a call");
  return payload;
}

/** @throws ProtocolError */
export function parseDropped(payload: string): DroppedPayload {
  const [lines, bytes] = parsePayload(payload);
  const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
  if (!isCount(lines) || !isCount(bytes)) throw new ProtocolError("a malformed count of lines");
  return [lines, bytes];
}
