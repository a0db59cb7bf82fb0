// Assembles user management: accounts, sessions, signing in, terminals and the second factor.

import type { LoneRecorder, Recorder } from "../../actor.ts";
import type { Keyring } from "../../keyring/keyring.ts";
import { Passwords } from "../../keyring/passwords.ts";
import type { SessionId } from "../../ids.ts";
import type { Uses } from "../access/uses.ts";
import type { SharedState } from "../../shared_state.ts";
import type { Store } from "../../store/store.ts";
import { type Accounts, createAccounts } from "./accounts.ts";
import { createLocalState } from "./local_state.ts";
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
  /** What requests leave for later ones; in memory by default. */
  readonly shared?: SharedState;
  /** Is called for each change. */
  readonly record: Recorder;
  /** Is called for each attempt to sign in that fails. */
  readonly recordAlone?: LoneRecorder;
  /** When each session was last used, which its user can see. */
  readonly sessionUses?: Uses<SessionId>;
  /** Is called with a sentence when the last use of a session could not be stored. */
  readonly warn?: (message: string) => void;
}

export function createAdmins(options: AdminsOptions): Admins {
  const { store, keyring, limits, now, record, sessionUses, warn, shared = createLocalState(now) } = options;
  const { recordAlone = (actor, event) => store.commit(() => record(actor, event)) } = options;
  const passwords = new Passwords(keyring.derive("admin passwords"));
  const sessions = createSessions({
    store,
    key: keyring.derive("sessions"),
    now,
    limits,
    record,
    uses: sessionUses,
    warn,
  });
  const linkKey = keyring.derive("password links");
  const accounts = createAccounts({ store, linkKey, sessions, passwords, shared, now, record });
  const secondFactor = createSecondFactor({ store, key: keyring.derive("second factors"), now, record });
  const deviceKey = keyring.derive("known devices");
  const signIn = createSignIn({ store, sessions, passwords, secondFactor, deviceKey, shared, record, recordAlone });
  const terminal = createTerminalSignIn({ store, shared, signIn, limits, now });
  return { accounts, sessions, secondFactor, signIn, terminal };
}
