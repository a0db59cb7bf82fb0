// The rows of key groups and API keys. A key's value is here as a ciphertext and as its look-up HMAC only.

import type { GroupId, KeyId } from "../ids.ts";
import { all, type Database, first, insert, type Row } from "./database.ts";

export interface GroupRow {
  id: GroupId;
  name: string;
  description: string;
}

export interface KeyRow {
  id: KeyId;
  groupId: GroupId;
  groupName: string;
  name: string;
  description: string;
  ciphertext: string;
  createdAt: number;
  lastUsedAt: number | null;
}

/** Who a key's value belongs to. */
export interface KeyHolder {
  readonly keyId: KeyId;
  readonly keyName: string;
  readonly groupId: GroupId;
  readonly groupName: string;
}

export type AccessStore = ReturnType<typeof accessStore>;

const SELECT_KEY = `
SELECT k.id, k.group_id AS groupId, g.name AS groupName, k.name, k.description, k.ciphertext,
  k.created_at AS createdAt, k.last_used_at AS lastUsedAt
FROM api_keys k JOIN key_groups g ON g.id = k.group_id`;

export function accessStore(db: Database) {
  const groups = db.prepare("SELECT id, name, description FROM key_groups ORDER BY id");
  const group = db.prepare("SELECT id, name, description FROM key_groups WHERE id = ?");
  const groupByName = db.prepare("SELECT id, name, description FROM key_groups WHERE name = ?");
  const insertGroup = db.prepare("INSERT INTO key_groups (name, description, created_at) VALUES (?, ?, ?)");
  const updateGroup = db.prepare("UPDATE key_groups SET name = ?, description = ? WHERE id = ?");
  const deleteGroup = db.prepare("DELETE FROM key_groups WHERE id = ?");
  const countKeys = db.prepare("SELECT count(*) AS n FROM api_keys WHERE group_id = ?");
  const functionsOfGroup = db.prepare(
    "SELECT f.name FROM function_groups fg JOIN functions f ON f.id = fg.function_id WHERE fg.group_id = ? ORDER BY f.id LIMIT 5",
  );

  const keys = db.prepare(`${SELECT_KEY} ORDER BY k.id`);
  const keysOfGroup = db.prepare(`${SELECT_KEY} WHERE k.group_id = ? ORDER BY k.id`);
  const key = db.prepare(`${SELECT_KEY} WHERE k.id = ?`);
  const keyByName = db.prepare(`${SELECT_KEY} WHERE k.group_id = ? AND k.name = ?`);
  const holder = db.prepare(
    "SELECT k.id AS keyId, k.name AS keyName, g.id AS groupId, g.name AS groupName" +
      " FROM api_keys k JOIN key_groups g ON g.id = k.group_id WHERE k.lookup = ?",
  );
  const insertKey = db.prepare(
    "INSERT INTO api_keys (group_id, name, description, lookup, ciphertext, created_at) VALUES (?, ?, ?, ?, ?, ?)",
  );
  const updateKey = db.prepare("UPDATE api_keys SET name = ?, description = ?, ciphertext = ? WHERE id = ?");
  const deleteKey = db.prepare("DELETE FROM api_keys WHERE id = ?");
  const touchKey = db.prepare("UPDATE api_keys SET last_used_at = max(?, ifnull(last_used_at, 0)) WHERE id = ?");

  return {
    groups: (): GroupRow[] => all<GroupRow & Row>(groups),
    group: (id: GroupId): GroupRow | undefined => first<GroupRow & Row>(group, id),
    groupByName: (name: string): GroupRow | undefined => first<GroupRow & Row>(groupByName, name),
    insertGroup: (row: { name: string; description: string; now: number }): GroupId =>
      insert(insertGroup, row.name, row.description, row.now) as GroupId,
    updateGroup(row: GroupRow): void {
      updateGroup.run(row.name, row.description, row.id);
    },
    deleteGroup(id: GroupId): void {
      deleteGroup.run(id);
    },
    countKeys: (groupId: GroupId): number => first<{ n: number }>(countKeys, groupId)!.n,
    /** Names of functions that ask for a key of this group, five at most. */
    functionsOfGroup: (groupId: GroupId): string[] =>
      all<{ name: string }>(functionsOfGroup, groupId).map((row) => row.name),

    keys: (groupId?: GroupId): KeyRow[] =>
      groupId === undefined ? all<KeyRow & Row>(keys) : all<KeyRow & Row>(keysOfGroup, groupId),
    key: (id: KeyId): KeyRow | undefined => first<KeyRow & Row>(key, id),
    keyByName: (groupId: GroupId, name: string): KeyRow | undefined => first<KeyRow & Row>(keyByName, groupId, name),
    holder: (lookup: Uint8Array): KeyHolder | undefined => first<KeyHolder & Row>(holder, lookup),
    insertKey: (row: {
      groupId: GroupId;
      name: string;
      description: string;
      lookup: Uint8Array;
      ciphertext: string;
      now: number;
    }): KeyId =>
      insert(insertKey, row.groupId, row.name, row.description, row.lookup, row.ciphertext, row.now) as KeyId,
    updateKey(row: { id: KeyId; name: string; description: string; ciphertext: string }): void {
      updateKey.run(row.name, row.description, row.ciphertext, row.id);
    },
    deleteKey: (id: KeyId): boolean => deleteKey.run(id).changes > 0,
    touchKey(id: KeyId, at: number): void {
      touchKey.run(at, id);
    },
  };
}
