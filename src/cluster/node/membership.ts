// Knows the nodes of the cluster and which of them are gone, and waits until all others have applied a change.

import { StoreUnavailable } from "../log/errors.ts";
import { GONE_MS } from "./lease.ts";
import type { NodeTable, RowMacs, RowsAtAppend, StoredRow } from "./node_row.ts";

/** A node as this one sees it. */
export interface NodeView extends StoredRow {
  /** Whether its lease may still run. */
  readonly isLive: boolean;
}

export interface MembershipOptions {
  readonly table: Pick<NodeTable, "list" | "onChanged" | "onAppend">;
  readonly macs: Pick<RowMacs, "check">;
  /** The id of this node, which this one never waits for. */
  readonly self: string;
  /** Milliseconds of a clock that is never set. */
  readonly now: () => number;
  /** Resolves after `ms`, or when `until` resolves. */
  readonly pause: (ms: number, until: Promise<void>) => Promise<void>;
  /** Is called with each list whose MACs are right. */
  readonly onList?: (nodes: readonly NodeView[]) => void;
  /** Is called when a row is not what its node has written. */
  readonly onTampered: (error: unknown) => void;
}

/** How often rows are read while nodes are waited for: a notification can get lost with its connection. */
const POLL_MS = 100;
/** How long a writer tries to read the rows before it answers that it does not know what became of the change. */
const UNREADABLE_MAX_MS = 4_000;

export class Membership {
  readonly #options: MembershipOptions;
  /** By node: the last state of its lease that was seen, and when it was seen first. */
  readonly #seen = new Map<string, { readonly mark: string; readonly since: number }>();
  #nodes: readonly NodeView[] = [];
  /** By process of a node: the last entry that it has applied, as it has said in a notification. */
  readonly #acknowledged = new Map<string, number>();
  #changed = Promise.withResolvers<void>();
  #reading: Promise<readonly NodeView[]> | undefined;
  #nextReading: Promise<readonly NodeView[]> | undefined;
  /** The nodes as of the last entry that this node has appended. */
  #atAppend: { readonly seq: number; readonly nodes: readonly NodeView[] } | undefined;
  readonly #stopListening: readonly (() => void)[];

  constructor(options: MembershipOptions) {
    this.#options = options;
    this.#stopListening = [
      options.table.onChanged((row) => {
        if (row) this.#acknowledge(row);
        this.#changed.resolve();
        this.#changed = Promise.withResolvers();
      }),
      options.table.onAppend((rows) => this.#takeAtAppend(rows)),
    ];
  }

  /** The nodes as they were read last, this one included, with what they have said since. */
  get nodes(): readonly NodeView[] {
    return this.#nodes.map((node) => {
      const applied = this.#acknowledged.get(processOf(node)) ?? 0;
      return applied > node.applied ? { ...node, applied } : node;
    });
  }

  /**
   * Reads the rows, after what was done before the call; calls that come while rows are read share the next reading.
   * A node is live until the same counter was seen for GONE_MS. This holds for a writer, too, although it
   * may have seen the counter before its commit, as long as it reads it once more afterwards: a lease that was renewed
   * meanwhile shows another counter, and one that lapsed begins again only with the head of the log.
   * @throws StoreUnavailable, AppError LogTampered
   */
  read(): Promise<readonly NodeView[]> {
    if (this.#nextReading) return this.#nextReading;
    if (this.#reading) {
      const next = this.#reading.then(() => {}, () => {}).then(() => {
        this.#nextReading = undefined;
        return this.#begin();
      });
      return this.#nextReading = next;
    }
    return this.#begin();
  }

  #begin(): Promise<readonly NodeView[]> {
    const reading = this.#readRows();
    this.#reading = reading;
    const ended = () => {
      if (this.#reading === reading) this.#reading = undefined;
    };
    reading.then(ended, ended);
    return reading;
  }

  async #readRows(): Promise<readonly NodeView[]> {
    const asked = this.#options.now();
    const rows = await this.#options.table.list();
    return this.#viewOf(rows, asked, this.#options.now());
  }

  /** @throws AppError LogTampered */
  #viewOf(rows: readonly StoredRow[], asked: number, answered: number): readonly NodeView[] {
    try {
      this.#options.macs.check(rows);
    } catch (error) {
      this.#options.onTampered(error);
      throw error;
    }
    for (const id of this.#seen.keys()) if (!rows.some((row) => row.id === id)) this.#seen.delete(id);
    for (const process of this.#acknowledged.keys()) {
      if (!rows.some((row) => processOf(row) === process)) this.#acknowledged.delete(process);
    }
    this.#nodes = rows.map((row) => ({ ...row, isLive: !row.left && !this.#isGone(row, asked, answered) }));
    this.#options.onList?.(this.#nodes);
    return this.#nodes;
  }

  /**
   * Rows that were read before a commit are as good as those afterwards, if that was with the lock: who has joined since, or
   * lets a lease begin again that had lapsed then, has waited for the lock and starts with the entry.
   */
  #takeAtAppend({ seq, rows, asked, answered }: RowsAtAppend): void {
    try {
      this.#atAppend = { seq, nodes: this.#viewOf(rows, asked, answered) };
    } catch {
      // It was reported. The next reading fails, too, unless the row was repaired.
    }
  }

  /**
   * Waits until every other live node has applied the entry `seq`, whose commit was answered before.
   * @throws StoreUnavailable with the outcome `unknown`, as then some node may not have applied what was stored
   */
  async applied(seq: number): Promise<void> {
    const { now, pause, self } = this.#options;
    let readable = now();
    let known = this.#atAppend && this.#atAppend.seq >= seq ? this.#atAppend.nodes : undefined;
    while (true) {
      // Before the rows are read, so that no notification of a later change of theirs is missed.
      let changed = this.#changed.promise;
      const nodes = known ?? await this.#readWithin(readable + UNREADABLE_MAX_MS - now());
      known = undefined;
      if (nodes) readable = now();
      else if (now() - readable >= UNREADABLE_MAX_MS) {
        throw new StoreUnavailable("the other nodes' rows cannot be read", "unknown");
      }
      const missing = nodes?.filter(({ id, isLive, applied }) => id !== self && isLive && applied < seq);
      const isApplied = () => missing?.every((node) => (this.#acknowledged.get(processOf(node)) ?? 0) >= seq);
      // Most changes need no second reading.
      const until = now() + POLL_MS;
      for (let left = POLL_MS; !isApplied() && left >= 1; left = until - now()) {
        await pause(left, changed);
        changed = this.#changed.promise;
      }
      if (isApplied()) return;
    }
  }

  /** Believes a node, and no one else, that it has applied an entry. An older notification says less than a later one. */
  #acknowledge(row: Omit<StoredRow, "renewedMsAgo">): void {
    if (row.id === this.#options.self) return;
    try {
      this.#options.macs.check([row]);
    } catch {
      // Anyone who can connect to the database can notify.
      return;
    }
    const process = processOf(row);
    this.#acknowledged.set(process, Math.max(row.applied, this.#acknowledged.get(process) ?? 0));
  }

  /** Returns undefined if the rows cannot be read, or not in this time. @throws AppError LogTampered */
  async #readWithin(ms: number): Promise<readonly NodeView[] | undefined> {
    let nodes: readonly NodeView[] | undefined;
    let failure: unknown;
    const read = this.read().then((rows) => {
      nodes = rows;
    }, (error) => {
      failure = error;
    });
    await this.#options.pause(Math.max(0, ms), read);
    if (failure !== undefined && !(failure instanceof StoreUnavailable)) throw failure;
    return nodes;
  }

  /** Ends the notifications. */
  close(): void {
    for (const stop of this.#stopListening) stop();
  }

  /** `asked` is before the row was read, `answered` afterwards. */
  #isGone({ id, instance, counter }: StoredRow, asked: number, answered: number): boolean {
    const mark = `${instance} ${counter}`;
    const seen = this.#seen.get(id);
    if (seen?.mark === mark) return asked - seen.since >= GONE_MS;
    this.#seen.set(id, { mark, since: answered });
    return false;
  }
}

/** A node that starts again, from an older copy of its folder perhaps, has applied what that process has. */
function processOf({ id, instance }: Pick<StoredRow, "id" | "instance">): string {
  return `${id} ${instance}`;
}
