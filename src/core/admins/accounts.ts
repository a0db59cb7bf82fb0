// The people who may sign in: setting up the first one, inviting, resetting and removing others, and what each
// changes about themselves. Signing in is sign_in.ts.

import { timingSafeEqual } from "node:crypto";
import { type Actor, type Facts, type Recorder, requireEntitled } from "../../actor.ts";
import { AppError, conflict, notFound } from "../../errors.ts";
import type { AdminId, SessionId } from "../../ids.ts";
import type { DerivedKey } from "../../keyring/derived_key.ts";
import type { Passwords } from "../../keyring/passwords.ts";
import type { AdminRow } from "../../store/admins.ts";
import { tamperedRow } from "../../store/authenticated_rows.ts";
import type { Store } from "../../store/store.ts";
import { type Begun, hashOf, newToken, type Sessions } from "./sessions.ts";

/** How long an invitation, and a link to choose a new password, can be used. */
export const LINK_HOURS = 24;

export interface NewAdmin {
  readonly email: string;
  readonly name: string;
}

export type Accounts = ReturnType<typeof accountsService>;

/** `linkKey` makes the stored MACs of links' tokens; `record` is called for each change. */
export function accountsService({ store, linkKey, sessions, passwords, now, record }: {
  store: Store;
  linkKey: DerivedKey;
  sessions: Sessions;
  passwords: Passwords;
  now: () => number;
  record: Recorder;
}) {
  const rows = store.admins;
  /** The one-time link's, as long as there is no admin. */
  let setupToken: string | undefined;

  const admin = (id: AdminId): AdminRow => {
    const row = rows.admin(id);
    if (!row) throw notFound("user", id);
    return row;
  };

  const insert = (actor: Actor, { email, name }: NewAdmin, password: string | null): AdminId => {
    if (rows.adminByEmail(email)) throw conflict("Somebody has this e-mail address already.", { email: "is taken" });
    const id = rows.insertAdmin({ email, name, password, now: now() });
    record(actor, { action: "admin.created", subject: subjectOf(admin(id)), after: factsOf(admin(id)) });
    return id;
  };

  const update = (actor: Actor, before: AdminRow, changed: Facts): void =>
    record(actor, { action: "admin.updated", subject: subjectOf(before), after: changed });

  const putLink = (id: AdminId): string => {
    const token = newToken();
    rows.putLink(id, linkKey.mac(token), now() + LINK_HOURS * 3_600_000);
    return token;
  };

  return {
    exist: (): boolean => rows.admins().length > 0,
    list: rows.admins,
    /** @throws AppError NotFound (404) */
    get: admin,

    /** Makes the token of the one-time link by which the first admin is created; undefined if there is one. */
    openSetup(): string | undefined {
      setupToken = rows.admins().length > 0 ? undefined : newToken();
      return setupToken;
    },

    /** Whether this is the token of the link that was printed, and there is no admin yet. */
    mayBeSetUp(token: string): boolean {
      return setupToken !== undefined && rows.admins().length === 0 &&
        timingSafeEqual(hashOf(token), hashOf(setupToken));
    },

    /**
     * The first admin, signed in: their id and the new session's token.
     * @throws AppError Forbidden (403) for another token, or once there is an admin
     */
    async setUp(
      actor: Actor,
      token: string,
      wanted: NewAdmin & { password: string },
      begun: Begun,
    ): Promise<{ id: AdminId; token: string }> {
      const check = () => {
        if (!this.mayBeSetUp(token)) throw new AppError("Forbidden", 403, "This link is not valid any more.");
      };
      check();
      const hash = await passwords.hash(wanted.password);
      return store.change(actor, () => {
        // Again: somebody else may have been quicker meanwhile.
        check();
        const id = insert(actor, wanted, hash);
        const session = sessions.begin(id, begun);
        setupToken = undefined;
        return { id, token: session };
      });
    },

    /** An admin who still has to choose a password, by the link with this token. @throws AppError Conflict (409) */
    invite(actor: Actor, wanted: NewAdmin): string {
      return store.change(actor, () => putLink(insert(actor, wanted, null)));
    },

    /**
     * The token of a link by which an admin chooses a new password; until it is used, everything stays as it is.
     * @throws AppError NotFound (404), TamperedRow (409)
     */
    reset(actor: Actor, id: AdminId): string {
      requireEntitled(actor);
      rows.discardAlteredLink(id);
      return store.change(actor, () => {
        update(actor, admin(id), { link: "made" });
        // The password that is chosen by the link could not be stored.
        if (!rows.isAuthentic(id)) throw tamperedRow("admins", id);
        return putLink(id);
      });
    },

    /** Whose invitation or reset this is. @throws AppError NotFound (404) if it was used, replaced or has expired */
    ofLink(token: string): AdminRow {
      const id = rows.link(linkKey.mac(token), now());
      if (id === undefined) {
        throw new AppError("NotFound", 404, "This link is not valid any more. Ask for a new one.");
      }
      return admin(id);
    },

    /** Sets the password and ends all sessions; the link is used up. @throws AppError NotFound (404) */
    async useLink(actor: Actor, token: string, password: string): Promise<AdminRow> {
      this.ofLink(token);
      const hash = await passwords.hash(password);
      return store.change(actor, () => {
        const row = this.ofLink(token);
        rows.deleteLink(row.id);
        rows.setPassword(row.id, hash);
        rows.deleteSessions(row.id, 0);
        update(actor, row, { password: row.password === null ? "set" : "changed" });
        return admin(row.id);
      });
    },

    /** Removes an admin, whose sessions end at once. @throws AppError NotFound (404), Conflict (409) for the last */
    remove(actor: Actor, id: AdminId): void {
      store.change(actor, () => {
        const row = admin(id);
        if (row.password !== null && rows.countAble() === 1) {
          throw conflict("The last user who can sign in cannot be removed.");
        }
        rows.deleteAdmin(id);
        record(actor, { action: "admin.deleted", subject: subjectOf(row), before: factsOf(row) });
      });
    },

    /** @throws AppError NotFound (404) */
    rename(actor: Actor, id: AdminId, name: string): void {
      store.change(actor, () => {
        const row = admin(id);
        rows.rename(id, name);
        update(actor, row, { name });
      });
    },

    /**
     * Replaces the password that `row` had when it was proved, and ends all other sessions.
     * @throws AppError NotFound (404), Conflict (409) if it was changed meanwhile
     */
    async changePassword(actor: Actor, row: AdminRow, password: string, keep: SessionId): Promise<void> {
      const hash = await passwords.hash(password);
      store.change(actor, () => {
        if (admin(row.id).password !== row.password) throw conflict("The password was changed at this very moment.");
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
