// Implements the caller of a function with its rights, which are checked again after each change of what is stored, and
// until the time of its key is over.

import { decideAdmission, type KeyDirectory } from "../core/access/directory.ts";
import { maySecretBeAsked, narrows } from "../core/functions/permissions.ts";
import type { RegisteredFunction, Registry } from "../core/functions/registry.ts";
import type { AppError } from "../errors.ts";
import type { FunctionId, KeyId, SecretName } from "../ids.ts";
import type { SealableCaller } from "./secrets/broker.ts";
import type { ObservedCaller } from "./secrets/disclosures.ts";
import type { DisclosedSecrets, Masking } from "../masking/masking.ts";
import type { CallTrace } from "../telemetry/traces.ts";
import type { HostedCaller } from "../sandbox/host/sandbox.ts";
import { SealedValues } from "../sandbox/host/sealed_values.ts";
import type { Serving } from "../serving.ts";
import type { KeyHolder } from "../store/access.ts";
import type { ChangeCounter } from "../store/database.ts";

/** What callers use: the rights of calls are looked up again, and disclosed values are masked. */
export interface Rights {
  readonly access: Pick<KeyDirectory, "holder" | "isInTime">;
  readonly registry: Pick<Registry, "enabled">;
  readonly changes: ChangeCounter;
  readonly masking: Pick<Masking, "hold" | "release">;
  /** Undefined without a cluster. */
  readonly serving?: Pick<Serving, "callRefusal"> | undefined;
}

export class RunCaller implements ObservedCaller, SealableCaller, HostedCaller {
  readonly functionId: FunctionId;
  /** The key that the call was admitted with; undefined on a public function. */
  readonly keyId: KeyId | undefined;
  readonly trace: CallTrace | undefined;
  /** The values that were disclosed to the call. */
  readonly disclosed: DisclosedSecrets;
  readonly onTrial: ObservedCaller["onTrial"];
  readonly onAsked: ObservedCaller["onAsked"];
  refusedBy: AppError | undefined;
  readonly #rights: Rights;
  /** The function and the key when the call was admitted. */
  readonly #admittedTo: RegisteredFunction;
  readonly #admittedAs: KeyHolder | undefined;
  #function: RegisteredFunction;
  #holder: KeyHolder | undefined;
  #isEntitled = true;
  #asOf: number;
  #sealed: SealedValues | undefined;

  /** `fn` and `holder` are the current ones; `holder` is undefined on a public function. */
  constructor(
    rights: Rights,
    fn: RegisteredFunction,
    holder: KeyHolder | undefined,
    call: Pick<ObservedCaller, "trace" | "disclosed" | "onTrial" | "onAsked">,
  ) {
    this.functionId = fn.id;
    this.keyId = holder?.keyId;
    this.trace = call.trace;
    this.disclosed = call.disclosed;
    this.onTrial = call.onTrial;
    this.onAsked = call.onAsked;
    this.#rights = rights;
    this.#admittedTo = this.#function = fn;
    this.#admittedAs = this.#holder = holder;
    this.#asOf = rights.changes.count;
  }

  /** The key whose values the call may read in addition to the function's own. */
  get holder(): KeyHolder | undefined {
    this.#update();
    return this.#holder;
  }

  get sealed(): SealedValues {
    return this.#sealed ??= new SealedValues();
  }

  /** The sealed values that it was given; undefined if none. */
  get sealedValues(): SealedValues | undefined {
    return this.#sealed;
  }

  /** Reports whether the function may ask for a secret of this name. */
  mayAsk(name: SecretName): boolean {
    this.#update();
    return this.#isEntitled && maySecretBeAsked(this.#function.secrets, name);
  }

  /**
   * Whether the call may still ask for secrets and answer. It may not once its function was deleted, disabled or
   * narrowed, or its key revoked or expired. A call that lost its right does not regain it.
   */
  get isEntitled(): boolean {
    this.#update();
    return this.#isEntitled;
  }

  /**
   * Whether the function and the key are still those that the call was admitted with, so that it may be sent. A node of a
   * cluster cannot say so without a lease.
   */
  get isCurrent(): boolean {
    this.#update();
    return this.#isEntitled && this.#function === this.#admittedTo &&
      this.#holder?.groupId === this.#admittedAs?.groupId &&
      this.#rights.serving?.callRefusal() === undefined;
  }

  /** Masks the values that were disclosed to the call, until its end. */
  accepted(): void {
    this.#rights.masking.hold(this.disclosed);
  }

  ended(): void {
    this.#rights.masking.release(this.disclosed);
  }

  #update(): void {
    if (!this.#isEntitled) return;
    const { access, changes } = this.#rights;
    const now = changes.count;
    if (now !== this.#asOf) {
      this.#asOf = now;
      this.#lookUp();
    }
    // Nothing is stored when the time of a key is over. Its time may have been extended before: looked up first.
    if (this.#holder && !access.isInTime(this.#holder)) this.#isEntitled = false;
  }

  #lookUp(): void {
    const { access, registry } = this.#rights;
    const fn = registry.enabled(this.functionId);
    const holder = this.#holder && access.holder(this.#holder.keyId, this.#holder.lookup);
    const admitted = fn && decideAdmission(fn.keys, holder);
    if (!fn || !admitted?.admitted || narrows(fn, this.#function)) {
      this.#isEntitled = false;
      return;
    }
    this.#function = fn;
    this.#holder = admitted.holder;
  }
}
