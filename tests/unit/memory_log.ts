// A log of changes in memory, for nodes in one process. Each node has a connection of its own, which tests can cut.

import type { Announced, ChangeLog, Entry, Head, LockedLog } from "../../src/cluster/log/change_log.ts";
import { type Chain, createChain } from "../../src/cluster/log/entry.ts";
import { StoreUnavailable } from "../../src/cluster/log/errors.ts";
import type { Keyring } from "../../src/keyring/keyring.ts";

/** How a connection behaves. */
export interface Weather {
  /** Whether nothing gets through. */
  isCut: boolean;
  /** Whether the next commit is stored or lost without an answer; it cannot be looked up either. */
  nextCommit: "answered" | "stored" | "lost";
  /** Turns of the event loop that each request takes, and each answer. */
  turns: () => number;
  /** How often work that has the lock is run, as PostgreSQL's log runs long work again; nothing is kept but the last. */
  runs?: number | undefined;
  /** Is called between two runs, when others can have the lock. */
  between?: (() => Promise<void>) | undefined;
  /** What answers and notifications wait for. */
  held?: Promise<void> | undefined;
  /** Returns what comes along with a notification instead of the entry. */
  announced?: ((entry: Entry) => Entry | undefined) | undefined;
  /** Is called with each reading. */
  onRead?: (() => void) | undefined;
}

export class MemoryLog {
  readonly entries: Entry[] = [];
  readonly #chain: Chain;
  readonly #listeners = new Set<(seq: number, announced: Announced) => void>();
  #lock: Promise<unknown> = Promise.resolve();

  constructor(keyring: Keyring) {
    this.#chain = createChain(keyring, "a cluster of tests");
  }

  get head(): Head {
    return this.entries.at(-1) ?? this.#chain.start;
  }

  /** Notifies all nodes of an entry. */
  announce(entry: Entry): void {
    for (const listener of this.#listeners) listener(entry.seq, () => entry);
  }

  connect(weather: Weather): ChangeLog {
    const { start, cluster } = this.#chain;
    const pass = async (): Promise<void> => {
      for (let turns = weather.turns(); turns > 0; turns--) await new Promise((resolve) => setTimeout(resolve, 0));
    };
    const arrive = async (): Promise<void> => {
      await pass();
      if (weather.isCut) throw new StoreUnavailable("the connection is cut");
    };
    return {
      start,
      cluster,
      exclusively: async (work) => {
        await arrive();
        for (let runs = weather.runs ?? 1; runs > 1; runs--) {
          await this.#inTurn(() =>
            work({ head: this.head, append: () => Promise.reject(new Error("it took too long")) })
          )
            .catch(() => {});
          await weather.between?.();
        }
        return await this.#inTurn(() => this.#exclusively(work, weather, arrive));
      },
      read: async (after, limit) => {
        weather.onRead?.();
        await arrive();
        this.#chain.confirm(after, after.seq === 0 ? start : this.entries[after.seq - 1] ?? this.head);
        const entries = this.entries.slice(after.seq, after.seq + limit);
        entries.reduce((last, entry) => this.#chain.check(last, entry), after);
        await weather.held;
        await pass();
        return entries;
      },
      head: async () => {
        await arrive();
        return this.head;
      },
      onAppended: (listener) => {
        const told = (seq: number, announced: Announced) =>
          void arrive().then(() => weather.held).then(() =>
            listener(seq, () => {
              const entry = announced()!;
              return weather.announced ? weather.announced(entry) : entry;
            }), () => {});
        this.#listeners.add(told);
        return () => void this.#listeners.delete(told);
      },
      follows: (after, entry) => this.#chain.follows(after, entry),
      findById: async (id) => {
        await arrive();
        return this.entries.find((entry) => entry.id === id)?.seq;
      },
      close: () => Promise.resolve(),
    };
  }

  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const run = this.#lock.then(work);
    this.#lock = run.catch(() => {});
    return await run;
  }

  async #exclusively<T>(
    work: (log: LockedLog) => Promise<T>,
    weather: Weather,
    arrive: () => Promise<void>,
  ): Promise<T> {
    const appended: Entry[] = [];
    const result = await work({
      head: this.head,
      append: (after, entry) => {
        this.#chain.confirm(after, appended.at(-1) ?? this.head);
        const next = this.#chain.append(after, entry);
        appended.push(next);
        return Promise.resolve(next);
      },
    });
    await arrive();
    const { nextCommit } = weather;
    weather.nextCommit = "answered";
    if (appended.length > 0 && nextCommit !== "lost") {
      this.entries.push(...appended);
      this.announce(this.entries.at(-1)!);
    }
    if (nextCommit !== "answered") throw new StoreUnavailable("the commit was not answered", "unknown");
    return result;
  }
}
