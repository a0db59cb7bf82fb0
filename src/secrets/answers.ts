// What a handler's question becomes: the values in the shape that `ctx` gives them. Here, at the last
// moment, values are opened.

import { type Scope, SCOPES } from "../ids.ts";
import type { SecretReader } from "./reader.ts";
import type { Caller } from "./resolution.ts";

/** Hears of each value that leaves for a handler. */
export type OnHandedOut<C extends Caller> = (caller: C, name: string, value: string) => void;

/** `getCompleteSecret`'s result; see docs/writing-functions.md. */
interface CompleteAnswer {
  global?: string;
  function?: string;
  group?: { value: string; groupId: number; groupName: string };
  key?: { value: string; groupId: number; groupName: string; keyId: number; keyName: string };
  decryptionErrors?: Partial<Record<Scope, string>>;
}

export function secretAnswers<C extends Caller>(reader: SecretReader, onHandedOut: OnHandedOut<C>) {
  const complete = (caller: C, name: string): CompleteAnswer | undefined => {
    const found = reader.getComplete(caller, name);
    if (!found) return undefined;
    const { values, decryptionErrors } = found;
    const open = (scope: Scope): string | undefined => {
      const value = values[scope]?.reveal();
      if (value !== undefined) onHandedOut(caller, name, value);
      return value;
    };
    const answer: CompleteAnswer = { global: open("global"), function: open("function") };
    if (caller.holder) {
      const { keyId, keyName, groupId, groupName } = caller.holder;
      const [group, key] = [open("group"), open("key")];
      if (group !== undefined) answer.group = { value: group, groupId, groupName };
      if (key !== undefined) answer.key = { value: key, groupId, groupName, keyId, keyName };
    }
    if (Object.keys(decryptionErrors).length > 0) answer.decryptionErrors = decryptionErrors;
    return answer;
  };

  return {
    /** JSON for the handler, or undefined if there is nothing for this caller. */
    answer(caller: C, kind: "get" | "complete", name: string, scope: string | null): unknown {
      if (kind === "complete") return complete(caller, name);
      if (scope !== null && !isScope(scope)) return undefined;
      const value = reader.get(caller, name, scope ?? undefined)?.reveal();
      if (value !== undefined) onHandedOut(caller, name, value);
      return value;
    },
  };
}

function isScope(text: string): text is Scope {
  return (SCOPES as readonly string[]).includes(text);
}
