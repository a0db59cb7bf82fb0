// Manages the accounts of users: creates the first one, invites, resets and removes others, and changes names and
// passwords. Signing in is in sign_in.ts.

import { timingSafeEqual } from "node:crypto";
import { type Actor, type Facts, type Recorder, requireEntitled } from "../../actor.ts";
import { AppError, conflict, notFound } from "../../errors.ts";
import type { AdminId, SessionId } from "../../ids.ts";
import type { DerivedKey } from "../../keyring/derived_key.ts";
import type { Passwords } from "../../keyring/passwords.ts";
import type { AdminRow } from "../../store/admins.ts";
import { tamperedRow } from "../../store/authenticated_rows.ts";
import type { Store } from "../../store/store.ts";
import { HOUR_MS } from "../../time.ts";
import { hashOf, newToken, type SessionOrigin, type Sessions } from "./sessions.ts";

/** How long an invitation, or a link to choose a new password, is valid. */
export const LINK_HOURS = 24;

export interface NewAdmin {
  readonly email: string;
  readonly name: string;
}

export interface Accounts {
  /** Reports whether there is any account. */
  any(): boolean;
  list(): AdminRow[];

  /** @throws AppError NotFound (404) */
  get(id: AdminId): AdminRow;

  /** Returns a new token for the link that creates the first account; undefined if there is an account. */
  openSetup(): string | undefined;

  /** Reports whether `token` is the current set-up token and there is no account yet. */
  mayBeSetUp(token: string): boolean;

  /**
   * Creates the first account, signs it in and returns its id and the session's token.
   * @throws AppError Forbidden (403) for another token, or if there is an account
   */
  setUp(
    actor: Actor,
    token: string,
    wanted: NewAdmin & { password: string },
    origin: SessionOrigin,
  ): Promise<{ id: AdminId; token: string }>;

  /**
   * Creates an account without a password and returns the token of the link by which its user chooses one.
   * @throws AppError Conflict (409)
   */
  invite(actor: Actor, wanted: NewAdmin): string;

  /**
   * Returns the token of a link by which the user chooses a new password. Nothing else changes until it is used.
   * @throws AppError NotFound (404), TamperedRow (409)
   */
  reset(actor: Actor, id: AdminId): string;

  /**
   * Returns the account that an invitation or reset link belongs to.
   * @throws AppError NotFound (404) if the link was used or replaced, or has expired
   */
  ofLink(token: string): AdminRow;

  /** Sets the password, ends all sessions and invalidates the link. @throws AppError NotFound (404) */
  useLink(actor: Actor, token: string, password: string): Promise<AdminRow>;

  /** Deletes an account and its sessions. @throws AppError NotFound (404), Conflict (409) for the last one */
  remove(actor: Actor, id: AdminId): void;

  /** @throws AppError NotFound (404) */
  rename(actor: Actor, id: AdminId, name: string): void;

  /**
   * Replaces the password in `row`, which the caller has verified, and ends all other sessions.
   * @throws AppError NotFound (404), Conflict (409) if the password has changed since `row` was read
   */
  changePassword(actor: Actor, row: AdminRow, password: string, keep: SessionId): Promise<void>;
}

export interface AccountsOptions {
  readonly store: Store;
  /** Makes the MACs of link tokens; only the MACs are stored. */
  readonly linkKey: DerivedKey;
  readonly sessions: Sessions;
  readonly passwords: Passwords;
  /** Milliseconds since 1970 UTC. */
  readonly now: () => number;
  /** Is called for each change. */
  readonly record: Recorder;
}

export function createAccounts({ store, linkKey, sessions, passwords, now, record }: AccountsOptions): Accounts {
  const rows = store.admins;
  /** Set only while there is no account. */
  let setupToken: string | undefined;

  const admin = (id: AdminId): AdminRow => {
    const row = rows.admin(id);
    if (!row) throw notFound("user", id);
    return row;
  };

  const insert = (actor: Actor, { email, name }: NewAdmin, password: string | null): AdminId => {
    if (rows.adminByEmail(email)) {
      throw conflict("There is already a user with this e-mail address.", { email: "is taken" });
    }
    const id = rows.insertAdmin({ email, name, password, now: now() });
    record(actor, { action: "admin.created", subject: subjectOf(admin(id)), after: factsOf(admin(id)) });
    return id;
  };

  const update = (actor: Actor, before: AdminRow, changed: Facts): void =>
    record(actor, { action: "admin.updated", subject: subjectOf(before), after: changed });

  const putLink = (id: AdminId): string => {
    const token = newToken();
    rows.putLink(id, linkKey.mac(token), now() + LINK_HOURS * HOUR_MS);
    return token;
  };

  const mayBeSetUp = (token: string): boolean =>
    setupToken !== undefined && rows.admins().length === 0 && timingSafeEqual(hashOf(token), hashOf(setupToken));

  const ofLink = (token: string): AdminRow => {
    const id = rows.link(linkKey.mac(token), now());
    if (id === undefined) throw new AppError("NotFound", 404, "This link is no longer valid. Ask for a new one.");
    return admin(id);
  };

  return {
    any: (): boolean => rows.admins().length > 0,
    list: rows.admins,
    get: admin,

    openSetup(): string | undefined {
      setupToken = rows.admins().length > 0 ? undefined : newToken();
      return setupToken;
    },

    mayBeSetUp,

    async setUp(
      actor: Actor,
      token: string,
      wanted: NewAdmin & { password: string },
      origin: SessionOrigin,
    ): Promise<{ id: AdminId; token: string }> {
      const check = () => {
        if (!mayBeSetUp(token)) throw new AppError("Forbidden", 403, "This link is no longer valid.");
      };
      check();
      const hash = await passwords.hash(wanted.password);
      return store.change(actor, () => {
        // Again: another request may have created the first account while the password was hashed.
        check();
        const id = insert(actor, wanted, hash);
        const session = sessions.begin(id, origin);
        setupToken = undefined;
        return { id, token: session };
      });
    },

    invite(actor: Actor, wanted: NewAdmin): string {
      return store.change(actor, () => putLink(insert(actor, wanted, null)));
    },

    reset(actor: Actor, id: AdminId): string {
      requireEntitled(actor);
      rows.discardAlteredLink(id);
      return store.change(actor, () => {
        update(actor, admin(id), { link: "made" });
        // The password chosen through the link could not be stored in an altered row.
        if (!rows.isAuthentic(id)) throw tamperedRow("admins", id);
        return putLink(id);
      });
    },

    ofLink,

    async useLink(actor: Actor, token: string, password: string): Promise<AdminRow> {
      ofLink(token);
      const hash = await passwords.hash(password);
      return store.change(actor, () => {
        const row = ofLink(token);
        rows.deleteLink(row.id);
        rows.setPassword(row.id, hash);
        rows.deleteSessions(row.id, 0);
        update(actor, row, { password: row.password === null ? "set" : "changed" });
        return admin(row.id);
      });
    },

    remove(actor: Actor, id: AdminId): void {
      store.change(actor, () => {
        const row = admin(id);
        if (row.password !== null && rows.countWithPassword() === 1) {
          throw conflict("The last user who can sign in cannot be removed.");
        }
        rows.deleteAdmin(id);
        record(actor, { action: "admin.deleted", subject: subjectOf(row), before: factsOf(row) });
      });
    },

    rename(actor: Actor, id: AdminId, name: string): void {
      store.change(actor, () => {
        const row = admin(id);
        rows.rename(id, name);
        update(actor, row, { name });
      });
    },

    async changePassword(actor: Actor, row: AdminRow, password: string, keep: SessionId): Promise<void> {
      const hash = await passwords.hash(password);
      store.change(actor, () => {
        if (admin(row.id).password !== row.password) {
          throw conflict("The password was changed by another request. Try again.");
        }
        rows.setPassword(row.id, hash);
        rows.deleteLink(row.id);
        rows.deleteSessions(row.id, keep);
        update(actor, row, { password: "changed" });
      });
    },
  };
}

export function subjectOf({ id, email }: AdminRow) {
  return { kind: "admin", id, name: email };
}

function factsOf({ email, name, totpNonce }: AdminRow): Facts {
  return { email, name, secondFactor: totpNonce !== null };
}
