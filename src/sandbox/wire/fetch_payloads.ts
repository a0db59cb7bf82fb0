// Validates the payloads of frames from a sandbox about requests with sealed values. A malformed payload ends the
// connection.

import { parsePayload } from "./payloads.ts";
import {
  BodyMode,
  ELSEWHERE_HOST,
  type ElsewherePayload,
  FETCH_METHOD_MAX_LENGTH,
  FETCH_URL_MAX_LENGTH,
  type FetchNumbers,
  type FetchPayload,
  HEADERS_MAX,
  HEADERS_MAX_LENGTH,
  ProtocolError,
} from "./protocol.ts";

const NUMBER_MAX = 0xffff_ffff;

/** @throws ProtocolError */
export function parseFetch(payload: string): FetchPayload {
  const [fetch, method, url, headers, mode, length] = parsePayload(payload);
  const valid = isNumber(fetch) && typeof method === "string" &&
    method.length <= FETCH_METHOD_MAX_LENGTH &&
    typeof url === "string" && url.length <= FETCH_URL_MAX_LENGTH &&
    Array.isArray(headers) && headers.length <= 2 * HEADERS_MAX &&
    headers.length % 2 === 0 &&
    headers.every((text) => typeof text === "string") &&
    headers.join("").length <= HEADERS_MAX_LENGTH &&
    (mode === BodyMode.None || mode === BodyMode.Whole ||
      mode === BodyMode.Stream) &&
    (length === null ||
      (Number.isSafeInteger(length) && (length as number) >= 0));
  if (!valid) throw new ProtocolError("a malformed request");
  return [fetch, method, url, headers, mode, length as number | null];
}

/** @throws ProtocolError */
export function parseElsewhere(payload: string): ElsewherePayload {
  const [placeholder, host] = parsePayload(payload);
  if (typeof placeholder !== "string" || typeof host !== "string" || !ELSEWHERE_HOST.test(host)) {
    throw new ProtocolError("a malformed report of a placeholder");
  }
  return [placeholder, host];
}

/** @throws ProtocolError */
export function parseFetchNumbers(payload: string): FetchNumbers {
  const [fetch, count] = parsePayload(payload);
  if (!isNumber(fetch)) {
    throw new ProtocolError("a malformed number of a request");
  }
  if (count === undefined) return [fetch];
  if (!isNumber(count)) {
    throw new ProtocolError("a malformed credit of a request");
  }
  return [fetch, count];
}

function isNumber(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) > 0 &&
    (value as number) <= NUMBER_MAX;
}
