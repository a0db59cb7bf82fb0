// Key groups and API keys as people look through them: a page at a time, with what belongs to each counted.

import { notFound } from "../errors.ts";
import type { GroupId, KeyId } from "../ids.ts";
import type { AccessStore, GroupSummary, KeyFilter, KeySummary } from "../store/access.ts";

/** A group with its newest keys. */
export interface GroupWithKeys extends GroupSummary {
  newest: KeySummary[];
}

export function accessListing(rows: AccessStore) {
  return {
    /**
     * Groups after the one with id `after`, in order of id, at most `limit`, each with its newest `keysEach` keys;
     * `next` is set if there are more.
     */
    groupPage(after: number, limit: number, keysEach: number): { groups: GroupWithKeys[]; next: GroupId | undefined } {
      const found = rows.groupPage(after, limit + 1);
      const groups = found.slice(0, limit);
      const keys = Map.groupBy(rows.newestKeys(groups.map(({ id }) => id), keysEach), ({ groupId }) => groupId);
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
    ): { keys: KeySummary[]; next: KeyId | undefined } {
      const found = rows.keyPage(filter, before ?? Number.MAX_SAFE_INTEGER, limit + 1);
      return { keys: found.slice(0, limit), next: found.length > limit ? found[limit - 1]!.id : undefined };
    },

    /** @throws AppError NotFound (404) */
    keySummary(id: KeyId): KeySummary {
      const summary = rows.keySummary(id);
      if (!summary) throw notFound("API key", id);
      return summary;
    },

    keyCounts: rows.keyCounts,
  };
}
