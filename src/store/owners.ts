// Who can own secrets, as lists to choose from: names and ids alone, found by a part of the name.

import type { FunctionId, GroupId, KeyId } from "../ids.ts";
import { all, type Database, type Row } from "./database.ts";

export interface OwnerName<Id extends number> {
  id: Id;
  name: string;
}

export type OwnerStore = ReturnType<typeof ownerStore>;

export function ownerStore(db: Database) {
  const list = (from: string, name: string) =>
    db.prepare(
      `SELECT id, name FROM (SELECT o.id, ${name} AS name FROM ${from})
       WHERE instr(lower(name), lower(?)) > 0 ORDER BY name COLLATE NOCASE, id LIMIT ?`,
    );
  const functions = list("functions o", "o.name");
  const groups = list("key_groups o", "o.name");
  const keys = list("api_keys o JOIN key_groups g ON g.id = o.group_id", "o.name || ' (' || g.name || ')'");

  // By name, those that hold `search`, at most `limit`.
  return {
    functions: (search: string, limit: number) => all<OwnerName<FunctionId> & Row>(functions, search, limit),
    groups: (search: string, limit: number) => all<OwnerName<GroupId> & Row>(groups, search, limit),
    /** With their groups' names: `acme (staging)`. */
    keys: (search: string, limit: number) => all<OwnerName<KeyId> & Row>(keys, search, limit),
  };
}
