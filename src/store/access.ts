// Stores key groups and API keys. A key's value is stored only as a ciphertext and as an HMAC for look-ups.

import type { StatementSync } from "node:sqlite";
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
  /** When its value was replaced for the last time; null if never. */
  rolledAt: number | null;
  /** Until when the value before it is accepted, which may be in the past; null if it was never replaced. */
  previousUntil: number | null;
  /** From then on, the key is refused; null for never. */
  expiresAt: number | null;
}

export interface NewKeyRow extends Pick<KeyRow, "groupId" | "name" | "description" | "ciphertext"> {
  readonly lookup: Uint8Array;
  readonly expiresAt?: number | null;
  readonly now: number;
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
  /** The HMAC of the value that was presented; undefined if none was. */
  readonly lookup?: Uint8Array | undefined;
  /** From then on, that value is refused. Milliseconds since 1970 UTC, maybe in the past; missing for never. */
  readonly until?: number | undefined;
}

/** The key that a replaced value belongs to for some time. */
export interface PreviousHolder {
  readonly holder: KeyHolder;
  /** When the time of the value is over, whether the key itself expires earlier or not. */
  readonly previousUntil: number;
}

/** The values of a key, by their HMACs. */
export interface KeyLookups {
  readonly id: KeyId;
  readonly name: string;
  readonly groupId: GroupId;
  readonly groupName: string;
  readonly createdAt: number;
  readonly lookup: Uint8Array;
  readonly rolledAt: number | null;
  /** Null if there is none, or some time after it ended. */
  readonly previousLookup: Uint8Array | null;
  readonly previousUntil: number | null;
  readonly expiresAt: number | null;
}

/** A new value of a key, and the HMAC of the one before. */
export interface KeyRoll extends Pick<KeyLookups, "id" | "lookup" | "rolledAt" | "previousLookup" | "previousUntil"> {
  readonly ciphertext: string;
}

/** Keys that expire in a period. Times are in milliseconds since 1970 UTC. */
export interface Expiring {
  readonly from: number;
  readonly before: number;
  /** Leaves out keys that were created or rolled for a shorter time, such as those of a job. */
  readonly lifeMs: number;
}

/** Keys that never expire count as expiring last. */
export interface StoredKeyOrder {
  readonly by: "name" | "expires" | "created";
  readonly isDescending: boolean;
}

const ORDERS: Readonly<Record<StoredKeyOrder["by"], readonly string[]>> = {
  name: ["k.name COLLATE NOCASE", "k.name", "k.id"],
  expires: ["k.expires_at IS NULL", "k.expires_at", "k.id"],
  created: ["k.id"],
};

export interface AccessStore {
  groups(): GroupRow[];
  group(id: GroupId): GroupRow | undefined;
  groupByName(name: string): GroupRow | undefined;
  insertGroup(row: { name: string; description: string; now: number }): GroupId;
  updateGroup(row: GroupRow): void;
  deleteGroup(id: GroupId): void;
  countKeys(groupId: GroupId): number;
  /** Returns how many keys of the group have not expired. */
  countUsable(groupId: GroupId, now: number): number;

  /** Returns the names of at most five functions that require a key of this group. */
  functionsOfGroup(groupId: GroupId): string[];

  /** Returns at most `limit` groups with an id above `after`, in order of id. */
  groupPage(after: number, limit: number): GroupSummary[];
  groupSummary(id: GroupId): GroupSummary | undefined;
  keySummary(id: KeyId): KeySummary | undefined;

  /** Returns at most `limit` keys with an id below `before`, newest first. */
  keyPage(filter: KeyFilter, before: number, limit: number): KeySummary[];

  /** Returns the ids of at most `limit` keys in an order, after `skip` others. */
  orderedKeys(filter: KeyFilter, order: StoredKeyOrder, skip: number, limit: number): KeyId[];

  /** Returns those of these keys that exist, in their order. */
  keySummaries(ids: readonly KeyId[]): KeySummary[];

  /** Returns the newest `limit` keys of each of these groups. */
  newestKeys(groupIds: readonly GroupId[], limit: number): KeySummary[];
  keyCount(): number;

  /** Returns all keys in order of id, or at most `limit` with an id above `after`. */
  keys(groupId?: GroupId, after?: number, limit?: number): KeyRow[];
  key(id: KeyId): KeyRow | undefined;
  keyByName(groupId: GroupId, name: string): KeyRow | undefined;

  /** Returns the holder of a key; undefined also if the key's row, or its group's, was altered. */
  holder(lookup: Uint8Array): KeyHolder | undefined;

  /** Likewise for a value that was replaced, whether its time is over or not. */
  previousHolder(lookup: Uint8Array): PreviousHolder | undefined;
  insertKey(row: NewKeyRow): KeyId;
  updateKey(row: Pick<KeyRow, "id" | "name" | "description" | "ciphertext" | "expiresAt">): void;
  setExpiry(id: KeyId, expiresAt: number | null): void;

  /** Returns at most `limit` keys as `Expiring` says, the earliest first. */
  expiring(wanted: Expiring, limit: number): KeyRow[];

  /** Replaces the value. */
  rollKey(row: KeyRoll): void;

  /** Ends the previous value of a key, if it has not ended before. */
  endPrevious(id: KeyId, now: number): void;

  /** Returns the ids of at most `limit` keys with a previous value that ended by `now` and is still stored. */
  endedPrevious(now: number, limit: number): KeyId[];

  /** Returns the HMACs that each key is found by. */
  lookups(): KeyLookups[];
  keyLookups(id: KeyId): KeyLookups | undefined;
  deleteKey(id: KeyId): boolean;

  /** Returns the last uses that earlier versions stored in this table. */
  earlierUses(): { id: KeyId; at: number }[];
  forgetEarlierUses(): void;
}

const KEY_COLUMNS = `
k.id, k.group_id AS groupId, g.name AS groupName, k.name, k.description, k.ciphertext,
  k.created_at AS createdAt, k.rolled_at AS rolledAt, k.previous_until AS previousUntil, k.expires_at AS expiresAt`;
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
  const keySummaries = db.prepare(
    `SELECT ${SUMMARY_COLUMNS} FROM json_each(?) wanted CROSS JOIN api_keys k CROSS JOIN key_groups g
     WHERE k.id = wanted.value AND g.id = k.group_id ORDER BY wanted.key`,
  );
  // One statement for each combination of filter and order in use.
  const ordered = new Map<string, StatementSync>();
  const keyCount = db.prepare("SELECT count(*) AS n FROM api_keys");

  const groups = db.prepare("SELECT id, name, description FROM key_groups ORDER BY id");
  const group = db.prepare("SELECT id, name, description FROM key_groups WHERE id = ?");
  const groupByName = db.prepare("SELECT id, name, description FROM key_groups WHERE name = ?");
  const insertGroup = db.prepareChange("INSERT INTO key_groups (name, description, created_at) VALUES (?, ?, ?)");
  const updateGroup = db.prepareChange("UPDATE key_groups SET name = ?, description = ? WHERE id = ?");
  const deleteGroup = db.prepareChange("DELETE FROM key_groups WHERE id = ?");
  const countKeys = db.prepare("SELECT count(*) AS n FROM api_keys WHERE group_id = ?");
  const countUsable = db.prepare(
    "SELECT count(*) AS n FROM api_keys WHERE group_id = ? AND (expires_at IS NULL OR expires_at > ?)",
  );
  const functionsOfGroup = db.prepare(
    "SELECT f.name FROM function_groups fg JOIN functions f ON f.id = fg.function_id WHERE fg.group_id = ? ORDER BY f.id LIMIT 5",
  );

  const keys = db.prepare(`${SELECT_KEY} WHERE k.id > ? ORDER BY k.id LIMIT ?`);
  const keysOfGroup = db.prepare(`${SELECT_KEY} WHERE k.group_id = ? AND k.id > ? ORDER BY k.id LIMIT ?`);
  const key = db.prepare(`${SELECT_KEY} WHERE k.id = ?`);
  const keyByName = db.prepare(`${SELECT_KEY} WHERE k.group_id = ? AND k.name = ?`);
  const holderColumns = "k.id AS keyId, k.name AS keyName, g.id AS groupId, g.name AS groupName";
  const holder = db.prepare(`SELECT ${holderColumns}, k.lookup, k.expires_at AS until ${FROM_KEYS} WHERE k.lookup = ?`);
  const previousHolder = db.prepare(
    `SELECT ${holderColumns}, k.previous_lookup AS lookup, k.previous_until AS previousUntil,
       min(k.previous_until, ifnull(k.expires_at, k.previous_until)) AS until ${FROM_KEYS}
     WHERE k.previous_lookup = ?`,
  );
  const selectLookups = `SELECT k.id, k.name, k.group_id AS groupId, g.name AS groupName, k.created_at AS createdAt,
    k.lookup, k.rolled_at AS rolledAt, k.previous_lookup AS previousLookup, k.previous_until AS previousUntil,
    k.expires_at AS expiresAt ${FROM_KEYS}`;
  const lookups = db.prepare(`${selectLookups} ORDER BY k.id`);
  const keyLookups = db.prepare(`${selectLookups} WHERE k.id = ?`);
  const rollKey = db.prepareChange(
    `UPDATE api_keys SET lookup = ?, ciphertext = ?, rolled_at = ?, previous_lookup = ?, previous_until = ?
     WHERE id = ?`,
  );
  const endPrevious = db.prepareChange(
    "UPDATE api_keys SET previous_lookup = NULL, previous_until = min(previous_until, ?) WHERE id = ?",
  );
  const endedPrevious = db.prepare(
    `SELECT id FROM api_keys WHERE previous_lookup IS NOT NULL AND previous_until <= ?
     ORDER BY previous_until LIMIT ?`,
  );
  const insertKey = db.prepareChange(
    "INSERT INTO api_keys (group_id, name, description, lookup, ciphertext, expires_at, created_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
  );
  const updateKey = db.prepareChange(
    "UPDATE api_keys SET name = ?, description = ?, ciphertext = ?, expires_at = ? WHERE id = ?",
  );
  const setExpiry = db.prepareChange("UPDATE api_keys SET expires_at = ? WHERE id = ?");
  const expiring = db.prepare(
    `${SELECT_KEY} WHERE k.expires_at >= ? AND k.expires_at < ?
       AND k.expires_at - max(k.created_at, ifnull(k.rolled_at, 0)) > ? ORDER BY k.expires_at, k.id LIMIT ?`,
  );
  const deleteKey = db.prepareChange("DELETE FROM api_keys WHERE id = ?");
  const earlierUses = db.prepare("SELECT id, last_used_at AS at FROM api_keys WHERE last_used_at IS NOT NULL");
  const forgetUses = db.prepareChange("UPDATE api_keys SET last_used_at = NULL WHERE last_used_at IS NOT NULL");

  const isUnaltered = ({ keyId, groupId }: StoredHolder): boolean =>
    rows.check("api_keys", keyId) && rows.check("key_groups", groupId);

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
    countUsable: (groupId: GroupId, now: number): number => first<{ n: number }>(countUsable, groupId, now)!.n,
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
    orderedKeys({ groupId, search }: KeyFilter, { by, isDescending }, skip, limit): KeyId[] {
      const conditions = [groupId !== undefined && "k.group_id = ?", search !== undefined && found].filter(Boolean);
      const where = conditions.length === 0 ? "" : `WHERE ${conditions.join(" AND ")}`;
      const order = ORDERS[by].map((column) => isDescending ? `${column} DESC` : column).join(", ");
      // The ids alone: the other columns of keys that are not shown would be read for sorting.
      const sql = `SELECT k.id FROM api_keys k ${where} ORDER BY ${order} LIMIT ? OFFSET ?`;
      let statement = ordered.get(sql);
      if (!statement) ordered.set(sql, statement = db.prepare(sql));
      const values = [...(groupId === undefined ? [] : [groupId]), ...(search === undefined ? [] : [search, search])];
      return all<{ id: KeyId }>(statement, ...values, limit, skip).map(({ id }) => id);
    },
    keySummaries: (ids: readonly KeyId[]): KeySummary[] => all<KeySummary & Row>(keySummaries, JSON.stringify(ids)),
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
      const found = first<StoredHolder & Row>(holder, lookup);
      return found && isUnaltered(found) ? toHolder(found) : undefined;
    },
    previousHolder(lookup: Uint8Array): PreviousHolder | undefined {
      const found = first<StoredHolder & { previousUntil: number } & Row>(previousHolder, lookup);
      if (!found || !isUnaltered(found)) return undefined;
      const { previousUntil, ...holder } = found;
      return { holder: toHolder(holder), previousUntil };
    },
    insertKey: (row: NewKeyRow): KeyId => {
      const { groupId, name, description, lookup, ciphertext, expiresAt = null, now } = row;
      return insert(insertKey, groupId, name, description, lookup, ciphertext, expiresAt, now) as KeyId;
    },
    updateKey(row): void {
      updateKey.run(row.name, row.description, row.ciphertext, row.expiresAt, row.id);
    },
    setExpiry(id: KeyId, expiresAt: number | null): void {
      setExpiry.run(expiresAt, id);
    },
    expiring: ({ from, before, lifeMs }: Expiring, limit: number): KeyRow[] =>
      all<KeyRow & Row>(expiring, from, before, lifeMs, limit),
    rollKey({ id, lookup, ciphertext, rolledAt, previousLookup, previousUntil }: KeyRoll): void {
      rollKey.run(lookup, ciphertext, rolledAt, previousLookup, previousUntil, id);
    },
    endPrevious(id: KeyId, now: number): void {
      endPrevious.run(now, id);
    },
    endedPrevious: (now: number, limit: number): KeyId[] =>
      all<{ id: KeyId }>(endedPrevious, now, limit).map(({ id }) => id),
    lookups: (): KeyLookups[] => all<KeyLookups & Row>(lookups),
    keyLookups: (id: KeyId): KeyLookups | undefined => first<KeyLookups & Row>(keyLookups, id),
    deleteKey: (id: KeyId): boolean => deleteKey.run(id).changes > 0,
    earlierUses: (): { id: KeyId; at: number }[] => all<{ id: KeyId; at: number }>(earlierUses),
    forgetEarlierUses(): void {
      forgetUses.run();
    },
  };
}

type StoredHolder = Omit<KeyHolder, "until"> & { until: number | null };

function toHolder({ until, ...holder }: StoredHolder): KeyHolder {
  return until === null ? holder : { ...holder, until };
}
