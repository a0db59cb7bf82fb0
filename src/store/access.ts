// Stores key groups and API keys. A key's value is stored only as a ciphertext and as an HMAC for look-ups.

import type { GroupId, KeyId } from "../ids.ts";
import type { RowCheck } from "./authenticated_rows.ts";
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
}

/** A group with the number of its keys, of functions that require it, and of its secrets. */
export interface GroupSummary extends GroupRow {
  keys: number;
  functions: number;
  secrets: number;
}

/** A key with the number of its secrets. */
export interface KeySummary extends KeyRow {
  secrets: number;
}

export interface KeyFilter {
  groupId?: GroupId | undefined;
  /** Part of a name or description; the case of ASCII letters is ignored. */
  search?: string | undefined;
}

/** The key that a value belongs to, and its group. */
export interface KeyHolder {
  readonly keyId: KeyId;
  readonly keyName: string;
  readonly groupId: GroupId;
  readonly groupName: string;
}

export interface AccessStore {
  groups(): GroupRow[];
  group(id: GroupId): GroupRow | undefined;
  groupByName(name: string): GroupRow | undefined;
  insertGroup(row: { name: string; description: string; now: number }): GroupId;
  updateGroup(row: GroupRow): void;
  deleteGroup(id: GroupId): void;
  countKeys(groupId: GroupId): number;

  /** Returns the names of at most five functions that require a key of this group. */
  functionsOfGroup(groupId: GroupId): string[];

  /** Returns at most `limit` groups with an id above `after`, in order of id. */
  groupPage(after: number, limit: number): GroupSummary[];
  groupSummary(id: GroupId): GroupSummary | undefined;
  keySummary(id: KeyId): KeySummary | undefined;

  /** Returns at most `limit` keys with an id below `before`, newest first. */
  keyPage(filter: KeyFilter, before: number, limit: number): KeySummary[];

  /** Returns the newest `limit` keys of each of these groups. */
  newestKeys(groupIds: readonly GroupId[], limit: number): KeySummary[];
  keyCount(): number;

  /** Returns all keys in order of id, or at most `limit` with an id above `after`. */
  keys(groupId?: GroupId, after?: number, limit?: number): KeyRow[];
  key(id: KeyId): KeyRow | undefined;
  keyByName(groupId: GroupId, name: string): KeyRow | undefined;

  /** Returns the holder of a key; undefined also if the key's row, or its group's, was altered. */
  holder(lookup: Uint8Array): KeyHolder | undefined;
  insertKey(
    row: { groupId: GroupId; name: string; description: string; lookup: Uint8Array; ciphertext: string; now: number },
  ): KeyId;
  updateKey(row: { id: KeyId; name: string; description: string; ciphertext: string }): void;

  /** Returns the HMAC that each key is found by. */
  lookups(): { id: KeyId; name: string; groupName: string; lookup: Uint8Array }[];
  deleteKey(id: KeyId): boolean;

  /** Returns the last uses that earlier versions stored in this table. */
  earlierUses(): { id: KeyId; at: number }[];
  forgetEarlierUses(): void;
}

const KEY_COLUMNS = `
k.id, k.group_id AS groupId, g.name AS groupName, k.name, k.description, k.ciphertext,
  k.created_at AS createdAt`;
const SUMMARY_COLUMNS = `${KEY_COLUMNS}, (SELECT count(*) FROM secrets WHERE key_id = k.id) AS secrets`;
const FROM_KEYS = "FROM api_keys k JOIN key_groups g ON g.id = k.group_id";
const SELECT_KEY = `SELECT ${KEY_COLUMNS} ${FROM_KEYS}`;
const SELECT_KEY_SUMMARY = `SELECT ${SUMMARY_COLUMNS} ${FROM_KEYS}`;

const SELECT_GROUP_SUMMARY = `
SELECT g.id, g.name, g.description,
  (SELECT count(*) FROM api_keys WHERE group_id = g.id) AS keys,
  (SELECT count(*) FROM function_groups WHERE group_id = g.id) AS functions,
  (SELECT count(*) FROM secrets WHERE group_id = g.id) AS secrets
FROM key_groups g`;

/** Longer than 80 lines: it prepares all statements once, next to the methods that run them. */
export function createAccessStore(db: Database, rows: RowCheck): AccessStore {
  const groupPage = db.prepare(`${SELECT_GROUP_SUMMARY} WHERE g.id > ? ORDER BY g.id LIMIT ?`);
  const groupSummary = db.prepare(`${SELECT_GROUP_SUMMARY} WHERE g.id = ?`);
  const keySummary = db.prepare(`${SELECT_KEY_SUMMARY} WHERE k.id = ?`);
  const newest = "k.id < ? ORDER BY k.id DESC LIMIT ?";
  const keyPage = db.prepare(`${SELECT_KEY_SUMMARY} WHERE ${newest}`);
  const keyPageOfGroup = db.prepare(`${SELECT_KEY_SUMMARY} WHERE k.group_id = ? AND ${newest}`);
  // instr() rather than LIKE: the search text is not a pattern.
  const found = "(instr(lower(k.name), lower(?)) > 0 OR instr(lower(k.description), lower(?)) > 0)";
  const keySearch = db.prepare(`${SELECT_KEY_SUMMARY} WHERE ${found} AND ${newest}`);
  const keySearchInGroup = db.prepare(`${SELECT_KEY_SUMMARY} WHERE k.group_id = ? AND ${found} AND ${newest}`);
  // CROSS JOIN fixes the order: in another one, SQLite would search a group's newest keys once for each key.
  const newestKeys = db.prepare(
    `SELECT ${SUMMARY_COLUMNS} FROM json_each(?) wanted CROSS JOIN key_groups g CROSS JOIN api_keys k
     WHERE g.id = wanted.value
       AND k.id IN (SELECT id FROM api_keys WHERE group_id = g.id ORDER BY id DESC LIMIT ?)
     ORDER BY g.id, k.id DESC`,
  );
  const keyCount = db.prepare("SELECT count(*) AS n FROM api_keys");

  const groups = db.prepare("SELECT id, name, description FROM key_groups ORDER BY id");
  const group = db.prepare("SELECT id, name, description FROM key_groups WHERE id = ?");
  const groupByName = db.prepare("SELECT id, name, description FROM key_groups WHERE name = ?");
  const insertGroup = db.prepareChange("INSERT INTO key_groups (name, description, created_at) VALUES (?, ?, ?)");
  const updateGroup = db.prepareChange("UPDATE key_groups SET name = ?, description = ? WHERE id = ?");
  const deleteGroup = db.prepareChange("DELETE FROM key_groups WHERE id = ?");
  const countKeys = db.prepare("SELECT count(*) AS n FROM api_keys WHERE group_id = ?");
  const functionsOfGroup = db.prepare(
    "SELECT f.name FROM function_groups fg JOIN functions f ON f.id = fg.function_id WHERE fg.group_id = ? ORDER BY f.id LIMIT 5",
  );

  const keys = db.prepare(`${SELECT_KEY} WHERE k.id > ? ORDER BY k.id LIMIT ?`);
  const keysOfGroup = db.prepare(`${SELECT_KEY} WHERE k.group_id = ? AND k.id > ? ORDER BY k.id LIMIT ?`);
  const key = db.prepare(`${SELECT_KEY} WHERE k.id = ?`);
  const keyByName = db.prepare(`${SELECT_KEY} WHERE k.group_id = ? AND k.name = ?`);
  const holder = db.prepare(
    "SELECT k.id AS keyId, k.name AS keyName, g.id AS groupId, g.name AS groupName" +
      " FROM api_keys k JOIN key_groups g ON g.id = k.group_id WHERE k.lookup = ?",
  );
  const lookups = db.prepare(`SELECT k.id, k.name, g.name AS groupName, k.lookup ${FROM_KEYS} ORDER BY k.id`);
  const insertKey = db.prepareChange(
    "INSERT INTO api_keys (group_id, name, description, lookup, ciphertext, created_at) VALUES (?, ?, ?, ?, ?, ?)",
  );
  const updateKey = db.prepareChange("UPDATE api_keys SET name = ?, description = ?, ciphertext = ? WHERE id = ?");
  const deleteKey = db.prepareChange("DELETE FROM api_keys WHERE id = ?");
  const earlierUses = db.prepare("SELECT id, last_used_at AS at FROM api_keys WHERE last_used_at IS NOT NULL");
  const forgetUses = db.prepareChange("UPDATE api_keys SET last_used_at = NULL WHERE last_used_at IS NOT NULL");

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
    functionsOfGroup: (groupId: GroupId): string[] =>
      all<{ name: string }>(functionsOfGroup, groupId).map((row) => row.name),

    groupPage: (after: number, limit: number): GroupSummary[] => all<GroupSummary & Row>(groupPage, after, limit),
    groupSummary: (id: GroupId): GroupSummary | undefined => first<GroupSummary & Row>(groupSummary, id),
    keySummary: (id: KeyId): KeySummary | undefined => first<KeySummary & Row>(keySummary, id),
    keyPage({ groupId, search }: KeyFilter, before: number, limit: number): KeySummary[] {
      const words = search === undefined ? [] : [search, search];
      const group = groupId === undefined ? [] : [groupId];
      const statement = search === undefined
        ? groupId === undefined ? keyPage : keyPageOfGroup
        : groupId === undefined
        ? keySearch
        : keySearchInGroup;
      return all<KeySummary & Row>(statement, ...group, ...words, before, limit);
    },
    newestKeys: (groupIds: readonly GroupId[], limit: number): KeySummary[] =>
      all<KeySummary & Row>(newestKeys, JSON.stringify(groupIds), limit),
    keyCount: (): number => first<{ n: number }>(keyCount)!.n,

    keys: (groupId?: GroupId, after = 0, limit = Number.MAX_SAFE_INTEGER): KeyRow[] =>
      groupId === undefined
        ? all<KeyRow & Row>(keys, after, limit)
        : all<KeyRow & Row>(keysOfGroup, groupId, after, limit),
    key: (id: KeyId): KeyRow | undefined => first<KeyRow & Row>(key, id),
    keyByName: (groupId: GroupId, name: string): KeyRow | undefined => first<KeyRow & Row>(keyByName, groupId, name),
    holder(lookup: Uint8Array): KeyHolder | undefined {
      const found = first<KeyHolder & Row>(holder, lookup);
      return found && rows.check("api_keys", found.keyId) && rows.check("key_groups", found.groupId)
        ? found
        : undefined;
    },
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
    lookups: (): { id: KeyId; name: string; groupName: string; lookup: Uint8Array }[] =>
      all<{ id: KeyId; name: string; groupName: string; lookup: Uint8Array }>(lookups),
    deleteKey: (id: KeyId): boolean => deleteKey.run(id).changes > 0,
    earlierUses: (): { id: KeyId; at: number }[] => all<{ id: KeyId; at: number }>(earlierUses),
    forgetEarlierUses(): void {
      forgetUses.run();
    },
  };
}
