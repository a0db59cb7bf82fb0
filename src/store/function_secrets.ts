// Finds the names of secrets that a function could get on a call by any caller. Names and scopes only, never values.

import type { FunctionId, GroupId, Scope, SecretName } from "../ids.ts";
import { all, type Database, first, type Row } from "./database.ts";

export interface FunctionSecretStore {
  /** Returns at most `limit` names that contain `search` in any case, in order. */
  names(functionId: FunctionId, groups: readonly GroupId[], search: string, limit: number): SecretName[];

  /** Returns the scopes in which a name is set. */
  scopes(functionId: FunctionId, groups: readonly GroupId[], name: string): Scope[];

  /** Reports whether a name is set globally or for the function, so that every caller gets a value. */
  isSetForAll(functionId: FunctionId, name: string): boolean;

  /** Reports whether a name is set for the group, or for each of its keys, of which there is at least one. */
  isSetForGroup(groupId: GroupId, name: string): boolean;
}

interface Named extends Row {
  name: SecretName;
}

interface Scoped extends Row {
  scope: Scope;
}

/** Secrets that are global, of the function, of the groups that may call it, or of their keys. ?1: function, ?2: groups. */
const OPEN = `(scope = 'global' OR scope = 'function' AND owner_id = ?1
  OR scope = 'group' AND owner_id IN (SELECT value FROM json_each(?2))
  OR scope = 'key' AND owner_id IN
    (SELECT id FROM api_keys WHERE group_id IN (SELECT value FROM json_each(?2))))`;

export function createFunctionSecretStore(db: Database): FunctionSecretStore {
  // Steps from each name to the next, so that a name with a thousand owners costs one look-up.
  const next = (after: string) =>
    `(SELECT name FROM secrets INDEXED BY secrets_by_name
      WHERE name ${after} AND instr(lower(name), lower(?3)) > 0 AND ${OPEN} ORDER BY name LIMIT 1)`;
  const names = db.prepare(`
    WITH RECURSIVE found (name) AS (
      SELECT ${next(">= ''")}
      UNION ALL
      SELECT ${next("> found.name")} FROM found WHERE found.name IS NOT NULL
      LIMIT ?4
    )
    SELECT name FROM found WHERE name IS NOT NULL`);
  const scopes = db.prepare(`SELECT DISTINCT scope FROM secrets WHERE name = ?3 AND ${OPEN}`);

  const forAll = db.prepare(
    `SELECT EXISTS (SELECT 1 FROM secrets
      WHERE name = ?1 AND (scope = 'global' OR scope = 'function' AND owner_id = ?2)) AS found`,
  );
  const forGroup = db.prepare(
    `SELECT EXISTS (SELECT 1 FROM secrets WHERE name = ?1 AND scope = 'group' AND owner_id = ?2)
      OR EXISTS (SELECT 1 FROM api_keys WHERE group_id = ?2) AND NOT EXISTS (SELECT 1 FROM api_keys k
        WHERE k.group_id = ?2 AND NOT EXISTS
          (SELECT 1 FROM secrets s WHERE s.name = ?1 AND s.scope = 'key' AND s.owner_id = k.id)) AS found`,
  );

  return {
    names: (functionId: FunctionId, groups: readonly GroupId[], search: string, limit: number): SecretName[] =>
      all<Named>(names, functionId, JSON.stringify(groups), search, limit).map(({ name }) => name),

    scopes: (functionId: FunctionId, groups: readonly GroupId[], name: string): Scope[] =>
      all<Scoped>(scopes, functionId, JSON.stringify(groups), name).map(({ scope }) => scope),

    isSetForAll: (functionId, name) => first<{ found: number }>(forAll, name, functionId)!.found === 1,
    isSetForGroup: (groupId, name) => first<{ found: number }>(forGroup, name, groupId)!.found === 1,
  };
}
