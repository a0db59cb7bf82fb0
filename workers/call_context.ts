// Hono's context of one call. A request is made of the call when the handler first looks at `c.req`: many never do.

import { Context } from "npm:hono@4.13.19";
import { HonoRequest } from "npm:hono@4.13.19/request";
import type { FlatHeaders } from "../src/sandbox/protocol.ts";

type Options = NonNullable<ConstructorParameters<typeof Context>[1]>;

export interface Incoming {
  readonly method: string;
  readonly url: string;
  readonly path: string;
  readonly headers: FlatHeaders;
  readonly params: Record<string, string>;
  readonly body: Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array> | null;
  /** The function's, such as `/hello/:name`. */
  readonly route: string;
}

const notFoundHandler: Options["notFoundHandler"] = (c) => c.text("404 Not Found", 404);

export class CallContext extends Context {
  readonly #incoming: Incoming;
  #request: HonoRequest | undefined;

  constructor(incoming: Incoming) {
    super(undefined as unknown as Request, { path: incoming.path, env: {}, notFoundHandler });
    this.#incoming = incoming;
  }

  override get req(): HonoRequest {
    return this.#request ??= this.#open();
  }

  #open(): HonoRequest {
    const { method, url, path, headers: flat, params, body, route } = this.#incoming;
    const headers: [string, string][] = [];
    for (let i = 0; i < flat.length; i += 2) headers.push([flat[i]!, flat[i + 1]!]);
    const request = new Request(url, { method, headers, body });
    const matched = [[[[undefined, { path: route, method, handler: undefined }], params]]];
    // Hono's router gives the same shape; its type is not exported.
    return new HonoRequest(request, path, matched as unknown as ConstructorParameters<typeof HonoRequest>[2]);
  }
}
