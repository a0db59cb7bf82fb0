// The second factor: codes of an authenticator app, and recovery codes for the day on which it is lost.

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

/** What an app has to be given. */
export interface Enrolment {
  /** Sent back with the first code; secret only together with the key file. */
  readonly nonce: string;
  /** In base32, to be typed. */
  readonly secret: string;
  /** The same for a QR code: `otpauth://totp/…`. */
  readonly uri: string;
}

export type SecondFactor = ReturnType<typeof secondFactorService>;

export function secondFactorService(store: Store, key: DerivedKey, now: () => number, record: Recorder) {
  const rows = store.admins;

  /** What codes are computed from: nowhere stored, so that the database alone is no second factor. */
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
    /** Begins to set it up; nothing is stored before the app has shown that it works. */
    propose: (row: AdminRow): Enrolment => enrolment(row, randomBytes(NONCE_BYTES)),

    /** The same again for the nonce of a form. @throws AppError InvalidInput (400) */
    proposed: (row: AdminRow, nonce: string): Enrolment => enrolment(row, nonceOf(nonce)),

    /**
     * Switches it on, proved by a first code; the recovery codes, which are told nowhere else.
     * @throws AppError InvalidInput (400), Conflict (409) if it is on already
     */
    enable(actor: Actor, { id }: AdminRow, nonceText: string, code: string): string[] {
      const nonce = nonceOf(nonceText);
      const step = matchingStep(secretOf(id, nonce), compact(code), now());
      if (step === undefined) throw invalid("code", "is not the one that the app should show now");
      return store.change(actor, () => {
        const row = rows.admin(id);
        if (!row || row.totpNonce !== null) throw conflict("There is a second factor already.");
        rows.setTotpNonce(id, nonce, step);
        record(actor, { action: "admin.updated", subject: subjectOf(row), after: { secondFactor: true } });
        return newCodes(id);
      });
    },

    /** Switches it off; codes are worth nothing from now on. */
    disable(actor: Actor, row: AdminRow): void {
      store.change(actor, () => {
        rows.setTotpNonce(row.id, null, 0);
        rows.replaceCodes(row.id, []);
        record(actor, { action: "admin.updated", subject: subjectOf(row), after: { secondFactor: false } });
      });
    },

    /** New recovery codes in place of those before. */
    renewCodes(actor: Actor, row: AdminRow): string[] {
      return store.change(actor, () => {
        record(actor, { action: "admin.updated", subject: subjectOf(row), after: { recoveryCodes: "renewed" } });
        return newCodes(row.id);
      });
    },

    codesLeft: (id: AdminId): number => rows.countCodes(id),

    /** Whether a code counts, of the app or for recovery. It then never does again. */
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

/** Codes are shown in groups, and typed likewise. */
function compact(code: string): string {
  return code.replace(/[\s-]/g, "");
}

function nonceOf(text: string): Uint8Array {
  const nonce = Buffer.from(text, "base64url");
  if (nonce.length !== NONCE_BYTES) throw invalid("nonce", "is not one of this page");
  return nonce;
}
