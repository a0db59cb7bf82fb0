// Replaces the values of API keys. The value before stays accepted for a while, so that callers can change over.

import { type Actor, type AuditEvent, type Recorder, SERVER } from "../../actor.ts";
import { AppError, conflict, notFound } from "../../errors.ts";
import type { KeyId } from "../../ids.ts";
import { apiKeyAad } from "../../keyring/aad.ts";
import type { Keyring } from "../../keyring/keyring.ts";
import type { KeyRow } from "../../store/access.ts";
import type { Store } from "../../store/store.ts";
import { DAY_MS, SECOND_MS } from "../../time.ts";
import { type ExpectedVersions, requireVersion } from "../../versions.ts";
import { keyVersion, newKeyValue, timeText } from "./values.ts";

export const GRACE_MAX_SECONDS = 30 * DAY_MS / SECOND_MS;

const DROPPED_AT_ONCE = 500;

export interface Roll {
  /** How long the value before the new one stays accepted. */
  readonly graceSeconds: number;
  /** Generated if undefined. */
  readonly value?: string | undefined;
  /** The key's expiry from now on; undefined to keep the one that it has. */
  readonly expiresAt?: number | null | undefined;
}

export interface RolledKey {
  readonly row: KeyRow;
  readonly value: string;
}

export interface Rolling {
  /**
   * Replaces the value of a key, which keeps its id, its name and its secrets. Without a grace, all earlier values end
   * at once.
   * @throws AppError NotFound (404), PreconditionFailed (412), Conflict (409) if the value is in use, or if an earlier
   *   one is still accepted and a grace is wanted
   */
  rollKey(actor: Actor, id: KeyId, wanted: Roll, expected?: ExpectedVersions): RolledKey;

  /** Ends the previous value of a key. @throws AppError NotFound (404) if none is accepted, PreconditionFailed (412) */
  revokePrevious(actor: Actor, id: KeyId, expected?: ExpectedVersions): KeyRow;

  /** Returns until when the previous value of a key is accepted; null if none is. */
  previousUntil(key: Pick<KeyRow, "previousUntil" | "expiresAt">): number | null;

  /** Reports whether a key has expired. */
  isExpired(key: Pick<KeyRow, "expiresAt">): boolean;

  /** Refuses an expiry that is not in the future. @throws AppError InvalidInput (400) */
  refusePast(expiresAt: number | null | undefined): void;

  /**
   * Refuses a value that is the previous one of a key, and forgets it if its time is over.
   * @throws AppError Conflict (409)
   */
  refusePrevious(value: string): void;

  /** Reports whether values that have ended are still stored. */
  isDue(): boolean;

  /** Forgets values that have ended, at most 500 at once. */
  prune(): void;
}

export interface RollingOptions {
  readonly store: Store;
  readonly keyring: Keyring;
  /** Milliseconds since 1970 UTC. */
  readonly now: () => number;
  readonly record: Recorder;
}

export function createRolling({ store, keyring, now, record }: RollingOptions): Rolling {
  const rows = store.access;

  const keyOf = (id: KeyId, expected: ExpectedVersions | undefined): KeyRow => {
    const row = rows.key(id);
    if (!row) throw notFound("API key", id);
    requireVersion(expected, keyVersion(row), `the API key "${row.groupName}/${row.name}"`);
    return row;
  };

  const isExpired = ({ expiresAt }: Pick<KeyRow, "expiresAt">): boolean => expiresAt !== null && expiresAt <= now();

  const previousUntil = ({ previousUntil, expiresAt }: Pick<KeyRow, "previousUntil" | "expiresAt">): number | null => {
    const until = Math.min(previousUntil ?? 0, expiresAt ?? Infinity);
    return until > now() ? until : null;
  };

  const refusePast = (expiresAt: number | null | undefined): void => {
    if (expiresAt !== null && expiresAt !== undefined && expiresAt <= now()) {
      throw invalidExpiry("must be in the future");
    }
  };

  const refusePrevious = (value: string): void => {
    const found = rows.previousHolder(keyring.lookup(value));
    if (!found) return;
    if (found.previousUntil > now()) {
      throw conflict("This value is still accepted as the previous value of a key.", { value: "is taken" });
    }
    rows.endPrevious(found.holder.keyId, now());
  };

  return {
    previousUntil,
    isExpired,
    refusePast,
    refusePrevious,

    rollKey: (actor, id, { graceSeconds, value = newKeyValue(), expiresAt }, expected) =>
      store.change(actor, () => {
        const row = keyOf(id, expected);
        refusePast(expiresAt);
        if (expiresAt === undefined && isExpired(row)) throw invalidExpiry("is required, as the key has expired");
        const earlier = previousUntil(row);
        if (graceSeconds > 0 && earlier !== null) {
          throw conflict(
            `The previous value of this key is accepted until ${new Date(earlier).toISOString()}. ` +
              "Revoke it first, or roll the key with graceSeconds 0, which ends both values.",
          );
        }
        const lookup = keyring.lookup(value);
        if (rows.holder(lookup)) throw conflict("This value is already in use by a key.", { value: "is taken" });
        refusePrevious(value);
        const at = now();
        const until = at + graceSeconds * SECOND_MS;
        rows.rollKey({
          id,
          lookup,
          ciphertext: keyring.seal(value, apiKeyAad(row.groupId, row.name)),
          rolledAt: at,
          previousLookup: graceSeconds > 0 ? rows.keyLookups(id)!.lookup : null,
          previousUntil: until,
        });
        const isMoved = expiresAt !== undefined && expiresAt !== row.expiresAt;
        if (isMoved) rows.setExpiry(id, expiresAt);
        record(actor, {
          ...keyAction("key.rolled", row),
          ...(isMoved && { before: { expiresAt: timeText(row.expiresAt) } }),
          after: {
            value: "set",
            previousUntil: graceSeconds > 0 ? timeText(until) : null,
            ...(isMoved && { expiresAt: timeText(expiresAt) }),
          },
        });
        return { row: rows.key(id)!, value };
      }),

    revokePrevious: (actor, id, expected) =>
      store.change(actor, () => {
        const row = keyOf(id, expected);
        if (previousUntil(row) === null) {
          throw notFound("previous value that is accepted for the API key", id);
        }
        rows.endPrevious(id, now());
        record(actor, keyAction("key.previous-value-revoked", row));
        return rows.key(id)!;
      }),

    isDue: () => rows.endedPrevious(now(), 1).length > 0,

    prune: () =>
      store.change(SERVER, () => {
        const at = now();
        for (const id of rows.endedPrevious(at, DROPPED_AT_ONCE)) rows.endPrevious(id, at);
      }),
  };
}

function invalidExpiry(problem: string): AppError {
  return new AppError("InvalidInput", 400, `expiresAt ${problem}`, { expiresAt: problem });
}

function keyAction(action: AuditEvent["action"], { id, name }: KeyRow): AuditEvent {
  return { action, subject: { kind: "key", id, name } };
}
