// The audit as lines of JSON, an entry each and its head at last: how they are written, and how they are read back
// to be verified. A line that is not exactly as it was written counts as altered.

import type { AuditRow } from "../../store/audit.ts";

/** An entry as it is shown and exported. */
export interface AuditEntry {
  id: number;
  at: string;
  actor: { kind: string; id: number | null; name: string | null; group: string | null };
  address: string | null;
  requestId: string | null;
  action: string;
  subject: { kind: string; id: number | null; name: string };
  before: Record<string, unknown> | null;
  after: Record<string, unknown> | null;
  mac: string;
}

export function auditEntry(row: AuditRow): AuditEntry {
  return {
    id: row.id,
    at: new Date(row.at).toISOString(),
    actor: { kind: row.actorKind, id: idOf(row.actorId), name: row.actorName, group: row.actorGroup },
    address: row.address,
    requestId: row.requestId,
    action: row.action,
    subject: { kind: row.subjectKind, id: idOf(row.subjectId), name: row.subjectName },
    before: factsOf(row.before),
    after: factsOf(row.after),
    mac: row.mac,
  };
}

export function exportLine(row: AuditRow): string {
  return JSON.stringify(auditEntry(row));
}

/** `stored` as it is in the database. */
export function exportHead(stored: string): string {
  return JSON.stringify({ head: JSON.parse(stored) });
}

/** What `verifyChain` takes, read from `lines`, which gives them anew each time. Line 5 is to be entry 5. */
export function readExport(lines: () => Iterable<string>) {
  let head: string | undefined;
  let total = 0;
  for (const line of lines()) {
    head = headOf(line);
    total++;
  }
  const last = head === undefined ? total : total - 1;
  return {
    head,
    *entries(from: number): Generator<AuditRow> {
      let number = 0;
      for (const line of lines()) {
        if (++number > last) return;
        // With no MAC, it is what was altered.
        if (number >= from) yield rowOf(line) ?? { ...NO_ENTRY, id: number };
      }
    },
    /** The first line that holds the entry with this id. */
    lineOf(id: number): number | undefined {
      let number = 0;
      for (const line of lines()) {
        number++;
        if (rowOf(line)?.id === id) return number;
      }
      return undefined;
    },
  };
}

const NO_ENTRY: Omit<AuditRow, "id"> = {
  at: 0,
  actorKind: "",
  actorId: null,
  actorName: null,
  actorGroup: null,
  address: null,
  requestId: null,
  action: "",
  subjectKind: "",
  subjectId: null,
  subjectName: "",
  before: null,
  after: null,
  mac: "",
};

/** The row of a line, or undefined if it is not what `exportLine` makes of one. */
function rowOf(line: string): AuditRow | undefined {
  try {
    const { actor, subject, before, after, ...rest } = JSON.parse(line) as AuditEntry;
    const text = (value: unknown) => value === null ? null : JSON.stringify(value);
    const row: AuditRow = {
      id: rest.id,
      at: Date.parse(rest.at),
      actorKind: actor.kind,
      actorId: actor.id === null ? null : String(actor.id),
      actorName: actor.name,
      actorGroup: actor.group,
      address: rest.address,
      requestId: rest.requestId,
      action: rest.action,
      subjectKind: subject.kind,
      subjectId: subject.id === null ? null : String(subject.id),
      subjectName: subject.name,
      before: text(before),
      after: text(after),
      mac: rest.mac,
    };
    return exportLine(row) === line ? row : undefined;
  } catch {
    return undefined;
  }
}

function headOf(line: string): string | undefined {
  try {
    const { head } = JSON.parse(line);
    return head === undefined ? undefined : JSON.stringify(head);
  } catch {
    return undefined;
  }
}

/** Null, too, for what is no id: somebody tampered with it, as `audit verify` says. */
function idOf(id: string | null): number | null {
  return id !== null && /^[1-9]\d{0,14}$/.test(id) ? Number(id) : null;
}

function factsOf(json: string | null): Record<string, unknown> | null {
  if (json === null) return null;
  try {
    const parsed = JSON.parse(json);
    if (typeof parsed === "object" && parsed !== null) return parsed;
  } catch {
    // Tampered with; `audit verify` says so.
  }
  return { damaged: json };
}
