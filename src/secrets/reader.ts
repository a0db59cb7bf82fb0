// What handlers may do with secrets: read the ones they are entitled to. Runs in the host only.

import type { Owner, Scope, SecretId, SecretName } from "../ids.ts";
import { secretAad } from "../keyring/aad.ts";
import { DecryptionError, type Keyring } from "../keyring/keyring.ts";
import type { SecretValue } from "../keyring/secret_value.ts";
import { type Candidate, toOwner } from "../store/secrets.ts";
import type { Store } from "../store/store.ts";
import { ALTERED, MISSING } from "./secrets.ts";
import { isSecretName } from "./names.ts";
import { type Caller, resolve } from "./resolution.ts";

/** What `getCompleteSecret` gives, with the values still closed. */
export interface CompleteSecret {
  readonly values: Partial<Record<Scope, SecretValue>>;
  readonly decryptionErrors: Partial<Record<Scope, string>>;
}

interface OpenedCandidate {
  readonly id: SecretId;
  readonly value: SecretValue;
}

export interface FoundSecret extends OpenedCandidate {
  readonly scope: Scope;
}

export interface SecretReader {
  /** The value of the winning scope, or of `scope` alone; undefined if there is none or it cannot be decrypted. */
  get(caller: Caller, name: string, scope?: Scope): SecretValue | undefined;
  /**
   * What `get` would give, without telling anybody; undefined if there is none. Whoever gives it to the caller tells
   * of it.
   */
  look(caller: Caller, name: string, scope?: Scope): FoundSecret | "unreadable" | undefined;
  /** Every value the caller is entitled to; undefined if no accessible scope has the name. */
  getComplete(caller: Caller, name: string): CompleteSecret | undefined;
}

/** Look-ups remembered, as ciphertexts; a query costs as much as decrypting its result twice. */
const REMEMBERED_LOOKUPS = 10_000;
const REMEMBERED_MAX_BYTES = 32 << 20;
/** What a look-up and what each of its rows takes beside the ciphertexts. */
const ROW_BYTES = 512;

/** A secret that a handler is not given: its id, undefined if its row is missing, its name and its owner. */
export interface RefusedSecret {
  readonly id: SecretId | undefined;
  readonly name: SecretName;
  readonly owner: Owner;
}

/**
 * `onRefused` is called for each value that is there and cannot be read, or is missing, and `onRead` for each that is
 * given to a caller.
 */
export function secretReader(
  store: Store,
  keyring: Keyring,
  onRefused: (secret: RefusedSecret, reason: string) => void,
  onRead: (caller: Caller, id: SecretId, scope: Scope) => void,
): SecretReader {
  const remembered = new Map<string, Candidate[]>();
  let rememberedBytes = 0;
  let rememberedAt = store.changes();

  const candidates = (caller: Caller, name: SecretName): Candidate[] => {
    const { functionId, holder } = caller;
    const [groupId, keyId] = [holder?.groupId ?? 0, holder?.keyId ?? 0];
    // Any change whatever makes us look again: this process is the only one that writes.
    const isFull = remembered.size >= REMEMBERED_LOOKUPS || rememberedBytes >= REMEMBERED_MAX_BYTES;
    if (rememberedAt !== store.changes() || isFull) {
      remembered.clear();
      rememberedBytes = 0;
      rememberedAt = store.changes();
    }
    const lookup = `${functionId} ${groupId} ${keyId} ${name}`;
    let found = remembered.get(lookup);
    if (!found) {
      remembered.set(lookup, found = store.secrets.candidates(name, functionId, groupId, keyId));
      for (const candidate of found) rememberedBytes += candidate.id === undefined ? 0 : candidate.ciphertext.length;
      rememberedBytes += (1 + found.length) * ROW_BYTES;
    }
    return found;
  };

  const open = (candidate: Candidate, name: SecretName): OpenedCandidate | DecryptionError => {
    const { id, scope, ownerId } = candidate;
    if (id === undefined) return new DecryptionError(MISSING);
    if (!candidate.isAuthentic) return new DecryptionError(ALTERED);
    try {
      return { id, value: keyring.open(candidate.ciphertext, secretAad(toOwner(scope, ownerId), name)) };
    } catch (error) {
      if (!(error instanceof DecryptionError)) throw error;
      return error;
    }
  };

  const openOrReport = (candidate: Candidate, name: SecretName): OpenedCandidate | DecryptionError => {
    const opened = open(candidate, name);
    if (opened instanceof DecryptionError) {
      const { id, scope, ownerId } = candidate;
      onRefused({ id, name, owner: toOwner(scope, ownerId) }, opened.message);
    }
    return opened;
  };

  const winner = (caller: Caller, name: SecretName, scope: Scope | undefined): Candidate | undefined => {
    const found = resolve(caller, name, () => candidates(caller, name));
    return scope === undefined ? found[0] : found.find((candidate) => candidate.scope === scope);
  };

  return {
    get(caller, name, scope) {
      const won = isSecretName(name) ? winner(caller, name, scope) : undefined;
      if (!won) return undefined;
      const opened = openOrReport(won, name as SecretName);
      // An unreadable value must not give way to a wider scope's: that could be another customer's default.
      if (opened instanceof DecryptionError) return undefined;
      onRead(caller, opened.id, won.scope);
      return opened.value;
    },

    look(caller, name, scope) {
      const won = isSecretName(name) ? winner(caller, name, scope) : undefined;
      if (!won) return undefined;
      const opened = open(won, name as SecretName);
      if (opened instanceof DecryptionError) return "unreadable";
      return { ...opened, scope: won.scope };
    },

    getComplete(caller, name) {
      if (!isSecretName(name)) return undefined;
      const accessible = resolve(caller, name, () => candidates(caller, name));
      if (accessible.length === 0) return undefined;
      const complete: CompleteSecret = { values: {}, decryptionErrors: {} };
      for (const candidate of accessible) {
        const opened = openOrReport(candidate, name);
        if (opened instanceof DecryptionError) complete.decryptionErrors[candidate.scope] = opened.message;
        else {
          complete.values[candidate.scope] = opened.value;
          onRead(caller, opened.id, candidate.scope);
        }
      }
      return complete;
    },
  };
}
