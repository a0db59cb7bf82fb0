// Signing in: password, then the second factor of those who have one, both slowed down after wrong ones. What is
// answered never tells whether an e-mail address is somebody's.

import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { Buffer } from "node:buffer";
import { networkOf } from "../../addresses.ts";
import type { Actor, Origin, Recorder, VisitorActor } from "../../actor.ts";
import { AppError, invalid } from "../../errors.ts";
import type { AdminId } from "../../ids.ts";
import type { DerivedKey } from "../../keyring/derived_key.ts";
import type { Passwords } from "../../keyring/passwords.ts";
import type { AdminRow } from "../../store/admins.ts";
import type { Store } from "../../store/store.ts";
import { subjectOf } from "./accounts.ts";
import type { SecondFactor } from "./second_factor.ts";
import { hashOf, newToken, type Sessions } from "./sessions.ts";
import { type Counted, type Limit, Throttle } from "./throttle.ts";

/** Of an IPv6 address: the network that one household has at most (RFC 6177). */
const HOUSEHOLD_IPV6_BITS = 64;
const SECOND = 1_000;
const MINUTE = 60 * SECOND;

/** For one account from one address, or from a browser that has signed in to it before. */
const PAIR: Limit = { free: 5, firstWaitMs: 30 * SECOND, longestWaitMs: 60 * MINUTE };
/** For all accounts from one address, which many people may share. */
const ADDRESS: Limit = { free: 20, firstWaitMs: 30 * SECOND, longestWaitMs: 60 * MINUTE };
/** For one account from all addresses together. Browsers that have signed in before do not wait with these. */
const ACCOUNT: Limit = { free: 50, firstWaitMs: 30 * SECOND, longestWaitMs: 5 * MINUTE };

const PENDING_MAX = 1_000;
const PENDING_MS = 10 * MINUTE;

/** Who tries, and from where. */
export interface Visitor {
  readonly actor: VisitorActor & Origin;
  readonly userAgent: string;
  /** What `SignedIn.device` was in this browser the last time. */
  readonly device: string | undefined;
}

/** A new session: its token, and a proof for next time that this browser has signed in before. */
export interface SignedIn {
  readonly admin: AdminRow;
  readonly token: string;
  readonly device: string;
}

/** A right password whose owner has a second factor: what the next step has to present. */
export interface Halfway {
  readonly pending: string;
}

export type SignIn = ReturnType<typeof signInService>;

export function signInService({ store, sessions, passwords, secondFactor, deviceKey, now, record }: {
  store: Store;
  sessions: Sessions;
  passwords: Passwords;
  secondFactor: SecondFactor;
  deviceKey: DerivedKey;
  now: () => number;
  record: Recorder;
}) {
  const throttle = new Throttle(now);
  const halfway = new Map<string, { id: AdminId; password: string | null; until: number }>();

  /** A row that was altered outside of this program does not let its user sign in. */
  const trusted = (row: AdminRow | undefined): AdminRow | undefined =>
    row && store.admins.isAuthentic(row.id) ? row : undefined;

  const deviceMac = (id: AdminId, nonce: string): string =>
    Buffer.from(deviceKey.mac(`device:${id}:${nonce}`)).toString("base64url");

  /** A proof that this browser has signed in to an account, to be kept by it. */
  const newDevice = (id: AdminId): string => {
    const nonce = randomBytes(16).toString("base64url");
    return `${nonce}.${deviceMac(id, nonce)}`;
  };

  /** What tells this browser from others of the same account; undefined if it never signed in to it. */
  const knownDevice = (row: AdminRow | undefined, device: string | undefined): string | undefined => {
    const [nonce, mac] = device?.split(".") ?? [];
    if (!row || !nonce || !mac) return undefined;
    return timingSafeEqual(hashOf(mac), hashOf(deviceMac(row.id, nonce))) ? nonce : undefined;
  };

  /** The buckets of an attempt; the first one is the pair's. */
  const countedOf = (step: string, account: string, visitor: Visitor, row: AdminRow | undefined): Counted[] => {
    const device = knownDevice(row, visitor.device);
    if (device) return [{ bucket: `${step} device ${account} ${device}`, limit: PAIR }];
    const network = networkOf(visitor.actor.address, HOUSEHOLD_IPV6_BITS);
    return [
      { bucket: `${step} ${account} ${network}`, limit: PAIR },
      { bucket: `${step} from ${network}`, limit: ADDRESS },
      { bucket: `${step} to ${account}`, limit: ACCOUNT },
    ];
  };

  const refuse = (visitor: Visitor, row: AdminRow | undefined, counted: readonly Counted[], step: string): void => {
    // Of an address that is nobody's nothing is kept: it may be a password in the wrong field.
    const subject = row ? subjectOf(row) : { kind: "admin", id: null, name: "" };
    record(visitor.actor, { action: "sign-in.failed", subject, after: { step } });
    if (counted.some(({ bucket }) => throttle.isBlocked(bucket))) {
      record(visitor.actor, { action: "sign-in.locked", subject, after: { step } });
    }
  };

  const succeeded = ([pair, ...others]: readonly Counted[]): void => {
    throttle.clear(pair!.bucket);
    for (const counted of others) throttle.takeBack(counted);
  };

  /** @throws SlowDown (429) */
  const begin = (visitor: Visitor, row: AdminRow | undefined, step: string, account: string): Counted[] => {
    const counted = countedOf(step, account, visitor, row);
    throttle.begin(counted);
    return counted;
  };

  const enter = (visitor: Visitor, { id, password }: AdminRow): SignedIn =>
    store.transaction(() => {
      const row = trusted(store.admins.admin(id));
      // Removed, or given another password, while it was being checked.
      if (!row || row.password !== password) throw wrong();
      const actor: Actor = {
        ...visitor.actor,
        kind: "admin",
        id: String(id),
        name: row.email,
        refusal: () => undefined,
      };
      const token = sessions.begin(id, { address: visitor.actor.address, userAgent: visitor.userAgent });
      record(actor, { action: "sign-in.succeeded", subject: subjectOf(row) });
      return { admin: row, token, device: newDevice(id) };
    });

  const waitForCode = ({ id, password }: AdminRow): Halfway => {
    const pending = newToken();
    for (const [key, { until }] of halfway) {
      if (until <= now() || halfway.size >= PENDING_MAX) halfway.delete(key);
    }
    halfway.set(keyOf(pending), { id, password, until: now() + PENDING_MS });
    return { pending };
  };

  return {
    newDevice,

    /**
     * The first step.
     * @throws AppError Unauthorized (401) for a wrong pair, SlowDown (429), Busy (503)
     */
    async withPassword(visitor: Visitor, email: string, password: string): Promise<SignedIn | Halfway> {
      const row = trusted(store.admins.adminByEmail(email));
      const counted = begin(visitor, row, "password", keyOf(email));
      let right: boolean;
      try {
        right = await passwords.matches(row?.password ?? null, password);
      } catch (error) {
        counted.forEach(throttle.takeBack, throttle);
        throw error;
      }
      if (!row || !right) {
        refuse(visitor, row, counted, "password");
        throw wrong();
      }
      succeeded(counted);
      return this.afterPassword(visitor, row);
    },

    /** For whom the password is settled: signed in, or asked for the second factor. */
    afterPassword(visitor: Visitor, row: AdminRow): SignedIn | Halfway {
      return row.totpNonce === null ? enter(visitor, row) : waitForCode(row);
    },

    /**
     * Makes sure that who is signed in knows the password, before what a borrowed browser should not do.
     * @throws AppError InvalidInput (400) naming `field`, SlowDown (429), Busy (503)
     */
    async prove(visitor: Visitor, row: AdminRow, password: string, field: string): Promise<void> {
      const counted: Counted = { bucket: `prove ${row.id}`, limit: PAIR };
      throttle.begin([counted]);
      if (!await passwords.matches(row.password, password)) {
        refuse(visitor, row, [counted], "proof");
        throw invalid(field, "is wrong");
      }
      throttle.clear(counted.bucket);
    },

    /**
     * The second step, with a code of the authenticator app or a recovery code.
     * @throws AppError Unauthorized (401), SlowDown (429)
     */
    withCode(visitor: Visitor, pending: string, code: string): SignedIn {
      const waiting = halfway.get(keyOf(pending));
      const row = waiting && waiting.until > now() ? trusted(store.admins.admin(waiting.id)) : undefined;
      if (!waiting || !row || row.password !== waiting.password) {
        throw new AppError("Expired", 401, "That took too long. Sign in again.");
      }
      const counted = begin(visitor, row, "code", String(row.id));
      if (row.totpNonce !== null && !secondFactor.use(row.id, row.totpNonce, code)) {
        refuse(visitor, row, counted, "code");
        throw new AppError("Unauthorized", 401, "This code is wrong, or was used before.", { code: "is wrong" });
      }
      succeeded(counted);
      halfway.delete(keyOf(pending));
      return enter(visitor, row);
    },
  };
}

function wrong(): AppError {
  return new AppError("Unauthorized", 401, "The e-mail address or the password is wrong.");
}

/** Of one length, whatever was typed. */
function keyOf(text: string): string {
  return createHash("sha256").update(text).digest("base64url");
}
