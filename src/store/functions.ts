// Stores functions with their methods and required groups.

import type { StatementSync } from "node:sqlite";
import type { FunctionId, GroupId } from "../ids.ts";
import type { RowCheck } from "./authenticated_rows.ts";
import { all, type Database, first, insert, type Row } from "./database.ts";

export interface FunctionFields {
  name: string;
  description: string;
  /** Path of the handler file inside the code folder. */
  handler: string;
  route: string;
  /** The route without its parameters' names; unique with each method. */
  routeKey: string;
  methods: string[];
  groups: GroupId[];
  /** JSON. */
  confinement: string;
  enabled: boolean;
}

export interface FunctionRow extends Omit<FunctionFields, "routeKey"> {
  id: FunctionId;
  createdAt: number;
  updatedAt: number;
}

export interface FunctionQuery {
  /** A part of the name, the route or the handler. */
  readonly search?: string;
  readonly enabled?: boolean;
  /** Only these. */
  readonly ids?: readonly FunctionId[];
  /** By name by default. `ranked` has those with the most of something, the first one with most; the others have none. */
  readonly order?: "name" | "changed" | { readonly ranked: readonly FunctionId[] };
  readonly isDescending?: boolean;
}

export interface FunctionStore {
  /** Returns all functions in order of id, or at most `limit` with an id above `after`. */
  list(after?: number, limit?: number): FunctionRow[];

  /** Returns at most `limit` functions that the query finds, without the first `skip`. */
  page(query: FunctionQuery, skip: number, limit: number): FunctionRow[];
  count(query: FunctionQuery): number;
  find(id: FunctionId): FunctionRow | undefined;
  findByName(name: string): FunctionRow | undefined;

  /** Returns at most ten functions with this handler. */
  findByHandler(handler: string): { id: FunctionId; name: string }[];

  /** Returns the function that answers `method` on a route with this key. */
  findByRoute(routeKey: string, method: string): { id: FunctionId; name: string } | undefined;

  /** Returns at most `limit` functions that a key of the group may call, in order of id. */
  ofGroup(groupId: GroupId, limit: number): FunctionRow[];
  counts(): { total: number; enabled: number };
  oldest(): FunctionRow | undefined;
  insert(fields: FunctionFields, now: number): FunctionId;
  update(id: FunctionId, fields: FunctionFields, now: number): void;

  /** Gives up a function's route within a transaction that will update the function, so that another one can take it. */
  releaseRoute(id: FunctionId): void;
  /** The same for its name. */
  releaseName(id: FunctionId): void;

  /** Reports whether the row is as this program wrote it; an altered row is logged as a finding. */
  isAuthentic(id: FunctionId): boolean;
  delete(id: FunctionId): boolean;
}

interface Columns extends Row {
  id: number;
  name: string;
  description: string;
  handler: string;
  route: string;
  confinement: string;
  enabled: number;
  created_at: number;
  updated_at: number;
  methods: string;
  groups: string;
}

const SELECT = `
SELECT f.id, f.name, f.description, f.handler, f.route, f.confinement, f.enabled, f.created_at, f.updated_at,
  f.method_list AS methods, f.group_list AS groups
FROM functions f`;

/** Longer than 80 lines: it prepares all statements once, next to the methods that run them. */
export function createFunctionStore(db: Database, rows: RowCheck): FunctionStore {
  const list = db.prepare(`${SELECT} WHERE f.id > ? ORDER BY f.id LIMIT ?`);
  // One statement for each combination of filters and orders in use: statements in node:sqlite must be kept.
  const pages = new Map<string, StatementSync>();
  const kept = (sql: string): StatementSync => {
    let statement = pages.get(sql);
    if (!statement) pages.set(sql, statement = db.prepare(sql));
    return statement;
  };
  const byId = db.prepare(`${SELECT} WHERE f.id = ?`);
  const byName = db.prepare(`${SELECT} WHERE f.name = ?`);
  const byHandler = db.prepare("SELECT id, name FROM functions WHERE handler = ? ORDER BY name LIMIT 10");
  const byRoute = db.prepare(
    "SELECT f.id, f.name FROM function_methods m JOIN functions f ON f.id = m.function_id WHERE m.route_key = ? AND m.method = ?",
  );
  const ofGroup = db.prepare(
    `${SELECT} JOIN function_groups fg ON fg.function_id = f.id WHERE fg.group_id = ? ORDER BY f.id LIMIT ?`,
  );
  const counts = db.prepare("SELECT count(*) AS total, count(*) FILTER (WHERE enabled) AS enabled FROM functions");
  const oldest = db.prepare(`${SELECT} ORDER BY f.id LIMIT 1`);
  const insertRow = db.prepareChange(
    "INSERT INTO functions (name, description, handler, route, confinement, enabled, method_list, group_list, created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
  );
  const updateRow = db.prepareChange(
    "UPDATE functions SET name = ?, description = ?, handler = ?, route = ?, confinement = ?, enabled = ?, method_list = ?, group_list = ?, updated_at = ? WHERE id = ?",
  );
  const rename = db.prepareChange("UPDATE functions SET name = ? WHERE id = ?");
  const deleteRow = db.prepareChange("DELETE FROM functions WHERE id = ?");
  const clearMethods = db.prepareChange("DELETE FROM function_methods WHERE function_id = ?");
  const addMethod = db.prepareChange("INSERT INTO function_methods (route_key, method, function_id) VALUES (?, ?, ?)");
  const clearGroups = db.prepareChange("DELETE FROM function_groups WHERE function_id = ?");
  const addGroup = db.prepareChange("INSERT INTO function_groups (function_id, group_id) VALUES (?, ?)");

  const writeLists = (id: FunctionId, fields: FunctionFields) => {
    clearMethods.run(id);
    for (const method of fields.methods) addMethod.run(fields.routeKey, method, id);
    clearGroups.run(id);
    for (const group of fields.groups) addGroup.run(id, group);
  };

  return {
    list: (after = 0, limit = Number.MAX_SAFE_INTEGER): FunctionRow[] => all<Columns>(list, after, limit).map(toRow),
    page(query: FunctionQuery, skip: number, limit: number): FunctionRow[] {
      const { where, values } = conditionsOf(query);
      const { order = "name", isDescending = false } = query;
      const way = isDescending ? "DESC" : "ASC";
      if (typeof order === "string") {
        const by = order === "name" ? `f.name ${way}` : `f.updated_at ${way}, f.name`;
        return all<Columns>(kept(`${SELECT} ${where} ORDER BY ${by} LIMIT ? OFFSET ?`), ...values, limit, skip)
          .map(toRow);
      }
      const ids = all<{ id: FunctionId }>(kept(`SELECT f.id FROM functions f ${where} ORDER BY f.name`), ...values);
      const ranked = inOrder(ids.map(({ id }) => id), order.ranked, isDescending).slice(skip, skip + limit);
      return ranked.map((id) => toRow(first<Columns>(byId, id)!));
    },
    count(query: FunctionQuery): number {
      const { where, values } = conditionsOf(query);
      return first<{ n: number }>(kept(`SELECT count(*) AS n FROM functions f ${where}`), ...values)!.n;
    },
    find(id: FunctionId): FunctionRow | undefined {
      const row = first<Columns>(byId, id);
      return row && toRow(row);
    },
    findByName(name: string): FunctionRow | undefined {
      const row = first<Columns>(byName, name);
      return row && toRow(row);
    },
    findByHandler: (handler: string): { id: FunctionId; name: string }[] =>
      all<{ id: FunctionId; name: string }>(byHandler, handler),
    findByRoute: (routeKey: string, method: string): { id: FunctionId; name: string } | undefined =>
      first<{ id: FunctionId; name: string }>(byRoute, routeKey, method),
    ofGroup: (groupId: GroupId, limit: number): FunctionRow[] => all<Columns>(ofGroup, groupId, limit).map(toRow),
    counts: (): { total: number; enabled: number } => first<{ total: number; enabled: number }>(counts)!,
    oldest(): FunctionRow | undefined {
      const row = first<Columns>(oldest);
      return row && toRow(row);
    },
    insert(fields: FunctionFields, now: number): FunctionId {
      const { name, description, handler, route, confinement, enabled } = fields;
      const id = insert(
        insertRow,
        name,
        description,
        handler,
        route,
        confinement,
        enabled ? 1 : 0,
        ...lists(fields),
        now,
        now,
      ) as FunctionId;
      writeLists(id, fields);
      return id;
    },
    update(id: FunctionId, fields: FunctionFields, now: number): void {
      const { name, description, handler, route, confinement, enabled } = fields;
      updateRow.run(name, description, handler, route, confinement, enabled ? 1 : 0, ...lists(fields), now, id);
      writeLists(id, fields);
    },
    releaseRoute(id: FunctionId): void {
      clearMethods.run(id);
    },
    // No name has a line break.
    releaseName(id: FunctionId): void {
      rename.run(`\n${id}`, id);
      db.beginPart();
    },
    isAuthentic: (id: FunctionId): boolean => rows.check("functions", id),
    delete: (id: FunctionId): boolean => deleteRow.run(id).changes > 0,
  };
}

function conditionsOf({ search = "", enabled, ids }: FunctionQuery) {
  const conditions: [sql: string, value: string | number][] = [];
  if (search !== "") {
    conditions.push(["instr(lower(f.name || ' ' || f.route || ' ' || f.handler), lower(?)) > 0", search]);
  }
  if (enabled !== undefined) conditions.push(["f.enabled = ?", enabled ? 1 : 0]);
  if (ids) conditions.push(["f.id IN (SELECT value FROM json_each(?))", JSON.stringify(ids)]);
  const where = conditions.length === 0 ? "" : `WHERE ${conditions.map(([sql]) => sql).join(" AND ")}`;
  return { where, values: conditions.map(([, value]) => value) };
}

/** Returns `ids` with those that are ranked first, in that order, or with `isDescending` false the other way round. */
function inOrder(ids: readonly FunctionId[], ranked: readonly FunctionId[], isDescending: boolean): FunctionId[] {
  const ranks = new Map(ranked.map((id, rank) => [id, rank]));
  const rankOf = (id: FunctionId) => ranks.get(id) ?? ranked.length;
  return ids.toSorted((a, b) => isDescending ? rankOf(a) - rankOf(b) : rankOf(b) - rankOf(a));
}

/** Returns the JSON text in the function's own row, which is authoritative; in order. */
function lists({ methods, groups }: FunctionFields): [methods: string, groups: string] {
  return [JSON.stringify(methods.toSorted()), JSON.stringify(groups.toSorted((a, b) => a - b))];
}

function toRow(row: Columns): FunctionRow {
  return {
    id: row.id as FunctionId,
    name: row.name,
    description: row.description,
    handler: row.handler,
    route: row.route,
    methods: JSON.parse(row.methods),
    groups: JSON.parse(row.groups),
    confinement: row.confinement,
    enabled: row.enabled === 1,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}
