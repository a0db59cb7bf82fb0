// Counts which secrets handlers read. Counts are kept in memory and written later, without values or names.

import { DAY_MS, HOUR_MS, MINUTE_MS } from "../time.ts";
import type { FunctionId, KeyId, SecretId } from "../ids.ts";
import type { BestEffort } from "../best_effort.ts";
import type { LastRead, ReadCount, ReadCursor, SecretReadStore } from "../store/secret_reads.ts";

/** The time that `last30Days` covers, including today. */
const RECENT_MS = 30 * DAY_MS;
/** Counts of minutes are kept this long, then added to daily counts. */
const MINUTES_KEPT_MS = 2 * DAY_MS;
/** Counters in memory. Beyond that they are written at once, which takes some 10 ms. */
const WAITING_MAX = 1_000;
/** Secrets checked at a time when the counts of deleted ones are removed. */
const SWEEP_BATCH = 500;

export interface ReadsOptions {
  readonly store: SecretReadStore;
  transaction<T>(work: () => T): T;
  readonly now: () => number;
  /** How long a count may wait to be written. */
  readonly delayMs: () => number;
  readonly retentionDays: () => number;
  readonly isSecret: (id: SecretId) => boolean;
  /** Runs work that may fail with the loss of some counts, and without other effects. */
  readonly attempt: BestEffort;
}

/** The reads of a secret. A secret that was never read has no such record. */
export interface ReadsOfSecret {
  /** Milliseconds since 1970. */
  readonly lastReadAt: number;
  readonly lastFunctionId: FunctionId;
  /** Reads by handlers today and on the 29 days before, in UTC. */
  readonly last30Days: number;
}

interface Waiting {
  readonly secretId: SecretId;
  readonly functionId: FunctionId;
  readonly keyId: KeyId | 0;
  reads: number;
  lastAt: number;
}

export class Reads {
  readonly #options: ReadsOptions;
  #waiting = new Map<string, Waiting>();
  /** The minute of all reads that wait. */
  #minute = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #tidiedAt = 0;
  /** When counts were last lost, until this is stored: reads are complete since then. */
  #lostAt: number | undefined;

  constructor(options: ReadsOptions) {
    this.#options = options;
  }

  /** Counts a value that was disclosed to a handler. */
  record(secretId: SecretId, functionId: FunctionId, keyId: KeyId | undefined): void {
    const at = this.#options.now();
    const minute = at - at % MINUTE_MS;
    if (minute !== this.#minute || this.#waiting.size >= WAITING_MAX) {
      if (this.#waiting.size > 0) this.#write();
      this.#minute = minute;
    }
    const name = `${secretId} ${functionId} ${keyId}`;
    const waiting = this.#waiting.get(name);
    if (waiting) {
      waiting.reads++;
      waiting.lastAt = at;
    } else {
      this.#waiting.set(name, { secretId, functionId, keyId: keyId ?? 0, reads: 1, lastAt: at });
      this.#timer ??= setTimeout(() => this.flush(), this.#options.delayMs());
    }
  }

  /** Returns the reads of those of the secrets that were ever read. */
  of(secretIds: readonly SecretId[]): Map<SecretId, ReadsOfSecret> {
    this.flush();
    const { store, now, attempt } = this.#options;
    const since = now() - RECENT_MS + DAY_MS;
    const found = new Map<SecretId, ReadsOfSecret>();
    attempt(() => {
      for (const id of secretIds) {
        const last = store.last(id);
        if (!last) continue;
        found.set(id, { lastReadAt: last.at, lastFunctionId: last.functionId, last30Days: store.sum(id, since) });
      }
    });
    return found;
  }

  /**
   * Returns a function that reports whether no handler has read a secret since `since`. A newer secret is not unused,
   * and none is unused if reads are not complete since then.
   */
  unusedSince(since: number): (secret: { readonly id: SecretId; readonly createdAt: number }) => boolean {
    this.flush();
    const { store, attempt } = this.#options;
    const read = attempt(() => this.begin > since ? undefined : new Set(store.readSince(since)));
    if (!read) return () => false;
    return ({ id, createdAt }) => createdAt < since && !read.has(id);
  }

  /** Returns those of a few secrets that are unused since `since`, without a look at all reads. */
  unusedAmong(
    secrets: readonly { readonly id: SecretId; readonly createdAt: number }[],
    since: number,
  ): ReadonlySet<SecretId> {
    this.flush();
    const { store, attempt } = this.#options;
    const unused = attempt(() => {
      if (this.begin > since) return [];
      return secrets.filter(({ id, createdAt }) => createdAt < since && (store.last(id)?.at ?? 0) < since);
    });
    return new Set(unused?.map(({ id }) => id));
  }

  /** Returns the functions that read a secret within the last 30 days, the last reader first. */
  readersOf(secretId: SecretId): LastRead[] {
    this.flush();
    const { store, now } = this.#options;
    return store.readers(secretId, now() - RECENT_MS);
  }

  /** When the counting of reads began, in milliseconds since 1970. */
  get begin(): number {
    return Math.max(this.#options.store.begin(), this.#lostAt ?? 0);
  }

  /** Returns the functions and keys that read a secret and when, newest first, at most `limit`. */
  list(secretId: SecretId, after: ReadCursor | undefined, limit: number): ReadCount[] {
    this.flush();
    return this.#options.store.page(secretId, after, limit);
  }

  /** Writes what was counted so far. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#waiting.size > 0) this.#write();
    this.#tidy();
  }

  #write(): void {
    const { store, transaction, now, attempt } = this.#options;
    const secrets = new Map<SecretId, Waiting>();
    const written = attempt(() =>
      transaction(() => {
        for (const waiting of this.#waiting.values()) {
          store.count(waiting, this.#minute, waiting.reads);
          const sum = secrets.get(waiting.secretId);
          if (!sum) secrets.set(waiting.secretId, { ...waiting });
          else {
            const last = waiting.lastAt >= sum.lastAt ? waiting : sum;
            const { functionId, keyId, lastAt } = last;
            secrets.set(waiting.secretId, { ...sum, functionId, keyId, lastAt, reads: sum.reads + waiting.reads });
          }
        }
        for (const { secretId, lastAt, functionId, reads } of secrets.values()) {
          store.countOfSecret(secretId, lastAt, functionId, reads);
        }
        if (this.#lostAt !== undefined) store.setBegin(this.#lostAt);
        return true;
      })
    );
    this.#lostAt = written ? undefined : now();
    this.#waiting.clear();
  }

  /** Runs once an hour: adds old minutes to days, removes old counts and those of deleted secrets. */
  #tidy(): void {
    const { store, transaction, now, retentionDays, isSecret, attempt } = this.#options;
    const at = now();
    if (at - this.#tidiedAt < HOUR_MS) return;
    this.#tidiedAt = at;
    attempt(() => {
      transaction(() => {
        // A few hours at a time, so that a server that was down for long does not block while it catches up.
        const oldest = store.oldestMinute();
        const due = at - at % MINUTE_MS - MINUTES_KEPT_MS;
        if (oldest !== undefined && oldest < due) store.foldMinutes(Math.min(due, oldest + 6 * HOUR_MS));
        // A month is promised regardless of the setting.
        store.trim(at - Math.max(retentionDays() * DAY_MS, RECENT_MS));
      });
      for (let ids = store.secretIds(0, SWEEP_BATCH); ids.length > 0; ids = store.secretIds(ids.at(-1)!, SWEEP_BATCH)) {
        const gone = ids.filter((id) => !isSecret(id));
        if (gone.length > 0) transaction(() => gone.forEach((id) => store.forget(id)));
      }
    });
  }
}
