// Logs uncaught errors with the call whose code threw them, instead of ending the process with all of its calls.

import type { AsyncLocalStorage } from "node:async_hooks";
import timers from "node:timers";

// Taken before the handler's code can replace them.
const { apply } = Reflect;

/** `running` contains the id of the invocation whose code runs. */
export function logUncaught(running: AsyncLocalStorage<number>): void {
  /** The last error of a timer's callback. Deno reports it after it left the callback's context. */
  let thrown: { readonly error: unknown; readonly call: number | undefined } | undefined;

  const watched = (callback: unknown): unknown => {
    if (typeof callback !== "function") return callback;
    return function (this: unknown, ...args: unknown[]) {
      try {
        return apply(callback, this, args);
      } catch (error) {
        thrown = { error, call: running.getStore() };
        throw error;
      }
    };
  };
  const watching = <F extends (...args: never[]) => unknown>(start: F): F =>
    new Proxy(start, {
      apply: (target, self, [callback, ...rest]: unknown[]) => apply(target, self, [watched(callback), ...rest]),
    });
  for (const owner of [globalThis, timers] as Record<string, unknown>[]) {
    for (const name of ["setTimeout", "setInterval", "setImmediate"]) {
      owner[name] = watching(owner[name] as () => unknown);
    }
  }

  addEventListener("unhandledrejection", (event) => {
    event.preventDefault();
    // This runs in the context in which the promise was created.
    console.error("Unhandled rejection:", event.reason);
  });
  addEventListener("error", (event) => {
    event.preventDefault();
    const log = () => console.error("Uncaught error:", event.error);
    const call = running.getStore() ?? (thrown?.error === event.error ? thrown?.call : undefined);
    thrown = undefined;
    if (call === undefined) log();
    else running.run(call, log);
  });
}
