// Creates a call's request and its Hono context. The request is created when the handler first reads `c.req`, which
// many never do.

import { Context } from "npm:hono@4.13.19";
import { HonoRequest } from "npm:hono@4.13.19/request";
import type { FlatHeaders } from "../src/sandbox/wire/protocol.ts";
import type { HandlerContext } from "./context.ts";

type Options = NonNullable<ConstructorParameters<typeof Context>[1]>;

export interface Incoming {
  readonly method: string;
  readonly url: string;
  readonly path: string;
  readonly headers: FlatHeaders;
  readonly params: Record<string, string>;
  readonly body: Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array> | null;
  /** The function's route, such as `/hello/:name`. */
  readonly route: string;
  /** Returns a signal that is aborted when the caller disconnects. */
  readonly signal: () => AbortSignal;
}

/**
 * A request whose signal is created when it is first read: with a native signal, creating a request takes three times
 * as long (measured on Deno 2.9.6).
 */
class IncomingRequest extends Request {
  readonly #signal: () => AbortSignal;

  constructor(input: string | Request, init: RequestInit, signal: () => AbortSignal) {
    super(input, init);
    this.#signal = signal;
  }

  override get signal(): AbortSignal {
    return this.#signal();
  }

  override clone(): Request {
    return new IncomingRequest(super.clone(), {}, this.#signal);
  }
}

/** Makes `new Request(request)` keep the signal of a handler's request, which the native class does not see. */
export function keepSignals(): void {
  const { construct } = Reflect;
  const Native = Request;
  const Passing = new Proxy(Native, {
    construct(_, args: [input: unknown, init?: RequestInit], newTarget) {
      const [input, init] = args;
      if (!(input instanceof IncomingRequest) || init?.signal !== undefined) return construct(Native, args, newTarget);
      return construct(Native, [input, { ...init, signal: input.signal }], newTarget);
    },
  });
  Native.prototype.constructor = Passing;
  Object.defineProperty(globalThis, "Request", { value: Passing });
}

/** Creates the request. `url` is its own URL, or another that the handler sees. */
export function openRequest({ method, headers: flat, body, signal }: Incoming, url: string): Request {
  const headers: [string, string][] = [];
  for (let i = 0; i < flat.length; i += 2) headers.push([flat[i]!, flat[i + 1]!]);
  return new IncomingRequest(url, { method, headers, body }, signal);
}

const notFoundHandler: Options["notFoundHandler"] = (c) => c.text("404 Not Found", 404);

export class CallContext extends Context {
  readonly #incoming: Incoming;
  #request: HonoRequest | undefined;

  constructor(incoming: Incoming, ctx: HandlerContext) {
    const executionCtx = ctx as unknown as Options["executionCtx"];
    super(undefined as unknown as Request, { path: incoming.path, env: {}, notFoundHandler, executionCtx });
    this.#incoming = incoming;
  }

  override get req(): HonoRequest {
    return this.#request ??= this.#open();
  }

  #open(): HonoRequest {
    const { method, url, path, params, route } = this.#incoming;
    const request = openRequest(this.#incoming, url);
    const matched = [[[[undefined, { path: route, method, handler: undefined }], params]]];
    // Hono's router returns this shape, whose type is not exported.
    return new HonoRequest(request, path, matched as unknown as ConstructorParameters<typeof HonoRequest>[2]);
  }
}
