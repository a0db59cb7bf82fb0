// Asks a broker for secrets as a sandbox does, with a list of what could not be read.

import type { Scope, SecretId } from "../../src/ids.ts";
import type { Keyring } from "../../src/keyring/keyring.ts";
import { type CompleteAnswer, type SealableCaller, SecretBroker } from "../../src/calls/secrets/broker.ts";
import { SecretLookup } from "../../src/calls/secrets/lookup.ts";
import type { Caller } from "../../src/core/secrets/resolution.ts";
import { SealedValues } from "../../src/sandbox/host/sealed_values.ts";
import type { Store } from "../../src/store/store.ts";

export interface CompleteSecret {
  values: Partial<Record<Scope, string>>;
  decryptionErrors: Partial<Record<Scope, string>>;
}

/** None of these values is sealed. */
type PlainAnswer = Omit<CompleteAnswer, Scope> & {
  global?: string;
  function?: string;
  group?: { value: string };
  key?: { value: string };
};

const sealable = (caller: Caller): SealableCaller => ({ ...caller, sealed: new SealedValues() });

/** `unreadable` is called with the id of each secret that could not be read. */
export function secretReader(
  store: Store,
  keyring: Keyring,
  unreadable: (id: SecretId | undefined) => void = () => {},
) {
  const broker = new SecretBroker(new SecretLookup(store, keyring), {
    asked: () => () => {},
    disclosed: () => {},
    expired: () => {},
    canaryRead: () => {},
    canarySent: () => {},
    needsQuestions: () => false,
    prefetched: () => {},
    unreadable: ({ id }) => unreadable(id),
  });
  return {
    get: (caller: Caller, name: string, scope?: Scope) =>
      broker.answer(sealable(caller), "get", name, scope ?? null) as string | undefined,

    getComplete(caller: Caller, name: string): CompleteSecret | undefined {
      const answer = broker.answer(sealable(caller), "complete", name, null) as PlainAnswer | undefined;
      if (!answer) return undefined;
      const { decryptionErrors = {}, group, key, ...plain } = answer;
      return {
        values: { ...plain, ...(group && { group: group.value }), ...(key && { key: key.value }) },
        decryptionErrors,
      };
    },
  };
}
