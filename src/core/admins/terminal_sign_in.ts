// Implements signing in a terminal: a signed-in user approves it in the browser, and the terminal exchanges the
// approval for a session of its own, by a proof key for code exchange (PKCE, RFC 7636).

import { createHash, timingSafeEqual } from "node:crypto";
import { AppError } from "../../errors.ts";
import { MINUTE_MS } from "../../time.ts";
import type { SharedState } from "../../shared_state.ts";
import type { AdminRow } from "../../store/admins.ts";
import type { Store } from "../../store/store.ts";
import { hashOf, newToken, type SessionLimits } from "./sessions.ts";
import type { SignIn, VerifiedAdmin, Visitor } from "./sign_in.ts";

/** How long a code can be exchanged: the browser passes it on at once. */
const CODE_MS = 2 * MINUTE_MS;
const CODES_MAX = 1_000;

/** A session for a terminal. */
export interface TerminalSession {
  readonly admin: AdminRow;
  /** The session's token, which cannot be read again. */
  readonly token: string;
  /** When it ends at the latest, in milliseconds since 1970. */
  readonly expiresAt: number;
}

export interface TerminalSignIn {
  /**
   * Returns a code that is exchanged once, within two minutes. `row` is a user whose password was verified just now;
   * `challenge` is the SHA-256 of the terminal's verifier in base64url.
   */
  approve(row: AdminRow, challenge: string): Promise<string>;

  /** Starts the terminal's session. The code is used up, whatever comes out. @throws AppError Unauthorized (401) */
  exchange(visitor: Visitor, code: string, verifier: string): Promise<TerminalSession>;
}

interface Approval extends VerifiedAdmin {
  readonly challenge: string;
}

export interface TerminalSignInOptions {
  readonly store: Pick<Store, "commit">;
  readonly shared: SharedState;
  readonly signIn: SignIn;
  readonly limits: SessionLimits;
  /** Milliseconds since 1970 UTC. */
  readonly now: () => number;
}

export function createTerminalSignIn(options: TerminalSignInOptions): TerminalSignIn {
  const { store, shared, signIn, limits, now } = options;
  const approvals = shared.handovers("terminal", CODES_MAX);
  return {
    async approve({ id, password }, challenge) {
      const code = newToken();
      const approval: Approval = { id, password, challenge };
      await approvals.put(keyOf(code), JSON.stringify(approval), CODE_MS);
      return code;
    },

    async exchange(visitor, code, verifier) {
      const found = await approvals.take(keyOf(code));
      const approval: Approval | undefined = found === undefined ? undefined : JSON.parse(found);
      if (!approval || !timingSafeEqual(hashOf(challengeOf(verifier)), hashOf(approval.challenge))) {
        throw new AppError("Unauthorized", 401, "This code is wrong, was used before, or is too old. Sign in again.");
      }
      const { admin, token } = await store.commit(() => signIn.enter(visitor, approval));
      return { admin, token, expiresAt: now() + limits.longestMs() };
    },
  };
}

/** Returns the challenge of a verifier, with the method S256 (RFC 7636, 4.2). */
function challengeOf(verifier: string): string {
  return createHash("sha256").update(verifier).digest("base64url");
}

/** Returns what proves that a user saw the short code of the terminal whose challenge this is. */
export function shortCodeProof(challenge: string, shortCode: string): string {
  return createHash("sha256").update(`${challenge}.${shortCode}`).digest("base64url");
}

/** Returns a key of fixed length for any input. */
function keyOf(text: string): string {
  return createHash("sha256").update(text).digest("base64url");
}
