// Writes the audit as lines of JSON, one for each entry and the head at the end, and reads such an export back for
// verification. A line that differs from what was written counts as altered.

import type { AuditRow } from "../../store/audit.ts";

/** An entry as the API returns it and an export holds it. */
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

/** The columns of an export as CSV: the fields of `AuditEntry`, those of the actor and the subject each on their own. */
const CSV_COLUMNS = [
  ["id", ({ id }) => id],
  ["at", ({ at }) => at],
  ["actorKind", ({ actor }) => actor.kind],
  ["actorId", ({ actor }) => actor.id],
  ["actorName", ({ actor }) => actor.name],
  ["actorGroup", ({ actor }) => actor.group],
  ["address", ({ address }) => address],
  ["requestId", ({ requestId }) => requestId],
  ["action", ({ action }) => action],
  ["subjectKind", ({ subject }) => subject.kind],
  ["subjectId", ({ subject }) => subject.id],
  ["subjectName", ({ subject }) => subject.name],
  ["before", ({ before }) => before && JSON.stringify(before)],
  ["after", ({ after }) => after && JSON.stringify(after)],
] as const satisfies readonly (readonly [string, (entry: AuditEntry) => string | number | null])[];

export const CSV_HEAD = CSV_COLUMNS.map(([name]) => name).join(",");

export function csvLine(row: AuditRow): string {
  const entry = auditEntry(row);
  return CSV_COLUMNS.map(([, value]) => csvCell(value(entry))).join(",");
}

/** Escapes a cell (RFC 4180). A text that spreadsheets would take for a formula begins with an apostrophe. */
function csvCell(value: string | number | null): string {
  const text = String(value ?? "");
  const harmless = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless;
}

/** Returns the line of the head; `stored` is its text in the database. */
export function exportHead(stored: string): string {
  return JSON.stringify({ head: JSON.parse(stored) });
}

/** Reads what `verifyChain` takes from `lines`, which is called several times. Line 5 must be entry 5. */
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
        // Without a MAC, it counts as altered.
        if (number >= from) yield rowOf(line) ?? { ...NO_ENTRY, id: number };
      }
    },
    /** Returns the number of the first line that holds the entry with this id. */
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

/** Returns the row of a line, or undefined if `exportLine` did not write it like this. */
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

/** Returns null also for a text that is not an id: it was tampered with, which `audit verify` reports. */
function idOf(id: string | null): number | null {
  return id !== null && /^[1-9]\d{0,14}$/.test(id) ? Number(id) : null;
}

function factsOf(json: string | null): Record<string, unknown> | null {
  if (json === null) return null;
  try {
    const parsed = JSON.parse(json);
    if (typeof parsed === "object" && parsed !== null) return parsed;
  } catch {
    // Tampered with; `audit verify` reports it.
  }
  return { damaged: json };
}
