// Lists the names of secrets and the number of owners that set each. Reads an index, not the rows.

import type { FunctionId, GroupId, KeyId, Scope, SecretId, SecretName } from "../ids.ts";
import { all, type Database, first, type Row } from "./database.ts";

/** Selects names that contain `search` in any case and that the given owner, or any owner of the scope, has set. */
export interface NameFilter {
  search: string;
  scope?: Scope | undefined;
  /** Requires `scope`. */
  ownerId?: number | undefined;
}

/** What identifies a secret's position in the order of names. */
export interface NamedSecret {
  readonly name: SecretName;
  readonly scope: Scope;
  readonly ownerId: number;
  readonly id: SecretId;
  readonly createdAt: number;
}

export interface NameTotals {
  readonly names: number;
  readonly values: number;
}

export interface SecretNameStore {
  /** Returns at most `limit` names above `after`, ordered by code points. */
  page(filter: NameFilter, after: string, limit: number): SecretName[];

  /** Returns at most `limit` names above `after` that are set globally or by one of these owners; 0 for none. */
  pageOfOwners(
    owners: { functionId: FunctionId; groupId: GroupId | 0; keyId: KeyId | 0 },
    search: string,
    after: string,
    limit: number,
  ): SecretName[];

  /** Returns at most `limit` secrets of matching names in order, after the secret `after` or after all of a name. */
  rows(filter: NameFilter, after: NamedSecret | string, limit: number): NamedSecret[];

  /** Returns how many owners of each scope set a name; a scope without any is omitted. */
  counts(name: SecretName): Partial<Record<Scope, number>>;

  /** Returns how many names and values there are. */
  totals(): NameTotals;
}

/**
 * Steps from each name to the next one that matches, so that a name with a thousand owners costs one look-up.
 * Names are ASCII, so lower() is sufficient. ?1 is the name before the first, ?2 the search, the last one the limit.
 */
function inOrder(fits: string, limit: string): string {
  const next = (after: string) =>
    `(SELECT name FROM secrets INDEXED BY secrets_by_name
      WHERE name > ${after} AND instr(lower(name), ?2) > 0 AND ${fits} ORDER BY name LIMIT 1)`;
  return `
    WITH RECURSIVE found (name) AS (
      SELECT ${next("?1")}
      UNION ALL
      SELECT ${next("found.name")} FROM found WHERE found.name IS NOT NULL
      LIMIT ${limit}
    )
    SELECT name FROM found WHERE name IS NOT NULL`;
}

export function createSecretNameStore(db: Database): SecretNameStore {
  const page = db.prepare(inOrder("(?3 = '' OR scope = ?3) AND (?4 = -1 OR owner_id = ?4)", "?5"));
  const pageOfOwners = db.prepare(inOrder(
    `(scope = 'global' OR scope = 'function' AND owner_id = ?3 OR scope = 'group' AND owner_id = ?4
      OR scope = 'key' AND owner_id = ?5)`,
    "?6",
  ));
  const rows = db.prepare(
    `SELECT name, scope, owner_id AS ownerId, id, created_at AS createdAt FROM secrets INDEXED BY secrets_by_name
     WHERE (name, scope, owner_id) > (?1, ?5, ?6) AND instr(lower(name), ?2) > 0 AND (?3 = '' OR scope = ?3)
       AND (?4 = -1 OR owner_id = ?4) ORDER BY name, scope, owner_id LIMIT ?7`,
  );
  const counts = db.prepare(
    "SELECT scope, count(*) AS count FROM secrets INDEXED BY secrets_by_name WHERE name = ? GROUP BY scope",
  );
  const totals = db.prepare(
    `SELECT count(DISTINCT name) AS names, count(*) AS "values" FROM secrets INDEXED BY secrets_by_name`,
  );

  return {
    page({ search, scope = "" as Scope, ownerId = -1 }: NameFilter, after: string, limit: number): SecretName[] {
      return all<Named>(page, after, search.toLowerCase(), scope, ownerId, limit).map(({ name }) => name);
    },

    pageOfOwners(
      owners: { functionId: FunctionId; groupId: GroupId | 0; keyId: KeyId | 0 },
      search: string,
      after: string,
      limit: number,
    ): SecretName[] {
      const { functionId, groupId, keyId } = owners;
      return all<Named>(pageOfOwners, after, search.toLowerCase(), functionId, groupId, keyId, limit)
        .map(({ name }) => name);
    },

    rows(
      { search, scope = "" as Scope, ownerId = -1 }: NameFilter,
      after: NamedSecret | string,
      limit: number,
    ): NamedSecret[] {
      // Every scope's name sorts before a tilde.
      const { name, scope: lastScope, ownerId: lastOwner } = typeof after === "string"
        ? { name: after, scope: "~", ownerId: 0 }
        : after;
      return all<NamedSecret & Row>(rows, name, search.toLowerCase(), scope, ownerId, lastScope, lastOwner, limit);
    },

    counts(name: SecretName): Partial<Record<Scope, number>> {
      const rows = all<{ scope: Scope; count: number }>(counts, name);
      return Object.fromEntries(rows.map(({ scope, count }) => [scope, count]));
    },

    totals: (): NameTotals => first<NameTotals & Row>(totals)!,
  };
}

interface Named extends Row {
  name: SecretName;
}
