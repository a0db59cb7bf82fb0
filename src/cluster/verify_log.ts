// Checks everything that PostgreSQL keeps of the log, and finds what a new node starts from.

import type { ChangeLog, Head } from "./log/change_log.ts";
import { LogPruned, LogTampered } from "./log/errors.ts";
import type { SnapshotInfo, Snapshots } from "./postgres/snapshots.ts";

export interface Verified {
  /** The last entry. Kept elsewhere, it shows later whether an older state was put back. */
  readonly head: Head;
  /** The number of entries that are kept and were checked. */
  readonly entries: number;
  readonly snapshots: number;
  /** Whether the expected head is older than what is kept, so that it could not be compared. */
  readonly isExpectedGone: boolean;
}

export interface VerifyOptions {
  /** A head that was kept elsewhere: the log must contain this entry. */
  readonly expected?: Head;
  /** Is called with the number of entries that were checked. */
  readonly onProgress?: (entries: number) => void;
}

const ENTRIES_AT_ONCE = 1_000;

/**
 * Checks all entries and snapshots.
 * @throws LogTampered naming the first entry or snapshot that is wrong; StoreUnavailable
 */
export async function verifyLog(
  log: ChangeLog,
  snapshots: Pick<Snapshots, "list" | "check">,
  { expected, onProgress = () => {} }: VerifyOptions = {},
): Promise<Verified> {
  const all = await snapshots.list();
  const known = new Map(all.map(({ head }) => [head.seq, head.mac]));
  if (expected) {
    const mac = known.get(expected.seq) ?? (expected.seq === 0 ? log.start.mac : expected.mac);
    if (mac !== expected.mac) throw differs(expected.seq);
    known.set(expected.seq, expected.mac);
  }
  const first = await firstHead(log, all);
  let [last, entries] = [first, 0];
  for (;;) {
    const next = await log.read(last, ENTRIES_AT_ONCE);
    if (next.length === 0) break;
    for (const { seq, mac } of next) {
      if (known.has(seq) && known.get(seq) !== mac) throw differs(seq);
    }
    last = { seq: next.at(-1)!.seq, mac: next.at(-1)!.mac };
    entries += next.length;
    onProgress(entries);
  }
  const missing = [...known.keys()].find((seq) => seq > last.seq);
  if (missing !== undefined) {
    throw new LogTampered(last.seq + 1, `is missing: the log ends before it, though entry ${missing} existed`);
  }
  for (const snapshot of all) await snapshots.check(snapshot);
  const isExpectedGone = expected !== undefined && expected.seq < first.seq;
  return { head: last, entries, snapshots: all.length, isExpectedGone };
}

/**
 * Returns the snapshot that a node without data starts from; undefined if it starts from the first entry.
 * @throws LogTampered if neither the log nor a snapshot has all changes; StoreUnavailable
 */
export async function findStart(log: ChangeLog, snapshots: Pick<Snapshots, "list">): Promise<SnapshotInfo | undefined> {
  const newest = (await snapshots.list()).at(0);
  await readOne(log, newest?.head ?? log.start);
  return newest;
}

/**
 * Returns the snapshot that a node has to start from again which has applied `head`: entries that it lacks were removed.
 * Undefined if the log continues after `head`.
 * @throws as `findStart`
 */
export async function findRestart(
  log: ChangeLog,
  snapshots: Pick<Snapshots, "list">,
  head: Head,
): Promise<SnapshotInfo | undefined> {
  try {
    await log.read(head, 1);
    return undefined;
  } catch (error) {
    if (!(error instanceof LogPruned)) throw error;
    const start = await findStart(log, snapshots);
    if (!start || start.head.seq <= head.seq) throw gap(error);
    return start;
  }
}

/** Returns the head before the first entry that is kept. */
async function firstHead(log: ChangeLog, snapshots: readonly SnapshotInfo[]): Promise<Head> {
  const heads = [log.start, ...snapshots.map(({ head }) => head).reverse()];
  for (const head of heads) {
    try {
      await log.read(head, 1);
      return head;
    } catch (error) {
      if (!(error instanceof LogPruned)) throw error;
      if (head === heads.at(-1)) throw gap(error);
    }
  }
  throw new Error("unreachable: the loop ends with its last head");
}

async function readOne(log: ChangeLog, head: Head): Promise<void> {
  try {
    await log.read(head, 1);
  } catch (error) {
    throw error instanceof LogPruned ? gap(error) : error;
  }
}

function gap({ after, first }: LogPruned): LogTampered {
  return new LogTampered(after + 1, `is missing, as are all up to entry ${first - 1}, and no snapshot contains them`);
}

function differs(seq: number): LogTampered {
  return new LogTampered(seq, "is another one than the entry with this number that was there before");
}
