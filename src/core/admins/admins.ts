// Everything about the people who may sign in, put together: accounts, sessions, signing in, second factor.

import type { Recorder } from "../../actor.ts";
import type { Keyring } from "../../keyring/keyring.ts";
import { Passwords } from "../../keyring/passwords.ts";
import type { SessionId } from "../../ids.ts";
import type { Uses } from "../access/uses.ts";
import type { Store } from "../../store/store.ts";
import { type Accounts, accountsService } from "./accounts.ts";
import { type SecondFactor, secondFactorService } from "./second_factor.ts";
import { type SessionLimits, type Sessions, sessionsService } from "./sessions.ts";
import { type SignIn, signInService } from "./sign_in.ts";

export interface Admins {
  readonly accounts: Accounts;
  readonly sessions: Sessions;
  readonly secondFactor: SecondFactor;
  readonly signIn: SignIn;
}

/** `record` hears of each change and each attempt to sign in. */
export function openAdmins({ store, keyring, limits, now, record, sessionUses }: {
  store: Store;
  keyring: Keyring;
  limits: SessionLimits;
  now: () => number;
  record: Recorder;
  /** When each session was last used, for its user to see. */
  sessionUses?: Uses<SessionId>;
}): Admins {
  const passwords = new Passwords(keyring.derive("admin passwords"));
  const sessions = sessionsService(store, keyring.derive("sessions"), now, limits, record, sessionUses);
  const linkKey = keyring.derive("password links");
  const accounts = accountsService({ store, linkKey, sessions, passwords, now, record });
  const secondFactor = secondFactorService(store, keyring.derive("second factors"), now, record);
  const deviceKey = keyring.derive("known devices");
  const signIn = signInService({ store, sessions, passwords, secondFactor, deviceKey, now, record });
  return { accounts, sessions, secondFactor, signIn };
}
