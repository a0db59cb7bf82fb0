// Stores the entries of the audit. core/audit/chain.ts computes their MACs.

import type { StatementSync } from "node:sqlite";
import { all, type Database, first, type Row } from "./database.ts";

export interface AuditRow {
  /** 1, 2, 3 … without gaps. */
  id: number;
  /** Milliseconds since 1970 UTC. */
  at: number;
  actorKind: string;
  actorId: string | null;
  actorName: string | null;
  actorGroup: string | null;
  address: string | null;
  requestId: string | null;
  action: string;
  subjectKind: string;
  /** Null if there is none, or if `after` lists several as `ids`. */
  subjectId: string | null;
  subjectName: string;
  /** JSON. */
  before: string | null;
  after: string | null;
  /** Hexadecimal. */
  mac: string;
}

/** Selects actors or subjects: all of a kind, the one with this id, or all with this name. */
export type AuditWho = { kind: string; id?: string | undefined } | { name: string };

export interface AuditFilter {
  actor?: AuditWho | undefined;
  /** An action such as `secret.created`, or a group such as `secret.*`. */
  action?: string | undefined;
  subject?: AuditWho | undefined;
  /** Milliseconds since 1970 UTC; `from` is included, `to` is not. */
  from?: number | undefined;
  to?: number | undefined;
}

export interface AuditStore {
  add(row: AuditRow): void;

  /** Returns the id of the last entry, 0 if there is none. */
  lastId(): number;

  /** Returns at most `limit` entries with an id above `after` and up to `upTo`, in order of id. */
  following(after: number, upTo: number, limit: number): AuditRow[];

  /**
   * Returns the first `limit` of these entries that match `filter`, in order of id. All of them may be looked at, so `upTo`
   * should be near `after`.
   */
  matching(filter: AuditFilter, after: number, upTo: number, limit: number): AuditRow[];

  /** Returns at most `limit` entries that match `filter` with an id below `before`, newest first. */
  page(filter: AuditFilter, before: number, limit: number): AuditRow[];
}

/** A time that a Date can hold; only a time that was tampered with is outside this range. */
const KNOWN_TIME = "CASE WHEN at BETWEEN 0 AND 8640000000000000 THEN at ELSE 0 END";

/** Columns in the order of the table. */
const COLUMNS = `id, ${KNOWN_TIME} AS at, actor_kind AS actorKind, actor_id AS actorId, actor_name AS actorName, ` +
  "actor_group AS actorGroup, address, request_id AS requestId, action, subject_kind AS subjectKind, " +
  "subject_id AS subjectId, subject_name AS subjectName, before, after, mac";

export const SELECT_AUDIT = `SELECT ${COLUMNS} FROM audit`;

/**
 * Matches entries about several subjects, which list their ids. The search for the text first avoids parsing the JSON
 * of all others. A row that was tampered with may contain anything.
 */
const ONE_OF_SEVERAL = "subject_id IS NULL " +
  "AND instr(replace(replace(after, '[', ','), ']', ','), ',' || ? || ',') AND CASE WHEN json_valid(after) THEN EXISTS " +
  "(SELECT 1 FROM json_each(after, '$.ids') WHERE value = CAST(? AS INTEGER)) ELSE 0 END";

export function createAuditStore(db: Database): AuditStore {
  const insertRow = db.prepareChange(
    "INSERT INTO audit (id, at, actor_kind, actor_id, actor_name, actor_group, address, request_id, action, " +
      "subject_kind, subject_id, subject_name, before, after, mac) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
  );
  const last = db.prepare("SELECT max(id) AS id FROM audit");
  const following = db.prepare(`${SELECT_AUDIT} WHERE id > ? AND id <= ? ORDER BY id LIMIT ?`);
  // One statement for each combination of filters in use; there are few.
  const pages = new Map<string, StatementSync>();
  const kept = (sql: string): StatementSync => {
    let statement = pages.get(sql);
    if (!statement) pages.set(sql, statement = db.prepare(sql));
    return statement;
  };

  const ask = (conditions: readonly Condition[], before: number, limit: number): AuditRow[] => {
    const where = [...conditions.map(([sql]) => sql), "id < ?"].join(" AND ");
    const statement = kept(`${SELECT_AUDIT} WHERE ${where} ORDER BY id DESC LIMIT ?`);
    return all<AuditRow & Row>(statement, ...valuesOf(conditions), before, limit);
  };

  return {
    add(row: AuditRow): void {
      insertRow.run(
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
        row.mac,
      );
    },

    lastId: (): number => first<{ id: number | null }>(last)!.id ?? 0,

    following: (after: number, upTo: number, limit: number): AuditRow[] =>
      all<AuditRow & Row>(following, after, upTo, limit),

    matching(filter: AuditFilter, after: number, upTo: number, limit: number): AuditRow[] {
      const { subject } = filter;
      const conditions = conditionsOf(filter);
      if (subject && "kind" in subject && subject.id !== undefined) {
        conditions.push([`(subject_id = ? OR (${ONE_OF_SEVERAL}))`, subject.id, subject.id, subject.id]);
      }
      const where = [...conditions.map(([sql]) => sql), "id > ?", "id <= ?"].join(" AND ");
      const statement = kept(`${SELECT_AUDIT} WHERE ${where} ORDER BY id LIMIT ?`);
      return all<AuditRow & Row>(statement, ...valuesOf(conditions), after, upTo, limit);
    },

    page(filter: AuditFilter, before: number, limit: number): AuditRow[] {
      const { subject } = filter;
      const conditions = conditionsOf(filter);
      if (!subject || "name" in subject || subject.id === undefined) return ask(conditions, before, limit);
      // Each of the two is covered by an index, both together are not.
      const { id } = subject;
      return [["subject_id = ?", id] as const, [ONE_OF_SEVERAL, id, id] as const]
        .flatMap((about) => ask([...conditions, about], before, limit))
        .sort((a, b) => b.id - a.id)
        .slice(0, limit);
    },
  };
}

type Condition = readonly [sql: string, ...values: (string | number)[]];

function valuesOf(conditions: readonly Condition[]): (string | number)[] {
  return conditions.flatMap(([, ...values]) => values);
}

/** Returns the conditions on everything except the subject's id. */
function conditionsOf({ actor, action, subject, from, to }: AuditFilter): Condition[] {
  const parts: Condition[] = [];
  if (actor && "name" in actor) parts.push(["actor_name = ?", actor.name]);
  else if (actor) {
    parts.push(["actor_kind = ?", actor.kind]);
    if (actor.id !== undefined) parts.push(["actor_id = ?", actor.id]);
  }
  // The unary plus prevents SQLite from sorting all entries of a frequent kind; it walks back from the newest instead.
  if (action !== undefined) parts.push([action.endsWith(".*") ? "+action GLOB ?" : "action = ?", action]);
  if (subject && "name" in subject) parts.push(["subject_name = ?", subject.name]);
  else if (subject) parts.push(["subject_kind = ?", subject.kind]);
  if (from !== undefined) parts.push(["at >= ?", from]);
  if (to !== undefined) parts.push(["at < ?", to]);
  return parts;
}
