// Responses of `fetch` whose bodies the runtime has decoded: their headers say so, too. Otherwise a handler that passes
// one on would announce gzip and send plain text.

import { inOwnWords } from "./refusals.ts";

/** What Deno decodes; a body with any other encoding is left as it came (tried on Deno 2.9.6). */
const DECODED = ["gzip", "br"];

// Taken before the handler's code can replace them.
const HeadersClass = Headers;
const { clone } = Response.prototype;
const { apply } = Reflect;
const { defineProperties, defineProperty } = Object;

export function correctFetch(): void {
  const native = globalThis.fetch;
  const fetch = async (input: RequestInfo | URL, init?: RequestInit): Promise<Response> => {
    // The global class, which passes the signal of a handler's request on.
    const request = new Request(input, init);
    let response: Response;
    try {
      response = await native(request);
    } catch (error) {
      throw inOwnWords(error);
    }
    return isDecoded(response, request.headers) ? withoutEncoding(response) : response;
  };
  defineProperty(globalThis, "fetch", { value: fetch, writable: true, configurable: true, enumerable: true });
}

/** Deno does not decode a body if the request names an encoding or a range; HEAD has none to decode. */
function isDecoded({ body, headers }: Response, asked: Headers): boolean {
  if (body === null || asked.has("accept-encoding") || asked.has("range")) return false;
  return DECODED.includes(headers.get("content-encoding")?.trim().toLowerCase() ?? "");
}

/** The same response; its own headers cannot be changed. */
function withoutEncoding(response: Response): Response {
  const headers = new HeadersClass(response.headers);
  headers.delete("content-encoding");
  headers.delete("content-length");
  return defineProperties(response, {
    headers: { value: headers, configurable: true },
    clone: { value: () => withoutEncoding(apply(clone, response, [])), configurable: true },
  });
}
