// Counts calls in memory, writes the counts later, and reads them as summaries and series. Minutes are written as they
// pass, and added to hours and days when they are over.

import { DAY_MS } from "../time.ts";
import type { FunctionId, KeyId } from "../ids.ts";
import {
  ALL_FUNCTIONS,
  type FailingRow,
  type HourRow,
  keyIdOf,
  type KeySubject,
  keySubject,
  type MetricRow,
  type MetricStore,
  type Resolution,
  RESOLUTIONS,
  type Subject,
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

/** How long minutes are kept. A setting says how long hours and days are. */
const MINUTES_KEPT_MS = 2 * DAY_MS;
/** Summaries of longer periods are made from hours, then from days. */
const SUMMARY_OF_MINUTES_MS = RESOLUTIONS.hours;
const SUMMARY_OF_HOURS_MS = 2 * DAY_MS;
/** The busiest functions are ranked from coarser rows of at most 14 days, to bound the rows that are read. */
const RANKED_BY = { minutes: "hours", hours: "days", days: "days" } as const;
const RANKED_MS = 14 * DAY_MS;
const RANKING_KEPT_MS = 5_000;
/** Rows written at a time, between which requests are answered. */
const BATCH_ROWS = 100;
/** Calls that are counted together. */
const ENDED_MAX = 1_000;
/** Keys counted singly in a minute, to bound memory and rows; calls with others count for functions alone. */
const KEYS_PER_MINUTE_MAX = 1_000;

export interface MetricsOptions {
  readonly store: MetricStore;
  transaction<T>(work: () => T): T;
  readonly now: () => number;
  /** How long a count may wait to be written. */
  readonly delayMs: () => number;
  /** With 0, nothing is counted. */
  readonly retentionDays: () => number;
  /** Called at the start, to remove the rows of functions that were deleted. */
  readonly isFunction: (id: FunctionId) => boolean;
  /** Runs work that may fail with the loss of some counts, and without other effects. */
  readonly attempt: BestEffort;
}

/** A call that ended and is not in its tally yet. */
interface Ended {
  readonly tally: Tally;
  /** That of the key. */
  readonly keyTally: Tally | undefined;
  readonly outcome: Outcome;
  readonly durationMs: number;
}

/** One minute, hour or day of a series. */
export interface Point {
  readonly at: number;
  readonly tally: Tally;
}

/** The calls of an hour. */
export type HourCalls = Pick<HourRow, "calls" | "failures">;

/** The busiest of some kind. */
export interface Busiest<Id> {
  readonly listed: readonly (readonly [Id, Summary])[];
  /** Whether there are others. */
  readonly more: boolean;
}

export class Metrics {
  readonly #options: MetricsOptions;
  /** Counts of the current minute, not yet written, of functions and of keys. */
  #current = new Map<FunctionId, Tally>();
  #currentOfKeys = new Map<KeyId, Tally>();
  #minute = 0;
  /** Calls that are still to be added to tallies of the current minute. */
  #ended: Ended[] = [];
  /** Counts that wait to be written. */
  #waiting: { minute: number; subject: FunctionId | KeySubject; tally: Tally }[] = [];
  /** Since the start of the process. */
  readonly #totals = new Map<FunctionId, Tally>();
  /** Values that rights on trial would have refused, since the start of the process. */
  readonly trialRefusals = new Map<FunctionId, number>();
  /** Cleared tallies for reuse: new ones in each batch would keep the garbage collector busy. */
  readonly #spare: Tally[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Minutes before this one were added to their hours and days. */
  #rolledTo = 0;
  #trimmedAt = 0;
  readonly #rankings = new Map<string, { readonly at: number; readonly ids: readonly FunctionId[] }>();
  /** Functions deleted since the start, of which a call may yet end. */
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

  /** Counts a call at the end of its response. `keyId` is of the API key that it came with. */
  ended(functionId: FunctionId, outcome: Outcome, durationMs: number, keyId?: KeyId): void {
    if (!this.#isOn()) return;
    // May begin a new minute, and then counts the calls of the last one.
    const tally = this.#tallyOf(functionId);
    const keyTally = keyId === undefined ? undefined : this.#tallyOfKey(keyId);
    this.#ended.push({ tally, keyTally, outcome, durationMs });
    if (this.#ended.length >= ENDED_MAX) this.#count();
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

  /** Counts questions of a handler for secrets, with and without a value as answer. */
  secretsRead(functionId: FunctionId, questions: number, durationMs: number): void {
    if (!this.#isOn()) return;
    const tally = this.#tallyOf(functionId);
    tally.secretReads += questions;
    tally.secretReadUs += Math.round(durationMs * 1_000);
  }

  /** Counts a value that a call was given, and that the function's rights on trial would have refused. */
  refusedOnTrial(functionId: FunctionId): void {
    if (this.#isOn()) this.trialRefusals.set(functionId, (this.trialRefusals.get(functionId) ?? 0) + 1);
  }

  /** Returns the summary of one function, of one key or of all, since the beginning of the minute, hour or day of `sinceMs`. */
  summary(of: FunctionId | KeySubject | undefined, sinceMs: number): Summary {
    const resolution = this.#resolutionSince(sinceMs);
    const total = newTally();
    const from = beginning(resolution, sinceMs);
    this.#options.attempt(() => {
      for (const row of this.#rows(resolution, of, from, Infinity)) addRow(total, row);
    });
    return summarize(total);
  }

  /**
   * Returns the summaries of the `limit` functions, and of the `limit` API keys, with the most calls since `sinceMs`, the
   * busiest first. They are ranked by whole hours or days of the last 14 days at most.
   */
  busiest(sinceMs: number, limit: number): { functions: Busiest<FunctionId>; keys: Busiest<KeyId> } {
    this.flush();
    const { store, attempt, now } = this.#options;
    const coarse = RANKED_BY[this.#resolutionSince(sinceMs)];
    const from = beginning(coarse, Math.max(sinceMs, now() - RANKED_MS));
    const calls = new Map<FunctionId | KeySubject, number>();
    attempt(() => {
      // Hours and days of other nodes have what was counted until they passed them on.
      const minutes = store.ownCallsOfEach("minutes", Math.max(from, store.rolledTo()));
      for (const row of [...store.callsOfEach(coarse, from), ...minutes]) {
        const subject = row.functionId as FunctionId | KeySubject;
        calls.set(subject, (calls.get(subject) ?? 0) + row.calls);
      }
    });
    const of = <S extends FunctionId | KeySubject>(counted: readonly (readonly [S, number])[]) => ({
      listed: counted.toSorted(([, a], [, b]) => b - a).slice(0, limit)
        .map(([subject]): [S, Summary] => [subject, this.summary(subject, sinceMs)])
        .filter(([, summary]) => summary.calls > 0)
        .sort(([, a], [, b]) => b.calls - a.calls),
      more: counted.length > limit,
    });
    const all = [...calls];
    const keys = of(all.filter((entry): entry is [KeySubject, number] => !isFunctionId(entry[0])));
    return {
      functions: of(all.filter((entry): entry is [FunctionId, number] => isFunctionId(entry[0]))),
      keys: { ...keys, listed: keys.listed.map(([subject, summary]) => [keyIdOf(subject), summary]) },
    };
  }

  /** Returns how many calls a function had since `sinceMs`, an hour ago at most, and how many of them failed. */
  callsSince(functionId: FunctionId, sinceMs: number): { calls: number; errors: number } {
    this.flush();
    const { store, attempt } = this.#options;
    let counts = { calls: 0, errors: 0 };
    attempt(() => {
      const { calls, errors } = store.callsOf("minutes", functionId, beginning("minutes", sinceMs));
      counts = { calls, errors };
    });
    return counts;
  }

  /** Returns the summary of each of these functions since `sinceMs`, an hour ago at most. */
  summaries(ids: readonly FunctionId[], sinceMs: number): ReadonlyMap<FunctionId, Summary> {
    this.flush();
    const { store, attempt } = this.#options;
    const from = beginning("minutes", sinceMs);
    return new Map(ids.map((id) => {
      const total = newTally();
      attempt(() => {
        Object.assign(total, store.callsOf("minutes", id, from));
        if (total.calls === 0) return;
        for (const histogram of store.histogramsOf("minutes", id, from)) addPacked(total.histogram, histogram);
      });
      return [id, summarize(total)];
    }));
  }

  /** Returns the calls of each of these functions in each of the last hours, the current one included, by one query. */
  hoursOf(ids: readonly FunctionId[], hours: number): ReadonlyMap<FunctionId, readonly HourCalls[]> {
    this.flush();
    const { store, attempt, now } = this.#options;
    const from = beginning("hours", now()) - (hours - 1) * RESOLUTIONS.hours;
    const found = new Map(ids.map((id) => [id, Array.from({ length: hours }, () => ({ calls: 0, failures: 0 }))]));
    attempt(() => {
      for (const { functionId, at, ...calls } of store.hoursOf(ids, from, Math.max(from, store.rolledTo()))) {
        const index = (at - from) / RESOLUTIONS.hours;
        // The clock may have been set back.
        if (index < hours) found.get(functionId)![index] = calls;
      }
    });
    return found;
  }

  /**
   * Returns the functions with the most calls, or the most failed ones, since `sinceMs`, an hour ago at most. Those
   * without any are left out. Computed every few seconds at most: it reads a row for each minute of each function.
   */
  ranking(by: "calls" | "failures", sinceMs: number): readonly FunctionId[] {
    const { store, now } = this.#options;
    const known = this.#rankings.get(by);
    if (known && Math.abs(now() - known.at) < RANKING_KEPT_MS) return known.ids;
    const from = beginning("minutes", sinceMs);
    let ids: FunctionId[] = [];
    if (by === "failures") ids = this.failing(sinceMs, Number.MAX_SAFE_INTEGER).map(({ functionId }) => functionId);
    else {
      this.flush();
      this.#options.attempt(() => {
        const subjects = store.callsOfEach("minutes", from).sort((a, b) => b.calls - a.calls)
          .map(({ functionId }) => functionId as FunctionId | KeySubject);
        ids = subjects.filter(isFunctionId);
      });
    }
    this.#rankings.set(by, { at: now(), ids });
    return ids;
  }

  /** Returns the functions whose calls failed or timed out since `sinceMs`, an hour ago at most, the worst first. */
  failing(sinceMs: number, limit: number): FailingRow[] {
    this.flush();
    const { store, attempt } = this.#options;
    let rows: FailingRow[] = [];
    attempt(() => rows = store.failing("minutes", beginning("minutes", sinceMs), limit));
    return rows;
  }

  /** Returns the points that have counts, in order, from `from`, the beginning of a point, up to and excluding `to`. */
  points(resolution: Resolution, of: FunctionId | KeySubject | undefined, from: number, to: number): Point[] {
    const points = new Map<number, Tally>();
    for (const row of this.#rows(resolution, of, from, to)) {
      addRow(getOrMake(points, beginning(resolution, row.at), newTally), row);
    }
    return [...points].map(([at, tally]) => ({ at, tally })).sort((a, b) => a.at - b.at);
  }

  /** Returns the rows of these periods; of those that are not over, the rows of their minutes. */
  #rows(resolution: Resolution, of: FunctionId | KeySubject | undefined, from: number, to: number): MetricRow[] {
    this.flush();
    const { store } = this.#options;
    const id = of ?? ALL_FUNCTIONS;
    const end = Math.min(to, Number.MAX_SAFE_INTEGER);
    const whole = store.list(resolution, id, from, end);
    if (resolution === "minutes") return whole;
    return [...whole, ...store.listOwn("minutes", id, Math.max(from, store.rolledTo()), end)];
  }

  /** Returns tallies by function since the start of the process, for a collector that computes rates itself. */
  totals(): ReadonlyMap<FunctionId, Readonly<Tally>> {
    this.flush();
    return this.#totals;
  }

  /** Removes the counts of a function that was deleted. */
  forget(functionId: FunctionId): void {
    const { store, transaction, attempt } = this.#options;
    this.flush();
    this.#forgotten.add(functionId);
    this.#totals.delete(functionId);
    this.trialRefusals.delete(functionId);
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

  /** To be called after `#tallyOf`, which begins the minute. Undefined if too many keys were used in it. */
  #tallyOfKey(keyId: KeyId): Tally | undefined {
    const known = this.#currentOfKeys.get(keyId);
    if (known || this.#currentOfKeys.size >= KEYS_PER_MINUTE_MAX) return known;
    const tally = this.#spare.pop() ?? newTally();
    this.#currentOfKeys.set(keyId, tally);
    return tally;
  }

  #tallyOf(functionId: FunctionId): Tally {
    // A minute that was added to its hour gets no more counts, even if the clock is set back.
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

  #count(): void {
    for (const { tally, keyTally, outcome, durationMs } of this.#ended) {
      countCall(tally, outcome, durationMs);
      if (keyTally) countCall(keyTally, outcome, durationMs);
    }
    this.#ended = [];
  }

  /** Closes the current minute, whose counts then wait to be written. */
  #close(): void {
    this.#count();
    const minute = this.#minute;
    for (const [subject, tally] of this.#current) this.#waiting.push({ minute, subject, tally });
    for (const [id, tally] of this.#currentOfKeys) this.#waiting.push({ minute, subject: keySubject(id), tally });
    this.#current.clear();
    this.#currentOfKeys.clear();
  }

  /** Writes one batch after the other, and lets requests be answered in between. */
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
    const write = (subject: Subject, at: number, tally: Tally) => {
      const stored = store.find("minutes", subject, at);
      if (stored) addRow(tally, stored);
      store.put("minutes", toRow(subject, at, tally));
    };
    for (const { minute, subject, tally } of batch) {
      if (!isFunctionId(subject)) continue;
      addTally(getOrMake(all, minute, newTally), tally);
      if (!this.#forgotten.has(subject)) addTally(getOrMake(this.#totals, subject, newTally), tally);
    }
    attempt(() =>
      transaction(() => {
        for (const { minute, subject, tally } of batch) {
          if (!isFunctionId(subject) || !this.#forgotten.has(subject)) write(subject, minute, tally);
        }
        for (const [minute, tally] of all) write(ALL_FUNCTIONS, minute, tally);
      })
    );
    for (const { tally } of batch) {
      clear(tally);
      this.#spare.push(tally);
    }
  }

  /** Adds each minute that is over to its hour and day, and once an hour removes old rows. */
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

  /** Adds minutes to hours and days, in one transaction with the mark of progress, so that each minute counts once. */
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
    const sums = new Map<string, { functionId: Subject; at: number; tally: Tally }>();
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

/** Returns when the minute, hour or day of `at` begins. */
export function beginning(resolution: Resolution, at: number): number {
  return at - at % RESOLUTIONS[resolution];
}

function addRow(to: Tally, row: MetricRow): void {
  addCounts(to, row);
  addPacked(to.histogram, row.histogram);
}

function isFunctionId(subject: FunctionId | KeySubject): subject is FunctionId {
  return subject > 0;
}

function toRow(functionId: Subject, at: number, { histogram, ...counts }: Tally): MetricRow {
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
