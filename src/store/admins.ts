// Stores admins, their sessions, recovery codes and password links. None of these rows is sufficient to sign in.

import type { AdminId, SessionId } from "../ids.ts";
import type { RowCheck } from "./authenticated_rows.ts";
import { all, type Database, first, insert, type Row } from "./database.ts";

export interface AdminRow {
  id: AdminId;
  /** In lower case. */
  email: string;
  name: string;
  /** The hash; null until an invitation is accepted. */
  password: string | null;
  /** Null without a second factor. */
  totpNonce: Uint8Array | null;
  createdAt: number;
  lastSignInAt: number | null;
  /** Of how pages look, as JSON; null until one is chosen. */
  preferences: string | null;
}

export interface SessionRow {
  id: SessionId;
  adminId: AdminId;
  createdAt: number;
  lastSeenAt: number;
  address: string;
  userAgent: string;
}

export interface AdminStore {
  admins(): AdminRow[];
  admin(id: AdminId): AdminRow | undefined;
  adminByEmail(email: string): AdminRow | undefined;

  /** Reports whether the row is as this program wrote it; an altered row is logged as a finding. */
  isAuthentic(id: AdminId): boolean;

  /** Returns how many admins have a password to sign in with. */
  countWithPassword(): number;
  insertAdmin(row: { email: string; name: string; password: string | null; now: number }): AdminId;
  rename(id: AdminId, name: string): void;
  setPassword(id: AdminId, password: string): void;
  setPreferences(id: AdminId, preferences: string): void;

  /** Sets the nonce; `lastStep` is the time step of the code that verified it, which cannot be used again. */
  setTotpNonce(id: AdminId, nonce: Uint8Array | null, lastStep: number): void;

  /** Marks the code of this time step as used; returns false if it, or a later one, was used before. */
  useTotpStep(id: AdminId, step: number): boolean;
  touchSignIn(id: AdminId, at: number): void;

  /** Deletes an admin with their sessions, codes and link. */
  deleteAdmin(id: AdminId): void;

  /** Returns the sessions of an admin, the most recently used first. */
  sessions(adminId: AdminId): SessionRow[];

  /** Returns the session with this token; undefined also if its row was altered. */
  sessionByToken(tokenMac: Uint8Array): SessionRow | undefined;
  insertSession(
    row: { tokenMac: Uint8Array; adminId: AdminId; now: number; address: string; userAgent: string },
  ): SessionId;
  touchSession(id: SessionId, at: number): void;
  deleteSession(id: SessionId, adminId: AdminId): boolean;

  /** Deletes all sessions of an admin except one and returns how many there were. */
  deleteSessions(adminId: AdminId, except: SessionId | 0): number;

  /** Deletes sessions last used before `seenBefore` and sessions started before `createdBefore`. */
  deleteStaleSessions(seenBefore: number, createdBefore: number): void;
  deleteAllSessionsAndLinks(): void;

  /** Replaces all recovery codes; `codes` are HMACs. */
  replaceCodes(adminId: AdminId, codes: readonly Uint8Array[]): void;

  /** Deletes a recovery code and returns whether it existed. */
  useCode(adminId: AdminId, code: Uint8Array): boolean;
  countCodes(adminId: AdminId): number;

  /**
   * Deletes an admin's link if it was altered, so that a new one can be written: nothing of the old row is kept.
   * Called before the link is written, in the same transaction or another one.
   */
  discardAlteredLink(adminId: AdminId): void;
  putLink(adminId: AdminId, tokenMac: Uint8Array, expiresAt: number): void;

  /** Returns whose link it is, unless it has expired at `now` or its row was altered. */
  link(tokenMac: Uint8Array, now: number): AdminId | undefined;
  /** Returns until when an admin's link is valid, which may be in the past; undefined without a link. */
  linkUntil(adminId: AdminId): number | undefined;
  deleteLink(adminId: AdminId): void;
}

const SELECT_ADMIN = `
SELECT a.id, a.email, a.name, a.password, a.totp_nonce AS totpNonce, a.created_at AS createdAt,
  a.last_sign_in_at AS lastSignInAt, a.preferences
FROM admins a`;

const SELECT_SESSION = `
SELECT id, admin_id AS adminId, created_at AS createdAt, last_seen_at AS lastSeenAt, address, user_agent AS userAgent
FROM sessions`;

/** Longer than 80 lines: it prepares all statements once, next to the methods that run them. */
export function createAdminStore(db: Database, rows: RowCheck): AdminStore {
  const admins = db.prepare(`${SELECT_ADMIN} ORDER BY a.id`);
  const admin = db.prepare(`${SELECT_ADMIN} WHERE a.id = ?`);
  const adminByEmail = db.prepare(`${SELECT_ADMIN} WHERE a.email = ?`);
  const countWithPassword = db.prepare("SELECT count(*) AS n FROM admins WHERE password IS NOT NULL");
  const insertAdmin = db.prepareChange("INSERT INTO admins (email, name, password, created_at) VALUES (?, ?, ?, ?)");
  const rename = db.prepareChange("UPDATE admins SET name = ? WHERE id = ?");
  const setPassword = db.prepareChange("UPDATE admins SET password = ? WHERE id = ?");
  const setPreferences = db.prepareChange("UPDATE admins SET preferences = ? WHERE id = ?");
  const setTotpNonce = db.prepareChange("UPDATE admins SET totp_nonce = ?, totp_last_step = ? WHERE id = ?");
  const useTotpStep = db.prepareChange("UPDATE admins SET totp_last_step = ?1 WHERE id = ?2 AND totp_last_step < ?1");
  const touchSignIn = db.prepareChange("UPDATE admins SET last_sign_in_at = ? WHERE id = ?");
  const deleteAdmin = db.prepareChange("DELETE FROM admins WHERE id = ?");

  const sessions = db.prepare(`${SELECT_SESSION} WHERE admin_id = ? ORDER BY last_seen_at DESC, id DESC`);
  const sessionByToken = db.prepare(`${SELECT_SESSION} WHERE token_hash = ?`);
  const insertSession = db.prepareChange(
    "INSERT INTO sessions (token_hash, admin_id, created_at, last_seen_at, address, user_agent) VALUES (?, ?, ?, ?, ?, ?)",
  );
  const touchSession = db.prepareChange("UPDATE sessions SET last_seen_at = ? WHERE id = ?");
  const deleteSession = db.prepareChange("DELETE FROM sessions WHERE id = ? AND admin_id = ?");
  const deleteSessions = db.prepareChange("DELETE FROM sessions WHERE admin_id = ? AND id <> ?");
  const deleteStale = db.prepareChange("DELETE FROM sessions WHERE last_seen_at < ? OR created_at < ?");

  const deleteAllSessions = db.prepareChange("DELETE FROM sessions WHERE true");
  const deleteAllLinks = db.prepareChange("DELETE FROM password_links WHERE true");

  const insertCode = db.prepareChange("INSERT INTO recovery_codes (admin_id, code) VALUES (?, ?)");
  const useCode = db.prepareChange("DELETE FROM recovery_codes WHERE admin_id = ? AND code = ?");
  const deleteCodes = db.prepareChange("DELETE FROM recovery_codes WHERE admin_id = ?");
  const countCodes = db.prepare("SELECT count(*) AS n FROM recovery_codes WHERE admin_id = ?");

  const putLink = db.prepareChange(
    "INSERT INTO password_links (admin_id, token_hash, expires_at) VALUES (?, ?, ?)" +
      " ON CONFLICT (admin_id) DO UPDATE SET token_hash = excluded.token_hash, expires_at = excluded.expires_at",
  );
  const link = db.prepare(
    "SELECT admin_id AS adminId FROM password_links WHERE token_hash = ? AND expires_at > ?",
  );
  const linkUntil = db.prepare("SELECT expires_at AS until FROM password_links WHERE admin_id = ?");
  const deleteLink = db.prepareChange("DELETE FROM password_links WHERE admin_id = ?");

  return {
    admins: (): AdminRow[] => all<AdminRow & Row>(admins),
    admin: (id: AdminId): AdminRow | undefined => first<AdminRow & Row>(admin, id),
    adminByEmail: (email: string): AdminRow | undefined => first<AdminRow & Row>(adminByEmail, email),
    isAuthentic: (id: AdminId): boolean => rows.check("admins", id),
    countWithPassword: (): number => first<{ n: number }>(countWithPassword)!.n,
    insertAdmin: (row: { email: string; name: string; password: string | null; now: number }): AdminId =>
      insert(insertAdmin, row.email, row.name, row.password, row.now) as AdminId,
    rename(id: AdminId, name: string): void {
      rename.run(name, id);
    },
    setPassword(id: AdminId, password: string): void {
      setPassword.run(password, id);
    },
    setPreferences(id: AdminId, preferences: string): void {
      setPreferences.run(preferences, id);
    },
    setTotpNonce(id: AdminId, nonce: Uint8Array | null, lastStep: number): void {
      setTotpNonce.run(nonce, lastStep, id);
    },
    useTotpStep: (id: AdminId, step: number): boolean => useTotpStep.run(step, id).changes > 0,
    touchSignIn(id: AdminId, at: number): void {
      touchSignIn.run(at, id);
    },
    deleteAdmin(id: AdminId): void {
      deleteAdmin.run(id);
    },

    sessions: (adminId: AdminId): SessionRow[] => all<SessionRow & Row>(sessions, adminId),
    sessionByToken(tokenMac: Uint8Array): SessionRow | undefined {
      const found = first<SessionRow & Row>(sessionByToken, tokenMac);
      return found && rows.check("sessions", found.id) ? found : undefined;
    },
    insertSession(row: {
      tokenMac: Uint8Array;
      adminId: AdminId;
      now: number;
      address: string;
      userAgent: string;
    }): SessionId {
      const { tokenMac, adminId, now, address, userAgent } = row;
      return insert(insertSession, tokenMac, adminId, now, now, address, userAgent) as SessionId;
    },
    touchSession(id: SessionId, at: number): void {
      touchSession.run(at, id);
    },
    deleteSession: (id: SessionId, adminId: AdminId): boolean => deleteSession.run(id, adminId).changes > 0,
    deleteSessions: (adminId: AdminId, except: SessionId | 0): number =>
      Number(deleteSessions.run(adminId, except).changes),
    deleteStaleSessions(seenBefore: number, createdBefore: number): void {
      deleteStale.run(seenBefore, createdBefore);
    },

    deleteAllSessionsAndLinks(): void {
      deleteAllSessions.run();
      deleteAllLinks.run();
    },

    replaceCodes(adminId: AdminId, codes: readonly Uint8Array[]): void {
      deleteCodes.run(adminId);
      for (const code of codes) insertCode.run(adminId, code);
    },
    useCode: (adminId: AdminId, code: Uint8Array): boolean =>
      rows.check("recovery_codes", adminId, code) && useCode.run(adminId, code).changes > 0,
    countCodes: (adminId: AdminId): number => first<{ n: number }>(countCodes, adminId)!.n,

    discardAlteredLink(adminId: AdminId): void {
      if (!rows.isAltered("password_links", adminId)) return;
      db.transaction(() => {
        rows.discard("password_links", adminId);
        deleteLink.run(adminId);
      });
    },
    putLink(adminId: AdminId, tokenMac: Uint8Array, expiresAt: number): void {
      putLink.run(adminId, tokenMac, expiresAt);
    },
    link(tokenMac: Uint8Array, now: number): AdminId | undefined {
      const adminId = first<{ adminId: AdminId }>(link, tokenMac, now)?.adminId;
      return adminId !== undefined && rows.check("password_links", adminId) ? adminId : undefined;
    },
    linkUntil: (adminId: AdminId): number | undefined => first<{ until: number }>(linkUntil, adminId)?.until,
    deleteLink(adminId: AdminId): void {
      deleteLink.run(adminId);
    },
  };
}
