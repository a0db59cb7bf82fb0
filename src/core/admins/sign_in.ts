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
import type { Counted, Handovers, Limit, SharedState, Throttle } from "../../shared_state.ts";
import type { Store } from "../../store/store.ts";
import { subjectOf } from "./accounts.ts";
import type { SecondFactor } from "./second_factor.ts";
import { hashOf, newToken, type Sessions } from "./sessions.ts";
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

/** A user who was verified, and the password that was valid then. */
export type VerifiedAdmin = Pick<AdminRow, "id" | "password">;

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
  enter(visitor: Visitor, row: VerifiedAdmin): SignedIn;

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
  readonly shared: SharedState;
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
  readonly #record: Recorder;
  readonly #recordAlone: LoneRecorder;
  readonly #throttle: Throttle;
  /** Users whose passwords were right, by their tokens. */
  readonly #waitingForCode: Handovers;

  constructor({ store, sessions, passwords, secondFactor, deviceKey, shared, record, recordAlone }: SignInOptions) {
    this.#store = store;
    this.#sessions = sessions;
    this.#passwords = passwords;
    this.#secondFactor = secondFactor;
    this.#deviceKey = deviceKey;
    this.#record = record;
    this.#recordAlone = recordAlone;
    this.#throttle = shared.throttle;
    this.#waitingForCode = shared.handovers("second-factor", PENDING_MAX);
  }

  newDevice(id: AdminId): string {
    const nonce = randomBytes(16).toString("base64url");
    return `${nonce}.${this.#deviceMac(id, nonce)}`;
  }

  async withPassword(visitor: Visitor, email: string, password: string): Promise<SignedIn | PendingSecondFactor> {
    const row = this.#trusted(this.#store.admins.adminByEmail(email));
    const counted = await this.#begin(visitor, row, "password", keyOf(email));
    let right: boolean;
    try {
      right = await this.#passwords.matches(row?.password ?? null, password);
    } catch (error) {
      await this.#takeBack(counted);
      throw error;
    }
    if (!row || !right) {
      await this.#refuse(visitor, row, counted, "password");
      throw wrong();
    }
    await this.#succeeded(counted);
    return await this.afterPassword(visitor, row);
  }

  async afterPassword(visitor: Visitor, row: AdminRow): Promise<SignedIn | PendingSecondFactor> {
    if (row.totpNonce !== null) return await this.#waitForCode(row);
    return await this.#store.commit(() => this.enter(visitor, row));
  }

  async verifyPassword(visitor: Visitor, row: AdminRow, password: string, field: string): Promise<void> {
    const counted: Counted = { bucket: `prove ${row.id}`, limit: PER_ACCOUNT_AND_ADDRESS };
    await this.#throttle.begin([counted]);
    if (!await this.#passwords.matches(row.password, password)) {
      await this.#refuse(visitor, row, [counted], "proof");
      throw invalid(field, "is wrong");
    }
    await this.#throttle.clear(counted.bucket);
  }

  async withCode(visitor: Visitor, pending: string, code: string): Promise<SignedIn> {
    const found = await this.#waitingForCode.find(keyOf(pending));
    const waiting: VerifiedAdmin | undefined = found === undefined ? undefined : JSON.parse(found);
    const row = waiting && this.#trusted(this.#store.admins.admin(waiting.id));
    if (!row || row.password !== waiting.password) throw expired();
    const counted = await this.#begin(visitor, row, "code", String(row.id));
    const { id, totpNonce } = row;
    if (totpNonce !== null && !await this.#store.commit(() => this.#secondFactor.use(id, totpNonce, code))) {
      await this.#refuse(visitor, row, counted, "code");
      throw new AppError("Unauthorized", 401, "This code is wrong or was already used.", { code: "is wrong" });
    }
    await this.#succeeded(counted);
    if (await this.#waitingForCode.take(keyOf(pending)) === undefined) throw expired();
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
    const blocked = await Promise.all(counted.map(({ bucket }) => this.#throttle.isBlocked(bucket)));
    if (blocked.includes(true)) {
      await this.#recordAlone(visitor.actor, { action: "sign-in.locked", subject, after: { step } });
    }
  }

  async #succeeded([pair, ...others]: readonly Counted[]): Promise<void> {
    await this.#throttle.clear(pair!.bucket);
    await this.#takeBack(others);
  }

  async #takeBack(counted: readonly Counted[]): Promise<void> {
    for (const one of counted) await this.#throttle.takeBack(one);
  }

  /** @throws SlowDown (429) */
  async #begin(visitor: Visitor, row: AdminRow | undefined, step: string, account: string): Promise<Counted[]> {
    const counted = this.#countedOf(step, account, visitor, row);
    await this.#throttle.begin(counted);
    return counted;
  }

  enter(visitor: Visitor, { id, password }: VerifiedAdmin): SignedIn {
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

  async #waitForCode({ id, password }: VerifiedAdmin): Promise<PendingSecondFactor> {
    const pending = newToken();
    await this.#waitingForCode.put(keyOf(pending), JSON.stringify({ id, password }), PENDING_MS);
    return { pending };
  }
}

function expired(): AppError {
  return new AppError("Expired", 401, "That took too long. Sign in again.");
}

function wrong(): AppError {
  return new AppError("Unauthorized", 401, "The e-mail address or the password is wrong.");
}

/** Returns a key of fixed length for any input. */
function keyOf(text: string): string {
  return createHash("sha256").update(text).digest("base64url");
}
