// Lists what a caller, a function or an actor has read, from the counts of reads and the audit, for the day on which one
// of them turns out to be compromised.

import type { FunctionId, KeyId, Scope, SecretId } from "../../ids.ts";
import { ownerId } from "../../ids.ts";
import type { Keyring } from "../../keyring/keyring.ts";
import type { AuditRow, AuditWho } from "../../store/audit.ts";
import type { SecretReadStore } from "../../store/secret_reads.ts";
import type { SecretRow } from "../../store/secrets.ts";
import type { Store } from "../../store/store.ts";
import { type OpenedSecret, openSecret, openVersion } from "./opened.ts";

/** Whose reads count; without any, everybody's. Times in milliseconds since 1970 UTC; `to` is not included. */
export interface ExposureFilter {
  /** Calls with this API key, and what it read through the API. */
  readonly keyId?: KeyId | undefined;
  readonly functionId?: FunctionId | undefined;
  /** What an actor read through the API or the pages. */
  readonly actor?: AuditWho | undefined;
  readonly from: number;
  readonly to: number;
}

/** A secret whose value was read. */
export interface ExposedValue {
  readonly secretId: SecretId;
  /** Null for a secret that is no longer in the bin. */
  readonly name: string | null;
  readonly scope: Scope | null;
  /** Null for global. */
  readonly scopeId: number | null;
  readonly scopeName: string | null;
  readonly firstReadAt: number;
  /** Not earlier than the last read; reads of days past are known by the day. */
  readonly lastReadAt: number;
  /** How often the value was disclosed. */
  readonly reads: number;
  /** How often a function could send the sealed value, without reading it. */
  readonly sealedUses: number;
  /** Whether another value was set after the last read, and none of those that were read is the current one again. */
  readonly rotatedSince: boolean;
  readonly deleted: boolean;
}

export interface Exposure {
  /** Returns the values that were read, the latest first. */
  values(filter: ExposureFilter): ExposedValue[];
}

export interface ExposureOptions {
  readonly store: Store;
  readonly keyring: Keyring;
  readonly reads: Pick<SecretReadStore, "exposed" | "exposedAt" | "last">;
  /** Stores what was counted so far. */
  readonly flush: () => void;
}

/** Entries of the audit read at a time. */
const PAGE = 1_000;

interface Sum {
  first: number;
  last: number;
  reads: number;
  sealedUses: number;
  /** The subject's name in the audit, if it has one. */
  name?: string;
}

export function createExposure({ store, keyring, reads, flush }: ExposureOptions): Exposure {
  const fingerprints = keyring.derive("exposed values");

  return {
    values(filter) {
      flush();
      const sums = new Map<SecretId, Sum>();
      if (!filter.actor) addReads(sums, filter);
      const actor = filter.actor ??
        (filter.keyId === undefined ? undefined : { kind: "key", id: String(filter.keyId) });
      if (filter.functionId === undefined) addRevealed(sums, filter, actor);
      return [...sums].map(([id, sum]) => toValue(id, sum)).sort((a, b) => b.lastReadAt - a.lastReadAt);
    },
  };

  function addReads(sums: Map<SecretId, Sum>, filter: ExposureFilter): void {
    for (const { secretId, first, end, count } of reads.exposed(filter)) {
      // A minute or a day is known, the last read of all exactly.
      const last = Math.min(end - 1, Math.max(first, reads.last(secretId)?.at ?? end));
      const sealedUses = sealedIn(secretId, filter, first, count);
      sums.set(secretId, { first, last, reads: count - sealedUses, sealedUses });
    }
  }

  /** Returns how many of the reads were of a value that was sealed then. */
  function sealedIn(id: SecretId, filter: ExposureFilter, first: number, count: number): number {
    const row = store.secrets.find(id);
    const seals = [
      ...(row ? [{ setAt: row.setAt, sealed: row.sealed }] : []),
      ...store.secretVersions.list(id),
    ];
    if (!seals.some(({ sealed }) => sealed)) return 0;
    const isSealedAt = (at: number): boolean => (seals.find(({ setAt }) => setAt <= at) ?? seals.at(-1)!).sealed;
    if (row?.sealed && row.setAt <= first) return count;
    return reads.exposedAt(id, filter).filter(({ at }) => isSealedAt(at)).reduce((sum, { reads }) => sum + reads, 0);
  }

  function addRevealed(sums: Map<SecretId, Sum>, { from, to }: ExposureFilter, actor: AuditWho | undefined): void {
    for (let before = Number.MAX_SAFE_INTEGER;;) {
      const page = store.audit.page({ action: "secret.revealed", actor, from, to }, before, PAGE);
      for (const entry of page) for (const id of idsOf(entry)) add(sums, id, entry);
      if (page.length < PAGE) return;
      before = page.at(-1)!.id;
    }
  }

  function add(sums: Map<SecretId, Sum>, id: SecretId, { at, subjectName }: AuditRow): void {
    const sum = sums.get(id) ?? { first: at, last: at, reads: 0, sealedUses: 0 };
    sum.first = Math.min(sum.first, at);
    sum.last = Math.max(sum.last, at);
    sum.reads++;
    if (subjectName !== "") sum.name ??= subjectName;
    sums.set(id, sum);
  }

  /**
   * Reports whether the current value of a secret is none of those that it had from `first` to `last`. Values that are no
   * longer kept, or cannot be read, are not compared.
   */
  function isReplaced(row: SecretRow, first: number, last: number): boolean {
    if (row.setAt <= last) return false;
    const read = store.secretVersions.list(row.id)
      .filter(({ setAt, until, previousUntil }) => setAt <= last && Math.max(until, previousUntil ?? 0) >= first);
    if (read.length === 0) return true;
    const current = fingerprintOf(openSecret(store.secrets, keyring, row));
    return current === undefined || !read.some((version) => fingerprintOf(openVersion(keyring, version)) === current);
  }

  function fingerprintOf({ value }: OpenedSecret): string | undefined {
    return value === null ? undefined : fingerprints.hexMac(value.reveal());
  }

  function toValue(secretId: SecretId, { first, last, reads, sealedUses, name }: Sum): ExposedValue {
    const row = store.secrets.find(secretId);
    const known = row ?? store.deletedSecrets.find(secretId);
    return {
      secretId,
      name: known?.name ?? name ?? null,
      scope: known?.owner.scope ?? null,
      scopeId: known ? ownerId(known.owner) || null : null,
      scopeName: known?.ownerName ?? null,
      firstReadAt: first,
      lastReadAt: last,
      reads,
      sealedUses,
      rotatedSince: row !== undefined && isReplaced(row, first, last),
      deleted: row === undefined,
    };
  }
}

/** Returns the ids of the secrets that an entry is about. */
function idsOf({ subjectId, after }: AuditRow): SecretId[] {
  if (subjectId !== null) return [Number(subjectId) as SecretId];
  const ids = after === null ? [] : (JSON.parse(after) as { ids?: unknown }).ids;
  return Array.isArray(ids) ? ids.filter((id) => Number.isSafeInteger(id)) : [];
}
