// The headers of functions' responses as they are sent: what may be sent of a handler's is put together once for all
// of its responses that have the same.

import type { FlatHeaders } from "../sandbox/protocol.ts";
import { maySend, sandboxPage } from "./run_isolation.ts";

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
 * What is sent of a handler's headers, and ours. For a new Response, which takes a copy: good until the next call.
 * `ownHost` if the request came under a name that functions have to themselves.
 * @throws TypeError for a header that no response can have
 */
export type Heads = (headers: FlatHeaders, requestId: string, ownHost: boolean) => Headers;

export function createHeads(): Heads {
  const onOwnHost = new WeakMap<FlatHeaders, Headers>();
  const beside = new WeakMap<FlatHeaders, Headers>();

  return (flat, requestId, ownHost) => {
    const made = ownHost ? onOwnHost : beside;
    let headers = made.get(flat);
    if (!headers) {
      headers = new Headers();
      for (let i = 0; i < flat.length; i += 2) {
        const [name, value] = [flat[i]!, flat[i + 1]!];
        const lower = name.toLowerCase();
        if (!HOP_HEADERS.has(lower) && maySend(lower, value, ownHost)) headers.append(name, value);
      }
      if (!ownHost) sandboxPage(headers);
      made.set(flat, headers);
    }
    headers.set("X-Request-Id", requestId);
    return headers;
  };
}
