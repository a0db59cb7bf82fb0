// Metrics of calls: counted in memory, written behind the requests, read as summaries and series.
// Minutes are written as they pass and added up into hours and days when they are over.

import type { FunctionId } from "../ids.ts";
import {
  ALL_FUNCTIONS,
  type FailingRow,
  type MetricRow,
  type MetricStore,
  type Resolution,
  RESOLUTIONS,
} from "../store/metrics.ts";
import type { BestEffort } from "../best_effort.ts";
import { addPacked, packHistogram } from "./histogram.ts";
import {
  addCounts,
  addTally,
  countCall,
  newTally,
  type Outcome,
  summarize,
  type Summary,
  type Tally,
} from "./tally.ts";

const DAY_MS = RESOLUTIONS.days;
/** Hours and days are kept as long as the setting says. */
const MINUTES_KEPT_MS = 2 * DAY_MS;
/** A summary of a longer time is made from hours, then from days. */
const SUMMARY_OF_MINUTES_MS = RESOLUTIONS.hours;
const SUMMARY_OF_HOURS_MS = 2 * DAY_MS;
/** Who is busiest is told by rows that are coarser still, and by no more of them than this: each function has some. */
const RANKED_BY = { minutes: "hours", hours: "days", days: "days" } as const;
const RANKED_MS = 14 * DAY_MS;
/** Rows written at a time before requests get their turn. */
const BATCH_ROWS = 100;

export interface MetricsOptions {
  readonly store: MetricStore;
  transaction<T>(work: () => T): T;
  readonly now: () => number;
  /** How long a count may wait to be written. */
  readonly delayMs: () => number;
  /** With 0, nothing is counted. */
  readonly retentionDays: () => number;
  /** Asked at the start: one that was deleted leaves no rows. */
  readonly isFunction: (id: FunctionId) => boolean;
  /** For what may fail, with the loss of some counts, without anything else failing. */
  readonly attempt: BestEffort;
}

/** One stretch of a series. */
export interface Point {
  readonly at: number;
  readonly tally: Tally;
}

export class Metrics {
  readonly #options: MetricsOptions;
  /** Counts of the minute that runs, not yet written. */
  #current = new Map<FunctionId, Tally>();
  #minute = 0;
  /** Counts that wait to be written. */
  #waiting: { minute: number; functionId: FunctionId; tally: Tally }[] = [];
  /** Since the start of the process. */
  readonly #totals = new Map<FunctionId, Tally>();
  /** Cleared tallies, to be used again: new ones at each batch would keep the garbage collector busy. */
  readonly #spare: Tally[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Minutes before this one are in their hours and days. */
  #rolledTo = 0;
  #trimmedAt = 0;
  /** Deleted since the start; a call of one may yet end. */
  readonly #forgotten = new Set<FunctionId>();

  constructor(options: MetricsOptions) {
    this.#options = options;
    const { store, transaction, attempt, isFunction } = options;
    attempt(() => {
      this.#rollUp();
      transaction(() => {
        for (const id of store.functionIds()) if (!isFunction(id)) store.forget(id);
      });
    });
  }

  /** A call is over, its response included. */
  ended(functionId: FunctionId, outcome: Outcome, durationMs: number): void {
    if (this.#isOn()) countCall(this.#tallyOf(functionId), outcome, durationMs);
  }

  sandboxStarted(functionId: FunctionId): void {
    if (this.#isOn()) this.#tallyOf(functionId).sandboxStarts++;
  }

  /** Counts work that a call had given to `ctx.waitUntil`; `durationMs` is since its response. */
  backgroundEnded(functionId: FunctionId, succeeded: boolean, durationMs: number): void {
    if (!this.#isOn()) return;
    const tally = this.#tallyOf(functionId);
    tally.backgroundCalls++;
    if (!succeeded) tally.backgroundErrors++;
    tally.backgroundUs += Math.max(0, Math.round(durationMs * 1_000));
  }

  /** Questions of a handler for secrets were answered, in whatever way. */
  secretsRead(functionId: FunctionId, questions: number, durationMs: number): void {
    if (!this.#isOn()) return;
    const tally = this.#tallyOf(functionId);
    tally.secretReads += questions;
    tally.secretReadUs += Math.round(durationMs * 1_000);
  }

  /** Of one function, or all, since about `sinceMs` (from the beginning of its minute, hour or day). */
  summary(functionId: FunctionId | undefined, sinceMs: number): Summary {
    const resolution = this.#resolutionSince(sinceMs);
    const total = newTally();
    const from = beginning(resolution, sinceMs);
    this.#options.attempt(() => {
      for (const { tally } of this.points(resolution, functionId, from, Infinity)) addTally(total, tally);
    });
    return summarize(total);
  }

  /**
   * As `summary`, of the `limit` functions with the most calls since then, the busiest first; `more` tells of others.
   * Which they are is told by whole hours or days, of the last 14 days at most.
   */
  busiest(sinceMs: number, limit: number): { functions: [FunctionId, Summary][]; more: boolean } {
    this.flush();
    const { store, attempt, now } = this.#options;
    const coarse = RANKED_BY[this.#resolutionSince(sinceMs)];
    const from = beginning(coarse, Math.max(sinceMs, now() - RANKED_MS));
    const calls = new Map<FunctionId, number>();
    attempt(() => {
      const minutes = store.callsOfEach("minutes", Math.max(from, store.rolledTo()));
      for (const row of [...store.callsOfEach(coarse, from), ...minutes]) {
        calls.set(row.functionId, (calls.get(row.functionId) ?? 0) + row.calls);
      }
    });
    const ranked = [...calls].sort(([, a], [, b]) => b - a).slice(0, limit);
    return {
      functions: ranked.map(([id]): [FunctionId, Summary] => [id, this.summary(id, sinceMs)])
        .filter(([, summary]) => summary.calls > 0)
        .sort(([, a], [, b]) => b.calls - a.calls),
      more: calls.size > limit,
    };
  }

  /** How many calls a function got within the last hour or less, and how many of them failed. */
  callsSince(functionId: FunctionId, sinceMs: number): { calls: number; errors: number } {
    this.flush();
    const { store, attempt } = this.#options;
    let counts = { calls: 0, errors: 0 };
    attempt(() => counts = store.callsOf("minutes", functionId, beginning("minutes", sinceMs)));
    return counts;
  }

  /** Returns the functions whose calls failed or took too long within the last hour or less, the worst first. */
  failing(sinceMs: number, limit: number): FailingRow[] {
    this.flush();
    const { store, attempt } = this.#options;
    let rows: FailingRow[] = [];
    attempt(() => rows = store.failing("minutes", beginning("minutes", sinceMs), limit));
    return rows;
  }

  /** The stretches in which something was counted, in order; `from` is the beginning of one, `to` is not included. */
  points(resolution: Resolution, functionId: FunctionId | undefined, from: number, to: number): Point[] {
    this.flush();
    const { store } = this.#options;
    const id = functionId ?? ALL_FUNCTIONS;
    const end = Math.min(to, Number.MAX_SAFE_INTEGER);
    const points = new Map<number, Tally>();
    const add = (row: MetricRow) => addRow(getOrMake(points, beginning(resolution, row.at), newTally), row);
    store.list(resolution, id, from, end).forEach(add);
    if (resolution !== "minutes") store.list("minutes", id, Math.max(from, store.rolledTo()), end).forEach(add);
    return [...points].map(([at, tally]) => ({ at, tally })).sort((a, b) => a.at - b.at);
  }

  /** By function, since the start of the process: for a collector that computes rates by itself. */
  totals(): ReadonlyMap<FunctionId, Readonly<Tally>> {
    this.flush();
    return this.#totals;
  }

  /** A function was deleted. */
  forget(functionId: FunctionId): void {
    const { store, transaction, attempt } = this.#options;
    this.flush();
    this.#forgotten.add(functionId);
    this.#totals.delete(functionId);
    attempt(() => transaction(() => store.forget(functionId)));
  }

  /** Writes everything that was counted so far. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#close();
    while (this.#waiting.length > 0) this.#writeBatch();
    this.#keepUp();
  }

  #isOn(): boolean {
    return this.#options.retentionDays() > 0;
  }

  #tallyOf(functionId: FunctionId): Tally {
    // What was added up already gets no more counts, even if the clock is set back.
    const minute = Math.max(beginning("minutes", this.#options.now()), this.#rolledTo);
    if (minute !== this.#minute) {
      this.#close();
      this.#minute = minute;
    }
    let tally = this.#current.get(functionId);
    if (!tally) {
      this.#current.set(functionId, tally = this.#spare.pop() ?? newTally());
      this.#writeLater();
    }
    return tally;
  }

  /** What was counted so far is complete and waits to be written. */
  #close(): void {
    for (const [functionId, tally] of this.#current) this.#waiting.push({ minute: this.#minute, functionId, tally });
    this.#current.clear();
  }

  /** One batch after the other, with a turn for requests in between. */
  #write(): void {
    this.#timer = undefined;
    if (this.#waiting.length === 0) this.#close();
    this.#writeBatch();
    if (this.#waiting.length > 0) this.#timer = setTimeout(() => this.#write(), 0);
    else {
      this.#keepUp();
      if (this.#current.size > 0) this.#writeLater();
    }
  }

  #writeLater(): void {
    this.#timer ??= setTimeout(() => this.#write(), this.#options.delayMs());
  }

  #writeBatch(): void {
    const { store, transaction, attempt } = this.#options;
    const batch = this.#waiting.splice(0, BATCH_ROWS);
    const all = new Map<number, Tally>();
    const write = (functionId: FunctionId | typeof ALL_FUNCTIONS, at: number, tally: Tally) => {
      const stored = store.find("minutes", functionId, at);
      if (stored) addRow(tally, stored);
      store.put("minutes", toRow(functionId, at, tally));
    };
    for (const { minute, functionId, tally } of batch) {
      addTally(getOrMake(all, minute, newTally), tally);
      if (!this.#forgotten.has(functionId)) addTally(getOrMake(this.#totals, functionId, newTally), tally);
    }
    attempt(() =>
      transaction(() => {
        for (const { minute, functionId, tally } of batch) {
          if (!this.#forgotten.has(functionId)) write(functionId, minute, tally);
        }
        for (const [minute, tally] of all) write(ALL_FUNCTIONS, minute, tally);
      })
    );
    for (const { tally } of batch) {
      clear(tally);
      this.#spare.push(tally);
    }
  }

  /** After each minute: adds it to its hour and day, and now and then drops what is too old. */
  #keepUp(): void {
    const { store, transaction, now, retentionDays, attempt } = this.#options;
    const at = now();
    attempt(() => {
      if (beginning("minutes", at) > this.#rolledTo && this.#current.size === 0) this.#rollUp();
      if (at - this.#trimmedAt < RESOLUTIONS.hours) return;
      this.#trimmedAt = at;
      transaction(() => {
        store.trim("minutes", at - MINUTES_KEPT_MS);
        for (const resolution of ["hours", "days"] as const) store.trim(resolution, at - retentionDays() * DAY_MS);
      });
    });
  }

  /** In one transaction with the mark of how far it came, so that no minute counts twice or never. */
  #rollUp(): void {
    const { store, transaction, now } = this.#options;
    const to = beginning("minutes", now());
    transaction(() => {
      const from = store.rolledTo();
      if (from < to) {
        const rows = store.listEach("minutes", from, to);
        for (const resolution of ["hours", "days"] as const) this.#addTo(resolution, rows);
        store.setRolledTo(to);
      }
      this.#rolledTo = Math.max(from, to);
    });
  }

  #addTo(resolution: Resolution, minutes: readonly MetricRow[]): void {
    const { store } = this.#options;
    const sums = new Map<string, { functionId: MetricRow["functionId"]; at: number; tally: Tally }>();
    for (const row of minutes) {
      const { functionId } = row;
      const at = beginning(resolution, row.at);
      addRow(getOrMake(sums, `${functionId} ${at}`, () => ({ functionId, at, tally: newTally() })).tally, row);
    }
    for (const { functionId, at, tally } of sums.values()) {
      const stored = store.find(resolution, functionId, at);
      if (stored) addRow(tally, stored);
      store.put(resolution, toRow(functionId, at, tally));
    }
  }

  #resolutionSince(sinceMs: number): Resolution {
    const age = this.#options.now() - sinceMs;
    return age <= SUMMARY_OF_MINUTES_MS ? "minutes" : age <= SUMMARY_OF_HOURS_MS ? "hours" : "days";
  }
}

/** When the minute, hour or day that `at` lies in begins. */
export function beginning(resolution: Resolution, at: number): number {
  return at - at % RESOLUTIONS[resolution];
}

function addRow(to: Tally, row: MetricRow): void {
  addCounts(to, row);
  addPacked(to.histogram, row.histogram);
}

function toRow(functionId: MetricRow["functionId"], at: number, { histogram, ...counts }: Tally): MetricRow {
  return { ...counts, functionId, at, histogram: packHistogram(histogram) };
}

function clear(tally: Tally): void {
  const { histogram } = tally;
  Object.assign(tally, { ...newCounts, histogram });
  histogram.fill(0);
}

const { histogram: _, ...newCounts } = newTally();

function getOrMake<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  let value = map.get(key);
  if (value === undefined) map.set(key, value = make());
  return value;
}
