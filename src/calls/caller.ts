// Who makes a call, and what it may do at each moment: decided again whenever something was changed since.

import type { Access } from "../core/access/access.ts";
import { admission } from "../core/access/admission.ts";
import { maySecretBeAsked, narrows } from "../core/functions/permissions.ts";
import type { RegisteredFunction, Registry } from "../core/functions/registry.ts";
import type { FunctionId, SecretName } from "../ids.ts";
import type { ObservedCaller } from "./secrets/disclosures.ts";
import type { Handed } from "../masking/masking.ts";
import type { CallTrace } from "../telemetry/traces.ts";
import type { KeyHolder } from "../store/access.ts";

/** Where the rights of calls are looked up. */
export interface Rights {
  readonly access: Pick<Access, "holder">;
  readonly registry: Pick<Registry, "enabled">;
  /** Another number after each change of what is stored. */
  readonly changes: () => number;
}

export class RunCaller implements ObservedCaller {
  readonly functionId: FunctionId;
  readonly trace: CallTrace | undefined;
  /** The values that the call has been given. */
  readonly handed: Handed;
  readonly #rights: Rights;
  /** As the call was admitted. */
  readonly #admittedTo: RegisteredFunction;
  readonly #admittedAs: KeyHolder | undefined;
  #function: RegisteredFunction;
  #holder: KeyHolder | undefined;
  #isEntitled = true;
  #asOf: number;

  /** `fn` and `holder` are those of this moment; `holder` is undefined on a public function. */
  constructor(
    rights: Rights,
    fn: RegisteredFunction,
    holder: KeyHolder | undefined,
    call: { readonly trace: CallTrace | undefined; readonly handed: Handed },
  ) {
    this.functionId = fn.id;
    this.trace = call.trace;
    this.handed = call.handed;
    this.#rights = rights;
    this.#admittedTo = this.#function = fn;
    this.#admittedAs = this.#holder = holder;
    this.#asOf = rights.changes();
  }

  /** Whose values the call may read in addition to the function's own. */
  get holder(): KeyHolder | undefined {
    this.#update();
    return this.#holder;
  }

  /** Whether the function may ask for a secret of this name. */
  mayAsk(name: SecretName): boolean {
    this.#update();
    return this.#isEntitled && maySecretBeAsked(this.#function.secrets, name);
  }

  /**
   * Whether the call may still ask and answer. It may not once its function was deleted, disabled or narrowed, or its
   * key revoked; what was lost does not come back for this call.
   */
  get isEntitled(): boolean {
    this.#update();
    return this.#isEntitled;
  }

  /** Whether the function and the key are as the call was admitted, so that it may be sent to a process for them. */
  get isCurrent(): boolean {
    this.#update();
    return this.#isEntitled && this.#function === this.#admittedTo &&
      this.#holder?.groupId === this.#admittedAs?.groupId;
  }

  #update(): void {
    const { access, registry, changes } = this.#rights;
    const now = changes();
    if (now === this.#asOf || !this.#isEntitled) return;
    this.#asOf = now;
    const fn = registry.enabled(this.functionId);
    const holder = this.#holder && access.holder(this.#holder.keyId);
    const admitted = fn && admission(fn.keys, holder);
    if (!fn || !admitted?.admitted || narrows(fn, this.#function)) {
      this.#isEntitled = false;
      return;
    }
    this.#function = fn;
    this.#holder = admitted.holder;
  }
}
