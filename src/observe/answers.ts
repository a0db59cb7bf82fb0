// Handlers' questions for secrets, timed on their way to who answers them.

import type { FunctionId } from "../ids.ts";
import type { Answerer } from "../sandbox/sandbox.ts";

/** `answerer`, with `onAnswered` told how long each answer took, or the failure to give one. */
export function timedAnswers<C extends { readonly functionId: FunctionId }>(
  answerer: Answerer<C>,
  onAnswered: (functionId: FunctionId, durationMs: number) => void,
): Answerer<C> {
  return {
    answer(caller, kind, name, scope) {
      const began = performance.now();
      try {
        return answerer.answer(caller, kind, name, scope);
      } finally {
        onAnswered(caller.functionId, performance.now() - began);
      }
    },
  };
}
