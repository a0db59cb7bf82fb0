// Implements locks that one node of the cluster holds at a time, for work that runs once per cluster. A lock ends with the
// connection it was taken on, so that a node that is gone holds none.

import { lockKey } from "./lock_key.ts";
import type { Watch } from "./watch.ts";

export interface HeldLock {
  /** Is aborted when the lock is lost or released. */
  readonly signal: AbortSignal;
  /** Whether no other node can hold the lock at this moment; check it before each step that must not happen twice. */
  readonly isHeld: boolean;
  release(): Promise<void>;
}

/** The kind of notifications about released locks; the payload is the name. */
const RELEASED = "lock";
/** How often a node tries to take a lock whose holder may be gone without a notification. */
const RETRY_INTERVAL_MS = 5_000;

export class Locks {
  readonly #watch: Watch;
  readonly #schema: string;
  readonly #held = new Set<string>();

  readonly #onError: (error: unknown) => void;

  /** `onError` is called with errors of work that `lead` started. */
  constructor(watch: Watch, schema: string, onError: (error: unknown) => void) {
    this.#watch = watch;
    this.#schema = schema;
    this.#onError = onError;
  }

  /** Takes the lock `name` if no node has it, this one included; undefined if one has, or PostgreSQL is not available. */
  async tryTake(name: string): Promise<HeldLock | undefined> {
    const { session } = this.#watch;
    // PostgreSQL would give a session a lock that it has.
    if (!session || this.#held.has(name)) return undefined;
    this.#held.add(name);
    const key = lockKey(this.#schema, name);
    const ended = new AbortController();
    const end = () => {
      if (ended.signal.aborted) return;
      this.#held.delete(name);
      ended.abort();
    };
    session.closed.then(end);
    try {
      const [row] = await session.sql<{ taken: boolean }[]>`SELECT pg_try_advisory_lock(${key}) AS taken`;
      if (!row!.taken) {
        end();
        return undefined;
      }
    } catch {
      // The session has ended; so it would if the server's answer were an error.
      session.destroy();
      end();
      return undefined;
    }
    const watch = this.#watch;
    return {
      signal: ended.signal,
      get isHeld() {
        return !ended.signal.aborted && watch.session === session && watch.isConfirmed;
      },
      async release() {
        if (ended.signal.aborted) return;
        try {
          await session.sql`SELECT pg_advisory_unlock(${key})`;
          await watch.notify(session.sql, RELEASED, name);
        } catch {
          session.destroy();
        }
        end();
      },
    };
  }

  /** Runs `work` if the lock is free, and releases it then; returns undefined otherwise. */
  async once<T>(name: string, work: (lock: HeldLock) => Promise<T>): Promise<T | undefined> {
    const lock = await this.tryTake(name);
    if (!lock) return undefined;
    try {
      return await work(lock);
    } finally {
      await lock.release();
    }
  }

  /**
   * Keeps one node of the cluster at `work`: calls it once this node has the lock, and again after the lock was lost and
   * taken again. `work` ends when its lock's signal is aborted; if it throws, the lock is released and tried again later.
   * Dispose to stop and to let another node take over.
   */
  lead(name: string, work: (lock: HeldLock) => void | Promise<void>): AsyncDisposable {
    let lock: HeldLock | undefined;
    let working: Promise<void> | undefined;
    let trying: Promise<void> | undefined;
    let isStopped = false;
    const attempt = async () => {
      if (isStopped || working) return;
      lock = await this.tryTake(name);
      if (!lock) return;
      if (isStopped) return await lock.release();
      const taken = lock;
      working = (async () => {
        try {
          await work(taken);
          if (!taken.signal.aborted) await new Promise((resolve) => taken.signal.addEventListener("abort", resolve));
        } catch (error) {
          this.#onError(error);
          await taken.release();
        }
      })().finally(() => working = undefined);
    };
    const tryOnce = () => void (trying ??= attempt().finally(() => trying = undefined));
    const timer = setInterval(tryOnce, RETRY_INTERVAL_MS);
    const stops = [
      this.#watch.onOpen(tryOnce),
      this.#watch.listen(RELEASED, (released) => released === name && tryOnce()),
    ];
    tryOnce();
    return {
      async [Symbol.asyncDispose]() {
        isStopped = true;
        clearInterval(timer);
        for (const stop of stops) stop();
        await trying;
        await lock?.release();
        await working;
      },
    };
  }
}
