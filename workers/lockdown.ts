// Disables what Deno's permissions allow a handler and the platform does not, before any of its code runs. There is no
// second realm in the process in which these would be available, as workers are disabled.

import { Worker as NodeWorker } from "node:worker_threads";

// Taken before the handler's code can replace them, including methods of strings.
const { createHttpClient } = Deno;
const { defineProperty, freeze, setPrototypeOf } = Object;
const { apply } = Reflect;
const { startsWith } = String.prototype;

export function lockDown(): void {
  for (const worker of [Worker, NodeWorker]) closeClass(worker, "A handler cannot start workers.");
  defineProperty(Deno, "createHttpClient", {
    value: createCheckedClient,
    writable: false,
    configurable: false,
    enumerable: true,
  });
}

/**
 * Makes every construction of a derived class fail, even with earlier references to it: its constructor cannot pass
 * `super()`, which looks up its prototype only then.
 */
function closeClass(derived: new (...args: never[]) => unknown, message: string): void {
  class Closed {
    constructor() {
      throw new Error(message);
    }
  }
  setPrototypeOf(derived, freeze(Closed));
  freeze(derived);
}

/**
 * Refuses SOCKS proxies: Deno checks the name of one but not its address, so that a proxy on this machine could be
 * reached. Every field is read once and copied, so that no getter or prototype can show Deno another proxy than the one
 * that is checked here.
 */
function createCheckedClient(options: Deno.CreateHttpClientOptions = {}): Deno.HttpClient {
  const { proxy } = options;
  if (proxy === undefined || proxy === null) return createHttpClient({ ...options, proxy: undefined });
  const { transport, url, hostname, port, basicAuth } = proxy as unknown as Record<string, unknown>;
  let own: unknown;
  if (transport === "tcp") {
    own = { __proto__: null, transport, hostname: `${hostname}`, port: +`${port}`, basicAuth };
  } else {
    const address = `${url}`;
    if (!apply(startsWith, address, ["http://"]) && !apply(startsWith, address, ["https://"])) {
      throw new TypeError(`A handler may use proxies by http:// and https:// only, not ${address}`);
    }
    own = { __proto__: null, url: address, basicAuth };
  }
  return createHttpClient({ ...options, proxy: own as Deno.Proxy });
}
