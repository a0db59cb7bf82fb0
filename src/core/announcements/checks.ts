// Finds what no event reports: secrets that are due, functions whose calls fail, API keys that expire or are unused, old
// backups.

import type { FunctionId } from "../../ids.ts";
import type { DuePlace, SecretRow } from "../../store/secrets.ts";
import type { Store } from "../../store/store.ts";
import { DAY_MS, HOUR_MS } from "../../time.ts";
import type { ListedKey } from "../access/listing.ts";
import type { Announcement, Ended } from "./events.ts";

/** A function fails when at least this many of its calls failed within an hour, and half of all. */
const FAILURES_MIN = 5;
const FUNCTIONS_MAX = 100;
/** How often one is announced that keeps failing. */
const FAILING_AGAIN_MS = DAY_MS;
const SECRETS_PAGE = 500;
const EXPIRING_MAX = 1_000;

export interface ChecksOptions {
  readonly store: Pick<Store, "secrets" | "functions" | "access" | "audit" | "announced">;
  /** Returns the functions whose calls failed since `sinceMs`, the worst first. */
  readonly failing: (
    sinceMs: number,
    limit: number,
  ) => readonly { readonly functionId: FunctionId; readonly calls: number; readonly failures: number }[];
  /** Returns all API keys, with their last uses. */
  readonly keys: () => readonly Pick<ListedKey, "id" | "name" | "groupName" | "createdAt" | "lastUsedAt">[];
  readonly now: () => number;
  /** Whether backups are recorded in the audit, which those of a cluster's nodes are not. */
  readonly knowsBackups: boolean;
  /** With 0, none is announced; likewise below. */
  readonly unusedKeyDays: () => number;
  readonly expiringKeyDays: () => number;
  readonly oldBackupDays: () => number;
}

/** Returns what is so now, of the types that are wanted, and what is no longer so. */
export type Check = (wanted: readonly string[]) => Iterable<Announcement | Ended>;

export function createChecks(options: ChecksOptions): Check {
  return function* (wanted) {
    if (wanted.includes("function.failing")) yield* failingFunctions(options);
    if (wanted.includes("secret.due")) yield* dueSecrets(options);
    if (wanted.includes("key.expiring")) yield* expiringKeys(options);
    if (wanted.includes("key.unused")) yield* unusedKeys(options);
    if (wanted.includes("backup.old") && options.knowsBackups) yield* oldBackup(options);
  };
}

function* dueSecrets({ store: { secrets }, now }: ChecksOptions): Iterable<Announcement> {
  const at = now();
  let after: DuePlace | undefined;
  while (true) {
    const page: SecretRow[] = secrets.due(at, {}, after, SECRETS_PAGE);
    for (const { id, name, owner, ownerName, dueAt, expiresAt } of page) {
      if (dueAt === null) continue;
      yield {
        type: "secret.due",
        topic: `due ${id} ${dueAt}`,
        at,
        data: {
          secretId: id,
          name,
          scope: owner.scope,
          ownerName,
          dueAt: isoTime(dueAt),
          expiresAt: isoTime(expiresAt),
        },
      };
    }
    if (page.length < SECRETS_PAGE) return;
    const last = page.at(-1)!;
    after = { dueAt: last.dueAt!, id: last.id };
  }
}

function* failingFunctions({ store, failing, now }: ChecksOptions): Iterable<Announcement | Ended> {
  const at = now();
  const topics = new Set<string>();
  for (const { functionId, calls, failures } of failing(at - HOUR_MS, FUNCTIONS_MAX)) {
    const found = store.functions.find(functionId);
    if (!found || failures < FAILURES_MIN || failures * 2 < calls) continue;
    const topic = `failing ${functionId}`;
    topics.add(topic);
    yield {
      type: "function.failing",
      topic,
      againAfterMs: FAILING_AGAIN_MS,
      at,
      data: { functionId, functionName: found.name, calls, failures },
    };
  }
  for (const { topic, at: announcedAt } of store.announced.topics("failing ")) {
    if (!topics.has(topic) && announcedAt <= at - HOUR_MS) yield { ended: topic };
  }
}

function* expiringKeys({ store: { access }, now, expiringKeyDays }: ChecksOptions): Iterable<Announcement> {
  const [at, lifeMs] = [now(), expiringKeyDays() * DAY_MS];
  if (lifeMs === 0) return;
  for (
    const { id, name, groupName, expiresAt } of access.expiring(
      { from: at + 1, before: at + lifeMs, lifeMs },
      EXPIRING_MAX,
    )
  ) {
    yield {
      type: "key.expiring",
      topic: `expiring ${id} ${expiresAt}`,
      at,
      data: { keyId: id, keyName: `${groupName}/${name}`, expiresAt: isoTime(expiresAt) },
    };
  }
}

function* unusedKeys({ keys, now, unusedKeyDays }: ChecksOptions): Iterable<Announcement> {
  const [at, days] = [now(), unusedKeyDays()];
  if (days === 0) return;
  for (const { id, name, groupName, createdAt, lastUsedAt } of keys()) {
    const since = lastUsedAt ?? createdAt;
    if (since > at - days * DAY_MS) continue;
    const data = {
      keyId: id,
      keyName: `${groupName}/${name}`,
      createdAt: isoTime(createdAt),
      lastUsedAt: isoTime(lastUsedAt),
    };
    yield { type: "key.unused", topic: `unused ${id} ${since}`, at, data };
  }
}

/** The audit knows of backups that `cli backup` makes. Without any, the time begins with the audit. */
function* oldBackup({ store: { audit }, now, oldBackupDays }: ChecksOptions): Iterable<Announcement> {
  const [at, days] = [now(), oldBackupDays()];
  if (days === 0) return;
  const [last] = audit.page({ action: "backup.created" }, Number.MAX_SAFE_INTEGER, 1);
  const since = last?.at ?? audit.following(0, Number.MAX_SAFE_INTEGER, 1)[0]?.at;
  if (since === undefined || since > at - days * DAY_MS) return;
  const data = { lastBackupAt: isoTime(last?.at ?? null), days };
  yield { type: "backup.old", topic: "backup", againAfterMs: days * DAY_MS, at, data };
}

function isoTime(ms: number): string;
function isoTime(ms: number | null): string | null;
function isoTime(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString();
}
