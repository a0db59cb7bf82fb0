// Implements signing in a terminal: a signed-in user approves it in the browser, and the terminal exchanges the
// approval for a session of its own, by a proof key for code exchange (PKCE, RFC 7636).

import { createHash, timingSafeEqual } from "node:crypto";
import { AppError } from "../../errors.ts";
import { MINUTE_MS } from "../../time.ts";
import type { AdminRow } from "../../store/admins.ts";
import { hashOf, newToken, type SessionLimits } from "./sessions.ts";
import type { SignIn, Visitor } from "./sign_in.ts";

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
  approve(row: AdminRow, challenge: string): string;

  /** Starts the terminal's session. The code is used up, whatever comes out. @throws AppError Unauthorized (401) */
  exchange(visitor: Visitor, code: string, verifier: string): TerminalSession;
}

interface Approval {
  readonly row: AdminRow;
  readonly challenge: string;
  readonly until: number;
}

export interface TerminalSignInOptions {
  readonly signIn: SignIn;
  readonly limits: SessionLimits;
  /** Milliseconds since 1970 UTC. */
  readonly now: () => number;
}

export function createTerminalSignIn({ signIn, limits, now }: TerminalSignInOptions): TerminalSignIn {
  const approvals = new Map<string, Approval>();
  return {
    approve(row, challenge) {
      for (const [key, { until }] of approvals) {
        if (until <= now() || approvals.size >= CODES_MAX) approvals.delete(key);
      }
      const code = newToken();
      approvals.set(keyOf(code), { row, challenge, until: now() + CODE_MS });
      return code;
    },

    exchange(visitor, code, verifier) {
      const approval = approvals.get(keyOf(code));
      approvals.delete(keyOf(code));
      const isProven = approval !== undefined && approval.until > now() &&
        timingSafeEqual(hashOf(challengeOf(verifier)), hashOf(approval.challenge));
      if (!isProven) {
        throw new AppError("Unauthorized", 401, "This code is wrong, was used before, or is too old. Sign in again.");
      }
      const { admin, token } = signIn.enter(visitor, approval.row);
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
