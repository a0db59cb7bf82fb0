// Who is signed in: from a token in a cookie to an admin, and the ends of sessions. The database holds MACs of the
// tokens only.

import { createHash, randomBytes } from "node:crypto";
import { Buffer } from "node:buffer";
import type { Actor, Recorder } from "../../actor.ts";
import type { AdminId, SessionId } from "../../ids.ts";
import type { DerivedKey } from "../../keyring/derived_key.ts";
import { noUses, type Uses } from "../access/uses.ts";
import type { AdminRow, SessionRow } from "../../store/admins.ts";
import type { Store } from "../../store/store.ts";

const TOKEN_BYTES = 32;
/** The time from which a session's idle time counts moves on in steps of this part of it. */
const IDLE_STEPS = 10;
const USER_AGENT_MAX_LENGTH = 300;

export interface SessionLimits {
  /** A session that is not used ends after this. */
  readonly idleMs: () => number;
  /** However much it is used, it ends after this. */
  readonly longestMs: () => number;
}

/** Where a session was begun, to be shown to its admin. */
export interface Begun {
  readonly address: string;
  readonly userAgent: string;
}

export interface SignedInSession {
  readonly session: SessionRow;
  readonly admin: AdminRow;
}

export type Sessions = ReturnType<typeof sessionsService>;

/** `key` makes the stored MACs of the tokens; `record` is called for sessions that a user ends. */
export function sessionsService(
  store: Store,
  key: DerivedKey,
  now: () => number,
  { idleMs, longestMs }: SessionLimits,
  record: Recorder,
  uses: Uses<SessionId> = noUses(),
) {
  const rows = store.admins;
  const isLive = ({ lastSeenAt, createdAt }: SessionRow): boolean =>
    lastSeenAt + idleMs() > now() && createdAt + longestMs() > now();

  const ended = (actor: Actor, { id, email }: AdminRow, sessions: number): void =>
    record(actor, { action: "sign-in.ended", subject: { kind: "admin", id, name: email }, after: { sessions } });

  return {
    /** A new session's token, which is told nowhere else. Within the caller's transaction. */
    begin(adminId: AdminId, { address, userAgent }: Begun): string {
      const token = newToken();
      rows.deleteStaleSessions(now() - idleMs(), now() - longestMs());
      const shown = userAgent.slice(0, USER_AGENT_MAX_LENGTH).toWellFormed().replaceAll("\0", "");
      rows.insertSession({ tokenMac: key.mac(token), adminId, now: now(), address, userAgent: shown });
      rows.touchSignIn(adminId, now());
      return token;
    },

    /** Whose token it is, if the session has not ended; it goes on from now. */
    find(token: string): SignedInSession | undefined {
      const session = rows.sessionByToken(key.mac(token));
      if (!session || !isLive(session)) return undefined;
      uses.record(session.id);
      if (now() - session.lastSeenAt >= idleMs() / IDLE_STEPS) {
        store.repeatable(() => rows.touchSession(session.id, now()));
      }
      const admin = rows.admin(session.adminId);
      return admin && rows.isAuthentic(admin.id) ? { session, admin } : undefined;
    },

    /** Whether `find` would find it; does not count as a use. */
    isLive(token: string): boolean {
      const session = rows.sessionByToken(key.mac(token));
      return session !== undefined && isLive(session) && rows.isAuthentic(session.adminId);
    },

    /** Those of an admin that have not ended, the latest used first. */
    list(adminId: AdminId): SessionRow[] {
      const live = rows.sessions(adminId).filter(isLive);
      const used = uses.last(live.map(({ id }) => id));
      return live.map((row) => ({ ...row, lastSeenAt: Math.max(row.lastSeenAt, used.get(row.id) ?? 0) }))
        .sort((a, b) => b.lastSeenAt - a.lastSeenAt || b.id - a.id);
    },

    /** Ends one, if it is this admin's and there. */
    end: (actor: Actor, id: SessionId, admin: AdminRow): void =>
      store.change(actor, () => {
        if (rows.deleteSession(id, admin.id)) ended(actor, admin, 1);
        uses.forget(id);
      }),

    /** Ends all of an admin's; how many there were. */
    endAll: (actor: Actor, admin: AdminRow): number =>
      store.change(actor, () => {
        const count = rows.deleteSessions(admin.id, 0);
        ended(actor, admin, count);
        return count;
      }),
  };
}

/** 256 random bits in base64url. */
export function newToken(): string {
  return Buffer.from(randomBytes(TOKEN_BYTES)).toString("base64url");
}

/** SHA-256, for comparing tokens in constant time; what is stored of a token is a MAC. */
export function hashOf(token: string): Uint8Array {
  return createHash("sha256").update(token).digest();
}
