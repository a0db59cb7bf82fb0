// Manages the accounts of users: creates the first one, invites, resets and removes others, and changes names and
// passwords. Signing in is in sign_in.ts.

import { timingSafeEqual } from "node:crypto";
import { type Actor, type Facts, type Recorder, requireEntitled } from "../../actor.ts";
import { AppError, conflict, notFound } from "../../errors.ts";
import type { AdminId, SessionId } from "../../ids.ts";
import type { DerivedKey } from "../../keyring/derived_key.ts";
import type { Passwords } from "../../keyring/passwords.ts";
import type { AdminRow, AdminStore } from "../../store/admins.ts";
import { tamperedRow } from "../../store/authenticated_rows.ts";
import type { SharedState } from "../../shared_state.ts";
import type { Store } from "../../store/store.ts";
import { HOUR_MS } from "../../time.ts";
import { parsePreferences, type Preferences } from "./preferences.ts";
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

  /** Returns the token for the link that creates the first account; undefined if there is an account. */
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

  /** Returns until when the user's link is valid; undefined if there is none that is. */
  linkUntil(id: AdminId): number | undefined;

  /** Sets the password, ends all sessions and invalidates the link. @throws AppError NotFound (404) */
  useLink(actor: Actor, token: string, password: string): Promise<AdminRow>;

  /** Deletes an account and its sessions. @throws AppError NotFound (404), Conflict (409) for the last one */
  remove(actor: Actor, id: AdminId): void;

  /** @throws AppError NotFound (404) */
  rename(actor: Actor, id: AdminId, name: string): void;

  /** Adds to what the user has chosen. Is not audited: it changes nothing but how pages look. @throws AppError NotFound (404) */
  prefer(actor: Actor, id: AdminId, chosen: Preferences): void;

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
  readonly shared: Pick<SharedState, "setupToken">;
  /** Milliseconds since 1970 UTC. */
  readonly now: () => number;
  /** Is called for each change. */
  readonly record: Recorder;
}

export function createAccounts(options: AccountsOptions): Accounts {
  return new AccountService(options);
}

class AccountService implements Accounts {
  readonly #store: Store;
  readonly #linkKey: DerivedKey;
  readonly #sessions: Sessions;
  readonly #passwords: Passwords;
  readonly #now: () => number;
  readonly #record: Recorder;
  readonly #rows: AdminStore;
  readonly #newSetupToken: () => string;
  /** Set only while there is no account. */
  #setupToken: string | undefined;

  constructor({ store, linkKey, sessions, passwords, shared, now, record }: AccountsOptions) {
    this.#newSetupToken = () => shared.setupToken ?? newToken();
    this.#store = store;
    this.#linkKey = linkKey;
    this.#sessions = sessions;
    this.#passwords = passwords;
    this.#now = now;
    this.#record = record;
    this.#rows = store.admins;
  }

  any(): boolean {
    return this.#rows.admins().length > 0;
  }

  list(): AdminRow[] {
    return this.#rows.admins();
  }

  get(id: AdminId): AdminRow {
    return this.#admin(id);
  }

  openSetup(): string | undefined {
    this.#setupToken = this.#rows.admins().length > 0 ? undefined : this.#newSetupToken();
    return this.#setupToken;
  }

  mayBeSetUp(token: string): boolean {
    return this.#setupToken !== undefined && this.#rows.admins().length === 0 &&
      timingSafeEqual(hashOf(token), hashOf(this.#setupToken));
  }

  async setUp(
    actor: Actor,
    token: string,
    wanted: NewAdmin & { password: string },
    origin: SessionOrigin,
  ): Promise<{ id: AdminId; token: string }> {
    const check = () => {
      if (!this.mayBeSetUp(token)) throw new AppError("Forbidden", 403, "This link is no longer valid.");
    };
    check();
    const hash = await this.#passwords.hash(wanted.password);
    const change = () => {
      // Again: another request may have created the first account while the password was hashed.
      check();
      const id = this.#insert(actor, wanted, hash);
      return { id, token: this.#sessions.begin(id, origin) };
    };
    return await this.#store.commit(() => this.#store.change(actor, change), (created) => {
      this.#setupToken = undefined;
      return created;
    });
  }

  invite(actor: Actor, wanted: NewAdmin): string {
    return this.#store.change(actor, () => this.#putLink(this.#insert(actor, wanted, null)));
  }

  reset(actor: Actor, id: AdminId): string {
    requireEntitled(actor);
    this.#rows.discardAlteredLink(id);
    return this.#store.change(actor, () => {
      this.#update(actor, this.#admin(id), { link: "made" });
      // The password chosen through the link could not be stored in an altered row.
      if (!this.#rows.isAuthentic(id)) throw tamperedRow("admins", id);
      return this.#putLink(id);
    });
  }

  ofLink(token: string): AdminRow {
    const id = this.#rows.link(this.#linkKey.mac(token), this.#now());
    if (id === undefined) throw new AppError("NotFound", 404, "This link is no longer valid. Ask for a new one.");
    return this.#admin(id);
  }

  linkUntil(id: AdminId): number | undefined {
    const until = this.#rows.linkUntil(id);
    return until !== undefined && until > this.#now() ? until : undefined;
  }

  async useLink(actor: Actor, token: string, password: string): Promise<AdminRow> {
    this.ofLink(token);
    const hash = await this.#passwords.hash(password);
    const change = () => {
      const row = this.ofLink(token);
      this.#rows.deleteLink(row.id);
      this.#rows.setPassword(row.id, hash);
      this.#rows.deleteSessions(row.id, 0);
      this.#update(actor, row, { password: row.password === null ? "set" : "changed" });
      return this.#admin(row.id);
    };
    return await this.#store.commit(() => this.#store.change(actor, change));
  }

  remove(actor: Actor, id: AdminId): void {
    this.#store.change(actor, () => {
      const row = this.#admin(id);
      if (row.password !== null && this.#rows.countWithPassword() === 1) {
        throw conflict("The last user who can sign in cannot be removed.");
      }
      this.#rows.deleteAdmin(id);
      this.#record(actor, { action: "admin.deleted", subject: subjectOf(row), before: factsOf(row) });
    });
  }

  rename(actor: Actor, id: AdminId, name: string): void {
    this.#store.change(actor, () => {
      const row = this.#admin(id);
      this.#rows.rename(id, name);
      this.#update(actor, row, { name });
    });
  }

  prefer(actor: Actor, id: AdminId, chosen: Preferences): void {
    this.#store.change(actor, () => {
      const all = { ...parsePreferences(this.#admin(id).preferences), ...chosen };
      this.#rows.setPreferences(id, JSON.stringify(all));
    });
  }

  async changePassword(actor: Actor, row: AdminRow, password: string, keep: SessionId): Promise<void> {
    const hash = await this.#passwords.hash(password);
    const change = () => {
      if (this.#admin(row.id).password !== row.password) {
        throw conflict("The password was changed by another request. Try again.");
      }
      this.#rows.setPassword(row.id, hash);
      this.#rows.deleteLink(row.id);
      this.#rows.deleteSessions(row.id, keep);
      this.#update(actor, row, { password: "changed" });
    };
    await this.#store.commit(() => this.#store.change(actor, change));
  }

  #admin(id: AdminId): AdminRow {
    const row = this.#rows.admin(id);
    if (!row) throw notFound("user", id);
    return row;
  }

  #insert(actor: Actor, { email, name }: NewAdmin, password: string | null): AdminId {
    if (this.#rows.adminByEmail(email)) {
      throw conflict("There is already a user with this e-mail address.", { email: "is taken" });
    }
    const id = this.#rows.insertAdmin({ email, name, password, now: this.#now() });
    this.#record(actor, {
      action: "admin.created",
      subject: subjectOf(this.#admin(id)),
      after: factsOf(this.#admin(id)),
    });
    return id;
  }

  #update(actor: Actor, before: AdminRow, changed: Facts): void {
    this.#record(actor, { action: "admin.updated", subject: subjectOf(before), after: changed });
  }

  #putLink(id: AdminId): string {
    const token = newToken();
    this.#rows.putLink(id, this.#linkKey.mac(token), this.#now() + LINK_HOURS * HOUR_MS);
    return token;
  }
}

export function subjectOf({ id, email }: AdminRow) {
  return { kind: "admin", id, name: email };
}

function factsOf({ email, name, totpNonce }: AdminRow): Facts {
  return { email, name, secondFactor: totpNonce !== null };
}
