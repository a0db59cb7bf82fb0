// Logs uncaught errors with the call whose code threw them, instead of ending the process and with it
// every call under way.

import type { AsyncLocalStorage } from "node:async_hooks";
import timers from "node:timers";

// Taken before the handler's code can replace them.
const { apply } = Reflect;

/** `running` holds the number of the invocation whose code runs. */
export function tellUncaught(running: AsyncLocalStorage<number>): void {
  /** What a timer's callback threw last: Deno reports it when it has left the callback's context. */
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
    // In the context in which the promise was made.
    console.error("Unhandled rejection:", event.reason);
  });
  addEventListener("error", (event) => {
    event.preventDefault();
    const tell = () => console.error("Uncaught error:", event.error);
    const call = running.getStore() ?? (thrown?.error === event.error ? thrown?.call : undefined);
    thrown = undefined;
    if (call === undefined) tell();
    else running.run(call, tell);
  });
}
