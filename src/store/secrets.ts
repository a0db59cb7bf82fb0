// Stores secrets as ciphertexts. Nothing here can decrypt them.

import type { StatementSync } from "node:sqlite";
import type { Actor } from "../actor.ts";
import type { FunctionId, GroupId, KeyId, Owner, Scope, SecretId, SecretName } from "../ids.ts";
import { ownerId } from "../ids.ts";
import type { AbsenceCheck, RowCheck } from "./authenticated_rows.ts";
import { all, type Database, first, insert, type Row } from "./database.ts";

/** Who set a value; only the kind is known of the command line and the server itself. */
export interface Setter {
  readonly kind: Actor["kind"];
  readonly id: string | null;
  readonly name: string | null;
}

/** Where in a request a sealed value may be sent. */
export type SendPlace = "header" | "query" | "path" | "body";

/** Whether and where a value is sealed. A version keeps it for as long as it exists. */
export interface Seal {
  readonly sealed: boolean;
  /** Where a sealed value may be sent to; none if it is not sealed. */
  readonly hosts: readonly string[];
  /** The API's `in`. */
  readonly places: readonly SendPlace[];
}

/** How a secret is read, and when its value is to be replaced. Times in milliseconds since 1970 UTC. */
export interface SecretTerms {
  readonly expiresAt: number | null;
  readonly rotateEveryDays: number | null;
  /** Whether an expired value is still given. */
  readonly onExpiry: "warn" | "close";
  /** Whether references in the value are resolved. */
  readonly expand: boolean;
  /** Whether reading it raises an alert. */
  readonly canary: boolean;
}

/** The columns of a secret that change. */
export interface SecretFields extends Seal, SecretTerms {
  readonly name: SecretName;
  readonly ciphertext: string;
  readonly comment: string;
  /** Number of the value, from 1. */
  readonly version: number;
  /** When the value was set; for one that an earlier version of this program stored, not earlier than that. */
  readonly setAt: number;
  /** Null if it is not known. */
  readonly setBy: Setter | null;
  /** When it got its name, or was restored from the bin. */
  readonly placedAt: number;
}

export interface SecretRow extends SecretFields {
  readonly id: SecretId;
  readonly owner: Owner;
  /** The owner's name; null for global. */
  readonly ownerName: string | null;
  readonly createdAt: number;
  readonly updatedAt: number;
  /** When the value expires or is to be replaced, whichever is earlier; null for neither. */
  readonly dueAt: number | null;
}

/** A secret to insert. A field that is left out has its default. */
export type InsertedSecret =
  & { readonly name: SecretName; readonly owner: Owner; readonly ciphertext: string; readonly comment: string }
  & { readonly now: number }
  & Partial<SecretFields>
  /** Of a secret that is restored. */
  & { readonly id?: SecretId; readonly createdAt?: number };

/** The part of a row that resolution needs. */
export interface StoredCandidate extends Seal {
  readonly id: SecretId;
  readonly scope: Scope;
  readonly ownerId: number;
  readonly ciphertext: string;
  readonly version: number;
  /** In milliseconds since 1970 UTC; null for never. */
  readonly expiresAt: number | null;
  readonly onExpiry: SecretTerms["onExpiry"];
  readonly expand: boolean;
  readonly canary: boolean;
  /** Whether the row is as this program wrote it. */
  readonly isAuthentic: boolean;
}

/** A secret of an owner that was not found, but whose absence is not proven. */
export interface MissingCandidate {
  readonly id: undefined;
  readonly scope: Scope;
  readonly ownerId: number;
}

/** A candidate for resolution. A missing one also prevents the value of a wider scope from being used. */
export type Candidate = StoredCandidate | MissingCandidate;

export interface SecretFilter {
  scope?: Scope | undefined;
  functionId?: FunctionId | undefined;
  groupId?: GroupId | undefined;
  keyId?: KeyId | undefined;
  name?: SecretName | undefined;
  /** Only secrets whose references are resolved. */
  expand?: true | undefined;
}

/** A place in the order of due secrets. */
export interface DuePlace {
  /** Milliseconds since 1970 UTC. */
  readonly dueAt: number;
  readonly id: SecretId;
}

export interface SecretStore {
  /**
   * Returns the secrets named `name` of the global scope and of these owners, at most four, in no order, including
   * missing ones. Without a group or key, pass 0: no owner has that id. Must not be called within a transaction.
   */
  candidates(name: SecretName, functionId: number, groupId: number, keyId: number): Candidate[];

  /** Reports whether the row is as this program wrote it; an altered row is logged as a finding. */
  isAuthentic(id: SecretId): boolean;
  find(id: SecretId): SecretRow | undefined;
  findByOwner(name: SecretName, owner: Owner): SecretRow | undefined;

  /** Returns at most `limit` secrets of one name and scope with an owner's id above `afterOwner`, in that order. */
  ofScope(name: SecretName, scope: Scope, afterOwner: number, limit: number): SecretRow[];

  /** Returns, for each scope of each name, the number of secrets and the first `limit` of them. */
  samples(names: readonly SecretName[], limit: number): { count: number; row: SecretRow }[];

  /** Returns at most `limit` secrets with an id above `after`, in order of id. */
  list(filter: SecretFilter, after: number, limit: number): SecretRow[];

  /** Returns at most `limit` secrets that are due by a time and come after a place; the one that is due longest first. */
  due(by: number, filter: SecretFilter, after: DuePlace | undefined, limit: number): SecretRow[];
  total(): number;
  /** Returns how many secrets are due by a time. */
  countDue(by: number): number;
  insert(row: InsertedSecret): SecretId;
  update(row: SecretFields & { readonly id: SecretId; readonly now: number }): void;

  /** Deletes a secret and returns whether it existed. */
  delete(id: SecretId): boolean;
}

interface Columns extends CandidateColumns, SetterColumns {
  name: string;
  owner_name: string | null;
  comment: string;
  created_at: number;
  updated_at: number;
  rotate_every_days: number | null;
  set_at: number | null;
  placed_at: number | null;
  due_at: number | null;
}

/** The columns of a seal, as `secret_versions` has them, too. */
export interface SealColumns {
  sealed: number | null;
  hosts: string | null;
  places: string | null;
}

export interface SetterColumns {
  set_by_kind: Setter["kind"] | null;
  set_by_id: string | null;
  set_by_name: string | null;
}

interface CandidateColumns extends SealColumns, Row {
  id: SecretId;
  scope: Scope;
  owner_id: number;
  ciphertext: string;
  version: number | null;
  expires_at: number | null;
  on_expiry: "close" | null;
  expand: number | null;
  canary: number | null;
}

const CANDIDATE = `SELECT id, scope, owner_id, ciphertext, version, sealed, hosts, places, expand, canary, expires_at,
  on_expiry FROM secrets WHERE name = ?1`;

const COLUMNS = `s.id, s.name, s.scope, s.owner_id, s.ciphertext, s.comment, s.created_at, s.updated_at,
  s.sealed, s.hosts, s.places, s.expires_at, s.rotate_every_days, s.on_expiry, s.expand, s.canary, s.version, s.set_at,
  s.set_by_kind, s.set_by_id, s.set_by_name, s.placed_at, s.due_at,
  CASE s.scope
    WHEN 'function' THEN (SELECT name FROM functions WHERE id = s.function_id)
    WHEN 'group' THEN (SELECT name FROM key_groups WHERE id = s.group_id)
    WHEN 'key' THEN (SELECT name FROM api_keys WHERE id = s.key_id)
  END AS owner_name`;
const SELECT = `SELECT ${COLUMNS} FROM secrets s`;

/** Longer than 80 lines: it prepares all statements once, next to the methods that run them. */
export function createSecretStore(db: Database, rows: RowCheck & AbsenceCheck): SecretStore {
  const candidates = db.prepare(`
    ${CANDIDATE} AND scope = 'global' AND owner_id = 0
    UNION ALL
    ${CANDIDATE} AND scope = 'function' AND owner_id = ?2
    UNION ALL
    ${CANDIDATE} AND scope = 'group' AND owner_id = ?3
    UNION ALL
    ${CANDIDATE} AND scope = 'key' AND owner_id = ?4`);
  const byId = db.prepare(`${SELECT} WHERE s.id = ?`);
  const byOwner = db.prepare(`${SELECT} WHERE s.name = ? AND s.scope = ? AND s.owner_id = ?`);
  const ofScope = db.prepare(
    `${SELECT} WHERE s.name = ? AND s.scope = ? AND s.owner_id > ? ORDER BY s.owner_id LIMIT ?`,
  );
  const total = db.prepare("SELECT count(*) AS n FROM secrets");
  const countDue = db.prepare("SELECT count(*) AS n FROM secrets WHERE due_at IS NOT NULL AND due_at <= ?");
  // Counts on the index alone, then reads only a few rows of each group.
  const samples = db.prepare(`
    WITH cells AS MATERIALIZED (
      SELECT name, scope, count(*) AS count FROM secrets INDEXED BY secrets_by_name
      WHERE name IN (SELECT value FROM json_each(?1)) GROUP BY name, scope
    )
    SELECT cells.count, ${COLUMNS} FROM cells CROSS JOIN secrets s ON s.name = cells.name AND s.scope = cells.scope
      AND s.owner_id IN (SELECT owner_id FROM secrets WHERE name = cells.name AND scope = cells.scope
        ORDER BY owner_id LIMIT ?2)
    ORDER BY s.name, s.scope, s.owner_id`);
  const insertRow = db.prepareChange(
    "INSERT INTO secrets (id, scope, owner_id, function_id, group_id, key_id, created_at," +
      ` ${CHANGED.join(", ")}) VALUES (?, ?, ?, ?, ?, ?, ?, ${CHANGED.map(() => "?").join(", ")})`,
  );
  const updateRow = db.prepareChange(`UPDATE secrets SET ${CHANGED.map((c) => `${c} = ?`).join(", ")} WHERE id = ?`);
  const deleteRow = db.prepareChange("DELETE FROM secrets WHERE id = ?");

  // One statement for each combination of filters in use, so that each has its own plan; there are few.
  const lists = new Map<string, StatementSync>();
  const conditions = (filter: SecretFilter) => {
    const columns = [
      ["scope", filter.scope],
      ["function_id", filter.functionId],
      ["group_id", filter.groupId],
      ["key_id", filter.keyId],
      ["name", filter.name],
      ["expand", filter.expand && 1],
    ].filter(([, value]) => value !== undefined) as [string, string | number][];
    return { where: columns.map(([column]) => `s.${column} = ? AND `).join(""), values: columns.map(([, v]) => v) };
  };
  const prepared = (sql: string): StatementSync => {
    let statement = lists.get(sql);
    if (!statement) lists.set(sql, statement = db.prepare(sql));
    return statement;
  };

  return {
    candidates(name: SecretName, functionId: number, groupId: number, keyId: number): Candidate[] {
      // On one snapshot: a secret that another process adds meanwhile would otherwise be in only one of the two reads.
      return db.atOneMoment(() => {
        const found: Candidate[] = all<CandidateColumns>(candidates, name, functionId, groupId, keyId)
          .map((row) => toCandidate(row, rows.check("secrets", row.id)));
        // In the order of places, so that one proof can cover neighbors.
        const owners = { function: functionId, global: 0, group: groupId, key: keyId };
        const absent = (Object.entries(owners) as [Scope, number][])
          .filter(([scope, ownerId]) =>
            (ownerId !== 0 || scope === "global") && !found.some((row) => row.scope === scope)
          );
        for (const scope of rows.unproven(name, absent)) found.push({ id: undefined, scope, ownerId: owners[scope] });
        return found;
      });
    },

    isAuthentic: (id: SecretId): boolean => rows.check("secrets", id),

    find(id: SecretId): SecretRow | undefined {
      const row = first<Columns>(byId, id);
      return row && toRow(row);
    },

    findByOwner(name: SecretName, owner: Owner): SecretRow | undefined {
      const row = first<Columns>(byOwner, name, owner.scope, ownerId(owner));
      return row && toRow(row);
    },

    ofScope(name: SecretName, scope: Scope, afterOwner: number, limit: number): SecretRow[] {
      return all<Columns>(ofScope, name, scope, afterOwner, limit).map(toRow);
    },

    samples(names: readonly SecretName[], limit: number): { count: number; row: SecretRow }[] {
      return all<Columns & { count: number }>(samples, JSON.stringify(names), limit)
        .map((row) => ({ count: row.count, row: toRow(row) }));
    },

    list(filter: SecretFilter, after: number, limit: number): SecretRow[] {
      const { where, values } = conditions(filter);
      // The unary plus keeps the planner from scanning a whole scope by id where the name finds the few rows directly.
      const id = filter.name === undefined ? "s.id" : "+s.id";
      const statement = prepared(`${SELECT} WHERE ${where}${id} > ? ORDER BY ${id} LIMIT ?`);
      return all<Columns>(statement, ...values, after, limit).map(toRow);
    },

    due(by: number, filter: SecretFilter, after: DuePlace | undefined, limit: number): SecretRow[] {
      const { where, values } = conditions(filter);
      const statement = prepared(`${SELECT} WHERE ${where}s.due_at IS NOT NULL AND s.due_at <= ?
        AND (s.due_at, s.id) > (?, ?) ORDER BY s.due_at, s.id LIMIT ?`);
      // Times are never negative.
      const { dueAt, id } = after ?? { dueAt: -1, id: 0 };
      return all<Columns>(statement, ...values, by, dueAt, id, limit).map(toRow);
    },

    total: (): number => first<{ n: number }>(total)!.n,
    countDue: (by: number): number => first<{ n: number }>(countDue, by)!.n,

    insert({ owner, now, id, createdAt = now, ...fields }: InsertedSecret): SecretId {
      return insert(
        insertRow,
        id ?? null,
        owner.scope,
        ownerId(owner),
        owner.scope === "function" ? owner.functionId : null,
        owner.scope === "group" ? owner.groupId : null,
        owner.scope === "key" ? owner.keyId : null,
        createdAt,
        ...changedValues({ ...DEFAULTS, setAt: now, placedAt: createdAt, ...fields }, now),
      ) as SecretId;
    },

    update({ id, now, ...fields }): void {
      updateRow.run(...changedValues(fields, now), id);
    },

    delete(id: SecretId): boolean {
      return deleteRow.run(id).changes > 0;
    },
  };
}

/** The columns that an update writes, in the order of `changedValues`. */
const CHANGED = [
  "name",
  "ciphertext",
  "comment",
  "updated_at",
  "sealed",
  "hosts",
  "places",
  "expires_at",
  "rotate_every_days",
  "on_expiry",
  "expand",
  "canary",
  "version",
  "set_at",
  "set_by_kind",
  "set_by_id",
  "set_by_name",
  "placed_at",
];

const DEFAULTS: Seal & SecretTerms & Pick<SecretFields, "version" | "setBy"> = {
  sealed: false,
  hosts: [],
  places: ["header"],
  expiresAt: null,
  rotateEveryDays: null,
  onExpiry: "warn",
  expand: false,
  canary: false,
  version: 1,
  setBy: null,
};

function changedValues(fields: SecretFields, now: number): (string | number | null)[] {
  const { name, ciphertext, comment, expiresAt, rotateEveryDays, onExpiry, expand, canary } = fields;
  const { version, setAt, setBy, placedAt } = fields;
  return [
    name,
    ciphertext,
    comment,
    now,
    ...sealValues(fields),
    expiresAt,
    rotateEveryDays,
    onExpiry === "close" ? "close" : null,
    expand ? 1 : null,
    canary ? 1 : null,
    version,
    setAt,
    ...setterValues(setBy),
    placedAt,
  ];
}

/** Returns the values of `sealed`, `hosts` and `places`. */
export function sealValues({ sealed, hosts, places }: Seal): (string | number | null)[] {
  const isDefault = places.length === 1 && places[0] === "header";
  return [
    sealed ? 1 : null,
    hosts.length > 0 ? JSON.stringify(hosts) : null,
    isDefault ? null : JSON.stringify(places),
  ];
}

/** Returns the values of `set_by_kind`, `set_by_id` and `set_by_name`. */
export function setterValues(setter: Setter | null): (string | null)[] {
  return [setter?.kind ?? null, setter?.id ?? null, setter?.name ?? null];
}

export function toSeal({ sealed, hosts, places }: SealColumns): Seal {
  return {
    sealed: sealed === 1,
    hosts: hosts === null ? DEFAULTS.hosts : JSON.parse(hosts),
    places: places === null ? DEFAULTS.places : JSON.parse(places),
  };
}

export function toSetter({ set_by_kind: kind, set_by_id: id, set_by_name: name }: SetterColumns): Setter | null {
  return kind === null ? null : { kind, id, name };
}

/** Returns what is stored of an actor as the one who set a value. */
export function setterOf(actor: Actor): Setter {
  return actor.kind === "key" || actor.kind === "admin"
    ? {
      kind: actor.kind,
      id: String(actor.id),
      name: actor.kind === "key" ? `${actor.group}/${actor.name}` : actor.name,
    }
    : { kind: actor.kind, id: null, name: null };
}

function toCandidate(row: CandidateColumns, isAuthentic: boolean): StoredCandidate {
  return {
    id: row.id,
    scope: row.scope,
    ownerId: row.owner_id,
    ciphertext: row.ciphertext,
    version: row.version ?? 1,
    ...toSeal(row),
    expiresAt: row.expires_at,
    onExpiry: row.on_expiry ?? "warn",
    expand: row.expand === 1,
    canary: row.canary === 1,
    isAuthentic,
  };
}

function toRow(row: Columns): SecretRow {
  return {
    id: row.id as SecretId,
    name: row.name as SecretName,
    owner: toOwner(row.scope, row.owner_id),
    ownerName: row.owner_name,
    ciphertext: row.ciphertext,
    comment: row.comment,
    ...toSeal(row),
    expiresAt: row.expires_at,
    rotateEveryDays: row.rotate_every_days,
    onExpiry: row.on_expiry ?? "warn",
    expand: row.expand === 1,
    canary: row.canary === 1,
    version: row.version ?? 1,
    setAt: row.set_at ?? row.updated_at,
    setBy: toSetter(row),
    placedAt: row.placed_at ?? row.created_at,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    dueAt: row.due_at,
  };
}

export function toOwner(scope: Scope, id: number): Owner {
  switch (scope) {
    case "global":
      return { scope };
    case "function":
      return { scope, functionId: id as FunctionId };
    case "group":
      return { scope, groupId: id as GroupId };
    case "key":
      return { scope, keyId: id as KeyId };
  }
}
