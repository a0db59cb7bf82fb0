// Assembles user management: accounts, sessions, signing in, terminals and the second factor.

import type { Recorder } from "../../actor.ts";
import type { Keyring } from "../../keyring/keyring.ts";
import { Passwords } from "../../keyring/passwords.ts";
import type { SessionId } from "../../ids.ts";
import type { Uses } from "../access/uses.ts";
import type { Store } from "../../store/store.ts";
import { type Accounts, createAccounts } from "./accounts.ts";
import { createSecondFactor, type SecondFactor } from "./second_factor.ts";
import { createSessions, type SessionLimits, type Sessions } from "./sessions.ts";
import { createSignIn, type SignIn } from "./sign_in.ts";
import { createTerminalSignIn, type TerminalSignIn } from "./terminal_sign_in.ts";

export interface Admins {
  readonly accounts: Accounts;
  readonly sessions: Sessions;
  readonly secondFactor: SecondFactor;
  readonly signIn: SignIn;
  readonly terminal: TerminalSignIn;
}

export interface AdminsOptions {
  readonly store: Store;
  readonly keyring: Keyring;
  readonly limits: SessionLimits;
  /** Milliseconds since 1970 UTC. */
  readonly now: () => number;
  /** Is called for each change and each attempt to sign in. */
  readonly record: Recorder;
  /** When each session was last used, which its user can see. */
  readonly sessionUses?: Uses<SessionId>;
}

export function createAdmins({ store, keyring, limits, now, record, sessionUses }: AdminsOptions): Admins {
  const passwords = new Passwords(keyring.derive("admin passwords"));
  const sessions = createSessions({ store, key: keyring.derive("sessions"), now, limits, record, uses: sessionUses });
  const linkKey = keyring.derive("password links");
  const accounts = createAccounts({ store, linkKey, sessions, passwords, now, record });
  const secondFactor = createSecondFactor({ store, key: keyring.derive("second factors"), now, record });
  const deviceKey = keyring.derive("known devices");
  const signIn = createSignIn({ store, sessions, passwords, secondFactor, deviceKey, now, record });
  return { accounts, sessions, secondFactor, signIn, terminal: createTerminalSignIn({ signIn, limits, now }) };
}
