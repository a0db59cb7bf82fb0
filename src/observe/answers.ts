// Handlers' questions for secrets, watched on their way to who answers them: how long each takes, and its span.

import type { FunctionId, Scope } from "../ids.ts";
import type { Answerer } from "../sandbox/sandbox.ts";
import { isSecretName } from "../secrets/names.ts";
import type { Caller } from "../secrets/resolution.ts";
import type { CallTrace } from "./traces.ts";

/** A caller whose call is traced, if calls are. */
export interface TracedCaller extends Caller {
  readonly trace?: CallTrace | undefined;
}

export interface WatchedAnswers<C> extends Pick<Answerer<C>, "answer"> {
  /** To be told the scope of each value that is given, while it is. */
  given(scope: Scope): void;
}

/**
 * `answerer`, with `onAnswered` told how long each answer took, or the failure to give one. `mask` takes secrets'
 * values out of a text that the function made.
 */
export function watchAnswers<C extends TracedCaller>(
  answerer: Pick<Answerer<C>, "answer">,
  onAnswered: (functionId: FunctionId, durationMs: number) => void,
  mask: (functionId: FunctionId, text: string) => string,
): WatchedAnswers<C> {
  let scopes: Scope[] | undefined;
  return {
    given(scope) {
      scopes?.push(scope);
    },

    answer(caller, kind, name, scope) {
      const began = performance.now();
      // A handler may ask for any text, even for a secret's value.
      const traced = caller.trace?.asking(
        kind === "get" ? "getSecret" : "getCompleteSecret",
        isSecretName(name) ? mask(caller.functionId, name) : undefined,
      );
      if (traced) scopes = [];
      try {
        return answerer.answer(caller, kind, name, scope);
      } finally {
        if (scopes) traced?.(scopes);
        scopes = undefined;
        onAnswered(caller.functionId, performance.now() - began);
      }
    },
  };
}
