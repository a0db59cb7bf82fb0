// Finds things by a part of their names, for people who type a few letters: the most similar names first.

import type { FunctionId, GroupId, KeyId, SecretName } from "../ids.ts";
import { all, type Database, type Row } from "./database.ts";

export interface NamedFunction extends Row {
  readonly id: FunctionId;
  readonly name: string;
  readonly route: string;
}

export interface NamedGroup extends Row {
  readonly id: GroupId;
  readonly name: string;
}

export interface NamedKey extends Row {
  readonly id: KeyId;
  readonly name: string;
  readonly groupName: string;
}

/**
 * Each method returns at most `limit` things whose name has the letters of `search` in order, in any case: first the
 * names that begin with it, then those that contain it, then others, the shortest first. Altered rows are included.
 */
export interface NameSearch {
  /** Also finds functions by their routes. */
  functions(search: string, limit: number): NamedFunction[];
  groups(search: string, limit: number): NamedGroup[];
  /** By `group/key`. */
  keys(search: string, limit: number): NamedKey[];
  /** Names only, each once. */
  secrets(search: string, limit: number): SecretName[];
}

export function createNameSearch(db: Database): NameSearch {
  // ?1 is the search in lower case, ?2 the pattern of its letters, ?3 the limit.
  const find = (columns: string, from: string, text: string) =>
    db.prepare(
      `SELECT ${columns} FROM ${from} WHERE ${text} LIKE ?2 ESCAPE '\\'
       ORDER BY CASE instr(lower(${text}), ?1) WHEN 1 THEN 0 WHEN 0 THEN 2 ELSE 1 END, length(${text}), ${text} LIMIT ?3`,
    );
  const functions = find("id, name, route", "functions", "(name || ' ' || route)");
  const groups = find("id, name", "key_groups", "name");
  const keys = find(
    "k.id, k.name, g.name AS groupName",
    "api_keys k JOIN key_groups g ON g.id = k.group_id",
    "(g.name || '/' || k.name)",
  );
  const secrets = find("name", "(SELECT DISTINCT name FROM secrets INDEXED BY secrets_by_name)", "name");
  const values = (search: string, limit: number) => [search.toLowerCase(), patternOf(search), limit] as const;

  return {
    functions: (search, limit) => all<NamedFunction>(functions, ...values(search, limit)),
    groups: (search, limit) => all<NamedGroup>(groups, ...values(search, limit)),
    keys: (search, limit) => all<NamedKey>(keys, ...values(search, limit)),
    secrets: (search, limit) =>
      all<{ name: SecretName } & Row>(secrets, ...values(search, limit)).map(({ name }) => name),
  };
}

/** Returns a pattern of LIKE for texts that have these letters in order. */
function patternOf(search: string): string {
  return `%${[...search].map((letter) => (/[%_\\]/.test(letter) ? `\\${letter}` : letter)).join("%")}%`;
}
