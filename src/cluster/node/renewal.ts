// Keeps a node's lease: renews it in time, says what the node has applied, and takes part again after it lapsed.

import { AppError } from "../../errors.ts";
import { EntryPending, StoreUnavailable } from "../log/errors.ts";
import { GONE_MS, LEASE_MS, type NodeLease } from "./lease.ts";
import type { NodeRow, NodeTable, RowMacs, StoredRow } from "./node_row.ts";

/** The copy of the log on this node. */
export interface Replica {
  /** The sequence number of the last entry that was applied. */
  readonly applied: number;
  /** Applies entries up to this number at least; returns at once if that is done. */
  catchUp(seq: number): Promise<void>;
  /** Calls `listener` after entries were applied, by this node's own append or not. Returns a function that ends this. */
  onApplied(listener: (seq: number, isOwn?: boolean) => void): () => void;
}

/** What a node says about itself that does not change while it runs. */
export type Identity = Pick<NodeRow, "id" | "instance" | "url" | "version" | "schema" | "startedAt">;

export interface RenewalOptions {
  readonly identity: Identity;
  readonly table: Pick<NodeTable, "list" | "renew" | "acknowledge" | "join">;
  readonly macs: RowMacs;
  readonly lease: NodeLease;
  readonly replica: Replica;
  /** Milliseconds of a clock that is never set. */
  readonly now: () => number;
  /** Resolves after `ms`, or when `until` resolves. */
  readonly pause: (ms: number, until: Promise<void>) => Promise<void>;
  /** Is called when the lease has begun, and when it was noticed that it has lapsed. */
  readonly onLease: (isLive: boolean) => void;
  /** Is called with why an attempt to renew or to begin the lease has failed, and without a reason when one has not. */
  readonly onAttempt?: (error: StoreUnavailable | undefined) => void;
  /** Is called once if the node must not serve any more: its row is not its own, or the log was tampered with. */
  readonly onFatal: (error: unknown) => void;
  /** Reports whether the node must not serve for now: it then gives up its lease, and takes none. */
  readonly isHeldBack?: () => boolean;
  /** @throws AppError if this program must not take part, for example because the schema is newer */
  readonly mayJoin?: () => void;
}

/** How often a lease is renewed. */
export const RENEWAL_MS = 500;
/**
 * How long an entry of this node's own waits to be acknowledged, together with later ones: only another node whose
 * change was refused because of it waits for that, while each acknowledgement costs all nodes as much as one of a change.
 */
const OWN_ACKNOWLEDGED_AFTER_MS = 50;
/** How long to wait after an attempt that failed. */
const RETRY_MS = 100;
/** A lease that was renewed this long ago is renewed before work that lets nothing else run. */
const FRESH_MS = 100;
/** How long such work waits for that at most. */
const REFRESH_MAX_MS = 500;
/** A node that has known of an entry for this long without applying it does not renew, so that no writer waits for it. */
const BEHIND_MAX_MS = 2_000;
/** Another process lives if its counter grows as often: a renewal of one that was killed may still be on its way. */
const SIGNS_OF_LIFE = 2;

export class Renewal {
  readonly #options: RenewalOptions;
  #row: NodeRow;
  /** The entries that are known and not applied: each number with when it became known. */
  #known: { readonly seq: number; readonly at: number }[] = [];
  #wake = Promise.withResolvers<void>();
  #attempted = Promise.withResolvers<void>();
  readonly #stopping = Promise.withResolvers<void>();
  /** The last entry of which the other nodes were notified that this one has applied it. */
  #acknowledged = 0;
  #isAcknowledging = false;
  #isAcknowledgmentDue = false;
  /** Whether this process has written the node's row. */
  #hasJoined = false;
  /** The last state of the row of another process that has taken part as this node, and since when it was seen. */
  #predecessor: { readonly mark: string; readonly since: number; readonly changes: number } | undefined;
  #wasLive = false;
  #stopped = false;
  #running: Promise<void> | undefined;
  readonly #stopListening: () => void;

  constructor(options: RenewalOptions) {
    this.#options = options;
    this.#row = { ...options.identity, counter: 0, applied: options.replica.applied, left: false };
    this.#stopListening = options.replica.onApplied((_, isOwn) => {
      if (isOwn) void this.#acknowledgeSoon();
      else void this.#acknowledge();
    });
  }

  /**
   * Takes part as soon as PostgreSQL answers, and renews the lease from then on. Resolves when it began, or after `stop`.
   * @throws what onFatal would be called with
   */
  async start(): Promise<void> {
    while (!this.#stopped && !await this.#join()) await this.#rest(false);
    this.#running = this.#run();
  }

  /** Records that the log has an entry with this number: not from a notification, as anyone who can connect can send one. */
  #learned(seq: number): void {
    this.#forgetApplied();
    const last = this.#known.at(-1)?.seq ?? this.#options.replica.applied;
    if (seq <= last) return;
    this.#known.push({ seq, at: this.#options.now() });
    // Of a long list, each second entry says nearly as much: that an entry is older than another.
    if (this.#known.length > 1_000) this.#known = this.#known.filter((_, index) => index % 2 === 0);
  }

  /** Renews the lease, if there is one and it was not renewed just now: before work that lets nothing else run for long. */
  async refresh(): Promise<void> {
    const { lease, pause } = this.#options;
    if (this.#stopped || !lease.isLive || lease.remainingMs > LEASE_MS - FRESH_MS) return;
    this.#wake.resolve();
    await pause(REFRESH_MAX_MS, this.#attempted.promise);
  }

  /** Ends the lease and says in the table that the node has left. */
  async stop(): Promise<void> {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#stopping.resolve();
    this.#wake.resolve();
    this.#stopListening();
    await this.#running;
    const { lease, table, macs, replica } = this.#options;
    lease.end();
    const row = { ...this.#row, counter: this.#row.counter + 1, applied: replica.applied, left: true };
    try {
      await table.renew(row, macs.of(row), true);
    } catch (error) {
      // The others notice within GONE_MS.
      if (!(error instanceof StoreUnavailable)) throw error;
    }
  }

  async #run(): Promise<void> {
    let isRenewed = true;
    while (true) {
      await this.#rest(isRenewed);
      if (this.#stopped) return;
      try {
        if (this.#options.lease.isLive) {
          isRenewed = await this.#renew();
        } else {
          this.#showLease();
          isRenewed = await this.#join();
        }
        this.#attempted.resolve();
        this.#attempted = Promise.withResolvers();
      } catch (error) {
        this.#options.lease.end();
        this.#options.onFatal(error);
        return;
      }
    }
  }

  /** Waits until it is time to renew or to try again, or until `refresh`. */
  async #rest(isRenewed: boolean): Promise<void> {
    if (this.#stopped) return;
    this.#wake = Promise.withResolvers();
    await this.#options.pause(isRenewed ? RENEWAL_MS : RETRY_MS, this.#wake.promise);
  }

  /** Notifies the writers that wait of what was applied. If that fails, the next renewal does. */
  async #acknowledge(): Promise<void> {
    if (this.#isAcknowledging) return;
    const { table, macs, replica, lease, onFatal } = this.#options;
    this.#isAcknowledging = true;
    try {
      while (this.#hasJoined && !this.#stopped && replica.applied > this.#acknowledged) {
        const row = { ...this.#row, applied: replica.applied };
        await table.acknowledge(row, macs.of(row));
        this.#acknowledged = Math.max(this.#acknowledged, row.applied);
      }
    } catch (error) {
      if (error instanceof StoreUnavailable) return;
      lease.end();
      onFatal(error);
    } finally {
      this.#isAcknowledging = false;
    }
  }

  async #acknowledgeSoon(): Promise<void> {
    if (this.#isAcknowledgmentDue) return;
    this.#isAcknowledgmentDue = true;
    await this.#options.pause(OWN_ACKNOWLEDGED_AFTER_MS, this.#stopping.promise);
    this.#isAcknowledgmentDue = false;
    await this.#acknowledge();
  }

  /** Returns whether the lease was extended. @throws errors other than StoreUnavailable */
  async #renew(): Promise<boolean> {
    const { table, macs, lease, replica, isHeldBack } = this.#options;
    if (isHeldBack?.()) {
      lease.end();
      return false;
    }
    if (this.#isBehind()) return false;
    const sent = lease.now();
    const row = { ...this.#row, counter: this.#row.counter + 1, applied: replica.applied };
    try {
      const head = await table.renew(row, macs.of(row), row.applied > this.#acknowledged);
      if (!head) {
        // Forgotten by an operator, or written by another process.
        lease.end();
        return false;
      }
      this.#row = row;
      this.#acknowledged = Math.max(this.#acknowledged, row.applied);
      this.#learned(head.seq);
      this.#catchUp(head.seq);
      this.#options.onAttempt?.(undefined);
      return lease.extend(sent);
    } catch (error) {
      // The row may have been stored all the same, so that the next one has a greater counter.
      this.#row = { ...this.#row, counter: row.counter };
      if (!(error instanceof StoreUnavailable)) throw error;
      this.#options.onAttempt?.(error);
      return false;
    }
  }

  /** Takes part, first or again. Returns whether the lease began. @throws AppError LogTampered, or by `mayJoin` */
  async #join(): Promise<boolean> {
    try {
      return await this.#tryJoin();
    } catch (error) {
      if (error instanceof StoreUnavailable) this.#options.onAttempt?.(error);
      else if (!(error instanceof EntryPending)) throw error;
      return false;
    }
  }

  async #tryJoin(): Promise<boolean> {
    const { table, macs, lease, replica, mayJoin, isHeldBack } = this.#options;
    if (isHeldBack?.()) return false;
    const before = await this.#rowBefore();
    mayJoin?.();
    if (before && this.#mayBeLive(before)) return false;
    const sent = lease.now();
    const row: NodeRow = {
      ...this.#row,
      counter: Math.max(this.#row.counter, before?.counter ?? 0) + 1,
      applied: replica.applied,
    };
    const head = await table.join(row, macs.of(row), before);
    if (!head) return false;
    this.#row = row;
    this.#acknowledged = row.applied;
    this.#hasJoined = true;
    this.#options.onAttempt?.(undefined);
    await replica.catchUp(head.seq);
    if (isHeldBack?.() || !lease.begin(sent)) return false;
    this.#showLease();
    return true;
  }

  /** Returns the row that this one replaces. @throws AppError if another process has the node's id */
  async #rowBefore(): Promise<StoredRow | undefined> {
    const { table, macs } = this.#options;
    const rows = await table.list();
    macs.check(rows);
    const before = rows.find(({ id }) => id === this.#row.id);
    if (before && this.#hasJoined && before.instance !== this.#row.instance) throw takenOver(this.#row.id);
    return before;
  }

  /**
   * Reports whether another process may still have a lease as this node: writers would no longer wait for it once this one
   * has written the row. @throws AppError if it renews its lease
   */
  #mayBeLive({ instance, counter, left, renewedMsAgo }: StoredRow): boolean {
    // The clock of PostgreSQL can only save the time to see that a process which was killed is gone.
    if (this.#hasJoined || left || instance === this.#row.instance || renewedMsAgo >= GONE_MS) return false;
    const [mark, now] = [`${instance} ${counter}`, this.#options.now()];
    const seen = this.#predecessor ?? { mark, since: now, changes: 0 };
    const isSame = seen.mark === mark;
    if (!isSame && seen.changes + 1 >= SIGNS_OF_LIFE) throw takenOver(this.#row.id);
    this.#predecessor = isSame ? seen : { mark, since: now, changes: seen.changes + 1 };
    return now - this.#predecessor.since < GONE_MS;
  }

  /** Lets the replica apply what is there. That it fails is seen as it falls behind, or reported by it. */
  #catchUp(seq: number): void {
    if (this.#options.replica.applied < seq) this.#options.replica.catchUp(seq).catch(() => {});
  }

  #isBehind(): boolean {
    this.#forgetApplied();
    const [oldest] = this.#known;
    return oldest !== undefined && this.#options.now() - oldest.at > BEHIND_MAX_MS;
  }

  #forgetApplied(): void {
    const { applied } = this.#options.replica;
    while (this.#known.length > 0 && this.#known[0]!.seq <= applied) this.#known.shift();
  }

  #showLease(): void {
    const { isLive } = this.#options.lease;
    if (isLive === this.#wasLive) return;
    this.#wasLive = isLive;
    this.#options.onLease(isLive);
  }
}

function takenOver(id: string): AppError {
  return new AppError(
    "NodeReplaced",
    503,
    `Another process takes part as node ${id}: a data folder may belong to one node only. If it was copied, start one ` +
      "of the nodes with an empty folder.",
  );
}
