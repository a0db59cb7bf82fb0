// What handlers may do with secrets: read the ones they are entitled to. Runs in the host only.

import type { Scope, SecretId, SecretName } from "../ids.ts";
import { secretAad } from "../keyring/aad.ts";
import { DecryptionError, type Keyring } from "../keyring/keyring.ts";
import type { SecretValue } from "../keyring/secret_value.ts";
import type { Candidate, SecretStore } from "../store/secrets.ts";
import { isSecretName } from "./names.ts";
import { type Caller, entitledOwners, rank } from "./resolution.ts";

/** What `getCompleteSecret` gives, with the values still closed. */
export interface CompleteSecret {
  readonly values: Partial<Record<Scope, SecretValue>>;
  readonly decryptionErrors: Partial<Record<Scope, string>>;
}

export interface SecretReader {
  /** The value of the winning scope, or of `scope` alone; undefined if there is none or it cannot be decrypted. */
  get(caller: Caller, name: string, scope?: Scope): SecretValue | undefined;
  /** Every value the caller is entitled to; undefined if no accessible scope has the name. */
  getComplete(caller: Caller, name: string): CompleteSecret | undefined;
}

/** `onUndecryptable` hears of each stored value that could not be read. */
export function secretReader(
  store: SecretStore,
  keyring: Keyring,
  onUndecryptable: (id: SecretId, reason: string) => void,
): SecretReader {
  const candidates = (caller: Caller, name: SecretName) =>
    store.candidates(name, caller.functionId, caller.holder?.groupId ?? 0, caller.holder?.keyId ?? 0);

  const open = (candidate: Candidate, aad: string): SecretValue | string => {
    try {
      return keyring.open(candidate.ciphertext, aad);
    } catch (error) {
      if (!(error instanceof DecryptionError)) throw error;
      onUndecryptable(candidate.id, error.message);
      return error.message;
    }
  };

  return {
    get(caller, name, scope) {
      if (!isSecretName(name)) return undefined;
      const owners = entitledOwners(caller).filter((owner) => scope === undefined || owner.scope === scope);
      const [winner] = rank(candidates(caller, name), owners);
      if (!winner) return undefined;
      const owner = owners.find((owner) => owner.scope === winner.scope)!;
      const opened = open(winner, secretAad(owner, name));
      // An unreadable value must not give way to a wider scope's: that could be another customer's default.
      return typeof opened === "string" ? undefined : opened;
    },

    getComplete(caller, name) {
      if (!isSecretName(name)) return undefined;
      const owners = entitledOwners(caller);
      const accessible = rank(candidates(caller, name), owners);
      if (accessible.length === 0) return undefined;
      const complete: CompleteSecret = { values: {}, decryptionErrors: {} };
      for (const candidate of accessible) {
        const owner = owners.find((owner) => owner.scope === candidate.scope)!;
        const opened = open(candidate, secretAad(owner, name));
        if (typeof opened === "string") complete.decryptionErrors[candidate.scope] = opened;
        else complete.values[candidate.scope] = opened;
      }
      return complete;
    },
  };
}
