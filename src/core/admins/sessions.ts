// Manages the sessions of signed-in users: finds a session by the token in its cookie, and ends sessions. The database
// holds only MACs of the tokens.

import { createHash, randomBytes } from "node:crypto";
import { Buffer } from "node:buffer";
import type { Actor, Recorder } from "../../actor.ts";
import { reasonOf } from "../../errors.ts";
import type { AdminId, SessionId } from "../../ids.ts";
import type { DerivedKey } from "../../keyring/derived_key.ts";
import { noUses, type Uses } from "../access/uses.ts";
import type { AdminRow, SessionRow } from "../../store/admins.ts";
import type { Store } from "../../store/store.ts";

const TOKEN_BYTES = 32;
/** The stored time of the last use is updated once this fraction of the idle limit has passed. */
const IDLE_STEPS = 10;
const USER_AGENT_MAX_LENGTH = 300;

export interface SessionLimits {
  /** Time without use after which a session ends. */
  readonly idleMs: () => number;
  /** Time after which a session ends even if it is in use. */
  readonly longestMs: () => number;
}

/** Where a session was started, which its user can see. */
export interface SessionOrigin {
  readonly address: string;
  readonly userAgent: string;
}

export interface SignedInSession {
  readonly session: SessionRow;
  readonly admin: AdminRow;
}

export interface Sessions {
  /** Starts a session and returns its token, which cannot be read again. Runs within the caller's transaction. */
  begin(adminId: AdminId, origin: SessionOrigin): string;

  /** Returns the session with this token and its user, and restarts its idle time; undefined if it has ended. */
  find(token: string): SignedInSession | undefined;

  /** Reports whether `find` would find the session; does not count as a use. */
  isLive(token: string): boolean;

  /** Returns an admin's live sessions, the most recently used first. */
  list(adminId: AdminId): SessionRow[];

  /** Ends one session of this admin, if there is one with this id. */
  end(actor: Actor, id: SessionId, admin: AdminRow): void;

  /** Ends all sessions of an admin and returns how many there were. */
  endAll(actor: Actor, admin: AdminRow): number;
}

export interface SessionsOptions {
  readonly store: Store;
  /** Makes the MACs of tokens. */
  readonly key: DerivedKey;
  /** Milliseconds since 1970 UTC. */
  readonly now: () => number;
  readonly limits: SessionLimits;
  /** Is called for sessions that a user ends. */
  readonly record: Recorder;
  readonly uses?: Uses<SessionId> | undefined;
  /** Is called with a sentence when the last use of a session could not be stored. */
  readonly warn?: ((message: string) => void) | undefined;
}

export function createSessions(
  { store, key, now, limits: { idleMs, longestMs }, record, uses = noUses(), warn = () => {} }: SessionsOptions,
): Sessions {
  const rows = store.admins;
  const isLive = ({ lastSeenAt, createdAt }: SessionRow): boolean =>
    lastSeenAt + idleMs() > now() && createdAt + longestMs() > now();

  const ended = (actor: Actor, { id, email }: AdminRow, sessions: number): void =>
    record(actor, { action: "sign-in.ended", subject: { kind: "admin", id, name: email }, after: { sessions } });

  /** Sessions whose last use is being stored. */
  const touched = new Set<SessionId>();
  const touch = (id: SessionId): void => {
    if (touched.has(id)) return;
    touched.add(id);
    void store.commitWithoutSync(() => rows.touchSession(id, now()))
      .catch((error) => {
        touched.delete(id);
        warn(`The last use of a session could not be stored: ${reasonOf(error)}.`);
      });
  };

  store.onApplied((changes) => {
    for (const { table, kind, values: [id] } of changes) {
      if (table !== "sessions") continue;
      touched.delete(Number(id) as SessionId);
      if (kind === "delete") uses.forget(Number(id) as SessionId);
    }
  });

  return {
    begin(adminId: AdminId, { address, userAgent }: SessionOrigin): string {
      const token = newToken();
      rows.deleteStaleSessions(now() - idleMs(), now() - longestMs());
      const shown = userAgent.slice(0, USER_AGENT_MAX_LENGTH).toWellFormed().replaceAll("\0", "");
      rows.insertSession({ tokenMac: key.mac(token), adminId, now: now(), address, userAgent: shown });
      rows.touchSignIn(adminId, now());
      return token;
    },

    find(token: string): SignedInSession | undefined {
      const session = rows.sessionByToken(key.mac(token));
      if (!session || !isLive(session)) return undefined;
      uses.record(session.id);
      if (now() - session.lastSeenAt >= idleMs() / IDLE_STEPS) touch(session.id);
      const admin = rows.admin(session.adminId);
      return admin && rows.isAuthentic(admin.id) ? { session, admin } : undefined;
    },

    isLive(token: string): boolean {
      const session = rows.sessionByToken(key.mac(token));
      return session !== undefined && isLive(session) && rows.isAuthentic(session.adminId);
    },

    list(adminId: AdminId): SessionRow[] {
      const live = rows.sessions(adminId).filter(isLive);
      const used = uses.last(live.map(({ id }) => id));
      return live.map((row) => ({ ...row, lastSeenAt: Math.max(row.lastSeenAt, used.get(row.id) ?? 0) }))
        .sort((a, b) => b.lastSeenAt - a.lastSeenAt || b.id - a.id);
    },

    end: (actor: Actor, id: SessionId, admin: AdminRow): void =>
      store.change(actor, () => {
        if (rows.deleteSession(id, admin.id)) ended(actor, admin, 1);
      }),

    endAll: (actor: Actor, admin: AdminRow): number =>
      store.change(actor, () => {
        const count = rows.deleteSessions(admin.id, 0);
        ended(actor, admin, count);
        return count;
      }),
  };
}

/** Returns 256 random bits in base64url. */
export function newToken(): string {
  return Buffer.from(randomBytes(TOKEN_BYTES)).toString("base64url");
}

/** Returns the SHA-256 of a token, for comparisons in constant time. The database holds MACs, not this. */
export function hashOf(token: string): Uint8Array {
  return createHash("sha256").update(token).digest();
}
