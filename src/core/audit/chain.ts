// How the entries of the audit hold together, and finding the first that does not: each entry's MAC covers its
// fields and the MAC of the entry before, and the head, with a MAC of its own, says which entry is the last.

import { Buffer } from "node:buffer";
import type { DerivedKey } from "../../keyring/derived_key.ts";
import type { AuditRow } from "../../store/audit.ts";

/** HMAC of a text under the audit's key, hexadecimal. */
export type Sign = (text: string) => string;

/** What the key is derived for; see docs/audit.md. */
export const AUDIT_KEY = "audit";

export function signer(key: DerivedKey): Sign {
  return (text) => Buffer.from(key.mac(text)).toString("hex");
}

/** How many entries there are, and the MAC of the last. Kept elsewhere, it tells if the audit was ever set back. */
export interface AuditHead {
  readonly count: number;
  /** "" while there is no entry. */
  readonly mac: string;
}

/** Where the chain had to begin anew, because its head was gone or altered: no entry's MAC is this. */
export const BROKEN = "broken";

/** JSON, as it keeps fields and their borders apart, whatever is in them. */
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

/** The text that is stored for a head. */
export function sealHead(head: AuditHead, sign: Sign): string {
  return JSON.stringify({ count: head.count, mac: head.mac, seal: headMac(head, sign) });
}

/** The head of a stored text, or undefined if it was not made by `sealHead` with the same key. */
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

/** What was found: the first entry that is not as it was written, and why. */
export interface ChainProblem {
  readonly id: number;
  readonly problem: string;
}

export interface ChainToVerify {
  /** Anew for each call: entries with an id of at least `from`, in order of id. */
  readonly entries: (from: number) => Iterable<AuditRow>;
  /** The stored text. */
  readonly head: string | undefined;
  readonly sign: Sign;
  /** Of an earlier moment, kept elsewhere. */
  readonly known?: AuditHead | undefined;
  /** Takes it and what is before it as given; 1 to verify all. */
  readonly from?: number;
  readonly onEntry?: (done: number) => void;
}

/** Looks at every entry in order; the first problem, or undefined if there is none. */
export function verifyChain(chain: ChainToVerify): ChainProblem | undefined {
  const { entries, sign, known, from = 1 } = chain;
  let previous = macBefore(chain, from);
  let expected = from;
  // Also what somebody may have put before the first.
  for (const row of entries(from === 1 ? Number.MIN_SAFE_INTEGER : from)) {
    if (row.id !== expected) return missing(expected, row.id - 1);
    const problem = problemOf(row, previous, chain);
    if (problem) return { id: row.id, problem };
    if (row.id === known?.count && row.mac !== known.mac) {
      return { id: row.id, problem: "is another than the known head names: the audit was set back and went on anew" };
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
    // An entry that says so itself, written when it was found.
    return row.id === from && from > 1
      ? undefined
      : "begins the chain anew: before it was written, the head was removed or altered";
  }
  const original = originalPlace(row, entries, sign);
  return original === undefined
    ? "is not what was written there: it was altered, put in, or moved up when others were removed"
    : `is what entry ${original} was: the order was changed`;
}

/** The id with which this row's MAC is right, if entries only changed places. */
function originalPlace(row: AuditRow, entries: ChainToVerify["entries"], sign: Sign): number | undefined {
  let previous = "";
  for (const { id, mac } of entries(1)) {
    // After its old neighbour; or that one is now where this row was.
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
    return { id: next, problem: "cannot be looked for: the head, which tells the last, is gone" };
  }
  const head = openHead(stored, sign);
  if (!head) return { id: next, problem: "cannot be looked for: the head, which tells the last, was altered" };
  if (head.count > end.count) return missing(next, head.count);
  if (head.count < end.count) {
    return { id: head.count + 1, problem: "is behind the end that the head tells: the head was put back" };
  }
  if (head.mac !== end.mac) return { id: end.count, problem: "is not the entry that the head names as the last" };
  if (known && known.count > end.count) return missing(next, known.count);
  return undefined;
}

function missing(first: number, last: number): ChainProblem {
  if (last < first) return { id: last + 1, problem: "was put in between" };
  return { id: first, problem: last > first ? `is missing, and so are those up to ${last}` : "is missing" };
}
