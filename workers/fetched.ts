// Replaces `fetch`: some requests are sent in another way, and the headers of responses whose bodies the runtime has
// decoded are corrected. Otherwise a handler that returns one would announce gzip and send plain text.

import { explainError } from "./refusals.ts";

/** Encodings that Deno decodes. Bodies with other encodings are left unchanged (tested on Deno 2.9.6). */
const DECODED = ["gzip", "br"];

// Taken before the handler's code can replace them.
const HeadersClass = Headers;
const { clone } = Response.prototype;
const { apply } = Reflect;
const { defineProperties, defineProperty } = Object;

/** What was given to `fetch`, from which the request was made. */
export interface FetchArguments {
  readonly input: RequestInfo | URL;
  readonly init: RequestInit | undefined;
}

/** Sends a request in another way; returns undefined for those that the runtime's `fetch` is to send. */
export type FetchRoute = (request: Request, given: FetchArguments) => Promise<Response> | undefined;

let route: FetchRoute | undefined;

export function routeFetch(by: FetchRoute): void {
  route = by;
}

/** Sends a request by the runtime's `fetch`. Set by `correctFetch`. */
export let directFetch: (request: Request) => Promise<Response>;

export function correctFetch(): void {
  const native = globalThis.fetch;
  directFetch = async (request) => {
    let response: Response;
    try {
      response = await native(request);
    } catch (error) {
      throw explainError(error);
    }
    return isDecoded(response, request.headers) ? withoutEncoding(response) : response;
  };
  const fetch = async (input: RequestInfo | URL, init?: RequestInit): Promise<Response> => {
    // The global class, which keeps the signal of a handler's request.
    const request = new Request(input, init);
    return await (route?.(request, { input, init }) ?? directFetch(request));
  };
  defineProperty(globalThis, "fetch", { value: fetch, writable: true, configurable: true, enumerable: true });
}

/** Reports whether Deno decoded the body. It does not if the request names an encoding or a range, nor for HEAD. */
function isDecoded({ body, headers }: Response, asked: Headers): boolean {
  if (body === null || asked.has("accept-encoding") || asked.has("range")) return false;
  return DECODED.includes(headers.get("content-encoding")?.trim().toLowerCase() ?? "");
}

/** Returns the same response with replaced headers, as its own headers are immutable. */
function withoutEncoding(response: Response): Response {
  const headers = new HeadersClass(response.headers);
  headers.delete("content-encoding");
  headers.delete("content-length");
  return defineProperties(response, {
    headers: { value: headers, configurable: true },
    clone: { value: () => withoutEncoding(apply(clone, response, [])), configurable: true },
  });
}
