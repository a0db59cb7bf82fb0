// Implements the chain of MACs over the log of changes: each entry's MAC covers its sequence number, all that it holds, and
// the MAC before. Who can write to PostgreSQL but has no keyring can therefore not forge, alter, reorder or drop an entry
// before one that a node has applied.

import { randomUUID, timingSafeEqual } from "node:crypto";
import type { DerivedKey } from "../../keyring/derived_key.ts";
import type { Keyring } from "../../keyring/keyring.ts";
import { sha256Of } from "../../sha256.ts";
import { Announcements } from "./announcement.ts";
import type { Entry, Head, NewEntry } from "./change_log.ts";
import { LogTampered } from "./errors.ts";

const ID = /^[0-9a-f-]{36}$/;
const SUMMARY = /^[\x20-\x7e]{0,200}$/;

/** Returns the id for an entry that is to be appended. */
export function newEntryId(): string {
  return randomUUID();
}

/** The chain of one cluster. */
export interface Chain {
  readonly cluster: string;
  /** The head of an empty log, from which entries of another cluster do not follow. */
  readonly start: Head;
  readonly announcements: Announcements;
  /** Returns `entry` as it is stored after `after`. */
  append(after: Head, entry: NewEntry): Entry;
  /**
   * Returns the head after `entry`, provided that it was appended after `after`.
   * @throws LogTampered naming the entry that should follow
   */
  check(after: Head, entry: Entry): Head;
  /** Reports whether `check` would accept the entry. */
  follows(after: Head, entry: Entry): boolean;
  /**
   * Checks that `head`, as PostgreSQL says, is the `known` one.
   * @throws LogTampered
   */
  confirm(known: Head, head: Head): void;
}

/** Returns the chain of the cluster with this id, under a key that no rotation changes. */
export function createChain(keyring: Keyring, cluster: string): Chain {
  const key = keyring.derive("cluster log");
  const start: Head = { seq: 0, mac: key.hexMac(JSON.stringify(["start", cluster])) };
  return {
    cluster,
    start,
    announcements: new Announcements(keyring.derive("cluster announcements"), cluster),

    append(after, entry) {
      if (!ID.test(entry.id)) throw new Error("an entry has no id by newEntryId");
      if (!SUMMARY.test(entry.summary)) throw new Error("the summary of an entry is longer than a line of ASCII");
      const seq = after.seq + 1;
      return { ...entry, seq, mac: macOf(key, after.mac, seq, entry) };
    },

    check(after, entry) {
      const seq = after.seq + 1;
      if (entry.seq !== seq) {
        throw new LogTampered(seq, `is missing or was moved: entry ${entry.seq} follows entry ${after.seq}`);
      }
      if (!isEqual(entry.mac, macOf(key, after.mac, seq, entry))) {
        throw new LogTampered(seq, "does not match its MAC: it was altered, forged, moved, or an entry before it was");
      }
      return { seq, mac: entry.mac };
    },

    follows: (after, entry) =>
      entry.seq === after.seq + 1 && isEqual(entry.mac, macOf(key, after.mac, entry.seq, entry)),

    confirm(known, head) {
      if (head.seq < known.seq) {
        throw new LogTampered(
          head.seq + 1,
          `is missing: PostgreSQL's log ends with entry ${head.seq}, but this node has applied entry ${known.seq}. ` +
            "An older state was restored, or a standby without the last changes was promoted",
        );
      }
      if (head.seq === known.seq && !isEqual(head.mac, known.mac)) {
        throw new LogTampered(head.seq, "is another one than the entry with this number that this node has applied");
      }
    },
  };
}

/** The text is JSON, so that no part can pass for another. A body can be large, so its hash stands for it. */
function macOf(key: DerivedKey, before: string, seq: number, { id, kind, body, summary }: NewEntry): string {
  return key.hexMac(JSON.stringify(["entry", before, seq, id, kind, sha256Of(body), summary]));
}

/** `stored` is any text. */
function isEqual(stored: string, mac: string): boolean {
  const [a, b] = [new TextEncoder().encode(stored), new TextEncoder().encode(mac)];
  return a.length === b.length && timingSafeEqual(a, b);
}
