// Lists possible owners of secrets to choose from: names and ids, found by a part of the name.

import type { FunctionId, GroupId, KeyId } from "../ids.ts";
import { all, type Database, type Row } from "./database.ts";

export interface OwnerName<Id extends number> {
  id: Id;
  name: string;
}

export interface OwnerStore {
  functions(search: string, limit: number): (OwnerName<FunctionId> & Row)[];
  groups(search: string, limit: number): (OwnerName<GroupId> & Row)[];

  /** With their groups' names: `acme (staging)`. */
  keys(search: string, limit: number): (OwnerName<KeyId> & Row)[];
  keysOfGroups(groups: readonly GroupId[], search: string, limit: number): (OwnerName<KeyId> & Row)[];
}

export function createOwnerStore(db: Database): OwnerStore {
  const list = (from: string, name: string, which = "true") =>
    db.prepare(
      `SELECT id, name FROM (SELECT o.id, ${name} AS name FROM ${from} WHERE ${which})
       WHERE instr(lower(name), lower(?)) > 0 ORDER BY name COLLATE NOCASE, id LIMIT ?`,
    );
  const functions = list("functions o", "o.name");
  const groups = list("key_groups o", "o.name");
  const [ofKeys, keyName] = ["api_keys o JOIN key_groups g ON g.id = o.group_id", "o.name || ' (' || g.name || ')'"];
  const keys = list(ofKeys, keyName);
  const keysOfGroups = list(ofKeys, keyName, "o.group_id IN (SELECT value FROM json_each(?))");

  // At most `limit` owners whose name contains `search`, by name.
  return {
    functions: (search: string, limit: number) => all<OwnerName<FunctionId> & Row>(functions, search, limit),
    groups: (search: string, limit: number) => all<OwnerName<GroupId> & Row>(groups, search, limit),
    keys: (search: string, limit: number) => all<OwnerName<KeyId> & Row>(keys, search, limit),
    keysOfGroups: (groups: readonly GroupId[], search: string, limit: number) =>
      all<OwnerName<KeyId> & Row>(keysOfGroups, JSON.stringify(groups), search, limit),
  };
}
