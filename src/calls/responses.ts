// Makes the responses that clients receive from those of handlers. Headers are filtered once for all responses of a
// handler that share them.

import { CallFailure } from "../sandbox/host/failure.ts";
import { type CallResponse, contentLength } from "../sandbox/host/invocation.ts";
import type { FlatHeaders } from "../sandbox/wire/protocol.ts";
import { downloadParts, maySend, sandboxPage } from "./browser_isolation.ts";

const REQUEST_ID = "X-Request-Id";
/** Statuses whose responses have no body (Fetch, 2.2.3), except 205. */
const NULL_BODY_STATUSES = [204, 304];
/** Headers about one connection, not about the response (RFC 9110, 7.6.1), and the length, which the server sets. */
const HOP_HEADERS = new Set([
  "connection",
  "content-length",
  "keep-alive",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

/**
 * Makes a response with the headers of a handler that may be sent, and the server's own. `ownHost` says that the
 * request's host serves functions only. `onUnsent` is called with each header that functions may not send there, once
 * for a set of headers that is used again.
 * @throws RangeError, TypeError for a status, header or body that no response can have
 */
export type ResponseMaker = (
  body: BodyInit | null,
  status: number,
  headers: FlatHeaders,
  requestId: string,
  ownHost: boolean,
  onUnsent: (name: string) => void,
) => Response;

export function createResponseMaker(): ResponseMaker {
  const onOwnHost = new WeakMap<FlatHeaders, Headers>();
  const onSharedHost = new WeakMap<FlatHeaders, Headers>();

  return (body, status, flat, requestId, ownHost, onUnsent) => {
    const filtered = ownHost ? onOwnHost : onSharedHost;
    const reused = filtered.get(flat);
    if (reused) {
      reused.set(REQUEST_ID, requestId);
      return new Response(body, { status, headers: reused });
    }
    const response = new Response(body, { status });
    // Fills the response's own headers: headers that are passed to it would be copied.
    const { headers } = response;
    // A text body has set one already.
    headers.delete("content-type");
    for (let i = 0; i < flat.length; i += 2) {
      const [name, value] = [flat[i]!, flat[i + 1]!];
      const lower = name.toLowerCase();
      if (HOP_HEADERS.has(lower)) continue;
      if (maySend(lower, value, ownHost)) headers.append(name, value);
      else onUnsent(name);
    }
    // nginx buffers a response unless this header turns that off.
    if (headers.get("content-type")?.startsWith("text/event-stream") && !headers.has("x-accel-buffering")) {
      headers.set("X-Accel-Buffering", "no");
    }
    downloadParts(headers);
    if (!ownHost) sandboxPage(headers);
    headers.set(REQUEST_ID, requestId);
    // Frozen headers are shared by several responses; others would only fill the map.
    if (Object.isFrozen(flat)) filtered.set(flat, new Headers(headers));
    return response;
  };
}

/**
 * Returns the response to a `method` request from that of its handler.
 * @throws CallFailure nonsense, if HTTP has no such response
 */
export function toResponse(
  { status, headers, body }: CallResponse,
  method: string,
  requestId: string,
  ownHost: boolean,
  makeResponse: ResponseMaker,
  onUnsent: (name: string) => void,
): Response {
  try {
    // 101 would hand over the connection.
    if (status < 200) throw new RangeError(`the status ${status} cannot be sent as a response`);
    // hyper 1 sends it without a length, so that the client waits for the end of the connection.
    if (status === 205) throw new RangeError("the status 205 cannot be sent over HTTP/1.1; use 204");
    const hasNoBody = NULL_BODY_STATUSES.includes(status);
    const isStream = body instanceof ReadableStream;
    const isHead = method === "HEAD" && !hasNoBody;
    if (hasNoBody || (isHead && isStream)) discard(body);
    const sent = hasNoBody ? null : isHead ? headBody(body) : body;
    const response = makeResponse(sent, status, headers, requestId, ownHost, onUnsent);
    const isTheirs = !hasNoBody && (isStream || (isHead && body === null));
    const length = isTheirs ? contentLength(headers) : undefined;
    if (length !== undefined) response.headers.set("Content-Length", String(length));
    return response;
  } catch (error) {
    // A status or header that no HTTP response can have. The rest of the body is not read.
    discard(body);
    throw new CallFailure("nonsense", true, (error as Error).message);
  }
}

/**
 * Returns the body for a response to HEAD. A whole body is returned, so that its length is sent as for GET. Other
 * responses have no length unless the handler sets one (RFC 9110, 8.6): a body of null would announce a length of 0.
 */
function headBody(body: CallResponse["body"]): BodyInit {
  if (body !== null && !(body instanceof ReadableStream)) return body;
  return new ReadableStream({ start: (controller) => controller.close() });
}

/** Ends the call whose body is not read. It may have failed already, which does not matter here. */
function discard(body: CallResponse["body"]): void {
  if (body instanceof ReadableStream) body.cancel().catch(() => {});
}
