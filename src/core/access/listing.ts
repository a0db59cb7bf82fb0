// Lists key groups and API keys in pages, with counts and last uses.

import { notFound } from "../../errors.ts";
import type { GroupId, KeyId } from "../../ids.ts";
import { pageOf } from "../../paging.ts";
import type { Uses } from "./uses.ts";
import type {
  AccessStore,
  Expiring,
  GroupSummary,
  KeyFilter,
  KeyRow,
  KeySummary,
  StoredKeyOrder,
} from "../../store/access.ts";

/** How many days before its expiry a key is shown as about to expire. */
export const SOON_DAYS = 14;

/** When a key was last used. */
export interface KeyUse {
  /** Milliseconds since 1970 UTC; null if it was never used. */
  lastUsedAt: number | null;
}

export type ListedKey = KeySummary & KeyUse;

/** Keys that were never used count as used first, and those that never expire as expiring last. */
export interface KeyOrder {
  readonly by: StoredKeyOrder["by"] | "used";
  readonly isDescending: boolean;
}

/** A group with its newest keys. */
export interface GroupWithKeys extends GroupSummary {
  newest: ListedKey[];
}

const ALL = Number.MAX_SAFE_INTEGER;

/** Sorts keys by their last uses, which are in another database. Equal ones stay in their order. */
function byUse(ids: readonly KeyId[], { isDescending }: KeyOrder, uses: Uses<KeyId>): KeyId[] {
  const last = uses.last(ids);
  const sign = isDescending ? -1 : 1;
  return ids.toSorted((a, b) => sign * ((last.get(a) ?? 0) - (last.get(b) ?? 0)));
}

/** Returns `rows`, each with its last use. */
export function withUses<K extends { id: KeyId }>(rows: readonly K[], uses: Uses<KeyId>): (K & KeyUse)[] {
  const last = uses.last(rows.map(({ id }) => id));
  return rows.map((row) => ({ ...row, lastUsedAt: last.get(row.id) ?? null }));
}

export interface AccessListing {
  /**
   * Returns at most `limit` groups with an id above `after`, in order of id, each with its newest `keysEach` keys.
   * `next` is set if there are more.
   */
  groupPage(after: number, limit: number, keysEach: number): { groups: GroupWithKeys[]; next: GroupId | undefined };
  /** @throws AppError NotFound (404) */
  groupSummary(id: GroupId): GroupSummary;
  /** Returns at most `limit` keys with an id below `before`, newest first; `next` is set if there are more. */
  keyPage(
    filter: KeyFilter,
    before: number | undefined,
    limit: number,
  ): { keys: ListedKey[]; next: KeyId | undefined };
  /** Returns at most `limit` keys in an order, after `skip` others; `next` is how many the next page skips. */
  orderedKeys(
    filter: KeyFilter,
    order: KeyOrder,
    skip: number,
    limit: number,
  ): { keys: ListedKey[]; next: number | undefined };
  /** @throws AppError NotFound (404) */
  keySummary(id: KeyId): ListedKey;
  /** Returns at most `limit` keys that expire in a period, the earliest first. */
  expiring(wanted: Expiring, limit: number): KeyRow[];
  keyCounts(): { total: number; neverUsed: number };
}

export function createAccessListing(rows: AccessStore, uses: Uses<KeyId>): AccessListing {
  return {
    groupPage(after, limit, keysEach) {
      const { rows: groups, next } = pageOf(rows.groupPage(after, limit + 1), limit, ({ id }) => id);
      const newest = withUses(rows.newestKeys(groups.map(({ id }) => id), keysEach), uses);
      const keys = Map.groupBy(newest, ({ groupId }) => groupId);
      return { groups: groups.map((group) => ({ ...group, newest: keys.get(group.id) ?? [] })), next };
    },

    groupSummary(id) {
      const summary = rows.groupSummary(id);
      if (!summary) throw notFound("key group", id);
      return summary;
    },

    keyPage(filter, before = Number.MAX_SAFE_INTEGER, limit) {
      const { rows: keys, next } = pageOf(rows.keyPage(filter, before, limit + 1), limit, ({ id }) => id);
      return { keys: withUses(keys, uses), next };
    },

    orderedKeys(filter, order, skip, limit) {
      const ids = order.by === "used"
        ? byUse(rows.orderedKeys(filter, { by: "created", isDescending: true }, 0, ALL), order, uses)
          .slice(skip, skip + limit + 1)
        : rows.orderedKeys(filter, { ...order, by: order.by }, skip, limit + 1);
      const keys = withUses(rows.keySummaries(ids.slice(0, limit)), uses);
      return { keys, next: ids.length > limit ? skip + limit : undefined };
    },

    keySummary(id) {
      const summary = rows.keySummary(id);
      if (!summary) throw notFound("API key", id);
      return withUses([summary], uses)[0]!;
    },

    expiring: (wanted, limit) => rows.expiring(wanted, limit),

    keyCounts() {
      const total = rows.keyCount();
      return { total, neverUsed: Math.max(0, total - uses.count()) };
    },
  };
}
