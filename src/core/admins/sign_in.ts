// Implements signing in: the password, then the second factor where one is enabled. Both are throttled after failures.
// No answer reveals whether an e-mail address belongs to a user.

import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { Buffer } from "node:buffer";
import { networkOf } from "../../addresses.ts";
import type { Actor, LoneRecorder, Origin, Recorder, VisitorActor } from "../../actor.ts";
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
import { MINUTE_MS, SECOND_MS } from "../../time.ts";

/** Prefix length of the largest IPv6 network that one household usually has (RFC 6177). */
const HOUSEHOLD_IPV6_BITS = 64;
/** For one account from one address, or from a browser that has signed in to it before. */
const PER_ACCOUNT_AND_ADDRESS: Limit = { free: 5, firstWaitMs: 30 * SECOND_MS, longestWaitMs: 60 * MINUTE_MS };
/** For all accounts from one address, which many users may share. */
const PER_ADDRESS: Limit = { free: 20, firstWaitMs: 30 * SECOND_MS, longestWaitMs: 60 * MINUTE_MS };
/** For one account from all addresses together. Does not apply to browsers that have signed in to it before. */
const PER_ACCOUNT: Limit = { free: 50, firstWaitMs: 30 * SECOND_MS, longestWaitMs: 5 * MINUTE_MS };

const PENDING_MAX = 1_000;
const PENDING_MS = 10 * MINUTE_MS;

/** Who tries to sign in, and from where. */
export interface Visitor {
  readonly actor: VisitorActor & Origin;
  readonly userAgent: string;
  /** `SignedIn.device` of this browser's last sign-in. */
  readonly device: string | undefined;
}

/** A new session: its token, and a proof that this browser has signed in, for its next sign-in. */
export interface SignedIn {
  readonly admin: AdminRow;
  readonly token: string;
  readonly device: string;
}

/** A correct password of a user with a second factor: the token that `withCode` takes. */
export interface PendingSecondFactor {
  readonly pending: string;
}

export interface SignIn {
  /** Returns a proof that this browser has signed in to an account, which the browser keeps. */
  newDevice(id: AdminId): string;

  /**
   * Takes the first step.
   * @throws AppError Unauthorized (401) for a wrong address or password, SlowDown (429), Busy (503)
   */
  withPassword(visitor: Visitor, email: string, password: string): Promise<SignedIn | PendingSecondFactor>;

  /** Signs in a user whose password is verified or just chosen, unless a second factor is needed first. */
  afterPassword(visitor: Visitor, row: AdminRow): Promise<SignedIn | PendingSecondFactor>;

  /**
   * Starts a session of a user who was verified just now, without a second factor.
   * @throws AppError Unauthorized (401) if the user is gone, or the password was changed meanwhile
   */
  enter(visitor: Visitor, row: AdminRow): SignedIn;

  /**
   * Asks a signed-in user for the password again, before changes that an unattended browser must not allow.
   * @throws AppError InvalidInput (400) naming `field`, SlowDown (429), Busy (503)
   */
  verifyPassword(visitor: Visitor, row: AdminRow, password: string, field: string): Promise<void>;

  /**
   * Takes the second step, with a code of the authenticator app or a recovery code.
   * @throws AppError Unauthorized (401), SlowDown (429)
   */
  withCode(visitor: Visitor, pending: string, code: string): Promise<SignedIn>;
}

export interface SignInOptions {
  readonly store: Store;
  readonly sessions: Sessions;
  readonly passwords: Passwords;
  readonly secondFactor: SecondFactor;
  /** Makes the MACs of `SignedIn.device`. */
  readonly deviceKey: DerivedKey;
  /** Milliseconds since 1970 UTC. */
  readonly now: () => number;
  /** Is called for each session that is started. */
  readonly record: Recorder;
  /** Is called for each attempt that fails. */
  readonly recordAlone: LoneRecorder;
}

export function createSignIn(options: SignInOptions): SignIn {
  return new SignInService(options);
}

class SignInService implements SignIn {
  readonly #store: Store;
  readonly #sessions: Sessions;
  readonly #passwords: Passwords;
  readonly #secondFactor: SecondFactor;
  readonly #deviceKey: DerivedKey;
  readonly #now: () => number;
  readonly #record: Recorder;
  readonly #recordAlone: LoneRecorder;
  readonly #throttle: Throttle;
  readonly #waitingForCode = new Map<string, { id: AdminId; password: string | null; until: number }>();

  constructor({ store, sessions, passwords, secondFactor, deviceKey, now, record, recordAlone }: SignInOptions) {
    this.#store = store;
    this.#sessions = sessions;
    this.#passwords = passwords;
    this.#secondFactor = secondFactor;
    this.#deviceKey = deviceKey;
    this.#now = now;
    this.#record = record;
    this.#recordAlone = recordAlone;
    this.#throttle = new Throttle(now);
  }

  newDevice(id: AdminId): string {
    const nonce = randomBytes(16).toString("base64url");
    return `${nonce}.${this.#deviceMac(id, nonce)}`;
  }

  async withPassword(visitor: Visitor, email: string, password: string): Promise<SignedIn | PendingSecondFactor> {
    const row = this.#trusted(this.#store.admins.adminByEmail(email));
    const counted = this.#begin(visitor, row, "password", keyOf(email));
    let right: boolean;
    try {
      right = await this.#passwords.matches(row?.password ?? null, password);
    } catch (error) {
      counted.forEach(this.#throttle.takeBack, this.#throttle);
      throw error;
    }
    if (!row || !right) {
      await this.#refuse(visitor, row, counted, "password");
      throw wrong();
    }
    this.#succeeded(counted);
    return await this.afterPassword(visitor, row);
  }

  async afterPassword(visitor: Visitor, row: AdminRow): Promise<SignedIn | PendingSecondFactor> {
    if (row.totpNonce !== null) return this.#waitForCode(row);
    return await this.#store.commit(() => this.enter(visitor, row));
  }

  async verifyPassword(visitor: Visitor, row: AdminRow, password: string, field: string): Promise<void> {
    const counted: Counted = { bucket: `prove ${row.id}`, limit: PER_ACCOUNT_AND_ADDRESS };
    this.#throttle.begin([counted]);
    if (!await this.#passwords.matches(row.password, password)) {
      await this.#refuse(visitor, row, [counted], "proof");
      throw invalid(field, "is wrong");
    }
    this.#throttle.clear(counted.bucket);
  }

  async withCode(visitor: Visitor, pending: string, code: string): Promise<SignedIn> {
    const waiting = this.#waitingForCode.get(keyOf(pending));
    const row = waiting && waiting.until > this.#now()
      ? this.#trusted(this.#store.admins.admin(waiting.id))
      : undefined;
    if (!waiting || !row || row.password !== waiting.password) {
      throw new AppError("Expired", 401, "That took too long. Sign in again.");
    }
    const counted = this.#begin(visitor, row, "code", String(row.id));
    const { id, totpNonce } = row;
    if (totpNonce !== null && !await this.#store.commit(() => this.#secondFactor.use(id, totpNonce, code))) {
      await this.#refuse(visitor, row, counted, "code");
      throw new AppError("Unauthorized", 401, "This code is wrong or was already used.", { code: "is wrong" });
    }
    this.#succeeded(counted);
    this.#waitingForCode.delete(keyOf(pending));
    return await this.#store.commit(() => this.enter(visitor, row));
  }

  /** Returns `row` unless something other than this program altered it: such a user cannot sign in. */
  #trusted(row: AdminRow | undefined): AdminRow | undefined {
    return row && this.#store.admins.isAuthentic(row.id) ? row : undefined;
  }

  #deviceMac(id: AdminId, nonce: string): string {
    return Buffer.from(this.#deviceKey.mac(`device:${id}:${nonce}`)).toString("base64url");
  }

  /** Returns what distinguishes this browser from others of the account; undefined if it never signed in to it. */
  #knownDevice(row: AdminRow | undefined, device: string | undefined): string | undefined {
    const [nonce, mac] = device?.split(".") ?? [];
    if (!row || !nonce || !mac) return undefined;
    return timingSafeEqual(hashOf(mac), hashOf(this.#deviceMac(row.id, nonce))) ? nonce : undefined;
  }

  /** Returns what an attempt counts against; the first one is of the account and the address, or the browser. */
  #countedOf(step: string, account: string, visitor: Visitor, row: AdminRow | undefined): Counted[] {
    const device = this.#knownDevice(row, visitor.device);
    if (device) return [{ bucket: `${step} device ${account} ${device}`, limit: PER_ACCOUNT_AND_ADDRESS }];
    const network = networkOf(visitor.actor.address, HOUSEHOLD_IPV6_BITS);
    return [
      { bucket: `${step} ${account} ${network}`, limit: PER_ACCOUNT_AND_ADDRESS },
      { bucket: `${step} from ${network}`, limit: PER_ADDRESS },
      { bucket: `${step} to ${account}`, limit: PER_ACCOUNT },
    ];
  }

  async #refuse(
    visitor: Visitor,
    row: AdminRow | undefined,
    counted: readonly Counted[],
    step: string,
  ): Promise<void> {
    // Unknown e-mail addresses are not recorded: the user may have typed a password there.
    const subject = row ? subjectOf(row) : { kind: "admin", id: null, name: "" };
    await this.#recordAlone(visitor.actor, { action: "sign-in.failed", subject, after: { step } });
    if (counted.some(({ bucket }) => this.#throttle.isBlocked(bucket))) {
      await this.#recordAlone(visitor.actor, { action: "sign-in.locked", subject, after: { step } });
    }
  }

  #succeeded([pair, ...others]: readonly Counted[]): void {
    this.#throttle.clear(pair!.bucket);
    for (const counted of others) this.#throttle.takeBack(counted);
  }

  /** @throws SlowDown (429) */
  #begin(visitor: Visitor, row: AdminRow | undefined, step: string, account: string): Counted[] {
    const counted = this.#countedOf(step, account, visitor, row);
    this.#throttle.begin(counted);
    return counted;
  }

  enter(visitor: Visitor, { id, password }: AdminRow): SignedIn {
    return this.#store.transaction(() => {
      const row = this.#trusted(this.#store.admins.admin(id));
      // The account may have been removed, or its password changed, during the check.
      if (!row || row.password !== password) throw wrong();
      const actor: Actor = {
        ...visitor.actor,
        kind: "admin",
        id: String(id),
        name: row.email,
        refusal: () => undefined,
      };
      const token = this.#sessions.begin(id, { address: visitor.actor.address, userAgent: visitor.userAgent });
      this.#record(actor, { action: "sign-in.succeeded", subject: subjectOf(row) });
      return { admin: row, token, device: this.newDevice(id) };
    });
  }

  #waitForCode({ id, password }: AdminRow): PendingSecondFactor {
    const pending = newToken();
    for (const [key, { until }] of this.#waitingForCode) {
      if (until <= this.#now() || this.#waitingForCode.size >= PENDING_MAX) this.#waitingForCode.delete(key);
    }
    this.#waitingForCode.set(keyOf(pending), { id, password, until: this.#now() + PENDING_MS });
    return { pending };
  }
}

function wrong(): AppError {
  return new AppError("Unauthorized", 401, "The e-mail address or the password is wrong.");
}

/** Returns a key of fixed length for any input. */
function keyOf(text: string): string {
  return createHash("sha256").update(text).digest("base64url");
}
