// Defines the log of changes, the one truth of a cluster: who writes holds its lock, and every node applies its entries
// in order. postgres_log.ts stores it in PostgreSQL; tests keep one in memory.

/** The state of the log after an entry. */
export interface Head {
  /** The number of that entry; 0 before the first. */
  readonly seq: number;
  /** Lower-case hexadecimal. */
  readonly mac: string;
}

/**
 * What an entry's body is, which decides who applies it:
 * - `change`: a changeset of SQLite's session extension over the replicated database;
 * - `migration`: the version of the schema that replaces the one before, and what that changed;
 * - `keyring`: the wrapped key file as of this entry;
 * - `purge`: contents of code that no node may keep.
 */
export type EntryKind = "change" | "migration" | "keyring" | "purge";

/** What a writer appends. */
export interface NewEntry {
  /** Random, from `newEntryId`: by it, a commit in doubt is looked up. */
  readonly id: string;
  readonly kind: EntryKind;
  /** At most `BODY_MAX_BYTES`. */
  readonly body: Uint8Array;
  /**
   * What changed, for operators who read the table: never a name that users chose, never a value. At most 200
   * characters of ASCII, all visible or spaces.
   */
  readonly summary: string;
}

export interface Entry extends NewEntry {
  /** From 1, without gaps. */
  readonly seq: number;
  /** MAC over all of the above and the MAC before; see entry.ts. Lower-case hexadecimal. */
  readonly mac: string;
}

/** Entries with larger bodies are refused: every node has to hold one in memory. */
export const BODY_MAX_BYTES = 64 * 1_024 * 1_024;

/** What a writer can do while it holds the lock. */
export interface LockedLog {
  /** The last entry, as PostgreSQL says: not to be trusted before the same entry was read and checked. */
  readonly head: Head;
  /**
   * Stores an entry after `after`, which is the caller's own head: the last entry that it has checked and applied, or
   * that this returned. It is committed when the work ends.
   * @throws LogTampered if `after` is not the head of the log; AppError PayloadTooLarge (413) if the body is too large
   */
  append(after: Head, entry: NewEntry): Promise<Entry>;
}

export type Announced = () => Entry | undefined;

export interface ChangeLog {
  /** Identifies the cluster. Random, public, and bound to each entry by the chain of MACs. */
  readonly cluster: string;
  /** The head of an empty log, to which the first entry is appended. */
  readonly start: Head;

  /**
   * Runs `work` while no other node, and no other call of this node, can append; commits and notifies all nodes when it
   * ends, and stores nothing if it throws. Once this has resolved, everything appended is durable.
   *
   * `work` should take less than two seconds, as every other writer waits for it. If it takes longer, nothing of it is
   * stored, and it runs once more with more time: it must be repeatable.
   * @throws StoreUnavailable within 5 s, plus the time that `work` takes; a commit in doubt is looked up before
   */
  exclusively<T>(work: (log: LockedLog) => Promise<T>): Promise<T>;

  /**
   * Returns the next entries after `after`, at most `limit` and some megabytes, each checked; none if `after` is the head.
   * Does not wait for the writers' lock, and may be called in `exclusively`.
   * @throws LogTampered naming the first entry that is altered, missing, moved or forged, or if the log ends before
   *   `after`; LogPruned if the next entry was removed because a snapshot contains it; StoreUnavailable
   */
  read(after: Head, limit: number): Promise<Entry[]>;

  /**
   * Returns the last entry, as PostgreSQL says. It is trusted after entries up to it were read.
   * @throws StoreUnavailable
   */
  head(): Promise<Head>;

  /**
   * Calls `listener` after entries were appended by any node, with the last one's sequence number; also after a
   * connection was restored, as notifications may have been lost. Several appends may cause one call. `announced` returns
   * that entry if it came along, which it does unless it is large. Anyone can have repeated it: see `follows`. Returns a
   * function that ends this.
   */
  onAppended(listener: (seq: number, announced?: Announced) => void): () => void;

  /** Reports whether an announced entry is the next one after `after`. */
  follows(after: Head, entry: Entry): boolean;

  /**
   * Returns the sequence number of the entry with this id, undefined if there is none and cannot be one later.
   * @throws StoreUnavailable
   */
  findById(id: string): Promise<number | undefined>;

  /** Ends all connections. Work in progress fails. */
  close(): Promise<void>;
}
