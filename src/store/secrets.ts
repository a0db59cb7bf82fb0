// Stores secrets as ciphertexts. Nothing here can decrypt them.

import type { StatementSync } from "node:sqlite";
import type { FunctionId, GroupId, KeyId, Owner, Scope, SecretId, SecretName } from "../ids.ts";
import { ownerId } from "../ids.ts";
import type { AbsenceCheck, RowCheck } from "./authenticated_rows.ts";
import { all, type Database, first, insert, type Row } from "./database.ts";

export interface SecretRow {
  id: SecretId;
  name: SecretName;
  owner: Owner;
  /** The owner's name; null for global. */
  ownerName: string | null;
  ciphertext: string;
  comment: string;
  createdAt: number;
  updatedAt: number;
}

/** The part of a row that resolution needs. */
export interface StoredCandidate {
  readonly id: SecretId;
  readonly scope: Scope;
  readonly ownerId: number;
  readonly ciphertext: string;
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
  total(): number;
  insert(row: { name: SecretName; owner: Owner; ciphertext: string; comment: string; now: number }): SecretId;
  update(row: { id: SecretId; name: SecretName; ciphertext: string; comment: string; now: number }): void;

  /** Deletes a secret and returns whether it existed. */
  delete(id: SecretId): boolean;
}

interface Columns extends Row {
  id: number;
  name: string;
  scope: Scope;
  owner_id: number;
  owner_name: string | null;
  ciphertext: string;
  comment: string;
  created_at: number;
  updated_at: number;
}

const COLUMNS = `s.id, s.name, s.scope, s.owner_id, s.ciphertext, s.comment, s.created_at, s.updated_at,
  CASE s.scope
    WHEN 'function' THEN (SELECT name FROM functions WHERE id = s.function_id)
    WHEN 'group' THEN (SELECT name FROM key_groups WHERE id = s.group_id)
    WHEN 'key' THEN (SELECT name FROM api_keys WHERE id = s.key_id)
  END AS owner_name`;
const SELECT = `SELECT ${COLUMNS} FROM secrets s`;

/** Longer than 80 lines: it prepares all statements once, next to the methods that run them. */
export function createSecretStore(db: Database, rows: RowCheck & AbsenceCheck): SecretStore {
  const candidates = db.prepare(`
    SELECT id, scope, owner_id AS ownerId, ciphertext FROM secrets WHERE name = ?1 AND scope = 'global' AND owner_id = 0
    UNION ALL
    SELECT id, scope, owner_id, ciphertext FROM secrets WHERE name = ?1 AND scope = 'function' AND owner_id = ?2
    UNION ALL
    SELECT id, scope, owner_id, ciphertext FROM secrets WHERE name = ?1 AND scope = 'group' AND owner_id = ?3
    UNION ALL
    SELECT id, scope, owner_id, ciphertext FROM secrets WHERE name = ?1 AND scope = 'key' AND owner_id = ?4`);
  const byId = db.prepare(`${SELECT} WHERE s.id = ?`);
  const byOwner = db.prepare(`${SELECT} WHERE s.name = ? AND s.scope = ? AND s.owner_id = ?`);
  const ofScope = db.prepare(
    `${SELECT} WHERE s.name = ? AND s.scope = ? AND s.owner_id > ? ORDER BY s.owner_id LIMIT ?`,
  );
  const total = db.prepare("SELECT count(*) AS n FROM secrets");
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
    "INSERT INTO secrets (name, scope, owner_id, function_id, group_id, key_id, ciphertext, comment, created_at, updated_at)" +
      " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
  );
  const updateRow = db.prepareChange(
    "UPDATE secrets SET name = ?, ciphertext = ?, comment = ?, updated_at = ? WHERE id = ?",
  );
  const deleteRow = db.prepareChange("DELETE FROM secrets WHERE id = ?");

  // One statement for each combination of filters in use, so that each has its own plan; there are few.
  const lists = new Map<string, StatementSync>();
  const list = (filter: SecretFilter) => {
    const columns = [
      ["scope", filter.scope],
      ["function_id", filter.functionId],
      ["group_id", filter.groupId],
      ["key_id", filter.keyId],
      ["name", filter.name],
    ].filter(([, value]) => value !== undefined) as [string, string | number][];
    const where = columns.map(([column]) => `s.${column} = ? AND `).join("");
    let statement = lists.get(where);
    if (!statement) {
      // The unary plus keeps the planner from scanning a whole scope by id where the name finds the few rows directly.
      const id = filter.name === undefined ? "s.id" : "+s.id";
      statement = db.prepare(`${SELECT} WHERE ${where}${id} > ? ORDER BY ${id} LIMIT ?`);
      lists.set(where, statement);
    }
    return { statement, values: columns.map(([, value]) => value) };
  };

  return {
    candidates(name: SecretName, functionId: number, groupId: number, keyId: number): Candidate[] {
      // On one snapshot: a secret that another process adds meanwhile would otherwise be in only one of the two reads.
      return db.atOneMoment(() => {
        const found: Candidate[] = all<Omit<StoredCandidate, "isAuthentic"> & Row>(
          candidates,
          name,
          functionId,
          groupId,
          keyId,
        ).map((row) => ({ ...row, isAuthentic: rows.check("secrets", row.id) }));
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
      const { statement, values } = list(filter);
      return all<Columns>(statement, ...values, after, limit).map(toRow);
    },

    total: (): number => first<{ n: number }>(total)!.n,

    insert(row: { name: SecretName; owner: Owner; ciphertext: string; comment: string; now: number }): SecretId {
      const { owner } = row;
      return insert(
        insertRow,
        row.name,
        owner.scope,
        ownerId(owner),
        owner.scope === "function" ? owner.functionId : null,
        owner.scope === "group" ? owner.groupId : null,
        owner.scope === "key" ? owner.keyId : null,
        row.ciphertext,
        row.comment,
        row.now,
        row.now,
      ) as SecretId;
    },

    update(row: { id: SecretId; name: SecretName; ciphertext: string; comment: string; now: number }): void {
      updateRow.run(row.name, row.ciphertext, row.comment, row.now, row.id);
    },

    delete(id: SecretId): boolean {
      return deleteRow.run(id).changes > 0;
    },
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
    createdAt: row.created_at,
    updatedAt: row.updated_at,
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
