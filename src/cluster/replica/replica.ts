// Keeps this node's database the copy that the log of changes describes: applies entries in their order, each once, and
// says up to which one everything on this node follows them.

import type { Replication } from "../../store/replication.ts";
import type { MetaStore } from "../../store/settings.ts";
import { storageProblem } from "../../store/storage_error.ts";
import type { Announced, ChangeLog, Entry, Head } from "../log/change_log.ts";
import { EntryPending, LogTampered, StoreUnavailable } from "../log/errors.ts";
import { AppError, messageOf } from "../../errors.ts";

export interface ReplicaOptions {
  readonly log: Pick<ChangeLog, "start" | "read" | "onAppended" | "follows">;
  readonly replication: Replication;
  readonly meta: Pick<MetaStore, "get" | "put">;
  /**
   * Applies an entry that is no change of rows; when this returns, that is durable. Called again for the same entry if
   * the node ends at once.
   */
  readonly applyOther: (entry: Entry) => void;
  /**
   * Prepares what an entry of another node changes outside of the database, before it is applied.
   * @throws any error, after which the entry is tried again later
   */
  readonly prepare?: ((entry: Entry) => Promise<Prepared | undefined>) | undefined;
  /**
   * Resolves when nothing on this node uses any more what was read before the entries that were just applied, such as
   * answers that sandboxes got ahead.
   */
  readonly settle: () => Promise<void>;
  /** Is awaited before an entry is applied that takes long, in which nothing else can run. */
  readonly beforeLong?: (() => Promise<void>) | undefined;
  /** Is called once, with the reason why this node can apply nothing more: it must not serve any more. */
  readonly onFatal: (error: AppError) => void;
}

/** What waits to be done together with an entry. Disposing of it removes what was not done. */
export interface Prepared extends AsyncDisposable {
  apply(): void;
}

/** `isOwn`: whether this node has appended that entry. */
export type AppliedListener = (seq: number, isOwn: boolean) => void;

/** Name of the last applied entry in the table `meta`; the same on all nodes that have applied it. */
export const HEAD_META = "cluster-head";
/** Applying this many bytes takes about a quarter of a second, and more on a busy machine. */
const LONG_BYTES = 256 * 1_024;
/** Entries that are read at a time. */
const BATCH = 200;
/** Entries that were announced and wait for those before them. */
const ANNOUNCED_MAX = 100;
/** How often the log is looked at without a notification. */
const POLL_MS = 1_000;

/** The rows of this node are not those of the others; the message says why. */
export class ReplicaDiverged extends AppError {
  constructor(seq: number, why: string) {
    super(
      "ReplicaDiverged",
      503,
      `Entry ${seq} of the log of changes does not fit this node: ${why}. Restart it with an empty data folder.`,
    );
  }
}

export class Replica {
  readonly #options: ReplicaOptions;
  #head: Head;
  /** The last entry that everything on this node follows. */
  #settled: number;
  #settling: Promise<void> = Promise.resolve();
  #reading: Promise<number> | undefined;
  readonly #listeners = new Set<AppliedListener>();
  /** By their numbers; none is checked yet. */
  readonly #announced = new Map<number, Announced>();
  /** What follows this node's own entries, by their ids. */
  readonly #expected = new Map<string, () => void>();
  #failure: AppError | undefined;
  #stopListening: (() => void) | undefined;
  #isStopped = false;
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(options: ReplicaOptions) {
    this.#options = options;
    this.#head = storedHead(options.meta) ?? options.log.start;
    this.#settled = this.#head.seq;
  }

  /** The last entry that was applied to the database. */
  get head(): Head {
    return this.#head;
  }

  /** The number of the last entry that everything on this node follows. */
  get applied(): number {
    return this.#settled;
  }

  /** Calls `listener` when everything follows more entries. Returns a function that ends this. */
  onApplied(listener: AppliedListener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Applies entries as they are appended, until `stop`. */
  start(): void {
    const follow = () => void this.follow().catch(() => {});
    this.#stopListening = this.#options.log.onAppended((seq, announced) => {
      if (seq <= this.#head.seq) return;
      if (this.#announced.size >= ANNOUNCED_MAX) this.#announced.clear();
      if (announced) this.#announced.set(seq, announced);
      void this.#followTo(seq).catch(() => {});
    });
    this.#timer = setInterval(follow, POLL_MS);
    Deno.unrefTimer(this.#timer);
    follow();
  }

  async stop(): Promise<void> {
    this.#stopListening?.();
    clearInterval(this.#timer);
    this.#isStopped = true;
    while (this.#reading) await this.#reading.catch(() => {});
    await this.#settling;
  }

  /** Applies all entries that there are now. @throws StoreUnavailable, and what makes this node useless */
  async follow(): Promise<void> {
    // That one may have read before what is new was appended.
    await this.#reading;
    while (await this.#applyBatch() > 0);
    await this.#settling;
  }

  /** Applies entries up to this number, as far as they are there: anyone can notify of any. */
  async #followTo(seq: number): Promise<void> {
    while (this.#head.seq < seq) {
      // That one may have read before the entry was appended.
      if (this.#reading) await this.#reading;
      else if (await this.#applyBatch() === 0) return;
    }
  }

  /**
   * Applies entries up to this number at least, and waits until everything follows them; returns at once if that is done.
   * @throws StoreUnavailable, EntryPending, LogTampered, LogPruned, ReplicaDiverged
   */
  async catchUp(seq: number): Promise<void> {
    await this.applyUpTo(seq);
    while (this.#settled < seq) await this.#settling;
  }

  /** The same for the database alone. */
  async applyUpTo(seq: number): Promise<void> {
    this.requireSound();
    while (this.#head.seq < seq) {
      // That one may have read before the entry was appended.
      if (this.#reading) {
        await this.#reading;
        continue;
      }
      if (await this.#applyBatch() > 0 || this.#head.seq >= seq) continue;
      throw this.#fail(new LogTampered(this.#head.seq + 1, `is missing, although entry ${seq} was appended`));
    }
  }

  /** Calls `follow` right after the entry with this id was applied here, before anything else runs. */
  expect(id: string, follow: () => void): void {
    this.#expected.set(id, follow);
  }

  forget(id: string): void {
    this.#expected.delete(id);
  }

  /** To be awaited before `applyOwn`. */
  async beforeApplying({ body }: Entry): Promise<void> {
    if (body.length >= LONG_BYTES) await this.#options.beforeLong?.();
  }

  /** Applies an entry that this node has appended, unless that is done. */
  applyOwn(entry: Entry): void {
    if (entry.seq <= this.#head.seq) return;
    this.#apply(entry);
    this.#settle(true);
  }

  /** @throws the reason why this node applies nothing more */
  requireSound(): void {
    if (this.#failure) throw this.#failure;
  }

  /** Reads the next entries, unless the next one was announced, and applies them; returns how many there were. */
  #applyBatch(): Promise<number> {
    return this.#reading ??= this.#readAndApply().finally(() => this.#reading = undefined);
  }

  async #readAndApply(): Promise<number> {
    this.requireSound();
    if (this.#isStopped) throw new StoreUnavailable("this node is stopping");
    const announced = this.#takeAnnounced();
    if (announced) {
      await this.#prepareAndApply(announced);
      return 1;
    }
    let entries: Entry[];
    try {
      entries = await this.#options.log.read(this.#head, BATCH);
    } catch (error) {
      throw error instanceof StoreUnavailable ? error : this.#fail(error);
    }
    for (const entry of entries) await this.#prepareAndApply(entry);
    return entries.length;
  }

  /** Returns the next entry if it was announced. One that does not follow is read, which shows what is wrong, if anything. */
  #takeAnnounced(): Entry | undefined {
    const { seq } = this.#head;
    const entry = this.#announced.get(seq + 1)?.();
    for (const known of this.#announced.keys()) if (known <= seq + 1) this.#announced.delete(known);
    return entry && this.#options.log.follows(this.#head, entry) ? entry : undefined;
  }

  async #prepareAndApply(entry: Entry): Promise<void> {
    // Own entries may have been applied while these were read, or are while this one is prepared.
    const isNext = () => entry.seq === this.#head.seq + 1;
    if (!isNext()) return;
    const isOwn = this.#expected.has(entry.id);
    // What else an own entry changes is done by what this node expects.
    await using prepared = isOwn ? undefined : await this.#prepare(entry);
    await this.beforeApplying(entry);
    if (!isNext()) return;
    this.#apply(entry);
    try {
      prepared?.apply();
    } finally {
      // Before anything is awaited: `catchUp` relies on it.
      this.#settle(isOwn);
    }
  }

  async #prepare(entry: Entry): Promise<Prepared | undefined> {
    try {
      return await this.#options.prepare?.(entry);
    } catch (error) {
      throw EntryPending.of(entry.seq, error);
    }
  }

  #apply(entry: Entry): void {
    this.requireSound();
    const { replication, meta, applyOther } = this.#options;
    const head = { seq: entry.seq, mac: entry.mac };
    try {
      if (entry.kind !== "change") applyOther(entry);
      const body = entry.kind === "change" ? entry.body : new Uint8Array();
      replication.apply(body, () => meta.put(HEAD_META, JSON.stringify(head)));
    } catch (error) {
      if (storageProblem(error)) throw EntryPending.of(entry.seq, error);
      throw this.#fail(error instanceof AppError ? error : new ReplicaDiverged(entry.seq, messageOf(error)));
    }
    this.#head = head;
    const follow = this.#expected.get(entry.id);
    this.#expected.delete(entry.id);
    follow?.();
  }

  #settle(isOwn: boolean): void {
    const { seq } = this.#head;
    const settled = this.#options.settle().then(() => {
      if (seq <= this.#settled) return;
      this.#settled = seq;
      for (const listener of this.#listeners) listener(seq, isOwn);
    });
    this.#settling = Promise.all([this.#settling, settled]).then(() => {});
  }

  /** Keeps the first reason, and reports it. */
  #fail(error: unknown): AppError {
    if (this.#failure) return this.#failure;
    const failure = error instanceof AppError ? error : new ReplicaDiverged(this.#head.seq + 1, messageOf(error));
    this.#failure = failure;
    this.#options.onFatal(failure);
    return failure;
  }
}

function storedHead(meta: Pick<MetaStore, "get">): Head | undefined {
  const stored = meta.get(HEAD_META);
  return stored === undefined ? undefined : JSON.parse(stored) as Head;
}
