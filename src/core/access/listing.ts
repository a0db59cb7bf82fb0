// Key groups and API keys as people look through them: a page at a time, with what belongs to each counted.

import { notFound } from "../../errors.ts";
import type { GroupId, KeyId } from "../../ids.ts";
import type { Uses } from "./uses.ts";
import type { AccessStore, GroupSummary, KeyFilter, KeySummary } from "../../store/access.ts";

/** What is known of a key's use. */
export interface KeyUse {
  /** Milliseconds since 1970 UTC; null if it was never used. */
  lastUsedAt: number | null;
}

export type ListedKey = KeySummary & KeyUse;

/** A group with its newest keys. */
export interface GroupWithKeys extends GroupSummary {
  newest: ListedKey[];
}

/** `rows`, each with its last use. */
export function withUses<K extends { id: KeyId }>(rows: readonly K[], uses: Uses<KeyId>): (K & KeyUse)[] {
  const last = uses.last(rows.map(({ id }) => id));
  return rows.map((row) => ({ ...row, lastUsedAt: last.get(row.id) ?? null }));
}

export function accessListing(rows: AccessStore, uses: Uses<KeyId>) {
  return {
    /**
     * Groups after the one with id `after`, in order of id, at most `limit`, each with its newest `keysEach` keys;
     * `next` is set if there are more.
     */
    groupPage(after: number, limit: number, keysEach: number): { groups: GroupWithKeys[]; next: GroupId | undefined } {
      const found = rows.groupPage(after, limit + 1);
      const groups = found.slice(0, limit);
      const newest = withUses(rows.newestKeys(groups.map(({ id }) => id), keysEach), uses);
      const keys = Map.groupBy(newest, ({ groupId }) => groupId);
      return {
        groups: groups.map((group) => ({ ...group, newest: keys.get(group.id) ?? [] })),
        next: found.length > limit ? found[limit - 1]!.id : undefined,
      };
    },

    /** @throws AppError NotFound (404) */
    groupSummary(id: GroupId): GroupSummary {
      const summary = rows.groupSummary(id);
      if (!summary) throw notFound("key group", id);
      return summary;
    },

    /** Keys before the one with id `before`, the newest first, at most `limit`; `next` is set if there are more. */
    keyPage(
      filter: KeyFilter,
      before: number | undefined,
      limit: number,
    ): { keys: ListedKey[]; next: KeyId | undefined } {
      const found = rows.keyPage(filter, before ?? Number.MAX_SAFE_INTEGER, limit + 1);
      return {
        keys: withUses(found.slice(0, limit), uses),
        next: found.length > limit ? found[limit - 1]!.id : undefined,
      };
    },

    /** @throws AppError NotFound (404) */
    keySummary(id: KeyId): ListedKey {
      const summary = rows.keySummary(id);
      if (!summary) throw notFound("API key", id);
      return withUses([summary], uses)[0]!;
    },

    keyCounts(): { total: number; neverUsed: number } {
      const total = rows.keyCount();
      return { total, neverUsed: Math.max(0, total - uses.count()) };
    },
  };
}
