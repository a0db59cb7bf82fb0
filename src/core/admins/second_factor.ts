// Implements the second factor: codes of an authenticator app, and recovery codes in case the app is lost.

import { Buffer } from "node:buffer";
import { randomBytes } from "node:crypto";
import type { Actor, Recorder } from "../../actor.ts";
import { conflict, invalid } from "../../errors.ts";
import type { AdminId } from "../../ids.ts";
import type { DerivedKey } from "../../keyring/derived_key.ts";
import { base32, matchingStep, TOTP_SECRET_BYTES } from "../../keyring/totp.ts";
import type { AdminRow } from "../../store/admins.ts";
import type { Store } from "../../store/store.ts";
import { subjectOf } from "./accounts.ts";

const NONCE_BYTES = 16;
const RECOVERY_CODES = 10;
/** 80 bits, as 16 letters and digits. */
const RECOVERY_CODE_BYTES = 10;

/** What an authenticator app is set up with. */
export interface Enrolment {
  /** Returned with the first code. It is not secret: the key file is needed to derive `secret` from it. */
  readonly nonce: string;
  /** In base32, for typing it in. */
  readonly secret: string;
  /** The same as a URI for a QR code: `otpauth://totp/…`. */
  readonly uri: string;
}

export interface SecondFactor {
  /** Returns what a new app is set up with. Nothing is stored before `enable` has verified a code. */
  propose(row: AdminRow): Enrolment;

  /** Returns the enrolment again for the nonce that a form sent. @throws AppError InvalidInput (400) */
  proposed(row: AdminRow, nonce: string): Enrolment;

  /**
   * Enables the second factor if `code` is right, and returns the recovery codes, which cannot be read again.
   * @throws AppError InvalidInput (400), Conflict (409) if it is already enabled
   */
  enable(actor: Actor, row: AdminRow, nonceText: string, code: string): string[];

  /** Disables the second factor and deletes the recovery codes. */
  disable(actor: Actor, row: AdminRow): void;

  /** Replaces the recovery codes and returns the new ones. */
  renewCodes(actor: Actor, row: AdminRow): string[];
  /** Returns the number of unused recovery codes. */
  codesLeft(id: AdminId): number;

  /** Reports whether a code of the app or a recovery code is valid; a valid code is used up. */
  use(id: AdminId, nonce: Uint8Array, given: string): boolean;
}

export interface SecondFactorOptions {
  readonly store: Store;
  /** Derives the secrets of apps and makes the MACs of recovery codes. */
  readonly key: DerivedKey;
  /** Milliseconds since 1970 UTC. */
  readonly now: () => number;
  /** Is called for each change. */
  readonly record: Recorder;
}

export function createSecondFactor({ store, key, now, record }: SecondFactorOptions): SecondFactor {
  const rows = store.admins;

  /** Derives what codes are computed from. It is never stored: the database alone does not yield codes. */
  const secretOf = (id: AdminId, nonce: Uint8Array): Uint8Array =>
    key.mac(`totp:${id}:${Buffer.from(nonce).toString("hex")}`).subarray(0, TOTP_SECRET_BYTES);

  const macOf = (id: AdminId, code: string): Uint8Array => key.mac(`recovery:${id}:${code}`);

  const newCodes = (id: AdminId): string[] => {
    const codes = Array.from({ length: RECOVERY_CODES }, () => base32(randomBytes(RECOVERY_CODE_BYTES)));
    rows.replaceCodes(id, codes.map((code) => macOf(id, code)));
    return codes.map((code) => code.match(/.{4}/g)!.join("-").toLowerCase());
  };

  const enrolment = ({ id, email }: AdminRow, nonce: Uint8Array): Enrolment => {
    const secret = base32(secretOf(id, nonce));
    const label = encodeURIComponent(`Crude Functions:${email}`);
    const uri = `otpauth://totp/${label}?secret=${secret}&issuer=${encodeURIComponent("Crude Functions")}`;
    return { nonce: Buffer.from(nonce).toString("base64url"), secret, uri };
  };

  return {
    propose: (row: AdminRow): Enrolment => enrolment(row, randomBytes(NONCE_BYTES)),

    proposed: (row: AdminRow, nonce: string): Enrolment => enrolment(row, nonceOf(nonce)),

    enable(actor: Actor, { id }: AdminRow, nonceText: string, code: string): string[] {
      const nonce = nonceOf(nonceText);
      const step = matchingStep(secretOf(id, nonce), compact(code), now());
      if (step === undefined) throw invalid("code", "is not the code that the app shows now");
      return store.change(actor, () => {
        const row = rows.admin(id);
        if (!row || row.totpNonce !== null) throw conflict("The second factor is already enabled.");
        rows.setTotpNonce(id, nonce, step);
        record(actor, { action: "admin.updated", subject: subjectOf(row), after: { secondFactor: true } });
        return newCodes(id);
      });
    },

    disable(actor: Actor, row: AdminRow): void {
      store.change(actor, () => {
        rows.setTotpNonce(row.id, null, 0);
        rows.replaceCodes(row.id, []);
        record(actor, { action: "admin.updated", subject: subjectOf(row), after: { secondFactor: false } });
      });
    },

    renewCodes(actor: Actor, row: AdminRow): string[] {
      return store.change(actor, () => {
        record(actor, { action: "admin.updated", subject: subjectOf(row), after: { recoveryCodes: "renewed" } });
        return newCodes(row.id);
      });
    },

    codesLeft: (id: AdminId): number => rows.countCodes(id),

    use(id: AdminId, nonce: Uint8Array, given: string): boolean {
      const code = compact(given);
      return store.transaction(() => {
        if (!/^\d{6}$/.test(code)) return rows.useCode(id, macOf(id, code.toUpperCase()));
        const step = matchingStep(secretOf(id, nonce), code, now());
        return step !== undefined && rows.useTotpStep(id, step);
      });
    },
  };
}

/** Removes the spaces and hyphens by which codes are displayed in groups. */
function compact(code: string): string {
  return code.replace(/[\s-]/g, "");
}

function nonceOf(text: string): Uint8Array {
  const nonce = Buffer.from(text, "base64url");
  if (nonce.length !== NONCE_BYTES) throw invalid("nonce", "was not made by this page");
  return nonce;
}
