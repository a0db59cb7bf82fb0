// Functions' responses as they are sent. What may be sent of a handler's headers is put together once for all of its
// responses that have the same.

import type { FlatHeaders } from "../sandbox/wire/protocol.ts";
import { maySend, sandboxPage } from "./browser_isolation.ts";

const REQUEST_ID = "X-Request-Id";
/** About one connection, not about the response (RFC 9110, 7.6.1); lengths are the server's business. */
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
 * A response with what may be sent of a handler's headers, and ours. `ownHost` if the request came under a name that
 * functions have to themselves. `onUnsent` is called with each header that functions may not send there; not again for
 * headers that come again.
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

export function responseMaker(): ResponseMaker {
  const onOwnHost = new WeakMap<FlatHeaders, Headers>();
  const beside = new WeakMap<FlatHeaders, Headers>();

  return (body, status, flat, requestId, ownHost, onUnsent) => {
    const made = ownHost ? onOwnHost : beside;
    const kept = made.get(flat);
    if (kept) {
      kept.set(REQUEST_ID, requestId);
      return new Response(body, { status, headers: kept });
    }
    const response = new Response(body, { status });
    // Into the response's own, as headers that are made first are copied.
    const { headers } = response;
    // Of a text it has one already.
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
    if (!ownHost) sandboxPage(headers);
    headers.set(REQUEST_ID, requestId);
    // Those that do not come again would only fill the map.
    if (Object.isFrozen(flat)) made.set(flat, new Headers(headers));
    return response;
  };
}
