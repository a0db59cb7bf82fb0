// The connections that the requests of one sandbox process share, each kept for a while after its last response.

import type { Connection } from "./connection.ts";

/** An idle connection is closed before most servers do it. */
const IDLE_MS = 4_000;
/** Connections to one host that are kept. */
const IDLE_MAX = 16;

export class Lane {
  /** By origin and address, the last used last. */
  readonly #idle = new Map<string, Connection[]>();
  #sweep: ReturnType<typeof setTimeout> | undefined;
  #isClosed = false;

  /** Returns the connection that was used last; undefined if there is none. */
  take(key: string): Connection | undefined {
    return this.#idle.get(key)?.pop();
  }

  /** Keeps a connection on which a response has ended. It is dropped if anything arrives meanwhile, such as its end. */
  keep(key: string, connection: Connection): void {
    const kept = this.#idle.get(key) ?? [];
    this.#idle.set(key, kept);
    if (this.#isClosed || kept.length >= IDLE_MAX) return connection.close();
    connection.isReused = true;
    connection.idleSince = performance.now();
    kept.push(connection);
    const drop = (): void => {
      const at = kept.indexOf(connection);
      if (at === -1) return;
      kept.splice(at, 1);
      connection.close();
    };
    // The next request waits for the same read.
    connection.read().then(drop, drop);
    this.#sweep ??= setTimeout(() => this.#closeOld(), IDLE_MS);
  }

  /** Closes all idle connections, and keeps none any more. */
  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#sweep);
    for (const connection of [...this.#idle.values()].flat()) connection.close();
    this.#idle.clear();
  }

  #closeOld(): void {
    this.#sweep = undefined;
    const before = performance.now() - IDLE_MS;
    let next = Infinity;
    for (const [key, kept] of this.#idle) {
      while (kept.length > 0 && kept[0]!.idleSince <= before) kept.shift()!.close();
      if (kept.length === 0) this.#idle.delete(key);
      else next = Math.min(next, kept[0]!.idleSince - before);
    }
    if (next < Infinity) this.#sweep = setTimeout(() => this.#closeOld(), Math.ceil(next));
  }
}
