// Implements the chain of audit entries and its verification. Each entry's MAC covers its fields and the MAC of the
// entry before; the head, which has its own MAC, names the last entry.

import { Buffer } from "node:buffer";
import type { DerivedKey } from "../../keyring/derived_key.ts";
import type { AuditRow } from "../../store/audit.ts";

/** Returns the HMAC of a text under the audit's key, in hexadecimal. */
export type Sign = (text: string) => string;

/** What the key is derived for; see docs/audit.md. */
export const AUDIT_KEY = "audit";

export function createSigner(key: DerivedKey): Sign {
  return (text) => Buffer.from(key.mac(text)).toString("hex");
}

/** The number of entries and the MAC of the last. A copy kept elsewhere shows whether the audit was ever rolled back. */
export interface AuditHead {
  readonly count: number;
  /** "" while there is no entry. */
  readonly mac: string;
}

/** Stands for the previous MAC where the chain restarted because its head was missing or altered; never a real MAC. */
export const BROKEN = "broken";

/** Returns the MAC of an entry. It covers JSON, in which no content can shift the boundary between two fields. */
export function macOf(row: Omit<AuditRow, "mac">, previous: string, sign: Sign): string {
  return sign(JSON.stringify([
    "audit entry",
    row.id,
    row.at,
    row.actorKind,
    row.actorId,
    row.actorName,
    row.actorGroup,
    row.address,
    row.requestId,
    row.action,
    row.subjectKind,
    row.subjectId,
    row.subjectName,
    row.before,
    row.after,
    previous,
  ]));
}

const headMac = ({ count, mac }: AuditHead, sign: Sign): string => sign(JSON.stringify(["audit head", count, mac]));

/** Returns the text that is stored for a head. */
export function sealHead(head: AuditHead, sign: Sign): string {
  return JSON.stringify({ count: head.count, mac: head.mac, seal: headMac(head, sign) });
}

/** Returns the head of a stored text, or undefined if `sealHead` did not make it with the same key. */
export function openHead(text: string, sign: Sign): AuditHead | undefined {
  let count: unknown, mac: unknown, seal: unknown;
  try {
    ({ count, mac, seal } = JSON.parse(text));
  } catch {
    return undefined;
  }
  if (typeof count !== "number" || typeof mac !== "string") return undefined;
  return seal === headMac({ count, mac }, sign) ? { count, mac } : undefined;
}

/** The first entry that is not as it was written, and why. */
export interface ChainProblem {
  readonly id: number;
  readonly problem: string;
}

export interface ChainToVerify {
  /** Iterates over the entries with an id of at least `from`, in order of id; may be called several times. */
  readonly entries: (from: number) => Iterable<AuditRow>;
  /** As stored. */
  readonly head: string | undefined;
  readonly sign: Sign;
  /** An earlier head that was kept elsewhere. */
  readonly known?: AuditHead | undefined;
  /** The first entry to verify; earlier ones are trusted. */
  readonly from?: number;
  readonly onEntry?: (done: number) => void;
}

/** Verifies every entry in order and returns the first problem, or undefined if there is none. */
export function verifyChain(chain: ChainToVerify): ChainProblem | undefined {
  const { entries, sign, known, from = 1 } = chain;
  let previous = macBefore(chain, from);
  let expected = from;
  // Includes entries that were inserted before the first.
  for (const row of entries(from === 1 ? Number.MIN_SAFE_INTEGER : from)) {
    if (row.id !== expected) return missing(expected, row.id - 1);
    const problem = problemOf(row, previous, chain);
    if (problem) return { id: row.id, problem };
    if (row.id === known?.count && row.mac !== known.mac) {
      return {
        id: row.id,
        problem: "is not the entry that the known head names: the audit was rolled back and then continued",
      };
    }
    previous = row.mac;
    expected++;
    chain.onEntry?.(row.id);
  }
  return problemOfEnd({ count: expected - 1, mac: previous }, chain.head, sign, known);
}

function macBefore({ entries }: ChainToVerify, from: number): string {
  if (from === 1) return "";
  for (const { id, mac } of entries(from - 1)) return id === from - 1 ? mac : "";
  return "";
}

function problemOf(row: AuditRow, previous: string, { entries, sign, from = 1 }: ChainToVerify): string | undefined {
  if (row.mac === macOf(row, previous, sign)) return undefined;
  if (row.mac === macOf(row, BROKEN, sign)) {
    // The entry that was written when the break was found.
    return row.id === from && from > 1
      ? undefined
      : "restarts the chain: the head was removed or altered before it was written";
  }
  const original = originalPlace(row, entries, sign);
  return original === undefined
    ? "is not as it was written: it was altered or inserted, or entries before it were removed"
    : `was written as entry ${original}: the order was changed`;
}

/** Returns the id with which this row's MAC is right, if entries only changed places. */
function originalPlace(row: AuditRow, entries: ChainToVerify["entries"], sign: Sign): number | undefined {
  let previous = "";
  for (const { id, mac } of entries(1)) {
    // Either its old predecessor is still in place, or the entry now in this row's place followed that predecessor.
    for (const before of [previous, mac]) {
      if (id !== row.id && row.mac === macOf({ ...row, id }, before, sign)) return id;
    }
    previous = mac;
  }
  return undefined;
}

function problemOfEnd(
  end: AuditHead,
  stored: string | undefined,
  sign: Sign,
  known: AuditHead | undefined,
): ChainProblem | undefined {
  const next = end.count + 1;
  if (stored === undefined) {
    return { id: next, problem: "cannot be checked: the head, which names the last entry, is missing" };
  }
  const head = openHead(stored, sign);
  if (!head) return { id: next, problem: "cannot be checked: the head, which names the last entry, was altered" };
  if (head.count > end.count) return missing(next, head.count);
  if (head.count < end.count) {
    return { id: head.count + 1, problem: "is after the last entry that the head names: the head was rolled back" };
  }
  if (head.mac !== end.mac) return { id: end.count, problem: "is not the entry that the head names as the last" };
  if (known && known.count > end.count) return missing(next, known.count);
  return undefined;
}

function missing(first: number, last: number): ChainProblem {
  if (last < first) return { id: last + 1, problem: "was inserted" };
  return { id: first, problem: last > first ? `is missing, as are all entries up to ${last}` : "is missing" };
}
